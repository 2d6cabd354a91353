//! From pictures to an objective: which layers, what the styles and the content show there, and the losses towards it.

use super::Style;
use crate::encoder::{Encoder, LayerName, WeightedLayer};
use crate::loss::content::ContentLoss;
use crate::loss::gram::{GramLoss, StyleMoments};
use crate::loss::mean_std::MeanStdLoss;
use crate::loss::variation::VariationLoss;
use crate::loss::wasserstein::WassersteinLoss;
use crate::loss::{Loss, Objective, Scaling, Term};
use crate::picture::{Filter, Picture};
use crate::recipe::{Problem, Recipe, StyleLoss};
use crate::{Error, Result};
use impasto_compute::{Device, Moments, NetSpec, Network, Tap, TapRequest};
use std::collections::HashMap;

/// A layer of a term, found in the encoder.
#[derive(Clone, Copy, Debug)]
struct Layer {
    name: LayerName,
    tap: Tap,
    /// Its share of the term's weight; the shares of a term add up to 1.
    share: f32,
}

/// The layers of a recipe, found in an encoder.
#[derive(Clone, Debug)]
pub(super) struct Layers {
    content: Vec<Layer>,
    style: Vec<Layer>,
    /// Least side of a picture that reaches every layer.
    pub(super) minimum_side: usize,
}

impl Layers {
    /// Finds the layers that a recipe names, or those that the encoder suggests.
    ///
    /// # Errors
    /// [`Error::Invalid`] with every layer that the encoder lacks.
    pub(super) fn find(recipe: &Recipe, encoder: &Encoder, spec: &NetSpec) -> Result<Self> {
        let defaults = encoder.default_layers();
        let mut problems = Vec::new();
        let mut find = |field: &str, named: &[WeightedLayer], otherwise: &[LayerName]| {
            let otherwise: Vec<_> = otherwise.iter().copied().map(WeightedLayer::one).collect();
            let named = if named.is_empty() { &otherwise } else { named };
            let total: f32 = named.iter().map(|layer| layer.weight).sum();
            let mut found: Vec<Layer> = Vec::new();
            for layer in named {
                match encoder.tap(layer.layer) {
                    Ok(tap) if found.iter().any(|other| other.tap == tap) => {
                        problems.push(Problem::new(field, layer, "a layer can be named only once"));
                    }
                    Ok(tap) => found.push(Layer {
                        name: layer.layer,
                        tap,
                        share: layer.weight / total,
                    }),
                    Err(error) => {
                        problems.push(Problem::new(field, layer.layer, error.to_string()))
                    }
                }
            }
            found
        };
        let content = find("content.layers", &recipe.content.layers, &defaults.content);
        let style = find("style.layers", &recipe.style.layers, &defaults.style);
        if !problems.is_empty() {
            return Err(Error::Invalid(problems));
        }
        let mut minimum_side = 1;
        for layer in content.iter().chain(&style) {
            minimum_side = minimum_side.max(spec.minimum_side(layer.tap)?);
        }
        Ok(Self {
            content,
            style,
            minimum_side,
        })
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
pub(super) struct Context<'a> {
    pub(super) device: &'a dyn Device,
    pub(super) network: &'a dyn Network,
    pub(super) recipe: &'a Recipe,
    pub(super) layers: &'a Layers,
}

impl Context<'_> {
    /// The objective for a picture of the content's size; styles are looked at in the sizes given, in their order.
    pub(super) fn objective(
        &self,
        content: &Picture,
        styles: &[Style],
        sizes: &[(usize, usize)],
        cache: &mut StyleCache,
    ) -> Result<Objective> {
        let mut terms = Vec::new();
        if self.recipe.content.weight > 0.0 {
            self.content_terms(content, &mut terms)?;
        }
        if self.recipe.style.weight > 0.0 {
            self.style_terms(content, styles, sizes, cache, &mut terms)?;
        }
        let loss = VariationLoss {
            kind: self.recipe.variation.kind,
            scaling: self.scaling(),
        };
        terms.push(Term {
            name: "tv".into(),
            weight: self.recipe.variation.weight,
            loss: Box::new(loss),
        });
        Ok(Objective::new(terms))
    }

