//! What passes of a painter take, whichever network it has.

use super::means::{Means, Need};
use super::painter::{Painter, Prepared};
use crate::Result;
use crate::recipe::Recipe;
use crate::style::Style;
use impasto_compute::Size;
use impasto_compute::graph::{Graph, Kind, Shape};

impl Painter {
    /// How passes that paint at a size are run, and what that takes, pictures on their way included.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub(crate) fn need(
        &self,
        means: Means<'_>,
        recipe: &Recipe,
        styles: &[Style],
        size: Size,
    ) -> Result<Need> {
        let held = held(size);
        let content = match &self.network {
            Prepared::Cascade(cascade) => cascade.need(means.beside(held), size)?,
            Prepared::Fast { graph, .. }
            | Prepared::Ghiasi {
                transfer: graph, ..
            }
            | Prepared::MicroAst {
                transfer: graph, ..
            } => means
                .beside(held)
                .graph(graph.as_ref(), &reads(graph.as_ref(), size))?,
        };
        // What was made, as a tensor, and on its way to a picture twice.
        let mut need = content.beside(held).and(Need {
            bytes: 5 * picture(size),
            ..Need::default()
        });
        for style in styles {
            let (width, height) = recipe.style.size_of(style, size);
            let size = Size { width, height };
            let held = self::held(size);
            let means = means.beside(held);
            let look = match &self.network {
                Prepared::Cascade(cascade) => cascade.need(means, size)?,
                Prepared::Fast { .. } => continue,
                Prepared::Ghiasi {
                    predictor, least, ..
                } => {
                    let size = Size {
                        width: size.width.max(*least),
                        height: size.height.max(*least),
                    };
                    means.graph(predictor.as_ref(), &reads(predictor.as_ref(), size))?
                }
                Prepared::MicroAst { style: graph, .. } => {
                    means.graph(graph.as_ref(), &reads(graph.as_ref(), size))?
                }
            };
            need = need.and(look.beside(held));
        }
        Ok(need)
    }
}

/// Bytes of a picture.
fn picture(size: Size) -> usize {
    3 * size_of::<f32>() * size.pixels()
}

/// Bytes of what is painted, or looked at, during passes: the picture in its size, and as a tensor.
pub(super) fn held(size: Size) -> usize {
    2 * picture(size)
}

/// What a graph reads, of pictures of some size.
fn reads(graph: &dyn Graph, size: Size) -> Vec<Shape> {
    let inputs = graph.spec().inputs.iter();
    let shapes = inputs.map(|port| match port.kind {
        Kind::Map(channels) => Shape::Map { channels, size },
        Kind::Vector(n) => Shape::Vector(n),
    });
    shapes.collect()
}
