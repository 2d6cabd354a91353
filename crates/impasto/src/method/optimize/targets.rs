//! From pictures to terms: which layers, what the styles and the content show there, and the losses towards it.

use super::calibration::{CalibratedLayer, CalibratedVariation, Calibration};
use super::shown::Viewer;
use crate::encoder::{Encoder, LayerName, StandIn, Substitution, WeightedLayer};
use crate::loss::content::ContentLoss;
use crate::loss::edges::EdgesLoss;
use crate::loss::gram::{GramLoss, StyleMoments};
use crate::loss::mean_std::MeanStdLoss;
use crate::loss::region::RegionLoss;
use crate::loss::variation::VariationLoss;
use crate::loss::wasserstein::WassersteinLoss;
use crate::loss::{Loss, Scaling, Term};
use crate::picture::{Filter, Picture};
use crate::recipe::{LayerNorm, LayerWeights, Optimize, Problem, Recipe, StyleLoss};
use crate::region::{Border, Region};
use crate::regions::{Part, Shares};
use crate::style::Style;
use crate::tiling::NetworkView;
use crate::{Advice, Error, Result};
use impasto_compute::{Device, Moments, NetSpec, Size, Tap, TapRequest, Tensor};
use std::collections::HashMap;

/// Long side of a picture of which neighbouring pixels make edges.
const EDGES_AT: usize = 256;

/// A layer of a term, found in the encoder.
#[derive(Clone, Copy, Debug)]
struct Layer {
    name: LayerName,
    tap: Tap,
    /// What the term's weight is multiplied by. Shares of it add up to 1.
    share: f32,
}

/// The layers of a recipe, found in an encoder.
#[derive(Clone, Debug)]
pub(super) struct Layers {
    content: Vec<Layer>,
    style: Vec<Layer>,
    /// What stands in for layers that the encoder lacks.
    pub(super) substitutions: Vec<Substitution>,
    /// The layers whose weights were made for another network, each with the weight for this one; `None` where nothing is
    /// calibrated.
    pub(super) calibration: Option<Vec<CalibratedLayer>>,
    /// What total variation becomes then.
    variation: Option<CalibratedVariation>,
    /// Least side of a picture that reaches every layer.
    pub(super) minimum_side: usize,
    /// Index of the deepest layer of the network that is looked at.
    pub(super) deepest: usize,
}

impl Layers {
    /// Finds the layers that a recipe names, or those that the encoder suggests; the nearest ones for those that the
    /// encoder lacks, unless the recipe is strict about them.
    ///
    /// # Errors
    /// [`Error::Invalid`] with every layer for which there is none.
    pub(super) fn find(
        settings: &Optimize,
        recipe: &Recipe,
        encoder: &Encoder,
        spec: &NetSpec,
    ) -> Result<Self> {
        let asked = settings.content.layers.iter().chain(&settings.style.layers);
        let asked: Vec<_> = asked.map(|layer| layer.layer).collect();
        let mut search = Search {
            recipe,
            encoder,
            calibration: Calibration::of(settings, &recipe.encoder, encoder, &asked),
            calibrated: vec![],
            substitutions: vec![],
            problems: vec![],
        };
        let defaults = encoder.default_layers();
        let (content, style) = (&settings.content, &settings.style);
        let named = search.named("content", &content.layers, &defaults.content);
        let content = search.term(&named, content.layer_weights);
        let named = search.named("style", &style.layers, &defaults.style);
        let mut style = search.term(&named, style.layer_weights);
        let mut calibrated = search.calibrated;
        let balance = |calibration: &Calibration<'_>| calibration.balance(&mut calibrated);
        let variation = search.calibration.as_ref().map(balance);
        if variation.is_some() {
            for layer in &mut style {
                let here = calibrated.iter();
                let here = here.filter(|it| it.term == "style" && it.found == layer.name);
                layer.share = here.map(|it| it.calibrated).sum();
            }
        }
        if !search.problems.is_empty() {
            return Err(Error::Invalid(search.problems));
        }
        let (mut minimum_side, mut deepest) = (1, 0);
        for layer in content.iter().chain(&style) {
            minimum_side = minimum_side.max(spec.minimum_side(layer.tap)?);
            deepest = deepest.max(spec.layer_of(layer.tap)?);
        }
        for layer in &mut calibrated {
            let weight = match layer.term {
                "content" => settings.content.weight,
                _ => settings.style.weight,
            };
            layer.published *= weight;
            layer.calibrated *= weight;
        }
        Ok(Self {
            content,
            style,
            substitutions: search.substitutions,
            calibration: search.calibration.map(|_| calibrated),
            variation,
            minimum_side,
            deepest,
        })
    }
}

/// The layers that a term names.
struct NamedLayers {
    term: &'static str,
    layers: Vec<WeightedLayer>,
}

/// The search for the layers of a recipe in an encoder, with all that is to be told of it.
struct Search<'a> {
    recipe: &'a Recipe,
    encoder: &'a Encoder,
    calibration: Option<Calibration<'a>>,
    calibrated: Vec<CalibratedLayer>,
    substitutions: Vec<Substitution>,
    problems: Vec<Problem>,
}

