//! Losses of crops and their gradients towards the decoders' numbers.
//!
//! ```text
//! content ─▶ lite ─▶ features ─▶ transport ─▶ decoder ─▶ 0..1 ─▶ lite ─▶ … ─▶ picture ─▶ losses of the default recipe
//!                                constant        ▲                                   │
//!                                                └─── gradients, all the way back ◀──┘
//! content ─▶ lite ─▶ features ─▶ each decoder ─▶ picture ─▶ is it the content?
//! ```
//!
//! The transport of a level is that of the features as they are, and counts as a constant: gradients go through the features
//! that it moves. Without what reproduces, nothing holds the amplitude that it scales, and decoders lose it.

use super::config::{Phase, Weights};
use super::eye::{CONTENT, Eye, STYLE, places};
use anyhow::{Context, Result, anyhow};
use impasto::compute::graph::{Activation, Gradients, GraphTape, Learner, Op, Wanted};
use impasto::compute::{Cotangent, Device, Network, Tap, TapRequest, Tape, Tensor};
use impasto::loss::{LossValue, Objective};
use impasto::nets::Cascade;
use impasto::transform::{Affine, Gaussian, Statistic};
use serde::{Deserialize, Serialize};

/// What a step looks at.
#[derive(Clone, Debug)]
pub struct Item {
    /// The content, `[3, side, side]`.
    pub content: Vec<f32>,
    /// The style that it is painted in, `[3, side, side]`, and how strongly; nothing if it is not painted.
    pub style: Option<(Vec<f32>, f32)>,
    /// Whether style and content are the same.
    pub same: bool,
    /// Whether it is reproduced, too.
    pub reproduced: bool,
}

/// Means over some crops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Losses {
    /// What is minimised.
    pub total: f64,
    /// The style's, the mean over layers.
    pub style: f64,
    /// The content's.
    pub content: f64,
    /// Squared errors of pixels over the content's variance, the mean over decoders.
    pub pixels: f64,
}

impl Losses {
    /// `self + share · other`.
    pub fn add(&mut self, share: f64, other: &Self) {
        self.total += share * other.total;
        self.style += share * other.style;
        self.content += share * other.content;
        self.pixels += share * other.pixels;
    }
}

/// Encoder, eye and decoders on a device of one thread. Crops of a step are shared out among several.
#[derive(Debug)]
pub struct Worker {
    device: Box<dyn Device>,
    encoder: Box<dyn Network>,
    eye: Eye,
    levels: Vec<Level>,
}

/// A level of the cascade, deepest first.
#[derive(Debug)]
struct Level {
    tap: Tap,
    /// The decoder: what it makes, and that clamped to 0..1.
    learner: Box<dyn Learner>,
}

/// A level on the way there.
struct Pass<'a> {
    tape: Box<dyn Tape + 'a>,
    map: Affine,
    made: Box<dyn GraphTape + 'a>,
}

impl Worker {
    /// A worker with the decoders of a cascade.
    pub fn new(cascade: &Cascade) -> Result<Self> {
        let device = crate::teacher::device(Some(1))?;
        let taps: Vec<Tap> = cascade.levels.iter().map(|level| level.tap).collect();
        let mut levels = Vec::with_capacity(taps.len());
        for level in &cascade.levels {
            let mut spec = level.decoder.clone();
            let made = spec.outputs.first().copied();
            let made = made.context("a decoder hands out nothing")?;
            let range = Activation::Clamp {
                low: 0.0,
                high: 1.0,
            };
            let clamped = spec.push(Op::Activation(range), &[made]);
            spec.output(clamped);
            let wanted = Wanted::numbers(&spec, |_| true).with_input(0);
            levels.push(Level {
                tap: level.tap,
                learner: device.learner(&spec, &wanted)?,
            });
        }
        let encoder = cascade.encoders.first().context("there is no encoder")?;
        Ok(Self {
            encoder: device.network(encoder)?,
            eye: Eye::new(device.as_ref(), &taps)?,
            levels,
            device,
        })
    }

    /// Replaces the decoders' numbers, in the order of their names.
    pub fn set(&mut self, values: &[Vec<f32>]) -> Result<()> {
        let mut values = values.iter();
        for level in &mut self.levels {
            let count = level.learner.numbers()?.len();
            let tensors = values.by_ref().take(count);
            let tensors = tensors.map(|values| self.device.upload(values, &[values.len()]));
            level
                .learner
                .set(&tensors.collect::<Result<Vec<_>, _>>()?)?;
        }
        Ok(())
    }

