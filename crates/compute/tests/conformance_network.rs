//! The network engine of the cpu device against the reference device: every instruction set of this processor,
//! paddings, pools, sizes, channels, taps and cotangents; and the reference device against finite differences.

mod adapter;

use impasto_compute::cpu::{CpuDevice, CpuSettings, FilterCache, Level, Precision};
use impasto_compute::reference::ReferenceDevice;
use impasto_compute::*;
use impasto_testing::compare::{self, greatest};
use impasto_testing::{Numbers, Tolerance, assert_close, assert_near, assert_same, skip};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

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

#[test]
fn every_padding_and_pool_at_every_size() -> Result<()> {
    let sizes = [(4, 4), (5, 7), (7, 5), (8, 9), (17, 16), (15, 33)];
    for padding in [Padding::Zero, Padding::Replicate, Padding::Reflect] {
        for (kind, factor) in [
            (PoolKind::Max, 1.0),
            (PoolKind::Average, 2.0),
            (PoolKind::L2, 0.78),
        ] {
            let spec = small_vgg([16, 24, 5], padding, kind, factor)?;
            for size in sizes {
                conform(&Case {
                    name: format!("{padding:?} {kind:?} {size:?}"),
                    spec: spec.clone(),
                    size,
                    taps: vec![
                        TapRequest::moments(Tap::Layer(1)),
                        TapRequest::features(Tap::Layer(6)),
                        TapRequest::moments(Tap::Layer(11)),
                    ],
                    repeats: 1,
                })?;
            }
        }
    }
    Ok(())
}

#[test]
fn the_smallest_images() -> Result<()> {
    for padding in [Padding::Zero, Padding::Replicate, Padding::Reflect] {
        let mut n = Numbers(3);
        let spec = spec(
            vec![
                conv(&mut n, 3, 5, padding)?,
                Layer::Relu,
                conv(&mut n, 5, 17, padding)?,
                conv(&mut n, 17, 3, padding)?,
            ],
            vec![],
        );
        for size in [(1, 1), (1, 2), (2, 1), (2, 3), (3, 2), (3, 3), (1, 9)] {
            conform(&Case {
                name: format!("{padding:?} {size:?}"),
                spec: spec.clone(),
                size,
                taps: both([1, 3].map(Tap::Layer)),
                repeats: 1,
            })?;
        }
    }
    Ok(())
}

#[test]
fn every_layer_can_be_tapped() -> Result<()> {
    for kind in [PoolKind::Max, PoolKind::Average, PoolKind::L2] {
        let spec = small_vgg([5, 16, 24], Padding::Zero, kind, 1.25)?;
        for layer in 0..spec.layers.len() {
            conform(&Case {
                name: format!("{kind:?}, layer {layer}"),
                spec: spec.clone(),
                size: (11, 14),
                taps: both([Tap::Layer(layer)]),
                repeats: 1,
            })?;
        }
        conform(&Case {
            name: format!("{kind:?}, all layers"),
            size: (11, 14),
            taps: both((0..spec.layers.len()).map(Tap::Layer)),
            spec,
            repeats: 2,
        })?;
    }
    Ok(())
}

#[test]
fn layers_in_any_order() -> Result<()> {
    let mut n = Numbers(21);
    let spec = spec(
        vec![
            conv(&mut n, 3, 16, Padding::Reflect)?,
            pool(PoolKind::Max, 1.0),
            Layer::Relu,
            pool(PoolKind::L2, 0.5),
            conv(&mut n, 16, 20, Padding::Zero)?,
            pool(PoolKind::Average, 2.0),
            Layer::Relu,
            Layer::Relu,
            conv(&mut n, 20, 16, Padding::Replicate)?,
            Layer::Relu,
            pool(PoolKind::Max, 0.5),
            pool(PoolKind::Max, 1.0),
        ],
        vec![],
    );
    conform(&Case {
        name: "odd order".into(),
        spec,
        size: (67, 41),
        taps: [
            vec![TapRequest::moments(Tap::Layer(2))],
            both([Tap::Layer(5)]),
            vec![TapRequest::features(Tap::Layer(11))],
        ]
        .concat(),
        repeats: 1,
    })
}

