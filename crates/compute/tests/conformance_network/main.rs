//! The network engine of the cpu device against the reference device: every instruction set of this processor,
//! paddings, pools, sizes, channels, taps and cotangents in [`maps`]; and the reference device against finite differences
//! in [`gradients`]. That neither threads nor repetition change a bit is held in [`repetition`].

#[path = "../adapter/mod.rs"]
mod adapter;
mod gradients;
mod maps;
mod refusals;
mod repetition;

use impasto_compute::cpu::{CpuDevice, CpuSettings, Level, Precision};
use impasto_compute::reference::ReferenceDevice;
use impasto_compute::*;
use impasto_testing::compare::greatest;
use impasto_testing::{Numbers, Tolerance, assert_close, assert_same};

/// What a run of a network produced, row-major.
struct Outcome {
    views: Vec<(String, Vec<f32>)>,
    gradient: Vec<f32>,
}

/// A network, an image and what is looked at.
struct Case {
    name: String,
    spec: NetSpec,
    size: (usize, usize),
    taps: Vec<TapRequest>,
    /// Cotangents per asked view; 0 leaves it without.
    repeats: usize,
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

fn conv(numbers: &mut Numbers, from: usize, to: usize, padding: Padding) -> Result<Layer> {
    // Weights that keep the scale of activations, as trained networks do.
    let scale = (2.0 / (from as f32 * 9.0)).sqrt() * 1.7;
    let weight: Vec<f32> = numbers
        .many(to * from * 9)
        .iter()
        .map(|w| w * scale)
        .collect();
    let bias: Vec<f32> = numbers.many(to).iter().map(|b| b * 0.2).collect();
    Ok(Layer::Conv(Conv3x3::new(from, to, padding, weight, bias)?))
}

fn pool(kind: PoolKind, factor: f32) -> Layer {
    Layer::Pool(Pool { kind, factor })
}

fn head(numbers: &mut Numbers, after: usize, from: usize, to: usize) -> Head {
    let scale = (1.0 / from as f32).sqrt();
    Head {
        after,
        out_channels: to,
        weight: numbers.many(to * from).iter().map(|w| w * scale).collect(),
        bias: numbers.many(to).into(),
    }
}

fn spec(layers: Vec<Layer>, heads: Vec<Head>) -> NetSpec {
    NetSpec {
        input: Input::Image(InputNorm {
            mean: [0.485, 0.456, 0.406],
            scale: [1.0 / 0.229, 1.0 / 0.224, 1.0 / 0.225],
        }),
        layers,
        heads,
    }
}

/// A small network of the VGG kind: two convolutions, pool, two convolutions, pool, one more.
fn small_vgg(
    channels: [usize; 3],
    padding: Padding,
    kind: PoolKind,
    factor: f32,
) -> Result<NetSpec> {
    let mut n = Numbers(7);
    let [a, b, c] = channels;
    Ok(spec(
        vec![
            conv(&mut n, 3, a, padding)?,
            Layer::Relu,
            conv(&mut n, a, a, padding)?,
            Layer::Relu,
            pool(kind, factor),
            conv(&mut n, a, b, padding)?,
            Layer::Relu,
            conv(&mut n, b, b, padding)?,
            Layer::Relu,
            pool(kind, factor),
            conv(&mut n, b, c, padding)?,
            Layer::Relu,
        ],
        vec![],
    ))
}

/// Features and moments of some taps.
fn both(taps: impl IntoIterator<Item = Tap>) -> Vec<TapRequest> {
    let requests = taps.into_iter();
    requests
        .flat_map(|tap| [TapRequest::features(tap), TapRequest::moments(tap)])
        .collect()
}

fn run(device: &dyn Device, case: &Case) -> Result<Outcome> {
    let mut numbers = Numbers(99);
    let (h, w) = case.size;
    let image: Vec<f32> = numbers
        .many(3 * h * w)
        .iter()
        .map(|v| v * 0.5 + 0.5)
        .collect();
    let network = device.network(&case.spec)?;
    let tape = network.forward(&device.upload(&image, &[3, h, w])?, &case.taps)?;
    let mut views = Vec::new();
    let mut cotangents = Vec::new();
    for request in &case.taps {
        let tap = request.tap;
        let mut random = |shape: &[usize], scale: f32| {
            let values: Vec<f32> = numbers
                .many(shape.iter().product())
                .iter()
                .map(|v| v * scale)
                .collect();
            device.upload(&values, shape)
        };
        if request.want == Want::Features {
            let features = tape.features(tap)?;
            views.push((format!("features of {tap}"), device.download(features)?));
            for _ in 0..case.repeats {
                let gradient = random(features.shape(), 1.0)?;
                cotangents.push(Cotangent::features(tap, gradient));
            }
        }
        if request.want == Want::Moments {
            let moments = tape.moments(tap)?;
            views.push((format!("mean of {tap}"), device.download(&moments.mean)?));
            views.push((
                format!("second moment of {tap}"),
                device.download(&moments.second)?,
            ));
            let scale = (h * w) as f32 * 0.3;
            for _ in 0..case.repeats {
                let gradient = Moments {
                    mean: random(moments.mean.shape(), scale)?,
                    second: random(moments.second.shape(), scale / moments.mean.len() as f32)?,
                };
                cotangents.push(Cotangent::moments(tap, gradient));
            }
        }
    }
    let gradient = device.download(&tape.backward(cotangents)?)?;
    Ok(Outcome { views, gradient })
}

/// `rtol·(|expected| + max |expected|/10)`: small values are sums of greater ones.
fn tolerance(rtol: f32, expected: &[f32]) -> Tolerance {
    Tolerance {
        absolute: 0.1 * f64::from(rtol) * greatest(expected),
        relative: rtol.into(),
    }
}

/// Everything that two outcomes show, by name.
fn pairs<'a>(
    case: &str,
    got: &'a Outcome,
    expected: &'a Outcome,
) -> Vec<(String, &'a [f32], &'a [f32])> {
    assert_eq!(got.views.len(), expected.views.len(), "{case}: views");
    let views = got.views.iter().zip(&expected.views);
    let views = views.map(|((what, got), (name, expected))| {
        assert_eq!(what, name, "{case}");
        (format!("{case}: {what}"), &got[..], &expected[..])
    });
    let gradient = (
        format!("{case}: gradient"),
        &got.gradient[..],
        &expected.gradient[..],
    );
    views.chain([gradient]).collect()
}

