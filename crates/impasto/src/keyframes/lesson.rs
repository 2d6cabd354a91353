//! Learning from keyframes, patch by patch.

use super::method::paint;
use super::network::{Fresh, NetworkSize, STRIDE, graph};
use super::patch::Pair;
use super::{Guide, KeyframeNetwork};
use crate::encoder::Encoder;
use crate::learn::{AdamW, Descent, LearnerState, Schedule, state};
use crate::method::{OptimizeMethod, RunLimits, Setup};
use crate::optim::Parameters;
use crate::picture::Picture;
use crate::random::{Random, StepSeed};
use crate::recipe::{
    ContentTerm, Init, MethodSettings, Optimize, Problem, Recipe, StyleTerm, VariationTerm,
};
use crate::regions::Regions;
use crate::{Error, LayerName, Mask, Result, WeightedLayer};
use impasto_compute::Device;
use impasto_compute::graph::{Learner, Op, Wanted};
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
    /// Which network learns.
    pub size: NetworkSize,
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
            size: NetworkSize::Quality,
            steps: 650,
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
                    "must be white somewhere, in the size that is painted, too",
                )),
            }
        }
        if !problems.is_empty() {
            return Err(Error::Invalid(problems));
        }
        let (setup, judge) = judge(&device, encoder)?;
        let spec = graph(lesson.size, &mut Fresh(Random::new(lesson.seed)));
        let wanted = Wanted::numbers(&spec, |op| matches!(op, Op::Convolution(_)));
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
            let (pixels, mut gradient) = patch.difference(&made, side);
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
            identity: self.identity.clone(),
            numbers,
            guide: self.guide.clone(),
        })
    }

    /// What becomes of a frame by what was learned so far; `guide` is its guide, in its size.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn preview(&self, frame: &Picture, guide: Option<&Picture>) -> Result<Picture> {
        let network = self.network()?;
        let graph = self.device.graph(&network.graph()?)?;
        let reach = self.lesson.size.reach();
        paint(self.device.as_ref(), (graph.as_ref(), reach), frame, guide)
    }

    /// What the run depends on, as a SHA-256: its network says the same.
    pub fn identity(&self) -> &str {
        &self.identity
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
