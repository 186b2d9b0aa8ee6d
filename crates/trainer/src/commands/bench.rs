//! `backburn bench`: how fast this machine trains, and what PyTorch makes of it.

use std::path::{Path, PathBuf};

use backburn_bench::measure::measure;
use backburn_bench::plan::Plan;
use backburn_bench::pytorch::PyTorch;
use backburn_bench::tables::tables;
use backburn_models::architecture;
use backburn_records::whole_file::{folder_of, write_whole};
use backburn_training::backend::Backend;
use backburn_training::failure::{Failure, usage};
use backburn_training::outside_runs::check_outside_runs;
use clap::{Args, ValueEnum};

use crate::help;
use crate::interrupt::{self, Notices};
use crate::output::{print_data, print_line, say};
use crate::threads::set_threads;

/// Repetitions of each measurement: the least that have a middle and a spread.
const REPETITIONS: usize = 3;

/// Repetitions of each measurement against PyTorch, where ratios count that are near each other.
const REPETITIONS_AGAINST: usize = 5;

/// Least length of a repetition in seconds. The whole bench takes six minutes of processor time on two
/// slow cores, of which resnet18, whose steps are longer than this, takes more than half.
const SECONDS: f64 = 0.4;

/// Least length of a repetition against PyTorch, in seconds.
const SECONDS_AGAINST: f64 = 1.0;

/// Nobody has the time for longer repetitions; asking for more is taken for a mistake.
const MOST_SECONDS: f64 = 600.0;

/// More images in a batch fit no memory.
const MOST_IMAGES: usize = 16_384;

/// `bench`
#[derive(Args, Clone, Debug)]
pub struct BenchArgs {
    /// Architectures to train.
    #[arg(long, value_name = "NAME,NAME", value_delimiter = ',')]
    #[arg(default_value = "mlp,cnn,resnet18,resnet20")]
    models: Vec<String>,
    /// Images in a batch; each architecture is trained with each.
    #[arg(long, value_name = "N,N", value_delimiter = ',', default_value = "32,128")]
    #[arg(allow_negative_numbers = true)]
    batch_sizes: Vec<usize>,
    /// Least length of a repetition in seconds; 0.4 if not given, against PyTorch 1.
    #[arg(long, value_name = "S", allow_negative_numbers = true)]
    seconds: Option<f64>,
    /// Threads to compute with; all cores if not given.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    threads: Option<usize>,
    /// What computes, by its name.
    #[arg(long, help = help::backends())]
    backend: Option<String>,
    /// Where to write everything that was measured.
    #[arg(long, value_name = "FILE", default_value = "bench.json")]
    out: PathBuf,
    /// Also measure this, in turns.
    #[arg(long, value_enum)]
    against: Option<Rival>,
    /// A Python that has PyTorch; python3 if not given.
    #[arg(long, value_name = "PATH", requires = "against")]
    python: Option<PathBuf>,
    /// What PyTorch computes on; the backend's card or the processor if not given.
    #[arg(long, value_parser = ["cpu", "cuda", "mps"], requires = "against")]
    pytorch_device: Option<String>,
    /// Also measure PyTorch with torch.compile, which takes a C++ compiler.
    #[arg(long, requires = "against")]
    pytorch_compile: bool,
    /// Print everything as JSON on stdout instead of tables.
    #[arg(long)]
    json: bool,
}

/// What can be compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Rival {
    /// PyTorch in eager mode, in its faster memory format; by cuda also with TF32, with bfloat16 and as CUDA graphs.
    Pytorch,
}

/// Measures, prints and writes `bench.json`.
///
/// # Errors
///
/// What stands in the way, with the cure.
pub fn bench(args: &BenchArgs) -> Result<(), Failure> {
    interrupt::hear(Notices::MEASUREMENT, None);
    let models = models(args)?;
    let batch_sizes = batch_sizes(args)?;
    let backend = match &args.backend {
        Some(name) => Backend::named(name).map_err(usage)?,
        None => Backend::preferred(),
    };
    let is_alone = args.against.is_none();
    let seconds = args.seconds.unwrap_or(if is_alone { SECONDS } else { SECONDS_AGAINST });
    if !(seconds > 0.0 && seconds <= MOST_SECONDS) {
        return Err(Failure::Usage(format!(
            "`--seconds`: expected more than 0 and at most {MOST_SECONDS}, found {seconds}"
        )));
    }
    let threads = set_threads(args.threads)?;
    check_writable(&args.out)?;
    interrupt::catch();
    let program = std::env::current_exe()
        .map_err(|error| Failure::Error(format!("cannot tell where this program is: {error}")))?;
    let stop = interrupt::stop();
    let python = args.python.clone().unwrap_or_else(|| "python3".into());
    let device = args.pytorch_device.as_deref();
    let compiles = args.pytorch_compile;
    let pytorch =
        args.against.map(|Rival::Pytorch| PyTorch::find(&python, device, compiles, backend, &stop));
    let pytorch = pytorch.transpose()?;
    let repetitions = if is_alone { REPETITIONS } else { REPETITIONS_AGAINST };
    let plan = Plan { program, backend, threads, seconds, repetitions, pytorch, stop };
    let record = measure(&plan, &models, &batch_sizes, &mut say)?;

    let mut json = serde_json::to_string_pretty(&record).expect("a record is plain values");
    json.push('\n');
    if args.json {
        print_data(json.trim_end());
    } else {
        print_line(&tables(&record));
    }
    write_whole(&args.out, json.as_bytes()).map_err(|error| cannot_write(&args.out, &error))?;
    say(&format!("written to {}", args.out.display()));
    Ok(())
}

/// The architectures that were asked for, each once.
fn models(args: &BenchArgs) -> Result<Vec<String>, Failure> {
    let mut models = Vec::new();
    for name in &args.models {
        let name = architecture(name).map_err(usage)?.name.to_owned();
        if !models.contains(&name) {
            models.push(name);
        }
    }
    Ok(models)
}

/// The batch sizes that were asked for, each once.
fn batch_sizes(args: &BenchArgs) -> Result<Vec<usize>, Failure> {
    let mut sizes = Vec::new();
    for &size in &args.batch_sizes {
        if !(1..=MOST_IMAGES).contains(&size) {
            return Err(Failure::Usage(format!(
                "`--batch-sizes`: expected 1 to {MOST_IMAGES} images in a batch, found {size}"
            )));
        }
        if !sizes.contains(&size) {
            sizes.push(size);
        }
    }
    Ok(sizes)
}

/// Checks that the result will have a place, before minutes are spent on it.
fn check_writable(out: &Path) -> Result<(), Failure> {
    if out.is_dir() {
        return Err(Failure::Usage(format!(
            "`--out`: {} is a folder; name a file in it, such as {}",
            out.display(),
            out.join("bench.json").display()
        )));
    }
    check_outside_runs("--out", out)?;
    let folder = folder_of(out);
    if !folder.is_dir() {
        return Err(Failure::Usage(format!(
            "`--out`: there is no folder {}; make it, or name a file in another one",
            folder.display()
        )));
    }
    // A file that is gone again at once.
    let probe = tempfile::NamedTempFile::new_in(folder);
    probe.map(drop).map_err(|error| cannot_write(out, &error))
}

fn cannot_write(out: &Path, error: &std::io::Error) -> Failure {
    // The wrapped error has the temporary name in it.
    let reason = std::io::Error::from(error.kind());
    Failure::Error(format!(
        "cannot write {}: {reason}; see to its folder, or name another file with `--out`",
        out.display()
    ))
}
