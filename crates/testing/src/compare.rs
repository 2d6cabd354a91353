//! Comparisons of numbers that only agreement passes.
//!
//! A comparison fails if there are more or fewer values than expected, if there are none at all, and if any value on
//! either side is not finite, whatever the tolerance: NaN is near to nothing, not even to NaN. A failure names the case,
//! the worst place and both of its values.

#[cfg(test)]
mod tests;

use std::fmt::{Debug, Display};
use std::panic::Location;

/// How far a value may lie from the one expected: `absolute + relative·|expected|`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    /// In the unit of the values.
    pub absolute: f64,
    /// As a share of the expected value.
    pub relative: f64,
}

impl Tolerance {
    /// The same distance for every value.
    pub const fn absolute(absolute: f64) -> Self {
        Self {
            absolute,
            relative: 0.0,
        }
    }

    /// A share of each expected value; where 0 is expected, nothing else will do.
    pub const fn relative(relative: f64) -> Self {
        Self {
            absolute: 0.0,
            relative,
        }
    }

    /// A share of the greatest of the expected magnitudes, for every value.
    pub fn of_greatest<T: Copy + Into<f64>>(share: f64, expected: &[T]) -> Self {
        Self::absolute(share * greatest(expected))
    }

    fn allowed(self, expected: f64) -> f64 {
        self.absolute + self.relative * expected.abs()
    }
}

/// The greatest magnitude; 0 of no values, and NaN if one of them is NaN.
pub fn greatest<T: Copy + Into<f64>>(values: &[T]) -> f64 {
    let magnitudes = values.iter().map(|&value| value.into().abs());
    // `f64::max` alone would drop what is not a number.
    magnitudes.fold(0.0, |most, value| match most.is_nan() || value.is_nan() {
        true => f64::NAN,
        false => most.max(value),
    })
}

/// Fails unless every value lies within the tolerance of the one expected.
#[track_caller]
pub fn assert_close<A, B>(case: &str, got: &[A], expected: &[B], tolerance: Tolerance)
where
    A: Copy + Into<f64>,
    B: Copy + Into<f64>,
{
    stop_at(close(case, got, expected, tolerance));
}

/// [`assert_close`] of single numbers.
#[track_caller]
pub fn assert_near(
    case: &str,
    got: impl Into<f64>,
    expected: impl Into<f64>,
    tolerance: Tolerance,
) {
    stop_at(near(case, got, expected, tolerance));
}

/// Fails unless every value has the bits of the one expected: 0 and −0 differ.
#[track_caller]
pub fn assert_same<T: Bits>(case: &str, got: &[T], expected: &[T]) {
    stop_at(same(case, got, expected));
}

#[track_caller]
fn stop_at(result: Result<(), String>) {
    if let Err(difference) = result {
        panic!("{difference}");
    }
}

/// [`assert_close`] as a result, for [`Failures`].
///
/// # Errors
/// The case, and what differs.
pub fn close<A, B>(
    case: &str,
    got: &[A],
    expected: &[B],
    tolerance: Tolerance,
) -> Result<(), String>
where
    A: Copy + Into<f64>,
    B: Copy + Into<f64>,
{
    let pairs = pairs(case, got, expected)?;
    // Asked this way round, a tolerance that is not a number lets nothing pass.
    let within = |&(got, expected): &(f64, f64)| {
        let difference = (got - expected).abs();
        difference <= tolerance.allowed(expected)
    };
    let excess = |&(got, expected): &(f64, f64)| {
        let difference = (got - expected).abs();
        difference / tolerance.allowed(expected).max(f64::MIN_POSITIVE)
    };
    let count = pairs.iter().filter(|pair| !within(pair)).count();
    let worst = pairs
        .iter()
        .enumerate()
        .filter(|(_, pair)| !within(pair))
        .max_by(|(_, a), (_, b)| excess(a).total_cmp(&excess(b)));
    let Some((place, pair)) = worst else {
        return Ok(());
    };
    Err(format!(
        "{case}: value {place} of {} is {:e} instead of {:e}, {:.2} times the {:e} allowed; {count} values are off",
        pairs.len(),
        pair.0,
        pair.1,
        excess(pair),
        tolerance.allowed(pair.1),
    ))
}

/// [`assert_near`] as a result, for [`Failures`].
///
/// # Errors
/// The case and both numbers.
pub fn near(
    case: &str,
    got: impl Into<f64>,
    expected: impl Into<f64>,
    tolerance: Tolerance,
) -> Result<(), String> {
    close(case, &[got.into()], &[expected.into()], tolerance)
}

/// [`assert_same`] as a result, for [`Failures`].
///
/// # Errors
/// The case, and the first value that differs.
pub fn same<T: Bits>(case: &str, got: &[T], expected: &[T]) -> Result<(), String> {
    pairs(case, got, expected)?;
    let differs = |&place: &usize| got[place].bits() != expected[place].bits();
    let count = (0..got.len()).filter(differs).count();
    let Some(first) = (0..got.len()).find(differs) else {
        return Ok(());
    };
    Err(format!(
        "{case}: {count} of {} values have other bits, first value {first}: {:?} instead of {:?}",
        got.len(),
        got[first],
        expected[first],
    ))
}

