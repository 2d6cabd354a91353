//! Every loss's gradient against finite differences of its value, in f64 on the reference device.

use super::content::ContentLoss;
use super::edges::EdgesLoss;
use super::gram::GramNorm;
use super::gram::{GramLoss, StyleMoments};
use super::mean_std::MeanStdLoss;
use super::region::{Places, RegionLoss};
use super::variation::VariationLoss;
use super::wasserstein::WassersteinLoss;
use super::*;
use crate::named::Named;
use impasto_compute::prelude::*;
use impasto_compute::reference::ReferenceDevice;
use impasto_compute::{Patch, Reduction, Size, TotalVariation};
use impasto_testing::numbers::fine_noise;
use impasto_testing::{Tolerance, assert_close, assert_near};

const DEVICE: ReferenceDevice = ReferenceDevice;

/// Moments of features with `c` channels at `n` places.
fn moments(seed: u64, c: usize, n: usize) -> Moments {
    let features = fine_noise(seed, c * n);
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
    ReferenceDevice::tensor(fine_noise(seed, shape.iter().product()), shape).unwrap()
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

/// Evaluates a loss, scaled and weighted, at the values of some tensors: one, or the mean and second of moments. Of a
/// region, at features.
fn evaluate(objective: &Objective, values: &[f64], like: &[&Tensor]) -> (LossValue, Vec<Gradient>) {
    let mut tensors = unflat(values, like);
    let moments;
    let term = &objective.terms()[0];
    let places = term.loss.places();
    let seen = match term.loss.views() {
        [View::Moments(_)] if places.is_some() => {
            moments = of_places(places.unwrap(), &tensors[0]);
            Seen::Moments(&moments)
        }
        [View::Moments(_)] => {
            let (second, mean) = (tensors.remove(1), tensors.remove(0));
            moments = Moments { mean, second };
            Seen::Moments(&moments)
        }
        [View::Features(_)] => {
            let (height, width) = (tensors[0].shape()[1], tensors[0].shape()[2]);
            let (features, place) = (&tensors[0], Window::whole(Size { width, height }));
            Seen::Features { features, place }
        }
        _ => Seen::Image(&tensors[0]),
    };
    let mut progress = Progress::new(&DEVICE, objective);
    let mut gradients = progress.whole(0, &[seen]).unwrap();
    if let (Some(places), [Gradient::Moments(towards)]) = (places, &gradients[..]) {
        let seen = (&tensors[0], &everywhere(&tensors[0]));
        let towards = places.towards_features(&DEVICE, seen, towards);
        gradients = vec![Gradient::Tensor(towards.unwrap())];
    }
    let nothing = DEVICE.upload(&[0.0], &[1]).unwrap();
    let mut values = progress.finish(nothing).values;
    (values.remove(0), gradients)
}

fn everywhere(features: &Tensor) -> Window {
    let (height, width) = (features.shape()[1], features.shape()[2]);
    Window::whole(Size { width, height })
}

/// The moments of a region, in two parts.
fn of_places(places: &Places, features: &Tensor) -> Moments {
    let (c, whole) = (features.shape()[0], everywhere(features));
    let mut moments: Option<Moments> = None;
    for (left, width) in [(0, 2), (2, whole.width - 2)] {
        let place = Window {
            left,
            width,
            ..whole
        };
        let mut part = DEVICE.zeros(&[c, place.height, place.width]).unwrap();
        let patch = Patch {
            from: place,
            to: (0, 0),
        };
        DEVICE.paste(features, &patch, 0.0, &mut part).unwrap();
        let part = places.moments(&DEVICE, &part, &place).unwrap();
        match &mut moments {
            Some(sum) => {
                DEVICE.axpby(1.0, &part.mean, 1.0, &mut sum.mean).unwrap();
                DEVICE
                    .axpby(1.0, &part.second, 1.0, &mut sum.second)
                    .unwrap();
            }
            none => *none = Some(part),
        }
    }
    moments.unwrap()
}

/// Directional derivatives along random directions and every single entry of a few.
fn check(name: &str, loss: impl Loss + 'static, scaling: Scaling, shown: &[&Tensor]) {
    const WEIGHT: f32 = 1.5;
    const STEP: f64 = 1e-5;
    let objective = Objective::new(vec![Term {
        name: name.into(),
        weight: WEIGHT,
        scaling,
        loss: Box::new(loss),
    }]);
    let at = flat(shown);
    let (here, gradients) = evaluate(&objective, &at, shown);
    let gradient = match &gradients[..] {
        [Gradient::Tensor(tensor)] => flat(&[tensor]),
        [Gradient::Moments(moments)] => flat(&[&moments.mean, &moments.second]),
        _ => panic!("{name}: one view has one gradient"),
    };
    // A gradient norm counts as a constant.
    let value = |values: &[f64]| {
        let (mut value, _) = evaluate(&objective, values, shown);
        value.divisor = here.divisor.clone();
        value.value().unwrap()
    };
    assert!(
        gradient.iter().any(|&g| g != 0.0),
        "{name}: a gradient of zeros tests nothing"
    );
    for direction in 0..6u64 {
        let mut along = fine_noise(100 + direction, at.len());
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
        let (up, down) = (value(&moved(STEP)), value(&moved(-STEP)));
        let expected = f64::from(WEIGHT) * (up - down) / (2.0 * STEP);
        let got: f64 = gradient.iter().zip(&along).map(|(g, d)| g * d).sum();
        let magnitudes = gradient.iter().map(|g| g.abs()).sum::<f64>();
        let tolerance = 1e-6 * expected.abs().max(1e-3 * magnitudes);
        let case = format!("{name}, direction {direction}");
        assert_near(&case, got, expected, Tolerance::absolute(tolerance));
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
        let (target, of_target) = (tensor(1, &[3, 4, 5]), moments(2, 3, 20));
        let loss = ContentLoss::new(&DEVICE, TAP, target, &of_target).unwrap();
        let seen = tensor(3, &[3, 4, 5]);
        check(&format!("content, {name}"), loss, scaling, &[&seen]);
    }
}

/// Parts of the features, each shown once, have the value and the gradient of the whole.
#[test]
fn content_is_a_sum_over_places() {
    let (target, of_target) = (tensor(1, &[3, 4, 5]), moments(2, 3, 20));
    let loss = ContentLoss::new(&DEVICE, TAP, target, &of_target).unwrap();
    let objective = Objective::new(vec![Term {
        name: "content".into(),
        weight: 0.5,
        scaling: Scaling {
            normalize: Normalize::Gradient,
            ..Scaling::NONE
        },
        loss: Box::new(loss),
    }]);
    let seen = tensor(3, &[3, 4, 5]);
    let (whole, gradient) = evaluate(&objective, &flat(&[&seen]), &[&seen]);
    let [Gradient::Tensor(gradient)] = &gradient[..] else {
        panic!("content looks at features")
    };
    let mut progress = Progress::new(&DEVICE, &objective);
    let mut parts = Vec::new();
    for (top, height) in [(0, 1), (1, 3)] {
        let place = Window {
            top,
            height,
            ..Window::whole(Size {
                width: 5,
                height: 4,
            })
        };
        let mut features = DEVICE.zeros(&[3, height, 5]).unwrap();
        let patch = Patch {
            from: place,
            to: (0, 0),
        };
        DEVICE.paste(&seen, &patch, 0.0, &mut features).unwrap();
        let features = &features;
        let shown = Seen::Features { features, place };
        parts.push((top, progress.part(TAP, shown, true).unwrap().remove(0).1));
    }
    progress.settle(0);
    for (top, mut part) in parts {
        progress.normalize(0, &mut part).unwrap();
        let mut expected = DEVICE.zeros(part.shape()).unwrap();
        let patch = Patch {
            from: Window {
                top,
                height: part.shape()[1],
                ..Window::whole(Size {
                    width: 5,
                    height: 4,
                })
            },
            to: (0, 0),
        };
        DEVICE.paste(gradient, &patch, 0.0, &mut expected).unwrap();
        let (got, expected) = (flat(&[&part]), flat(&[&expected]));
        assert_close("a part", &got, &expected, Tolerance::absolute(1e-12));
    }
    let nothing = DEVICE.upload(&[0.0], &[1]).unwrap();
    let value = progress.finish(nothing).values[0].value().unwrap();
    assert_near(
        "the sum of parts",
        value,
        whole.value().unwrap(),
        Tolerance::absolute(1e-12),
    );
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
            let loss = GramLoss::new(&DEVICE, TAP, &styles, 20, norm).unwrap();
            let name = format!("gram ÷ {norm_name}, {name}");
            check(&name, loss, scaling, &[&seen.mean, &seen.second]);
        }
    }
}