    /// Sums of losses and gradients over some crops, each counting `share`.
    pub fn slope(
        &self,
        items: &[(&Item, Shares)],
        weights: &Weights,
    ) -> Result<(Losses, Vec<Vec<f32>>)> {
        let mut losses = Losses::default();
        let gradients = self.levels.iter().map(|level| level.learner.gradients());
        let mut gradients = gradients.collect::<Result<Vec<_>, _>>()?;
        for (item, shares) in items {
            let side = (item.content.len() / 3).isqrt();
            let image = self.device.upload(&item.content, &[3, side, side])?;
            if item.style.is_some() {
                let share = Weighted::of(weights, shares.painted);
                losses.add(1.0, &self.paint(item, &image, &share, &mut gradients)?);
            }
            if item.reproduced {
                let share = Weighted::of(weights, shares.reproduced);
                losses.add(1.0, &self.reproduce(&image, &share, &mut gradients)?);
            }
        }
        let mut values = Vec::new();
        for tensor in gradients.iter().flat_map(|sum| &sum.numbers) {
            values.push(self.device.download(tensor)?);
        }
        Ok((losses, values))
    }

    /// A content through the cascade.
    fn paint(
        &self,
        item: &Item,
        image: &Tensor,
        weighted: &Weighted,
        gradients: &mut [Gradients],
    ) -> Result<Losses> {
        let device = self.device.as_ref();
        let Some((style, strength)) = &item.style else {
            return Ok(Losses::default());
        };
        let side = (style.len() / 3).isqrt();
        let style = device.upload(style, &[3, side, side])?;
        let seen = self.eye.look(device, &style)?;
        let objective = self
            .eye
            .objective(device, image, &seen, &weighted.weights)?;
        let mut passes: Vec<Pass<'_>> = Vec::with_capacity(self.levels.len());
        for (level, style) in self.levels.iter().zip(&seen.levels) {
            let read = passes.last().map_or(image, |pass| &pass.made.outputs()[1]);
            let requests = [
                TapRequest::features(level.tap),
                TapRequest::moments(level.tap),
            ];
            let tape = self.encoder.forward(read, &requests)?;
            let places = places(self.encoder.as_ref(), level.tap, read)? as f64;
            let own = Gaussian::of(device, tape.moments(level.tap)?, places)?;
            let strength = f64::from(*strength);
            let mut map = Affine::identity(own.mean.len()).scaled(1.0 - strength);
            map.add(
                strength,
                &Affine::between(device, &own, style, Statistic::LEARNED)?,
            );
            let features = map.apply(device, tape.features(level.tap)?)?;
            let made = level.learner.forward(&[&features])?;
            passes.push(Pass { tape, map, made });
        }
        let last = passes.last().context("there are no levels")?;
        let evaluation = self
            .eye
            .evaluate(device, &objective, &last.made.outputs()[1])?;
        let mut losses = told(&objective, &evaluation.values, weighted)?;
        let mut gradient = evaluation.gradient;
        if item.same {
            let variance = variance(&item.content);
            let k = f64::from(weighted.weights.pixels) / (item.content.len() as f64 * variance);
            let (error, towards) =
                device.squared_error(&last.made.outputs()[1], image, 2.0 * k as f32)?;
            device.axpby(1.0, &towards, 1.0, &mut gradient)?;
            losses.total += k * error.value()?;
        }
        let levels = self.levels.iter().zip(gradients);
        for (index, (pass, (level, sums))) in passes.into_iter().zip(levels).enumerate().rev() {
            let beyond = self.beyond(pass.made.as_ref(), weighted, &mut losses)?;
            pass.made
                .backward(&[Some(&beyond), Some(&gradient)], sums)?;
            let towards = sums.inputs[0].take();
            if index > 0 {
                let towards = towards.context("a decoder gives no gradient")?;
                let towards = pass.map.back(device, &towards)?;
                let cotangent = Cotangent::features(level.tap, towards);
                gradient = pass.tape.backward(vec![cotangent])?;
            }
        }
        Ok(losses)
    }

