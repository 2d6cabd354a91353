//! The devices that are held against what others computed.

use impasto::compute::Device;
use impasto::device::{Choice, Kind, gpus, open};
use impasto_testing::skip;
use std::sync::Arc;

/// The devices to be tested: the cpu, and a gpu if there is one, be it software.
pub fn devices() -> Vec<Arc<dyn Device>> {
    let gpus = gpus().unwrap_or_default();
    let gpu = gpus.iter().min_by_key(|gpu| gpu.software);
    if gpu.is_none() {
        skip("on the gpu: there is none");
    }
    let gpu = gpu.map(|gpu| Kind::Gpu(Some(gpu.index)));
    let kinds = std::iter::once(Kind::Cpu).chain(gpu);
    let device = |kind| -> Arc<dyn Device> {
        let choice = Choice {
            kind,
            ..Choice::default()
        };
        open(&choice).unwrap().into()
    };
    kinds.map(device).collect()
}
