//! Style transfer by relaxed optimal transport and self-similarity (Kolkin, Salavon and Shakhnarovich 2019, arXiv 1904.12785).
//!
//! ```text
//! for each size, coarse to fine, each twice the last, with w = 16·α, 8·α, …:
//!     start: what was painted + the photo's detail; at first the styles' mean colour, at last nothing but what was painted
//!     L = ( w·self-similarity + transport + moments + palette/max(w, 1) ) / (w + 2)
//! ```
//!
//! All terms look at hypercolumns at the same places, which are drawn anew for each step ([`loss::sampled`](crate::loss::sampled)).
//! What is optimised is a Laplacian pyramid of five levels, by RMSprop.
//!
//! Each region of the picture is compared with its own styles, and the terms of regions are averaged. Places are kept with
//! their pixels: the published program shuffles rows and columns of a region apart. Styles are looked at in an even spread of
//! places, all of them where there are few.

mod styles;

use super::optimize::Margin;
use super::optimize::parameterization::Parameterization;
use super::optimize::pyramid::PyramidParameters;
use super::optimize::state::State;
use super::passes::sizes::{detail, enlarged, halved, halved_size, sizes, style_size};
use super::passes::{self, Demand, Layer, Passes, Views, find_layers};
use super::{Inspection, Method, Pace, RunPlan, Setup, Stylized, TermContext};
use crate::encoder::Encoder;
use crate::loss::columns::{Columns, Part, Places};
use crate::loss::sampled::palette::Palette;
use crate::loss::sampled::remd::Remd;
use crate::loss::sampled::similarity::SelfSimilarity;
use crate::loss::sampled::spread::Spread;
use crate::loss::sampled::{Comparison, SampledLoss, Sampler};
use crate::loss::{Objective, Scaling, Term, View};
use crate::observer::{Observer, Scale, term_values};
use crate::picture::Picture;
use crate::recipe::{AdamSettings, Clip, Optimize, OptimizerSettings, Pixels, Problem, Strotss};
use crate::tiling::NetworkView;
use crate::{Error, Result};
use impasto_compute::{Align, Device, Network, Size, TapRequest, Tensor};
use std::sync::Arc;
use styles::first_columns;

/// Halvings of the pyramid.
const LEVELS: usize = 4;
/// How much the photo counts at the first size.
const FIRST: f32 = 16.0;
/// The share of a region from which on a pixel is of it.
const INSIDE: f32 = 0.5;
/// Copies of vectors at places while they are compared.
const COPIES: usize = 8;
/// Long sides at which steps are timed, of which there is no coarser pass.
const TIMED: [usize; 2] = [64, 127];

/// A network that is prepared on the device, and the layers that are looked at.
#[derive(Debug)]
pub(crate) struct StrotssMethod {
    settings: Strotss,
    network: Box<dyn Network>,
    layers: Vec<Layer>,
    /// Least side of a picture that reaches every layer.
    least: usize,
    /// What features are multiplied by: the terms were weighed on torchvision's network, and moments grow with the features.
    unit: f32,
}

/// The method with a job, and the passes of a content.
struct Session<'a> {
    setup: &'a Setup,
    method: &'a StrotssMethod,
    content: &'a Picture,
    stages: Vec<Stage>,
}

/// A pass.
#[derive(Clone, Copy, Debug, Default)]
struct Stage {
    scale: Scale,
    /// The size of the finest pass, and how often photo and styles are halved for this one.
    finest: Size,
    halvings: usize,
    /// How much the photo counts.
    weight: f32,
    /// Whether it is the last one of several.
    last: bool,
}

/// A part of the picture and the styles that it is compared with.
struct Share {
    name: String,
    region: Option<Option<usize>>,
    inside: Option<Vec<bool>>,
    strength: f32,
}

