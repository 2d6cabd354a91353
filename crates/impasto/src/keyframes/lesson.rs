//! Learning from keyframes, patch by patch.

use super::network::{Fresh, STRIDE, Width, graph};
use super::{Guide, KeyframeNetwork};
use crate::encoder::Encoder;
use crate::learn::{AdamW, Descent, LearnerState, Schedule, state};
use crate::method::{OptimizeMethod, RunLimits, Setup};
use crate::optim::Parameters;
use crate::picture::{Filter, Picture};
use crate::random::{Random, StepSeed};
use crate::recipe::{
    ContentTerm, Init, MethodSettings, Optimize, Problem, Recipe, StyleTerm, VariationTerm,
};
use crate::regions::Regions;
use crate::{Error, LayerName, Mask, Result, WeightedLayer};
use impasto_compute::graph::{Learner, Wanted};
use impasto_compute::{Device, Size};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// Blocks whose first layers' features are compared: edges and small strokes.
const BLOCKS: [u8; 2] = [1, 2];

/// One patch of so many is seen without its guide.
const BLIND: usize = 4;

/// A frame and what it is to become.
#[derive(Clone, Debug)]
pub struct Keyframe {
    /// The frame, in the size in which it is painted.
    pub frame: Picture,
    /// What it becomes, in whatever size.
    pub painting: Picture,
    /// Where that is said: only there something is learned. All of it without.
    pub mask: Option<Mask>,
    /// The guide of the frame, in its size; black without.
    pub guide: Option<Picture>,
}

/// How something is learned from keyframes.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct KeyframeLesson {
    /// How large the network is.
    pub width: Width,
    /// Steps in all.
    pub steps: usize,
    /// Patches of a step.
    pub batch: usize,
    /// Their side in pixels, a multiple of 4.
    pub side: usize,
    /// Size of the first step; the last one has a twentieth of it.
    pub learning_rate: f32,
    /// Weight of the features beside that of the pixels.
    pub features: f32,
    /// What decides patches and the start.
    pub seed: u64,
}

impl Default for KeyframeLesson {
    fn default() -> Self {
        Self {
            width: Width::Quality,
            steps: 600,
            batch: 6,
            side: 64,
            learning_rate: 2e-3,
            features: 0.1,
            seed: 1,
        }
    }
}

impl KeyframeLesson {
    /// Everything that is wrong with it.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut check = |is_right: bool, field: &str, value: String, allowed: &str| {
            if !is_right {
                problems.push(Problem::new(field, value, allowed));
            }
        };
        let Self {
            steps,
            batch,
            side,
            learning_rate,
            features,
            ..
        } = *self;
        check(steps > 0, "steps", steps.to_string(), "must be at least 1");
        check(
            (1..=64).contains(&batch),
            "batch",
            batch.to_string(),
            "must be from 1 to 64",
        );
        let fits = (16..=512).contains(&side) && side.is_multiple_of(STRIDE);
        check(
            fits,
            "side",
            side.to_string(),
            "must be a multiple of 4 from 16 to 512",
        );
        let rate = learning_rate > 0.0 && learning_rate <= 0.1;
        check(
            rate,
            "learning_rate",
            learning_rate.to_string(),
            "must be greater than 0, and at most 0.1",
        );
        let weight = (0.0..=100.0).contains(&features);
        check(
            weight,
            "features",
            features.to_string(),
            "must be from 0 to 100",
        );
        problems
    }

    fn descent(&self) -> Descent {
        Descent {
            schedule: Schedule {
                first: self.learning_rate,
                last: self.learning_rate / 20.0,
                steps: self.steps,
                warm_up: 10,
            },
            beta2: 0.99,
            averaging: 0.95,
            decay: 0.0,
            clip: 1.0,
        }
    }
}

/// A keyframe in planes.
#[derive(Debug)]
struct Pair {
    size: Size,
    frame: Vec<f32>,
    painting: Vec<f32>,
    guide: Vec<f32>,
    weights: Vec<f32>,
    /// Places at which something is said.
    known: Vec<u32>,
}

