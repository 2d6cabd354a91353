//! A device as such: what it is, what memory it has, and how values get there and back.

use crate::{Result, Tensor};
use std::fmt;

/// What a device is, what memory it has, and how values get there and back: the least that it must have. On this stand
/// the operations, also those that it lacks.
pub trait Hardware: Send + Sync + fmt::Debug {
    /// The name by which it is chosen, such as `cpu`.
    fn name(&self) -> &str;

    /// One line for people: instruction set or adapter, threads, precision.
    fn describe(&self) -> String;

    /// What the last bits of its results depend on, in one line: two devices of one machine that say the same give the
    /// same bits. `None` if its tensors hold more than what is downloaded of them, so that work which went by way of
    /// the disk would differ in the last bits.
    fn arithmetic(&self) -> Option<String> {
        Some(self.describe())
    }

    /// Copies row-major values onto the device.
    fn upload(&self, values: &[f32], shape: &[usize]) -> Result<Tensor>;

    /// Copies a tensor back, row-major.
    fn download(&self, tensor: &Tensor) -> Result<Vec<f32>>;

    /// Bytes that it can still take of a memory of its own; `None` for a device that lives in that of the system, or does not
    /// know.
    fn free_memory(&self) -> Option<u64> {
        None
    }

    /// Tries whether there is room for so many more bytes, by taking them and giving them back. A device whose memory is that
    /// of the system does nothing.
    fn reserve(&self, bytes: usize) -> Result<()> {
        let _ = bytes;
        Ok(())
    }

    /// Called where an operation is asked for that the device does not have, before the reference computes it: a
    /// warning in the log, one per operation and device.
    ///
    /// # Errors
    /// [`ComputeError::Unsupported`](crate::ComputeError::Unsupported) from a device that would rather refuse than be
    /// slow. This one never does.
    fn falls_back(&self, operation: &'static str) -> Result<()> {
        super::fallback::warn_once(&self.describe(), operation);
        Ok(())
    }
}