impl StrotssMethod {
    /// Prepares a network for a job.
    ///
    /// # Errors
    /// [`Error::Invalid`] with everything that is wrong with recipe, styles and layers; whatever the device reports.
    pub(crate) fn new(setup: &Setup, settings: &Strotss, encoder: &Encoder) -> Result<Self> {
        let spec = encoder.spec(&setup.recipe.encoder);
        let mut problems = setup.problems();
        match find_layers(("strotss.layers", &settings.layers), encoder, &spec) {
            Ok((layers, least)) if problems.is_empty() => Ok(Self {
                settings: settings.clone(),
                network: setup.device.network(&spec)?,
                layers,
                least,
                unit: encoder
                    .activations(&setup.recipe.encoder)
                    .map_or(1.0, |known| known.to_torchvision() as f32),
            }),
            Err(Error::Invalid(more)) => {
                problems.extend(more);
                Err(Error::Invalid(problems))
            }
            Ok(_) => Err(Error::Invalid(problems)),
            Err(other) => Err(other),
        }
    }

    fn session<'a>(&'a self, setup: &'a Setup, content: &'a Picture, side: usize) -> Session<'a> {
        Session {
            setup,
            method: self,
            content,
            stages: self.stages(content, side),
        }
    }

    fn stages(&self, content: &Picture, long_side: usize) -> Vec<Stage> {
        let (finest, most) = sizes(content, long_side, self.least);
        let stage = |halvings: usize| {
            let Size { width, height } = halved_size(finest, halvings);
            Stage {
                scale: Scale {
                    width,
                    height,
                    steps: self.settings.steps,
                },
                finest,
                halvings,
                weight: self.settings.content * FIRST / 2f32.powi((most - halvings) as i32),
                last: halvings == 0 && most > 0,
            }
        };
        (0..=most).rev().map(stage).collect()
    }
}

impl Method for StrotssMethod {
    fn scales(&self, setup: &Setup, content: &Picture) -> Vec<Scale> {
        passes::scales(&self.session(setup, content, setup.long_side(content)))
    }

    fn plan(&self, setup: &Setup, content: &Picture) -> Result<RunPlan> {
        let session = self.session(setup, content, setup.long_side(content));
        passes::plan(&session, &self.layers)
    }

    fn pace(&self, setup: &Setup, content: &Picture) -> Result<Pace> {
        let [small, large] = TIMED.map(|side| self.session(setup, content, side));
        passes::pace([(TIMED[0], &small), (TIMED[1], &large)])
    }

    fn run(
        &mut self,
        setup: &Setup,
        content: &Picture,
        observer: &mut dyn Observer,
    ) -> Result<Stylized> {
        let session = self.session(setup, content, setup.long_side(content));
        passes::run(&session, &self.layers, observer)
    }

    /// The terms of a last pass at a picture as large as the content, with the photo's weight.
    fn inspect(&mut self, setup: &Setup, content: &Picture, image: &Picture) -> Result<Inspection> {
        let (width, height) = (content.width(), content.height());
        if (image.width(), image.height()) != (width, height) {
            let (allowed, value) = (
                format!("must be as large as the content, {width}×{height}"),
                format!("{}×{}", image.width(), image.height()),
            );
            return Err(Error::Invalid(vec![Problem::new("image", value, allowed)]));
        }
        let session = self.session(setup, content, width.max(height));
        let stage = Stage {
            scale: Scale {
                width,
                height,
                steps: 1,
            },
            finest: Size { width, height },
            weight: self.settings.content,
            ..Stage::default()
        };
        let network = NetworkView::Whole(self.network.as_ref());
        let device = setup.device.as_ref();
        let mut objective = Objective::new(session.terms_of(stage, (network, network))?);
        objective.prepare(device, setup.recipe.seed, 0, 1)?;
        let tensor = device.upload(image.rgb(), &[3, height, width])?;
        let evaluation = network.evaluate(device, &objective, &tensor)?;
        Ok(Inspection {
            terms: term_values(&objective, &evaluation.values)?,
            total: objective.total(&evaluation.values)?,
            gradient: device.download(&evaluation.gradient)?,
        })
    }

