//! A recipe with settings changed, as somebody who starts from one does.

use super::{Field, GramNorm, OutputSize, Problem, Recipe, StyleLoss, StyleTerm, Value};

impl Recipe {
    /// Changes settings, in the order of the table, so that a choice is made before its own settings are set.
    ///
    /// The last of the scales is the size of the result; what a Gram matrix is divided by goes back to its default where
    /// another loss is chosen, of which the recipe's says nothing.
    ///
    /// Returns what cannot be set; ranges are the matter of [`Recipe::problems`].
    pub fn change(&mut self, changes: &[(&'static Field, Value)]) -> Vec<Problem> {
        let mut problems = Vec::new();
        for field in super::fields() {
            let here = changes.iter().filter(|(other, _)| other.path == field.path);
            for (field, value) in here {
                if let Err(why) = field.set(self, value) {
                    problems.push(Problem::new(field.path, value, why));
                }
            }
        }
        let given = |path: &str| changes.iter().any(|(field, _)| field.path == path);
        let mut last_scale = None;
        if let Some(settings) = self.optimize_mut() {
            if settings.style.loss != StyleLoss::Gram && !given("style.gram-norm") {
                let unused: GramNorm = StyleTerm::default().gram_norm;
                settings.style.gram_norm = unused;
            }
            last_scale = settings.schedule.scales.last().copied();
        }
        // No scales are those that follow from the size.
        if let Some(last) = last_scale.filter(|_| given("schedule.scales")) {
            if given("size") && OutputSize::LongSide(last) != self.size {
                let allowed = "the last of the scales is the size of the result";
                let both = Problem::new("schedule.scales", "both given", allowed);
                problems.push(both.with(&["size"]));
            }
            self.size = OutputSize::LongSide(last);
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::{OptimizerSettings, field};

    fn changes(texts: &[(&str, &str)]) -> Vec<(&'static Field, Value)> {
        let change = |&(path, text): &(&str, &str)| {
            let field = field(path).unwrap();
            (field, field.parse(text).unwrap())
        };
        texts.iter().map(change).collect()
    }

    #[test]
    fn a_choice_is_made_before_its_settings_are_set() {
        let mut recipe = Recipe::default();
        let changes = changes(&[("optimizer.history", "7"), ("optimizer.method", "lbfgs")]);
        assert_eq!(recipe.change(&changes), []);
        let OptimizerSettings::Lbfgs(lbfgs) = recipe.optimize().unwrap().optimizer else {
            panic!("{recipe:?}")
        };
        assert_eq!(lbfgs.history, 7);
    }

    #[test]
    fn what_does_not_go_together_is_told() {
        let mut recipe = Recipe::default();
        let problems = recipe.change(&changes(&[
            ("optimizer.history", "7"),
            ("schedule.scales", "64,128"),
            ("size", "512"),
        ]));
        let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "optimizer.history is 7: goes with the optimizer lbfgs only",
                "schedule.scales and size are both given: the last of the scales is the size of the result",
            ]
        );
        assert_eq!(recipe.size, OutputSize::LongSide(128));
        let same = [("schedule.scales", "64,128"), ("size", "128")];
        assert_eq!(recipe.change(&changes(&same)), []);
    }

    #[test]
    fn another_loss_forgets_what_gram_matrices_are_divided_by() {
        let mut recipe = Recipe::default();
        let style = &mut recipe.optimize_mut().unwrap().style;
        style.loss = StyleLoss::Gram;
        style.gram_norm = GramNorm::Hw;
        assert_eq!(recipe.change(&changes(&[("style.loss", "mean-std")])), []);
        assert_eq!(recipe.problems(), []);
    }
}
