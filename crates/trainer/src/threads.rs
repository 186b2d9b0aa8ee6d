//! How many threads compute.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use backburn_training::failure::Failure;

/// More than any machine has cores; many more would take minutes to start.
const MOST_THREADS: usize = 1024;

/// Makes the pool of threads that everything computes in.
///
/// # Errors
///
/// If `threads` is 0 or absurdly many.
pub(crate) fn set_threads(threads: Option<usize>) -> Result<usize, Failure> {
    if let Some(found) = threads.filter(|threads| !(1..=MOST_THREADS).contains(threads)) {
        return Err(Failure::Usage(format!(
            "`--threads`: expected 1 to {MOST_THREADS}, found {found}"
        )));
    }
    let threads = threads
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get));
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().map_err(|error| {
        Failure::Error(format!(
            "cannot start {threads} threads: {error}; start fewer with `--threads`, or allow \
                 more of them (`ulimit -u`) and more memory (`ulimit -v`)"
        ))
    })?;
    Ok(threads)
}
