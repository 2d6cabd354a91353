//! The GPU that tests run on: hardware if there is some, else a software adapter such as Mesa's lavapipe, which nothing but
//! a test takes unasked. Where there is neither, or this build has no GPU, tests go without and say so once.

use impasto_compute::Device;

/// The GPU, or why there is none.
#[cfg(feature = "gpu")]
fn open() -> Result<impasto_compute::wgpu::GpuDevice, String> {
    use impasto_compute::wgpu::{AdapterChoice, GpuDevice, GpuSettings};
    GpuDevice::new(GpuSettings {
        adapter: AdapterChoice::BestOrSoftware,
        ..GpuSettings::default()
    })
    .map_err(|error| error.to_string())
}

/// The GPU, opened once.
#[cfg(feature = "gpu")]
pub fn gpu() -> Option<Box<dyn Device>> {
    use std::sync::OnceLock;
    static OPENED: OnceLock<Option<impasto_compute::wgpu::GpuDevice>> = OnceLock::new();
    let opened = OPENED.get_or_init(|| {
        let opened = open();
        match &opened {
            Ok(device) => eprintln!("tests run on {} too", device.describe()),
            Err(reason) => eprintln!("skipped on the gpu: {reason}"),
        }
        opened.ok()
    });
    opened
        .clone()
        .map(|device| Box::new(device) as Box<dyn Device>)
}

/// No GPU.
#[cfg(not(feature = "gpu"))]
pub fn gpu() -> Option<Box<dyn Device>> {
    None
}
