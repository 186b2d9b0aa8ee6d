//! Counts what is allocated, to find input that makes a reader take memory out of proportion.

#![allow(unsafe_code)] // An allocator is an unsafe trait; this one only counts and hands on.
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, counting for each thread.
pub(crate) struct Counting;

thread_local! {
    /// Bytes held now. Below zero where another thread's memory was given back.
    static HELD: Cell<isize> = const { Cell::new(0) };
    /// The most bytes held since the last reset.
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

/// What `work` gives, and how much more memory than before this thread held at most meanwhile.
pub(crate) fn peak_of<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.get();
    PEAK.set(before);
    let result = work();
    (result, usize::try_from(PEAK.get() - before).unwrap_or(0))
}

fn count(change: isize) {
    // A thread that ends gives back memory after its own variables are gone.
    let _ = HELD.try_with(|held| {
        held.set(held.get() + change);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(held.get())));
    });
}

// SAFETY: every call is handed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller keeps the contract of `GlobalAlloc`, which is also the system's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Old and new exist together while the content is copied.
        count(size as isize);
        // SAFETY: as above.
        let new = unsafe { System.realloc(pointer, layout, size) };
        count(-(layout.size() as isize));
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_counted_though_it_is_given_back() {
        let (_, peak) = peak_of(|| drop(vec![1_u8; 1 << 20]));
        assert!((1 << 20..1 << 21).contains(&peak), "{peak}");
        let (_, peak) = peak_of(|| 3);
        assert_eq!(peak, 0);
    }
}
