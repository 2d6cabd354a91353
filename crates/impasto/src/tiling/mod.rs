//! Pictures larger than memory.
//!
//! A device that can runs them in *strips* of full width: of most maps some rows exist at a time, every value is
//! computed once in its place, and the bits are those of the whole ([`Network::forward_strips`]). Others, and
//! networks that do not run so, work exactly but for rounding, tile by tile.
//!
//! Moments are sums over places, so those of a picture are the sums of those of its tiles; and so is the gradient.
//! With `F_t` the features of tile `t` and `n` the places of a layer:
//!
//! ```text
//! S = 1/n Σ_t F_t·F_tᵀ          L(S), dL/dS once          dL/dF_t = 1/n (dS + dSᵀ)·F_t
//! ```
//!
//! The first pass over the tiles sums the moments, the second takes each tile's gradient. What would be lost by passing
//! twice is kept small in two ways. The network may be *cut*: the front, cheap layers of large maps, is run in small
//! tiles, and what the backward pass needs of it may be remembered with the tape of the back, or not; tapes of as many
//! tiles are kept from the first pass to the second as memory allows. And a place belongs to one tile only, so margins are as wide as the receptive field of the features
//! and not twice that. [`TilePlan`] says which cut, how large tiles and how many tapes; [`choose`] finds the fastest
//! plan that fits.
//!
//! A loss that looks at features must be a sum over places ([`Loss::in_parts`](crate::loss::Loss::in_parts)); one that
//! is not is refused with its name. Total variation is taken of the picture itself, which is always in memory, as are
//! the optimiser's state and the content's features: about 92 bytes a pixel with VGG-19.
//! Strips have no such rule: what such a loss needs is there as a whole.

mod evaluate;
mod grid;
mod limit;
mod network;
mod plan;

pub(crate) use evaluate::Sight;
pub use limit::free_memory;
pub(crate) use network::TiledNetwork;
pub(crate) use plan::{Budget, Need, choose, feature_bytes, whole};

use crate::loss::{Evaluation, Objective};
use impasto_compute::{
    Device, Moments, NetSpec, Network, Result, Strips, TapRequest, Tensor, Want,
};
use serde::{Deserialize, Serialize};

/// Tiles of a picture, whatever its size.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TilePlan {
    /// Rows that belong to a tile, at most about.
    pub height: usize,
    /// Columns, likewise.
    pub width: usize,
    /// The layer of the encoder behind which the network is cut.
    pub cut: Option<usize>,
    /// Side of the tiles in which the front is run, at most about.
    pub front: usize,
    /// Whether tapes are kept with those of the front; otherwise it is run once more for its gradient.
    pub front_kept: bool,
    /// Tiles whose tapes are kept from the first pass to the second.
    pub kept: usize,
}

/// How a picture is cut.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cut {
    /// Into strips of full width, one layer after the other: the same bits as of the whole.
    Strips(StripPlan),
    /// Into tiles, each with a margin: the same values up to rounding.
    Tiles(TilePlan),
}

impl Cut {
    /// Whether two ways to work on a picture, `None` for as a whole, give the same bits.
    pub(crate) fn same_bits(one: &Option<Cut>, other: &Option<Cut>) -> bool {
        let strips = |cut: &Option<Cut>| !matches!(cut, Some(Cut::Tiles(_)));
        one == other || (strips(one) && strips(other))
    }
}

/// Strips of a picture, as a device runs them ([`Strips`]).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StripPlan {
    /// Rows of a strip; `None` for as many as suit each layer.
    pub rows: Option<usize>,
    /// Layers whose maps are kept for the way back.
    pub kept: Vec<usize>,
}

/// A network prepared for pictures that are cut.
#[derive(Debug)]
pub(crate) enum Prepared {
    /// For strips, by the whole network.
    Strips(Strips),
    /// For tiles.
    Tiles(Box<TiledNetwork>),
}

/// A network as pictures are shown to it: whole, in strips, or tile by tile.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Eye<'a> {
    /// Whole.
    Whole(&'a dyn Network),
    /// In strips.
    Strips(&'a dyn Network, &'a Strips),
    /// Tile by tile.
    Tiles(&'a TiledNetwork),
}

impl Eye<'_> {
    /// The network.
    pub(crate) fn spec(&self) -> &NetSpec {
        match self {
            Eye::Whole(network) | Eye::Strips(network, _) => network.spec(),
            Eye::Tiles(tiled) => &tiled.spec,
        }
    }

    /// What each request shows of a picture.
    ///
    /// # Errors
    /// As [`Network::forward`].
    pub(crate) fn look(
        &self,
        device: &dyn Device,
        image: &Tensor,
        requests: &[TapRequest],
    ) -> Result<Vec<Sight>> {
        let tape = match self {
            Eye::Whole(network) => network.forward(image, requests)?,
            Eye::Strips(network, strips) => {
                // There is no way back to keep anything for.
                let strips = Strips {
                    rows: strips.rows,
                    kept: vec![],
                };
                network.forward_strips(image, &strips, requests)?
            }
            Eye::Tiles(tiled) => return tiled.look(device, image, requests),
        };
        let see = |request: &TapRequest| -> Result<Sight> {
            let mut sight = Sight::default();
            if request.want == Want::Features {
                sight.features = Some(device.copy(tape.features(request.tap)?)?);
            }
            if request.want == Want::Moments {
                let moments = tape.moments(request.tap)?;
                sight.moments = Some(Moments {
                    mean: device.copy(&moments.mean)?,
                    second: device.copy(&moments.second)?,
                });
            }
            Ok(sight)
        };
        requests.iter().map(see).collect()
    }

    /// Values and gradient of an objective at an image `[3, h, w]`.
    ///
    /// # Errors
    /// As [`Network::forward`].
    pub(crate) fn evaluate(
        &self,
        device: &dyn Device,
        objective: &Objective,
        image: &Tensor,
    ) -> Result<Evaluation> {
        match self {
            Eye::Whole(network) => objective.evaluate(device, *network, None, image),
            Eye::Strips(network, strips) => {
                objective.evaluate(device, *network, Some(strips), image)
            }
            Eye::Tiles(tiled) => tiled.evaluate(device, objective, image),
        }
    }
}