#[test]
fn wasserstein() {
    let (style, seen) = (moments(7, 5, 40), moments(8, 5, 30));
    for (name, scaling) in scalings() {
        let loss = WassersteinLoss::new(&DEVICE, TAP, &[alone(&style)]).unwrap();
        let name = format!("wasserstein, {name}");
        check(&name, loss, scaling, &[&seen.mean, &seen.second]);
    }
}

#[test]
fn mean_std() {
    let (style, seen) = (moments(9, 5, 40), moments(10, 5, 30));
    for (name, scaling) in scalings() {
        let loss = MeanStdLoss::new(&DEVICE, TAP, &[alone(&style)]).unwrap();
        let name = format!("mean-std, {name}");
        check(&name, loss, scaling, &[&seen.mean, &seen.second]);
    }
}

/// The only painting.
fn alone(moments: &Moments) -> StyleMoments<'_> {
    StyleMoments {
        moments,
        pixels: 40,
        share: 1.0,
    }
}

#[test]
fn variation() {
    for (name, scaling) in scalings() {
        for &(kind_name, kind) in TotalVariation::NAMES {
            for shape in [[3, 4, 5], [3, 1, 6], [3, 2, 1]] {
                let reduction = scaling.reduction;
                let loss = VariationLoss { kind, reduction };
                let name = format!("{kind_name} of {shape:?}, {name}");
                check(&name, loss, scaling, &[&tensor(11, &shape)]);
            }
        }
    }
}

