//! What the kernels are measured on.

pub mod graphs;

use impasto_compute::cpu::{CpuDevice, CpuSettings};
use impasto_compute::{
    Conv3x3, Device, Input, InputNorm, Layer, Moments, NetSpec, Padding, Result, Tensor,
};

/// The cpu with as many threads as `IMPASTO_THREADS` says, else one for each processor.
pub fn device() -> Result<Box<dyn Device>> {
    let threads = std::env::var("IMPASTO_THREADS").ok();
    let settings = CpuSettings {
        threads: threads.and_then(|threads| threads.parse().ok()),
        ..CpuSettings::default()
    };
    Ok(Box::new(CpuDevice::new(settings)?))
}

/// The best card, in builds with the feature `gpu`.
#[cfg(feature = "gpu")]
pub fn card() -> Result<Box<dyn Device>> {
    use impasto_compute::wgpu::{GpuDevice, GpuSettings};
    Ok(Box::new(GpuDevice::new(GpuSettings::default())?))
}

/// The best card, in builds with the feature `gpu`.
#[cfg(not(feature = "gpu"))]
pub fn card() -> Result<Box<dyn Device>> {
    Err(impasto_compute::ComputeError::Unavailable {
        device: "gpu".into(),
        problem: "it is not in this build, which takes --features gpu".into(),
    })
}

/// Numbers in -1..1 that look random, the same for the same length.
pub fn noise(len: usize) -> Vec<f32> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

/// A tensor of such numbers.
pub fn tensor(device: &dyn Device, shape: &[usize]) -> Result<Tensor> {
    device.upload(&noise(shape.iter().product()), shape)
}

/// Moments of `c` channels that are nearly independent.
pub fn moments(device: &dyn Device, c: usize) -> Result<Moments> {
    let n = 2 * c;
    let features = noise(c * n);
    let row = |i: usize| &features[i * n..][..n];
    let product = |k: usize| {
        let pairs = row(k / c).iter().zip(row(k % c));
        pairs.map(|(x, y)| x * y).sum::<f32>() / n as f32
    };
    let mean: Vec<f32> = (0..c)
        .map(|i| row(i).iter().sum::<f32>() / n as f32)
        .collect();
    let second: Vec<f32> = (0..c * c).map(product).collect();
    Ok(Moments {
        mean: device.upload(&mean, &[c])?,
        second: device.upload(&second, &[c, c])?,
    })
}

/// One convolution from `from` to `to` channels and its ReLU, which reads features, or pictures where `from` is 3.
pub fn convolution(from: usize, to: usize) -> Result<NetSpec> {
    let scale = (2.0 / (9.0 * from as f32)).sqrt();
    let weights: Vec<f32> = noise(9 * from * to)
        .into_iter()
        .map(|w| w * scale)
        .collect();
    let conv = Conv3x3::new(from, to, Padding::Replicate, weights, vec![0.0; to])?;
    Ok(NetSpec {
        input: match from {
            3 => Input::Image(InputNorm {
                mean: [0.5; 3],
                scale: [2.0; 3],
            }),
            channels => Input::Features(channels),
        },
        layers: vec![Layer::Conv(conv), Layer::Relu],
        heads: vec![],
    })
}

/// Seconds that all threads have run so far, as Linux counts them.
pub fn threads() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten();
    let of = |task: std::io::Result<std::fs::DirEntry>| {
        let text = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<f64>().ok()
    };
    tasks.filter_map(of).sum::<f64>() / 1e9
}

/// The median of numbers; 0 of none.
pub fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds.get(seconds.len() / 2).copied().unwrap_or(0.0)
}
