//! What is the gpu device's own: bounds of adapters, memory, sums that are fetched late, and what it refuses. Needs the
//! feature `gpu`; what runs on an adapter goes without where there is none.

#![cfg(feature = "gpu")]

mod adapter;

use impasto_compute::cpu::{CpuDevice, CpuSettings};
use impasto_compute::reference::ReferenceDevice;
use impasto_compute::wgpu::{
    AdapterChoice, Bounds, Convolutions, GpuDevice, GpuSettings, Precision,
};
use impasto_compute::*;
use impasto_testing::compare::distance;
use impasto_testing::{Folder, Tolerance, assert_near, assert_same, noise, skip};

/// A device of its own with stricter bounds, where there is an adapter; else the test is said to be skipped.
fn bounded(change: impl FnOnce(&mut Bounds)) -> Option<GpuDevice> {
    if adapter::gpu(false).is_none() {
        skip("there is no gpu");
        return None;
    }
    let open = |bounds| {
        GpuDevice::new(GpuSettings {
            adapter: AdapterChoice::BestOrSoftware,
            bounds,
            convolutions: Convolutions::Winograd,
            ..GpuSettings::default()
        })
    };
    let refused = |error| panic!("a gpu that opened before: {error}");
    let mut bounds = open(None).unwrap_or_else(refused).bounds();
    change(&mut bounds);
    Some(open(Some(bounds)).unwrap_or_else(refused))
}

/// Convolutions of some channels, each with a ReLU; a pool in front of those marked.
fn vgg(
    channels: &[(usize, bool)],
    padding: Padding,
    weight: impl Fn(usize) -> Vec<f32>,
) -> NetSpec {
    let mut layers = Vec::new();
    let mut inputs = 3;
    for &(outputs, pooled) in channels {
        if pooled {
            layers.push(Layer::Pool(Pool {
                kind: PoolKind::Max,
                factor: 1.0,
            }));
        }
        let mut weight = weight(outputs * inputs * 9);
        let scale = 1.7 * (2.0 / (inputs as f32 * 9.0)).sqrt();
        weight.iter_mut().for_each(|w| *w *= scale);
        let bias = vec![0.1; outputs];
        let conv = Conv3x3::new(inputs, outputs, padding, weight, bias);
        layers.push(Layer::Conv(conv.expect("the lengths fit")));
        layers.push(Layer::Relu);
        inputs = outputs;
    }
    NetSpec {
        input: Input::Image(InputNorm {
            mean: [0.5; 3],
            scale: [4.0; 3],
        }),
        layers,
        heads: vec![],
    }
}

/// Moments, features and the gradient of a step.
fn step(device: &dyn Device, spec: &NetSpec, size: (usize, usize)) -> Result<Vec<Vec<f32>>> {
    scaled_step(device, spec, size, 1.0)
}

/// The same with losses that count `k` times.
fn scaled_step(
    device: &dyn Device,
    spec: &NetSpec,
    (h, w): (usize, usize),
    k: f32,
) -> Result<Vec<Vec<f32>>> {
    let network = device.network(spec)?;
    let image = device.upload(&noise(3, 3 * h * w), &[3, h, w])?;
    let (style, content) = (Tap::Layer(1), Tap::Layer(spec.layers.len() - 1));
    let taps = [TapRequest::moments(style), TapRequest::features(content)];
    let tape = network.forward(&image, &taps)?;
    let (moments, features) = (tape.moments(style)?, tape.features(content)?);
    let target = device.zeros(moments.second.shape())?;
    let (_, second) = device.squared_error(&moments.second, &target, k)?;
    let zeros = device.zeros(features.shape())?;
    let (sum, towards) = device.squared_error(features, &zeros, 0.0078125 * k)?;
    let mut mean = device.zeros(moments.mean.shape())?;
    device.axpby(k, &moments.mean, 0.0, &mut mean)?;
    let mut seen = vec![
        device.download(&moments.second)?,
        device.download(features)?,
        vec![sum.value()? as f32],
    ];
    let gradient = tape.backward(vec![
        Cotangent::moments(style, Moments { mean, second }),
        Cotangent::features(content, towards),
    ])?;
    seen.push(device.download(&gradient)?);
    Ok(seen)
}

