//! Which tiles: the fastest plan that fits into memory.
//!
//! A device says what a pass through a network needs ([`Network::memory`]), and the network what work it is
//! ([`NetSpec::work`]); what lies around it is counted here.

use super::geometry::Geometry;
use super::{Cut, StripPlan, TilePlan};
use impasto_compute::{
    Device, Halves, Memory, NetSpec, Network, Result, Size, Tap, TapRequest, Want, Work,
};

/// Sides of tiles that are tried, from the whole picture down by this factor.
const STEP: f64 = 0.8;
/// The least side of tiles, unless the picture is smaller.
const LEAST: usize = 256;
/// Sides of tiles of the front that are tried.
const FRONTS: [usize; 6] = [256, 384, 512, 768, 1024, 1536];
/// What lies idle between tiles, waiting to be used again: this share of what passes need, and no more than this.
const IDLE: (usize, usize) = (5, 160 << 20);
/// Blocks of memory are a little larger than what they hold: by this share of strips.
const STRIP_SPARE: usize = 16;
/// Bytes of a pixel of an image.
const PIXEL: usize = 12;

/// What there is.
#[derive(Clone, Copy, Debug, Default)]
struct Budget {
    /// Bytes for the passes and the gradient of the picture.
    bytes: usize,
    /// Side of the tiles, if it is given.
    tile: Option<usize>,
    /// Whether there is a second pass, for a gradient.
    gradient: bool,
    /// Whether losses of features can be taken part by part.
    in_parts: bool,
}

/// What is needed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Need {
    /// How the picture is cut; `None` for as a whole.
    pub(crate) cut: Option<Cut>,
    /// Bytes at most, for the passes and the gradient of the picture.
    pub(crate) bytes: usize,
    /// Work, in terms of that on the whole picture.
    pub(crate) work: f64,
    /// How many tiles there are; 1 of strips.
    pub(crate) count: usize,
}

/// Bytes of the features that are asked for, of a picture of some size.
pub(crate) fn feature_bytes(spec: &NetSpec, size: Size, requests: &[TapRequest]) -> Result<usize> {
    let mut bytes = 0;
    for request in requests
        .iter()
        .filter(|request| request.want == Want::Features)
    {
        let [c, h, w] = spec.shape_at(request.tap, size)?;
        bytes += c.next_multiple_of(16) * h * w * size_of::<f32>();
    }
    Ok(bytes)
}

/// What a picture needs as a whole.
///
/// # Errors
/// As [`Network::memory`].
fn whole(
    network: &dyn Network,
    size: Size,
    requests: &[TapRequest],
    gradient: bool,
) -> Result<Need> {
    let memory = network.memory(size, requests)?;
    let image = PIXEL * size.pixels();
    let features = feature_bytes(network.spec(), size, requests)?;
    let bytes = if gradient {
        let losses = memory.kept + 2 * features;
        let backward = memory.backward + features + image;
        memory.forward.max(losses).max(backward)
    } else {
        memory.forward + features
    };
    Ok(Need {
        cut: None,
        bytes: bytes + memory.prepared,
        work: 1.0,
        count: 1,
    })
}

/// The fastest strips that fit, or tiles where the network does not run in strips; without any, those that need least.
///
/// # Errors
/// As [`Network::memory`], and whatever the device reports of halves of the network.
fn choose(
    device: &dyn Device,
    network: &dyn Network,
    size: Size,
    requests: &[TapRequest],
    budget: &Budget,
) -> Result<Need> {
    if network.has_strips(requests) {
        return strips(network, size, requests, budget);
    }
    let spec = network.spec();
    let mut deepest = 0;
    for request in requests {
        deepest = deepest.max(spec.layer_of(request.tap)?);
    }
    let mut best: Option<Need> = None;
    let cuts = (0..deepest).filter(|&layer| spec.split(layer).is_ok());
    for cut in std::iter::once(None).chain(cuts.map(Some)) {
        let candidate = Candidate::new(device, network, cut, size, requests)?;
        for plan in candidate.plans(budget) {
            let need = candidate.need(&plan, budget)?;
            let better = best.as_ref().is_none_or(|best| {
                match (need.bytes <= budget.bytes, best.bytes <= budget.bytes) {
                    (true, true) => need.work < best.work,
                    (false, false) => need.bytes < best.bytes,
                    (fits, _) => fits,
                }
            });
            if better {
                best = Some(need);
            }
        }
    }
    match best {
        Some(best) => Ok(best),
        None => whole(network, size, requests, budget.gradient),
    }
}