#[test]
fn larger_maps_and_more_channels() -> Result<()> {
    for (channels, size) in [
        ([3, 5, 16], (97, 131)),
        ([64, 64, 64], (17, 21)),
        ([16, 400, 320], (9, 10)),
    ] {
        let spec = small_vgg(channels, Padding::Zero, PoolKind::Max, 1.0)?;
        conform(&Case {
            name: format!("{channels:?} {size:?}"),
            spec,
            size,
            taps: vec![
                TapRequest::moments(Tap::Layer(3)),
                TapRequest::features(Tap::Layer(8)),
                TapRequest::moments(Tap::Layer(11)),
            ],
            repeats: 1,
        })?;
    }
    Ok(())
}

/// The first two convolutions run in strips of rows; these are tall enough for several.
#[test]
fn tall_images() -> Result<()> {
    let first = TapRequest::moments(Tap::Layer(1));
    let deep = TapRequest::moments(Tap::Layer(6));
    for (padding, second) in [
        (Padding::Zero, Padding::Zero),
        (Padding::Replicate, Padding::Zero),
        (Padding::Reflect, Padding::Reflect),
    ] {
        let mut spec = small_vgg([16, 17, 5], second, PoolKind::Max, 1.0)?;
        spec.layers[0] = conv(&mut Numbers(4), 3, 16, padding)?;
        spec.heads = vec![head(&mut Numbers(1), 1, 16, 6)];
        for (name, height, taps) in [
            ("both", 131, vec![first, deep]),
            ("first", 130, vec![first, TapRequest::moments(Tap::Head(0))]),
            ("deep", 129, vec![deep]),
            (
                "second",
                193,
                vec![first, TapRequest::features(Tap::Layer(2))],
            ),
        ] {
            conform(&Case {
                name: format!("{padding:?} {second:?} {name}"),
                spec: spec.clone(),
                size: (height, 10),
                taps,
                repeats: 1,
            })?;
        }
    }
    Ok(())
}

#[test]
fn heads_give_features_and_moments() -> Result<()> {
    let mut n = Numbers(5);
    for padding in [Padding::Zero, Padding::Replicate] {
        let mut spec = small_vgg([16, 24, 40], padding, PoolKind::Max, 1.0)?;
        spec.heads = vec![
            head(&mut n, 3, 16, 7),
            head(&mut n, 6, 24, 33),
            head(&mut n, 6, 24, 3),
            head(&mut n, 9, 24, 16),
            head(&mut n, 11, 40, 20),
        ];
        for taps in [
            both((0..5).map(Tap::Head)),
            (0..5).map(|h| TapRequest::moments(Tap::Head(h))).collect(),
            (1..3).map(|h| TapRequest::features(Tap::Head(h))).collect(),
            [
                both([Tap::Head(1), Tap::Layer(6)]),
                vec![TapRequest::moments(Tap::Head(4))],
            ]
            .concat(),
        ] {
            conform(&Case {
                name: format!("{padding:?} {taps:?}"),
                spec: spec.clone(),
                size: (13, 19),
                taps,
                repeats: 1,
            })?;
        }
    }
    Ok(())
}

