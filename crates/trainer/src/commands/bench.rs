//! `backburn bench`: how fast this machine trains, and what PyTorch makes of it.

use std::path::{Path, PathBuf};

use backburn_models::architecture;
use backburn_report::whole_file::{folder_of, write_whole};
use clap::{Args, ValueEnum};

use crate::backend::{Backend, processor};
use crate::bench::figure::Figure;
use crate::bench::plan::{Case, Plan};
use crate::bench::pytorch::PyTorch;
use crate::bench::record::BenchRecord;
use crate::bench::tables::tables;
use crate::bench::turns::{self, Scaling};
use crate::bench::{bystanders, machine};
use crate::cli::{Failure, print_line, set_threads, usage};
use crate::interrupt::{self, Notices};
use crate::progress::say;
use crate::run::now;

/// Of each measurement: the least that have a middle and a spread.
const REPETITIONS: usize = 3;

/// Of each measurement against PyTorch, where ratios count that are near each other.
const REPETITIONS_AGAINST: usize = 5;

/// Least length of a repetition in seconds. The whole bench takes six minutes of processor time on two
/// slow cores, of which resnet18, whose steps are longer than this, takes more than half.
const SECONDS: f64 = 0.4;

/// Likewise, against PyTorch.
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
    /// What computes: flex, ndarray, wgpu, vulkan, metal, cuda, rocm.
    #[arg(long)]
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
    /// Print everything as JSON on stdout instead of tables.
    #[arg(long)]
    json: bool,
}

/// What can be compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Rival {
    /// PyTorch in eager mode, in its faster memory format.
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
    let python = args.python.clone().unwrap_or_else(|| "python3".into());
    let pytorch = args.against.map(|Rival::Pytorch| PyTorch::find(&python, backend)).transpose()?;
    let repetitions = if is_alone { REPETITIONS } else { REPETITIONS_AGAINST };
    let plan = Plan { program, backend, threads, seconds, repetitions, pytorch };
    let record = measure(&plan, &models, &batch_sizes)?;

    let mut json = serde_json::to_string_pretty(&record).expect("a record is plain values");
    json.push('\n');
    if args.json {
        print_line(json.trim_end());
    } else {
        print_line(&tables(&record));
    }
    write_whole(&args.out, json.as_bytes()).map_err(|error| cannot_write(&args.out, &error))?;
    say(&format!("written to {}", args.out.display()));
    Ok(())
}

fn measure(plan: &Plan, models: &[String], batch_sizes: &[usize]) -> Result<BenchRecord, Failure> {
    let started = now();
    let mut others: Vec<f64> = bystanders::count().into_iter().collect();
    let (mut process, greeting) = plan.start(None, plan.threads)?;
    say(&format!("{} on {}: matrix products, layers, loader", plan.backend, greeting.name));
    let matrix_product = machine::matrix_product(plan, &mut process)?;
    let layers = machine::layers(plan, models, &mut process)?;
    let loader = machine::loader(plan, &mut process)?;
    drop(process);

    let smallest = batch_sizes.iter().copied().min();
    let cases = models.iter().flat_map(|model| {
        batch_sizes.iter().map(|&batch_size| Case { model: model.clone(), batch_size })
    });
    let all = models.len() * batch_sizes.len();
    let mut networks = Vec::new();
    for (number, case) in (1..).zip(cases) {
        say(&format!("{number}/{all} {}", case.name()));
        let scales = plan.threads > 1 && Some(case.batch_size) == smallest;
        let scaling = if scales { Scaling::Measure } else { Scaling::LeaveOut };
        networks.push(turns::measure(plan, &case, scaling)?);
        others.extend(bystanders::count());
    }
    Ok(BenchRecord {
        backburn_version: env!("CARGO_PKG_VERSION"),
        burn_version: crate::BURN_VERSION,
        git_commit: crate::GIT_COMMIT,
        started,
        ended: now(),
        backend: plan.backend.name(),
        device: greeting.name,
        processor: processor(),
        instruction_set: instruction_set(),
        threads: plan.threads,
        seconds_per_repetition: plan.seconds,
        busy_threads_of_others: (!others.is_empty()).then(|| Figure::of(&others)),
        pytorch: plan.pytorch.as_ref().map(|pytorch| pytorch.name.clone()),
        networks,
        matrix_product,
        layers,
        loader,
    })
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

/// That the result will have a place, found out before minutes are spent on it.
fn check_writable(out: &Path) -> Result<(), Failure> {
    if out.is_dir() {
        return Err(Failure::Usage(format!(
            "`--out`: {} is a folder; name a file in it, such as {}",
            out.display(),
            out.join("bench.json").display()
        )));
    }
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

/// The widest set of vector instructions that this processor has.
fn instruction_set() -> Option<&'static str> {
    #[cfg(target_arch = "x86_64")]
    {
        if std::arch::is_x86_feature_detected!("avx512f") {
            return Some("AVX-512");
        }
        if std::arch::is_x86_feature_detected!("avx2") {
            return Some("AVX2");
        }
        Some("SSE2")
    }
    #[cfg(target_arch = "aarch64")]
    {
        Some("NEON")
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    {
        None
    }
}
