//! Device memory: arrays in pieces, and buffers that are used again.
//!
//! A binding has a greatest size, and so has a buffer; an [`Array`] that is larger lies in several. All pieces but the last
//! have the same number of elements, a power of two.
//!
//! What is dropped on the host may still be waited for by recorded work. Everything runs on one queue in the order
//! in which it was recorded, so the buffer can be handed out again at once: whoever gets it writes behind those who
//! read. A buffer that nobody took for two forward passes is given back to the system.
//!
//! Without a device the pool only counts. That is how a job's memory is known before it starts.

use super::bounds::Bounds;
use super::factor::Factor;
use super::fault::now;
use crate::{ComputeError, Result, Storage};
use std::any::Any;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Sizes are rounded up to this many elements.
const GRAIN: usize = 64;
/// Forward passes after which a buffer that nobody took is given back.
const PATIENCE: u64 = 2;

/// Where arrays come from, and go back to.
#[derive(Debug)]
pub(super) struct Pool {
    device: Option<wgpu::Device>,
    name: String,
    /// A piece has this many elements at most; a power of two.
    piece: usize,
    /// Bytes of all buffers together.
    limit: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    free: Vec<Waiting>,
    pass: u64,
    /// Bytes in buffers, used or waiting.
    held: usize,
    /// The most there was of it.
    peak: usize,
}

/// A buffer that nobody uses.
#[derive(Debug)]
struct Waiting {
    piece: Piece,
    since: u64,
}

/// One buffer; none where memory is only counted.
#[derive(Debug)]
pub(super) struct Piece {
    buffer: Option<wgpu::Buffer>,
    /// Elements that fit.
    room: usize,
}

impl Piece {
    /// The buffer, on a device.
    pub(super) fn buffer(&self) -> Option<&wgpu::Buffer> {
        self.buffer.as_ref()
    }
}

/// Elements of four bytes on a device.
#[derive(Debug)]
pub(super) struct Array {
    pieces: Vec<Piece>,
    len: usize,
    pool: Arc<Pool>,
    /// Whether each of them holds two numbers of 16 bits.
    half: bool,
    /// If this is a factor that was made here: what else is known of it.
    pub(super) factor: Option<Arc<Factor>>,
}

impl Array {
    /// Elements.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Whether its numbers have 16 bits, two to an element.
    pub(super) fn is_half(&self) -> bool {
        self.half
    }

    /// Its buffers.
    pub(super) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Whether it came from a pool.
    pub(super) fn is_of(&self, pool: &Arc<Pool>) -> bool {
        Arc::ptr_eq(&self.pool, pool)
    }

    /// Its buffers as another array; this one is empty from now on.
    pub(super) fn take(&mut self) -> Self {
        Self {
            pieces: std::mem::take(&mut self.pieces),
            len: std::mem::take(&mut self.len),
            pool: Arc::clone(&self.pool),
            half: self.half,
            factor: self.factor.take(),
        }
    }

    /// Each piece's buffer with the elements that lie in it; nothing where memory is only counted.
    pub(super) fn buffers(&self) -> impl Iterator<Item = (&wgpu::Buffer, std::ops::Range<usize>)> {
        let (size, len) = (self.pool.piece, self.len);
        self.pieces
            .iter()
            .enumerate()
            .filter_map(move |(k, piece)| {
                let range = k * size..len.min((k + 1) * size);
                piece.buffer.as_ref().map(|buffer| (buffer, range))
            })
    }
}

impl Storage for Array {
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

impl Drop for Array {
    fn drop(&mut self) {
        let mut state = self.pool.state();
        let since = state.pass;
        let pieces = self.pieces.drain(..);
        state
            .free
            .extend(pieces.map(|piece| Waiting { piece, since }));
    }
}

impl Pool {
    /// A pool on a device, or one that only counts.
    pub(super) fn new(device: Option<wgpu::Device>, name: &str, bounds: &Bounds) -> Self {
        let elements = (bounds.buffer / 4).clamp(GRAIN as u64, 1 << 31) as usize;
        let rounded = (elements + 1).next_power_of_two() / 2;
        Self {
            device,
            name: name.into(),
            piece: rounded,
            limit: bounds.memory,
            state: Mutex::default(),
        }
    }

