//! Times of frames, exact, in ticks of a rational length.

/// The length of a tick: `numerator / denominator` seconds, as 1/30000 or 1001/30000.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeBase {
    /// Seconds of `denominator` ticks; never 0.
    pub numerator: u32,
    /// Ticks in `numerator` seconds; never 0.
    pub denominator: u32,
}

impl TimeBase {
    /// Thousandths of a second.
    pub const MILLISECONDS: TimeBase = TimeBase {
        numerator: 1,
        denominator: 1000,
    };

    /// `numerator / denominator` seconds in lowest terms; `None` if either is 0.
    pub fn new(numerator: u32, denominator: u32) -> Option<Self> {
        if numerator == 0 || denominator == 0 {
            return None;
        }
        let (mut a, mut b) = (numerator, denominator);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        Some(TimeBase {
            numerator: numerator / a,
            denominator: denominator / a,
        })
    }

    /// Seconds of this many ticks.
    pub fn seconds(self, ticks: i64) -> f64 {
        ticks as f64 * f64::from(self.numerator) / f64::from(self.denominator)
    }

    /// This many ticks in ticks of another length, to the nearest; clamped to what i64 holds.
    pub fn convert(self, ticks: i64, to: TimeBase) -> i64 {
        let up = i128::from(ticks) * i128::from(self.numerator) * i128::from(to.denominator);
        let down = i128::from(self.denominator) * i128::from(to.numerator);
        // Half a tick is added before the division, which goes towards minus infinity.
        let nearest = (2 * up + down).div_euclid(2 * down);
        nearest.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
    }
}

/// When a frame is seen, in ticks of its source's [`TimeBase`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time {
    /// From when on, counted from the start of the film; the first frame may be seen later than at 0.
    pub start: i64,
    /// For how long.
    pub duration: u64,
}

impl Time {
    /// When the frame is no longer seen.
    pub fn end(self) -> i64 {
        self.start
            .saturating_add(i64::try_from(self.duration).unwrap_or(i64::MAX))
    }

    /// The same times in ticks of another length; frames that follow one another still do.
    pub fn convert(self, from: TimeBase, to: TimeBase) -> Time {
        let start = from.convert(self.start, to);
        Time {
            start,
            duration: from.convert(self.end(), to).saturating_sub(start).max(0) as u64,
        }
    }
}
