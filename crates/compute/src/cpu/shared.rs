//! Slices that several threads write at once, each its own part.
//!
//! Tiles of a map are neither contiguous nor evenly spaced in memory, so the borrow checker cannot see that two
//! threads never write the same pixel. This is the one place where that is promised instead of proved.

use std::marker::PhantomData;

/// A mutable slice of which threads take disjoint parts.
pub(super) struct Shared<'a, T> {
    start: *mut T,
    len: usize,
    borrows: PhantomData<&'a mut [T]>,
}

// SAFETY: only `part` gives access, whose caller promises that parts do not overlap; `T` itself may change threads.
unsafe impl<T: Send> Send for Shared<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Shared<'_, T> {}

impl<'a, T> Shared<'a, T> {
    /// Shares a slice for as long as it is borrowed.
    pub(super) fn new(slice: &'a mut [T]) -> Self {
        Self {
            start: slice.as_mut_ptr(),
            len: slice.len(),
            borrows: PhantomData,
        }
    }

    /// The part of `len` elements from `start` on.
    ///
    /// # Safety
    /// No other part that is alive may overlap this one.
    ///
    /// # Panics
    /// If the part does not lie inside the slice.
    #[inline(always)]
    #[allow(clippy::mut_from_ref, reason = "disjointness is the caller's promise")]
    pub(super) unsafe fn part(&self, start: usize, len: usize) -> &'a mut [T] {
        assert!(start <= self.len && len <= self.len - start);
        // SAFETY: inside the slice by the check above, exclusive by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(start), len) }
    }
}
