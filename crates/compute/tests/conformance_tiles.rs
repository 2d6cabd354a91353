//! Tiles of larger pictures: networks cut in two, moments of windows, patches. The cpu device against the reference,
//! and tiles together against the whole.

mod adapter;

use impasto_compute::cpu::{CpuDevice, CpuSettings, Level, Precision};
use impasto_compute::reference::ReferenceDevice;
use impasto_compute::*;
use impasto_testing::{Numbers, Tolerance, assert_close, assert_same, networks, noise};

/// Two convolutions, pool, two convolutions, pool, one more; a head behind the fourth and the last.
fn spec(kind: PoolKind, padding: Padding) -> NetSpec {
    let conv = |seed: u64, from: usize, to: usize, padding| {
        let (weight, bias) = networks::convolution(&mut Numbers(seed), from, to);
        Layer::Conv(Conv3x3::new(from, to, padding, weight, bias).unwrap())
    };
    let pool = Layer::Pool(Pool { kind, factor: 1.0 });
    let head = |after, from: usize, to: usize| {
        let (weight, bias) = networks::head(&mut Numbers(77), from, to);
        Head {
            after,
            out_channels: to,
            weight: weight.into(),
            bias: bias.into(),
        }
    };
    NetSpec {
        input: Input::Image(InputNorm {
            mean: [0.5; 3],
            scale: [3.0; 3],
        }),
        layers: vec![
            conv(1, 3, 20, padding),
            Layer::Relu,
            conv(2, 20, 16, Padding::Zero),
            Layer::Relu,
            pool.clone(),
            conv(3, 16, 24, Padding::Zero),
            Layer::Relu,
            conv(4, 24, 33, padding),
            Layer::Relu,
            pool,
            conv(5, 33, 18, Padding::Zero),
            Layer::Relu,
        ],
        heads: vec![head(11, 18, 7), head(6, 24, 12)],
    }
}

const TAPS: [Tap; 6] = [
    Tap::Layer(1),
    Tap::Layer(6),
    Tap::Layer(8),
    Tap::Layer(11),
    Tap::Head(0),
    Tap::Head(1),
];

fn devices() -> Vec<Box<dyn Device>> {
    let levels = Level::ALL.into_iter().filter(|level| level.is_available());
    let cpu = levels.map(|level| -> Box<dyn Device> {
        let settings = CpuSettings {
            level: Some(level),
            threads: Some(2),
            precision: Precision::Strict,
            ..CpuSettings::default()
        };
        Box::new(CpuDevice::new(settings).unwrap())
    });
    let reference: Box<dyn Device> = Box::new(ReferenceDevice::new());
    let all = std::iter::once(reference).chain(cpu);
    all.chain(adapter::gpu(true)).collect()
}

fn image(device: &dyn Device, h: usize, w: usize) -> Tensor {
    let values: Vec<f32> = noise(5, 3 * h * w).iter().map(|v| v * 0.5 + 0.5).collect();
    device.upload(&values, &[3, h, w]).unwrap()
}

fn size(height: usize, width: usize) -> Size {
    Size { width, height }
}

/// Features and moments of some taps.
fn both(taps: impl IntoIterator<Item = Tap>) -> Vec<TapRequest> {
    let requests = taps.into_iter();
    requests
        .flat_map(|tap| [TapRequest::features(tap), TapRequest::moments(tap)])
        .collect()
}

fn upload(device: &dyn Device, seed: u64, shape: &[usize]) -> Tensor {
    device
        .upload(&noise(seed, shape.iter().product()), shape)
        .unwrap()
}

/// A gradient towards moments of some channels, times a factor.
fn towards(device: &dyn Device, seed: u64, channels: usize, factor: f32) -> Moments {
    let scaled = |seed: u64, shape: &[usize]| {
        let values: Vec<f32> = noise(seed, shape.iter().product())
            .iter()
            .map(|v| v * factor)
            .collect();
        device.upload(&values, shape).unwrap()
    };
    Moments {
        mean: scaled(seed, &[channels]),
        second: scaled(seed + 1, &[channels, channels]),
    }
}

/// As close as f32 is to itself when it sums in another order.
#[track_caller]
fn near(case: &str, got: &[f32], expected: &[f32]) {
    assert_close(case, got, expected, Tolerance::of_greatest(2e-5, expected));
}

