//! Which device does the work.

use crate::recipe::names::Named;
use impasto_compute::cpu::{CpuDevice, CpuSettings, Precision};
use impasto_compute::reference::ReferenceDevice;
use impasto_compute::{Device, Result};

/// The devices of this build, by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The best that there is: the CPU.
    #[default]
    Auto,
    /// The CPU, in vector instructions on all its cores.
    Cpu,
    /// Naive loops in f64: slow, and right.
    Reference,
}

impl Named for Kind {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("auto", Kind::Auto),
        ("cpu", Kind::Cpu),
        ("reference", Kind::Reference),
    ];
}

impl Named for Precision {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("strict", Precision::Strict),
        ("f32", Precision::Standard),
        ("bf16", Precision::Bf16),
    ];
}

/// A device and how it is to work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Which one.
    pub kind: Kind,
    /// Threads of a CPU device; `None` takes as many as there are processors.
    pub threads: Option<usize>,
    /// Accuracy of a CPU device's convolutions.
    pub precision: Precision,
}

/// Opens a device.
///
/// # Errors
/// A setting that this machine cannot follow.
pub fn open(choice: &Choice) -> Result<Box<dyn Device>> {
    match choice.kind {
        Kind::Auto | Kind::Cpu => {
            let (threads, precision) = (choice.threads, choice.precision);
            Ok(Box::new(CpuDevice::new(CpuSettings {
                threads,
                precision,
                ..CpuSettings::default()
            })?))
        }
        Kind::Reference => Ok(Box::new(ReferenceDevice::new())),
    }
}
