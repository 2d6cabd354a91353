//! Where one shot ends and the next begins.

use crate::frame::Frame;

/// Bins of the histogram of luma.
const BINS: usize = 64;

/// Longer side of what is compared pixel by pixel: noise and small motion are averaged out.
const LONGER: usize = 64;

/// When two frames are of different shots.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CutRule {
    /// Less than this share of the pixels has reliable flow, 0..=1. Only asked where that share is known.
    pub reliable: f32,
    /// The histograms of luma are further apart than this: ½ Σ (a − b)² / (a + b), 0..=1.
    pub histogram: f32,
    /// Or hue, saturation and value differ by more than this in the mean over pixels, 0..=1.
    pub color: f32,
    /// Frames after which it must not look as before again: what takes fewer is a flash.
    pub flash: usize,
}

impl Default for CutRule {
    fn default() -> Self {
        Self {
            reliable: 0.35,
            histogram: 0.3,
            color: 27.0 / 255.0,
            flash: 3,
        }
    }
}

/// What is kept of a frame to compare it with others.
#[derive(Debug, Clone, PartialEq)]
pub struct Signature {
    /// Shares of the pixels by luma.
    histogram: [f32; BINS],
    /// Hue, saturation and value of a small picture, each 0..=1.
    colors: Vec<[f32; 3]>,
    size: (usize, usize),
}

impl Signature {
    /// Looks at a frame.
    pub fn new(frame: &Frame) -> Self {
        let mut histogram = [0.0; BINS];
        for luma in frame.luma() {
            histogram[((luma * BINS as f32) as usize).min(BINS - 1)] += 1.0;
        }
        let pixels = (frame.width * frame.height) as f32;
        histogram.iter_mut().for_each(|count| *count /= pixels);
        let by = frame.width.max(frame.height).div_ceil(LONGER);
        let size = (frame.width.div_ceil(by), frame.height.div_ceil(by));
        let places = (0..size.1).flat_map(|y| (0..size.0).map(move |x| (x * by, y * by)));
        let colors = places.map(|(x, y)| hsv(mean(frame, (x, y), by))).collect();
        Self {
            histogram,
            colors,
            size,
        }
    }

    /// Whether it differs from another as two shots do. Frames of different sizes always do.
    pub fn differs(&self, other: &Self, rule: &CutRule) -> bool {
        self.size != other.size
            || self.histograms(other) > rule.histogram
            || self.colors(other) > rule.color
    }

    /// ½ Σ (a − b)² / (a + b).
    fn histograms(&self, other: &Self) -> f32 {
        let pairs = self
            .histogram
            .iter()
            .zip(&other.histogram)
            .filter(|(a, b)| **a + **b > 0.0);
        0.5 * pairs.map(|(a, b)| (a - b) * (a - b) / (a + b)).sum::<f32>()
    }

    /// Mean difference of hue, saturation and value. Hue goes round, and counts as far as both pixels have colour.
    fn colors(&self, other: &Self) -> f32 {
        let differences = self.colors.iter().zip(&other.colors).map(|(a, b)| {
            let around = (a[0] - b[0]).abs();
            let hue = 2.0 * around.min(1.0 - around) * a[1].min(b[1]);
            (hue + (a[1] - b[1]).abs() + (a[2] - b[2]).abs()) / 3.0
        });
        differences.sum::<f32>() / self.colors.len() as f32
    }
}

/// Mean red, green and blue of the `by`×`by` pixels that begin at a place, as far as there are so many.
fn mean(frame: &Frame, (left, top): (usize, usize), by: usize) -> [f32; 3] {
    let (right, bottom) = ((left + by).min(frame.width), (top + by).min(frame.height));
    let count = ((right - left) * (bottom - top)) as f32;
    [0, 1, 2].map(|c| {
        let channel = frame.channel(c.min(frame.channels - 1));
        let rows = (top..bottom).map(|y| {
            channel[y * frame.width + left..y * frame.width + right]
                .iter()
                .sum::<f32>()
        });
        rows.sum::<f32>() / count
    })
}

/// Hue, saturation and value, each 0..=1.
fn hsv([red, green, blue]: [f32; 3]) -> [f32; 3] {
    let (most, least) = (red.max(green).max(blue), red.min(green).min(blue));
    let range = most - least;
    if range <= 0.0 {
        return [0.0, 0.0, most];
    }
    let sixths = if most == red {
        ((green - blue) / range).rem_euclid(6.0)
    } else if most == green {
        (blue - red) / range + 2.0
    } else {
        (red - green) / range + 4.0
    };
    [sixths / 6.0, range / most, most]
}

/// Finds cuts as frames come.
///
/// A cut is where a frame [differs](Signature::differs) from the one before and flow between them is mostly unreliable. It is
/// certain only when it was no flash, that is, after so many frames that do not look like the one before it.
#[derive(Debug, Clone)]
pub struct Cuts {
    rule: CutRule,
    /// Frames that came.
    count: usize,
    last: Option<Signature>,
    /// A cut that may be a flash: the frame it is at, and what was before.
    pending: Option<(usize, Signature)>,
}

impl Cuts {
    /// No frame has come.
    pub fn new(rule: CutRule) -> Self {
        Self {
            rule,
            count: 0,
            last: None,
            pending: None,
        }
    }

    /// Takes the next frame, and the share of pixels whose flow from the frame before is [reliable](crate::reliable), if it
    /// was looked for. Says which frame begins a new shot if that has become certain: it is this one or an earlier, the first
    /// of all being 0.
    pub fn push(&mut self, frame: Signature, reliable: Option<f32>) -> Option<usize> {
        let number = self.count;
        self.count += 1;
        let last = self.last.replace(frame.clone())?;
        if let Some((at, before)) = self.pending.take() {
            let looks_as_before = !frame.differs(&before, &self.rule);
            if number - at < self.rule.flash && looks_as_before {
                return None;
            }
            self.pending = Some((at, before));
        } else if frame.differs(&last, &self.rule)
            && reliable.is_none_or(|share| share < self.rule.reliable)
        {
            self.pending = Some((number, last));
        }
        self.pending
            .take_if(|(at, _)| number + 1 - *at >= self.rule.flash)
            .map(|(at, _)| at)
    }

    /// No frame will come. Says which frame begins the last shot, if that was open.
    pub fn finish(self) -> Option<usize> {
        self.pending.map(|(at, _)| at)
    }
}

/// The frames of a sequence that begin a new shot; the first, 0, is not among them. With each frame comes the share of pixels
/// whose flow from the frame before is reliable, if it was looked for.
pub fn cuts(
    frames: impl IntoIterator<Item = (Signature, Option<f32>)>,
    rule: CutRule,
) -> Vec<usize> {
    let mut cuts = Cuts::new(rule);
    let mut found: Vec<usize> = frames
        .into_iter()
        .filter_map(|(frame, reliable)| cuts.push(frame, reliable))
        .collect();
    found.extend(cuts.finish());
    found
}

#[cfg(test)]
mod tests {
    use super::hsv;

    #[test]
    fn hue_goes_round() {
        assert_eq!(hsv([0.5, 0.0, 0.0]), [0.0, 1.0, 0.5]);
        assert_eq!(hsv([0.0, 0.0, 1.0]), [4.0 / 6.0, 1.0, 1.0]);
        assert_eq!(hsv([1.0, 0.0, 1.0]), [5.0 / 6.0, 1.0, 1.0]);
        assert_eq!(hsv([0.25; 3]), [0.0, 0.0, 0.25]);
    }
}
