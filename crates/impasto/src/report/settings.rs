//! A recipe as rows for people, made from its serialised form, so that a new setting appears by itself.

use crate::recipe::Recipe;
use serde_json::Value;

/// Settings that belong together: those of the recipe itself, then one group for each of its tables.
#[derive(Debug, PartialEq)]
pub(crate) struct Group {
    /// The table's name; empty for the recipe itself.
    pub name: String,
    /// Its settings.
    pub rows: Vec<Row>,
}

/// One setting.
#[derive(Debug, PartialEq)]
pub(crate) struct Row {
    /// Its name within the group.
    pub name: String,
    /// Its value.
    pub value: String,
    /// The default's value, where it is another.
    pub default: Option<String>,
}

/// Every setting of a recipe, beside that of the default recipe where the two differ.
pub(crate) fn groups(recipe: &Recipe) -> Vec<Group> {
    let (settings, defaults) = (tree(recipe), tree(&Recipe::default()));
    let (mut own, mut tables) = (Vec::new(), Vec::new());
    for (name, value) in settings.as_object().into_iter().flatten() {
        let default = &defaults[name];
        match value {
            // A single pair, `size = { long-side = 512 }`, is a choice with its number: one setting.
            Value::Object(table) if table.len() > 1 => {
                let rows = table
                    .iter()
                    .map(|(name, value)| row(name, value, &default[name]));
                tables.push(Group {
                    name: name.clone(),
                    rows: rows.collect(),
                });
            }
            value => own.push(row(name, value, default)),
        }
    }
    tables.insert(
        0,
        Group {
            name: String::new(),
            rows: own,
        },
    );
    tables
}

fn row(name: &str, value: &Value, default: &Value) -> Row {
    Row {
        name: name.into(),
        value: print(value),
        default: (value != default).then(|| print(default)),
    }
}

/// By way of text, where an f32 of .05 is `0.05`; as a number it would be .05000000074505806.
fn tree(recipe: &Recipe) -> Value {
    let text = serde_json::to_string(recipe).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

fn print(value: &Value) -> String {
    match value {
        Value::Null => "–".into(),
        Value::Bool(true) => "yes".into(),
        Value::Bool(false) => "no".into(),
        Value::String(text) => text.clone(),
        Value::Number(number) => match number.as_f64() {
            Some(value) if number.is_f64() && value.fract() == 0.0 && value.abs() < 1e15 => {
                format!("{value}")
            }
            _ => number.to_string(),
        },
        Value::Array(values) if values.is_empty() => "automatic".into(),
        Value::Array(values) => values.iter().map(print).collect::<Vec<_>>().join(", "),
        Value::Object(pairs) => {
            let pairs = pairs
                .iter()
                .map(|(name, value)| format!("{name} {}", print(value)));
            pairs.collect::<Vec<_>>().join(", ")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::{OutputSize, StyleLoss, StyleSize};

    fn find<'a>(groups: &'a [Group], group: &str, row: &str) -> &'a Row {
        let group = groups.iter().find(|g| g.name == group).unwrap();
        group.rows.iter().find(|r| r.name == row).unwrap()
    }

    #[test]
    fn values_read_as_they_are_written() {
        let mut recipe = Recipe {
            size: OutputSize::LongSide(640),
            seed: 7,
            ..Recipe::default()
        };
        recipe.style.size = StyleSize::Scale(1.5);
        recipe.encoder.plain_pooling = true;
        let settings = recipe.optimize_mut().unwrap();
        settings.content.weight = 0.05;
        settings.content.layers = vec!["relu4_2:0.5".parse().unwrap(), "relu3_1".parse().unwrap()];
        settings.style.weight = 1.0;
        settings.style.layers = vec![];
        settings.schedule.steps = vec![80, 40];
        settings.optimizer.adam_mut().unwrap().epsilon = 1e-8;
        let groups = groups(&recipe);
        for (group, row, value) in [
            ("", "size", "long-side 640"),
            ("", "seed", "7"),
            ("content", "weight", "0.05"),
            ("content", "layers", "relu4_2:0.5, relu3_1"),
            ("style", "weight", "1"),
            ("style", "layers", "automatic"),
            ("style", "size", "scale 1.5"),
            ("schedule", "steps", "80, 40"),
            ("encoder", "plain-pooling", "yes"),
            ("optimizer", "epsilon", "1e-8"),
        ] {
            assert_eq!(find(&groups, group, row).value, value);
        }
    }

    #[test]
    fn what_differs_from_the_default_is_told_apart() {
        let same = groups(&Recipe::default());
        let different = |groups: &[Group]| {
            let rows = groups.iter().flat_map(|group| &group.rows);
            rows.filter(|row| row.default.is_some()).count()
        };
        assert_eq!(different(&same), 0);
        let mut recipe = Recipe {
            size: OutputSize::Original,
            ..Recipe::default()
        };
        let settings = recipe.optimize_mut().unwrap();
        settings.style.loss = StyleLoss::MeanStd;
        settings.content.layers = vec!["relu1_2:0.125".parse().unwrap()];
        *settings.optimizer.learning_rate_mut() *= 2.0;
        let changed = groups(&recipe);
        assert_eq!(different(&changed), 4);
        for (group, row) in [
            ("", "size"),
            ("style", "loss"),
            ("content", "layers"),
            ("optimizer", "learning-rate"),
        ] {
            let (before, after) = (find(&same, group, row), find(&changed, group, row));
            assert_eq!(after.default.as_ref(), Some(&before.value));
            assert_ne!(after.value, before.value);
        }
    }
}
