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
//! Each region of the picture is compared with its own styles, and the terms of regions are averaged. Unless the recipe is
//! faithful, places are kept with their pixels, where the published program shuffles rows and columns of a region apart; and
//! styles are looked at in an even spread of places, where it draws them at random, some twice.
//!
//! Points of the picture that are guided towards points of a style (section 2.5) are a term of their own: hypercolumns around
//! them towards those around these ([`loss::matched`](crate::loss::matched)).

mod guides;
mod styles;

use super::optimize::parameterization::Parameterization;
use super::optimize::pyramid::PyramidParameters;
use super::optimize::state::State;
use super::passes::parts::shares;
use super::passes::sizes::{Halved, detail, enlarged, sizes};
use super::passes::{self, Demand, Eye, Layer, Passes, Views};
use super::{Inspection, Method, Pace, RunPlan, Setup, Stylized};
use crate::Result;
use crate::encoder::Encoder;
use crate::loss::columns::{Columns, Part, Places};
use crate::loss::sampled::palette::Palette;
use crate::loss::sampled::remd::Remd;
use crate::loss::sampled::similarity::SelfSimilarity;
use crate::loss::sampled::spread::Spread;
use crate::loss::sampled::{Comparison, SampledLoss, Sampler};
use crate::loss::{Scaling, Term, View};
use crate::observer::{Observer, Scale};
use crate::picture::Picture;
use crate::random::StepSeed;
use crate::recipe::{AdamSettings, Clip, Optimize, OptimizerSettings, Pixels, Strotss};
use crate::tiling::NetworkView;
use impasto_compute::{Align, Device, Network, Size, Tensor};
use std::collections::BTreeSet;
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
    eye: Eye,
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
    at: Halved,
    /// How much the photo counts.
    weight: f32,
    /// Whether it is the last one of several.
    last: bool,
    /// Its place among the passes; `None` of one on its own.
    index: Option<usize>,
}

impl StrotssMethod {
    /// Prepares a network for a job.
    ///
    /// # Errors
    /// [`Error::Invalid`] with everything that is wrong with recipe, styles and layers; whatever the device reports.
    pub(crate) fn new(setup: &Setup, settings: &Strotss, encoder: &Encoder) -> Result<Self> {
        let unit = encoder.activations(&setup.recipe.encoder);
        Ok(Self {
            settings: settings.clone(),
            eye: Eye::new(("strotss.layers", &settings.layers), setup, encoder)?,
            unit: unit.map_or(1.0, |known| known.to_torchvision() as f32),
        })
    }

    fn session<'a>(&'a self, setup: &'a Setup, content: &'a Picture, side: usize) -> Session<'a> {
        Session {
            setup,
            method: self,
            content,
            stages: self.stages(content, side),
        }
    }

    /// Bytes of what the photo shows everywhere, and at the places of all steps of all regions.
    fn photo_bytes(&self, setup: &Setup, stage: &Stage) -> [usize; 2] {
        let regions: BTreeSet<_> = setup.styles.iter().map(|style| style.region).collect();
        let pixels = stage.at.size().pixels();
        let maps = self.eye.layers.iter().map(|layer| {
            layer.channels.next_multiple_of(16) * pixels / (layer.stride * layer.stride)
        });
        let maps = 3 * pixels + maps.sum::<usize>();
        let places = self.settings.places.min(pixels);
        let places = regions.len() * places;
        let draws = stage.at.scale.steps * places * (self.eye.channels() + 3);
        [maps, draws].map(|numbers| size_of::<f32>() * numbers)
    }

    fn stages(&self, content: &Picture, long_side: usize) -> Vec<Stage> {
        let (finest, most) = sizes(content, long_side, self.eye.least);
        let stage = |halvings: usize| Stage {
            at: Halved::new(finest, halvings, self.settings.steps),
            weight: self.settings.content * FIRST / 2f32.powi((most - halvings) as i32),
            last: halvings == 0 && most > 0,
            index: Some(most - halvings),
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
        passes::plan(&session)
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
        passes::run(&session, observer)
    }

    /// The terms of a last pass at a picture as large as the content, with the photo's weight.
    fn inspect(&mut self, setup: &Setup, content: &Picture, image: &Picture) -> Result<Inspection> {
        let (width, height) = (content.width(), content.height());
        let session = self.session(setup, content, width.max(height));
        let stage = Stage {
            at: Halved::new(Size { width, height }, 0, 1),
            weight: self.settings.content,
            last: false,
            index: None,
        };
        passes::inspect(&session, image, &|views| session.terms_of(stage, views))
    }

    fn times(&self) -> Vec<impasto_compute::StageTime> {
        self.eye.network.times()
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
        let layers = self.method.eye.layers.iter().map(part);
        Columns::new(
            [colours].into_iter().chain(layers).collect(),
            Places::Pixels,
        )
    }

    /// An image and what the layers show of it.
    fn look(&self, image: Tensor, network: NetworkView<'_>) -> Result<Vec<Tensor>> {
        let features = self.method.eye.look(self.device(), &image, network)?;
        Ok([image].into_iter().chain(features).collect())
    }

    /// The terms of a pass.
    fn terms_of(&self, stage: Stage, (network, style_network): Views<'_>) -> Result<Vec<Term>> {
        let device = self.device();
        let (columns, w) = (self.columns(), stage.weight);
        let colours = Columns::new(columns.parts()[..1].to_vec(), Places::Pixels);
        let settings = &self.method.settings;
        let mut terms = Vec::new();
        let photo = match w > 0.0 {
            true => {
                let photo = stage.at.image(device, self.content)?;
                Arc::new(self.look(photo, network)?)
            }
            false => Arc::default(),
        };
        // Where the content counts.
        let held = self.setup.regions.content();
        let held = held.map(|mask| inside(&mask.stretched(stage.at.size())));
        let shares = shares(self.setup, stage.at.size());
        let count = shares.len() as f32;
        for share in shares {
            let own = share.drawn.as_deref().map(inside);
            let sampler = |inside: Option<Vec<bool>>| {
                Sampler::new(stage.at.size(), inside, settings.places)
                    .shuffled_apart(settings.faithful)
            };
            let held = held.as_ref().map(|held| within(held, own.as_deref()));
            let (sampler, held) = (sampler(own.clone()), sampler(held.or(own)));
            let strength = share.strength / count;
            let style = self.style_rows(stage, share.region, style_network)?;
            let palette = Palette::new(device, &first_columns(device, &style, 3)?)?;
            let spread = Spread::new(device, &style)?;
            let mut compared: Vec<(&str, f32, &Columns, Box<dyn Comparison>)> = Vec::new();
            if w > 0.0 {
                let similarity = self.similarity(stage, &columns, &photo, &held)?;
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
                let sampler = if name == "content" { &held } else { &sampler };
                let loss = SampledLoss::new(columns.clone(), sampler.clone(), comparison);
                terms.push(Term {
                    name: format!("{name}{}", share.name),
                    weight: strength * weight / (w + 2.0),
                    scaling: Scaling::NONE,
                    loss: Box::new(loss),
                });
            }
        }
        terms.extend(self.guided(stage, style_network)?);
        Ok(terms)
    }
}

