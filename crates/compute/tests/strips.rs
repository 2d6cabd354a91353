//! Pictures that run strip by strip on the cpu device: every bit is that of the whole, whatever is kept and however few
//! rows there are at a time.

use impasto_compute::cpu::{CpuDevice, CpuSettings, Level, Precision};
use impasto_compute::*;
use impasto_testing::{Numbers, Tolerance, assert_close, assert_same, networks, noise};

/// Three blocks of convolutions, with heads behind the fourth and the last ReLU.
fn spec(kind: PoolKind, border: Padding) -> NetSpec {
    let conv = |seed: u64, from: usize, to: usize, padding| {
        let (weight, bias) = networks::convolution(&mut Numbers(seed), from, to);
        Layer::Conv(Conv3x3::new(from, to, padding, weight, bias).unwrap())
    };
    let pool = || Layer::Pool(Pool { kind, factor: 1.25 });
    let head = |after, from: usize, to: usize| {
        let (weight, bias) = networks::head(&mut Numbers(77), from, to);
        Head {
            after,
            out_channels: to,
            weight: weight.into(),
            bias: bias.into(),
        }
    };
    let zeros = Padding::Zero;
    NetSpec {
        input: Input::Image(InputNorm {
            mean: [0.5; 3],
            scale: [3.0; 3],
        }),
        layers: vec![
            conv(1, 3, 20, border), // 0
            Layer::Relu,
            conv(2, 20, 16, zeros), // 2
            Layer::Relu,
            pool(), // 4
            conv(3, 16, 24, zeros),
            Layer::Relu,
            conv(4, 24, 33, zeros), // 7
            Layer::Relu,
            pool(), // 9
            conv(5, 33, 18, zeros),
            Layer::Relu,
            conv(6, 18, 40, zeros), // 12
            Layer::Relu,
        ],
        heads: vec![head(13, 40, 7), head(8, 33, 12)],
    }
}

fn devices() -> Vec<CpuDevice> {
    let levels = Level::ALL.into_iter().filter(|level| level.is_available());
    let levels: Vec<_> = levels.collect();
    let settings = |level: Level, precision, threads| CpuSettings {
        level: Some(level),
        threads: Some(threads),
        precision,
        ..CpuSettings::default()
    };
    let best = *levels.last().unwrap();
    let mut all = vec![
        settings(best, Precision::Strict, 3),
        settings(best, Precision::Bf16, 1),
    ];
    all.extend(
        levels
            .into_iter()
            .map(|level| settings(level, Precision::Standard, 2)),
    );
    all.into_iter()
        .map(|settings| CpuDevice::new(settings).unwrap())
        .collect()
}

/// What is asked of a pass: taps, of which moments, of which features.
type Asked<'a> = &'a [(Tap, bool, bool)];

/// Moments and gradient, of the whole if there are no strips; and how many parts were shown.
fn pass(
    device: &CpuDevice,
    network: &dyn Network,
    (h, w): (usize, usize),
    asked: Asked<'_>,
    strips: Option<&Strips>,
) -> (Vec<Vec<f32>>, usize) {
    let values: Vec<f32> = noise(5, 3 * h * w).iter().map(|v| v * 0.5 + 0.5).collect();
    let image = device.upload(&values, &[3, h, w]).unwrap();
    let shown = match strips {
        None => TapRequest::features,
        Some(_) => TapRequest::in_parts,
    };
    let requests: Vec<_> = asked
        .iter()
        .flat_map(|&(tap, moments, features)| {
            let moments = moments.then_some(TapRequest::moments(tap));
            moments.into_iter().chain(features.then_some(shown(tap)))
        })
        .collect();
    let tape = match strips {
        None => network.forward(&image, &requests).unwrap(),
        Some(strips) => network.forward_strips(&image, strips, &requests).unwrap(),
    };
    let (mut seen, mut cotangents) = (Vec::new(), Vec::new());
    let said = |features: &Tensor| {
        let zeros = device.zeros(features.shape()).unwrap();
        device.squared_error(features, &zeros, 0.01).unwrap().1
    };
    for &(tap, moments, features) in asked {
        if moments {
            let moments = tape.moments(tap).unwrap();
            let channels = moments.mean.len();
            seen.push(device.download(&moments.mean).unwrap());
            seen.push(device.download(&moments.second).unwrap());
            let upload = |seed, shape: &[usize]| {
                device
                    .upload(&noise(seed, shape.iter().product()), shape)
                    .unwrap()
            };
            let towards = Moments {
                mean: upload(91, &[channels]),
                second: upload(92, &[channels, channels]),
            };
            cotangents.push(Cotangent::moments(tap, towards));
        }
        if features && strips.is_none() {
            cotangents.push(Cotangent::features(tap, said(tape.features(tap).unwrap())));
        }
    }
    let mut parts = 0;
    let gradient = tape.backward_in_parts(cotangents, &mut |part| {
        parts += 1;
        assert_eq!(
            part.features.shape()[1..],
            [part.place.height, part.place.width]
        );
        Ok(Some(said(part.features)))
    });
    seen.push(device.download(&gradient.unwrap()).unwrap());
    (seen, parts)
}

