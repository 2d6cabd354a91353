//! Every loss's gradient against finite differences of its value, in f64 on the reference device.

use super::content::ContentLoss;
use super::gram::{GramLoss, StyleMoments};
use super::mean_std::MeanStdLoss;
use super::variation::VariationLoss;
use super::wasserstein::WassersteinLoss;
use super::*;
use crate::named::Named;
use crate::recipe::GramNorm;
use impasto_compute::TotalVariation;
use impasto_compute::reference::ReferenceDevice;

const DEVICE: ReferenceDevice = ReferenceDevice;

/// Repeatable numbers in −1..1.
fn numbers(seed: u64, count: usize) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// Moments of features with `c` channels at `n` places.
fn moments(seed: u64, c: usize, n: usize) -> Moments {
    let features = numbers(seed, c * n);
    let mean = (0..c)
        .map(|i| features[i * n..][..n].iter().sum::<f64>() / n as f64)
        .collect();
    let product = |i: usize, j: usize| {
        features[i * n..][..n]
            .iter()
            .zip(&features[j * n..][..n])
            .map(|(x, y)| x * y)
            .sum::<f64>()
            / n as f64
    };
    let second = (0..c * c).map(|k| product(k / c, k % c)).collect();
    Moments {
        mean: ReferenceDevice::tensor(mean, &[c]).unwrap(),
        second: ReferenceDevice::tensor(second, &[c, c]).unwrap(),
    }
}

fn tensor(seed: u64, shape: &[usize]) -> Tensor {
    ReferenceDevice::tensor(numbers(seed, shape.iter().product()), shape).unwrap()
}

/// The tensors of a gradient, or of what a loss is shown.
fn flat(tensors: &[&Tensor]) -> Vec<f64> {
    tensors
        .iter()
        .flat_map(|tensor| ReferenceDevice::values(tensor).unwrap().to_vec())
        .collect()
}

/// Rebuilds tensors of the shapes of `like` from values in a row.
fn unflat(values: &[f64], like: &[&Tensor]) -> Vec<Tensor> {
    let mut rest = values;
    let mut tensors = Vec::new();
    for tensor in like {
        let (first, others) = rest.split_at(tensor.len());
        tensors.push(ReferenceDevice::tensor(first.to_vec(), tensor.shape()).unwrap());
        rest = others;
    }
    tensors
}

/// The value (with any gradient norm held at that of `at`) of a loss at some values.
fn value(
    loss: &dyn Loss,
    values: &[f64],
    like: &[&Tensor],
    weight: f32,
    frozen: Option<&LossValue>,
) -> f64 {
    let mut tensors = unflat(values, like);
    let (mut value, _) = if like.len() == 2 {
        let (second, mean) = (tensors.remove(1), tensors.remove(0));
        loss.evaluate(&DEVICE, Seen::Moments(&Moments { mean, second }), weight)
            .unwrap()
    } else {
        loss.evaluate(&DEVICE, Seen::Tensor(&tensors[0]), weight)
            .unwrap()
    };
    if let Some(frozen) = frozen {
        value.divisor = frozen.divisor.clone();
    }
    value.value().unwrap()
}

/// Directional derivatives along random directions and every single entry of a few.
fn check(name: &str, loss: &dyn Loss, shown: &[&Tensor]) {
    const WEIGHT: f32 = 1.5;
    const STEP: f64 = 1e-5;
    let at = flat(shown);
    let (here, gradient) = match shown {
        [mean, second] => {
            let copies = unflat(&flat(&[mean, second]), shown);
            let [mean, second]: [Tensor; 2] = copies.try_into().unwrap();
            loss.evaluate(&DEVICE, Seen::Moments(&Moments { mean, second }), WEIGHT)
                .unwrap()
        }
        [tensor] => loss
            .evaluate(&DEVICE, Seen::Tensor(tensor), WEIGHT)
            .unwrap(),
        _ => unreachable!("a loss is shown one tensor or moments"),
    };
    let gradient = match &gradient {
        Gradient::Tensor(tensor) => flat(&[tensor]),
        Gradient::Moments(moments) => flat(&[&moments.mean, &moments.second]),
    };
    assert!(
        gradient.iter().any(|&g| g != 0.0),
        "{name}: a gradient of zeros tests nothing"
    );
    for direction in 0..6u64 {
        let mut along = numbers(100 + direction, at.len());
        if let [mean, second] = shown {
            // Second moments are symmetric; so are their changes.
            let (c, start) = (second.shape()[0], mean.len());
            for i in 0..c {
                for j in 0..i {
                    along[start + i * c + j] = along[start + j * c + i];
                }
            }
        }
        let moved = |step: f64| {
            at.iter()
                .zip(&along)
                .map(|(x, d)| x + step * d)
                .collect::<Vec<_>>()
        };
        let up = value(loss, &moved(STEP), shown, WEIGHT, Some(&here));
        let down = value(loss, &moved(-STEP), shown, WEIGHT, Some(&here));
        let expected = f64::from(WEIGHT) * (up - down) / (2.0 * STEP);
        let got: f64 = gradient.iter().zip(&along).map(|(g, d)| g * d).sum();
        let tolerance = 1e-6
            * expected
                .abs()
                .max(gradient.iter().map(|g| g.abs()).sum::<f64>() * 1e-3);
        assert!(
            (got - expected).abs() <= tolerance,
            "{name}: {got} instead of {expected} in direction {direction}"
        );
    }
}

