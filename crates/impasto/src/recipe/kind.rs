//! What a setting may be: its kind, its range, and how it is read and checked.

use super::range::{Form, Quantity};
use super::value::Value;
use crate::encoder::WeightedLayer;
use crate::named::Named;
use serde_json::Value as Json;
use std::fmt::Display;
use std::str::FromStr;

/// What a setting may be.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Kind {
    /// Yes or no.
    Flag,
    /// A number.
    Number(Quantity),
    /// Whole numbers.
    List {
        /// What each may be.
        each: Quantity,
        /// Whether they must go up.
        ascending: bool,
        /// What it takes for there to be none, if there must be some: the sentence that says so.
        required: Option<&'static str>,
    },
    /// Layers of an encoder with their weights, each once.
    Layers,
    /// One of a few names.
    Choice(Vec<Alternative>),
}

/// A name that a choice offers.
#[derive(Clone, Debug, PartialEq)]
pub struct Alternative {
    /// The name.
    pub name: &'static str,
    /// The number that goes with it, if one does.
    pub number: Option<Quantity>,
    /// What it means, if more must be said than the setting does; may be empty.
    pub about: &'static str,
}

impl Quantity {
    /// Reads a number of a file.
    fn read(&self, json: &Json) -> Result<Value, String> {
        let found = match self.form {
            Form::Whole => json.as_u64().map(Value::Whole),
            Form::Single => json.as_f64().map(|value| Value::Single(value as f32)),
            Form::Double => json.as_f64().map(Value::Double),
        };
        found.ok_or_else(|| {
            let expected = match self.form {
                Form::Whole => "a whole number of at least 0",
                Form::Single | Form::Double => "a number",
            };
            unexpected(json, expected)
        })
    }

    /// Reads a number of a command line.
    fn parse(&self, text: &str) -> Option<Value> {
        match self.form {
            Form::Whole => text.parse().ok().map(Value::Whole),
            Form::Single => text.parse().ok().map(Value::Single),
            Form::Double => text.parse().ok().map(Value::Double),
        }
    }

    /// What a text must be to be read.
    fn noun(&self) -> &'static str {
        match self.form {
            Form::Whole => "a whole number",
            Form::Single | Form::Double => "a number",
        }
    }
}

impl Kind {
    /// The choice among the values of a type.
    pub(super) fn of_names<T: Named>() -> Self {
        let names = T::NAMES.iter().map(|&(name, _)| Alternative {
            name,
            number: None,
            about: "",
        });
        Kind::Choice(names.collect())
    }

    /// Reads a value as files have it.
    ///
    /// # Errors
    /// What it is instead, and what it should be.
    pub(crate) fn read(&self, json: &Json) -> Result<Value, String> {
        match self {
            Kind::Flag => json
                .as_bool()
                .map(Value::Flag)
                .ok_or_else(|| unexpected(json, "true or false")),
            Kind::Number(quantity) => quantity.read(json),
            Kind::List { each, .. } => {
                let numbers = items(json)?.iter().map(|item| match each.read(item)? {
                    Value::Whole(number) => usize::try_from(number).map_err(|e| e.to_string()),
                    _ => Err(unexpected(item, each.noun())),
                });
                Ok(Value::Wholes(numbers.collect::<Result<_, _>>()?))
            }
            Kind::Layers => {
                let layers = items(json)?.iter().map(|item| match item.as_str() {
                    Some(text) => text.parse(),
                    None => Err(unexpected(item, "the name of a layer")),
                });
                Ok(Value::Layers(layers.collect::<Result<_, _>>()?))
            }
            Kind::Choice(alternatives) => choose(alternatives, json),
        }
    }

    /// Reads a value as command lines have it: numbers and layers with commas between them; of a choice one of its
    /// names, or the number of the first that has one.
    ///
    /// # Errors
    /// What it must be.
    pub(crate) fn parse(&self, text: &str) -> Result<Value, String> {
        match self {
            Kind::Flag => match text {
                "true" => Ok(Value::Flag(true)),
                "false" => Ok(Value::Flag(false)),
                _ => Err("must be true or false".into()),
            },
            Kind::Number(quantity) => quantity
                .parse(text)
                .ok_or_else(|| format!("must be {}", quantity.noun())),
            Kind::List { .. } => parts(text).map(Value::Wholes).map_err(|_| {
                "must be one whole number, or several with commas between them".to_string()
            }),
            Kind::Layers => parts::<WeightedLayer>(text)
                .map(Value::Layers)
                .map_err(|problems| problems.join("; ")),
            Kind::Choice(alternatives) => pick(alternatives, text),
        }
    }

