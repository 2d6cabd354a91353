//! Everything that can be wrong with a recipe, said at once.

use super::names::Named;
use super::{Clip, Keep, OptimizerSettings, Recipe, Size, StyleLoss, StyleSize};
use std::fmt;

/// One setting that cannot be, with what could.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The setting, as recipes and the command line call it: `style.weight`, `size`.
    pub field: String,
    /// What it was set to.
    pub value: String,
    /// What it may be, or what it contradicts.
    pub allowed: String,
}

impl Problem {
    /// A problem of a setting.
    pub fn new(
        field: impl Into<String>,
        value: impl fmt::Display,
        allowed: impl Into<String>,
    ) -> Self {
        Self {
            field: field.into(),
            value: value.to_string(),
            allowed: allowed.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}: {}", self.field, self.value, self.allowed)
    }
}

/// Long sides that make sense, in pixels.
const SIDES: std::ops::RangeInclusive<usize> = 16..=32_768;

impl Recipe {
    /// All that is wrong with the recipe by itself; an empty list is a recipe that can run.
    ///
    /// Layers are checked against the encoder when the two meet.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut side = |field: &str, value: usize| {
            if !SIDES.contains(&value) {
                let allowed = format!(
                    "must be between {} and {} pixels",
                    SIDES.start(),
                    SIDES.end()
                );
                problems.push(Problem::new(field, value, allowed));
            }
        };
        if let Size::LongSide(value) = self.size {
            side("size", value);
        }
        if let StyleSize::LongSide(value) = self.style.size {
            side("style.size", value);
        }
        for &value in &self.schedule.scales {
            side("schedule.scales", value);
        }
        let mut check = |good: bool, field: &str, value: &dyn fmt::Display, allowed: &str| {
            if !good {
                problems.push(Problem::new(field, value, allowed));
            }
        };
        if let StyleSize::Scale(value) = self.style.size {
            check(
                (0.05..=20.0).contains(&value),
                "style.scale",
                &value,
                "must be between 0.05 and 20",
            );
        }
        for (field, value) in [
            ("content.weight", self.content.weight),
            ("style.weight", self.style.weight),
            ("variation.weight", self.variation.weight),
            ("noise.amplitude", self.noise.amplitude),
        ] {
            check(
                value.is_finite() && value >= 0.0,
                field,
                &value,
                "must be a number of at least 0",
            );
        }
        for (field, value) in [
            ("content.factor", self.content.factor),
            ("style.factor", self.style.factor),
            ("variation.factor", self.variation.factor),
        ] {
            check(
                value.is_finite() && value > 0.0,
                field,
                &value,
                "must be a number greater than 0",
            );
        }
        check(
            (0.0..=1.0).contains(&self.noise.ratio),
            "noise.ratio",
            &self.noise.ratio,
            "must be between 0 and 1",
        );
        check(
            [
                self.content.weight,
                self.style.weight,
                self.variation.weight,
            ]
            .iter()
            .any(|&weight| weight > 0.0),
            "content.weight, style.weight and variation.weight",
            &"0",
            "one of them must be greater than 0, or there is nothing to do",
        );
        for (field, layers) in [
            ("content.layers", &self.content.layers),
            ("style.layers", &self.style.layers),
        ] {
            for (place, layer) in layers.iter().enumerate() {
                let good = layer.weight.is_finite() && layer.weight > 0.0;
                check(
                    good,
                    field,
                    layer,
                    "the weight of a layer must be greater than 0",
                );
                let twice = layers[..place]
                    .iter()
                    .any(|other| other.layer == layer.layer);
                check(!twice, field, layer, "a layer can be named only once");
            }
        }
        let scales = &self.schedule.scales;
        let list = |values: &[usize]| {
            values
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(",")
        };
        check(
            scales.is_sorted(),
            "schedule.scales",
            &list(scales),
            "must be ascending",
        );
        let steps = &self.schedule.steps;
        check(
            !steps.is_empty() && steps.iter().all(|steps| (1..=1_000_000).contains(steps)),
            "schedule.steps",
            &list(steps),
            "must be one number for each scale, or one for all, each from 1 to 1000000",
        );
        self.check_optimizer(&mut check);
        check(
            self.style.loss == StyleLoss::Gram
                || self.style.gram_norm == super::StyleTerm::default().gram_norm,
            "style.gram-norm",
            &self.style.gram_norm.name(),
            "goes with the gram loss only",
        );
        check(
            self.clip == Clip::End || self.pixels.range().is_some(),
            "clip",
            &self.clip.name(),
            "must be end where pixels have another range in each channel, as with pixels torch",
        );
        problems
    }

    fn check_optimizer(&self, check: &mut dyn FnMut(bool, &str, &dyn fmt::Display, &str)) {
        let mut optimizer = self.optimizer;
        let rate = *optimizer.learning_rate_mut();
        // Adam's rate is about the step of a pixel, which no range of pixels makes sense of beyond this.
        let limit = 100.0 * self.pixels.scale()[0].max(1.0);
        check(
            rate > 0.0 && rate <= limit,
            "optimizer.learning-rate",
            &rate,
            &format!("must be greater than 0, up to {limit}"),
        );
        match &self.optimizer {
            OptimizerSettings::Adam(adam) => {
                for (field, value) in [
                    ("optimizer.beta1", adam.beta1),
                    ("optimizer.beta2", adam.beta2),
                    ("optimizer.averaging", adam.averaging),
                ] {
                    check(
                        (0.0..1.0).contains(&value),
                        field,
                        &value,
                        "must be at least 0 and less than 1",
                    );
                }
                let epsilon = adam.epsilon;
                check(
                    epsilon.is_finite() && epsilon > 0.0,
                    "optimizer.epsilon",
                    &epsilon,
                    "must be greater than 0",
                );
                check(
                    self.keep == Keep::Last || adam.averaging == 0.0,
                    "optimizer.averaging",
                    &adam.averaging,
                    "must be 0 where keep asks for the picture of the least loss",
                );
            }
            OptimizerSettings::Lbfgs(lbfgs) => {
                for (field, value) in [
                    ("optimizer.history", lbfgs.history),
                    ("optimizer.max-iter", lbfgs.max_iter),
                ] {
                    check(
                        (1..=1_000_000).contains(&value),
                        field,
                        &value,
                        "must be from 1 to 1000000",
                    );
                }
                for (field, value) in [
                    ("optimizer.tolerance-grad", lbfgs.tolerance_grad),
                    ("optimizer.tolerance-change", lbfgs.tolerance_change),
                ] {
                    let good = value.is_finite();
                    check(good, field, &value, "must be a number; negative for never");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::*;
    use crate::encoder::WeightedLayer;

    fn fields(recipe: &Recipe) -> Vec<String> {
        recipe
            .problems()
            .into_iter()
            .map(|problem| problem.field)
            .collect()
    }

    #[test]
    fn the_defaults_of_every_quality_can_run() {
        for &(name, quality) in Quality::NAMES {
            let mut recipe = Recipe::default();
            quality.apply(&mut recipe);
            assert_eq!(recipe.problems(), [], "{name}");
        }
    }

    #[test]
    fn every_problem_is_reported_at_once() {
        let layer: WeightedLayer = "relu1_1:0".parse().unwrap();
        let recipe = Recipe {
            size: Size::LongSide(1),
            content: ContentTerm {
                weight: f32::NAN,
                ..ContentTerm::default()
            },
            style: StyleTerm {
                weight: -1.0,
                layers: vec![layer, layer],
                ..StyleTerm::default()
            },
            schedule: Schedule {
                scales: vec![200, 100],
                steps: vec![0],
                ..Schedule::default()
            },
            optimizer: OptimizerSettings::Adam(AdamSettings {
                learning_rate: 0.0,
                beta2: 1.0,
                ..AdamSettings::default()
            }),
            ..Recipe::default()
        };
        assert_eq!(
            fields(&recipe),
            [
                "size",
                "content.weight",
                "style.weight",
                "style.layers",
                "style.layers",
                "style.layers",
                "schedule.scales",
                "schedule.steps",
                "optimizer.learning-rate",
                "optimizer.beta2",
            ]
        );
    }

    #[test]
    fn contradictions_are_problems() {
        let recipe = Recipe {
            style: StyleTerm {
                gram_norm: GramNorm::Hw,
                ..StyleTerm::default()
            },
            ..Recipe::default()
        };
        assert_eq!(fields(&recipe), ["style.gram-norm"]);
    }

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
