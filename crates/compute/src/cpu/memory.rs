//! Buffers that are allocated once and recycled.
//!
//! A step of style transfer asks for the same hundred buffers every time. Fresh memory costs up to 0.1 ms per page
//! fault on a virtual machine, more than computing on it, so a dropped [`Buffer`] goes back to its [`Pool`] and the
//! next request of about its size gets it; large ones of nearly their size, because what is kept from pass to pass would
//! hold the rest as well. Blocks that no forward pass has used for a while are given back to the
//! system, so a run from small to large sizes keeps the buffers of one size only. And what is in use and what lies idle
//! together are never much more than the last passes have had in use at a time.
//!
//! Large blocks are aligned to huge pages and advised to use them (Linux): a map of 1 GB then needs 512 page table
//! entries instead of 262144.

use super::simd::Lanes;
use crate::{ComputeError, Result};
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Cache line, and the widest vector.
const ALIGNMENT: usize = 64;
/// Blocks of at least this size are aligned to huge pages.
const LARGE: usize = 4 << 20;
const HUGE_PAGE: usize = 2 << 20;
/// What every allocator gives.
const NATURAL: usize = 8;
/// Passes after which an unused block is given back to the system.
const PATIENCE: u64 = 3;
/// Bytes that may lie idle when most are in use: beyond, memory is worth more than the few milliseconds that its pages
/// cost.
const MAX_IDLE: usize = 160 << 20;

/// What a buffer may hold: numbers for which every bit pattern is a value.
///
/// # Safety
/// Every bit pattern must be a valid value, and the alignment at most [`ALIGNMENT`].
pub(super) unsafe trait Number: Copy + Send + Sync + 'static {}
// SAFETY: every bit pattern is a float or an integer, of alignment 8 at most.
unsafe impl Number for f32 {}
// SAFETY: as above.
unsafe impl Number for f64 {}
// SAFETY: as above.
unsafe impl Number for u16 {}
// SAFETY: as above.
unsafe impl Number for u32 {}

/// Memory from the system, initialised, not shared.
struct Block {
    allocation: NonNull<u8>,
    layout: Layout,
    /// The first aligned byte.
    start: NonNull<u8>,
    /// Bytes from there on.
    size: usize,
    last_pass: u64,
}

// SAFETY: a block is plain memory with one owner.
unsafe impl Send for Block {}
// SAFETY: a shared block offers no access at all; `Buffer` checks access by its own borrow.
unsafe impl Sync for Block {}

impl Block {
    /// Zeros. The allocator is asked for no more than its natural alignment, because only then does it leave zeroing
    /// to the system, which does it page by page when a thread first touches them.
    fn new(bytes: usize) -> Option<Self> {
        let align = if bytes >= LARGE { HUGE_PAGE } else { ALIGNMENT };
        let size = bytes.max(1).checked_next_multiple_of(ALIGNMENT)?;
        let layout = Layout::from_size_align(size.checked_add(align)?, NATURAL).ok()?;
        // SAFETY: the layout's size is not zero.
        let allocation = NonNull::new(unsafe { alloc_zeroed(layout) })?;
        let skip = allocation.addr().get().next_multiple_of(align) - allocation.addr().get();
        // SAFETY: less than `align` bytes are skipped, which are part of the allocation.
        let start = unsafe { allocation.add(skip) };
        if align == HUGE_PAGE {
            advise_huge_pages(start, size);
        }
        Some(Self {
            allocation,
            layout,
            start,
            size,
            last_pass: 0,
        })
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this layout, freed once.
        unsafe { dealloc(self.allocation.as_ptr(), self.layout) };
    }
}

#[cfg(target_os = "linux")]
fn advise_huge_pages(start: NonNull<u8>, size: usize) {
    // SAFETY: the pages belong to the block that was just allocated; the advice changes no content. A refusal only
    // costs speed.
    unsafe {
        libc::madvise(
            start.as_ptr().cast(),
            size / HUGE_PAGE * HUGE_PAGE,
            libc::MADV_HUGEPAGE,
        );
    }
}

#[cfg(not(target_os = "linux"))]
fn advise_huge_pages(_: NonNull<u8>, _: usize) {}

/// The idle blocks of a device.
#[derive(Default)]
pub(super) struct Pool {
    idle: Mutex<Idle>,
}

#[derive(Default)]
struct Idle {
    blocks: Vec<Block>,
    pass: u64,
    /// Bytes in use, and the most that were in each of the last passes.
    used: usize,
    most_used: [usize; PATIENCE as usize],
}

impl Idle {
    /// Counts what was handed out.
    fn hand_out(&mut self, bytes: usize) {
        self.used += bytes;
        let most = &mut self.most_used[(self.pass % PATIENCE) as usize];
        *most = self.used.max(*most);
    }