impl Session<'_> {
    /// The self-similarity of a photo: of all of it, or of the places of all steps alone, whichever is smaller.
    fn similarity(
        &self,
        stage: Stage,
        columns: &Columns,
        photo: &Arc<Vec<Tensor>>,
        sampler: &Sampler,
    ) -> Result<SelfSimilarity> {
        let [maps, draws] = self.method.photo_bytes(self.setup, &stage);
        let Some(scale) = stage.index.filter(|_| draws < maps) else {
            return Ok(SelfSimilarity::new(columns.clone(), Arc::clone(photo)));
        };
        let draws = (1..=stage.at.scale.steps).map(|step| {
            sampler.draw(&StepSeed {
                seed: self.setup.recipe.seed,
                scale,
                step,
                term: "",
            })
        });
        let (device, columns) = (self.device(), columns.clone());
        Ok(SelfSimilarity::of_draws(device, columns, photo, draws)?)
    }
}

/// The pixels of one part that are of another one as well.
fn within(of: &[bool], other: Option<&[bool]>) -> Vec<bool> {
    match other {
        Some(other) => of.iter().zip(other).map(|(a, b)| *a && *b).collect(),
        None => of.to_vec(),
    }
}

/// The pixels that are of a region, by its share of each: of one that nowhere has most of a pixel, all that it has some of.
fn inside(drawn: &[f32]) -> Vec<bool> {
    let least = match drawn.iter().any(|share| *share >= INSIDE) {
        true => INSIDE,
        false => f32::MIN_POSITIVE,
    };
    drawn.iter().map(|share| *share >= least).collect()
}

impl Passes for Session<'_> {
    fn setup(&self) -> &Setup {
        self.setup
    }

    fn content(&self) -> &Picture {
        self.content
    }

    fn network(&self) -> &dyn Network {
        self.method.eye.network.as_ref()
    }

    fn demands(&self, long_side: usize) -> Vec<Demand> {
        let (method, setup) = (self.method, self.setup);
        let demand = |stage: &Stage| {
            let styles = setup.styles.iter();
            let styles = styles.map(|style| stage.at.of_style(setup, style, method.eye.least));
            let channels = method.eye.channels();
            let (places, samples) = (method.settings.places, method.settings.samples);
            let entries = (channels + 3) * (places + samples) + places * places;
            // What the photo shows is kept.
            let [maps, draws] = method.photo_bytes(setup, stage);
            let photo = maps.min(draws);
            Demand {
                scale: stage.at.scale,
                requests: method.eye.requests(),
                styles: styles.collect(),
                rows: size_of::<f32>() * COPIES * entries + photo,
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
        let pixels = stage.at.size().pixels();
        let mut planes = match before {
            Some(coarser) => enlarged(self, coarser, stage.at.scale)?,
            None => {
                let colour = self.mean_colour();
                colour
                    .iter()
                    .flat_map(|&value| std::iter::repeat_n(value, pixels))
                    .collect()
            }
        };
        if !stage.last {
            let photo = stage.at.image(device, self.content)?;
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