fn scalings() -> impl Iterator<Item = (String, Scaling)> {
    Normalize::NAMES.iter().flat_map(|&(n, normalize)| {
        Reduction::NAMES.iter().map(move |&(r, reduction)| {
            (
                format!("{n}, {r}"),
                Scaling {
                    normalize,
                    reduction,
                    factor: 0.75,
                },
            )
        })
    })
}

const TAP: Tap = Tap::Layer(0);

#[test]
fn content() {
    for (name, scaling) in scalings() {
        let loss = ContentLoss::new(
            &DEVICE,
            TAP,
            tensor(1, &[3, 4, 5]),
            &moments(2, 3, 20),
            scaling,
        )
        .unwrap();
        check(
            &format!("content, {name}"),
            &loss,
            &[&tensor(3, &[3, 4, 5])],
        );
    }
}

#[test]
fn gram() {
    let (one, two, seen) = (moments(4, 5, 12), moments(5, 5, 30), moments(6, 5, 20));
    let styles = [
        StyleMoments {
            moments: &one,
            pixels: 12,
            share: 0.25,
        },
        StyleMoments {
            moments: &two,
            pixels: 30,
            share: 0.75,
        },
    ];
    for (name, scaling) in scalings() {
        for &(norm_name, norm) in GramNorm::NAMES {
            let loss = GramLoss::new(&DEVICE, TAP, &styles, 20, norm, scaling).unwrap();
            check(
                &format!("gram ÷ {norm_name}, {name}"),
                &loss,
                &[&seen.mean, &seen.second],
            );
        }
    }
}

#[test]
fn wasserstein() {
    let (style, seen) = (moments(7, 5, 40), moments(8, 5, 30));
    let styles = [StyleMoments {
        moments: &style,
        pixels: 40,
        share: 1.0,
    }];
    for (name, scaling) in scalings() {
        let loss = WassersteinLoss::new(&DEVICE, TAP, &styles, scaling).unwrap();
        check(
            &format!("wasserstein, {name}"),
            &loss,
            &[&seen.mean, &seen.second],
        );
    }
}

#[test]
fn mean_std() {
    let (style, seen) = (moments(9, 5, 40), moments(10, 5, 30));
    let styles = [StyleMoments {
        moments: &style,
        pixels: 40,
        share: 1.0,
    }];
    for (name, scaling) in scalings() {
        let loss = MeanStdLoss::new(&DEVICE, TAP, &styles, scaling).unwrap();
        check(
            &format!("mean-std, {name}"),
            &loss,
            &[&seen.mean, &seen.second],
        );
    }
}

#[test]
fn variation() {
    for (name, scaling) in scalings() {
        for &(kind_name, kind) in TotalVariation::NAMES {
            for shape in [[3, 4, 5], [3, 1, 6], [3, 2, 1]] {
                let loss = VariationLoss { kind, scaling };
                check(
                    &format!("{kind_name} of {shape:?}, {name}"),
                    &loss,
                    &[&tensor(11, &shape)],
                );
            }
        }
    }
}

#[test]
fn a_target_that_is_reached_scores_zero() {
    let style = moments(12, 4, 30);
    let styles = [StyleMoments {
        moments: &style,
        pixels: 30,
        share: 1.0,
    }];
    for (name, scaling) in scalings() {
        let losses: [Box<dyn Loss>; 3] = [
            Box::new(GramLoss::new(&DEVICE, TAP, &styles, 30, GramNorm::Chw, scaling).unwrap()),
            Box::new(WassersteinLoss::new(&DEVICE, TAP, &styles, scaling).unwrap()),
            Box::new(MeanStdLoss::new(&DEVICE, TAP, &styles, scaling).unwrap()),
        ];
        for loss in losses {
            let (value, gradient) = loss.evaluate(&DEVICE, Seen::Moments(&style), 1.0).unwrap();
            let Gradient::Moments(gradient) = gradient else {
                panic!("style looks at moments")
            };
            // A normalised gradient has norm 1 however small it is; only its value must vanish.
            if scaling.normalize != Normalize::Gradient {
                let value = value.value().unwrap();
                assert!(value.abs() < 1e-9, "{name}: {loss:?} is {value}");
                assert!(
                    flat(&[&gradient.second]).iter().all(|g| g.abs() < 1e-6),
                    "{name}: {loss:?}"
                );
            }
        }
    }
}