fn compare(case: &Case, got: &Outcome, expected: &Outcome, rtol: f32) {
    let pairs = pairs(&case.name, got, expected);
    let views = pairs.len() - 1;
    for (index, (case, got, expected)) in pairs.into_iter().enumerate() {
        let rtol = if index < views { rtol } else { 2.0 * rtol };
        assert_close(&case, got, expected, tolerance(rtol, expected));
    }
}

/// The same, to the last bit.
fn same(case: &str, got: &Outcome, expected: &Outcome) {
    for (case, got, expected) in pairs(case, got, expected) {
        assert_same(&case, got, expected);
    }
}

fn settings(level: Level, precision: Precision) -> CpuSettings {
    CpuSettings {
        threads: Some(2),
        level: Some(level),
        precision,
        ..CpuSettings::default()
    }
}

/// The cpu as it comes, and the gpu if there is one.
fn devices() -> Result<Vec<Box<dyn Device>>> {
    let cpu: Box<dyn Device> = Box::new(CpuDevice::new(CpuSettings::default())?);
    Ok([cpu].into_iter().chain(adapter::gpu(false)).collect())
}

/// Holds every available instruction set, both exact precisions, and the gpu against the reference.
fn conform(case: &Case) -> Result<()> {
    let expected = run(&ReferenceDevice::new(), case)?;
    for (winograd, rtol) in [(false, 1e-4), (true, 2e-4)] {
        let Some(gpu) = adapter::gpu(winograd) else {
            continue;
        };
        let named = Case {
            name: format!("{} on {}", case.name, gpu.describe()),
            spec: case.spec.clone(),
            taps: case.taps.clone(),
            ..*case
        };
        compare(&named, &run(&*gpu, case)?, &expected, rtol);
    }
    for level in Level::ALL.into_iter().filter(|level| level.is_available()) {
        for (precision, rtol) in [(Precision::Standard, 2e-4), (Precision::Strict, 1e-4)] {
            let device = CpuDevice::new(settings(level, precision))?;
            let named = Case {
                name: format!("{} on {}", case.name, device.describe()),
                spec: case.spec.clone(),
                taps: case.taps.clone(),
                ..*case
            };
            compare(&named, &run(&device, case)?, &expected, rtol);
        }
    }
    Ok(())
}