#[test]
fn a_target_that_is_reached_scores_zero() {
    let style = moments(12, 4, 40);
    let shown = [&style.mean, &style.second];
    for (name, scaling) in scalings() {
        let styles = [alone(&style)];
        let losses: [Box<dyn Loss>; 3] = [
            Box::new(GramLoss::new(&DEVICE, TAP, &styles, 40, GramNorm::Chw).unwrap()),
            Box::new(WassersteinLoss::new(&DEVICE, TAP, &styles).unwrap()),
            Box::new(MeanStdLoss::new(&DEVICE, TAP, &styles).unwrap()),
        ];
        for loss in losses {
            let objective = Objective::new(vec![Term {
                name: format!("{loss:?}, {name}"),
                weight: 1.0,
                scaling,
                loss,
            }]);
            let name = &objective.terms()[0].name;
            let (value, gradients) = evaluate(&objective, &flat(&shown), &shown);
            let [Gradient::Moments(gradient)] = &gradients[..] else {
                panic!("style looks at moments")
            };
            // A normalised gradient has norm 1 however small it is; only its value must vanish.
            if scaling.normalize != Normalize::Gradient {
                let value = value.value().unwrap();
                assert_near(name, value, 0.0, Tolerance::absolute(1e-9));
                let (gradient, zeros) = (flat(&[&gradient.second]), [0.0; 16]);
                assert_close(name, &gradient, &zeros, Tolerance::absolute(1e-6));
            }
        }
    }
}

/// Features of 5 channels at 4×6 places, and weights that leave some places out.
fn region() -> (Tensor, Vec<f32>) {
    let weights: Vec<f64> = fine_noise(14, 24).iter().map(|x| x.max(0.0)).collect();
    let total: f64 = weights.iter().sum();
    assert!(weights.contains(&0.0));
    let weights = weights.iter().map(|weight| (weight / total) as f32);
    (tensor(15, &[5, 4, 6]), weights.collect())
}

