//! Hypercolumns: what several layers show of the same place, as one vector.
//!
//! ```text
//! φ_p = (k₁·F₁(p), k₂·F₂(p), …)        F_l(p) interpolated between the four places of the layer around p
//! ```
//!
//! Source: Hariharan et al. 2015; in style transfer Kolkin, Salavon and Shakhnarovich 2019.

use super::{Gradient, Rows, Seen, View};
use impasto_compute::{Device, Point, Result, Tensor};
use std::sync::Arc;

/// A layer in a hypercolumn, or the picture itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Part {
    /// What is looked at: the image or features.
    pub view: View,
    /// Its channels.
    pub channels: usize,
    /// What its features are multiplied by.
    pub factor: f32,
    /// Pixels of the picture from one place of it to the next.
    pub stride: usize,
}

/// How places are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Places {
    /// From 0 to 1, between the middles of the outermost pixels of every map.
    Shares,
    /// In pixels of the picture; over the stride of every map.
    Pixels,
}

/// Layers that make hypercolumns, in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Columns {
    parts: Vec<Part>,
    places: Places,
}

impl Columns {
    /// Of some layers, at places that are told in some way.
    pub fn new(parts: Vec<Part>, places: Places) -> Self {
        Self { parts, places }
    }

    /// The layers.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Entries of a vector.
    pub fn width(&self) -> usize {
        self.parts.iter().map(|part| part.channels).sum()
    }

    /// What a loss of them needs to see.
    pub fn views(&self) -> Vec<View> {
        self.parts.iter().map(|part| part.view).collect()
    }

    /// The features that a loss is shown.
    ///
    /// # Errors
    /// As [`Seen::tensor`].
    pub fn features<'a>(&self, seen: &[Seen<'a>]) -> Result<Vec<&'a Tensor>> {
        seen.iter().map(|seen| seen.tensor()).collect()
    }

    /// The vectors at some places, into the rows of a matrix `[n, c]` from `first` on.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn gather(
        &self,
        device: &dyn Device,
        features: &[&Tensor],
        places: &[Point],
        rows: &mut Tensor,
        first: usize,
    ) -> Result<()> {
        let mut column = 0;
        for (part, features) in self.parts.iter().zip(features) {
            let points = self.on_map(part, places, features);
            device.gather(features, &points, part.factor, rows, [first, column])?;
            column += part.channels;
        }
        Ok(())
    }

    /// The adjoint: adds gradients towards all rows to those towards the features.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn scatter(
        &self,
        device: &dyn Device,
        rows: &Tensor,
        places: &[Point],
        features: &mut [Tensor],
    ) -> Result<()> {
        let mut column = 0;
        for (part, features) in self.parts.iter().zip(features) {
            let points = self.on_map(part, places, features);
            device.scatter(rows, [0, column], &points, part.factor, features)?;
            column += part.channels;
        }
        Ok(())
    }

    /// Gradients towards all rows as those towards the features at some places.
    pub fn gradients(&self, rows: Tensor, places: &[Point], features: &[&Tensor]) -> Vec<Gradient> {
        let (rows, mut column) = (Arc::new(rows), 0);
        let towards = |(part, features): (&Part, &&Tensor)| {
            let first = column;
            column += part.channels;
            Gradient::Rows(Rows {
                rows: Arc::clone(&rows),
                column: first,
                points: self.on_map(part, places, features),
                factor: part.factor,
            })
        };
        self.parts.iter().zip(features).map(towards).collect()
    }

    /// Places on a map.
    fn on_map(&self, part: &Part, places: &[Point], map: &Tensor) -> Vec<Point> {
        let last = |n: usize| n.saturating_sub(1) as f32;
        let (down, across) = match (self.places, map.shape()) {
            (Places::Pixels, _) => (1.0 / part.stride as f32, 1.0 / part.stride as f32),
            (Places::Shares, &[_, height, width]) => (last(height), last(width)),
            (Places::Shares, _) => (0.0, 0.0),
        };
        let on = |place: &Point| Point {
            y: place.y * down,
            x: place.x * across,
        };
        places.iter().map(on).collect()
    }
}

/// The places of a grid of some height and width, row by row, from border to border: shares.
pub fn grid([height, width]: [usize; 2]) -> Vec<Point> {
    let share = |at: usize, n: usize| match n {
        0 | 1 => 0.0,
        n => at as f32 / (n - 1) as f32,
    };
    let place = |k: usize| Point {
        y: share(k / width, height),
        x: share(k % width, width),
    };
    (0..height * width).map(place).collect()
}