    /// Bits of an index that lie in a piece.
    pub(super) fn shift(&self) -> u32 {
        self.piece.ilog2()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An array with whatever content.
    pub(super) fn take(self: &Arc<Self>, len: usize) -> Result<Array> {
        let mut array = Array {
            pieces: Vec::new(),
            len,
            pool: Arc::clone(self),
            half: false,
            factor: None,
        };
        let mut left = len.max(1);
        while left > 0 {
            let size = left.min(self.piece);
            array.pieces.push(self.piece(size, len)?);
            left -= size;
        }
        Ok(array)
    }

    /// An array of numbers of 16 bits, with whatever content.
    pub(super) fn take_half(self: &Arc<Self>, numbers: usize) -> Result<Array> {
        let mut array = self.take(numbers.div_ceil(2))?;
        array.half = true;
        Ok(array)
    }

    /// A buffer for `size` elements of an array of `len`.
    fn piece(&self, size: usize, len: usize) -> Result<Piece> {
        let size = size.next_multiple_of(GRAIN);
        let mut state = self.state();
        // The smallest that fits without wasting more than a quarter.
        let fits = |waiting: &Waiting| (size..=size / 4 * 5).contains(&waiting.piece.room);
        let best = (0..state.free.len())
            .filter(|&k| fits(&state.free[k]))
            .min_by_key(|&k| state.free[k].piece.room);
        if let Some(best) = best {
            return Ok(state.free.swap_remove(best).piece);
        }
        let bytes = size * 4;
        let room = |state: &State| (state.held + bytes) as u64 <= self.limit;
        let create = |state: &State| match &self.device {
            _ if !room(state) => None,
            None => Some(None),
            Some(device) => create(device, size).map(Some),
        };
        let buffer = match create(&state) {
            Some(buffer) => buffer,
            None => {
                // What waits makes room, once the work that still reads it is done.
                state.give_back(|_| true);
                self.settle();
                create(&state).ok_or_else(|| self.full(len))?
            }
        };
        state.held += bytes;
        state.peak = state.peak.max(state.held);
        Ok(Piece { buffer, room: size })
    }

    fn full(&self, len: usize) -> ComputeError {
        ComputeError::OutOfMemory {
            device: self.name.clone(),
            what: "a job of this size".into(),
            bytes: len * 4,
        }
    }

    /// Tries whether there is room for so many bytes in large buffers.
    pub(super) fn reserve(self: &Arc<Self>, bytes: usize) -> Result<()> {
        // Large enough for a device, small enough to fill it.
        const STEP: usize = 64 << 20;
        let mut taken = Vec::new();
        let mut left = bytes / 4;
        while left > 0 {
            let step = left.min(STEP).min(self.piece);
            let piece = self.piece(step, bytes / 4);
            left -= step;
            match piece {
                Ok(piece) => taken.push(piece),
                Err(error) => {
                    self.forget(taken);
                    return Err(error);
                }
            }
        }
        self.forget(taken);
        Ok(())
    }

    /// Gives buffers back to the system.
    fn forget(&self, pieces: Vec<Piece>) {
        let mut state = self.state();
        state.held -= pieces.iter().map(|piece| piece.room * 4).sum::<usize>();
        drop(state);
        drop(pieces);
        self.settle();
    }

    /// Waits until buffers that were dropped are the system's again.
    fn settle(&self) {
        if let Some(device) = &self.device {
            let _ = device.poll(wgpu::PollType::wait_indefinitely());
        }
    }

    /// Bytes that it may still take, where that is known.
    pub(super) fn free(&self) -> Option<u64> {
        (self.limit < u64::MAX).then(|| self.limit.saturating_sub(self.used() as u64))
    }

    /// Notes that a forward pass begins, and gives back what nobody takes.
    pub(super) fn next_pass(&self) {
        let mut state = self.state();
        state.pass += 1;
        let pass = state.pass;
        state.give_back(|waiting| waiting.since + PATIENCE < pass);
    }

    /// Bytes in use, without buffers that wait.
    pub(super) fn used(&self) -> usize {
        let state = self.state();
        let waiting = state.free.iter().map(|waiting| waiting.piece.room * 4);
        state.held - waiting.sum::<usize>()
    }

    /// The most bytes that there were at once.
    pub(super) fn peak(&self) -> usize {
        self.state().peak
    }
}

impl State {
    fn give_back(&mut self, which: impl Fn(&Waiting) -> bool) {
        let mut freed = 0;
        self.free.retain(|waiting| {
            let gone = which(waiting);
            freed += if gone { waiting.piece.room * 4 } else { 0 };
            !gone
        });
        self.held -= freed;
    }
}

/// A buffer for so many elements, if there is memory for it.
fn create(device: &wgpu::Device, elements: usize) -> Option<wgpu::Buffer> {
    let memory = device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
    let validity = device.push_error_scope(wgpu::ErrorFilter::Validation);
    let buffer = device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: elements as u64 * 4,
        usage: wgpu::BufferUsages::STORAGE
            | wgpu::BufferUsages::COPY_SRC
            | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    let refused = [now(validity.pop()), now(memory.pop())];
    refused
        .iter()
        .all(|error| matches!(error, Some(None)))
        .then_some(buffer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_lie_in_pieces_and_buffers_are_used_again() -> Result<()> {
        let pool = Arc::new(counting(4096, u64::MAX));
        let first = pool.take(3000)?;
        assert_eq!(first.pieces().len(), 3);
        assert_eq!(pool.peak(), 3008 * 4);
        drop(first);
        let again = pool.take(2990)?;
        assert_eq!(pool.peak(), 3008 * 4);
        drop(again);
        for _ in 0..4 {
            pool.next_pass();
        }
        assert_eq!(pool.state().held, 0);
        Ok(())
    }

    #[test]
    fn an_odd_limit_is_rounded_down() {
        assert_eq!(counting(128 << 20, u64::MAX).shift(), 25);
        assert_eq!(counting((1 << 31) - 4, u64::MAX).shift(), 28);
        assert_eq!(counting(1, u64::MAX).shift(), 6);
    }

    /// What waits makes room before anything is refused.
    #[test]
    fn no_more_is_taken_than_there_is() -> Result<()> {
        let pool = Arc::new(counting(4096, 16384));
        let [first, second] = [pool.take(2048)?, pool.take(1024)?];
        assert!(matches!(
            pool.take(2048),
            Err(ComputeError::OutOfMemory { .. })
        ));
        assert!(pool.reserve(8192).is_err());
        assert_eq!(pool.free(), Some(4096));
        drop((first, second));
        pool.reserve(16384)?;
        assert_eq!(pool.take(4096)?.len(), 4096);
        Ok(())
    }

    fn counting(buffer: u64, memory: u64) -> Pool {
        let bounds = Bounds {
            buffer,
            memory,
            ..Bounds::default()
        };
        Pool::new(None, "a count", &bounds)
    }
}
