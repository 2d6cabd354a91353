//! From pictures to terms: which layers, what the styles and the content show there, and the losses towards it.

use super::layers::{Layer, Layers};
use super::shown::Viewer;
use crate::Result;
use crate::loss::content::ContentLoss;
use crate::loss::edges::EdgesLoss;
use crate::loss::gram::{GramLoss, StyleMoments};
use crate::loss::mean_std::MeanStdLoss;
use crate::loss::region::{Places, RegionLoss};
use crate::loss::variation::VariationLoss;
use crate::loss::wasserstein::WassersteinLoss;
use crate::loss::{Loss, Scaling, Term};
use crate::picture::{Filter, Picture};
use crate::recipe::{LayerNorm, Optimize, StyleLoss};
use crate::region::{Border, Region};
use crate::regions::Shares;
use crate::style::Style;
use crate::tiling::NetworkView;
use impasto_compute::{Device, Moments, Size, TapRequest, Tensor};
use std::collections::HashMap;

/// Long side of a picture of which neighbouring pixels make edges.
const EDGES_AT: usize = 256;

/// What one style shows at every style layer, at one size: moments and the pixels they were taken over.
type StyleView = Vec<(Moments, usize)>;

/// The moments of the styles at the sizes they have been looked at: several contents share them.
#[derive(Debug, Default)]
pub(super) struct StyleCache {
    views: HashMap<(usize, usize, usize), StyleView>,
}

/// Everything that targets are computed with.
#[derive(Clone, Copy)]
pub(super) struct Targets<'a> {
    pub(super) device: &'a dyn Device,
    /// The network that looks at the picture and its content.
    pub(super) network: NetworkView<'a>,
    /// The network that looks at the styles.
    pub(super) styles: NetworkView<'a>,
    pub(super) settings: &'a Optimize,
    pub(super) layers: &'a Layers,
    /// Who has how much of the picture, as the networks see it; `None` if all of it is painted in the same styles.
    pub(super) shares: Option<&'a Shares>,
    /// How much the content counts, likewise; `None` if it does everywhere alike.
    pub(super) content_share: Option<&'a Region>,
}

