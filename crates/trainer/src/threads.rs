//! How many threads compute.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::fmt::Display;

use backburn_records::number;
use backburn_training::failure::Failure;
use memmap2::MmapMut;

/// More than any machine has cores; many more would take minutes to start.
const MOST_THREADS: usize = 1024;

/// Bytes of a thread's stack, as Rust has it if nothing is said.
const STACK: usize = 2 << 20;

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
    let refuse = |reason: &dyn Display| {
        Failure::Error(format!(
            "cannot start {}: {reason}; start fewer with `--threads`, or allow more of them \
             (`ulimit -u`) and more memory (`ulimit -v`)",
            number::threads(threads)
        ))
    };
    // Where the stacks do not fit, the C library ends the program in one of the threads that did start, now and then
    // before the refusal of another can be told.
    let stacks = MmapMut::map_anon(threads * STACK).map_err(|error| refuse(&error))?;
    drop(stacks);
    let mut pool = rayon::ThreadPoolBuilder::new().num_threads(threads).stack_size(STACK);
    // Whoever hands each kernel to threads of a pool and waits for them pays for two wake-ups a kernel. Alone in its pool,
    // this thread would leave undone what others hand to the pool while it waits for them.
    if threads > 1 {
        pool = pool.use_current_thread();
    }
    pool.build_global().map_err(|error| refuse(&error))?;
    Ok(threads)
}
