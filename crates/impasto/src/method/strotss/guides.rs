//! Points of the picture that take after points of a style.

use super::{Session, Stage};
use crate::Result;
use crate::loss::matched::MatchedLoss;
use crate::loss::{Scaling, Term};
use crate::method::passes::sizes::{style_at, style_size};
use crate::tiling::NetworkView;
use impasto_compute::{Point, Reduction, Size};

/// Places along each side of the square around a point that are guided, and from one to the next, as a share of the picture's
/// long side.
const SIDE: usize = 5;
const APART: f32 = 1.0 / 128.0;
/// How much the term counts: as much as all others together.
const WEIGHT: f32 = 1.0;

impl Session<'_> {
    /// The term of the points that are guided, if there are any: towards the first style.
    pub(super) fn guided(&self, stage: Stage, network: NetworkView<'_>) -> Result<Option<Term>> {
        let (setup, device) = (self.setup, self.device());
        let (guides, Some(style)) = (setup.regions.guides(), setup.styles.first()) else {
            return Ok(None);
        };
        if guides.is_empty() {
            return Ok(None);
        }
        let least = self.method.eye.least;
        let finest = style_size(setup, style, stage.at.finest, least);
        let (image, _) = style_at(device, style, finest, stage.at.halvings)?;
        let of_style = stage.at.of_style(setup, style, least);
        let features = self.look(image, network)?;
        let features: Vec<_> = features.iter().collect();
        let places = around(guides.iter().map(|guide| guide.content), stage.at.size());
        let targets = around(guides.iter().map(|guide| guide.style), of_style);
        let columns = self.columns();
        let mut rows = device.zeros(&[targets.len(), columns.width()])?;
        columns.gather(device, &features, &targets, &mut rows, 0)?;
        let matches = (0..targets.len() as u32).collect();
        Ok(Some(Term {
            name: "guides".into(),
            weight: WEIGHT,
            scaling: Scaling {
                reduction: Reduction::Mean,
                ..Scaling::NONE
            },
            loss: Box::new(MatchedLoss::new(columns, places, None, rows, matches)),
        }))
    }
}

/// The places of squares around points, in pixels of a picture of some size.
fn around(points: impl Iterator<Item = [f32; 2]>, size: Size) -> Vec<Point> {
    let apart = APART * size.width.max(size.height) as f32;
    let middle = (SIDE / 2) as f32;
    let square = |[x, y]: [f32; 2]| {
        (0..SIDE * SIDE).map(move |at| Point {
            y: y * size.height as f32 - 0.5 + apart * ((at / SIDE) as f32 - middle),
            x: x * size.width as f32 - 0.5 + apart * ((at % SIDE) as f32 - middle),
        })
    };
    points.flat_map(square).collect()
}