/// A network while it learns from keyframes.
#[derive(Debug)]
pub struct KeyframeLearner {
    device: Arc<dyn Device>,
    setup: Setup,
    judge: OptimizeMethod,
    lesson: KeyframeLesson,
    pairs: Vec<Pair>,
    learner: Box<dyn Learner>,
    numbers: Parameters,
    optimizer: AdamW,
    step: usize,
    identity: String,
    guide: Option<Guide>,
}

/// A step of learning.
#[derive(Clone, Copy, Debug)]
pub struct KeyframeStep {
    /// Which it was, from 1.
    pub step: usize,
    /// The mean difference from the keyframes, 0..1.
    pub pixels: f64,
    /// That of features, relative to their variance.
    pub features: f64,
}

impl KeyframeLearner {
    /// Prepares to learn from keyframes, at least one. `guide` is whose colours their guides have; it is kept with the network.
    ///
    /// # Errors
    /// [`Error::Invalid`] with everything that is wrong with lesson and keyframes; whatever the device reports.
    pub fn new(
        device: Arc<dyn Device>,
        encoder: &Encoder,
        keyframes: Vec<Keyframe>,
        guide: Option<Guide>,
        lesson: KeyframeLesson,
    ) -> Result<Self> {
        let mut problems = lesson.problems();
        if keyframes.is_empty() {
            problems.push(Problem::new("keyframe", "none", "name at least one"));
        }
        let identity = identity(encoder, &keyframes, &lesson);
        let mut pairs = Vec::with_capacity(keyframes.len());
        for (place, keyframe) in keyframes.into_iter().enumerate() {
            match Pair::of(keyframe, lesson.side) {
                Some(pair) => pairs.push(pair),
                None => problems.push(Problem::new(
                    "keyframe-mask",
                    format!("of keyframe {}", place + 1),
                    "must be white somewhere",
                )),
            }
        }
        if !problems.is_empty() {
            return Err(Error::Invalid(problems));
        }
        let (setup, judge) = judge(&device, encoder)?;
        let spec = graph(lesson.width, &mut Fresh(Random::new(lesson.seed)));
        let wanted = Wanted::numbers(&spec, |_| true);
        let learner = device.learner(&spec, &wanted)?;
        let numbers = Parameters::new(learner.numbers()?);
        let optimizer = AdamW::new(device.as_ref(), lesson.descent(), &numbers.shapes())?;
        Ok(Self {
            device,
            setup,
            judge,
            lesson,
            pairs,
            learner,
            numbers,
            optimizer,
            step: 0,
            identity,
            guide,
        })
    }

    /// Steps that were taken.
    pub fn steps_taken(&self) -> usize {
        self.step
    }

    /// Whether everything was learned.
    pub fn is_finished(&self) -> bool {
        self.step >= self.lesson.steps
    }

    /// How it is learned.
    pub fn lesson(&self) -> &KeyframeLesson {
        &self.lesson
    }

    /// Takes a step: patches of the keyframes in turn, where their masks say something.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the loss is no number any more; whatever the device reports.
    pub fn step(&mut self) -> Result<KeyframeStep> {
        let device = self.device.as_ref();
        let KeyframeLesson {
            batch, side, seed, ..
        } = self.lesson;
        let mut gradients = self.learner.gradients()?;
        let mut told = KeyframeStep {
            step: self.step + 1,
            pixels: 0.0,
            features: 0.0,
        };
        for item in 0..batch {
            let number = self.step * batch + item;
            let pair = &self.pairs[number % self.pairs.len()];
            let seed = StepSeed {
                seed,
                scale: 0,
                step: number,
                term: "patch",
            };
            let mut random = seed.random();
            let mut patch = pair.patch(&mut random, side);
            // What it has learned is of use without spots as well: on frames that have lost them, on other films.
            if random.below(BLIND) == 0 {
                patch.guide.fill(0.0);
            }
            let shape = [3, side, side];
            let frame = device.upload(&patch.frame, &shape)?;
            let guide = device.upload(&patch.guide, &shape)?;
            let tape = self.learner.forward(&[&frame, &guide])?;
            let made = device.download(&tape.outputs()[0])?;
            let (pixels, mut gradient) = patch.difference(&made);
            told.pixels += pixels / batch as f64;
            if self.lesson.features > 0.0 && patch.is_known() {
                let wanted = Picture::new(side, side, patch.painting)?;
                let objective = self.judge.of_crop(&self.setup, &wanted, &[])?;
                let seen = self
                    .judge
                    .evaluate(&self.setup, &objective, &tape.outputs()[0])?;
                told.features += objective.total(&seen.values)? / batch as f64;
                let more = device.download(&seen.gradient)?;
                for (gradient, more) in gradient.iter_mut().zip(more) {
                    *gradient += self.lesson.features * more;
                }
            }
            let gradient = device.upload(&gradient, &shape)?;
            tape.backward(&[Some(&gradient)], &mut gradients)?;
        }
        let mut gradients = Parameters::new(gradients.numbers);
        gradients.axpby(device, 0.0, &self.numbers, 1.0 / batch as f32)?;
        if !(told.pixels.is_finite() && gradients.dot(device, &gradients)?.is_finite()) {
            let allowed = "is too large for these keyframes: the loss is no number any more";
            let rate = self.lesson.learning_rate;
            let problem = Problem::new("learning_rate", rate, allowed);
            return Err(Error::Invalid(vec![problem]));
        }
        self.optimizer
            .step(device, self.step, &mut self.numbers, gradients)?;
        self.learner.set(self.numbers.tensors())?;
        self.step += 1;
        Ok(told)
    }