    /// A content from its own features, by each decoder alone.
    fn reproduce(
        &self,
        image: &Tensor,
        weighted: &Weighted,
        gradients: &mut [Gradients],
    ) -> Result<Losses> {
        let device = self.device.as_ref();
        let requests: Vec<_> = self
            .levels
            .iter()
            .map(|level| TapRequest::features(level.tap))
            .collect();
        let tape = self.encoder.forward(image, &requests)?;
        let content = device.download(image)?;
        let variance = variance(&content);
        let count = content.len() as f64 * variance;
        let likeness = match weighted.weights.features > 0.0 {
            true => Some(
                self.eye
                    .likeness(device, image, weighted.weights.features)?,
            ),
            false => None,
        };
        let mut losses = Losses::default();
        for (level, sums) in self.levels.iter().zip(gradients) {
            let made = level.learner.forward(&[tape.features(level.tap)?])?;
            let k = f64::from(weighted.weights.pixels) / count;
            let (error, mut towards) =
                device.squared_error(&made.outputs()[0], image, 2.0 * k as f32)?;
            let error = error.value()?;
            losses.total += k * error;
            losses.pixels += weighted.share * error / count / self.levels.len() as f64;
            let beyond = self.beyond(made.as_ref(), weighted, &mut losses)?;
            device.axpby(1.0, &beyond, 1.0, &mut towards)?;
            let likeness = match &likeness {
                Some(likeness) => {
                    let seen = self.eye.evaluate(device, likeness, &made.outputs()[1])?;
                    losses.total += likeness.total(&seen.values)?;
                    Some(seen.gradient)
                }
                None => None,
            };
            made.backward(&[Some(&towards), likeness.as_ref()], sums)?;
            sums.inputs[0] = None;
        }
        Ok(losses)
    }

    /// The gradient of the squares of what is beyond 0..1 towards what a decoder makes.
    fn beyond(
        &self,
        made: &dyn GraphTape,
        weighted: &Weighted,
        losses: &mut Losses,
    ) -> Result<Tensor> {
        let [raw, clamped] = made.outputs() else {
            return Err(anyhow!("a decoder hands out something else than a picture"));
        };
        let k = f64::from(weighted.weights.beyond) / raw.len() as f64;
        let (square, gradient) = self.device.squared_error(raw, clamped, 2.0 * k as f32)?;
        losses.total += k * square.value()?;
        Ok(gradient)
    }
}

/// What a crop counts among those of a step.
#[derive(Clone, Copy, Debug)]
pub struct Shares {
    /// Among the painted ones.
    pub painted: f64,
    /// Among the reproduced ones.
    pub reproduced: f64,
}

impl Shares {
    /// All alike.
    pub fn of(phase: &Phase) -> Self {
        Self {
            painted: 1.0 / phase.painted.max(1) as f64,
            reproduced: 1.0 / phase.reproduced.max(1) as f64,
        }
    }
}

/// Weights times what a crop counts.
struct Weighted {
    weights: Weights,
    share: f64,
}

impl Weighted {
    fn of(weights: &Weights, share: f64) -> Self {
        let times = |weight: f32| weight * share as f32;
        Self {
            weights: Weights {
                style: times(weights.style),
                content: times(weights.content),
                variation: times(weights.variation),
                beyond: times(weights.beyond),
                pixels: times(weights.pixels),
                features: times(weights.features),
            },
            share,
        }
    }
}

/// The variance of all values of a crop; of a flat one, a little.
fn variance(values: &[f32]) -> f64 {
    let n = values.len().max(1) as f64;
    let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
    let squares = values.iter().map(|&v| (f64::from(v) - mean).powi(2));
    (squares.sum::<f64>() / n).max(1e-3)
}

/// The losses of an evaluation.
fn told(objective: &Objective, values: &[LossValue], weighted: &Weighted) -> Result<Losses> {
    let mut losses = Losses {
        total: objective.total(values)?,
        ..Losses::default()
    };
    let styles = objective.terms().iter().filter(|term| term.name == STYLE);
    let count = styles.count().max(1) as f64;
    for (term, value) in objective.terms().iter().zip(values) {
        let value = weighted.share * value.value()?;
        match term.name.as_str() {
            STYLE => losses.style += value / count,
            CONTENT => losses.content += value,
            _ => {}
        }
    }
    Ok(losses)
}

/// Adds up what workers found for their parts of a step's crops, in their order.
pub fn slopes(
    workers: &[Worker],
    items: &[Item],
    phase: &Phase,
) -> Result<(Losses, Vec<Vec<f32>>)> {
    let shares = Shares::of(phase);
    let parts = std::thread::scope(|scope| {
        let threads: Vec<_> = workers
            .iter()
            .enumerate()
            .map(|(index, worker)| {
                let own = items.iter().skip(index).step_by(workers.len());
                let own: Vec<_> = own.map(|item| (item, shares)).collect();
                scope.spawn(move || worker.slope(&own, &phase.weights))
            })
            .collect();
        let joined = threads.into_iter().map(|thread| {
            let failed = |_| anyhow!("a worker gave up");
            thread.join().map_err(failed)?
        });
        joined.collect::<Result<Vec<_>>>()
    })?;
    let mut parts = parts.into_iter();
    let (mut losses, mut gradients) = parts.next().context("there are no workers")?;
    for (part, towards) in parts {
        losses.add(1.0, &part);
        let pairs = gradients.iter_mut().flatten().zip(towards.iter().flatten());
        pairs.for_each(|(sum, gradient)| *sum += gradient);
    }
    Ok((losses, gradients))
}
