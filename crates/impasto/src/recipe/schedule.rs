//! Sizes and steps of a run, and how much work they are.

use super::{AdamSettings, Init, MethodName, MethodSettings, OptimizerSettings, Recipe};
use crate::named::Named;

/// The sizes of a run and the steps at each.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// Long sides in pixels, ascending; the last is the size of the result. None: what `coarse_to_fine` says.
    pub scales: Vec<usize>,
    /// Whether the run goes from 128 px by √2 to its size; otherwise it has one scale.
    pub coarse_to_fine: bool,
    /// Of the scales from 128 px, at most so many, the finest; 0 for all. Explicit scales are all there are.
    pub finest: usize,
    /// Steps at each scale, from the coarsest; the last number serves all further scales.
    pub steps: Vec<usize>,
}

/// The weight of the content for few steps from what a network has painted: these move less than many, so less needs to
/// hold them back. Chosen by style and content distances on ten pairs, and by looking.
pub(crate) const LIGHTER: f32 = 0.07;
/// The least long side of an automatic schedule.
const COARSEST: usize = 128;

impl Schedule {
    /// Long side and steps of every scale of a run that ends at `long_side`.
    ///
    /// Without explicit scales these are `long_side/√2ⁱ`, rounded, down to 128 px (crowsonkb/style-transfer-pytorch),
    /// or `long_side` alone.
    pub fn plan(&self, long_side: usize) -> Vec<(usize, usize)> {
        let mut sides = self.scales.clone();
        if sides.is_empty() && !self.coarse_to_fine {
            sides = vec![long_side];
        } else if sides.is_empty() {
            let finer =
                (0..).map(|i| (long_side as f64 / 2f64.powf(f64::from(i) / 2.0)).round() as usize);
            sides = finer
                .take_while(|&side| side >= COARSEST.min(long_side))
                .collect();
            sides.sort_unstable();
            sides.dedup();
            if self.finest > 0 {
                sides.drain(..sides.len().saturating_sub(self.finest));
            }
        }
        let last = self.steps.last().copied().unwrap_or(0);
        sides
            .iter()
            .enumerate()
            .map(|(i, &side)| (side, self.steps.get(i).copied().unwrap_or(last)))
            .collect()
    }
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            scales: vec![],
            coarse_to_fine: true,
            finest: 0,
            steps: vec![80, 40, 40, 40, 30],
        }
    }
}

/// How much work goes into a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Quality {
    /// What the embedded network paints, in a pass.
    Instant,
    /// Ten steps from there, at the final size.
    Draft,
    /// Some steps from there, at two sizes.
    #[default]
    Normal,
    /// Many steps from there, at four sizes.
    Fine,
    /// Each place by what it is like in the paintings first, then as a whole: nearest neighbours at all sizes, and many steps
    /// from there.
    Best,
}

impl Named for Quality {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("instant", Quality::Instant),
        ("draft", Quality::Draft),
        ("normal", Quality::Normal),
        ("fine", Quality::Fine),
        ("best", Quality::Best),
    ];
}

impl Quality {
    /// Changes start, schedule and optimiser of a recipe to this much work, or its method; nothing of a recipe whose method
    /// has neither.
    ///
    /// From what the embedded network paints, few steps do at few sizes.
    pub fn apply(self, recipe: &mut Recipe) {
        if self == Quality::Instant {
            recipe.method = MethodSettings::of(MethodName::Paint);
            return;
        }
        if self == Quality::Best {
            recipe.method = MethodSettings::of(MethodName::Nnst);
            return;
        }
        let (finest, steps, learning_rate, averaging) = match self {
            Quality::Instant | Quality::Draft => (1, vec![10], 0.04, 0.8),
            Quality::Normal => (2, vec![12, 16], 0.04, 0.85),
            Quality::Fine | Quality::Best => (4, vec![60, 40, 40, 40], 0.03, 0.95),
        };
        self.set(
            recipe,
            Init::Network(MethodName::Paint),
            finest,
            steps,
            (learning_rate, averaging),
        );
        if let Some(settings) = recipe.optimize_mut() {
            settings.content.weight = LIGHTER;
        }
    }

    /// The same for a start that no network has painted: more steps, at all sizes. [`Quality::Instant`] has no such form,
    /// and is as [`Quality::Draft`].
    pub fn apply_unpainted(self, recipe: &mut Recipe) {
        let (steps, learning_rate, averaging) = match self {
            Quality::Instant | Quality::Draft => (vec![40, 20], 0.04, 0.9),
            Quality::Normal => (vec![80, 40, 40, 40, 30], 0.03, 0.95),
            Quality::Fine | Quality::Best => (vec![150, 80], 0.02, 0.99),
        };
        self.set(recipe, Init::Content, 0, steps, (learning_rate, averaging));
    }

    fn set(
        self,
        recipe: &mut Recipe,
        init: Init,
        finest: usize,
        steps: Vec<usize>,
        (learning_rate, averaging): (f32, f32),
    ) {
        let Some(settings) = recipe.optimize_mut() else {
            return;
        };
        settings.init = init;
        settings.schedule = Schedule {
            finest,
            steps,
            ..Schedule::default()
        };
        let adam = match settings.optimizer {
            OptimizerSettings::Adam(adam) => adam,
            OptimizerSettings::Lbfgs(_) => AdamSettings::default(),
        };
        settings.optimizer = OptimizerSettings::Adam(AdamSettings {
            learning_rate,
            averaging,
            ..adam
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_go_up_by_the_root_of_two() {
        let schedule = Schedule {
            steps: vec![40, 20],
            ..Schedule::default()
        };
        assert_eq!(
            schedule.plan(512),
            [(128, 40), (181, 20), (256, 20), (362, 20), (512, 20)]
        );
        assert_eq!(schedule.plan(100), [(100, 40)]);
        let schedule = Schedule {
            finest: 2,
            ..schedule
        };
        assert_eq!(schedule.plan(512), [(362, 40), (512, 20)]);
        assert_eq!(schedule.plan(100), [(100, 40)]);
        let schedule = Schedule {
            scales: vec![64, 300],
            steps: vec![7],
            ..Schedule::default()
        };
        assert_eq!(schedule.plan(512), [(64, 7), (300, 7)]);
        let schedule = Schedule {
            coarse_to_fine: false,
            steps: vec![7],
            ..Schedule::default()
        };
        assert_eq!(schedule.plan(512), [(512, 7)]);
    }
}
