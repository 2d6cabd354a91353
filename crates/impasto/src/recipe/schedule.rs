//! Sizes and steps of a run, and how much work they are.

use super::{AdamSettings, OptimizerSettings, Recipe};
use crate::named::Named;

/// The sizes of a run and the steps at each.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// Long sides in pixels, ascending; the last is the size of the result. None: what `coarse_to_fine` says.
    pub scales: Vec<usize>,
    /// Whether the run goes from 128 px by √2 to its size; otherwise it has one scale.
    pub coarse_to_fine: bool,
    /// Steps at each scale, from the coarsest; the last number serves all further scales.
    pub steps: Vec<usize>,
}

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
            steps: vec![80, 40, 40, 40, 30],
        }
    }
}

/// How much work goes into a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Quality {
    /// For a first look: 40 steps, then 20 a scale.
    Draft,
    /// 80 steps, then 40 a scale, 30 from the fifth on.
    #[default]
    Normal,
    /// 150 steps, then 80 a scale.
    Fine,
}

impl Named for Quality {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("draft", Quality::Draft),
        ("normal", Quality::Normal),
        ("fine", Quality::Fine),
    ];
}

impl Quality {
    /// Changes schedule and optimiser of a recipe to this much work; nothing of a recipe whose method has neither.
    pub fn apply(self, recipe: &mut Recipe) {
        let Some(settings) = recipe.optimize_mut() else {
            return;
        };
        let (steps, learning_rate, averaging) = match self {
            Quality::Draft => (vec![40, 20], 0.04, 0.9),
            Quality::Normal => (vec![80, 40, 40, 40, 30], 0.03, 0.95),
            Quality::Fine => (vec![150, 80], 0.02, 0.99),
        };
        settings.schedule.steps = steps;
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