#[track_caller]
fn close(case: &str, device: &dyn Device, got: &Tensor, expected: &[f32]) {
    let case = format!("{case}, {}", device.describe());
    near(&case, &device.download(got).unwrap(), expected);
}

/// Everything that a tile shows, and its gradient, in order.
fn tile(
    device: &dyn Device,
    spec: &NetSpec,
    size: (usize, usize),
    window: &Window,
) -> Vec<Vec<f32>> {
    let network = device.network(spec).unwrap();
    let requests = both(TAPS);
    let tape = network
        .forward_tile(image(device, size.0, size.1), window, &requests)
        .unwrap();
    let (mut seen, mut cotangents) = (Vec::new(), Vec::new());
    for (seed, tap) in (100..).step_by(10).zip(TAPS) {
        let moments = tape.moments(tap).unwrap();
        seen.push(device.download(&moments.mean).unwrap());
        seen.push(device.download(&moments.second).unwrap());
        let features = tape.features(tap).unwrap();
        seen.push(device.download(features).unwrap());
        let channels = features.shape()[0];
        cotangents.push(Cotangent::moments(
            tap,
            towards(device, seed, channels, 1.0),
        ));
        let gradient = upload(device, seed + 5, features.shape());
        cotangents.push(Cotangent::features(tap, gradient));
    }
    let gradient = tape.backward(cotangents).unwrap();
    seen.push(device.download(&gradient).unwrap());
    seen
}

#[test]
fn a_tile_shows_the_same_on_every_device() {
    let window = |top, left, height, width| Window {
        top,
        left,
        height,
        width,
    };
    for (size, window) in [
        ((24, 36), window(4, 8, 12, 16)),
        ((24, 36), window(0, 4, 24, 12)),
        ((24, 36), window(8, 0, 4, 36)),
        ((23, 37), window(8, 20, 15, 17)),
        ((9, 7), window(4, 0, 5, 7)),
        ((4, 4), window(0, 0, 4, 4)),
    ] {
        for (kind, padding) in [
            (PoolKind::Max, Padding::Zero),
            (PoolKind::Average, Padding::Replicate),
            (PoolKind::L2, Padding::Reflect),
        ] {
            let spec = spec(kind, padding);
            let devices = devices();
            let expected = tile(&*devices[0], &spec, size, &window);
            for device in &devices[1..] {
                let got = tile(&**device, &spec, size, &window);
                let case = format!("{kind:?} {size:?} {window:?}, {}", device.describe());
                assert_eq!(got.len(), expected.len(), "{case}");
                for (index, (got, expected)) in got.iter().zip(&expected).enumerate() {
                    near(&format!("{case}, result {index}"), got, expected);
                }
            }
        }
    }
}

#[test]
fn the_halves_of_a_network_are_the_whole() {
    let (h, w) = (22, 27);
    for last in [1, 4, 6, 9] {
        let spec = spec(PoolKind::Max, Padding::Replicate);
        let halves = spec.split(last).unwrap();
        for device in devices() {
            let device = &*device;
            let whole = device.network(&spec).unwrap();
            let front = device.network(&halves.front).unwrap();
            let back = device.network(&halves.back).unwrap();
            let image = image(device, h, w);
            let tape = whole.forward(&image, &both(TAPS)).unwrap();
            let place = |tap| halves.tap(tap).unwrap();
            let here = |in_back: bool| -> Vec<TapRequest> {
                let taps = TAPS.into_iter().map(place);
                let taps = taps.filter(|(back, _)| *back == in_back);
                both(taps.map(|(_, tap)| tap))
            };
            let cut = Tap::Layer(last);
            let mut requests = here(false);
            requests.push(TapRequest::features(cut));
            let front_tape = front.forward(&image, &requests).unwrap();
            let features = device.copy(front_tape.features(cut).unwrap()).unwrap();
            let back_tape = back.forward(&features, &here(true)).unwrap();
            let (mut all, mut parts) = (Vec::new(), [Vec::new(), Vec::new()]);
            for (seed, tap) in (100..).step_by(10).zip(TAPS) {
                let (in_back, part) = place(tap);
                let half = if in_back { &back_tape } else { &front_tape };
                let expected = device.download(&tape.moments(tap).unwrap().second).unwrap();
                let case = format!("{tap} cut at {last}");
                close(
                    &case,
                    device,
                    &half.moments(part).unwrap().second,
                    &expected,
                );
                let shape = tape.features(tap).unwrap().shape().to_vec();
                let moments = || towards(device, seed, shape[0], 1.0);
                let features = || upload(device, seed + 5, &shape);
                all.push(Cotangent::moments(tap, moments()));
                all.push(Cotangent::features(tap, features()));
                parts[usize::from(in_back)].push(Cotangent::moments(part, moments()));
                parts[usize::from(in_back)].push(Cotangent::features(part, features()));
            }
            let expected = device.download(&tape.backward(all).unwrap()).unwrap();
            let [mut first, second] = parts;
            let gradient = back_tape.backward(second).unwrap();
            assert_eq!(gradient.shape(), features.shape());
            first.push(Cotangent::features(cut, gradient));
            let gradient = front_tape.backward(first).unwrap();
            close(
                &format!("gradient cut at {last}"),
                device,
                &gradient,
                &expected,
            );
        }
    }
}

