//! Where something of a picture is to be seen, and colours for what is hidden, continued smoothly from what is seen, so that
//! a network sees no border there.
//!
//! Pull and push (Gortler et al., "The Lumigraph", SIGGRAPH 1996, section 3.4): colours weighted by alpha are halved until
//! nothing is hidden any more, and what a level lacks is taken from the coarser one behind it.
//!
//! ```text
//! pull:  w' = min(1, Σ w),  c' = Σ w·c / Σ w     over 2×2 pixels
//! push:  c ← w·c + (1 − w)·c'                    with c' enlarged bilinearly
//! ```

use super::resize::{Filter, resize_planes};

/// A picture and how much is known of it.
struct Level {
    width: usize,
    height: usize,
    /// `[3, height, width]`.
    colours: Vec<f32>,
    /// `[height, width]`, 0 to 1.
    known: Vec<f32>,
}

impl Level {
    /// The same in half the size, where more is known.
    fn pulled(&self) -> Self {
        let (width, height) = (self.width.div_ceil(2), self.height.div_ceil(2));
        let (old, new) = (self.width * self.height, width * height);
        let mut coarse = Level {
            width,
            height,
            colours: vec![0.0; 3 * new],
            known: vec![0.0; new],
        };
        for pixel in 0..old {
            let place = pixel / self.width / 2 * width + pixel % self.width / 2;
            let known = self.known[pixel];
            coarse.known[place] += known;
            for c in 0..3 {
                coarse.colours[c * new + place] += known * self.colours[c * old + pixel];
            }
        }
        for place in 0..new {
            let known = coarse.known[place];
            if known > 0.0 {
                (0..3).for_each(|c| coarse.colours[c * new + place] /= known);
            }
            coarse.known[place] = known.min(1.0);
        }
        coarse
    }

    /// Its colours, with those that are not known.
    fn filled(mut self) -> Vec<f32> {
        let whole = self.known.iter().all(|&known| known >= 1.0);
        if whole || self.known.len() == 1 {
            return self.colours;
        }
        let coarse = self.pulled();
        let from = (coarse.height, coarse.width);
        let coarse = coarse.filled();
        let to = (self.height, self.width);
        let behind = resize_planes(&coarse, 3, from, to, Filter::BilinearPlain);
        for (plane, behind) in self
            .colours
            .chunks_exact_mut(self.known.len())
            .zip(behind.chunks_exact(self.known.len()))
        {
            for ((colour, behind), known) in plane.iter_mut().zip(behind).zip(&self.known) {
                *colour = known * *colour + (1.0 - known) * behind;
            }
        }
        self.colours
    }
}

/// The least rectangle with all pixels that have this much alpha: left, top, and right and bottom behind it.
pub(super) fn bounds(alpha: &[f32], width: usize, least: f32) -> Option<[usize; 4]> {
    let mut bounds = [usize::MAX, usize::MAX, 0, 0];
    for (place, _) in alpha
        .iter()
        .enumerate()
        .filter(|(_, alpha)| **alpha >= least)
    {
        let (x, y) = (place % width, place / width);
        let [left, top, right, bottom] = bounds;
        bounds = [left.min(x), top.min(y), right.max(x + 1), bottom.max(y + 1)];
    }
    (bounds[2] > 0).then_some(bounds)
}

/// Planes `[3, height, width]` in which what is hidden has the colours around it.
pub(super) fn filled(rgb: &[f32], alpha: &[f32], (width, height): (usize, usize)) -> Vec<f32> {
    let level = Level {
        width,
        height,
        colours: rgb.to_vec(),
        known: alpha.iter().map(|alpha| alpha.clamp(0.0, 1.0)).collect(),
    };
    level.filled()
}