    /// Reads the number of an alternative as command lines have it.
    ///
    /// # Errors
    /// What it must be.
    pub(super) fn parse_number(&self, alternative: &str, text: &str) -> Result<Value, String> {
        let Kind::Choice(alternatives) = self else {
            return self.parse(text);
        };
        let found = alternatives
            .iter()
            .find(|other| other.name == alternative)
            .and_then(|found| Some((found.name, found.number?)));
        let Some((name, quantity)) = found else {
            return Err(format!("must be one of {}", names(alternatives)));
        };
        match quantity.parse(text) {
            Some(number) => Ok(Value::Measure(name, Box::new(number))),
            None => Err(format!("must be {}", quantity.noun())),
        }
    }

    /// What is wrong with a value: the part of it that is, and what it must be. Numbers count in units `factor` times as
    /// small as those of the range.
    pub(super) fn check(&self, value: &Value, factor: f64) -> Vec<(String, String)> {
        let within = |quantity: &Quantity, value: &Value| -> Option<(String, String)> {
            let range = quantity.range.scaled(factor);
            let good = range.holds(decimal(value)?);
            (!good).then(|| (value.to_string(), range.rule(quantity.unit)))
        };
        match (self, value) {
            (Kind::Number(quantity), value) => within(quantity, value).into_iter().collect(),
            (Kind::Choice(alternatives), Value::Measure(name, number)) => {
                let alternative = alternatives.iter().find(|other| other.name == *name);
                let quantity = alternative.and_then(|alternative| alternative.number);
                let problem = quantity.and_then(|quantity| within(&quantity, number));
                problem.into_iter().collect()
            }
            (
                Kind::List {
                    each,
                    ascending,
                    required,
                },
                Value::Wholes(list),
            ) => {
                if let Some(rule) = required {
                    let good = |number: &usize| each.range.holds(*number as f64);
                    let all = !list.is_empty() && list.iter().all(good);
                    return (!all)
                        .then(|| (value.to_string(), (*rule).to_string()))
                        .into_iter()
                        .collect();
                }
                let numbers = list.iter().map(|&number| Value::Whole(number as u64));
                let mut problems: Vec<_> = numbers.filter_map(|one| within(each, &one)).collect();
                if *ascending && !list.is_sorted() {
                    problems.push((value.to_string(), "must be ascending".into()));
                }
                problems
            }
            (Kind::Layers, Value::Layers(layers)) => check_layers(layers),
            _ => vec![],
        }
    }
}

fn check_layers(layers: &[WeightedLayer]) -> Vec<(String, String)> {
    let mut problems = Vec::new();
    for (place, layer) in layers.iter().enumerate() {
        let mut note = |rule: &str| problems.push((layer.to_string(), rule.to_string()));
        if !(layer.weight.is_finite() && layer.weight > 0.0) {
            note("the weight of a layer must be greater than 0");
        }
        let mut before = layers[..place].iter();
        if before.any(|other| other.layer == layer.layer) {
            note("a layer can be named only once");
        }
    }
    problems
}

/// A number as it is written: `0.05` of an f32, not the number of 52 bits that is the same.
fn decimal(value: &Value) -> Option<f64> {
    match value {
        Value::Single(value) => value.to_string().parse().ok(),
        value => value.number(),
    }
}

/// What stands in a file instead of what should.
fn unexpected(json: &Json, expected: &str) -> String {
    let found = match json {
        Json::Null => "nothing".into(),
        Json::Bool(value) => format!("boolean `{value}`"),
        Json::Number(value) if value.is_f64() => format!("number `{value}`"),
        Json::Number(value) => format!("integer `{value}`"),
        Json::String(text) => format!("string {text:?}"),
        Json::Array(_) => "a list".into(),
        Json::Object(_) => "a table".into(),
    };
    format!("not {found}, expected {expected}")
}

fn items(json: &Json) -> Result<&[Json], String> {
    match json {
        Json::Array(items) => Ok(items),
        other => Err(unexpected(other, "a list such as [1, 2]")),
    }
}

