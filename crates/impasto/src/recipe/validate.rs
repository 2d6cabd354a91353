//! Everything that can be wrong with a recipe, said at once.

use super::{
    Clip, Keep, MethodSettings, Optimize, OptimizerSettings, Recipe, StyleLoss, StyleTerm, fields,
};
use crate::Advice;
use crate::named::Named;
use std::fmt;

/// One setting that cannot be, with what could.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The setting by its path: `style.weight`, `size`.
    pub field: String,
    /// Further settings that it is a problem of.
    pub also: Vec<String>,
    /// What it was set to.
    pub value: String,
    /// What it may be, or what it contradicts.
    pub allowed: String,
    /// What the user can do about it, beside changing the setting.
    pub advice: Option<Advice>,
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
            also: vec![],
            value: value.to_string(),
            allowed: allowed.into(),
            advice: None,
        }
    }

    /// The same problem with what can be done about it.
    pub(crate) fn advising(self, advice: Option<Advice>) -> Self {
        Self { advice, ..self }
    }

    /// The same problem of further settings, each of the same value.
    pub(super) fn with(self, also: &[&str]) -> Self {
        let also = also.iter().map(|&field| field.into()).collect();
        Self { also, ..self }
    }

    /// What goes between [`Problem::subject`] and value: `is`, or `are` of several settings.
    pub fn verb(&self) -> &'static str {
        if self.also.is_empty() { "is" } else { "are" }
    }

    /// Every setting that it is a problem of, as in a sentence: `style.weight`, `a, b and c`.
    ///
    /// `name` says how each is called.
    pub fn subject(&self, name: impl Fn(&str) -> String) -> String {
        let Some((last, others)) = self.also.split_last() else {
            return name(&self.field);
        };
        let first = others.iter().fold(name(&self.field), |text, field| {
            format!("{text}, {}", name(field))
        });
        format!("{first} and {}", name(last))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subject = self.subject(|field| field.into());
        write!(
            f,
            "{subject} {} {}: {}",
            self.verb(),
            self.value,
            self.allowed
        )
    }
}

impl Recipe {
    /// All that is wrong with the recipe by itself; an empty list is a recipe that can run.
    ///
    /// Layers are checked against the encoder when the two meet.
    pub fn problems(&self) -> Vec<Problem> {
        let ranges = fields().iter().flat_map(|field| field.problems(self));
        let contradictions = match &self.method {
            MethodSettings::Optimize(settings) => settings.contradictions(),
            _ => vec![],
        };
        let mut problems: Vec<_> = ranges.chain(contradictions).collect();
        // What these compare has no neighbours beyond the border.
        let ends = matches!(
            self.method,
            MethodSettings::Nnst(_) | MethodSettings::Strotss(_)
        );
        if self.wrap && ends {
            problems
                .push(Problem::new("wrap", true, "does not go with this method").with(&["method"]));
        }
        problems
    }
}

impl Optimize {
    /// Settings that do not go together.
    fn contradictions(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let weights = [
            self.content.weight,
            self.style.weight,
            self.variation.weight,
        ];
        if weights.iter().all(|&weight| weight == 0.0) {
            let allowed = "one of them must be greater than 0, or there is nothing to do";
            let others = ["style.weight", "variation.weight"];
            problems.push(Problem::new("content.weight", 0, allowed).with(&others));
        }
        let unused = self.style.gram_norm;
        if self.style.loss != StyleLoss::Gram && unused != StyleTerm::default().gram_norm {
            let allowed = "goes with the gram loss only";
            problems.push(Problem::new("style.gram-norm", unused.name(), allowed));
        }
        if self.clip != Clip::End && self.pixels.range().is_none() {
            let allowed =
                "must be end where pixels have another range in each channel, as with pixels torch";
            problems.push(Problem::new("clip", self.clip.name(), allowed));
        }
        if let OptimizerSettings::Adam(adam) = &self.optimizer
            && self.keep != Keep::Last
            && adam.averaging != 0.0
        {
            let allowed = "must be 0 where keep asks for the picture of the least loss";
            let averaging = adam.averaging;
            problems.push(Problem::new("optimizer.averaging", averaging, allowed));
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::super::*;
    use crate::encoder::WeightedLayer;
    use crate::named::Named;

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
        let settings = Optimize {
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
            ..Optimize::default()
        };
        let recipe = Recipe {
            size: OutputSize::LongSide(1),
            method: MethodSettings::Optimize(settings),
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
        let mut recipe = Recipe::default();
        recipe.optimize_mut().unwrap().style.gram_norm = GramNorm::Hw;
        assert_eq!(fields(&recipe), ["style.gram-norm"]);
    }
}