    /// What was learned so far: the average over steps.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn network(&self) -> Result<KeyframeNetwork> {
        let numbers = self
            .optimizer
            .average(self.device.as_ref(), &self.numbers)?;
        Ok(KeyframeNetwork {
            lesson: self.lesson.clone(),
            steps: self.step,
            numbers,
            guide: self.guide.clone(),
        })
    }

    /// The state of the run.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn state(&self) -> Result<LearnerState> {
        let device = self.device.as_ref();
        state::save(
            device,
            (&self.numbers, &self.optimizer),
            self.step,
            &self.identity,
        )
    }

    /// Goes on from a state of a run of the same keyframes and lesson.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it is of another run, or is not complete.
    pub fn resume(&mut self, state: LearnerState) -> Result<()> {
        let (device, shapes) = (self.device.as_ref(), self.numbers.shapes());
        let descent = self.lesson.descent();
        let found = state::restore(state, device, &shapes, descent, &self.identity)?;
        (self.numbers, self.optimizer, self.step) = found;
        self.learner.set(self.numbers.tensors())?;
        Ok(())
    }
}

/// What compares features.
fn judge(device: &Arc<dyn Device>, encoder: &Encoder) -> Result<(Setup, OptimizeMethod)> {
    let layers = BLOCKS.map(|block| WeightedLayer::one(LayerName::Relu { block, index: 1 }));
    let settings = Optimize {
        init: Init::Content,
        content: ContentTerm {
            weight: 1.0,
            layers: layers.to_vec(),
            ..ContentTerm::default()
        },
        style: StyleTerm {
            weight: 0.0,
            ..StyleTerm::default()
        },
        variation: VariationTerm {
            weight: 0.0,
            ..VariationTerm::default()
        },
        ..Optimize::default()
    };
    let recipe = Recipe {
        method: MethodSettings::Optimize(settings.clone()),
        ..Recipe::default()
    };
    let setup = Setup {
        encoder: encoder.name().into(),
        painter: None,
        device: device.clone(),
        styles: Vec::new(),
        recipe,
        start: None,
        regions: Regions::default(),
        palette: None,
        limits: RunLimits::default(),
        checkpoints: None,
        extra_terms: None,
    };
    let method = OptimizeMethod::new(&setup, &settings, encoder)?;
    Ok((setup, method))
}

