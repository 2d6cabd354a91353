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
use super::grid::{alignment, around, tiles};
use impasto_compute::{
    Cotangent, Device, Halves, Moments, NetSpec, Network, Patch, Result, Size, Tap, TapRequest,
    Tape, Tensor, Want, Window,
};

/// A network in one or two parts, and the sizes of their tiles.
#[derive(Debug)]
pub(crate) struct TiledNetwork {
    pub(super) spec: NetSpec,
    pub(super) plan: TilePlan,
    front: Option<Front>,
    back: Box<dyn Network>,
}

/// The layers up to the cut.
#[derive(Debug)]
struct Front {
    halves: Halves,
    network: Box<dyn Network>,
}

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
    core: Window,
    around: Window,
    /// What of it belongs to the tile itself.
    owned: Window,
}

/// What is remembered of a pass over a tile.
#[derive(Default)]
pub(super) struct Tapes<'a> {
    /// Of the back, if a request lies there.
    pub(super) back: Option<Box<dyn Tape + 'a>>,
    /// Of the front.
    front: FrontTapes<'a>,
}

/// Tapes of the front, by its tiles, if the plan keeps them.
type FrontTapes<'a> = Vec<Option<Box<dyn Tape + 'a>>>;

impl Tapes<'_> {
    /// Lets go of features.
    pub(super) fn release(&mut self) {
        let all = self.front.iter_mut().flatten().chain(&mut self.back);
        all.for_each(|tape| tape.release());
    }
}

/// What a tile shows of one request.
pub(super) struct Part<'p> {
    /// The index of the request.
    pub(super) request: usize,
    /// Where the part lies in the whole map.
    pub(super) place: Window,
    /// Its share of the map's places.
    pub(super) share: f64,
    pub(super) moments: Option<&'p Moments>,
    pub(super) features: Option<Tensor>,
}

/// What is told of each part.
pub(super) type Look<'l> = dyn FnMut(Part<'_>) -> Result<()> + 'l;

/// A gradient for a part, by request: towards the moments of the whole map, or towards features that were shown.
pub(super) struct Towards<'t> {
    pub(super) request: usize,
    pub(super) view: TowardsView<'t>,
}

pub(super) enum TowardsView<'t> {
    Moments(&'t Moments),
    Features(Tensor),
}

