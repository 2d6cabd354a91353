//! Values of options that are read without failing: what is wrong with one is kept as a line, so that everything
//! that is wrong with a call is reported together.

use crate::shard::Shard;
use clap::builder::{PossibleValue, TypedValueParser};
use clap::{Arg, Command};
use impasto::encoder::Preprocessing;
use impasto::named::Named;
use std::ffi::OsStr;
use std::str::FromStr;

/// The value of an option, or the line that says why it has none.
pub type Given<T> = Result<T, String>;

/// A parser that takes every text; see [`Given`].
#[derive(Clone)]
pub struct Lenient<T> {
    read: fn(&str) -> Result<T, String>,
    names: fn() -> Vec<&'static str>,
}

impl<T: Clone + Send + Sync + 'static> TypedValueParser for Lenient<T> {
    type Value = Given<T>;

    fn parse_ref(
        &self,
        _: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
    ) -> Result<Given<T>, clap::Error> {
        let text = value.to_string_lossy();
        let option = arg.and_then(Arg::get_long).unwrap_or_default();
        Ok((self.read)(&text).map_err(|why| format!("--{option} is {text}: {why}")))
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let names = (self.names)();
        if names.is_empty() {
            return None;
        }
        Some(Box::new(names.into_iter().map(PossibleValue::new)))
    }
}

/// One of the names of a setting.
pub fn named<T: Named>() -> Lenient<T> {
    Lenient {
        read: |text| T::from_name(text).map_err(|_| one_of(&names::<T>())),
        names: names::<T>,
    }
}

fn names<T: Named>() -> Vec<&'static str> {
    T::NAMES.iter().map(|(name, _)| *name).collect()
}

fn one_of(names: &[&str]) -> String {
    format!("must be one of {}", names.join(", "))
}

/// What an encoder expects of the image.
pub fn preprocessing() -> Lenient<Preprocessing> {
    let names = || Preprocessing::ALL.map(|(name, _)| name).to_vec();
    Lenient {
        read: |text| {
            let mut all = Preprocessing::ALL.into_iter();
            let found = all.find(|(name, _)| *name == text);
            let names = Preprocessing::ALL.map(|(name, _)| name);
            found.map(|(_, value)| value).ok_or_else(|| one_of(&names))
        },
        names,
    }
}

/// A number with a fraction.
pub fn real() -> Lenient<f32> {
    free(|text| text.parse().map_err(|_| "must be a number".into()))
}

/// A whole number.
pub fn whole<T: FromStr + 'static>() -> Lenient<T> {
    free(|text| text.parse().map_err(|_| WHOLE.into()))
}

/// One of several shards.
pub fn shard() -> Lenient<Shard> {
    free(str::parse)
}

const WHOLE: &str = "must be a whole number";

/// Units of memory.
const UNITS: [(&str, u32, u32); 7] = [
    ("kB", 10, 3),
    ("MB", 10, 6),
    ("GB", 10, 9),
    ("TB", 10, 12),
    ("MiB", 2, 20),
    ("GiB", 2, 30),
    ("TiB", 2, 40),
];

/// An amount of memory: a number and its unit.
pub fn bytes() -> Lenient<u64> {
    free(amount)
}

/// The bytes of an amount of memory: a number and its unit.
///
/// # Errors
/// What it must be.
pub fn amount(text: &str) -> Result<u64, String> {
    let amount = UNITS.iter().find_map(|&(unit, base, power)| {
        let number: f64 = text.strip_suffix(unit)?.trim().parse().ok()?;
        Some(number * f64::from(base).powi(power as i32))
    });
    match amount {
        Some(bytes) if (1.0..1e18).contains(&bytes) => Ok(bytes as u64),
        _ => Err("must be a number with its unit, such as 3GB or 800MiB".into()),
    }
}

fn free<T>(read: fn(&str) -> Result<T, String>) -> Lenient<T> {
    let names = Vec::new;
    Lenient { read, names }
}

#[cfg(test)]
mod tests {
    use super::amount;

    #[test]
    fn amounts_of_memory_need_a_unit() {
        assert_eq!(amount("3GB"), Ok(3_000_000_000));
        assert_eq!(amount("1.5 GiB"), Ok(3 << 29));
        assert_eq!(amount("800MB"), Ok(800_000_000));
        for text in ["3", "GB", "-1GB", "0MB", "nanGB", "infGB", "3 parsecs"] {
            assert!(amount(text).is_err(), "{text}");
        }
    }
}
