//! What is learned, and how long.

use crate::named::Named;
use crate::recipe::Problem;

/// Which numbers of which network are learned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Course {
    /// Scales and shifts of the norms of a network that knows styles already.
    #[default]
    Quick,
    /// All numbers of a network of 8, 16 and 32 channels.
    Thorough,
    /// All numbers of a network of 4, 8 and 16 channels, for pictures in real time.
    Tiny,
}

impl Named for Course {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("quick", Course::Quick),
        ("thorough", Course::Thorough),
        ("tiny", Course::Tiny),
    ];
}

impl Course {
    /// Channels of the layers of its network.
    pub fn channels(self) -> [usize; 3] {
        match self {
            Course::Quick | Course::Thorough => [8, 16, 32],
            Course::Tiny => [4, 8, 16],
        }
    }

    pub(super) fn moves_norms_alone(self) -> bool {
        self == Course::Quick
    }

    /// The usual lesson, of a network that knows something already or of one that knows nothing.
    pub fn lesson(self, from_nothing: bool) -> Lesson {
        let (steps, side, rates) = match (self, from_nothing) {
            (Course::Quick, _) => (260, 192, (1e-2, 1e-3)),
            (Course::Thorough, false) => (600, 160, (1e-3, 1e-5)),
            (Course::Thorough, true) => (3000, 160, (3e-3, 3e-5)),
            (Course::Tiny, false) => (1500, 160, (1e-3, 1e-5)),
            (Course::Tiny, true) => (6000, 160, (3e-3, 3e-5)),
        };
        Lesson {
            course: self,
            steps,
            batch: 4,
            side,
            learning_rate: rates.0,
            last_rate: rates.1,
            averaging: 0.99,
            decay: 0.0,
            clip: 10.0,
            seed: 1,
        }
    }
}

/// How something is learned.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Lesson {
    /// Which numbers of which network.
    pub course: Course,
    /// Steps in all.
    pub steps: usize,
    /// Crops that a step looks at.
    pub batch: usize,
    /// Width and height of a crop, a multiple of 4.
    pub side: usize,
    /// Size of the first step, in units of the numbers.
    pub learning_rate: f32,
    /// Size of the last step, on a quarter of a cosine's way down from the first.
    pub last_rate: f32,
    /// Decay of the average over steps that is the result; 0 takes the last step.
    pub averaging: f32,
    /// Share of every number that a step of size 1 takes away (Loshchilov and Hutter 2017, arXiv 1711.05101).
    pub decay: f32,
    /// The norm that gradients are shortened to where they are longer.
    pub clip: f32,
    /// What decides the crops.
    pub seed: u64,
}

impl Lesson {
    /// What about it cannot be.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut check = |fits: bool, field: &'static str, value: String, allowed: &'static str| {
            if !fits {
                problems.push(Problem::new(field, value, allowed));
            }
        };
        check(
            self.steps > 0,
            "steps",
            self.steps.to_string(),
            "must be at least 1",
        );
        check(
            (1..=64).contains(&self.batch),
            "batch",
            self.batch.to_string(),
            "must be between 1 and 64",
        );
        check(
            (64..=1024).contains(&self.side) && self.side.is_multiple_of(4),
            "side",
            self.side.to_string(),
            "must be a multiple of 4 between 64 and 1024",
        );
        check(
            self.learning_rate > 0.0 && self.learning_rate <= 1.0,
            "learning_rate",
            self.learning_rate.to_string(),
            "must be greater than 0 and at most 1",
        );
        problems
    }
}
