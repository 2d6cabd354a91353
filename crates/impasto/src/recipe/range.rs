//! What a number may be: from where to where, in what unit.

use std::fmt;

/// What a number may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantity {
    /// How it is held.
    pub form: Form,
    /// From where to where.
    pub range: Range,
    /// In what it counts; empty for what has no unit.
    pub unit: &'static str,
}

/// How a number is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As a whole number.
    Whole,
    /// In f32.
    Single,
    /// In f64.
    Double,
}

/// An interval of numbers. No number that is none, and no infinite one, is in any.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// The least number; may be −∞.
    pub least: f64,
    /// Whether that one itself is left out.
    pub above_least: bool,
    /// The greatest number; may be ∞.
    pub most: f64,
    /// Whether that one itself is left out.
    pub below_most: bool,
}

impl Range {
    /// Every number.
    pub const ALL: Self = Self {
        least: f64::NEG_INFINITY,
        above_least: false,
        most: f64::INFINITY,
        below_most: false,
    };

    /// From one number to another, both included.
    pub const fn between(least: f64, most: f64) -> Self {
        Self {
            least,
            most,
            ..Self::ALL
        }
    }

    /// This number and all greater ones.
    pub const fn at_least(least: f64) -> Self {
        Self { least, ..Self::ALL }
    }

    /// All numbers greater than this one.
    pub const fn above(least: f64) -> Self {
        Self {
            least,
            above_least: true,
            ..Self::ALL
        }
    }

    /// The range with its upper end at this number, which is left out.
    pub const fn below(self, most: f64) -> Self {
        Self {
            most,
            below_most: true,
            ..self
        }
    }

    /// The range with its upper end at this number.
    pub const fn up_to(self, most: f64) -> Self {
        Self { most, ..self }
    }

    /// The range in units `factor` times as small.
    pub(super) fn scaled(self, factor: f64) -> Self {
        Self {
            least: self.least * factor,
            most: self.most * factor,
            ..self
        }
    }

    /// Whether a number is in it.
    pub fn holds(&self, value: f64) -> bool {
        let least = value > self.least || value == self.least && !self.above_least;
        let most = value < self.most || value == self.most && !self.below_most;
        value.is_finite() && least && most
    }

    /// What a number must be to be in it: `must be …`.
    pub fn rule(&self, unit: &str) -> String {
        let space = if unit.is_empty() { "" } else { " " };
        let Range { least, most, .. } = self;
        match (least.is_finite(), most.is_finite()) {
            (false, false) => "must be a number".into(),
            (true, false) if self.above_least => format!("must be a number greater than {least}"),
            (true, false) => format!("must be a number of at least {least}"),
            (false, true) => format!("must be a number of at most {most}"),
            (true, true) if self.above_least => {
                format!("must be greater than {least}, up to {most}")
            }
            (true, true) if self.below_most => {
                format!("must be at least {least} and less than {most}")
            }
            (true, true) => format!("must be between {least} and {most}{space}{unit}"),
        }
    }
}

/// In a few characters, for lists of settings: `16 to 32768`, `0 to <1`, `at least 0`; empty for [`Range::ALL`].
impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (above, below) = (
            if self.above_least { ">" } else { "" },
            if self.below_most { "<" } else { "" },
        );
        let Range { least, most, .. } = self;
        match (least.is_finite(), most.is_finite()) {
            (false, false) => Ok(()),
            (true, false) if self.above_least => write!(f, "greater than {least}"),
            (true, false) => write!(f, "at least {least}"),
            (false, true) => write!(f, "up to {below}{most}"),
            (true, true) => write!(f, "{above}{least} to {below}{most}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_their_ends_or_not() {
        let half_open = Range::at_least(0.0).below(1.0);
        assert!(half_open.holds(0.0) && half_open.holds(0.99) && !half_open.holds(1.0));
        let open = Range::above(0.0);
        assert!(open.holds(1e-30) && !open.holds(0.0));
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            for range in [Range::ALL, open, half_open, Range::between(-1.0, 1.0)] {
                assert!(!range.holds(value), "{range:?} {value}");
            }
        }
        assert_eq!(half_open.to_string(), "0 to <1");
        assert_eq!(
            Range::between(16.0, 64.0).rule("pixels"),
            "must be between 16 and 64 pixels"
        );
    }
}
