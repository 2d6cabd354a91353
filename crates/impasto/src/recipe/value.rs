//! The value of a setting, whatever its type: how tables of settings, files and shells hand it around.

use crate::encoder::WeightedLayer;
use crate::named::Named;
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::fmt;

/// The value of a setting.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// Yes or no.
    Flag(bool),
    /// A whole number.
    Whole(u64),
    /// A number in f32.
    Single(f32),
    /// A number in f64.
    Double(f64),
    /// A list of whole numbers.
    Wholes(Vec<usize>),
    /// A list of layers, each with its weight.
    Layers(Vec<WeightedLayer>),
    /// One of a few names.
    Name(&'static str),
    /// One of a few names, with its number: `scale` 1.5.
    Measure(&'static str, Box<Value>),
}

impl Value {
    /// The number, if it is one or a name with one.
    pub fn number(&self) -> Option<f64> {
        match self {
            Value::Whole(value) => Some(*value as f64),
            Value::Single(value) => Some(f64::from(*value)),
            Value::Double(value) => Some(*value),
            Value::Measure(_, value) => value.number(),
            _ => None,
        }
    }

    /// The name, if it is one, with or without a number.
    pub fn name(&self) -> Option<&'static str> {
        match self {
            Value::Name(name) | Value::Measure(name, _) => Some(name),
            _ => None,
        }
    }
}

/// As people write it in messages and on command lines: lists with commas, names as they are, of a name with its number
/// the number.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Flag(value) => write!(f, "{value}"),
            Value::Whole(value) => write!(f, "{value}"),
            Value::Single(value) => write!(f, "{value}"),
            Value::Double(value) => write!(f, "{value}"),
            Value::Wholes(values) => list(f, values),
            Value::Layers(layers) => list(f, layers),
            Value::Name(name) => f.write_str(name),
            Value::Measure(_, value) => write!(f, "{value}"),
        }
    }
}

fn list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, items: &[T]) -> fmt::Result {
    for (place, item) in items.iter().enumerate() {
        let comma = if place == 0 { "" } else { "," };
        write!(f, "{comma}{item}")?;
    }
    Ok(())
}

/// As files have it: a name with its number is a table of one pair.
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Flag(value) => serializer.serialize_bool(*value),
            Value::Whole(value) => serializer.serialize_u64(*value),
            Value::Single(value) => serializer.serialize_f32(*value),
            Value::Double(value) => serializer.serialize_f64(*value),
            Value::Wholes(values) => values.serialize(serializer),
            Value::Layers(layers) => layers.serialize(serializer),
            Value::Name(name) => serializer.serialize_str(name),
            Value::Measure(name, value) => {
                let mut pair = serializer.serialize_map(Some(1))?;
                pair.serialize_entry(name, value)?;
                pair.end()
            }
        }
    }
}

/// A type that settings have.
pub(super) trait Setting: Sized {
    /// It as a value.
    fn value(&self) -> Value;

    /// It of a value of its kind.
    fn of(value: &Value) -> Option<Self>;
}

macro_rules! setting {
    ($($type:ty: $variant:ident($inner:ident) => $into:expr, $of:expr;)*) => {
        $(impl Setting for $type {
            fn value(&self) -> Value {
                let $inner = self.clone();
                Value::$variant($into)
            }

            fn of(value: &Value) -> Option<Self> {
                match value {
                    Value::$variant($inner) => $of,
                    _ => None,
                }
            }
        })*
    };
}

setting! {
    bool: Flag(it) => it, Some(*it);
    u64: Whole(it) => it, Some(*it);
    usize: Whole(it) => it as u64, usize::try_from(*it).ok();
    f32: Single(it) => it, Some(*it);
    f64: Double(it) => it, Some(*it);
    Vec<usize>: Wholes(it) => it, Some(it.clone());
    Vec<WeightedLayer>: Layers(it) => it, Some(it.clone());
}

impl<T: Named> Setting for T {
    fn value(&self) -> Value {
        Value::Name(Named::name(*self))
    }

    fn of(value: &Value) -> Option<Self> {
        T::from_name(value.name()?).ok()
    }
}