#[track_caller]
fn same(case: &str, got: &[Vec<f32>], expected: &[Vec<f32>]) {
    assert_eq!(got.len(), expected.len(), "{case}");
    for (index, (got, expected)) in got.iter().zip(expected).enumerate() {
        assert_same(&format!("{case}, view {index}"), got, expected);
    }
}

const FEW: Asked<'_> = &[
    (Tap::Layer(1), true, false),
    (Tap::Layer(6), true, false),
    (Tap::Layer(13), true, true),
];
const HEADS: Asked<'_> = &[
    (Tap::Layer(1), true, true),
    (Tap::Head(1), true, true),
    (Tap::Layer(8), false, true),
    (Tap::Head(0), true, true),
];
/// Before a ReLU, between a ReLU and its pool, behind pools.
const ODD: Asked<'_> = &[
    (Tap::Layer(2), true, true),
    (Tap::Layer(3), false, true),
    (Tap::Layer(4), true, false),
    (Tap::Layer(8), true, false),
    (Tap::Layer(10), true, true),
];

#[test]
fn every_bit_is_that_of_the_whole() {
    for device in devices() {
        for (kind, border) in [
            (PoolKind::Max, Padding::Zero),
            (PoolKind::Average, Padding::Replicate),
        ] {
            let network = device.network(&spec(kind, border)).unwrap();
            for (asked, size) in [
                (FEW, (61, 38)),
                (HEADS, (64, 33)),
                (ODD, (35, 20)),
                (FEW, (4, 7)),
                (HEADS, (150, 5)),
                (ODD, (9, 301)),
            ] {
                let (expected, _) = pass(&device, &*network, size, asked, None);
                for (rows, kept) in [
                    (Some(1), vec![]),
                    (Some(8), vec![4, 9]),
                    (Some(12), vec![8]),
                    (Some(20), vec![6, 9, 13]),
                    (None, vec![4]),
                ] {
                    let strips = Strips { rows, kept };
                    let (got, _) = pass(&device, &*network, size, asked, Some(&strips));
                    let case = format!("{size:?} {kind:?} {strips:?} on {}", device.describe());
                    same(&case, &got, &expected);
                }
            }
        }
    }
}

#[test]
fn features_can_be_had_as_a_whole() {
    let device = CpuDevice::new(CpuSettings::default()).unwrap();
    let network = device.network(&spec(PoolKind::Max, Padding::Zero)).unwrap();
    let (h, w) = (45, 30);
    let image = device.upload(&noise(3, 3 * h * w), &[3, h, w]).unwrap();
    let taps = [Tap::Layer(1), Tap::Layer(8), Tap::Head(0)].map(TapRequest::features);
    let strips = Strips {
        rows: Some(4),
        kept: vec![],
    };
    let whole = network.forward(&image, &taps).unwrap();
    let tape = network.forward_strips(&image, &strips, &taps).unwrap();
    for request in taps {
        let [got, expected] = [&tape, &whole].map(|tape| {
            device
                .download(tape.features(request.tap).unwrap())
                .unwrap()
        });
        same("features", &[got], &[expected]);
    }
}

#[test]
fn parts_are_shown_once_from_the_top() {
    let device = CpuDevice::new(CpuSettings::default()).unwrap();
    let network = device.network(&spec(PoolKind::Max, Padding::Zero)).unwrap();
    let image = device.upload(&noise(3, 3 * 50 * 16), &[3, 50, 16]).unwrap();
    let strips = Strips {
        rows: Some(8),
        kept: vec![4],
    };
    let taps = [TapRequest::in_parts(Tap::Layer(6))];
    let tape = network.forward_strips(&image, &strips, &taps).unwrap();
    let mut next = 0;
    let gradient = tape.backward_in_parts(vec![], &mut |part| {
        assert_eq!((part.tap, part.place.top), (Tap::Layer(6), next));
        next += part.place.height;
        Ok(None)
    });
    assert_eq!(next, 25);
    // Nobody said anything.
    let gradient = device.download(&gradient.unwrap()).unwrap();
    let zeros = [0.0; 3 * 50 * 16];
    assert_close("silence", &gradient, &zeros, Tolerance::absolute(0.0));
}

