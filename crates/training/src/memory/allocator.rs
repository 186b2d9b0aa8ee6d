//! Where the program's memory comes from: mimalloc, with an end in words where there is no more, and a
//! count for whoever wants to know what a piece of work needs.

#![expect(unsafe_code, reason = "an allocator is an unsafe trait; this one hands on and looks on")]
use std::alloc::{GlobalAlloc, Layout};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicIsize, Ordering};

use mimalloc::MiMalloc;

/// An allocator for programs that train, which count with it what a training needs and may
/// [say how they end](end_with) where there is no memory left.
///
/// mimalloc, because the system's allocator hands memory back after every step only to ask for it again.
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
        count(layout.size() as isize);
        // SAFETY: the caller keeps the contract of `GlobalAlloc`, which is also mimalloc's.
        given(unsafe { MiMalloc.alloc(layout) }, layout.size())
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
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
        // Old and new exist together while the content is copied.
        count(bytes as isize);
        // SAFETY: as above.
        let new = given(unsafe { MiMalloc.realloc(memory, layout, bytes) }, bytes);
        count(-(layout.size() as isize));
        new
    }
}