/// What the gradient of a part of a tile is, given what it shows.
pub(super) type Answer<'s, 't> = dyn FnMut(Vec<Part<'_>>) -> Result<Vec<Towards<'t>>> + 's;

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

    /// A way over a picture that looks at some taps.
    pub(super) fn course<'a>(
        &'a self,
        device: &'a dyn Device,
        size: Size,
        requests: &'a [TapRequest],
    ) -> Result<Course<'a>> {
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
        Ok(Course {
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

/// One way over a picture.
pub(super) struct Course<'a> {
    network: &'a TiledNetwork,
    device: &'a dyn Device,
    size: Size,
    requests: &'a [TapRequest],
    /// Indices of requests and what they are for each half.
    front: Vec<(usize, TapRequest)>,
    back: Vec<(usize, TapRequest)>,
    /// Whether tapes of the front are kept.
    front_kept: bool,
    pub(super) tiles: Vec<Tile>,
}

impl<'a> Course<'a> {
    /// The first pass over a tile: shows what its part of every request is. Tapes of the front are kept if they are
    /// wanted and the plan says so.
    pub(super) fn forward(
        &self,
        image: &Tensor,
        tile: &Tile,
        keep: bool,
        look: &mut Look<'_>,
    ) -> Result<Tapes<'a>> {
        self.pass(image, tile, keep, Some(look))
    }

    /// The tapes of a tile whose moments are known already.
    pub(super) fn again(&self, image: &Tensor, tile: &Tile) -> Result<Tapes<'a>> {
        self.pass(image, tile, true, None)
    }

    fn pass(
        &self,
        image: &Tensor,
        tile: &Tile,
        keep: bool,
        mut look: Option<&mut Look<'_>>,
    ) -> Result<Tapes<'a>> {
        let network = self.network;
        let keep = keep && self.front_kept;
        let (input, front) = match &network.front {
            Some(front) => self.run_front(front, image, tile, keep, &mut look)?,
            None => (Some(self.crop(image, &tile.around)?), vec![]),
        };
        let Some(input) = input else {
            return Ok(Tapes { back: None, front });
        };
        let requests = asked(&self.back, look.is_some(), true);
        let window = tile
            .core
            .within(&tile.around)
            .at_stride(self.input_stride());
        let tape = network.back.forward_tile(input, &window, &requests)?;
        if let Some(look) = look {
            for part in self.parts(&*tape, &self.back, &tile.core, &tile.around)? {
                look(part)?;
            }
        }
        Ok(Tapes {
            back: Some(tape),
            front,
        })
    }

    /// The features of requests of the back, as a tape shows them.
    pub(super) fn back_parts<'t>(
        &self,
        tape: &'t (dyn Tape + 'a),
        tile: &Tile,
    ) -> Result<Vec<Part<'t>>> {
        let shown = without_moments(&self.back);
        self.parts(tape, &shown, &tile.core, &tile.around)
    }

    /// Pixels of the picture per place of what the back reads.
    fn input_stride(&self) -> usize {
        match &self.network.front {
            Some(front) => self.network.spec.stride(front.halves.last),
            None => 1,
        }
    }

    /// Features at the cut for a tile, margin included; nothing if no request lies behind the cut. And the tapes of the
    /// front's tiles, if they are to be kept.
    fn run_front(
        &self,
        front: &'a Front,
        image: &Tensor,
        tile: &Tile,
        keep: bool,
        look: &mut Option<&mut Look<'_>>,
    ) -> Result<(Option<Tensor>, FrontTapes<'a>)> {
        let mut tapes = Vec::new();
        let deep = !self.back.is_empty();
        let cut = Tap::Layer(front.halves.last);
        let shape = front.halves.front.shape_at(cut, tile.around.size())?;
        let mut input = match deep {
            true => Some(self.device.zeros(&shape)?),
            false => None,
        };
        let stride = self.input_stride();
        for sub in &tile.subs {
            let owns = sub.owned.pixels() > 0;
            let looks = look.is_some() && owns && !self.front.is_empty();
            if !(deep || looks) {
                tapes.push(None);
                continue;
            }
            let mut requests = asked(&self.front, look.is_some(), owns && (looks || keep));
            if deep {
                requests.push(TapRequest::features(cut));
            }
            let window = sub.owned_or_core().within(&sub.around);
            let crop = self.crop(image, &sub.around)?;
            let mut tape = front.network.forward_tile(crop, &window, &requests)?;
            if let Some(input) = &mut input {
                let core = sub.core.at_stride(stride);
                let around = sub.around.at_stride(stride);
                let place = core.within(&tile.around.at_stride(stride));
                let patch = Patch {
                    from: core.within(&around),
                    to: (place.top, place.left),
                };
                self.device.paste(tape.features(cut)?, &patch, 0.0, input)?;
            }
            if let (Some(look), true) = (look.as_deref_mut(), looks) {
                for part in self.parts(&*tape, &self.front, &sub.owned, &sub.around)? {
                    look(part)?;
                }
            }
            tapes.push(match keep {
                true => {
                    tape.release();
                    Some(tape)
                }
                false => None,
            });
        }
        Ok((input, tapes))
    }

    /// What a tape shows of the part of each request that belongs to a tile.
    fn parts<'t>(
        &self,
        tape: &'t (dyn Tape + 'a),
        requests: &[(usize, TapRequest)],
        core: &Window,
        around: &Window,
    ) -> Result<Vec<Part<'t>>> {
        let mut parts = Vec::with_capacity(requests.len());
        for &(index, request) in requests {
            let (place, origin, share) = self.place(index, core, around)?;
            let (mut features, mut moments) = (None, None);
            match request.want {
                Want::Features => {
                    let all = tape.features(request.tap)?;
                    features = Some(self.crop(all, &place.within(&origin))?);
                }
                Want::Moments => moments = Some(tape.moments(request.tap)?),
                Want::InParts | Want::Replay => {}
            }
            parts.push(Part {
                request: index,
                place,
                share,
                moments,
                features,
            });
        }
        Ok(parts)
    }

    /// Where a tile's part of a request lies in the whole map, where the map of the tile lies, and the part's share.
    fn place(&self, index: usize, core: &Window, around: &Window) -> Result<(Window, Window, f64)> {
        let spec = &self.network.spec;
        let tap = self.requests[index].tap;
        let stride = spec.stride(spec.layer_of(tap)?);
        let [_, h, w] = spec.shape_at(tap, self.size)?;
        let place = core.at_stride(stride);
        let share = place.pixels() as f64 / (h * w) as f64;
        Ok((place, around.at_stride(stride), share))
    }

    fn crop(&self, x: &Tensor, from: &Window) -> Result<Tensor> {
        let mut part = self
            .device
            .zeros(&[x.shape()[0], from.height, from.width])?;
        let patch = Patch {
            from: *from,
            to: (0, 0),
        };
        self.device.paste(x, &patch, 0.0, &mut part)?;
        Ok(part)
    }

    /// The second pass over a tile: adds its part of the gradient. `tapes` are those of the first pass; `answer` gives
    /// the gradients of the front and of the parts that it shows once more, `said` those of what the back has shown.
    pub(super) fn backward(
        &self,
        image: &Tensor,
        tile: &Tile,
        tapes: Tapes<'a>,
        said: Vec<Towards<'_>>,
        answer: &mut Answer<'_, '_>,
        gradient: &mut Tensor,
    ) -> Result<()> {
        let mut kept = tapes.front.into_iter();
        let input = match tapes.back {
            Some(tape) => {
                let said = self.cotangents(&self.back, said, &tile.core, &tile.around)?;
                Some(tape.backward(said)?)
            }
            None => None,
        };
        let Some(front) = &self.network.front else {
            return match input {
                Some(input) => self.add(&input, &tile.around, gradient),
                None => Ok(()),
            };
        };
        let cut = Tap::Layer(front.halves.last);
        let stride = self.input_stride();
        for sub in &tile.subs {
            let kept = kept.next().flatten();
            let owns = sub.owned.pixels() > 0 && !self.front.is_empty();
            if !(owns || input.is_some()) {
                continue;
            }
            let shows = kept.is_none();
            let mut tape = match kept {
                Some(tape) => tape,
                None => {
                    let mut requests = asked(&self.front, false, owns);
                    if input.is_some() {
                        requests.push(TapRequest::features(cut));
                    }
                    let window = sub.owned_or_core().within(&sub.around);
                    let crop = self.crop(image, &sub.around)?;
                    front.network.forward_tile(crop, &window, &requests)?
                }
            };
            let mut cotangents = vec![];
            if owns {
                // Tapes of the front are kept only where it shows nothing.
                let shown = match shows {
                    true => without_moments(&self.front),
                    false => vec![],
                };
                let parts = self.parts(&*tape, &shown, &sub.owned, &sub.around)?;
                let said = answer(parts)?;
                cotangents = self.cotangents(&self.front, said, &sub.owned, &sub.around)?;
            }
            tape.release();
            if let Some(input) = &input {
                let core = sub.core.at_stride(stride);
                let around = sub.around.at_stride(stride);
                let shape = [input.shape()[0], around.height, around.width];
                let mut towards = self.device.zeros(&shape)?;
                let inside = core.within(&around);
                let patch = Patch {
                    from: core.within(&tile.around.at_stride(stride)),
                    to: (inside.top, inside.left),
                };
                self.device.paste(input, &patch, 0.0, &mut towards)?;
                cotangents.push(Cotangent::features(cut, towards));
            }
            let part = tape.backward(cotangents)?;
            self.add(&part, &sub.around, gradient)?;
        }
        Ok(())
    }

    /// Gradients for a tape, from those towards whole moments and towards parts of features.
    fn cotangents(
        &self,
        requests: &[(usize, TapRequest)],
        said: Vec<Towards<'_>>,
        core: &Window,
        around: &Window,
    ) -> Result<Vec<Cotangent>> {
        let mut cotangents = Vec::with_capacity(said.len());
        for Towards { request, view } in said {
            let Some((_, here)) = requests.iter().find(|(index, _)| *index == request) else {
                continue;
            };
            let (place, origin, share) = self.place(request, core, around)?;
            cotangents.push(match view {
                TowardsView::Moments(towards) => {
                    let scaled = |x: &Tensor| -> Result<Tensor> {
                        let mut y = self.device.zeros(x.shape())?;
                        self.device.axpby(share as f32, x, 0.0, &mut y)?;
                        Ok(y)
                    };
                    let moments = Moments {
                        mean: scaled(&towards.mean)?,
                        second: scaled(&towards.second)?,
                    };
                    Cotangent::moments(here.tap, moments)
                }
                TowardsView::Features(part) => {
                    let shape = [part.shape()[0], origin.height, origin.width];
                    let mut towards = self.device.zeros(&shape)?;
                    let inside = place.within(&origin);
                    let patch = Patch {
                        from: Window::whole(place.size()),
                        to: (inside.top, inside.left),
                    };
                    self.device.paste(&part, &patch, 0.0, &mut towards)?;
                    Cotangent::features(here.tap, towards)
                }
            });
        }
        Ok(cotangents)
    }

    /// Adds the gradient of a part of the picture.
    fn add(&self, part: &Tensor, place: &Window, gradient: &mut Tensor) -> Result<()> {
        let patch = Patch {
            from: Window::whole(place.size()),
            to: (place.top, place.left),
        };
        self.device.paste(part, &patch, 1.0, gradient)
    }

    /// Whether a request is one of the front's, which shows its features twice.
    pub(super) fn is_front(&self, request: usize) -> bool {
        self.front.iter().any(|(index, _)| *index == request)
    }
}

impl Sub {
    /// Where moments are taken; anywhere if none are asked.
    fn owned_or_core(&self) -> Window {
        match self.owned.pixels() {
            0 => self.core,
            _ => self.owned,
        }
    }
}

/// Whether tapes of a front can be kept: what losses of features say is asked of each part when its turn comes, and the
/// features would have to be kept as well.
fn may_keep(requests: &[(usize, TapRequest)]) -> bool {
    requests
        .iter()
        .all(|(_, request)| request.want != Want::Features)
}

/// Requests for a pass that computes moments, or for one that replays them.
fn asked(requests: &[(usize, TapRequest)], compute: bool, wanted: bool) -> Vec<TapRequest> {
    if !wanted {
        return vec![];
    }
    let ask = |(_, request): &(usize, TapRequest)| match request.want {
        Want::Moments if !compute => TapRequest::replay(request.tap),
        _ => *request,
    };
    requests.iter().map(ask).collect()
}

/// Requests for features alone.
fn without_moments(requests: &[(usize, TapRequest)]) -> Vec<(usize, TapRequest)> {
    let features = requests.iter().copied();
    features
        .filter(|(_, request)| request.want == Want::Features)
        .collect()
}
