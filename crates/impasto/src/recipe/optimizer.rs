//! How a step is taken, when pixels are clipped, and which picture is the result.

use crate::named::Named;

/// An optimiser and its numbers; `method` tells them apart in files.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum OptimizerSettings {
    /// Adam.
    Adam(AdamSettings),
    /// L-BFGS.
    Lbfgs(LbfgsSettings),
}

/// Adam (Kingma and Ba, arXiv 1412.6980) with an averaged iterate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamSettings {
    /// Step size, in the units of the recipe's `pixels`.
    pub learning_rate: f32,
    /// Decay of the mean gradient.
    pub beta1: f32,
    /// Decay of the mean squared gradient.
    pub beta2: f32,
    /// Added to the root of the mean squared gradient.
    pub epsilon: f32,
    /// To which root.
    pub epsilon_to: EpsilonTo,
    /// Whether the means are corrected for their start at 0; without, and with `beta1` 0, it is RMSprop.
    pub bias_correction: bool,
    /// Decay of the average of pictures that is the result; 0 takes the last picture.
    pub averaging: f32,
}

/// Where Adam's ε is added; the literature has both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EpsilonTo {
    /// `lr · m̂ / (√v̂ + ε)`, to the root after its bias correction (the paper's algorithm 1; PyTorch).
    Corrected,
    /// `lr · √(1−β₂ᵗ)/(1−β₁ᵗ) · m / (√v + ε)`, to the root before it: the paper's `ε̂` of the end of section 2
    /// (TensorFlow, Keras). At the same ε, first steps are smaller.
    Uncorrected,
}

impl Named for EpsilonTo {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("corrected", EpsilonTo::Corrected),
        ("uncorrected", EpsilonTo::Uncorrected),
    ];
}

/// L-BFGS (Nocedal 1980; Liu and Nocedal 1989) as PyTorch's `torch.optim.LBFGS` has it.
///
/// A step of the schedule is one evaluation of the losses, as tutorials count. `max_iter` iterations make an outer
/// step, PyTorch's `optimizer.step(closure)`, at whose start the losses are evaluated anew.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LbfgsSettings {
    /// Factor on the quasi-Newton step.
    pub learning_rate: f32,
    /// Pairs of steps and gradient differences that are remembered.
    pub history: usize,
    /// How far a step goes.
    pub line_search: LineSearch,
    /// Iterations of an outer step.
    pub max_iter: usize,
    /// Evaluations after which an outer step ends; 0 stands for 1.25 times `max-iter`.
    pub max_eval: usize,
    /// An outer step ends where no entry of the gradient is greater; negative for never.
    pub tolerance_grad: f64,
    /// An outer step ends where neither loss nor any pixel changes by more; negative for never.
    pub tolerance_change: f64,
}

impl LbfgsSettings {
    /// Evaluations after which an outer step ends.
    pub fn evaluations(&self) -> usize {
        match self.max_eval {
            0 => self.max_iter * 5 / 4,
            given => given,
        }
    }
}

/// How far an L-BFGS step goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LineSearch {
    /// The learning rate times the direction; the very first step is at most as long as the unit in the L1 norm.
    None,
    /// To a point that fulfils the strong Wolfe conditions, found by cubic interpolation.
    StrongWolfe,
}

impl Named for LineSearch {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("none", LineSearch::None),
        ("strong-wolfe", LineSearch::StrongWolfe),
    ];
}

impl OptimizerSettings {
    /// The names of all.
    pub const NAMES: [&'static str; 2] = ["adam", "lbfgs"];

    /// The optimiser of a name, with its defaults.
    pub fn of_name(name: &str) -> Option<Self> {
        match name {
            "adam" => Some(OptimizerSettings::Adam(AdamSettings::default())),
            "lbfgs" => Some(OptimizerSettings::Lbfgs(LbfgsSettings::default())),
            _ => None,
        }
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            OptimizerSettings::Adam(_) => "adam",
            OptimizerSettings::Lbfgs(_) => "lbfgs",
        }
    }

    /// The size of a step.
    pub fn learning_rate(&self) -> f32 {
        match self {
            OptimizerSettings::Adam(adam) => adam.learning_rate,
            OptimizerSettings::Lbfgs(lbfgs) => lbfgs.learning_rate,
        }
    }

    /// The size of a step, to be changed.
    pub fn learning_rate_mut(&mut self) -> &mut f32 {
        match self {
            OptimizerSettings::Adam(adam) => &mut adam.learning_rate,
            OptimizerSettings::Lbfgs(lbfgs) => &mut lbfgs.learning_rate,
        }
    }

    /// The same with steps of `factor` times the size.
    pub fn shortened(mut self, factor: f32) -> Self {
        *self.learning_rate_mut() *= factor;
        self
    }

    /// The numbers of Adam, if that is what it is.
    pub fn adam_mut(&mut self) -> Option<&mut AdamSettings> {
        match self {
            OptimizerSettings::Adam(adam) => Some(adam),
            OptimizerSettings::Lbfgs(_) => None,
        }
    }
}

/// When pixels are brought back into the range of pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Clip {
    /// After every step.
    Step,
    /// Before every evaluation: PyTorch's tutorial does it inside the closure, unknown to L-BFGS.
    Evaluation,
    /// Only in the result.
    End,
}

impl Named for Clip {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("step", Clip::Step),
        ("evaluation", Clip::Evaluation),
        ("end", Clip::End),
    ];
}

/// Which picture of a scale is its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Keep {
    /// The last one, or the average if the optimiser keeps one.
    Last,
    /// The one of the least loss.
    Best,
    /// The one that came of the step at the least loss (R. Yuan's tutorial, which looks at the loss after the step).
    AfterBest,
}

impl Named for Keep {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("last", Keep::Last),
        ("best", Keep::Best),
        ("after-best", Keep::AfterBest),
    ];
}

impl Default for OptimizerSettings {
    fn default() -> Self {
        OptimizerSettings::Adam(AdamSettings::default())
    }
}

impl Default for AdamSettings {
    fn default() -> Self {
        Self {
            learning_rate: 0.03,
            beta1: 0.9,
            beta2: 0.99,
            epsilon: 1e-8,
            epsilon_to: EpsilonTo::Corrected,
            bias_correction: true,
            averaging: 0.95,
        }
    }
}

impl Default for LbfgsSettings {
    /// PyTorch's defaults.
    fn default() -> Self {
        Self {
            learning_rate: 1.0,
            history: 100,
            line_search: LineSearch::None,
            max_iter: 20,
            max_eval: 0,
            tolerance_grad: 1e-7,
            tolerance_change: 1e-9,
        }
    }
}