/// Numbers that are compared bit by bit.
pub trait Bits: Copy + Debug + Into<f64> {
    /// The bits.
    fn bits(self) -> u64;
}

impl Bits for f32 {
    fn bits(self) -> u64 {
        self.to_bits().into()
    }
}

impl Bits for f64 {
    fn bits(self) -> u64 {
        self.to_bits()
    }
}

/// Differences `got − expected`, place by place.
///
/// # Panics
/// As every comparison: if the numbers of values differ or are 0, or a value is not finite.
#[track_caller]
pub fn differences<A, B>(case: &str, got: &[A], expected: &[B]) -> Vec<f64>
where
    A: Copy + Into<f64>,
    B: Copy + Into<f64>,
{
    let pairs = pairs(case, got, expected).unwrap_or_else(|problem| panic!("{problem}"));
    pairs
        .into_iter()
        .map(|(got, expected)| got - expected)
        .collect()
}

/// The relative distance in the Euclidean norm, `|got − expected| / |expected|`.
///
/// # Panics
/// As [`differences`]; and if everything expected is 0, from which nothing has a distance.
#[track_caller]
pub fn distance<A, B>(case: &str, got: &[A], expected: &[B]) -> f64
where
    A: Copy + Into<f64>,
    B: Copy + Into<f64>,
{
    let differences = differences(case, got, expected);
    norm(&differences) / length(case, expected)
}

/// The cosine of the angle between two vectors, in −1..1.
///
/// # Panics
/// As [`distance`]; and if everything that came is 0.
#[track_caller]
pub fn cosine<A, B>(case: &str, got: &[A], expected: &[B]) -> f64
where
    A: Copy + Into<f64>,
    B: Copy + Into<f64>,
{
    let pairs = pairs(case, got, expected).unwrap_or_else(|problem| panic!("{problem}"));
    let dot: f64 = pairs.into_iter().map(|(a, b)| a * b).sum();
    dot / (length(case, got) * length(case, expected))
}

/// The peak signal-to-noise ratio of samples in 0..1, in decibels: `−10·log₁₀` of the mean squared difference.
/// Infinite where nothing differs.
///
/// # Panics
/// As [`differences`].
#[track_caller]
pub fn decibels<A, B>(case: &str, got: &[A], expected: &[B]) -> f64
where
    A: Copy + Into<f64>,
    B: Copy + Into<f64>,
{
    let differences = differences(case, got, expected);
    -10.0 * (norm(&differences).powi(2) / differences.len() as f64).log10()
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>().sqrt()
}

#[track_caller]
fn length<T: Copy + Into<f64>>(case: &str, values: &[T]) -> f64 {
    let values: Vec<f64> = values.iter().map(|&value| value.into()).collect();
    let length = norm(&values);
    assert!(
        length > 0.0,
        "{case}: all {} values are 0, which have no direction",
        values.len()
    );
    length
}

/// What every comparison asks first: as many values as expected, some, and all of them finite.
fn pairs<A, B>(case: &str, got: &[A], expected: &[B]) -> Result<Vec<(f64, f64)>, String>
where
    A: Copy + Into<f64>,
    B: Copy + Into<f64>,
{
    if got.len() != expected.len() {
        return Err(format!(
            "{case}: {} values instead of {}",
            got.len(),
            expected.len()
        ));
    }
    if got.is_empty() {
        return Err(format!("{case}: there are no values to compare"));
    }
    let pairs = got.iter().zip(expected);
    let pairs: Vec<(f64, f64)> = pairs.map(|(&a, &b)| (a.into(), b.into())).collect();
    let strange = |(a, b): &(f64, f64)| !a.is_finite() || !b.is_finite();
    match pairs.iter().position(strange) {
        None => Ok(pairs),
        Some(place) => Err(format!(
            "{case}: value {place} of {} is {} instead of {}; {} places are not finite",
            pairs.len(),
            pairs[place].0,
            pairs[place].1,
            pairs.iter().filter(|pair| strange(pair)).count(),
        )),
    }
}

/// Gathers what is wrong with many cases, so that one run of a test tells of all of them. A test that checks nothing
/// fails as well.
#[derive(Debug)]
#[must_use = "failures are told by `Failures::assert_none`"]
pub struct Failures {
    place: &'static Location<'static>,
    checks: usize,
    found: Vec<String>,
}

impl Failures {
    /// None so far.
    #[allow(
        clippy::new_without_default,
        reason = "it notes the place of its caller"
    )]
    #[track_caller]
    pub fn new() -> Self {
        Self {
            place: Location::caller(),
            checks: 0,
            found: vec![],
        }
    }

    /// Counts a check, and keeps what was wrong. Whether it went well is returned.
    pub fn check<T, E: Display>(&mut self, result: Result<T, E>) -> bool {
        self.checks += 1;
        let problem = result.err().map(|problem| problem.to_string());
        let passed = problem.is_none();
        self.found.extend(problem);
        passed
    }

    /// Ends the test.
    ///
    /// # Panics
    /// With everything that was wrong; or if there was no check at all.
    #[track_caller]
    pub fn assert_none(self) {
        assert!(self.checks > 0, "nothing was checked at {}", self.place);
        assert!(
            self.found.is_empty(),
            "{} of {} checks failed:\n{}",
            self.found.len(),
            self.checks,
            self.found.join("\n")
        );
    }
}
