//! Losses of hypercolumns at places that are drawn anew for every step, and what they compare there.
//!
//! | file | compares |
//! |---|---|
//! | [`remd`] | the places with those of the style: relaxed earth mover's distance |
//! | [`similarity`] | how like each other the places are, with the photo |
//! | [`spread`] | mean and covariance of the places with those of the style |
//! | [`palette`] | colours with those of the style: relaxed earth mover's distance |
//!
//! Source: Kolkin, Salavon and Shakhnarovich 2019 (Style Transfer by Relaxed Optimal Transport and Self-Similarity). All
//! losses of a step look at the same places.

pub mod palette;
pub mod remd;
pub mod similarity;
pub mod spread;

use super::columns::Columns;
use super::{Extent, Gradient, GradientScale, Loss, LossValue, Seen, View};
use crate::random::StepSeed;
use impasto_compute::{Device, Point, Result, Scalar, Size, Tensor};
use rayon::prelude::*;
use std::fmt;

/// Places of the finest grid along each side.
const SIDE: usize = 128;
/// Steps for which a grid is kept; which of its places count is drawn at each.
const KEPT: usize = 10;
/// The name under which places are drawn, whichever loss asks.
const DRAWN_AS: &str = "places";

/// Draws places of a picture, or of a region of it.
#[derive(Clone, Debug)]
pub struct Sampler {
    size: Size,
    /// Whether each pixel may be drawn, `[h, w]`; `None` if all may.
    inside: Option<Vec<bool>>,
    count: usize,
    /// Whether rows and columns are shuffled apart.
    apart: bool,
}

impl Sampler {
    /// Draws at most so many places, in pixels.
    pub fn new(size: Size, inside: Option<Vec<bool>>, count: usize) -> Self {
        Self {
            size,
            inside,
            count,
            apart: false,
        }
    }

    /// The same with rows and columns that are shuffled apart, as the published program does it: what it draws of a region is
    /// where the region has rows and where it has columns, and not in it.
    pub fn shuffled_apart(self, apart: bool) -> Self {
        Self { apart, ..self }
    }

    /// The places of a step: some of a grid of at most 128 places along each side, which is moved every ten steps. Of a region
    /// that the grid misses, its pixels.
    pub fn draw(&self, seed: &StepSeed<'_>) -> Vec<Point> {
        let seed = StepSeed {
            term: DRAWN_AS,
            ..*seed
        };
        let step = (self.size.pixels() as f64).sqrt() / SIDE as f64;
        let (across, down) = (
            (step.floor() as usize).max(1),
            (step.ceil() as usize).max(1),
        );
        let mut kept = seed.at(seed.step - (seed.step.max(1) - 1) % KEPT).random();
        let (left, top) = (kept.below(across), kept.below(down));
        let mut places = self.grid([top, left], [down, across]);
        if places.is_empty() {
            places = self.grid([0, 0], [1, 1]);
        }
        let mut random = seed.random();
        let all = places.len();
        for place in 0..self.count.min(all) {
            places.swap(place, place + random.below(all - place));
        }
        if self.apart {
            for place in 0..self.count.min(all) {
                let other = place + random.below(all - place);
                let (here, there) = (places[place].x, places[other].x);
                (places[place].x, places[other].x) = (there, here);
            }
        }
        places.truncate(self.count);
        places
    }

    fn grid(&self, first: [usize; 2], step: [usize; 2]) -> Vec<Point> {
        let rows = (first[0]..self.size.height).step_by(step[0]);
        let columns = (first[1]..self.size.width).step_by(step[1]);
        let all = rows.flat_map(|y| columns.clone().map(move |x| (y, x)));
        let inside = |&(y, x): &(usize, usize)| {
            let inside = self.inside.as_ref();
            inside.is_none_or(|inside| inside[y * self.size.width + x])
        };
        let point = |(y, x)| Point {
            y: y as f32,
            x: x as f32,
        };
        all.filter(inside).map(point).collect()
    }
}

/// The places of a step.
#[derive(Clone, Debug, Default)]
pub struct Drawn {
    /// The step, from 1; 0 before the first.
    pub step: usize,
    /// The places, in pixels.
    pub places: Vec<Point>,
}

/// What is compared at places.
pub trait Comparison: Send + Sync + fmt::Debug {
    /// Its value for rows `[n, c]` at some places of the picture, and `k` times its gradient towards them.
    ///
    /// # Errors
    /// Whatever the device reports.
    fn compare(
        &self,
        device: &dyn Device,
        rows: &Tensor,
        drawn: &Drawn,
        k: f64,
    ) -> Result<(f64, Tensor)>;
}

/// The loss of a comparison.
#[derive(Debug)]
pub struct SampledLoss {
    columns: Columns,
    views: Vec<View>,
    sampler: Sampler,
    comparison: Box<dyn Comparison>,
    drawn: Drawn,
}

impl SampledLoss {
    /// A comparison of hypercolumns at places that are drawn.
    pub fn new(columns: Columns, sampler: Sampler, comparison: Box<dyn Comparison>) -> Self {
        Self {
            views: columns.views(),
            columns,
            sampler,
            comparison,
            drawn: Drawn::default(),
        }
    }
}

impl Loss for SampledLoss {
    fn views(&self) -> &[View] {
        &self.views
    }

    fn extent(&self) -> Extent {
        Extent::ONE
    }

    fn evaluate(
        &self,
        device: &dyn Device,
        seen: &[Seen<'_>],
        scale: GradientScale,
    ) -> Result<(LossValue, Vec<Gradient>)> {
        let features = self.columns.features(seen)?;
        let places = &self.drawn.places;
        let mut rows = device.zeros(&[places.len(), self.columns.width()])?;
        self.columns
            .gather(device, &features, places, &mut rows, 0)?;
        let k = f64::from(scale.times(1.0));
        let (value, towards) = match places.is_empty() {
            true => (0.0, rows),
            false => self.comparison.compare(device, &rows, &self.drawn, k)?,
        };
        let gradients = self.columns.gradients(towards, places, &features);
        Ok((LossValue::of(1.0, Scalar::Ready(value)), gradients))
    }

    fn prepare(&mut self, _: &dyn Device, seed: &StepSeed<'_>) -> Result<()> {
        self.drawn = Drawn {
            step: seed.step,
            places: self.sampler.draw(seed),
        };
        Ok(())
    }
}

/// Rows and columns of a matrix.
fn shape(rows: &Tensor) -> [usize; 2] {
    match *rows.shape() {
        [n, c] => [n, c],
        _ => [0, 0],
    }
}

/// Rows of a matrix that is transposed that are made at a time: those of a cache line.
const LINES: usize = 16;

/// A matrix `[n, c]` transposed, `[c, n]`.
fn transposed(values: &[f32], [n, c]: [usize; 2]) -> Vec<f32> {
    let mut out = vec![0.0; n * c];
    let pieces = out.par_chunks_mut((LINES * n).max(1)).enumerate();
    pieces.for_each(|(piece, out)| {
        let first = piece * LINES;
        for (i, row) in values.chunks_exact(c.max(1)).enumerate() {
            let lines = out.chunks_exact_mut(n).zip(&row[first..]);
            lines.for_each(|(line, value)| line[i] = *value);
        }
    });
    out
}