fn assert_close(case: &str, got: &[Vec<f32>], expected: &[Vec<f32>]) {
    assert_eq!(got.len(), expected.len(), "{case}");
    for (index, (got, expected)) in got.iter().zip(expected).enumerate() {
        let case = format!("{case}, result {index}");
        let tolerance = Tolerance::of_greatest(1e-4, expected);
        impasto_testing::assert_close(&case, got, expected, tolerance);
    }
}

/// With some KiB to a binding and some workgroups to a dimension, maps lie in several buffers and grids are folded. Of
/// fewer than 36 workgroups Winograd's filtering has no use.
#[test]
fn large_maps_lie_in_several_buffers() -> Result<()> {
    for (buffer, groups) in [(32 << 10, 16), (64 << 10, 40)] {
        let Some(device) = bounded(|bounds| {
            bounds.buffer = buffer;
            bounds.groups = groups;
        }) else {
            return Ok(());
        };
        for padding in [Padding::Zero, Padding::Reflect] {
            let channels = [(20, false), (24, false), (33, true)];
            let spec = vgg(&channels, padding, |n| noise(9, n));
            let size = (37, 40);
            let expected = step(&ReferenceDevice::new(), &spec, size)?;
            assert_close("in pieces", &step(&device, &spec, size)?, &expected);
        }
    }
    Ok(())
}

/// A shape is measured once, goes the same way in later runs, and gives what it gave while it was measured.
#[test]
fn ways_are_measured_and_kept() -> Result<()> {
    if adapter::gpu(false).is_none() {
        skip("there is no gpu");
        return Ok(());
    }
    let temporary = Folder::new();
    let folder = temporary.join("ways");
    let open = || {
        GpuDevice::new(GpuSettings {
            adapter: AdapterChoice::BestOrSoftware,
            convolutions: Convolutions::Measured(folder.clone()),
            ..GpuSettings::default()
        })
    };
    let channels = [(8, false), (16, true)];
    let spec = vgg(&channels, Padding::Zero, |n| noise(9, n));
    let size = (20, 24);
    let first = step(&open()?, &spec, size)?;
    let kept = || -> Vec<String> {
        let files = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        files
            .filter_map(|file| std::fs::read_to_string(file.path()).ok())
            .collect()
    };
    let written = kept();
    let [text] = &written[..] else {
        panic!("{written:?}");
    };
    // 8 to 16 forward and 16 to 8 backward; three channels go directly without being measured.
    assert_eq!(text.lines().count(), 2, "{text}");
    assert_eq!(step(&open()?, &spec, size)?, first);
    assert_eq!(kept(), written);
    assert_close(
        "measured",
        &first,
        &step(&ReferenceDevice::new(), &spec, size)?,
    );
    Ok(())
}

/// A kernel that cannot see all buffers of its maps is refused with advice.
#[test]
fn too_many_buffers_are_refused() {
    let Some(device) = bounded(|bounds| {
        bounds.buffer = 4 << 10;
        bounds.buffers = 8;
    }) else {
        return;
    };
    let spec = vgg(&[(20, false), (24, false)], Padding::Zero, |n| noise(9, n));
    let refused = step(&device, &spec, (37, 41));
    assert!(
        matches!(refused, Err(ComputeError::OutOfMemory { .. })),
        "{refused:?}"
    );
}

/// Sums are right whenever they are fetched, also long after their place in the ring was taken by another one.
#[test]
fn sums_may_be_fetched_late() -> Result<()> {
    // The ring is a buffer: of 64 sums here.
    let Some(device) = bounded(|bounds| bounds.buffer = 256) else {
        return Ok(());
    };
    let ones = device.upload(&[1.0; 50], &[50])?;
    let mut growing = device.zeros(&[50])?;
    let mut sums = Vec::new();
    for _ in 0..200 {
        device.axpby(1.0, &ones, 1.0, &mut growing)?;
        sums.push(device.dot(&growing, &ones)?);
    }
    for (index, sum) in sums.iter().enumerate().rev() {
        let expected = 50.0 * (index + 1) as f64;
        assert_near("a sum", sum.value()?, expected, Tolerance::absolute(0.0));
    }
    // A sum that left the ring, and one that is still there, as divisors.
    for sum in [&sums[3], &sums[199]] {
        let mut x = device.copy(&ones)?;
        device.scale_over(&mut x, sum.value()? as f32, std::slice::from_ref(sum))?;
        let tolerance = Tolerance::absolute(1e-6);
        impasto_testing::assert_close("ones", &device.download(&x)?, &[1.0_f32; 50], tolerance);
    }
    Ok(())
}

