//! The whole bench, from a plan to a record.

use backburn_training::backend::processor;
use backburn_training::failure::Failure;
use backburn_training::run_folder::folder::now;
use backburn_training::version;

use super::case::Case;
use super::figure::Figure;
use super::plan::Plan;
use super::record::BenchRecord;
use super::turns::{self, Scaling};
use super::{bystanders, machine};

/// Measures the machine, then each network with each batch size; `note` is told how far it is.
///
/// # Errors
///
/// If a process cannot be started or ends, or the measurement is asked to stop.
pub fn measure(
    plan: &Plan,
    models: &[String],
    batch_sizes: &[usize],
    note: &mut dyn FnMut(&str),
) -> Result<BenchRecord, Failure> {
    let started = now();
    let mut others: Vec<f64> = bystanders::count().into_iter().collect();
    let (mut process, greeting) = plan.start(None, plan.threads, None)?;
    note(&format!("{} on {}: matrix products, layers, loader", plan.backend, greeting.name));
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
        note(&format!("{number}/{all} {}", case.name()));
        let scales = plan.backend.computes_on_the_host()
            && plan.threads > 1
            && Some(case.batch_size) == smallest;
        let scaling = if scales { Scaling::Measure } else { Scaling::LeaveOut };
        networks.push(turns::measure(plan, &case, scaling)?);
        others.extend(bystanders::count());
    }
    Ok(BenchRecord {
        backburn_version: version::VERSION,
        burn_version: version::BURN_VERSION,
        git_commit: version::commit(),
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

/// The set of vector instructions that our kernels use: the processor's widest, or what `BACKBURN_SIMD` leaves of it.
fn instruction_set() -> Option<&'static str> {
    match backburn_kernels::cpu::instruction_set() {
        "avx512" => return Some("AVX-512"),
        "avx2" => return Some("AVX2"),
        _ => {}
    }
    #[cfg(target_arch = "x86_64")]
    {
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