#[test]
fn transformed_filters_may_be_kept_or_not() -> Result<()> {
    let case = Case {
        name: "filters".into(),
        spec: small_vgg([16, 32, 48], Padding::Zero, PoolKind::Max, 1.0)?,
        size: (19, 18),
        taps: both([Tap::Layer(11)]),
        repeats: 1,
    };
    let with = |filters| -> Result<Outcome> {
        let device = CpuDevice::new(CpuSettings {
            filters,
            ..CpuSettings::default()
        })?;
        run(&device, &case)
    };
    let (kept, made) = (with(FilterCache::Always)?, with(FilterCache::Never)?);
    same("filters", &made, &kept);
    Ok(())
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() -> Result<()> {
    let cases = [
        ([16, 24, 5], (61, 45), Padding::Reflect),
        ([64, 32, 48], (40, 48), Padding::Zero),
        ([16, 400, 320], (12, 9), Padding::Zero),
    ];
    for (channels, size, padding) in cases {
        let mut spec = small_vgg(channels, padding, PoolKind::Max, 1.0)?;
        spec.heads = vec![head(&mut Numbers(1), 6, channels[1], 8)];
        let case = Case {
            name: format!("{channels:?}"),
            spec,
            size,
            taps: [
                vec![TapRequest::moments(Tap::Layer(1))],
                both([Tap::Layer(3), Tap::Head(0), Tap::Layer(11)]),
            ]
            .concat(),
            repeats: 1,
        };
        for level in Level::ALL.into_iter().filter(|level| level.is_available()) {
            let with = |threads| -> Result<Outcome> {
                let device = CpuDevice::new(CpuSettings {
                    threads: Some(threads),
                    ..settings(level, Precision::Standard)
                })?;
                run(&device, &case)
            };
            let one = with(1)?;
            for threads in [2, 3] {
                let case = format!("{level}, {threads} threads");
                same(&case, &with(threads)?, &one);
            }
        }
    }
    Ok(())
}

/// Rounding to eight bits is far from the reference in single numbers, but not as a whole.
#[test]
fn bfloat16_is_near_and_does_not_depend_on_threads() -> Result<()> {
    let with = |threads| {
        CpuDevice::new(CpuSettings {
            threads: Some(threads),
            precision: Precision::Bf16,
            ..CpuSettings::default()
        })
    };
    let device = with(2)?;
    if device.precision() != Precision::Bf16 {
        skip("this processor does not multiply bfloat16 numbers");
        return Ok(());
    }
    for (channels, padding) in [
        ([64, 48, 80], Padding::Zero),
        ([16, 320, 400], Padding::Reflect),
    ] {
        let case = Case {
            name: format!("bf16 {channels:?}"),
            spec: small_vgg(channels, padding, PoolKind::Average, 1.0)?,
            size: (17, 22),
            taps: [
                both([Tap::Layer(6)]),
                vec![TapRequest::features(Tap::Layer(11))],
            ]
            .concat(),
            repeats: 1,
        };
        let expected = run(&ReferenceDevice::new(), &case)?;
        let got = run(&device, &case)?;
        let pairs = pairs(&case.name, &got, &expected);
        let views = pairs.len() - 1;
        for (index, (case, got, expected)) in pairs.into_iter().enumerate() {
            // That something was rounded is seen in the gradient.
            let range = if index < views { 0.0..0.02 } else { 1e-5..0.2 };
            let error = compare::distance(&case, got, expected);
            assert!(range.contains(&error), "{case} is {error:e} away");
        }
        for threads in [1, 3] {
            let named = format!("{}, {threads} threads", case.name);
            same(&named, &run(&with(threads)?, &case)?, &got);
        }
    }
    Ok(())
}

#[test]
fn repeated_steps_give_the_same_bytes() -> Result<()> {
    let case = Case {
        name: "twice".into(),
        spec: small_vgg([16, 24, 40], Padding::Replicate, PoolKind::Average, 1.0)?,
        size: (30, 26),
        taps: [
            both([Tap::Layer(6)]),
            vec![TapRequest::moments(Tap::Layer(11))],
        ]
        .concat(),
        repeats: 1,
    };
    for device in devices()? {
        let first = run(&*device, &case)?;
        for _ in 0..3 {
            same(&device.describe(), &run(&*device, &case)?, &first);
        }
    }
    Ok(())
}

#[test]
fn no_cotangent_means_no_gradient() -> Result<()> {
    let case = Case {
        name: "silence".into(),
        spec: small_vgg([5, 6, 7], Padding::Zero, PoolKind::Max, 1.0)?,
        size: (9, 8),
        taps: both([Tap::Layer(6)]),
        repeats: 0,
    };
    for device in devices()? {
        let outcome = run(&*device, &case)?;
        let zeros = [0.0; 3 * 9 * 8];
        let exact = Tolerance::absolute(0.0);
        assert_close(&device.describe(), &outcome.gradient, &zeros, exact);
    }
    Ok(())
}

#[test]
fn what_was_not_asked_is_an_error() -> Result<()> {
    devices()?.iter().try_for_each(|device| refuses(&**device))
}

fn refuses(device: &dyn Device) -> Result<()> {
    let network = device.network(&small_vgg([5, 6, 7], Padding::Zero, PoolKind::Max, 1.0)?)?;
    let image = device.upload(&[0.5; 3 * 8 * 8], &[3, 8, 8])?;
    let asked = [
        TapRequest::features(Tap::Layer(6)),
        TapRequest::moments(Tap::Layer(3)),
    ];
    let forward = || network.forward(&image, &asked);
    let tape = forward()?;
    let refused = |result: Result<()>| matches!(result, Err(ComputeError::NoSuchTap { .. }));
    assert!(refused(tape.features(Tap::Layer(3)).map(|_| ())));
    assert!(refused(tape.moments(Tap::Layer(6)).map(|_| ())));
    assert!(refused(tape.features(Tap::Layer(1)).map(|_| ())));
    assert!(refused(
        network
            .forward(&image, &[TapRequest::features(Tap::Layer(12))])
            .map(|_| ())
    ));
    assert!(refused(
        network
            .forward(&image, &[TapRequest::features(Tap::Head(0))])
            .map(|_| ())
    ));
    let gradient = device.upload(&[0.0; 5 * 8 * 8], &[5, 8, 8])?;
    let towards = vec![Cotangent::features(Tap::Layer(3), gradient)];
    assert!(refused(forward()?.backward(towards).map(|_| ())));
    let wrong = device.upload(&[0.0; 6 * 16], &[6, 2, 8])?;
    let towards = vec![Cotangent::features(Tap::Layer(6), wrong)];
    assert!(matches!(
        forward()?.backward(towards),
        Err(ComputeError::Shape { .. })
    ));
    let foreign = ReferenceDevice::new().upload(&[0.0; 6 * 16], &[6, 4, 4])?;
    let towards = vec![Cotangent::features(Tap::Layer(6), foreign)];
    assert!(matches!(
        forward()?.backward(towards),
        Err(ComputeError::ForeignTensor { .. })
    ));
    let tiny = device.upload(&[0.5; 3 * 3], &[3, 1, 3])?;
    let taps = [TapRequest::features(Tap::Layer(4))];
    assert!(matches!(
        network.forward(&tiny, &taps),
        Err(ComputeError::TooSmall { .. })
    ));
    let flat = device.upload(&[0.5; 9], &[9])?;
    assert!(matches!(
        network.forward(&flat, &taps),
        Err(ComputeError::Shape { .. })
    ));
    Ok(())
}

/// The reference's gradient against differences of a linear functional of everything it can show.
#[test]
fn the_reference_gradient_is_the_slope() -> Result<()> {
    for (kind, padding) in [
        (PoolKind::Max, Padding::Reflect),
        (PoolKind::Average, Padding::Replicate),
        (PoolKind::L2, Padding::Zero),
    ] {
        let mut network_spec = small_vgg([4, 5, 6], padding, kind, 1.5)?;
        network_spec.heads = vec![head(&mut Numbers(2), 5, 5, 3)];
        let device = ReferenceDevice::new();
        let network = device.network(&network_spec)?;
        let taps = [Tap::Layer(2), Tap::Head(0), Tap::Layer(10)];
        let requests = both(taps);
        let (h, w) = (9, 7);
        let shape = [3, h, w];
        let mut numbers = Numbers(17);
        let image: Vec<f64> = numbers
            .many(3 * h * w)
            .iter()
            .map(|&v| f64::from(v) * 0.5 + 0.5)
            .collect();
        // Weights of the functional, in the order of the views.
        let weights = numbers.many(4000);
        let evaluate = |image: &[f64], differentiate: bool| -> Result<(f64, Vec<f64>)> {
            let tape =
                network.forward(&ReferenceDevice::tensor(image.to_vec(), &shape)?, &requests)?;
            let mut next = 0;
            let mut value = 0.0;
            let mut cotangents = Vec::new();
            let mut weigh = |tensor: &Tensor| -> Result<Tensor> {
                let weights = &weights[next..next + tensor.len()];
                next += tensor.len();
                let pairs = ReferenceDevice::values(tensor)?.iter().zip(weights);
                value += pairs.map(|(v, &w)| v * f64::from(w)).sum::<f64>();
                device.upload(weights, tensor.shape())
            };
            for tap in taps {
                cotangents.push(Cotangent::features(tap, weigh(tape.features(tap)?)?));
                let moments = tape.moments(tap)?;
                let towards = Moments {
                    mean: weigh(&moments.mean)?,
                    second: weigh(&moments.second)?,
                };
                cotangents.push(Cotangent::moments(tap, towards));
            }
            if !differentiate {
                return Ok((value, vec![]));
            }
            let gradient = tape.backward(cotangents)?;
            Ok((value, ReferenceDevice::values(&gradient)?.to_vec()))
        };
        let (_, gradient) = evaluate(&image, true)?;
        let step = 1e-6;
        for place in (0..image.len()).step_by(13) {
            let mut moved = image.clone();
            moved[place] += step;
            let (up, _) = evaluate(&moved, false)?;
            moved[place] -= 2.0 * step;
            let (down, _) = evaluate(&moved, false)?;
            let slope = (up - down) / (2.0 * step);
            let case = format!("{kind:?} {padding:?} at {place}");
            let tolerance = Tolerance {
                absolute: 1e-5,
                relative: 1e-5,
            };
            assert_near(&case, gradient[place], slope, tolerance);
        }
    }
    Ok(())
}

fn any_case() -> impl Strategy<Value = Case> {
    let channels = prop::array::uniform3(1usize..40);
    let padding = prop_oneof![
        Just(Padding::Zero),
        Just(Padding::Replicate),
        Just(Padding::Reflect)
    ];
    let kind = prop_oneof![
        Just(PoolKind::Max),
        Just(PoolKind::Average),
        Just(PoolKind::L2)
    ];
    let taps = prop::collection::vec((0usize..12, any::<bool>(), any::<bool>()), 1..4);
    (
        channels,
        padding,
        kind,
        (4usize..24, 4usize..24),
        taps,
        0usize..3,
    )
        .prop_map(|(channels, padding, kind, size, taps, repeats)| Case {
            name: format!("{channels:?} {padding:?} {kind:?} {size:?} {taps:?}"),
            spec: small_vgg(channels, padding, kind, 1.0).unwrap_or_else(|error| panic!("{error}")),
            size,
            taps: taps
                .into_iter()
                .flat_map(|(layer, features, moments)| {
                    let tap = Tap::Layer(layer);
                    match (features, moments) {
                        (true, true) => both([tap]),
                        (true, false) => vec![TapRequest::features(tap)],
                        (false, true) => vec![TapRequest::moments(tap)],
                        (false, false) => vec![TapRequest::replay(tap)],
                    }
                })
                .collect(),
            repeats,
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

    #[test]
    fn random_networks_conform(case in any_case()) {
        conform(&case).map_err(|error| TestCaseError::fail(error.to_string()))?;
    }
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}
