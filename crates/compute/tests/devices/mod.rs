//! The devices that are held against the reference.

#[path = "../adapter/mod.rs"]
mod adapter;

use impasto_compute::Device;
use impasto_compute::cpu::{CpuDevice, CpuSettings, Level};

/// The devices to be tested: the cpu with every instruction set that is there, and the gpu if there is one.
pub fn devices() -> Vec<Box<dyn Device>> {
    let levels = Level::ALL.into_iter().filter(|level| level.is_available());
    let cpus = levels.map(|level| cpu(Some(level), 2));
    cpus.chain(adapter::gpu(false)).collect()
}

/// The cpu with an instruction set, or with the best there is.
pub fn cpu(level: Option<Level>, threads: usize) -> Box<dyn Device> {
    let settings = CpuSettings {
        level,
        threads: Some(threads),
        ..CpuSettings::default()
    };
    Box::new(CpuDevice::new(settings).expect("the settings are possible"))
}