impl Targets<'_> {
    /// The terms for a picture of the content's size; styles are looked at in the sizes given, in their order.
    pub(super) fn terms(
        &self,
        content: &Picture,
        styles: &[Style],
        sizes: &[(usize, usize)],
        cache: &mut StyleCache,
    ) -> Result<Vec<Term>> {
        let mut terms = Vec::new();
        if self.settings.content.weight > 0.0 || self.settings.edges.weight > 0.0 {
            self.content_terms(content, &mut terms)?;
        }
        if self.settings.style.weight > 0.0 {
            self.style_terms(content, styles, sizes, cache, &mut terms)?;
        }
        let size = Size {
            width: content.width(),
            height: content.height(),
        };
        let variation = match self.layers.variation {
            Some(calibrated) => calibrated.term(self.settings, size),
            None => self.settings.variation.clone(),
        };
        let loss = VariationLoss {
            kind: variation.kind,
            reduction: variation.reduction.within(self.settings.reduction),
        };
        terms.push(Term {
            name: "tv".into(),
            weight: variation.weight,
            scaling: self.scaling(variation.factor),
            loss: Box::new(loss),
        });
        Ok(terms)
    }

    fn scaling(&self, factor: f32) -> Scaling {
        Scaling {
            normalize: self.settings.normalize,
            reduction: self.settings.reduction,
            factor: f64::from(factor),
        }
    }

    /// One of the networks, as it sees pictures in the units of the recipe.
    fn viewer<'n>(&'n self, network: NetworkView<'n>) -> Viewer<'n> {
        Viewer {
            device: self.device,
            network,
            pixels: self.settings.pixels,
        }
    }

    /// The term of the photo's edges, of pixels as far apart as one is at 256 px.
    fn edges_term(&self, content: &Picture, image: &Tensor) -> Result<Term> {
        let distance = content.width().max(content.height()).div_ceil(EDGES_AT);
        Ok(Term {
            name: "edges".into(),
            weight: self.settings.edges.weight,
            scaling: self.scaling(1.0),
            loss: Box::new(EdgesLoss::new(self.device, image, distance)?),
        })
    }

    fn content_terms(&self, content: &Picture, terms: &mut Vec<Term>) -> Result<()> {
        let image = self.viewer(self.network).upload(content)?;
        if self.settings.edges.weight > 0.0 {
            terms.push(self.edges_term(content, &image)?);
        }
        if self.settings.content.weight == 0.0 {
            return Ok(());
        }
        let layers = &self.layers.content;
        let features = layers.iter().map(|layer| TapRequest::features(layer.tap));
        let moments = layers.iter().map(|layer| TapRequest::moments(layer.tap));
        let requests: Vec<_> = features.chain(moments).collect();
        let mut values = self.network.extract(self.device, &image, &requests)?;
        drop(image);
        let moments = values.split_off(layers.len());
        for (layer, (features, moments)) in layers.iter().zip(values.into_iter().zip(moments)) {
            let (Some(features), Some(moments)) = (features.features, &moments.moments) else {
                continue;
            };
            let mut loss = ContentLoss::new(self.device, layer.tap, features, moments)?;
            if let Some(region) = self.content_share {
                let weights = region.shares(self.network.spec(), layer.tap)?;
                loss = loss.weighted(self.device, &weights)?;
            }
            terms.push(Term {
                name: format!("content:{}", layer.name),
                weight: self.settings.content.weight * layer.share,
                scaling: self.scaling(self.settings.content.factor),
                loss: Box::new(loss),
            });
        }
        Ok(())
    }

    fn style_terms(
        &self,
        content: &Picture,
        styles: &[Style],
        sizes: &[(usize, usize)],
        cache: &mut StyleCache,
        terms: &mut Vec<Term>,
    ) -> Result<()> {
        for (index, (style, &(width, height))) in styles.iter().zip(sizes).enumerate() {
            if let std::collections::hash_map::Entry::Vacant(slot) =
                cache.views.entry((index, width, height))
            {
                slot.insert(self.style_view(&style.picture, width, height)?);
            }
        }
        let looks = Looks {
            styles,
            sizes,
            cache,
        };
        let Some(shares) = self.shares else {
            for (place, layer) in self.layers.style.iter().enumerate() {
                let seen = looks.at(place, |_| true);
                terms.push(self.style_term(content, layer, &seen)?);
            }
            return Ok(());
        };
        for part in &shares.parts {
            let (drawn, mean) = shares.drawn(part);
            let region = Region::new(&drawn, shares.size);
            for (place, layer) in self.layers.style.iter().enumerate() {
                let seen = looks.at(place, |style| style.region == part.region);
                let Some(weights) =
                    region.weights(self.network.spec(), layer.tap, Border::Shared)?
                else {
                    continue;
                };
                let [_, h, w] = self.network.spec().shape_at(layer.tap, shares.size)?;
                let (height, width) = (h, w);
                let places = Places::new(self.device, weights, Size { width, height })?;
                let mut term = self.style_term(content, layer, &seen)?;
                term.weight *= part.strength(styles) * mean as f32;
                if let Some(index) = part.region {
                    term.name = format!("{}, region {}", term.name, index + 1);
                }
                term.loss = Box::new(RegionLoss::new(term.loss, places));
                terms.push(term);
            }
        }
        Ok(())
    }

    /// The term of a style layer towards the moments of some styles.
    fn style_term(
        &self,
        content: &Picture,
        layer: &Layer,
        seen: &[StyleMoments<'_>],
    ) -> Result<Term> {
        let spec = self.network.spec();
        let size = Size {
            width: content.width(),
            height: content.height(),
        };
        let [c, h, w] = spec.shape_at(layer.tap, size)?;
        let mut scaling = self.scaling(self.settings.style.factor);
        if self.settings.style.layer_norm == LayerNorm::Chw {
            scaling.factor /= (c * h * w) as f64;
        }
        let loss: Box<dyn Loss> = match self.settings.style.loss {
            StyleLoss::Gram => {
                let norm = self.settings.style.gram_norm;
                Box::new(GramLoss::new(self.device, layer.tap, seen, h * w, norm)?)
            }
            StyleLoss::Wasserstein => Box::new(WassersteinLoss::new(self.device, layer.tap, seen)?),
            StyleLoss::MeanStd => Box::new(MeanStdLoss::new(self.device, layer.tap, seen)?),
        };
        Ok(Term {
            name: format!("style:{}", layer.name),
            weight: self.settings.style.weight * layer.share,
            scaling,
            loss,
        })
    }

    fn style_view(&self, style: &Picture, width: usize, height: usize) -> Result<StyleView> {
        let resized;
        let style = if (style.width(), style.height()) == (width, height) {
            style
        } else {
            resized = style.resized(width, height, Filter::Bicubic);
            &resized
        };
        let taps = self.layers.style_taps();
        let shown = self.viewer(self.styles).moments(style, &taps)?;
        let mut view = Vec::with_capacity(taps.len());
        let size = Size { width, height };
        for (&tap, moments) in taps.iter().zip(shown) {
            let [_, h, w] = self.styles.spec().shape_at(tap, size)?;
            view.push((moments, h * w));
        }
        Ok(view)
    }
}

/// The styles, the sizes in which they are looked at, and what they show there.
struct Looks<'a> {
    styles: &'a [Style],
    sizes: &'a [(usize, usize)],
    cache: &'a StyleCache,
}

impl Looks<'_> {
    /// What some styles show at the style layer of an index, each with its share among them.
    fn at(&self, place: usize, belongs: impl Fn(&Style) -> bool) -> Vec<StyleMoments<'_>> {
        let chosen = || self.styles.iter().filter(|style| belongs(style));
        let total: f32 = chosen().map(|style| style.weight).sum();
        let styles = self.styles.iter().zip(self.sizes).enumerate();
        let seen = styles.filter(|(_, (style, _))| belongs(style));
        seen.filter_map(|(index, (style, &(width, height)))| {
            let (moments, pixels) = &self.cache.views.get(&(index, width, height))?[place];
            Some(StyleMoments {
                moments,
                pixels: *pixels,
                share: style.weight / total,
            })
        })
        .collect()
    }
}