/// How much room there is for passes, and how they are to be cut.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// Bytes of the limit; none if there is none.
    pub(crate) limit: Option<usize>,
    /// The longest side of a tile, if somebody has said so.
    pub(crate) tile: Option<usize>,
    /// Bytes that are taken by all else meanwhile.
    pub(crate) fixed: usize,
    /// As in [`Budget`].
    pub(crate) gradient: bool,
    /// As in [`Budget`].
    pub(crate) in_parts: bool,
}

/// What a picture needs in a room: as a whole if it fits, else by the fastest plan that does.
///
/// # Errors
/// As [`choose`].
pub(crate) fn fit(
    device: &dyn Device,
    network: &dyn Network,
    size: Size,
    requests: &[TapRequest],
    room: Room,
) -> Result<Need> {
    let all = whole(network, size, requests, room.gradient)?;
    let fits = room
        .limit
        .is_none_or(|limit| room.fixed + all.bytes <= limit);
    let tile = room.tile.filter(|tile| *tile < size.width.max(size.height));
    if (fits && tile.is_none()) || requests.is_empty() {
        return Ok(all);
    }
    let budget = Budget {
        bytes: room
            .limit
            .map_or(usize::MAX, |limit| limit.saturating_sub(room.fixed)),
        tile,
        gradient: room.gradient,
        in_parts: room.in_parts,
    };
    choose(device, network, size, requests, &budget)
}

/// Sizes that would fit are told as multiples of this.
const SIDE: usize = 16;

/// The largest long side up to about `asked` that fits, if one does.
///
/// # Errors
/// Those of `fits`.
pub(crate) fn largest<E>(
    asked: usize,
    mut fits: impl FnMut(usize) -> std::result::Result<bool, E>,
) -> std::result::Result<Option<usize>, E> {
    let (mut good, mut bad) = (0, asked / SIDE + 1);
    while bad - good > 1 {
        let middle = (good + bad) / 2;
        match fits(middle * SIDE)? {
            true => good = middle,
            false => bad = middle,
        }
    }
    Ok((good > 0).then_some(good * SIDE))
}

/// The fastest strips that fit; without any, those that need least.
fn strips(
    network: &dyn Network,
    size: Size,
    requests: &[TapRequest],
    budget: &Budget,
) -> Result<Need> {
    // Losses that are divided by the norm of their gradient are shown features as a whole.
    let parts = |request: &TapRequest| match request.want {
        Want::Features if budget.in_parts => TapRequest::in_parts(request.tap),
        _ => *request,
    };
    let requests: Vec<_> = match budget.gradient {
        true => requests.iter().map(parts).collect(),
        false => requests.to_vec(),
    };
    let whole = feature_bytes(network.spec(), size, &requests)?;
    let mut best = None;
    for plan in network.strips(size, budget.tile, &requests)? {
        let memory = plan.memory;
        let bytes = match budget.gradient {
            true => {
                let losses = memory.kept + 2 * whole;
                memory.forward.max(losses).max(memory.backward + whole)
            }
            // Nothing is kept: the first plan is the one that keeps least.
            false => memory.forward,
        };
        let need = Need {
            cut: Some(Cut::Strips(StripPlan {
                rows: plan.strips.rows,
                kept: plan.strips.kept,
            })),
            bytes: bytes + bytes / STRIP_SPARE,
            work: plan.work,
            count: 1,
        };
        // From least memory to least work.
        if best.is_some() && (need.bytes > budget.bytes || !budget.gradient) {
            continue;
        }
        best = Some(need);
    }
    match best {
        Some(best) => Ok(best),
        None => self::whole(network, size, &requests, budget.gradient),
    }
}