    /// Gives blocks back until there is room for `bytes` more, below what passes have in use and a little idle.
    fn make_room(&mut self, bytes: usize) {
        let wanted = self.used + bytes;
        let most = self.most_used.iter().fold(wanted, |a, &b| a.max(b));
        let allowed = most + MAX_IDLE - wanted;
        let mut sum: usize = self.blocks.iter().map(|block| block.size).sum();
        // The least that is enough, so that little has to be asked for again.
        self.blocks.sort_unstable_by_key(|block| block.size);
        while sum > allowed && !self.blocks.is_empty() {
            let enough = self
                .blocks
                .partition_point(|block| block.size < sum - allowed);
            let block = self.blocks.remove(enough.min(self.blocks.len() - 1));
            sum -= block.size;
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let idle = self.lock();
        let bytes: usize = idle.blocks.iter().map(|block| block.size).sum();
        write!(f, "Pool({} idle blocks, {bytes} bytes)", idle.blocks.len())
    }
}

impl Pool {
    fn lock(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The largest block that a request may get.
    pub(super) fn most(bytes: usize) -> usize {
        match bytes {
            LARGE.. => bytes.saturating_add(bytes / 4),
            _ => 2 * bytes + (1 << 16),
        }
    }

    /// A buffer of `len` numbers whose content is whatever its last user left.
    pub(super) fn take<T: Number>(self: &Arc<Self>, len: usize) -> Result<Buffer<T>> {
        let out_of_memory = || ComputeError::OutOfMemory {
            device: "cpu".into(),
            what: "a buffer".into(),
            bytes: len.saturating_mul(size_of::<T>()),
        };
        let bytes = len.checked_mul(size_of::<T>()).ok_or_else(out_of_memory)?;
        let recycled = {
            let mut idle = self.lock();
            let best = idle
                .blocks
                .iter()
                .enumerate()
                .filter(|(_, block)| (bytes..=Self::most(bytes)).contains(&block.size))
                .min_by_key(|(_, block)| block.size)
                .map(|(index, _)| index);
            let block = best.map(|index| idle.blocks.swap_remove(index));
            if let Some(block) = &block {
                idle.hand_out(block.size);
            }
            block
        };
        let block = match recycled {
            Some(block) => block,
            None => {
                if bytes >= LARGE {
                    self.lock().make_room(bytes);
                }
                let block = Block::new(bytes).ok_or_else(out_of_memory)?;
                self.lock().hand_out(block.size);
                block
            }
        };
        let mut buffer = Buffer {
            block: Some(block),
            len,
            pool: Arc::clone(self),
            holds: PhantomData,
        };
        if cfg!(debug_assertions) {
            buffer.poison();
        }
        Ok(buffer)
    }

    /// A buffer of zeros.
    pub(super) fn zeros(self: &Arc<Self>, len: usize) -> Result<Buffer<f32>> {
        let mut buffer = self.take(len)?;
        buffer.fill(0.0);
        Ok(buffer)
    }

    /// Bytes in use, and the most that were since the pass before the last began.
    #[cfg(test)]
    pub(super) fn in_use(&self) -> (usize, usize) {
        let idle = self.lock();
        (idle.used, idle.most_used.into_iter().fold(0, usize::max))
    }

    /// Gives all idle blocks back to the system.
    pub(super) fn forget(&self) {
        self.lock().blocks.clear();
    }

    /// Marks the start of a forward pass, and frees what the last few have not used.
    pub(super) fn next_pass(&self) {
        let mut idle = self.lock();
        idle.pass += 1;
        let current = (idle.pass % PATIENCE) as usize;
        idle.most_used[current] = idle.used;
        let oldest = idle.pass.saturating_sub(PATIENCE);
        idle.blocks.retain(|block| block.last_pass >= oldest);
    }
}

/// Numbers in recycled memory; dereferences to a slice.
pub(super) struct Buffer<T: Number = f32> {
    /// Present until the buffer is dropped.
    block: Option<Block>,
    len: usize,
    pool: Arc<Pool>,
    holds: PhantomData<T>,
}

impl<T: Number> Buffer<T> {
    fn start(&self) -> *mut T {
        self.block
            .as_ref()
            .map_or(NonNull::dangling().as_ptr(), |block| {
                block.start.as_ptr().cast()
            })
    }

    /// Moves the numbers out, leaving an empty buffer behind.
    pub(super) fn take(&mut self) -> Self {
        Self {
            block: self.block.take(),
            len: std::mem::take(&mut self.len),
            pool: Arc::clone(&self.pool),
            holds: PhantomData,
        }
    }

