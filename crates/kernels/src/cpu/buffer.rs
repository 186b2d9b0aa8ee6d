//! Memory that is written before it is read, also by several threads at once.

use std::marker::PhantomData;
use std::mem::MaybeUninit;

/// `length` numbers that nobody has written yet. Clearing them first would cost a pass over memory.
pub(crate) struct Buffer {
    values: Vec<MaybeUninit<f32>>,
}

impl Buffer {
    pub(crate) fn new(length: usize) -> Self {
        let mut values = Vec::with_capacity(length);
        // SAFETY: `MaybeUninit` needs no initialization, and the capacity is there.
        unsafe { values.set_len(length) };
        Self { values }
    }

    pub(crate) fn writer(&mut self) -> Writer<'_> {
        Writer {
            start: self.values.as_mut_ptr().cast(),
            length: self.values.len(),
            buffer: PhantomData,
        }
    }

    /// A view of what has been written, while nobody writes any more.
    pub(crate) fn reader(&self) -> Reader<'_> {
        Reader { values: &self.values }
    }

    /// # Safety
    ///
    /// Every number has been written.
    pub(crate) unsafe fn assume_written(self) -> Vec<f32> {
        let mut values = std::mem::ManuallyDrop::new(self.values);
        // SAFETY: the same allocation, of a type of the same layout, written throughout.
        unsafe { Vec::from_raw_parts(values.as_mut_ptr().cast(), values.len(), values.capacity()) }
    }
}

/// Lets several threads read the parts of a [`Buffer`] that have been written; others may never be.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    values: &'a [MaybeUninit<f32>],
}

impl<'a> Reader<'a> {
    /// # Safety
    ///
    /// All numbers of this part have been written.
    ///
    /// # Panics
    ///
    /// If it does not lie inside.
    #[inline(always)]
    pub(crate) unsafe fn slice(self, from: usize, length: usize) -> &'a [f32] {
        let part = &self.values[from..][..length];
        // SAFETY: a type of the same layout, written throughout, as the caller says.
        unsafe { std::slice::from_raw_parts(part.as_ptr().cast(), length) }
    }
}

/// Lets several threads write to disjoint places of one slice.
#[derive(Clone, Copy)]
pub(crate) struct Writer<'a> {
    start: *mut f32,
    length: usize,
    buffer: PhantomData<&'a mut [f32]>,
}

// SAFETY: a writer gives out raw pointers only; whoever writes through one vouches that no other
// thread touches the same place.
unsafe impl Send for Writer<'_> {}
// SAFETY: as above.
unsafe impl Sync for Writer<'_> {}

impl<'a> Writer<'a> {
    pub(crate) fn new(values: &'a mut [f32]) -> Self {
        Self { start: values.as_mut_ptr(), length: values.len(), buffer: PhantomData }
    }

    /// Where number `place` lies, of which `needed` will be accessed.
    ///
    /// # Panics
    ///
    /// In debug builds, if they do not lie inside.
    #[inline(always)]
    pub(crate) fn at(self, place: usize, needed: usize) -> *mut f32 {
        debug_assert!(
            place + needed <= self.length,
            "{place} + {needed} of {} numbers",
            self.length
        );
        self.start.wrapping_add(place)
    }

    /// A part of the slice.
    ///
    /// # Safety
    ///
    /// Nobody else accesses this part while the slice is used, and it has been written before
    /// anything is read from it.
    ///
    /// # Panics
    ///
    /// If it does not lie inside.
    #[allow(clippy::mut_from_ref)]
    pub(crate) unsafe fn slice(&self, from: usize, length: usize) -> &'a mut [f32] {
        assert!(from + length <= self.length);
        // SAFETY: inside, and not shared, as the caller says.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(from), length) }
    }
}
