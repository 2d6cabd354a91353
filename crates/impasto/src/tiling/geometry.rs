//! The tiles of a picture, for the layers that are asked for: what belongs to each, and what it has to see.

use super::TilePlan;
use super::grid::{alignment, around, tiles};
use impasto_compute::{NetSpec, Result, Size, TapRequest, Window};

/// A tile of a picture.
#[derive(Clone, Debug)]
pub(super) struct Tile {
    /// What belongs to it.
    pub(super) core: Window,
    /// The same with its margin: what the back sees.
    pub(super) around: Window,
    /// The tiles of the front that make up `around`.
    pub(super) subs: Vec<Sub>,
}

/// A tile of the front.
#[derive(Clone, Debug)]
pub(super) struct Sub {
    /// What it gives to the back.
    pub(super) core: Window,
    pub(super) around: Window,
    /// What of it belongs to the tile itself.
    pub(super) owned: Window,
}

impl Sub {
    /// Where moments are taken; anywhere if none are asked.
    pub(super) fn owned_or_core(&self) -> Window {
        match self.owned.pixels() {
            0 => self.core,
            _ => self.owned,
        }
    }
}

/// The tiles of a picture, for the layers that are asked for.
pub(super) struct Geometry {
    pub(super) tiles: Vec<Tile>,
}

impl Geometry {
    pub(super) fn new(
        spec: &NetSpec,
        plan: &TilePlan,
        size: Size,
        requests: &[TapRequest],
    ) -> Result<Self> {
        let mut deepest = 0;
        for request in requests {
            deepest = deepest.max(spec.layer_of(request.tap)?);
        }
        let align = alignment(spec, deepest);
        // How far each part looks beyond its tile, in pixels of the picture.
        let (front, back) = match plan.cut {
            Some(cut) if cut < deepest => {
                let front = spec.reach(cut);
                let back = spec.reach(deepest) - front;
                (Some((cut, front)), back)
            }
            Some(cut) => (Some((cut, spec.reach(cut))), 0),
            None => (None, spec.reach(deepest)),
        };
        let whole = Window::whole(size);
        let margin = back.next_multiple_of(align);
        let tile = |core: Window| {
            let around = around(&core, margin, size);
            let subs = front.map_or(vec![], |(cut, reach)| {
                let align = alignment(spec, cut);
                let margin = reach.next_multiple_of(align);
                let subs = tiles(&around, Size::square(plan.front), align);
                let sub = |part: Window| Sub {
                    core: part,
                    around: self::around(&part, margin, size),
                    owned: part.shared(&core),
                };
                subs.into_iter().map(sub).collect()
            });
            Tile { core, around, subs }
        };
        let tile_size = Size {
            width: plan.width,
            height: plan.height,
        };
        let cores = tiles(&whole, tile_size, align);
        Ok(Self {
            tiles: cores.into_iter().map(tile).collect(),
        })
    }

    /// Sizes of what the back sees, and of what the front sees, tile by tile.
    pub(super) fn sizes(&self) -> (Vec<Size>, Vec<Size>) {
        let back = self.tiles.iter().map(|tile| tile.around.size());
        let subs = self.tiles.iter().flat_map(|tile| &tile.subs);
        (back.collect(), subs.map(|sub| sub.around.size()).collect())
    }
}
