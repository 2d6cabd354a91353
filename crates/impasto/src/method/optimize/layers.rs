//! The layers that the terms of a recipe look at, found in an encoder, with what stands in for those that it lacks.

use super::calibration::{CalibratedLayer, CalibratedVariation, Calibration};
use crate::encoder::{Encoder, LayerName, StandIn, Substitution, WeightedLayer};
use crate::recipe::{LayerWeights, Optimize, Problem, Recipe};
use crate::{Advice, Error, Result};
use impasto_compute::{NetSpec, Tap, TapRequest};

/// A layer of a term, found in the encoder.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layer {
    pub(super) name: LayerName,
    pub(super) tap: Tap,
    /// What the term's weight is multiplied by. Shares of it add up to 1.
    pub(super) share: f32,
}

/// The layers of a recipe, found in an encoder.
#[derive(Clone, Debug)]
pub(super) struct Layers {
    pub(super) content: Vec<Layer>,
    pub(super) style: Vec<Layer>,
    /// What stands in for layers that the encoder lacks.
    pub(super) substitutions: Vec<Substitution>,
    /// The layers whose weights were made for another network, each with the weight for this one; `None` where nothing is
    /// calibrated.
    pub(super) calibration: Option<Vec<CalibratedLayer>>,
    /// What total variation becomes then.
    pub(super) variation: Option<CalibratedVariation>,
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
