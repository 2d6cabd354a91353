//! Numbers about a result: how much of the photo and of the painting is in it, as far as numbers tell. None of them alone
//! says which picture is better; each can be had without the others.
//!
//! | file | measures | source |
//! |---|---|---|
//! | here | content and style distance of an encoder's features | the losses of optimisation |
//! | `cfsd` | whether places are as like each other as in the photo | Chung et al. 2024 (StyleID) |
//! | `histogram` | distance of colour histograms to the painting | Afifi et al. 2021 (HistoGAN) |
//! | [`Lpips`] | how unlike the photo people would say it is | Zhang et al. 2018 |
//! | `ssim` | structure of the photo's grey values | Wang et al. 2004 |
//! | `sliced` | distance of colour distributions to the painting, in Oklab | Bonneel et al. 2015 |
//!
//! A run that looked at a style with an encoder has made that encoder's distance small: it should be measured by another.

mod cfsd;
mod histogram;
mod lpips;
mod sliced;
mod ssim;

pub use lpips::Lpips;

use crate::encoder::{Encoder, EncoderOptions, LayerName};
use crate::picture::{Filter, Picture, fit_long_side};
use crate::recipe::{ContentTerm, MethodSettings, Optimize, OutputSize, StyleTerm, VariationTerm};
use crate::{Recipe, Result, Style, Stylizer};
use impasto_compute::{Device, Padding};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The long side at which features are compared.
const SIDE: usize = 512;
/// The layer of CFSD.
const CFSD_LAYER: LayerName = LayerName::Relu { block: 3, index: 1 };

/// What a result measures. Distances are 0 for what is the same.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measures {
    /// Mean squared difference of features from the photo's, over their variance: 1 is what a picture without any
    /// content has.
    pub content: f64,
    /// Wasserstein-2 distance of features from the painting's, over their variance, mean over the layers.
    pub style: f64,
    /// Content feature structural distance; `None` of an encoder without the layer.
    pub cfsd: Option<f64>,
    /// Hellinger distance of the RGB-uv histograms of result and painting, 0 to 1.
    pub histogram: f64,
    /// Structural similarity of result and photo, in grey: 1 for what is the same, unlike the others.
    pub ssim: f64,
    /// Learned perceptual distance of result and photo; `None` without its weights, or of pictures that are too small.
    pub lpips: Option<f64>,
    /// Sliced Wasserstein-2 distance of the colours of result and painting, in Oklab.
    pub sliced: f64,
}

/// What measures results: an encoder on a device.
#[derive(Debug)]
pub struct Meter {
    device: Arc<dyn Device>,
    encoder: Encoder,
    lpips: Option<Lpips>,
}

impl Meter {
    /// With an encoder; results that were painted with it look better by it than they are.
    pub fn new(device: impl Into<Arc<dyn Device>>, encoder: Encoder) -> Self {
        Self {
            device: device.into(),
            encoder,
            lpips: None,
        }
    }

    /// The same that measures LPIPS as well.
    pub fn with_lpips(self, lpips: Option<Lpips>) -> Self {
        Self { lpips, ..self }
    }

    /// The name of the encoder.
    pub fn encoder(&self) -> &str {
        self.encoder.name()
    }

    /// What a result measures that was made of a photo and a painting. It is looked at with a long side of 512 px at most, and
    /// the photo in its shape.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn measure(
        &self,
        content: &Picture,
        style: &Picture,
        result: &Picture,
    ) -> Result<Measures> {
        let long = result.width().max(result.height()).min(SIDE);
        let (width, height) = fit_long_side(result.width(), result.height(), long);
        let result = result.resized(width, height, Filter::Bicubic);
        let content = content.resized(width, height, Filter::Bicubic);
        let (wide, high) = fit_long_side(style.width(), style.height(), long);
        let style = style.resized(wide, high, Filter::Bicubic);
        let (of_content, of_style) = self.distances(&content, &style, &result)?;
        Ok(Measures {
            content: of_content,
            style: of_style,
            cfsd: self.cfsd(&content, &result)?,
            histogram: histogram::distance(&result, &style),
            ssim: ssim::similarity(&result, &content),
            lpips: match &self.lpips {
                Some(lpips) => lpips.distance(self.device.as_ref(), [&result, &content])?,
                None => None,
            },
            sliced: sliced::distance(&result, &style),
        })
    }

    /// The losses of optimisation towards photo and painting.
    fn distances(
        &self,
        content: &Picture,
        style: &Picture,
        result: &Picture,
    ) -> Result<(f64, f64)> {
        let settings = Optimize {
            content: ContentTerm {
                weight: 1.0,
                ..ContentTerm::default()
            },
            style: StyleTerm {
                weight: 1.0,
                ..StyleTerm::default()
            },
            variation: VariationTerm {
                weight: 0.0,
                ..VariationTerm::default()
            },
            ..Optimize::default()
        };
        let recipe = Recipe {
            size: OutputSize::Original,
            method: MethodSettings::Optimize(settings),
            encoder: EncoderOptions {
                padding: Padding::Replicate,
                ..EncoderOptions::default()
            },
            ..Recipe::default()
        };
        let styles = vec![Style::new("style", style.clone(), 1.0)];
        let device = Arc::clone(&self.device);
        let mut stylizer = Stylizer::new(device, &self.encoder, styles, recipe)?;
        let inspected = stylizer.inspect(content, result)?;
        let sum = |start: &str| {
            let terms = inspected.terms.iter();
            let terms = terms.filter(|term| term.name.starts_with(start));
            terms.map(|term| term.weighted).sum()
        };
        Ok((sum("content"), sum("style")))
    }

    fn cfsd(&self, content: &Picture, result: &Picture) -> Result<Option<f64>> {
        let Ok(tap) = self.encoder.tap(CFSD_LAYER) else {
            return Ok(None);
        };
        let spec = self.encoder.spec(&EncoderOptions::default());
        let device = self.device.as_ref();
        let network = device.network(&spec)?;
        if content.width().min(content.height()) < spec.minimum_side(tap)? {
            return Ok(None);
        }
        // Similarities are compared by their exponentials, so that units count: those of torchvision's network.
        let known = self.encoder.activations(&EncoderOptions::default());
        let unit = known.map_or(1.0, |known| known.to_torchvision());
        let look = (network.as_ref(), tap, unit as f32);
        cfsd::distance(device, look, [content, result]).map(Some)
    }
}

/// Grey values by the weights of ITU-R BT.601.
fn grey(picture: &Picture) -> Vec<f64> {
    let pixels = picture.width() * picture.height();
    let value = |at: usize| {
        let rgb = [0, 1, 2].map(|c| f64::from(picture.rgb()[c * pixels + at]));
        0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]
    };
    (0..pixels).map(value).collect()
}
