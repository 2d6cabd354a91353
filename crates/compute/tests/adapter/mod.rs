//! The GPU that tests run on: hardware if there is some, else a software adapter such as Mesa's lavapipe, which nothing but
//! a test takes unasked. Where there is neither, or this build has no GPU, tests go without and say so once.

use impasto_compute::Device;

/// The GPU, opened once for each way in which convolutions are computed.
#[cfg(feature = "gpu")]
pub fn gpu(winograd: bool) -> Option<Box<dyn Device>> {
    use impasto_compute::Hardware;
    use impasto_compute::wgpu::{AdapterChoice, Convolutions, GpuDevice, GpuSettings};
    use std::sync::OnceLock;
    static OPENED: [OnceLock<Option<GpuDevice>>; 2] = [const { OnceLock::new() }; 2];
    let opened = OPENED[usize::from(winograd)].get_or_init(|| {
        let opened = GpuDevice::new(GpuSettings {
            adapter: AdapterChoice::BestOrSoftware,
            convolutions: match winograd {
                true => Convolutions::Winograd,
                false => Convolutions::Direct,
            },
            ..GpuSettings::default()
        });
        match &opened {
            Ok(device) => eprintln!("tests run on {} too", device.describe()),
            Err(reason) => impasto_testing::skip(format_args!("on the gpu: {reason}")),
        }
        opened.ok()
    });
    let device = opened.clone()?;
    Some(Box::new(device))
}

/// No GPU.
#[cfg(not(feature = "gpu"))]
pub fn gpu(_: bool) -> Option<Box<dyn Device>> {
    static TOLD: std::sync::Once = std::sync::Once::new();
    TOLD.call_once(|| impasto_testing::skip("on the gpu: it is not in this build"));
    None
}