impl Search<'_> {
    /// The layers of a term, or those that the encoder suggests if it names none.
    fn named(
        &self,
        term: &'static str,
        layers: &[WeightedLayer],
        otherwise: &[LayerName],
    ) -> NamedLayers {
        let layers = match layers {
            [] => otherwise.iter().copied().map(WeightedLayer::one).collect(),
            layers => layers.to_vec(),
        };
        NamedLayers { term, layers }
    }

    /// The layers that are looked at for a term, with their weights.
    fn term(&mut self, named: &NamedLayers, weights: LayerWeights) -> Vec<Layer> {
        let names: Vec<_> = named.layers.iter().map(|layer| layer.layer).collect();
        let stand_ins = match self.calibration {
            Some(_) => names
                .iter()
                .map(|name| self.encoder.nearest(*name))
                .collect(),
            None => self.encoder.stand_ins(&names),
        };
        let total: f32 = match weights {
            LayerWeights::Shared => named.layers.iter().map(|layer| layer.weight).sum(),
            LayerWeights::Absolute => 1.0,
        };
        let field = format!("{}.layers", named.term);
        let mut found: Vec<Layer> = Vec::new();
        for (layer, stand_in) in named.layers.iter().zip(stand_ins) {
            let (name, tap) = match self.tap(named.term, layer.layer, stand_in) {
                Some(Ok(place)) => place,
                Some(Err(error)) => {
                    let advice = self.recipe.strict_taps.then_some(Advice::FullNetwork);
                    let problem = Problem::new(&field, layer.layer, error);
                    self.problems.push(problem.advising(advice));
                    continue;
                }
                None => continue,
            };
            let mut share = layer.weight;
            if let Some(calibration) = &self.calibration {
                let published = layer.weight / total;
                let factor = calibration.factor(named.term, layer.layer, name);
                share = (f64::from(published) * factor) as f32;
                self.calibrated.push(CalibratedLayer {
                    term: named.term,
                    wanted: layer.layer,
                    found: name,
                    published,
                    calibrated: share,
                });
            }
            match found.iter_mut().find(|other| other.tap == tap) {
                // Several layers may share the one that stands in for them.
                Some(other) if self.calibration.is_some() => other.share += share,
                Some(_) => {
                    let allowed = "a layer can be named only once";
                    self.problems.push(Problem::new(&field, layer, allowed));
                }
                None => found.push(Layer { name, tap, share }),
            }
        }
        if weights == LayerWeights::Shared && self.calibration.is_none() {
            let total: f32 = found.iter().map(|layer| layer.share).sum();
            found.iter_mut().for_each(|layer| layer.share /= total);
        }
        found
    }

    /// Where a layer is looked at; `None` for one that nothing is left to stand in for.
    fn tap(
        &mut self,
        term: &'static str,
        wanted: LayerName,
        stand_in: StandIn,
    ) -> Option<Result<(LayerName, Tap), String>> {
        let error = match self.encoder.tap(wanted) {
            Ok(tap) => return Some(Ok((wanted, tap))),
            Err(error) => error.to_string(),
        };
        if self.recipe.strict_taps {
            return Some(Err(error));
        }
        let found = match stand_in {
            StandIn::Layer(name) => Some(name),
            StandIn::NoneLeft => None,
            StandIn::None => return Some(Err(error)),
        };
        self.substitutions.push(Substitution {
            term,
            wanted,
            found,
        });
        let name = found?;
        let tap = self.encoder.tap(name);
        Some(
            tap.map(|tap| (name, tap))
                .map_err(|error| error.to_string()),
        )
    }
}

impl Layers {
    /// What a step asks of the network.
    pub(super) fn requests(&self, settings: &Optimize, in_regions: bool) -> Vec<TapRequest> {
        let content = self
            .content
            .iter()
            .filter(|_| settings.content.weight > 0.0);
        let style = self.style.iter().filter(|_| settings.style.weight > 0.0);
        let content = content.map(|layer| TapRequest::features(layer.tap));
        let style = style.map(|layer| match in_regions {
            true => TapRequest::features(layer.tap),
            false => TapRequest::moments(layer.tap),
        });
        content.chain(style).collect()
    }

    /// The taps at which styles are looked at.
    pub(super) fn style_taps(&self) -> Vec<Tap> {
        self.style.iter().map(|layer| layer.tap).collect()
    }
}

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
                let weights = self.device.upload(&weights, &[h, w])?;
                let mut term = self.style_term(content, layer, &seen)?;
                term.weight *= strength(part, styles) * mean as f32;
                if let Some(index) = part.region {
                    term.name = format!("{}, region {}", term.name, index + 1);
                }
                term.loss = Box::new(RegionLoss::new(term.loss, layer.tap, weights));
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

/// How strong the styles of a part of the picture are beside those of others. Times the share of the picture, each pixel is
/// drawn as strongly as in one that is all in one style.
fn strength(part: &Part, styles: &[Style]) -> f32 {
    let weights: Vec<f32> = part.styles(styles).map(|style| style.weight).collect();
    match part.region {
        Some(_) => weights.iter().sum::<f32>() / weights.len().max(1) as f32,
        None => 1.0,
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
