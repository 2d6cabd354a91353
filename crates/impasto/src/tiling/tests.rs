//! Every way to tile: what is cut, and what is remembered, changes no more than rounding.

use super::*;
use crate::Result;
use crate::encoder::{Encoder, EncoderOptions};
use crate::loss::content::ContentLoss;
use crate::loss::gram::{GramLoss, GramNorm, StyleMoments};
use crate::loss::{Loss, Normalize, Scaling, Term, View};
use impasto_compute::{PoolKind, Reduction, Size};
use impasto_testing::{Tolerance, assert_near};

fn picture(device: &dyn Device, seed: usize, (h, w): (usize, usize)) -> Result<Tensor> {
    let value = |k: usize| ((k * 37 + k / 7 * seed) % 101) as f32 / 100.0;
    let values: Vec<f32> = (0..3 * h * w).map(value).collect();
    Ok(device.upload(&values, &[3, h, w])?)
}

/// Content at one layer, style at two, towards what other pictures show.
fn objective(
    device: &dyn Device,
    network: NetworkView<'_>,
    encoder: &Encoder,
    (h, w): (usize, usize),
) -> Result<Objective> {
    let layers = encoder.default_layers();
    let (content, style) = (&layers.content[..1], &layers.style[..2]);
    // Features and moments of each.
    let requests = |layers: &[_]| -> Vec<TapRequest> {
        let taps = layers.iter().filter_map(|layer| encoder.tap(*layer).ok());
        taps.flat_map(|tap| [TapRequest::features(tap), TapRequest::moments(tap)])
            .collect()
    };
    let mut terms = Vec::new();
    let mut add = |name: &str, loss: Box<dyn Loss>| {
        terms.push(Term {
            name: name.into(),
            weight: 1.0,
            scaling: Scaling {
                normalize: Normalize::Target,
                reduction: Reduction::Mean,
                factor: 1.0,
            },
            loss,
        });
    };
    let content = requests(content);
    let shown = network.extract(device, &picture(device, 3, (h, w))?, &content)?;
    let mut shown = shown.into_iter();
    for request in content.chunks(2) {
        let (features, moments) = (shown.next().unwrap(), shown.next().unwrap());
        let (features, moments) = (features.features.unwrap(), moments.moments.unwrap());
        let loss = ContentLoss::new(device, request[0].tap, features, &moments)?;
        add("content", Box::new(loss));
    }
    let style = requests(style);
    let shown = network.extract(device, &picture(device, 5, (h, w))?, &style)?;
    for (request, shown) in style.iter().zip(shown) {
        let Some(moments) = &shown.moments else {
            continue;
        };
        let size = Size {
            width: w,
            height: h,
        };
        let [_, height, width] = network.spec().shape_at(request.tap, size)?;
        let pixels = height * width;
        let styles = [StyleMoments {
            moments,
            pixels,
            share: 1.0,
        }];
        let loss = GramLoss::new(device, request.tap, &styles, pixels, GramNorm::Chw)?;
        add("style", Box::new(loss));
    }
    let seen = terms.iter().flat_map(|term| term.loss.views());
    assert!(seen.clone().any(|view| matches!(view, View::Moments(_))));
    assert!(seen.clone().any(|view| matches!(view, View::Features(_))));
    Ok(Objective::new(terms))
}

#[test]
fn every_way_to_remember_has_the_gradient_of_the_whole() -> Result<()> {
    let size = (100, 130);
    let device = crate::device::open(&crate::device::Choice::default())?;
    let device = device.as_ref();
    let encoder = Encoder::lite()?;
    // What does not run in strips.
    let spec = encoder.spec(&EncoderOptions {
        pooling: PoolKind::L2,
        ..EncoderOptions::default()
    });
    let network = device.network(&spec)?;
    let whole = NetworkView::Whole(network.as_ref());
    let objective = objective(device, whole, &encoder, size)?;
    let image = picture(device, 1, size)?;
    let expected = whole.evaluate(device, &objective, &image)?;
    let total = objective.total(&expected.values)?;
    let expected = device.download(&expected.gradient)?;
    let largest = expected.iter().fold(0.0, |m: f32, g| m.max(g.abs()));
    assert!(largest > 0.0);
    // Uncut, behind the first pool, behind a layer whose moments are asked for.
    for cut in [None, Some(4), Some(6)] {
        for front_kept in [false, true] {
            for kept in [1, usize::MAX] {
                let plan = TilePlan {
                    height: 50,
                    width: 65,
                    cut,
                    front: 64,
                    front_kept,
                    kept,
                };
                let case = format!("{plan:?}");
                let tiled = TiledNetwork::new(device, &spec, &plan)?;
                let got = tiled.evaluate(device, &objective, &image)?;
                let got_total = objective.total(&got.values)?;
                assert_near(&case, got_total, total, Tolerance::relative(1e-5));
                let got = device.download(&got.gradient)?;
                assert_eq!(got.len(), expected.len());
                // A rectifier over a value that is nearly 0 may go either way.
                let close = |(a, b): &(&f32, &f32)| (*a - *b).abs() <= 1e-3 * largest;
                let close = got.iter().zip(&expected).filter(close).count();
                let wrong = got.len() - close;
                assert!(wrong * 200 <= got.len(), "{case}: {wrong} of {}", got.len());
            }
        }
    }
    Ok(())
}
