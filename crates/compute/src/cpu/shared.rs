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

    /// The same without its first elements, as far as there are so many.
    pub(super) fn behind(self, count: usize) -> Self {
        let count = count.min(self.len);
        Self {
            // SAFETY: not beyond the end of the slice.
            start: unsafe { self.start.add(count) },
            len: self.len - count,
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

    /// `N` parts of `len` elements, the first from `start` on, `step` apart.
    ///
    /// # Safety
    /// As for [`Shared::part`]: none of them may overlap each other or anything else that is alive.
    ///
    /// # Panics
    /// If they do not all lie inside the slice.
    #[inline(always)]
    pub(super) unsafe fn spread<const N: usize>(
        &self,
        start: usize,
        step: usize,
        len: usize,
    ) -> Spread<'a, T, N> {
        assert!(start <= self.len && len + (N - 1) * step <= self.len - start);
        Spread {
            // SAFETY: inside the slice by the check above.
            start: unsafe { self.start.add(start) },
            step,
            len,
            borrows: PhantomData,
        }
    }
}

/// `N` parts of a slice at equal distances.
pub(super) struct Spread<'a, T, const N: usize> {
    start: *mut T,
    step: usize,
    len: usize,
    borrows: PhantomData<&'a mut T>,
}

impl<T, const N: usize> Spread<'_, T, N> {
    /// The part of an index, which is checked against `N`: at compile time where loops are unrolled.
    #[inline(always)]
    pub(super) fn read(&self, index: usize) -> &[T] {
        assert!(index < N);
        // SAFETY: inside the slice by the check in `spread`, exclusive by its caller's promise.
        unsafe { std::slice::from_raw_parts(self.start.add(index * self.step), self.len) }
    }

    /// The same, to be written.
    #[inline(always)]
    pub(super) fn write(&mut self, index: usize) -> &mut [T] {
        assert!(index < N);
        // SAFETY: as in `read`, and `self` is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(index * self.step), self.len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_where_they_should_be() {
        let mut numbers: Vec<usize> = (0..20).collect();
        let shared = Shared::new(&mut numbers);
        // SAFETY: the places are all different.
        let (part, mut spread) = unsafe { (shared.part(3, 2), shared.spread::<3>(5, 7, 1)) };
        assert_eq!(part, [3, 4]);
        assert_eq!([0, 1, 2].map(|index| spread.read(index)[0]), [5, 12, 19]);
        spread.write(2)[0] = 100;
        part[0] = 50;
        assert_eq!((numbers[3], numbers[19]), (50, 100));
    }

    #[test]
    #[should_panic]
    fn beyond_the_end_is_refused() {
        let mut numbers = [0; 20];
        // SAFETY: nothing else is alive.
        let _ = unsafe { Shared::new(&mut numbers).spread::<3>(4, 7, 3) };
    }
}