#[test]
fn tiles_together_are_the_whole() {
    // 26×45 px in windows of 12 px and more. The reach of the deepest layer, 10 px, makes a margin of 12: three times
    // its stride.
    let (h, w) = (26, 45);
    let spec = spec(PoolKind::Max, Padding::Replicate);
    assert_eq!(spec.reach(11), 2 + 4 + 4);
    let margin = 12;
    for device in devices() {
        let device = &*device;
        let network = device.network(&spec).unwrap();
        let whole = image(device, h, w);
        let taps = [Tap::Layer(1), Tap::Layer(6), Tap::Layer(11), Tap::Head(0)];
        let requests = taps.map(TapRequest::moments);
        let tape = network.forward(&whole, &requests).unwrap();
        let cotangents = |factor: &dyn Fn(Tap) -> f32, given: &dyn Fn(Tap) -> bool| {
            let taps = (100..).step_by(10).zip(taps).filter(|(_, tap)| given(*tap));
            taps.map(|(seed, tap)| {
                let [channels, ..] = spec.shape_at(tap, size(h, w)).unwrap();
                Cotangent::moments(tap, towards(device, seed, channels, factor(tap)))
            })
            .collect::<Vec<_>>()
        };
        let expected: Vec<Vec<f32>> = taps
            .map(|tap| device.download(&tape.moments(tap).unwrap().second).unwrap())
            .to_vec();
        let gradient = tape.backward(cotangents(&|_| 1.0, &|_| true)).unwrap();
        let gradient = device.download(&gradient).unwrap();
        let mut sums: Vec<Tensor> = taps
            .iter()
            .map(|tap| {
                let [c, ..] = spec.shape_at(*tap, size(h, w)).unwrap();
                device.zeros(&[c, c]).unwrap()
            })
            .collect();
        let mut total = device.zeros(&[3, h, w]).unwrap();
        for (top, bottom) in [(0, 12), (12, h)] {
            for (left, right) in [(0, 16), (16, 28), (28, w)] {
                let core = Window {
                    top,
                    left,
                    height: bottom - top,
                    width: right - left,
                };
                let (first_row, first_column) =
                    (top.saturating_sub(margin), left.saturating_sub(margin));
                let around = Window {
                    top: first_row,
                    left: first_column,
                    height: h.min(bottom + margin) - first_row,
                    width: w.min(right + margin) - first_column,
                };
                let cut = Patch {
                    from: around,
                    to: (0, 0),
                };
                let mut tile = device.zeros(&[3, around.height, around.width]).unwrap();
                device.paste(&whole, &cut, 0.0, &mut tile).unwrap();
                let again = device.copy(&tile).unwrap();
                let window = core.within(&around);
                let tape = network.forward_tile(tile, &window, &requests).unwrap();
                let share = |tap: Tap| {
                    let stride = spec.stride(spec.layer_of(tap).unwrap());
                    let [_, h, w] = spec.shape_at(tap, size(h, w)).unwrap();
                    window.at_stride(stride).pixels() as f32 / (h * w) as f32
                };
                for (sum, tap) in sums.iter_mut().zip(taps) {
                    let second = &tape.moments(tap).unwrap().second;
                    device.axpby(share(tap), second, 1.0, sum).unwrap();
                }
                // The moments are known by now: another pass replays them.
                let replays = taps.map(TapRequest::replay);
                let mut tape = network.forward_tile(again, &window, &replays).unwrap();
                assert!(tape.moments(taps[0]).is_err());
                tape.release();
                let gradient = tape.backward(cotangents(&share, &|_| true)).unwrap();
                let back = Patch {
                    from: Window::whole(around.size()),
                    to: (first_row, first_column),
                };
                device.paste(&gradient, &back, 1.0, &mut total).unwrap();
            }
        }
        for ((sum, expected), tap) in sums.iter().zip(&expected).zip(taps) {
            close(&format!("moments of {tap}"), device, sum, expected);
        }
        close("gradient", device, &total, &gradient);
    }
}

