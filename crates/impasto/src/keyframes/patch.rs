//! Patches of keyframes.

use super::Keyframe;
use crate::nets;
use crate::picture::{Filter, Picture};
use crate::random::Random;
use impasto_compute::Size;

/// Weight of differences between neighbours beside that of pixels.
const EDGES: f32 = 0.5;

/// A keyframe in planes.
#[derive(Debug)]
pub(super) struct Pair {
    size: Size,
    frame: Vec<f32>,
    painting: Vec<f32>,
    guide: Vec<f32>,
    weights: Vec<f32>,
    /// Places at which something is said.
    known: Vec<u32>,
}

/// A patch of a keyframe, planes of a square.
pub(super) struct Patch {
    pub(super) frame: Vec<f32>,
    pub(super) painting: Vec<f32>,
    pub(super) guide: Vec<f32>,
    pub(super) weights: Vec<f32>,
}

impl Patch {
    pub(super) fn is_known(&self) -> bool {
        self.weights.iter().all(|&weight| weight > 0.0)
    }

    /// The mean difference of what was made, and the gradient of the loss: of that, and of how far neighbours differ otherwise than
    /// they should,
    ///
    /// ```text
    /// L = mean m·|d| + ½·mean m·(|d(x+1, y) − d(x, y)| + |d(x, y+1) − d(x, y)|)      d = made − painted
    /// ```
    ///
    /// without which edges come out soft: one that lies a little beside its place costs the same whether it is sharp or not.
    pub(super) fn difference(&self, made: &[f32], side: usize) -> (f64, Vec<f32>) {
        let places = self.weights.len();
        let share = 1.0 / made.len().max(1) as f32;
        let apart: Vec<f32> = made
            .iter()
            .zip(&self.painting)
            .map(|(made, wanted)| made - wanted)
            .collect();
        let mut sum = 0.0f64;
        let mut gradient = vec![0.0f32; apart.len()];
        for (at, &here) in apart.iter().enumerate() {
            let place = at % places;
            let weight = self.weights[place];
            sum += f64::from(weight * here.abs());
            gradient[at] += share * weight * slope(here);
            let right = (!(place + 1).is_multiple_of(side)).then_some(1);
            let below = (place + side < places).then_some(side);
            for step in right.into_iter().chain(below) {
                let weight = weight.min(self.weights[place + step]);
                let edge = EDGES * share * weight * slope(apart[at + step] - here);
                gradient[at + step] += edge;
                gradient[at] -= edge;
            }
        }
        (sum * f64::from(share), gradient)
    }
}

/// The slope of a number's distance from 0.
fn slope(value: f32) -> f32 {
    match value == 0.0 {
        true => 0.0,
        false => value.signum(),
    }
}

impl Pair {
    /// None if its mask is black. Frames smaller than a patch are continued by their mirror images.
    pub(super) fn of(keyframe: Keyframe, side: usize) -> Option<Self> {
        let Keyframe {
            frame,
            painting,
            mask,
            guide,
        } = keyframe;
        let size = frame.size();
        let fitted = |picture: Picture| match picture.size() == size {
            true => picture,
            false => picture.resized(size.width, size.height, Filter::Bicubic),
        };
        let painting = fitted(painting);
        let weights = mask.map(|mask| mask.stretched(size));
        let weights = weights.unwrap_or_else(|| vec![1.0; size.pixels()]);
        let guide = guide.map(|guide| fitted(guide).rgb().to_vec());
        let guide = guide.unwrap_or_else(|| vec![0.0; 3 * size.pixels()]);
        let large = Size {
            width: size.width.max(side),
            height: size.height.max(side),
        };
        let grown = |planes: &[f32]| nets::continued(planes, size, large);
        let weights = grown(&weights);
        let known = (0..).zip(&weights).filter(|(_, weight)| **weight > 0.5);
        let known: Vec<u32> = known.map(|(place, _)| place).collect();
        (!known.is_empty()).then(|| Self {
            size: large,
            frame: grown(frame.rgb()),
            painting: grown(painting.rgb()),
            guide: grown(&guide),
            weights,
            known,
        })
    }

    /// A patch around a place at which something is said.
    pub(super) fn patch(&self, random: &mut Random, side: usize) -> Patch {
        let place = self.known[random.below(self.known.len())] as usize;
        let (x, y) = (place % self.size.width, place / self.size.width);
        let from = |at: usize, n: usize| at.saturating_sub(side / 2).min(n - side);
        let (left, top) = (from(x, self.size.width), from(y, self.size.height));
        let part = |planes: &[f32]| -> Vec<f32> {
            let planes = planes.chunks_exact(self.size.pixels());
            let rows =
                planes.flat_map(|plane| plane.chunks_exact(self.size.width).skip(top).take(side));
            rows.flat_map(|row| &row[left..left + side])
                .copied()
                .collect()
        };
        Patch {
            frame: part(&self.frame),
            painting: part(&self.painting),
            guide: part(&self.guide),
            weights: part(&self.weights),
        }
    }
}