/// A cut of the network.
struct Candidate<'a> {
    spec: &'a NetSpec,
    cut: Option<usize>,
    size: Size,
    requests: &'a [TapRequest],
    front: Option<Half<'a>>,
    back: Half<'a>,
}

/// A half of the network, and what is asked of it.
struct Half<'a> {
    network: Prepared<'a>,
    requests: Vec<TapRequest>,
    /// Work per pixel of the picture.
    work: Work,
}

/// A network that is there, or was made to be asked.
enum Prepared<'a> {
    There(&'a dyn Network),
    Made(Box<dyn Network>),
}

impl Half<'_> {
    fn network(&self) -> &dyn Network {
        match &self.network {
            Prepared::There(network) => *network,
            Prepared::Made(network) => network.as_ref(),
        }
    }

    fn memory(&self, size: Size) -> Result<Memory> {
        self.network().memory(size, &self.requests)
    }

    /// Bytes of features that a tile, its size counted in what the half reads, shows to losses.
    fn features(&self, size: Size) -> Result<usize> {
        feature_bytes(self.network().spec(), size, &self.requests)
    }
}

impl<'a> Candidate<'a> {
    fn new(
        device: &dyn Device,
        network: &'a dyn Network,
        cut: Option<usize>,
        size: Size,
        requests: &'a [TapRequest],
    ) -> Result<Self> {
        let spec = network.spec();
        let Some(layer) = cut else {
            let back = Half {
                network: Prepared::There(network),
                requests: requests.to_vec(),
                work: spec.work(requests)?,
            };
            return Ok(Self {
                spec,
                cut,
                size,
                requests,
                front: None,
                back,
            });
        };
        let halves = spec.split(layer)?;
        let half = |back: bool, spec: &NetSpec, area: f64| -> Result<Half<'a>> {
            let mut requests = here(&halves, requests, back);
            if !back {
                requests.push(TapRequest::features(Tap::Layer(layer)));
            }
            let work = spec.work(&requests)?;
            Ok(Half {
                network: Prepared::Made(device.network(spec)?),
                requests,
                work: Work {
                    convolutions: work.convolutions / area,
                    moments: work.moments / area,
                },
            })
        };
        let area = spec.stride(layer).pow(2) as f64;
        Ok(Self {
            spec,
            cut,
            size,
            requests,
            front: Some(half(false, &halves.front, 1.0)?),
            back: half(true, &halves.back, area)?,
        })
    }

    /// Whether tapes of the front can be kept: those of a front whose features no loss wants.
    fn may_keep_front(&self) -> bool {
        self.front.as_ref().is_some_and(|front| {
            // The last request is for what the back reads.
            let [asked @ .., _] = front.requests.as_slice() else {
                return false;
            };
            asked.iter().all(|request| request.want != Want::Features)
        })
    }

    /// Plans to be tried, all of whose tapes are kept.
    fn plans(&self, budget: &Budget) -> Vec<TilePlan> {
        let Size {
            width: w,
            height: h,
        } = self.size;
        let longest = h.max(w);
        let mut sides: Vec<usize> = match budget.tile {
            Some(side) => vec![side],
            None => std::iter::successors(Some(longest), |&side| {
                let next = (side as f64 * STEP) as usize;
                (next >= LEAST).then_some(next)
            })
            .collect(),
        };
        // Sides that give the same numbers of tiles are the same.
        sides.dedup_by_key(|side| (h.div_ceil(*side), w.div_ceil(*side)));
        let fronts = match (&self.front, budget.tile) {
            (None, _) => vec![longest],
            (Some(_), Some(side)) => vec![side],
            (Some(_), None) => FRONTS.to_vec(),
        };
        let front_kept: &[bool] = match self.may_keep_front() {
            true => &[true, false],
            false => &[false],
        };
        let mut plans = Vec::with_capacity(sides.len() * fronts.len() * front_kept.len());
        for side in sides {
            for &front in &fronts {
                plans.extend(front_kept.iter().map(|&front_kept| TilePlan {
                    height: h.div_ceil(h.div_ceil(side)),
                    width: w.div_ceil(w.div_ceil(side)),
                    cut: self.cut,
                    front,
                    front_kept,
                    kept: usize::MAX,
                }));
            }
        }
        plans
    }

    /// What a plan needs, with as many tapes kept as fit.
    fn need(&self, plan: &TilePlan, budget: &Budget) -> Result<Need> {
        let geometry = Geometry::new(self.spec, plan, self.size, self.requests)?;
        let count = geometry.tiles.len();
        let (tiles, subs) = geometry.sizes();
        let stride = self.cut.map_or(1, |cut| self.spec.stride(cut));
        let read = |size: Size| size.at_stride(stride);
        let area = |sizes: &[Size]| sizes.iter().map(Size::pixels).sum::<usize>();
        let largest = |sizes: &[Size]| sizes.iter().copied().max_by_key(Size::pixels);
        let tile = largest(&tiles).unwrap_or(self.size);
        let back = self.back.memory(read(tile))?;
        let image = PIXEL * self.size.pixels();
        // Features of a tile, and of what belongs to it.
        let shown = self.back.features(read(tile))?;
        let core = geometry.tiles.iter().map(|tile| tile.core.pixels()).max();
        let own = shown * core.unwrap_or(0) / tile.pixels().max(1);
        // The back's input and its gradient; for an image, the crop.
        let channels = self.back.network().spec().input.channels();
        let input = match self.cut {
            Some(_) => channels.next_multiple_of(16) * read(tile).pixels() * size_of::<f32>(),
            None => PIXEL * tile.pixels(),
        };
        let (mut front_forward, mut front_backward, mut front_tape) = (0, 0, 0);
        if let (Some(front), Some(sub)) = (&self.front, largest(&subs)) {
            let memory = front.memory(sub)?;
            let crop = PIXEL * sub.pixels();
            let shown = front.features(sub)?;
            front_forward = crop + memory.forward + shown;
            front_backward = 2 * crop + memory.backward + 2 * shown;
            if plan.front_kept {
                let subs = geometry.tiles.iter().map(|tile| tile.subs.len()).max();
                front_tape = subs.unwrap_or(0) * memory.kept;
            }
        }
        let forward = match self.cut {
            Some(_) => (input + front_forward).max(back.forward),
            None => input + back.forward,
        };
        let first = front_tape + forward.max(back.kept + shown + 2 * own);
        let tape = front_tape + back.kept + own;
        let backward = (back.backward + own + shown).max(input + front_backward.max(front_forward));
        let second = image + front_tape + backward;
        let peak = |kept: usize| {
            let passes = match budget.gradient {
                true => (kept - 1) * tape + first.max(second),
                false => first,
            };
            passes + (passes / IDLE.0).min(IDLE.1)
        };
        let fitting = (1..=count).rev().find(|&kept| peak(kept) <= budget.bytes);
        let kept = fitting.unwrap_or(1);
        let Work {
            convolutions,
            moments,
        } = self.back.work;
        let again = (count - kept) as f64 / count as f64;
        let mut work =
            area(&tiles) as f64 * (2.0 * (convolutions + moments) + again * convolutions);
        let mut once = 2.0 * (convolutions + moments);
        if let Some(front) = &self.front {
            let Work {
                convolutions,
                moments,
            } = front.work;
            let again = again + if plan.front_kept { 0.0 } else { 1.0 };
            work += area(&subs) as f64 * (2.0 * (convolutions + moments) + again * convolutions);
            once += 2.0 * (convolutions + moments);
        }
        Ok(Need {
            cut: Some(Cut::Tiles(TilePlan {
                kept,
                ..plan.clone()
            })),
            bytes: peak(kept),
            work: work / (once * self.size.pixels() as f64),
            count,
        })
    }
}

/// The requests of a half.
fn here(halves: &Halves, requests: &[TapRequest], back: bool) -> Vec<TapRequest> {
    let placed = requests.iter().filter_map(|request| {
        let (half, tap) = halves.tap(request.tap)?;
        (half == back).then_some(TapRequest { tap, ..*request })
    });
    placed.collect()
}