/// What the adapter computes is what the cpu computes; that is how an adapter is trusted.
#[test]
fn the_adapter_passes_its_trial() -> Result<()> {
    let trusted = CpuDevice::new(CpuSettings::default())?;
    for device in bounded(|_| ()).into_iter().chain(halves()) {
        device.self_test(&trusted)?;
    }
    Ok(())
}

#[test]
fn an_adapter_that_is_not_there_is_refused() {
    let settings = GpuSettings {
        adapter: AdapterChoice::Index(4711),
        ..GpuSettings::default()
    };
    let refused = GpuDevice::new(settings);
    assert!(matches!(refused, Err(ComputeError::Unavailable { .. })));
}

/// What does not fit is refused, beforehand and on the way, and the device works on.
#[test]
fn too_little_memory_is_refused() -> Result<()> {
    let Some(device) = bounded(|bounds| bounds.memory = 1 << 20) else {
        return Ok(());
    };
    let refused = |result: Result<()>| matches!(result, Err(ComputeError::OutOfMemory { .. }));
    assert!(refused(device.reserve(1 << 20)));
    let spec = vgg(&[(20, false), (24, false)], Padding::Zero, |n| noise(9, n));
    assert!(refused(step(&device, &spec, (137, 141)).map(|_| ())));
    let small = (17, 21);
    let expected = step(&ReferenceDevice::new(), &spec, small)?;
    assert_close("1 MiB", &step(&device, &spec, small)?, &expected);
    Ok(())
}

/// Adapters of half precision: on both ways, and by small matrices where there are such.
fn halves() -> Vec<GpuDevice> {
    let mut devices = Vec::new();
    for convolutions in [Convolutions::Direct, Convolutions::Winograd] {
        for precision in [Precision::Half, Precision::Matrices] {
            let opened = GpuDevice::new(GpuSettings {
                adapter: AdapterChoice::BestOrSoftware,
                convolutions: convolutions.clone(),
                precision,
                ..GpuSettings::default()
            });
            match opened {
                Ok(device) => devices.push(device),
                Err(ComputeError::Unavailable { problem, .. }) => skip(problem),
                Err(error) => panic!("{error}"),
            }
        }
    }
    devices
}

/// Rounding to eleven bits is seen, and is small; a loss of any size has its gradient, though 16 bits reach from 1e-7 to
/// 65504 only: scales are powers of two, so not one digit differs.
#[test]
fn half_precision_is_near_at_any_scale() -> Result<()> {
    // 200 channels at this size take the larger tile of small matrices.
    let channels = [
        (16, false),
        (200, false),
        (24, true),
        (72, false),
        (40, false),
    ];
    for device in halves() {
        for (padding, size) in [(Padding::Zero, (40, 48)), (Padding::Reflect, (37, 41))] {
            let spec = vgg(&channels, padding, |n| noise(9, n));
            let case = format!("{}, {padding:?}", device.describe());
            let expected = step(&ReferenceDevice::new(), &spec, size)?;
            let got = step(&device, &spec, size)?;
            assert_eq!(got.len(), expected.len(), "{case}");
            for (index, (got, expected)) in got.iter().zip(&expected).enumerate() {
                let error = distance(&case, got, expected);
                println!("{case}, result {index}: {error:e}");
                // Products of f16 by Winograd's way, which a card may find faster, round gradients to a percent.
                let most = if index == 3 { 2e-2 } else { 1e-2 };
                assert!(error < most, "{case}, result {index}: {error:e}");
            }
            let error = distance(&case, &got[3], &expected[3]);
            assert!(error > 1e-5, "{case}: {error:e} is not rounded");
            for k in [2_f32.powi(-70), 2_f32.powi(60)] {
                let scaled = scaled_step(&device, &spec, size, k)?;
                let times: Vec<f32> = got[3].iter().map(|v| k * v).collect();
                assert_same(&format!("{case}, losses times {k:e}"), &scaled[3], &times);
            }
        }
    }
    Ok(())
}

