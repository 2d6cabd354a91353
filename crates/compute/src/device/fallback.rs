//! The reference, or the processor, in place of an operation that a device lacks.
//!
//! Operands are downloaded, the [`ReferenceDevice`] computes in f64, results are uploaded: the right answer, and a slow
//! one. The log says so once per operation and device ([`Hardware::falls_back`]). The default of an operation is always
//! the same three steps:
//!
//! ```text
//! let fallback = Fallback::of(self, "covariance")?;
//! let covariance = REFERENCE.covariance(&fallback.operand(moments)?, ridge)?;
//! fallback.result(covariance)
//! ```
//!
//! Operations that take most of the time of what they are for are left to the processor instead, which is quick
//! ([`Fallback::to_processor`]); where it cannot be opened, to the reference.

use super::{Device, Hardware, Moments};
use crate::cpu::{CpuDevice, CpuSettings};
use crate::reference::ReferenceDevice;
use crate::{Result, Scalar, Tensor};
use std::collections::BTreeSet;
use std::sync::{LazyLock, Mutex, PoisonError};

/// What computes instead.
pub(super) const REFERENCE: ReferenceDevice = ReferenceDevice;

/// The processor, as far as it can be opened.
static PROCESSOR: LazyLock<Box<dyn Device>> =
    LazyLock::new(|| match CpuDevice::new(CpuSettings::default()) {
        Ok(device) => Box::new(device),
        Err(_) => Box::new(REFERENCE),
    });

/// The way from a device to another one and back.
pub(super) struct Fallback<'a, D: ?Sized> {
    device: &'a D,
    other: &'static dyn Device,
}

impl<'a, D: Hardware + ?Sized> Fallback<'a, D> {
    /// For one operation, of which the log is told, to the reference.
    pub(super) fn of(device: &'a D, operation: &'static str) -> Result<Self> {
        device.falls_back(operation)?;
        Ok(Self {
            device,
            other: &REFERENCE,
        })
    }

    /// The same to the processor.
    pub(super) fn to_processor(device: &'a D, operation: &'static str) -> Result<Self> {
        device.falls_back(operation)?;
        Ok(Self {
            device,
            other: PROCESSOR.as_ref(),
        })
    }

    /// What computes instead.
    pub(super) fn device(&self) -> &'static dyn Device {
        self.other
    }

    /// An operand of the device, where it is computed.
    pub(super) fn operand<T: Carried>(&self, operand: &T) -> Result<T> {
        operand.carried(self.device, self.other)
    }

    /// A result from there, on the device.
    pub(super) fn result<T: Carried>(&self, result: T) -> Result<T> {
        result.carried(self.other, self.device)
    }
}

/// What operations take and return.
pub(super) trait Carried: Sized {
    /// The same on another device.
    fn carried(
        &self,
        from: &(impl Hardware + ?Sized),
        to: &(impl Hardware + ?Sized),
    ) -> Result<Self>;
}

impl Carried for Tensor {
    fn carried(
        &self,
        from: &(impl Hardware + ?Sized),
        to: &(impl Hardware + ?Sized),
    ) -> Result<Self> {
        to.upload(&from.download(self)?, self.shape())
    }
}

impl Carried for Moments {
    fn carried(
        &self,
        from: &(impl Hardware + ?Sized),
        to: &(impl Hardware + ?Sized),
    ) -> Result<Self> {
        Ok(Self {
            mean: self.mean.carried(from, to)?,
            second: self.second.carried(from, to)?,
        })
    }
}

/// A value and its gradient. A scalar that is there is of every device.
impl Carried for (Scalar, Tensor) {
    fn carried(
        &self,
        from: &(impl Hardware + ?Sized),
        to: &(impl Hardware + ?Sized),
    ) -> Result<Self> {
        Ok((Scalar::Ready(self.0.value()?), self.1.carried(from, to)?))
    }
}

/// What the log was told already, by device and operation.
static TOLD: Mutex<BTreeSet<(String, &'static str)>> = Mutex::new(BTreeSet::new());

/// Warns of an operation, the first time that a device of this description lacks it.
pub(super) fn warn_once(device: &str, operation: &'static str) {
    let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
    if told.insert((device.to_owned(), operation)) {
        log::warn!(
            "{device}: {operation} is left to another device, which may be slow, and copied there and back"
        );
    }
}