fn in_places(loss: Box<dyn Loss>, weights: &[f32]) -> RegionLoss {
    let size = Size {
        width: 6,
        height: 4,
    };
    RegionLoss::new(loss, Places::new(&DEVICE, weights.to_vec(), size).unwrap())
}

fn style_losses(styles: &[StyleMoments<'_>]) -> [Box<dyn Loss>; 3] {
    [
        Box::new(GramLoss::new(&DEVICE, TAP, styles, 40, GramNorm::Chw).unwrap()),
        Box::new(WassersteinLoss::new(&DEVICE, TAP, styles).unwrap()),
        Box::new(MeanStdLoss::new(&DEVICE, TAP, styles).unwrap()),
    ]
}

#[test]
fn in_a_region() {
    let (style, (features, weights)) = (moments(16, 5, 40), region());
    for (name, scaling) in scalings() {
        for loss in style_losses(&[alone(&style)]) {
            let name = format!("{loss:?} in a region, {name}");
            let loss = in_places(loss, &weights);
            check(&name, loss, scaling, &[&features]);
        }
    }
}

/// A region that is the whole is none, and what lies outside of one has no gradient.
#[test]
fn a_region_sees_its_places_alone() {
    let (style, (features, weights)) = (moments(16, 5, 40), region());
    let objective = |loss: Box<dyn Loss>| {
        Objective::new(vec![Term {
            name: "region".into(),
            weight: 1.0,
            scaling: Scaling::NONE,
            loss,
        }])
    };
    let equal = [1.0 / 24.0; 24];
    let all = DEVICE.upload(&equal, &[4, 6]).unwrap();
    let whole = DEVICE.weighted_moments(&features, &all).unwrap();
    let whole = [&whole.mean, &whole.second];
    let styles = [alone(&style)];
    let losses = style_losses(&styles).into_iter().zip(style_losses(&styles));
    for (plain, wrapped) in losses {
        let name = format!("{plain:?}");
        let (expected, _) = evaluate(&objective(plain), &flat(&whole), &whole);
        let of_all = objective(Box::new(in_places(wrapped, &equal)));
        let (value, _) = evaluate(&of_all, &flat(&[&features]), &[&features]);
        let tolerance = Tolerance::relative(1e-9);
        assert_near(
            &name,
            value.value().unwrap(),
            expected.value().unwrap(),
            tolerance,
        );
    }
    for loss in style_losses(&styles) {
        let in_part = objective(Box::new(in_places(loss, &weights)));
        let (_, gradients) = evaluate(&in_part, &flat(&[&features]), &[&features]);
        let [Gradient::Tensor(gradient)] = &gradients[..] else {
            panic!("a region looks at features")
        };
        for (place, value) in flat(&[gradient]).into_iter().enumerate() {
            assert_eq!(value != 0.0, weights[place % 24] != 0.0, "place {place}");
        }
    }
}

#[test]
fn content_where_it_counts() {
    for (name, scaling) in scalings() {
        let (target, of_target) = (tensor(1, &[3, 4, 5]), moments(2, 3, 20));
        let weights: Vec<f32> = fine_noise(17, 20).iter().map(|x| x.abs() as f32).collect();
        let loss = ContentLoss::new(&DEVICE, TAP, target, &of_target).unwrap();
        let loss = loss.weighted(&DEVICE, &weights).unwrap();
        check(
            &format!("weighted content, {name}"),
            loss,
            scaling,
            &[&tensor(18, &[3, 4, 5])],
        );
    }
}

#[test]
fn edges() {
    for (name, scaling) in scalings() {
        for (shape, distance) in [
            ([3, 5, 7], 1),
            ([3, 6, 9], 2),
            ([3, 1, 8], 1),
            ([3, 4, 4], 3),
        ] {
            let loss = EdgesLoss::new(&DEVICE, &tensor(19, &shape), distance).unwrap();
            let name = format!("edges of {shape:?} at {distance}, {name}");
            check(&name, loss, scaling, &[&tensor(20, &shape)]);
        }
    }
    // Nothing is beyond its reach.
    let loss = EdgesLoss::new(&DEVICE, &tensor(19, &[3, 2, 2]), 5).unwrap();
    assert_eq!(loss.extent().target, 0.0);
}
