//! Where flow can be relied on.

use crate::Error;
use crate::field::Flow;
use crate::frame::same_size;
use crate::warp::{Interpolation, inside, sample};
use rayon::prelude::*;

/// Pixels that count, `[h, w]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mask {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) data: Vec<bool>,
}

impl Mask {
    /// A mask of values `[height, width]`.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there is at least one pixel and a value for each.
    pub fn new(height: usize, width: usize, data: Vec<bool>) -> Result<Self, Error> {
        if data.is_empty() || height.checked_mul(width) != Some(data.len()) {
            return Err(Error::Shape {
                what: "a mask",
                shape: vec![height, width],
                values: data.len(),
            });
        }
        Ok(Self {
            height,
            width,
            data,
        })
    }

    /// Width and height.
    pub fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    /// Its values, `[h, w]`.
    pub fn data(&self) -> &[bool] {
        &self.data
    }

    /// The share of pixels that count, 0..=1.
    pub fn share(&self) -> f32 {
        let count = self.data.iter().filter(|&&kept| kept).count();
        (count as f64 / self.data.len() as f64) as f32
    }

    /// 1 where pixels count, 0 elsewhere, `[h, w]`: the weights of a loss.
    pub fn weights(&self) -> Vec<f32> {
        self.data
            .iter()
            .map(|&kept| f32::from(u8::from(kept)))
            .collect()
    }

    /// Pixels that count in both.
    ///
    /// # Errors
    /// [`Error::Size`] if the masks differ in size.
    pub fn and(&self, other: &Self) -> Result<Self, Error> {
        same_size("the other mask", other.size(), self.size())?;
        let data = self
            .data
            .iter()
            .zip(&other.data)
            .map(|(a, b)| *a && *b)
            .collect();
        Ok(Self { data, ..*self })
    }

    /// Pixels that do not count.
    pub fn inverted(&self) -> Self {
        Self {
            data: self.data.iter().map(|kept| !kept).collect(),
            ..*self
        }
    }

    /// Pixels all of whose neighbours within `radius` along both axes count. Beyond the edges is nothing that does not.
    pub fn eroded(&self, radius: usize) -> Self {
        if radius == 0 {
            return self.clone();
        }
        let radius = radius.min(self.width.max(self.height));
        let mut across = vec![false; self.data.len()];
        across
            .par_chunks_mut(self.width)
            .zip(self.data.par_chunks(self.width))
            .for_each(|(to, from)| {
                for x in 0..from.len() {
                    to[x] = from[x.saturating_sub(radius)..(x + radius + 1).min(from.len())]
                        .iter()
                        .all(|&kept| kept);
                }
            });
        let mut data = vec![true; self.data.len()];
        data.par_chunks_mut(self.width)
            .enumerate()
            .for_each(|(y, to)| {
                for near in y.saturating_sub(radius)..(y + radius + 1).min(self.height) {
                    for (to, from) in to
                        .iter_mut()
                        .zip(&across[near * self.width..(near + 1) * self.width])
                    {
                        *to &= from;
                    }
                }
            });
        Self { data, ..*self }
    }

    /// The mask of two steps: pixels that count here, and whose place after `flow` has four neighbours that count in
    /// `next`. With the masks of a → b and of b → c, that of a → c by way of b.
    ///
    /// # Errors
    /// [`Error::Size`] if masks or flow differ in size.
    pub fn then(&self, flow: &Flow, next: &Self) -> Result<Self, Error> {
        same_size("the flow", flow.size(), self.size())?;
        same_size("the next mask", next.size(), self.size())?;
        let (width, weights) = (self.width, next.weights());
        let mut data = vec![false; self.data.len()];
        data.par_chunks_mut(width).enumerate().for_each(|(y, to)| {
            for (x, to) in to.iter_mut().enumerate() {
                let index = y * width + x;
                let [u, v] = flow.motion(index);
                let place = [x as f32 + u, y as f32 + v];
                *to = self.data[index]
                    && inside(place, self.size())
                    && sample(&weights, self.size(), place, Interpolation::Bilinear) > 0.999;
            }
        });
        Ok(Self { data, ..*self })
    }
}

/// When flow counts as reliable (Ruder et al. 2016, section 3.3).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// How far a pixel that goes there and back may end from its start: squared, per |w|² + |ŵ|².
    pub relative: f32,
    /// And in any case, in pixels, squared.
    pub absolute: f32,
    /// Whether edges of motion are left out, too: |∇u|² + |∇v|² > .01·|w|² + .002.
    pub edges: bool,
    /// By how many pixels what is unreliable grows on all sides.
    pub dilation: usize,
}

impl Default for Rule {
    fn default() -> Self {
        Self {
            relative: 0.01,
            absolute: 0.5,
            edges: false,
            dilation: 1,
        }
    }
}

/// Where the flow `there` can be relied on, given the flow `back` from the other frame.
///
/// Pixel x is kept if x + w(x) lies in the other frame and |w(x) + ŵ(x + w(x))|² < relative·(|w|² + |ŵ|²) + absolute: what
/// becomes hidden, and what flow got wrong in one of the two directions, does not come back to where it was.
///
/// # Errors
/// [`Error::Size`] if the flows differ in size.
pub fn reliable(there: &Flow, back: &Flow, rule: &Rule) -> Result<Mask, Error> {
    let size = there.size();
    same_size("the flow back", back.size(), size)?;
    let (width, height) = size;
    let mut data = vec![false; width * height];
    data.par_chunks_mut(width).enumerate().for_each(|(y, to)| {
        for (x, to) in to.iter_mut().enumerate() {
            let [u, v] = there.motion(y * width + x);
            let place = [x as f32 + u, y as f32 + v];
            let [bu, bv] =
                [back.u(), back.v()].map(|map| sample(map, size, place, Interpolation::Bilinear));
            let off = (u + bu) * (u + bu) + (v + bv) * (v + bv);
            let most = rule.relative * (u * u + v * v + bu * bu + bv * bv) + rule.absolute;
            // What is not a number is not less.
            *to = inside(place, size) && off < most && !(rule.edges && is_edge(there, x, y));
        }
    });
    Ok(Mask {
        height,
        width,
        data,
    }
    .eroded(rule.dilation))
}

/// Whether motion changes fast here, by central differences.
fn is_edge(flow: &Flow, x: usize, y: usize) -> bool {
    let (width, height) = flow.size();
    let [u, v] = flow.motion(y * width + x);
    let difference = |a: usize, b: usize| {
        let ([ua, va], [ub, vb]) = (flow.motion(a), flow.motion(b));
        0.25 * ((ua - ub) * (ua - ub) + (va - vb) * (va - vb))
    };
    let across = difference(
        y * width + (x + 1).min(width - 1),
        y * width + x.saturating_sub(1),
    );
    let down = difference(
        (y + 1).min(height - 1) * width + x,
        y.saturating_sub(1) * width + x,
    );
    across + down > 0.01 * (u * u + v * v) + 0.002
}