    fn times(&self) -> Vec<impasto_compute::StageTime> {
        self.network.times()
    }
}

impl<'a> Session<'a> {
    fn device(&self) -> &'a dyn Device {
        self.setup.device.as_ref()
    }

    fn stage(&self, index: usize) -> Stage {
        self.stages.get(index).copied().unwrap_or_default()
    }

    /// Colours and layers.
    fn columns(&self) -> Columns {
        let colours = Part {
            view: View::Image,
            channels: 3,
            factor: 1.0,
            stride: 1,
        };
        let part = |layer: &Layer| Part {
            view: View::Features(layer.tap),
            channels: layer.channels,
            factor: self.method.unit * layer.share,
            stride: layer.stride,
        };
        let layers = self.method.layers.iter().map(part);
        Columns::new(
            [colours].into_iter().chain(layers).collect(),
            Places::Pixels,
        )
    }

    /// An image and what the layers show of it.
    fn look(&self, image: Tensor, network: NetworkView<'_>) -> Result<Vec<Tensor>> {
        let layers = self.method.layers.iter();
        let requests: Vec<_> = layers
            .map(|layer| TapRequest::features(layer.tap))
            .collect();
        let values = network.extract(self.device(), &image, &requests)?;
        let features = values.into_iter().filter_map(|value| value.features);
        Ok([image].into_iter().chain(features).collect())
    }

    /// The parts of the picture: all of it, or those of regions.
    fn shares(&self, stage: Stage) -> Vec<Share> {
        let size = Size {
            width: stage.scale.width,
            height: stage.scale.height,
        };
        let Some(shares) = self.setup.shares(size) else {
            return vec![Share {
                name: String::new(),
                region: None,
                inside: None,
                strength: 1.0,
            }];
        };
        let count = shares.parts.len() as f32;
        let part = |part: &crate::regions::Part| {
            let (drawn, _) = shares.drawn(part);
            // Of a region that nowhere has most of a pixel, all that it has some of.
            let least = match drawn.iter().any(|share| *share >= INSIDE) {
                true => INSIDE,
                false => f32::MIN_POSITIVE,
            };
            Share {
                name: match part.region {
                    Some(region) => format!(", region {}", region + 1),
                    None => String::new(),
                },
                region: Some(part.region),
                inside: Some(drawn.iter().map(|share| *share >= least).collect()),
                strength: part.strength(&self.setup.styles) / count,
            }
        };
        shares.parts.iter().map(part).collect()
    }

    /// The terms of a pass.
    fn terms_of(&self, stage: Stage, (network, style_network): Views<'_>) -> Result<Vec<Term>> {
        let device = self.device();
        let size = Size {
            width: stage.scale.width,
            height: stage.scale.height,
        };
        let (columns, w) = (self.columns(), stage.weight);
        let colours = Columns::new(columns.parts()[..1].to_vec(), Places::Pixels);
        let mut terms = Vec::new();
        for share in self.shares(stage) {
            let places = self.method.settings.places;
            let sampler = Sampler::new(size, share.inside.clone(), places);
            let style = self.style_rows(stage, share.region, style_network)?;
            let palette = Palette::new(device, &first_columns(device, &style, 3)?)?;
            let spread = Spread::new(device, &style)?;
            let mut compared: Vec<(&str, f32, &Columns, Box<dyn Comparison>)> = Vec::new();
            if w > 0.0 {
                let photo = halved(device, self.content, stage.finest, stage.halvings)?;
                let photo = self.look(photo, network)?;
                let similarity = SelfSimilarity::new(columns.clone(), photo);
                compared.push(("content", w, &columns, Box::new(similarity)));
            }
            compared.push((
                "transport",
                1.0,
                &columns,
                Box::new(Remd::new(device, style)?),
            ));
            compared.push(("moments", 1.0, &columns, Box::new(spread)));
            compared.push(("palette", 1.0 / w.max(1.0), &colours, Box::new(palette)));
            for (name, weight, columns, comparison) in compared {
                let loss = SampledLoss::new(columns.clone(), sampler.clone(), comparison);
                terms.push(Term {
                    name: format!("{name}{}", share.name),
                    weight: share.strength * weight / (w + 2.0),
                    scaling: Scaling::NONE,
                    loss: Box::new(loss),
                });
            }
        }
        if let Some(extra) = &self.setup.extra_terms {
            terms.extend(extra.make(&TermContext {
                device,
                scale: stage.scale,
                pixels: Pixels::Unit,
                margin: Margin::NONE,
            })?);
        }
        Ok(terms)
    }
}