/// A way by small matrices or rounded numbers is taken only after it was measured, and what was measured is kept apart from
/// what holds in f32.
#[test]
fn half_precision_is_measured_for_itself() -> Result<()> {
    if halves().is_empty() {
        return Ok(());
    }
    let temporary = Folder::new();
    let folder = temporary.join("ways");
    let spec = vgg(&[(8, false), (16, true)], Padding::Zero, |n| noise(9, n));
    let mut lines = Vec::new();
    for precision in [Precision::Standard, Precision::Half] {
        let device = GpuDevice::new(GpuSettings {
            adapter: AdapterChoice::BestOrSoftware,
            convolutions: Convolutions::Measured(folder.clone()),
            precision,
            ..GpuSettings::default()
        })?;
        let size = (20, 24);
        let expected = step(&ReferenceDevice::new(), &spec, size)?;
        let got = step(&device, &spec, size)?;
        assert_eq!(got.len(), expected.len());
        for (got, expected) in got.iter().zip(&expected) {
            let error = distance("measured", got, expected);
            assert!(error < 5e-3, "{precision:?}: {error:e}");
        }
        let files = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        let text: String = files
            .filter_map(|file| std::fs::read_to_string(file.path()).ok())
            .collect();
        println!("{text}");
        lines.push(text.lines().count());
    }
    assert_eq!(lines, [2, 4]);
    Ok(())
}

/// The channels of VGG-19 down to relu5_1.
const VGG19: [(usize, bool); 13] = [
    (64, false),
    (64, false),
    (128, true),
    (128, false),
    (256, true),
    (256, false),
    (256, false),
    (256, false),
    (512, true),
    (512, false),
    (512, false),
    (512, false),
    (512, true),
];

/// One step of VGG-19 with five Gram matrices, content and Adam, on a device that only counts.
fn counted(side: usize) -> Result<(usize, Memory)> {
    let bounds = Bounds {
        buffer: (1 << 31) - 1,
        shared: 48 << 10,
        buffers: 32,
        invocations: 1024,
        ..Bounds::default()
    };
    let device = GpuDevice::counting(bounds)?;
    let spec = vgg(&VGG19, Padding::Zero, |n| vec![0.0; n]);
    let network = device.network(&spec)?;
    let shape = [3, side, side];
    let mut images = Vec::new();
    for _ in 0..4 {
        images.push(device.zeros(&shape)?);
    }
    let [image, first, second, average] = &mut images[..] else {
        return Ok((0, Memory::default()));
    };
    // relu1_1, relu2_1, relu3_1, relu4_1, relu5_1; relu4_2.
    let styles = [1, 6, 11, 20, 29].map(Tap::Layer);
    let content = Tap::Layer(22);
    let mut taps = styles.map(TapRequest::moments).to_vec();
    taps.push(TapRequest::features(content));
    let memory = network.memory(Size::square(side), &taps)?;
    let target = device.zeros(&[512, side / 8, side / 8])?;
    for _ in 0..3 {
        let tape = network.forward(image, &taps)?;
        let (_, towards) = device.squared_error(tape.features(content)?, &target, 1.0)?;
        let mut cotangents = vec![Cotangent::features(content, towards)];
        for style in styles {
            let moments = tape.moments(style)?;
            let (mean, second) = (device.copy(&moments.mean)?, device.copy(&moments.second)?);
            cotangents.push(Cotangent::moments(style, Moments { mean, second }));
        }
        let gradient = tape.backward(cotangents)?;
        let step = AdamStep {
            learning_rate: 0.1,
            beta1: 0.9,
            beta2: 0.99,
            epsilon: 1e-8,
            correction1: 0.1,
            correction2: 0.01,
            clamp: None,
            average_decay: 0.9,
        };
        let buffers = AdamBuffers {
            image,
            gradient: &gradient,
            first,
            second,
            average,
        };
        device.adam(buffers, &step)?;
    }
    Ok((device.peak_bytes(), memory))
}

#[test]
fn a_step_of_vgg19_at_2048_px_takes_at_most_4_gb() -> Result<()> {
    let (bytes, memory) = counted(2048)?;
    println!("2048 px: {} MB, {memory:?}", bytes >> 20);
    assert!(bytes <= 4_000_000_000, "{bytes} bytes");
    // What is told beforehand is what it takes, but for images, targets and filters.
    let told = memory.forward.max(memory.backward);
    assert!(
        told <= bytes && bytes - told < 600 << 20,
        "{told} of {bytes}"
    );
    Ok(())
}

/// Buffers are used again: a second size does not add to the first for long.
#[test]
fn memory_grows_with_the_picture() -> Result<()> {
    let (small, _) = counted(256)?;
    let (large, _) = counted(512)?;
    assert!(large > small && large < 4 * small);
    Ok(())
}
