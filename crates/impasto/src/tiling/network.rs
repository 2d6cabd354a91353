//! A network that runs pictures tile by tile.
//!
//! ```text
//! picture ─▶ tile with margin ─▶ [ front, in smaller tiles ─▶ features at the cut ] ─▶ back ─▶ tape of the tile
//! ```
//!
//! Each place of a layer belongs to one tile: moments are summed over those that belong to it, gradients towards those
//! in its margin are zero. A margin is as wide as the receptive field asks for, so inside a tile every feature is that
//! of the whole picture.

use super::TilePlan;
use super::geometry::Geometry;
use super::traversal::Traversal;
use impasto_compute::{Device, Halves, NetSpec, Network, Result, Size, TapRequest, Want};

/// A network in one or two parts, and the sizes of their tiles.
#[derive(Debug)]
pub(crate) struct TiledNetwork {
    pub(super) spec: NetSpec,
    pub(super) plan: TilePlan,
    pub(super) front: Option<Front>,
    pub(super) back: Box<dyn Network>,
}

/// The layers up to the cut.
#[derive(Debug)]
pub(super) struct Front {
    pub(super) halves: Halves,
    pub(super) network: Box<dyn Network>,
}

impl TiledNetwork {
    /// Prepares a network for a plan.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub(crate) fn new(device: &dyn Device, spec: &NetSpec, plan: &TilePlan) -> Result<Self> {
        let front = match plan.cut {
            Some(layer) => {
                let halves = spec.split(layer)?;
                let network = device.network(&halves.front)?;
                Some(Front { halves, network })
            }
            None => None,
        };
        let back = match &front {
            Some(front) => device.network(&front.halves.back)?,
            None => device.network(spec)?,
        };
        Ok(Self {
            spec: spec.clone(),
            plan: plan.clone(),
            front,
            back,
        })
    }

    /// A traversal of a picture that looks at some taps.
    pub(super) fn traversal<'a>(
        &'a self,
        device: &'a dyn Device,
        size: Size,
        requests: &'a [TapRequest],
    ) -> Result<Traversal<'a>> {
        let geometry = Geometry::new(&self.spec, &self.plan, size, requests)?;
        let place = |(index, request): (usize, &TapRequest)| {
            let (back, tap) = match &self.front {
                Some(front) => front.halves.tap(request.tap)?,
                None => (true, request.tap),
            };
            Some((back, index, TapRequest { tap, ..*request }))
        };
        let placed: Vec<_> = requests.iter().enumerate().filter_map(place).collect();
        let half = |wanted: bool| -> Vec<(usize, TapRequest)> {
            let here = placed.iter().filter(|(back, ..)| *back == wanted);
            here.map(|(_, index, request)| (*index, *request)).collect()
        };
        let front = half(false);
        Ok(Traversal {
            network: self,
            device,
            size,
            requests,
            front_kept: self.plan.front_kept && may_keep(&front),
            front,
            back: half(true),
            tiles: geometry.tiles,
        })
    }
}

/// Whether tapes of a front can be kept: what losses of features say is asked of each part when its turn comes, and the
/// features would have to be kept as well.
fn may_keep(requests: &[(usize, TapRequest)]) -> bool {
    requests
        .iter()
        .all(|(_, request)| request.want != Want::Features)
}
