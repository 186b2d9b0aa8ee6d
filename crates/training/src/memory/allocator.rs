//! Where the program's memory comes from: mimalloc, with an end in words where there is no more, and a
//! count for whoever wants to know what a piece of work needs.

#![expect(unsafe_code, reason = "an allocator is an unsafe trait; this one hands on and looks on")]
use std::alloc::{GlobalAlloc, Layout};
use std::ffi::{c_int, c_long};
use std::sync::atomic::{AtomicBool, AtomicIsize, Ordering};
use std::sync::{Once, OnceLock};

use mimalloc::MiMalloc;

// Options of the allocator that the crate above links and does not hand on; those bindings that have them want a crate
// for the names of C's types that nobody keeps.
unsafe extern "C" {
    /// Sets what the environment does not.
    fn mi_option_set_default(option: c_int, value: c_long);
    #[cfg(test)]
    fn mi_option_get(option: c_int) -> c_long;
}

/// An allocator for programs that train, which count with it what a training needs and may
/// [say how they end](end_with) where there is no memory left.
///
/// mimalloc, because the system's allocator hands memory back after every step only to ask for it again; told to wait
/// for longer than a step takes before it does so itself.
#[derive(Debug)]
pub struct Allocator;

static END: OnceLock<fn(usize) -> !> = OnceLock::new();

/// Sets what ends the process when the system refuses it so many bytes: Rust would abort without a word of
/// what to do. Whoever could have done without the memory, by `try_reserve`, ends too. Only the first call
/// counts.
pub fn end_with(end: fn(usize) -> !) {
    let _ = END.set(end);
}

/// Whether somebody counts.
static COUNTS: AtomicBool = AtomicBool::new(false);
/// Bytes held more than when the count began. Below zero if what was held before was given back.
static HELD: AtomicIsize = AtomicIsize::new(0);
/// The most of them at once since the count began, or since it was asked for the last time.
static PEAK: AtomicIsize = AtomicIsize::new(0);

/// Counts what all threads of the process hold, until it is dropped. One at a time: a second one would
/// begin the first one's count anew.
#[derive(Debug)]
pub(crate) struct Count(());

impl Count {
    /// Begins at zero.
    pub(crate) fn begin() -> Self {
        HELD.store(0, Ordering::Relaxed);
        PEAK.store(0, Ordering::Relaxed);
        COUNTS.store(true, Ordering::Relaxed);
        Self(())
    }

    /// What `work` gives, and the most bytes that were held at once meanwhile, with those from before it,
    /// since the count began. 0 bytes in a process that has another allocator.
    pub(crate) fn peak_of<T>(&self, work: impl FnOnce() -> T) -> (T, u64) {
        PEAK.store(HELD.load(Ordering::Relaxed), Ordering::Relaxed);
        let result = work();
        (result, u64::try_from(PEAK.load(Ordering::Relaxed)).unwrap_or(0))
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        COUNTS.store(false, Ordering::Relaxed);
    }
}

/// Bytes from which on a block is worth waiting for: a feature map has as many, a name or a record never.
const LARGE: usize = 1 << 20;

/// The name of mimalloc's option for the milliseconds after which memory that nobody uses goes back to the system.
/// One of its stable ones.
const PURGE_DELAY: c_int = 15;

/// What that option is unless the user sets `MIMALLOC_PURGE_DELAY`: longer than a step of training takes. Each step asks
/// for the maps of the one before again, and memory that the system has taken back comes anew, page by page and
/// cleared: a tenth of the time where a step takes a second. And no longer than some steps: blocks of other sizes are laid
/// beside what is kept, until ResNet-18 has half as much memory again as it needs.
const PATIENT_DELAY: c_long = 5_000;

/// Has mimalloc keep for a step of training what the one before it gave back, from the first large block on.
#[inline]
fn be_patient(bytes: usize) {
    static FIRST: Once = Once::new();
    if bytes >= LARGE {
        FIRST.call_once(|| {
            // SAFETY: mimalloc has its options from the start of the process on; setting one is an atomic access.
            unsafe { mi_option_set_default(PURGE_DELAY, PATIENT_DELAY) };
        });
    }
}

#[inline]
fn count(change: isize) {
    if COUNTS.load(Ordering::Relaxed) {
        let held = HELD.fetch_add(change, Ordering::Relaxed) + change;
        PEAK.fetch_max(held, Ordering::Relaxed);
    }
}

/// What mimalloc gave, if it gave anything.
#[inline]
fn given(memory: *mut u8, bytes: usize) -> *mut u8 {
    if memory.is_null()
        && let Some(end) = END.get()
    {
        end(bytes);
    }
    memory
}

// SAFETY: every call is handed on to mimalloc unchanged, and what it gives is given on.
unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        be_patient(layout.size());
        count(layout.size() as isize);
        // SAFETY: the caller keeps the contract of `GlobalAlloc`, which is also mimalloc's.
        given(unsafe { MiMalloc.alloc(layout) }, layout.size())
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        be_patient(layout.size());
        count(layout.size() as isize);
        // SAFETY: as above.
        given(unsafe { MiMalloc.alloc_zeroed(layout) }, layout.size())
    }

    #[inline]
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: as above.
        unsafe { MiMalloc.dealloc(memory, layout) }
    }

    #[inline]
    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        be_patient(bytes);
        // Old and new exist together while the content is copied.
        count(bytes as isize);
        // SAFETY: as above.
        let new = given(unsafe { MiMalloc.realloc(memory, layout, bytes) }, bytes);
        count(-(layout.size() as isize));
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_kept_for_the_next_step_unless_the_user_says_for_how_long() {
        let block = vec![1_u8; LARGE];
        assert_eq!(block.len(), LARGE);
        // SAFETY: as above.
        let delay = unsafe { mi_option_get(PURGE_DELAY) };
        match std::env::var("MIMALLOC_PURGE_DELAY") {
            Err(_) => assert_eq!(delay, PATIENT_DELAY),
            Ok(set) => assert_eq!(delay.to_string(), set),
        }
    }
}
