//! A run's network, written for other programs.

use std::ffi::OsString;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use backburn_records::whole_file::{folder_of, write_whole};
use backburn_records::{EVALUATION_FILE, RunRecord, enclosing_run, without_links};
use backburn_training::backend::Backend;
use backburn_training::predict::Predictor;
use backburn_training::session_error::SessionError;

use crate::card;
use crate::check;
use crate::error::ExportError;
use crate::format::Format;
use crate::mistakes_csv;
use crate::onnx::{self, Ends, OnnxOptions};
use crate::safetensors_file;
use crate::torch_code;
use crate::torch_file;
use crate::trained_network::TrainedNetwork;

/// Folder inside a run's that its exports go to if nothing was said.
const FOLDER: &str = "export";

/// What is exported, and where to.
#[derive(Clone, Debug)]
pub struct ExportOptions {
    /// The format.
    pub format: Format,
    /// The file; `None` for `export/` in the run's folder.
    pub out: Option<PathBuf>,
    /// How an ONNX graph is written.
    pub onnx: OnnxOptions,
    /// So many images of noise, with the network's own answers to them, beside an ONNX file.
    pub test_data: Option<usize>,
    /// What computes; the run's own backend if `None`.
    pub backend: Option<Backend>,
}

/// Writes the network that a run ended with, and beside it what belongs to the format: a model card, PyTorch code. Gives
/// the files, the exported one first.
///
/// # Errors
///
/// If the run has not come to its end or is damaged, its network cannot be described, the options are none of the
/// format's, a file would take the place of one that is no export, or cannot be written.
pub fn export(run: &Path, options: &ExportOptions) -> Result<Vec<PathBuf>, ExportError> {
    check_options(options)?;
    let out = match &options.out {
        Some(out) => out.clone(),
        None => run.join(FOLDER).join(default_file(options)),
    };
    check_place(run, &out)?;
    let to_bytes: ToBytes = match options.format {
        // A store takes many runs, so that a folder that is there already is no fault.
        Format::Mlflow => {
            return Ok(vec![backburn_logs::write_mlflow(&RunRecord::read(run)?, &out)?]);
        }
        Format::MistakesCsv => return export_mistakes(run, options, out),
        Format::Onnx => onnx::to_bytes,
        Format::Torch => |network, _| torch_file::to_bytes(network),
        Format::Safetensors => |network, _| Ok(safetensors_file::to_bytes(network)),
    };
    export_weights(run, options, out, to_bytes)
}

/// What the file is called if nothing was said.
fn default_file(options: &ExportOptions) -> &'static str {
    let row = options.format.row();
    match options.onnx.ends {
        Ends::Pixels => row.file_with_preparation.unwrap_or(row.file),
        Ends::Network => row.file,
    }
}

/// What makes a format's file of a network.
type ToBytes = fn(&TrainedNetwork, OnnxOptions) -> Result<Vec<u8>, ExportError>;

fn export_weights(
    run: &Path,
    options: &ExportOptions,
    out: PathBuf,
    to_bytes: ToBytes,
) -> Result<Vec<PathBuf>, ExportError> {
    let beside = Beside::of(&out);
    beside.check(run, &out, options)?;
    let predictor = Predictor::open(run, options.backend)?;
    let record = RunRecord::read(run)?;
    let network = trained_network(&predictor, &record)?;
    check::check(predictor.network(), &network, predictor.device())?;
    let bytes = to_bytes(&network, options.onnx)?;
    let file = out.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let card = card::card(&record, &network, options.format, options.onnx.ends, &file);
    let mut files = vec![(out, bytes)];
    if options.format == Format::Torch {
        files.push((beside.code, torch_code::source(&network, &file)?.into_bytes()));
    }
    files.push((beside.card, card.into_bytes()));
    if let Some(count) = options.test_data {
        let data = test_data(&predictor, &network, options.onnx.ends, count)?;
        files.extend(beside.test_data.into_iter().zip(data));
    }
    write(options, files)
}

fn export_mistakes(
    run: &Path,
    options: &ExportOptions,
    out: PathBuf,
) -> Result<Vec<PathBuf>, ExportError> {
    check_file(&out)?;
    let record = RunRecord::read(run)?;
    let missing = || ExportError::Missing { path: run.join(EVALUATION_FILE) };
    let evaluation = record.evaluation.as_ref().ok_or_else(missing)?;
    write(options, vec![(out, mistakes_csv::to_bytes(evaluation))])
}

/// The run's network as data.
fn trained_network(
    predictor: &Predictor,
    record: &RunRecord,
) -> Result<TrainedNetwork, ExportError> {
    let (shape, manifest) = (predictor.shape(), &record.manifest);
    let network = TrainedNetwork::new(
        predictor.network(),
        [shape.channels, shape.height, shape.width],
        predictor.class_names().to_vec(),
        predictor.normalization().clone(),
    )?;
    let network = network
        .with_temperature(predictor.temperature())
        .with_fact("run", &manifest.name)
        .with_fact("model", &manifest.model)
        .with_fact("dataset", card::data_name(&manifest.dataset))
        .with_fact("seed", manifest.seeds())
        .with_fact("backburn_version", &manifest.backburn_version)
        .with_fact("burn_version", &manifest.burn_version);
    Ok(match &manifest.git_commit {
        Some(commit) => network.with_fact("commit", commit),
        None => network,
    })
}

