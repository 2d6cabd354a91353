//! The two passes over a picture, tile by tile: parts of what was asked for are shown, gradients towards them taken back.

use super::geometry::Tile;
use super::network::{Front, TiledNetwork};
use impasto_compute::{
    Cotangent, Device, Moments, Patch, Result, Size, Tap, TapRequest, Tape, Tensor, Want, Window,
};

/// What is remembered of a pass over a tile.
#[derive(Default)]
pub(super) struct Tapes<'a> {
    /// Of the back, if a request lies there.
    pub(super) back: Option<Box<dyn Tape + 'a>>,
    /// Of the front.
    pub(super) front: FrontTapes<'a>,
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
pub(super) struct TilePart<'p> {
    /// The index of the request.
    pub(super) request: usize,
    /// Where the part lies in the whole map.
    pub(super) place: Window,
    /// Its share of the map's places.
    pub(super) share: f64,
    pub(super) moments: Option<&'p Moments>,
    pub(super) features: Option<Tensor>,
}

/// Is called with each part.
pub(super) type Observe<'l> = dyn FnMut(TilePart<'_>) -> Result<()> + 'l;

/// A gradient for a part.
pub(super) enum PartGradient<'t> {
    /// Towards the moments of the whole map of a request.
    Moments {
        /// Its index.
        request: usize,
        moments: &'t Moments,
    },
    /// Towards features of a request that were shown.
    Features {
        /// Its index.
        request: usize,
        gradient: Tensor,
    },
}

/// What the gradient of a part of a tile is, given what it shows.
pub(super) type Answer<'s, 't> = dyn FnMut(Vec<TilePart<'_>>) -> Result<Vec<PartGradient<'t>>> + 's;

/// A traversal of a picture, tile by tile.
pub(super) struct Traversal<'a> {
    pub(super) network: &'a TiledNetwork,
    pub(super) device: &'a dyn Device,
    pub(super) size: Size,
    pub(super) requests: &'a [TapRequest],
    /// Indices of requests and what they are for each half.
    pub(super) front: Vec<(usize, TapRequest)>,
    pub(super) back: Vec<(usize, TapRequest)>,
    /// Whether tapes of the front are kept.
    pub(super) front_kept: bool,
    pub(super) tiles: Vec<Tile>,
}

impl<'a> Traversal<'a> {
    /// The first pass over a tile: shows what its part of every request is. Tapes of the front are kept if they are
    /// wanted and the plan says so.
    pub(super) fn forward(
        &self,
        image: &Tensor,
        tile: &Tile,
        keep: bool,
        observe: &mut Observe<'_>,
    ) -> Result<Tapes<'a>> {
        self.pass(image, tile, keep, Some(observe))
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
        mut observe: Option<&mut Observe<'_>>,
    ) -> Result<Tapes<'a>> {
        let network = self.network;
        let keep = keep && self.front_kept;
        let (input, front) = match &network.front {
            Some(front) => self.run_front(front, image, tile, keep, &mut observe)?,
            None => (Some(self.crop(image, &tile.around)?), vec![]),
        };
        let Some(input) = input else {
            return Ok(Tapes { back: None, front });
        };
        let requests = asked(&self.back, observe.is_some(), true);
        let window = tile
            .core
            .within(&tile.around)
            .at_stride(self.input_stride());
        let tape = network.back.forward_tile(input, &window, &requests)?;
        if let Some(observe) = observe {
            for part in self.parts(&*tape, &self.back, &tile.core, &tile.around)? {
                observe(part)?;
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
    ) -> Result<Vec<TilePart<'t>>> {
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
        observe: &mut Option<&mut Observe<'_>>,
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
            let observes = observe.is_some() && owns && !self.front.is_empty();
            if !(deep || observes) {
                tapes.push(None);
                continue;
            }
            let mut requests = asked(&self.front, observe.is_some(), owns && (observes || keep));
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
            if let (Some(observe), true) = (observe.as_deref_mut(), observes) {
                for part in self.parts(&*tape, &self.front, &sub.owned, &sub.around)? {
                    observe(part)?;
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
    ) -> Result<Vec<TilePart<'t>>> {
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
            parts.push(TilePart {
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
    /// the gradients towards the front and the parts that it shows once more, `gradients` are those towards the back.
    pub(super) fn backward(
        &self,
        image: &Tensor,
        tile: &Tile,
        tapes: Tapes<'a>,
        gradients: Vec<PartGradient<'_>>,
        answer: &mut Answer<'_, '_>,
        gradient: &mut Tensor,
    ) -> Result<()> {
        let mut kept = tapes.front.into_iter();
        let input = match tapes.back {
            Some(tape) => {
                let cotangents =
                    self.cotangents(&self.back, gradients, &tile.core, &tile.around)?;
                Some(tape.backward(cotangents)?)
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
                let gradients = answer(parts)?;
                cotangents = self.cotangents(&self.front, gradients, &sub.owned, &sub.around)?;
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
        gradients: Vec<PartGradient<'_>>,
        core: &Window,
        around: &Window,
    ) -> Result<Vec<Cotangent>> {
        let mut cotangents = Vec::with_capacity(gradients.len());
        for gradient in gradients {
            let request = match gradient {
                PartGradient::Moments { request, .. } | PartGradient::Features { request, .. } => {
                    request
                }
            };
            let Some((_, here)) = requests.iter().find(|(index, _)| *index == request) else {
                continue;
            };
            let (place, origin, share) = self.place(request, core, around)?;
            cotangents.push(match gradient {
                PartGradient::Moments { moments, .. } => {
                    let scaled = |x: &Tensor| -> Result<Tensor> {
                        let mut y = self.device.zeros(x.shape())?;
                        self.device.axpby(share as f32, x, 0.0, &mut y)?;
                        Ok(y)
                    };
                    let moments = Moments {
                        mean: scaled(&moments.mean)?,
                        second: scaled(&moments.second)?,
                    };
                    Cotangent::moments(here.tap, moments)
                }
                PartGradient::Features { gradient, .. } => {
                    let shape = [gradient.shape()[0], origin.height, origin.width];
                    let mut towards = self.device.zeros(&shape)?;
                    let inside = place.within(&origin);
                    let patch = Patch {
                        from: Window::whole(place.size()),
                        to: (inside.top, inside.left),
                    };
                    self.device.paste(&gradient, &patch, 0.0, &mut towards)?;
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
