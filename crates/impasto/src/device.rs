//! Which device does the work.

use crate::recipe::names::Named;
use impasto_compute::reference::ReferenceDevice;
use impasto_compute::{Device, Result};

/// The devices of this build, by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The best that there is: the CPU.
    #[default]
    Auto,
    /// Naive loops in f64: slow, and right.
    Reference,
}

impl Named for Kind {
    const NAMES: &'static [(&'static str, Self)] =
        &[("auto", Kind::Auto), ("reference", Kind::Reference)];
}

/// A device and how it is to work.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Choice {
    /// Which one.
    pub kind: Kind,
    /// Threads of a CPU device; `None` takes all cores.
    pub threads: Option<usize>,
}

/// Opens a device.
///
/// # Errors
/// A setting that this machine cannot follow.
pub fn open(choice: &Choice) -> Result<Box<dyn Device>> {
    match choice.kind {
        Kind::Auto | Kind::Reference => Ok(Box::new(ReferenceDevice::new())),
    }
}