/// Images of noise and the answers of the run's own network.
fn test_data(
    predictor: &Predictor,
    network: &TrainedNetwork,
    ends: Ends,
    count: usize,
) -> Result<[Vec<u8>; 2], ExportError> {
    let image = network.description().image();
    let pixels = check::noise(count, image.iter().product());
    let images = check::normalized(network, &pixels);
    let answers: Vec<f32> = match ends {
        Ends::Network => check::logits(predictor.network(), &images, image, predictor.device()),
        Ends::Pixels => {
            let predictions = predictor.predict(pixels.clone()).map_err(SessionError::from)?;
            predictions.probabilities().into_iter().map(|value| value as f32).collect()
        }
    };
    Ok(onnx::test_data(network, ends, &pixels, &images, &answers))
}

/// Options that are for ONNX alone.
fn check_options(options: &ExportOptions) -> Result<(), ExportError> {
    let format = options.format;
    let given = [
        ("--with-preparation", options.onnx.ends != OnnxOptions::default().ends),
        ("--fold-batch-norm", options.onnx.batch_norms != OnnxOptions::default().batch_norms),
        ("--test-data", options.test_data.is_some()),
    ];
    match given.into_iter().find(|(_, given)| *given && format != Format::Onnx) {
        Some((option, _)) => Err(ExportError::Option { option, format: format.row().name }),
        None => Ok(()),
    }
}

/// Files that take their names from that of the weights.
struct Beside {
    /// Python, of the format `torch`.
    code: PathBuf,
    card: PathBuf,
    /// Images and answers, where an ONNX graph is tested with them.
    test_data: [PathBuf; 2],
}

impl Beside {
    fn of(out: &Path) -> Self {
        let folder = with_ending(out, ".test_data_set_0");
        Self {
            code: out.with_extension("py"),
            card: with_ending(out, ".md"),
            test_data: ["input_0.pb", "output_0.pb"].map(|name| folder.join(name)),
        }
    }

    /// Checks that each file that will be written is one that may be: nobody has asked for these.
    fn check(&self, run: &Path, out: &Path, options: &ExportOptions) -> Result<(), ExportError> {
        check_file(out)?;
        let has_code = options.format == Format::Torch;
        let is_code = |out: &Path| out.extension().is_some_and(|it| it.eq_ignore_ascii_case("py"));
        if has_code && is_code(out) {
            return Err(ExportError::SameFile { path: out.to_owned() });
        }
        let check = |path: &Path, is_ours: fn(&[u8]) -> bool| {
            check_place(run, path)?;
            check_ours(path, is_ours)
        };
        check(&self.card, |start| start.starts_with(card::FIRST_WORDS.as_bytes()))?;
        if has_code {
            check(&self.code, |it| it.starts_with(torch_code::FIRST_WORDS.as_bytes()))?;
        }
        if options.test_data.is_some() {
            self.test_data.iter().try_for_each(|path| check(path, onnx::is_test_data))?;
        }
        Ok(())
    }
}

/// Checks that a path is that of a file.
fn check_file(out: &Path) -> Result<(), ExportError> {
    match out.file_name().filter(|_| !out.is_dir()) {
        Some(_) => Ok(()),
        None => Err(ExportError::NoFile { path: out.to_owned() }),
    }
}

/// Checks that a path lies in no run's folder, whose files stay as training left them, unless it is the place that exports
/// have in it.
fn check_place(run: &Path, path: &Path) -> Result<(), ExportError> {
    let real = without_links(path);
    let this_run = || fs::canonicalize(run).ok().filter(|run| real.starts_with(run));
    match enclosing_run(path).or_else(this_run) {
        Some(folder) if real.parent().is_none_or(|it| !it.starts_with(folder.join(FOLDER))) => {
            Err(ExportError::InsideRun { path: path.to_owned() })
        }
        _ => Ok(()),
    }
}

/// Most bytes at the beginning of a file by which it is known.
const START: u64 = 128;

/// A file that nobody asked for is written over only if an export wrote it, which its beginning shows.
fn check_ours(path: &Path, is_ours: fn(&[u8]) -> bool) -> Result<(), ExportError> {
    if !path.exists() {
        return Ok(());
    }
    let mut start = Vec::new();
    let is_read = path.is_file()
        && fs::File::open(path).and_then(|it| it.take(START).read_to_end(&mut start)).is_ok();
    if is_read && is_ours(&start) {
        Ok(())
    } else {
        Err(ExportError::Foreign { path: path.to_owned() })
    }
}

/// A path with something behind its name.
fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    PathBuf::from(name)
}

/// Writes files, whole, and the folders that they are in, as far as nobody chose them.
fn write(
    options: &ExportOptions,
    files: Vec<(PathBuf, Vec<u8>)>,
) -> Result<Vec<PathBuf>, ExportError> {
    let mut written = Vec::new();
    for (number, (path, bytes)) in files.into_iter().enumerate() {
        let folder = folder_of(&path);
        // A folder that was named and is not there is a slip of the pen.
        let is_ours = number > 0 || options.out.is_none();
        let made = if is_ours { fs::create_dir_all(folder) } else { Ok(()) };
        made.and_then(|()| write_whole(&path, &bytes))
            .map_err(|source| ExportError::Write { path: path.clone(), source })?;
        written.push(path);
    }
    Ok(written)
}