    /// Fills with NaNs, so that a debug build shows who reads what nobody has written.
    fn poison(&mut self) {
        // SAFETY: the block holds at least `len` numbers, and every bit pattern is a number.
        unsafe { self.start().write_bytes(0xff, self.len) };
    }
}

impl Buffer {
    /// As pixels of blocks of channels.
    pub(super) fn lanes(&self) -> &[Lanes] {
        self.as_chunks().0
    }

    /// As pixels of blocks of channels, mutable.
    pub(super) fn lanes_mut(&mut self) -> &mut [Lanes] {
        self.as_chunks_mut().0
    }
}

impl<T: Number> Deref for Buffer<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        // SAFETY: the block holds at least `len` initialised numbers, aligned to `ALIGNMENT`, and lives as long as `self`.
        unsafe { std::slice::from_raw_parts(self.start(), self.len) }
    }
}

impl<T: Number> DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`, and the block has no other owner.
        unsafe { std::slice::from_raw_parts_mut(self.start(), self.len) }
    }
}

impl<T: Number> Drop for Buffer<T> {
    fn drop(&mut self) {
        if let Some(mut block) = self.block.take() {
            let mut idle = self.pool.lock();
            block.last_pass = idle.pass;
            idle.used -= block.size;
            idle.blocks.push(block);
        }
    }
}

impl<T: Number> fmt::Debug for Buffer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer({} × {} bytes)", self.len, size_of::<T>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_buffer_is_handed_out_again() -> Result<()> {
        let pool = Arc::new(Pool::default());
        let first = pool.take::<f32>(1 << 20)?;
        let place = first.as_ptr();
        drop(first);
        assert_eq!(pool.take::<f32>((1 << 20) - 7)?.as_ptr(), place);
        assert_eq!(pool.take::<u16>(1 << 21)?.as_ptr().cast(), place);
        Ok(())
    }

    #[test]
    fn a_much_smaller_request_does_not_take_a_large_block() -> Result<()> {
        let pool = Arc::new(Pool::default());
        let large = pool.take::<f32>(1 << 20)?;
        let place = large.as_ptr();
        drop(large);
        assert_ne!(pool.take::<f32>(1000)?.as_ptr(), place);
        Ok(())
    }

    #[test]
    fn a_large_request_takes_a_block_of_nearly_its_size() -> Result<()> {
        let pool = Arc::new(Pool::default());
        let large = pool.take::<f32>(3 << 20)?;
        let place = large.as_ptr();
        drop(large);
        assert_ne!(pool.take::<f32>(2 << 20)?.as_ptr(), place);
        assert_eq!(pool.take::<f32>(5 << 19)?.as_ptr(), place);
        Ok(())
    }

    #[test]
    fn blocks_nobody_uses_are_freed() -> Result<()> {
        let pool = Arc::new(Pool::default());
        drop(pool.take::<f32>(1 << 20)?);
        (0..PATIENCE).for_each(|_| pool.next_pass());
        assert_eq!(pool.lock().blocks.len(), 1);
        pool.next_pass();
        assert_eq!(pool.lock().blocks.len(), 0);
        Ok(())
    }

    #[test]
    fn the_least_is_given_back_that_makes_room() {
        let megabytes = |n: usize| n << 20;
        let mut idle = Idle::default();
        for size in [200, 40, 100] {
            idle.blocks.extend(Block::new(megabytes(size)));
        }
        idle.most_used[0] = megabytes(100);
        let sizes = |idle: &Idle| -> Vec<usize> {
            idle.blocks.iter().map(|block| block.size >> 20).collect()
        };
        // More are wanted than were ever in use: 160 may lie idle, and 200 are enough to give back.
        idle.make_room(megabytes(150));
        assert_eq!(sizes(&idle), [40, 100]);
        // Where more have been in use, all may stay.
        idle.hand_out(megabytes(400));
        idle.used = 0;
        idle.blocks.extend(Block::new(megabytes(200)));
        idle.make_room(megabytes(150));
        assert_eq!(sizes(&idle), [40, 100, 200]);
    }

    #[test]
    fn every_length_is_aligned_and_empty_works() -> Result<()> {
        let pool = Arc::new(Pool::default());
        for len in [0, 1, 15, 4097, 3 << 20] {
            let buffer = pool.zeros(len)?;
            assert_eq!(buffer.len(), len);
            assert_eq!(buffer.as_ptr().addr() % ALIGNMENT, 0);
            assert!(buffer.iter().all(|&v| v == 0.0));
        }
        Ok(())
    }

    #[test]
    fn impossible_sizes_are_errors() {
        let pool = Arc::new(Pool::default());
        assert!(matches!(
            pool.take::<f32>(usize::MAX),
            Err(ComputeError::OutOfMemory { .. })
        ));
        assert!(matches!(
            pool.take::<f32>(usize::MAX / 8),
            Err(ComputeError::OutOfMemory { .. })
        ));
    }
}