/// What a run depends on, as a SHA-256.
fn identity(encoder: &Encoder, keyframes: &[Keyframe], lesson: &KeyframeLesson) -> String {
    let mut hash = Sha256::new();
    hash.update(env!("CARGO_PKG_VERSION"));
    hash.update(encoder.name());
    hash.update(serde_json::to_string(lesson).unwrap_or_default());
    for keyframe in keyframes {
        let pictures = [&keyframe.frame, &keyframe.painting];
        for picture in pictures.into_iter().chain(&keyframe.guide) {
            hash.update((picture.width() as u64).to_le_bytes());
            for value in picture.rgb() {
                hash.update(value.to_le_bytes());
            }
        }
        let shares = keyframe.mask.iter().flat_map(Mask::shares);
        shares.for_each(|share| hash.update(share.to_le_bytes()));
    }
    let bytes = hash.finalize();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A patch of a keyframe, planes of a square.
struct Patch {
    frame: Vec<f32>,
    painting: Vec<f32>,
    guide: Vec<f32>,
    weights: Vec<f32>,
}

impl Patch {
    fn is_known(&self) -> bool {
        self.weights.iter().all(|&weight| weight > 0.0)
    }

    /// The mean difference of what was made, and its gradient.
    fn difference(&self, made: &[f32]) -> (f64, Vec<f32>) {
        let places = self.weights.len();
        let share = 1.0 / made.len().max(1) as f32;
        let mut sum = 0.0f64;
        let pairs = made.iter().zip(&self.painting).enumerate();
        let gradient = pairs.map(|(at, (made, wanted))| {
            let weight = self.weights[at % places];
            let apart = made - wanted;
            sum += f64::from(weight * apart.abs());
            let slope = match apart == 0.0 {
                true => 0.0,
                false => apart.signum(),
            };
            share * weight * slope
        });
        let gradient = gradient.collect();
        (sum * f64::from(share), gradient)
    }
}

impl Pair {
    /// None if its mask is black. Frames smaller than a patch are continued by their mirror images.
    fn of(keyframe: Keyframe, side: usize) -> Option<Self> {
        let Keyframe {
            frame,
            painting,
            mask,
            guide,
        } = keyframe;
        let size = frame.size();
        let fitted = |picture: Picture| match picture.size() == size {
            true => picture,
            false => picture.resized(size.width, size.height, Filter::Bicubic),
        };
        let painting = fitted(painting);
        let weights = mask.map(|mask| mask.stretched(size));
        let weights = weights.unwrap_or_else(|| vec![1.0; size.pixels()]);
        let guide = guide.map(|guide| fitted(guide).rgb().to_vec());
        let guide = guide.unwrap_or_else(|| vec![0.0; 3 * size.pixels()]);
        let large = Size {
            width: size.width.max(side),
            height: size.height.max(side),
        };
        let grown = |planes: &[f32]| grown(planes, size, large);
        let weights = grown(&weights);
        let known = (0..).zip(&weights).filter(|(_, weight)| **weight > 0.5);
        let known: Vec<u32> = known.map(|(place, _)| place).collect();
        (!known.is_empty()).then(|| Self {
            size: large,
            frame: grown(frame.rgb()),
            painting: grown(painting.rgb()),
            guide: grown(&guide),
            weights,
            known,
        })
    }

    /// A patch around a place at which something is said.
    fn patch(&self, random: &mut Random, side: usize) -> Patch {
        let place = self.known[random.below(self.known.len())] as usize;
        let (x, y) = (place % self.size.width, place / self.size.width);
        let from = |at: usize, n: usize| at.saturating_sub(side / 2).min(n - side);
        let (left, top) = (from(x, self.size.width), from(y, self.size.height));
        let part = |planes: &[f32]| -> Vec<f32> {
            let planes = planes.chunks_exact(self.size.pixels());
            let rows =
                planes.flat_map(|plane| plane.chunks_exact(self.size.width).skip(top).take(side));
            rows.flat_map(|row| &row[left..left + side])
                .copied()
                .collect()
        };
        Patch {
            frame: part(&self.frame),
            painting: part(&self.painting),
            guide: part(&self.guide),
            weights: part(&self.weights),
        }
    }
}

/// Planes continued on the right and below by their mirror images.
fn grown(planes: &[f32], from: Size, to: Size) -> Vec<f32> {
    if from == to {
        return planes.to_vec();
    }
    let source = |at: usize, n: usize| {
        let place = at % (2 * n);
        place.min(2 * n - 1 - place)
    };
    let mut grown = Vec::with_capacity(planes.len() / from.pixels().max(1) * to.pixels());
    for plane in planes.chunks_exact(from.pixels().max(1)) {
        for y in 0..to.height {
            let row = &plane[source(y, from.height) * from.width..][..from.width];
            grown.extend((0..to.width).map(|x| row[source(x, from.width)]));
        }
    }
    grown
}