/// What stands between commas; every mistake in it otherwise.
fn parts<T: FromStr<Err: Display>>(text: &str) -> Result<Vec<T>, Vec<String>> {
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for part in text.split(',') {
        match part.trim().parse::<T>() {
            Ok(value) => good.push(value),
            Err(problem) => bad.push(problem.to_string()),
        }
    }
    if bad.is_empty() { Ok(good) } else { Err(bad) }
}

fn names(alternatives: &[Alternative]) -> String {
    let names: Vec<_> = alternatives.iter().map(|other| other.name).collect();
    names.join(", ")
}

/// The alternative that a file names: `"original"`, `{ long-side = 512 }`.
fn choose(alternatives: &[Alternative], json: &Json) -> Result<Value, String> {
    let (name, number) = match json {
        Json::String(name) => (name, None),
        Json::Object(pair) if pair.len() == 1 => match pair.iter().next() {
            Some((name, number)) => (name, Some(number)),
            None => return Err(unexpected(json, "a name")),
        },
        other => {
            let expected = format!("one of {}", names(alternatives));
            return Err(unexpected(other, &expected));
        }
    };
    let Some(found) = alternatives.iter().find(|other| other.name == name) else {
        return Err(format!("{name:?} is none of {}", names(alternatives)));
    };
    match (found.number, number) {
        (None, None) => Ok(Value::Name(found.name)),
        (Some(quantity), Some(number)) => {
            Ok(Value::Measure(found.name, Box::new(quantity.read(number)?)))
        }
        (Some(quantity), None) => Err(format!(
            "{name} needs {}: write {{ {name} = … }}",
            quantity.noun()
        )),
        (None, Some(_)) => Err(format!("{name} has no number: write {name:?}")),
    }
}

/// The alternative that a command line names.
fn pick(alternatives: &[Alternative], text: &str) -> Result<Value, String> {
    let plain = alternatives.iter().filter(|other| other.number.is_none());
    if let Some(found) = plain.clone().find(|other| other.name == text) {
        return Ok(Value::Name(found.name));
    }
    let measure = alternatives
        .iter()
        .find_map(|other| Some((other.name, other.number?)));
    let Some((name, quantity)) = measure else {
        return Err(format!("must be one of {}", names(alternatives)));
    };
    let number = quantity.parse(text).ok_or_else(|| {
        let unit = match quantity.unit {
            "" => String::new(),
            unit => format!(" of {unit}"),
        };
        let plain: Vec<_> = plain.map(|other| other.name).collect();
        format!(
            "must be {}{unit}, or {}",
            quantity.noun(),
            plain.join(" or ")
        )
    })?;
    Ok(Value::Measure(name, Box::new(number)))
}

#[cfg(test)]
mod tests {
    use super::super::range::Range;
    use super::*;
    use serde_json::json;

    #[test]
    fn the_ends_of_a_range_are_those_that_are_written() {
        let kind = Kind::Number(Quantity {
            form: Form::Single,
            range: Range::between(0.1, 0.7),
            unit: "",
        });
        for value in [0.1, 0.7] {
            assert_eq!(kind.check(&Value::Single(value), 1.0), []);
        }
    }

    #[test]
    fn a_choice_is_a_name_or_a_name_with_its_number() {
        let number = Quantity {
            form: Form::Whole,
            range: Range::ALL,
            unit: "pixels",
        };
        let kind = Kind::Choice(vec![
            Alternative {
                name: "long-side",
                number: Some(number),
                about: "",
            },
            Alternative {
                name: "original",
                number: None,
                about: "",
            },
        ]);
        let long_side = Value::Measure("long-side", Box::new(Value::Whole(7)));
        assert_eq!(kind.read(&json!({"long-side": 7})), Ok(long_side.clone()));
        assert_eq!(kind.parse("7"), Ok(long_side));
        assert_eq!(kind.read(&json!("original")), Ok(Value::Name("original")));
        for wrong in [
            json!("long-side"),
            json!({"original": 1}),
            json!({}),
            json!(7),
            json!({"long-side": 1, "original": 2}),
            json!({"longside": 3}),
        ] {
            assert!(kind.read(&wrong).is_err(), "{wrong}");
        }
        assert_eq!(
            kind.parse("huge").unwrap_err(),
            "must be a whole number of pixels, or original"
        );
    }
}
