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
//! and not twice that. [`TilePlan`] says which cut, how large tiles and how many tapes; [`fit`] finds the fastest
//! plan that fits.
//!
//! A loss that looks at features must be a sum over places ([`Loss::is_sum_over_places`](crate::loss::Loss::is_sum_over_places)); one that
//! is not is refused with its name. Total variation is taken of the picture itself, which is always in memory, as are
//! the optimiser's state and the content's features: about 92 bytes a pixel with VGG-19.
//! Strips have no such rule: what such a loss needs is there as a whole.

mod evaluate;
mod geometry;
mod grid;
mod limit;
mod network;
mod plan;
mod traversal;

pub use limit::free_memory;
pub(crate) use network::TiledNetwork;
pub(crate) use plan::{Need, Room, feature_bytes, fit, largest};

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
pub(crate) enum CutNetwork {
    /// For strips, by the whole network.
    Strips(Strips),
    /// For tiles.
    Tiles(Box<TiledNetwork>),
}

impl CutNetwork {
    /// A network for pictures that are cut, if they are; the whole one makes room for it.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub(crate) fn new(
        device: &dyn Device,
        network: &dyn Network,
        cut: Option<&Cut>,
    ) -> Result<Option<Self>> {
        let Some(cut) = cut else {
            return Ok(None);
        };
        network.forget();
        Ok(Some(match cut {
            Cut::Strips(StripPlan { rows, kept }) => CutNetwork::Strips(Strips {
                rows: *rows,
                kept: kept.clone(),
            }),
            Cut::Tiles(plan) => {
                CutNetwork::Tiles(Box::new(TiledNetwork::new(device, network.spec(), plan)?))
            }
        }))
    }
}

/// What a request is of a whole picture.
#[derive(Debug, Default)]
pub(crate) struct TapValues {
    /// Features, if they were asked for.
    pub(crate) features: Option<Tensor>,
    /// Moments, if they were asked for.
    pub(crate) moments: Option<Moments>,
}

/// A network as pictures run through it: whole, in strips, or tile by tile.
#[derive(Clone, Copy, Debug)]
pub(crate) enum NetworkView<'a> {
    /// Whole.
    Whole(&'a dyn Network),
    /// In strips.
    Strips(&'a dyn Network, &'a Strips),
    /// Tile by tile.
    Tiles(&'a TiledNetwork),
}

impl<'a> NetworkView<'a> {
    /// A network for pictures that are cut, or not.
    pub(crate) fn new(network: &'a dyn Network, cut: Option<&'a CutNetwork>) -> Self {
        match cut {
            Some(CutNetwork::Tiles(tiled)) => NetworkView::Tiles(tiled),
            Some(CutNetwork::Strips(strips)) => NetworkView::Strips(network, strips),
            None => NetworkView::Whole(network),
        }
    }

    /// The network.
    pub(crate) fn spec(&self) -> &NetSpec {
        match self {
            NetworkView::Whole(network) | NetworkView::Strips(network, _) => network.spec(),
            NetworkView::Tiles(tiled) => &tiled.spec,
        }
    }

    /// What each request is of a picture.
    ///
    /// # Errors
    /// As [`Network::forward`].
    pub(crate) fn extract(
        &self,
        device: &dyn Device,
        image: &Tensor,
        requests: &[TapRequest],
    ) -> Result<Vec<TapValues>> {
        let tape = match self {
            NetworkView::Whole(network) => network.forward(image, requests)?,
            NetworkView::Strips(network, strips) => {
                // There is no way back to keep anything for.
                let strips = Strips {
                    rows: strips.rows,
                    kept: vec![],
                };
                network.forward_strips(image, &strips, requests)?
            }
            NetworkView::Tiles(tiled) => return tiled.extract(device, image, requests),
        };
        let values = |request: &TapRequest| -> Result<TapValues> {
            let mut values = TapValues::default();
            if request.want == Want::Features {
                values.features = Some(device.copy(tape.features(request.tap)?)?);
            }
            if request.want == Want::Moments {
                let moments = tape.moments(request.tap)?;
                values.moments = Some(Moments {
                    mean: device.copy(&moments.mean)?,
                    second: device.copy(&moments.second)?,
                });
            }
            Ok(values)
        };
        requests.iter().map(values).collect()
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
            NetworkView::Whole(network) => objective.evaluate(device, *network, None, image),
            NetworkView::Strips(network, strips) => {
                objective.evaluate(device, *network, Some(strips), image)
            }
            NetworkView::Tiles(tiled) => tiled.evaluate(device, objective, image),
        }
    }
}

#[cfg(test)]
mod tests;
