//! How steady a painted video is.
//!
//! A video that shows nothing is the steadiest: these numbers mean something beside others, of style and content, alone.

use crate::Error;
use crate::field::Flow;
use crate::frame::{Frame, same_size};
use crate::mask::Mask;
use crate::warp::{Interpolation, warp};

/// Largest motion of what stands still, in pixels.
const STILL_MOTION: f32 = 0.1;

/// Largest change of what stands still.
const STILL_CHANGE: f32 = 2.0 / 255.0;

/// The warping error of two painted frames that follow each other (Lai et al. 2018): mean squared difference, over the
/// channels of all pixels that count, of `now` and of `next` seen along the flow from the one to the other in the video that was
/// painted. `None` if no pixel counts.
///
/// The stability error of a video (Ruder et al. 2016 and later ones) is the square root of its mean over all pairs:
/// [`stability`].
///
/// # Errors
/// [`Error::Size`] if sizes differ, [`Error::Shape`] if the frames' channels do.
pub fn warping_error(
    now: &Frame,
    next: &Frame,
    flow: &Flow,
    mask: &Mask,
) -> Result<Option<f64>, Error> {
    alike(now, next)?;
    same_size("the mask", mask.size(), flow.size())?;
    let seen = warp(next, flow, Interpolation::Bilinear)?;
    let (mut sum, mut count) = (0.0, 0usize);
    for channel in 0..now.channels {
        for ((a, b), kept) in now
            .channel(channel)
            .iter()
            .zip(seen.channel(channel))
            .zip(&mask.data)
        {
            if *kept {
                sum += f64::from(a - b) * f64::from(a - b);
                count += 1;
            }
        }
    }
    Ok((count > 0).then(|| sum / count as f64))
}

/// √ of the mean of the warping errors of all pairs. `None` if there is none.
pub fn stability(errors: &[f64]) -> Option<f64> {
    (!errors.is_empty()).then(|| (errors.iter().sum::<f64>() / errors.len() as f64).sqrt())
}

/// Where a video stands still from frame `a` to `b`: motion below .1 pixel, no channel changes by 2 levels of 255.
///
/// # Errors
/// [`Error::Size`] if sizes differ, [`Error::Shape`] if the frames' channels do.
pub fn still(a: &Frame, b: &Frame, flow: &Flow) -> Result<Mask, Error> {
    alike(a, b)?;
    same_size("the flow", flow.size(), (a.width, a.height))?;
    let plane = a.width * a.height;
    let kept = |i: usize| {
        let [u, v] = flow.motion(i);
        u * u + v * v < STILL_MOTION * STILL_MOTION
            && (0..a.channels)
                .all(|c| (a.data[c * plane + i] - b.data[c * plane + i]).abs() < STILL_CHANGE)
    };
    Mask::new(a.height, a.width, (0..plane).map(kept).collect())
}

fn alike(a: &Frame, b: &Frame) -> Result<(), Error> {
    same_size("the second frame", (b.width, b.height), (a.width, a.height))?;
    if a.channels == b.channels {
        return Ok(());
    }
    let shape = vec![a.channels, a.height, a.width];
    Err(Error::Shape {
        what: "the second frame",
        shape,
        values: b.data.len(),
    })
}

/// Flicker: how much painted pixels vary in time where the video that was painted stands still.
///
/// Of each pixel every run of frames during which it is still has a variance around its own mean; flicker is the variance of
/// all runs together, Σ (o − ō)² / Σ (n − 1) over runs of n frames and channels (values 0..1).
#[derive(Debug, Clone)]
pub struct Flicker {
    size: (usize, usize),
    channels: usize,
    /// Frames of the run that each pixel is in.
    runs: Vec<u32>,
    /// Mean of the run so far, `[c, h, w]`.
    means: Vec<f32>,
    squares: f64,
    freedoms: u64,
}

impl Flicker {
    /// Begins with the first painted frame.
    pub fn new(first: &Frame) -> Self {
        Self {
            size: (first.width, first.height),
            channels: first.channels,
            runs: vec![1; first.width * first.height],
            means: first.data.clone(),
            squares: 0.0,
            freedoms: 0,
        }
    }

    /// Takes the next painted frame and where the video has been [`still`] since the one before.
    ///
    /// # Errors
    /// [`Error::Size`] if a size differs from the first frame's, [`Error::Shape`] if the channels do.
    pub fn push(&mut self, frame: &Frame, still: &Mask) -> Result<(), Error> {
        same_size("the frame", (frame.width, frame.height), self.size)?;
        same_size("the mask", still.size(), self.size)?;
        if frame.channels != self.channels {
            let shape = vec![self.channels, self.size.1, self.size.0];
            return Err(Error::Shape {
                what: "the frame",
                shape,
                values: frame.data.len(),
            });
        }
        let plane = self.runs.len();
        for i in 0..plane {
            self.runs[i] = if still.data[i] {
                self.runs[i].saturating_add(1)
            } else {
                1
            };
            let n = self.runs[i];
            for c in 0..self.channels {
                let (value, mean) = (frame.data[c * plane + i], &mut self.means[c * plane + i]);
                if n == 1 {
                    *mean = value;
                    continue;
                }
                // Welford 1962.
                let off = value - *mean;
                *mean += off / n as f32;
                self.squares += f64::from(off) * f64::from(value - *mean);
                self.freedoms += 1;
            }
        }
        Ok(())
    }

    /// The variance so far. `None` if nothing stood still.
    pub fn power(&self) -> Option<f64> {
        (self.freedoms > 0).then(|| self.squares / self.freedoms as f64)
    }
}
