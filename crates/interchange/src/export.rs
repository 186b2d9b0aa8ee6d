//! A run's network, written for other programs.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use backburn_records::record::{EVALUATION_FILE, MANIFEST_FILE};
use backburn_records::whole_file::{folder_of, write_whole};
use backburn_records::{RunRecord, read_bounded};
use backburn_training::backend::Backend;
use backburn_training::predict::Predictor;
use backburn_training::run_folder::names::RESULTS;
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
/// format's, or a file cannot be written.
pub fn export(run: &Path, options: &ExportOptions) -> Result<Vec<PathBuf>, ExportError> {
    check_options(options)?;
    let format = options.format;
    let out = match &options.out {
        Some(out) => out.clone(),
        None => run.join(FOLDER).join(format.row().file),
    };
    if format == Format::Mlflow {
        // A store takes many runs, so that a folder that is there already is no fault.
        return Ok(vec![backburn_logs::write_mlflow(&RunRecord::read(run)?, &out)?]);
    }
    check_target(run, &out)?;
    if format == Format::MistakesCsv {
        return export_mistakes(run, options, out);
    }
    let predictor = Predictor::open(run, options.backend)?;
    let record = RunRecord::read(run)?;
    let network = trained_network(&predictor, &record)?;
    check::check(predictor.network(), &network, predictor.device())?;
    let bytes = match format {
        Format::Onnx => onnx::to_bytes(&network, options.onnx)?,
        Format::Torch => torch_file::to_bytes(&network)?,
        Format::Safetensors | Format::MistakesCsv | Format::Mlflow => {
            safetensors_file::to_bytes(&network)
        }
    };
    let file = out.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let card = card::card(&record, &network, format, options.onnx.ends, &file);
    let mut files = vec![(out.clone(), bytes)];
    if format == Format::Torch {
        let code = out.with_extension("py");
        check_ours(&code, torch_code::FIRST_WORDS)?;
        files.push((code, torch_code::source(&network)?.into_bytes()));
    }
    let beside = with_ending(&out, ".md");
    check_ours(&beside, card::FIRST_WORDS)?;
    files.push((beside, card.into_bytes()));
    if let Some(count) = options.test_data {
        let folder = with_ending(&out, ".test_data_set_0");
        let [input, output] = test_data(&predictor, &network, options.onnx.ends, count)?;
        files.push((folder.join("input_0.pb"), input));
        files.push((folder.join("output_0.pb"), output));
    }
    write(options, files)
}

fn export_mistakes(
    run: &Path,
    options: &ExportOptions,
    out: PathBuf,
) -> Result<Vec<PathBuf>, ExportError> {
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

/// A file that may be written: none of the run's own.
fn check_target(run: &Path, out: &Path) -> Result<(), ExportError> {
    let Some(name) = out.file_name().filter(|_| !out.is_dir()) else {
        return Err(ExportError::NoFile { path: out.to_owned() });
    };
    let same_folder = match (fs::canonicalize(folder_of(out)), fs::canonicalize(run)) {
        (Ok(folder), Ok(run)) => folder == run,
        _ => false,
    };
    let is_result = RESULTS.into_iter().chain([MANIFEST_FILE]).any(|result| name == result);
    if same_folder && is_result {
        return Err(ExportError::Result { path: out.to_owned() });
    }
    Ok(())
}

/// A file that takes no place that was asked for is written over only if an export wrote it.
fn check_ours(path: &Path, first_words: &str) -> Result<(), ExportError> {
    if !path.exists() {
        return Ok(());
    }
    let ours = read_bounded(path, 16 << 20).is_ok_and(|it| it.starts_with(first_words.as_bytes()));
    if ours { Ok(()) } else { Err(ExportError::Foreign { path: path.to_owned() }) }
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
