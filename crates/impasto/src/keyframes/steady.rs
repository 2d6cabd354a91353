//! Frames without their noise: a bilateral filter through time, along flow.
//!
//! ```text
//! x̃_t(p) = Σ_k w_k(p)·x_{t+k}(p + F_{t→t+k}(p)) / Σ_k w_k(p)      w_k(p) = exp(−k²/2σ_t²)·exp(−‖x_{t+k}(…) − x_t(p)‖²/2σ_c²)
//! ```
//!
//! `k` goes so many frames to either side, but over no cut; `F` is chained from the flows of neighbours. Where a place is hidden in
//! another frame its colour differs, and that frame says little. Source: Texler et al. 2020 (arXiv 2004.14489), section 3.3, after
//! Bennett and McMillan 2005; σ_t is 5 frames and σ_c 27.6 of 255, as in their program.

use crate::Result;
use crate::picture::{Filter, Picture, fit_long_side};
use crate::video::{Estimator, Seen};
use impasto_flow::{Flow, Frame, Interpolation, Mask};
use std::collections::VecDeque;

/// σ_t, in frames.
const TIME: f32 = 5.0;
/// σ_c, of colours of three channels from 0 to 1.
const COLOR: f32 = 27.6 / 255.0;
/// The long side at which flow is sought.
const SIDE: usize = 512;

/// A frame that is kept for its neighbours.
#[derive(Debug)]
struct Kept {
    picture: Picture,
    seen: Seen,
    /// From it to the one before, and from there to it; none if it begins a shot.
    motion: Option<[Flow; 2]>,
}

/// Takes the frames of a film in their order and gives them back without their noise, some frames later.
#[derive(Debug)]
pub struct Steady {
    size: (usize, usize),
    reach: usize,
    frames: VecDeque<Kept>,
    /// How many of the kept frames were given back.
    given: usize,
}

impl Steady {
    /// Of frames that get a width and height; `reach` frames to either side are looked at, and kept.
    pub fn new(size: (usize, usize), reach: usize) -> Self {
        Self {
            size,
            reach,
            frames: VecDeque::new(),
            given: 0,
        }
    }

    /// Takes the next frame; the frames that are finished now.
    ///
    /// # Errors
    /// If it has no pixels.
    pub fn push(&mut self, frame: &Picture, begins: bool) -> Result<Vec<Picture>> {
        let (width, height) = self.size;
        let picture = match (frame.width(), frame.height()) == self.size {
            true => frame.clone(),
            false => frame.resized(width, height, Filter::Bicubic),
        };
        let side = SIDE.min(width.max(height));
        let (across, down) = fit_long_side(width, height, side);
        let small = picture.resized(across, down, Filter::Bicubic);
        let seen = Frame::new(3, down, across, small.rgb().to_vec())?;
        let seen = Estimator::default().look(&seen)?;
        let finished = match begins {
            true => self.finish()?,
            false => Vec::new(),
        };
        let motion = match self.frames.back() {
            None => None,
            Some(last) => {
                let known = last.motion.as_ref();
                Some(Estimator::default().both(&seen, &last.seen, known)?)
            }
        };
        self.frames.push_back(Kept {
            picture,
            seen,
            motion,
        });
        let mut finished = finished;
        while self.given + self.reach < self.frames.len() {
            finished.push(self.next()?);
        }
        Ok(finished)
    }

    /// No more frames come, or another shot: the frames that are left.
    ///
    /// # Errors
    /// None that [`push`](Self::push) does not tell.
    pub fn finish(&mut self) -> Result<Vec<Picture>> {
        let mut finished = Vec::new();
        while self.given < self.frames.len() {
            finished.push(self.next()?);
        }
        self.frames.clear();
        self.given = 0;
        Ok(finished)
    }

    /// Gives back one more.
    fn next(&mut self) -> Result<Picture> {
        let made = self.filtered(self.given)?;
        self.given += 1;
        if self.given > self.reach {
            self.frames.pop_front();
            self.given -= 1;
        }
        Ok(made)
    }

    fn filtered(&self, center: usize) -> Result<Picture> {
        let frame = &self.frames[center].picture;
        let places = frame.width() * frame.height();
        let mut sums = frame.rgb().to_vec();
        let mut weights = vec![1.0f32; places];
        for [way, step] in [[0, 1], [1, 0]] {
            // From the frame to one that is further and further away, and where that is inside of it.
            let mut chain: Option<(Flow, Mask)> = None;
            for apart in 1..=self.reach {
                let Some(other) = self.beside(center, apart, way) else {
                    break;
                };
                // Flows belong to the later frame of two: back it is that of the nearer one, forth that of the other.
                let Some(motion) = self
                    .beside(center, apart - step, way)
                    .and_then(|kept| kept.motion.as_ref())
                else {
                    break;
                };
                let motion = &motion[way];
                chain = Some(match chain {
                    None => {
                        let (height, width) = (motion.height(), motion.width());
                        let nowhere = Flow::from_fn(height, width, |_, _| [0.0; 2])?;
                        impasto_flow::compose(&nowhere, motion)?
                    }
                    Some((flow, inside)) => {
                        let (flow, also) = impasto_flow::compose(&flow, motion)?;
                        (flow, inside.and(&also)?)
                    }
                });
                if let Some((flow, inside)) = &chain {
                    let time = (-((apart * apart) as f32) / (2.0 * TIME * TIME)).exp();
                    add(
                        frame,
                        &other.picture,
                        (flow, inside),
                        time,
                        (&mut sums, &mut weights),
                    )?;
                }
            }
        }
        for (at, sum) in sums.iter_mut().enumerate() {
            *sum /= weights[at % places.max(1)];
        }
        let made = Picture::new(frame.width(), frame.height(), sums)?;
        Ok(match frame.alpha() {
            Some(alpha) => made.with_alpha(alpha.to_vec())?,
            None => made,
        })
    }

    /// A frame so far before (way 0) or after (way 1) another one.
    fn beside(&self, center: usize, apart: usize, way: usize) -> Option<&Kept> {
        let at = match way {
            0 => center.checked_sub(apart)?,
            _ => center + apart,
        };
        self.frames.get(at)
    }
}

/// Adds what another frame says of each place of a frame.
fn add(
    frame: &Picture,
    other: &Picture,
    (flow, inside): (&Flow, &Mask),
    time: f32,
    (sums, weights): (&mut [f32], &mut [f32]),
) -> Result<()> {
    let (width, height) = (frame.width(), frame.height());
    let places = width * height;
    let flow = flow.resized(height, width)?;
    let moved = impasto_flow::warp_maps(other.rgb(), 3, &flow, Interpolation::Cubic)?;
    let (across, down) = inside.size();
    let rgb = frame.rgb();
    for (place, whole) in weights.iter_mut().enumerate() {
        let (x, y) = (
            place % width * across / width,
            place / width * down / height,
        );
        if !inside.data()[y * across + x] {
            continue;
        }
        let value = |channel: usize| moved[channel * places + place];
        let apart = |channel: usize| (value(channel) - rgb[channel * places + place]).powi(2);
        let apart = apart(0) + apart(1) + apart(2);
        let weight = time * (-apart / (2.0 * COLOR * COLOR)).exp();
        // What is not a number says nothing.
        if weight > 0.0 {
            *whole += weight;
            for channel in 0..3 {
                sums[channel * places + place] += weight * value(channel);
            }
        }
    }
    Ok(())
}