    fn scaling(&self) -> Scaling {
        Scaling {
            normalize: self.recipe.normalize,
            reduction: self.recipe.reduction,
        }
    }

    fn content_terms(&self, content: &Picture, terms: &mut Vec<Term>) -> Result<()> {
        let shape = [3, content.height(), content.width()];
        let image = self.device.upload(content.rgb(), &shape)?;
        let requests: Vec<_> = self
            .layers
            .content
            .iter()
            .map(|layer| TapRequest {
                tap: layer.tap,
                features: true,
                moments: true,
                replay: false,
            })
            .collect();
        let tape = self.network.forward(&image, &requests)?;
        for layer in &self.layers.content {
            let features = self.device.copy(tape.features(layer.tap)?)?;
            let loss = ContentLoss::new(
                self.device,
                layer.tap,
                features,
                tape.moments(layer.tap)?,
                self.scaling(),
            )?;
            terms.push(Term {
                name: format!("content:{}", layer.name),
                weight: self.recipe.content.weight * layer.share,
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
                slot.insert(self.look_at(&style.picture, width, height)?);
            }
        }
        let total: f32 = styles.iter().map(|style| style.weight).sum();
        for (place, layer) in self.layers.style.iter().enumerate() {
            let seen: Vec<StyleMoments<'_>> = styles
                .iter()
                .zip(sizes)
                .enumerate()
                .filter_map(|(index, (style, &(width, height)))| {
                    let (moments, pixels) = &cache.views.get(&(index, width, height))?[place];
                    Some(StyleMoments {
                        moments,
                        pixels: *pixels,
                        share: style.weight / total,
                    })
                })
                .collect();
            let loss: Box<dyn Loss> = match self.recipe.style.loss {
                StyleLoss::Gram => {
                    let spec = self.network.spec();
                    let [_, h, w] = spec.shape_at(layer.tap, content.height(), content.width())?;
                    let norm = self.recipe.style.gram_norm;
                    Box::new(GramLoss::new(
                        self.device,
                        layer.tap,
                        &seen,
                        h * w,
                        norm,
                        self.scaling(),
                    )?)
                }
                StyleLoss::Wasserstein => Box::new(WassersteinLoss::new(
                    self.device,
                    layer.tap,
                    &seen,
                    self.scaling(),
                )?),
                StyleLoss::MeanStd => Box::new(MeanStdLoss::new(
                    self.device,
                    layer.tap,
                    &seen,
                    self.scaling(),
                )?),
            };
            terms.push(Term {
                name: format!("style:{}", layer.name),
                weight: self.recipe.style.weight * layer.share,
                loss,
            });
        }
        Ok(())
    }

    fn look_at(&self, style: &Picture, width: usize, height: usize) -> Result<StyleView> {
        let resized;
        let style = if (style.width(), style.height()) == (width, height) {
            style
        } else {
            resized = style.resized(width, height, Filter::Bicubic);
            &resized
        };
        let image = self.device.upload(style.rgb(), &[3, height, width])?;
        let requests: Vec<_> = self
            .layers
            .style
            .iter()
            .map(|layer| TapRequest::moments(layer.tap))
            .collect();
        let tape = self.network.forward(&image, &requests)?;
        let mut view = Vec::with_capacity(requests.len());
        for layer in &self.layers.style {
            let moments = tape.moments(layer.tap)?;
            let copy = Moments {
                mean: self.device.copy(&moments.mean)?,
                second: self.device.copy(&moments.second)?,
            };
            let [_, h, w] = self.network.spec().shape_at(layer.tap, height, width)?;
            view.push((copy, h * w));
        }
        Ok(view)
    }
}
