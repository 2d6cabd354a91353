//! Who looks at what is painted: the losses of impasto's default recipe, as the embedded encoder sees them.
//!
//! Unlike there, all its convolutions replicate the border. Where they see zeros, a border looks like nothing else, in a
//! painting as well as in a picture, and a frame around the picture is nearer to the painting than none.

use super::config::Weights;
use anyhow::Result;
use impasto::Encoder;
use impasto::LayerName;
use impasto::compute::{
    Device, Layer, Moments, Network, Padding, Reduction, Size, Tap, TapRequest, Tensor,
    TotalVariation,
};
use impasto::loss::content::ContentLoss;
use impasto::loss::gram::StyleMoments;
use impasto::loss::variation::VariationLoss;
use impasto::loss::wasserstein::WassersteinLoss;
use impasto::loss::{Evaluation, Normalize, Objective, Scaling, Term};
use impasto::transform::Gaussian;

/// The encoder on a device, and where it looks.
#[derive(Debug)]
pub struct Eye {
    network: Box<dyn Network>,
    content: Tap,
    likeness: Tap,
    style: Vec<Tap>,
    levels: Vec<Tap>,
}

/// What a style shows.
#[derive(Debug)]
pub struct Seen {
    /// At the levels of the cascade, in their order.
    pub levels: Vec<Gaussian>,
    /// At the layers of the style's loss.
    moments: Vec<(Moments, usize)>,
}

/// Free of scale, as the default recipe has its terms.
const SCALING: Scaling = Scaling {
    normalize: Normalize::Target,
    reduction: Reduction::Mean,
    factor: 1.0,
};

/// The layer at which features of what is reproduced are compared.
const LIKENESS: LayerName = LayerName::Relu { block: 2, index: 1 };

/// How many places of an image there are at a tap.
pub fn places(network: &dyn Network, tap: Tap, image: &Tensor) -> Result<usize> {
    let (height, width) = match *image.shape() {
        [_, height, width] => (height, width),
        _ => (0, 0),
    };
    let [_, h, w] = network.spec().shape_at(tap, Size { width, height })?;
    Ok(h * w)
}

impl Eye {
    /// The eye on a device, for the levels of a cascade.
    pub fn new(device: &dyn Device, levels: &[Tap]) -> Result<Self> {
        let lite = Encoder::lite()?;
        let mut spec = lite.spec(&crate::teacher::options());
        for layer in &mut spec.layers {
            if let Layer::Conv(conv) = layer {
                conv.padding = Padding::Replicate;
            }
        }
        let layers = lite.default_layers();
        let taps = |layers: &[LayerName]| layers.iter().map(|&layer| lite.tap(layer)).collect();
        let style: Result<Vec<Tap>, _> = taps(&layers.style);
        let content = layers.content.first().copied().unwrap_or(LIKENESS);
        Ok(Self {
            network: device.network(&spec)?,
            content: lite.tap(content)?,
            likeness: lite.tap(LIKENESS)?,
            style: style?,
            levels: levels.to_vec(),
        })
    }

    /// Looks at a style.
    pub fn look(&self, device: &dyn Device, style: &Tensor) -> Result<Seen> {
        let taps = self.levels.iter().chain(&self.style);
        let requests: Vec<_> = taps.map(|&tap| TapRequest::moments(tap)).collect();
        let tape = self.network.forward(style, &requests)?;
        let count = |tap: Tap| places(self.network.as_ref(), tap, style);
        let levels = self.levels.iter().map(|&tap| {
            let places = count(tap)? as f64;
            Ok(Gaussian::of(device, tape.moments(tap)?, places)?)
        });
        let moments = self.style.iter().map(|&tap| {
            let seen = tape.moments(tap)?;
            let copy = Moments {
                mean: device.copy(&seen.mean)?,
                second: device.copy(&seen.second)?,
            };
            Ok((copy, count(tap)?))
        });
        Ok(Seen {
            levels: levels.collect::<Result<_>>()?,
            moments: moments.collect::<Result<_>>()?,
        })
    }

    /// The term of a content at a tap.
    fn content(
        &self,
        device: &dyn Device,
        image: &Tensor,
        tap: Tap,
        (name, weight): (&str, f32),
    ) -> Result<Term> {
        let requests = [TapRequest::features(tap), TapRequest::moments(tap)];
        let tape = self.network.forward(image, &requests)?;
        let features = device.copy(tape.features(tap)?)?;
        Ok(Term {
            name: name.into(),
            weight,
            scaling: SCALING,
            loss: Box::new(ContentLoss::new(device, tap, features, tape.moments(tap)?)?),
        })
    }

    /// What a picture of a content in a style should be like: content, style and variation, as recipes have them.
    pub fn objective(
        &self,
        device: &dyn Device,
        image: &Tensor,
        style: &Seen,
        weights: &Weights,
    ) -> Result<Objective> {
        let mut terms =
            vec![self.content(device, image, self.content, (CONTENT, weights.content))?];
        for (&tap, (moments, pixels)) in self.style.iter().zip(&style.moments) {
            let seen = StyleMoments {
                moments,
                pixels: *pixels,
                share: 1.0,
            };
            terms.push(Term {
                name: STYLE.into(),
                weight: weights.style / self.style.len() as f32,
                scaling: SCALING,
                loss: Box::new(WassersteinLoss::new(device, tap, &[seen])?),
            });
        }
        terms.push(Term {
            name: "tv".into(),
            weight: weights.variation,
            scaling: SCALING,
            loss: Box::new(VariationLoss {
                kind: TotalVariation::NinePoint,
                reduction: Reduction::Mean,
            }),
        });
        Ok(Objective::new(terms))
    }

    /// What a picture that is to be like another should show at relu2_1.
    pub fn likeness(&self, device: &dyn Device, image: &Tensor, weight: f32) -> Result<Objective> {
        let term = self.content(device, image, self.likeness, (CONTENT, weight))?;
        Ok(Objective::new(vec![term]))
    }

    /// Values and gradient of an objective at an image.
    pub fn evaluate(
        &self,
        device: &dyn Device,
        objective: &Objective,
        image: &Tensor,
    ) -> Result<Evaluation> {
        Ok(objective.evaluate(device, self.network.as_ref(), None, image)?)
    }
}

/// What the terms of contents are called.
pub const CONTENT: &str = "content";
/// What the terms of styles are called.
pub const STYLE: &str = "style";