#[test]
fn released_features_are_gone_and_their_gradient_is_not() {
    let spec = spec(PoolKind::Max, Padding::Zero);
    for device in devices() {
        let device = &*device;
        let network = device.network(&spec).unwrap();
        let tap = Tap::Layer(8);
        let gradient = |release: bool| {
            let image = image(device, 16, 12);
            let mut tape = network
                .forward(&image, &[TapRequest::features(tap)])
                .unwrap();
            if release {
                tape.release();
            }
            let towards = upload(device, 1, &[33, 8, 6]);
            let gradient = tape
                .backward(vec![Cotangent::features(tap, towards)])
                .unwrap();
            device.download(&gradient).unwrap()
        };
        assert_same(&device.describe(), &gradient(true), &gradient(false));
    }
}

#[test]
fn patches_go_where_they_should() {
    for channels in [1, 3, 5, 16, 20] {
        for b in [0.0, 1.0, -0.5] {
            let results: Vec<Vec<f32>> = devices()
                .iter()
                .map(|device| {
                    let x = upload(&**device, 3, &[channels, 7, 5]);
                    let mut y = upload(&**device, 4, &[channels, 4, 9]);
                    let patch = Patch {
                        from: Window {
                            top: 2,
                            left: 1,
                            height: 3,
                            width: 4,
                        },
                        to: (1, 5),
                    };
                    device.paste(&x, &patch, b, &mut y).unwrap();
                    device.download(&y).unwrap()
                })
                .collect();
            let (x, mut y) = (noise(3, channels * 35), noise(4, channels * 36));
            for c in 0..channels {
                for row in 0..3 {
                    for column in 0..4 {
                        let to = &mut y[(c * 4 + row + 1) * 9 + column + 5];
                        *to = x[(c * 7 + row + 2) * 5 + column + 1] + b * *to;
                    }
                }
            }
            for result in &results {
                let tolerance = Tolerance::of_greatest(1e-6, &y);
                assert_close(
                    &format!("{channels} channels, b {b}"),
                    result,
                    &y,
                    tolerance,
                );
            }
        }
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let spec = spec(PoolKind::Max, Padding::Zero);
    // Nothing lies behind the last layer; a ReLU lies behind a convolution.
    assert!(spec.split(11).is_err());
    assert!(spec.split(0).is_err());
    assert!(spec.split(99).is_err());
    for device in devices() {
        let device = &*device;
        let network = device.network(&spec).unwrap();
        let deep = [TapRequest::moments(Tap::Layer(11))];
        let run = |top, height, taps: &[TapRequest]| {
            let window = Window {
                top,
                left: 0,
                height,
                width: 12,
            };
            network
                .forward_tile(image(device, 16, 12), &window, taps)
                .map(|_| ())
        };
        assert!(run(4, 12, &deep).is_ok());
        assert!(run(8, 12, &deep).is_err(), "beyond the image");
        assert!(run(4, 3, &deep).is_err(), "nothing to take moments of");
        assert!(run(4, 3, &[TapRequest::features(Tap::Layer(11))]).is_ok());
        let mut small = device.zeros(&[3, 2, 2]).unwrap();
        let patch = Patch {
            from: Window::whole(size(2, 3)),
            to: (0, 0),
        };
        assert!(
            device
                .paste(&image(device, 4, 4), &patch, 0.0, &mut small)
                .is_err()
        );
        let mut other = device.zeros(&[2, 4, 4]).unwrap();
        assert!(
            device
                .paste(&image(device, 4, 4), &patch, 0.0, &mut other)
                .is_err()
        );
    }
}