impl Passes for Session<'_> {
    fn setup(&self) -> &Setup {
        self.setup
    }

    fn content(&self) -> &Picture {
        self.content
    }

    fn network(&self) -> &dyn Network {
        self.method.network.as_ref()
    }

    fn demands(&self, long_side: usize) -> Vec<Demand> {
        let (method, setup) = (self.method, self.setup);
        let demand = |stage: &Stage| {
            let styles = setup.styles.iter().map(|style| {
                let size = style_size(setup, style, stage.finest, method.least);
                halved_size(size, stage.halvings)
            });
            let channels = method
                .layers
                .iter()
                .map(|layer| layer.channels)
                .sum::<usize>();
            let (places, samples) = (method.settings.places, method.settings.samples);
            let entries = (channels + 3) * (places + samples) + places * places;
            // What the photo shows stays where it is.
            let pixels = stage.scale.width * stage.scale.height;
            let photo = method.layers.iter().map(|layer| {
                layer.channels.next_multiple_of(16) * pixels / (layer.stride * layer.stride)
            });
            Demand {
                scale: stage.scale,
                styles: styles.collect(),
                rows: size_of::<f32>() * (COPIES * entries + photo.sum::<usize>()),
            }
        };
        method
            .stages(self.content, long_side)
            .iter()
            .map(demand)
            .collect()
    }

    fn steps(&self, index: usize) -> Optimize {
        let share = if self.stage(index).last { 0.5 } else { 1.0 };
        let rmsprop = AdamSettings {
            learning_rate: share * self.method.settings.learning_rate,
            beta1: 0.0,
            beta2: 0.99,
            averaging: 0.0,
            bias_correction: false,
            ..AdamSettings::default()
        };
        Optimize {
            optimizer: OptimizerSettings::Adam(rmsprop),
            clip: Clip::End,
            pyramid: LEVELS,
            ..Optimize::default()
        }
    }

    fn parameterization(&self, _: usize) -> Arc<dyn Parameterization> {
        Arc::new(PyramidParameters {
            pixels: Pixels::Unit,
            levels: LEVELS,
            align: Align::Corners,
        })
    }

    fn start(&self, index: usize, before: Option<&State>) -> Result<Vec<f32>> {
        let (device, stage) = (self.device(), self.stage(index));
        let pixels = stage.scale.width * stage.scale.height;
        let mut planes = match before {
            Some(coarser) => enlarged(self, coarser, stage.scale)?,
            None => {
                let colour = self.mean_colour();
                colour
                    .iter()
                    .flat_map(|&value| std::iter::repeat_n(value, pixels))
                    .collect()
            }
        };
        if !stage.last {
            let photo = halved(device, self.content, stage.finest, stage.halvings)?;
            let detail = device.download(&detail(device, &photo)?)?;
            planes
                .iter_mut()
                .zip(detail)
                .for_each(|(value, detail)| *value += detail);
        }
        Ok(planes)
    }

    fn terms(&self, index: usize, _: Option<&[f32]>, views: Views<'_>) -> Result<Vec<Term>> {
        self.terms_of(self.stage(index), views)
    }
}