#[test]
fn what_does_not_run_in_strips_says_so() {
    let device = CpuDevice::new(CpuSettings::default()).unwrap();
    let taps = [TapRequest::moments(Tap::Layer(13))];
    let image = device.upload(&noise(3, 3 * 64), &[3, 8, 8]).unwrap();
    let mut reflecting = spec(PoolKind::Max, Padding::Zero);
    if let Layer::Conv(conv) = &mut reflecting.layers[5] {
        conv.padding = Padding::Reflect;
    }
    for spec in [spec(PoolKind::L2, Padding::Zero), reflecting] {
        let network = device.network(&spec).unwrap();
        assert!(!network.has_strips(&taps));
        assert!(
            network
                .strips(Size::square(8), None, &taps)
                .unwrap()
                .is_empty()
        );
        let error = network.forward_strips(&image, &Strips::default(), &taps);
        let error = error.err().unwrap().to_string();
        assert!(error.contains("strip by strip"), "{error}");
    }
    let wrong = spec(PoolKind::Max, Padding::Zero);
    let network = device.network(&wrong).unwrap();
    let taps = [TapRequest::in_parts(Tap::Layer(6))];
    let tape = network
        .forward_strips(&image, &Strips::default(), &taps)
        .unwrap();
    let answer = tape.backward_in_parts(vec![], &mut |_| Ok(Some(device.zeros(&[3, 2, 1])?)));
    assert!(matches!(answer, Err(ComputeError::Shape { .. })));
}

/// Nothing that was to be said about a part is lost in silence: who shows none refuses, and so does a way back on which
/// nobody looks.
#[test]
fn parts_are_refused_where_nobody_shows_or_answers_them() {
    let cpu = CpuDevice::new(CpuSettings::default()).unwrap();
    let spec = spec(PoolKind::Max, Padding::Zero);
    let tap = Tap::Layer(6);
    let taps = [TapRequest::moments(tap), TapRequest::in_parts(tap)];
    let devices: [&dyn Device; 2] = [&cpu, &reference::ReferenceDevice::new()];
    for device in devices {
        let network = device.network(&spec).unwrap();
        let image = || device.upload(&noise(3, 3 * 256), &[3, 16, 16]).unwrap();
        let whole = network.forward(&image(), &taps).err().unwrap().to_string();
        let window = Window::whole(Size::square(16));
        let tile = network.forward_tile(image(), &window, &taps);
        for error in [whole, tile.err().unwrap().to_string()] {
            assert!(error.contains("in parts"), "{error}");
        }
    }
    let network = cpu.network(&spec).unwrap();
    let image = cpu.upload(&noise(3, 3 * 256), &[3, 16, 16]).unwrap();
    let strips = Strips::default();
    let tape = network.forward_strips(&image, &strips, &taps).unwrap();
    let error = tape.backward(vec![]).unwrap_err().to_string();
    assert!(error.contains("nobody looks"), "{error}");
    // What is asked as a whole needs nobody.
    let tape = network.forward_strips(&image, &strips, &taps[..1]).unwrap();
    assert!(tape.backward(vec![]).is_ok());
}

#[test]
fn plans_trade_memory_for_work() {
    const LARGE: Size = Size {
        width: 2000,
        height: 12000,
    };
    let device = CpuDevice::new(CpuSettings::default()).unwrap();
    let network = device.network(&spec(PoolKind::Max, Padding::Zero)).unwrap();
    let taps = FEW.iter().map(|(tap, ..)| TapRequest::moments(*tap));
    let plans = network
        .strips(LARGE, None, &taps.collect::<Vec<_>>())
        .unwrap();
    let peak = |plan: &StripsPlan| plan.memory.forward.max(plan.memory.backward);
    assert!(plans.len() > 2);
    for pair in plans.windows(2) {
        assert!(peak(&pair[0]) < peak(&pair[1]) && pair[0].work > pair[1].work);
    }
    let taps = FEW.iter().map(|(tap, ..)| TapRequest::moments(*tap));
    let whole = network.memory(LARGE, &taps.collect::<Vec<_>>()).unwrap();
    assert!(
        peak(&plans[0]) < whole.backward / 3,
        "{:?} {whole:?}",
        plans[0]
    );
}
