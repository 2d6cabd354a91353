//! Objectives and views of pictures, tile by tile.
//!
//! ```text
//! first pass    each tile:  forward, moments into their sums, losses of features part by part, tape kept if it fits
//! once          losses of moments from the sums; losses of the image
//! second pass   each tile, last first:  backward, gradient added to the picture's
//! ```
//!
//! The moments of regions are summed from features, and the gradient towards those is taken from the features once more:
//! where there are regions, no tapes are kept.
//!
//! Sums are over tiles in their order, and each tile is the work of all threads, so results do not depend on threads.

use super::TapValues;
use super::geometry::Tile;
use super::network::TiledNetwork;
use super::traversal::{PartGradient, Tapes, TilePart, Traversal};
use crate::loss::{Evaluation, Gradient, Objective, Progress, Seen, View};
use impasto_compute::{
    ComputeError, Device, Moments, Patch, Result, Size, TapRequest, Tensor, Want, Window,
};

/// What the first pass leaves of a tile for the second.
struct Kept<'a> {
    tapes: Tapes<'a>,
    /// Gradients towards features, not yet normalised by all of them.
    features: Vec<FeatureGradient>,
}

fn size_of(image: &Tensor) -> Result<Size> {
    match *image.shape() {
        [_, height, width] => Ok(Size { width, height }),
        _ => Err(ComputeError::Shape {
            what: "an image",
            expected: vec![3, 0, 0],
            got: image.shape().to_vec(),
        }),
    }
}

/// Adds the moments of a part to their sum.
fn sum(device: &dyn Device, part: &TilePart<'_>, total: &mut Option<Moments>) -> Result<()> {
    let Some(moments) = part.moments else {
        return Ok(());
    };
    let total = match total {
        Some(total) => total,
        none => none.insert(Moments {
            mean: device.zeros(moments.mean.shape())?,
            second: device.zeros(moments.second.shape())?,
        }),
    };
    let share = part.share as f32;
    device.axpby(share, &moments.mean, 1.0, &mut total.mean)?;
    device.axpby(share, &moments.second, 1.0, &mut total.second)
}

impl TiledNetwork {
    /// What each request is of a whole picture.
    ///
    /// # Errors
    /// As [`impasto_compute::Network::forward`].
    pub(crate) fn extract(
        &self,
        device: &dyn Device,
        image: &Tensor,
        requests: &[TapRequest],
    ) -> Result<Vec<TapValues>> {
        let size = size_of(image)?;
        let tiles = self.traversal(device, size, requests)?;
        let mut values: Vec<TapValues> = requests.iter().map(|_| TapValues::default()).collect();
        for (values, request) in values.iter_mut().zip(requests) {
            if request.want == Want::Features {
                values.features = Some(device.zeros(&self.spec.shape_at(request.tap, size)?)?);
            }
        }
        for tile in &tiles.tiles {
            tiles.forward(image, tile, false, &mut |part| {
                let values = &mut values[part.request];
                sum(device, &part, &mut values.moments)?;
                if let (Some(all), Some(features)) = (&mut values.features, &part.features) {
                    let patch = Patch {
                        from: Window::whole(part.place.size()),
                        to: (part.place.top, part.place.left),
                    };
                    device.paste(features, &patch, 0.0, all)?;
                }
                Ok(())
            })?;
        }
        Ok(values)
    }

    /// Values and gradient of an objective at an image `[3, h, w]`.
    ///
    /// # Errors
    /// Whatever the device reports; [`ComputeError::BadSetting`] for a loss that needs all features at once.
    pub(crate) fn evaluate(
        &self,
        device: &dyn Device,
        objective: &Objective,
        image: &Tensor,
    ) -> Result<Evaluation> {
        if let Some(term) = objective.terms().iter().find(|t| t.needs_whole_features()) {
            return Err(ComputeError::BadSetting(format!(
                "the loss {} needs all features at once: it cannot be worked on tile by tile",
                term.name
            )));
        }
        let requests = objective.requests();
        let tiles = self.traversal(device, size_of(image)?, requests)?;
        let mut passes = Passes {
            objective,
            requests,
            progress: Progress::new(device, objective),
            regions: objective.terms().iter().map(|_| None).collect(),
        };
        let in_regions = objective.terms().iter().any(|term| term.region().is_some());
        let (mut sums, mut kept) = (Vec::new(), Vec::new());
        sums.resize_with(requests.len(), || None);
        let count = tiles.tiles.len();
        for (place, tile) in tiles.tiles.iter().enumerate() {
            let keep = place >= count.saturating_sub(self.plan.kept.max(1)) && !in_regions;
            let mut features = Vec::new();
            let mut tapes = tiles.forward(image, tile, keep, &mut |part| {
                sum(device, &part, &mut sums[part.request])?;
                passes.sum_regions(&part)?;
                let gradients = passes.of_features(&part, true)?;
                if keep && !tiles.is_front(part.request) {
                    features.extend(gradients);
                }
                Ok(())
            })?;
            tapes.release();
            kept.push(keep.then_some(Kept { tapes, features }));
        }
        let (mut gradient, moments) = passes.once(image, &sums)?;
        drop(sums);
        for tile in tiles.tiles.iter().rev() {
            let mut gradients = of_moments(&moments, |request| !tiles.is_front(request));
            let tapes = match kept.pop().flatten() {
                Some(kept) => {
                    for features in kept.features {
                        gradients.push(passes.normalized(features)?);
                    }
                    kept.tapes
                }
                None => passes.again(&tiles, image, tile, &mut gradients)?,
            };
            let mut answer = |parts: Vec<TilePart<'_>>| -> Result<Vec<PartGradient<'_>>> {
                let mut gradients = of_moments(&moments, |request| tiles.is_front(request));
                for part in &parts {
                    passes.shown_again(part, &mut gradients)?;
                }
                Ok(gradients)
            };
            tiles.backward(image, tile, tapes, gradients, &mut answer, &mut gradient)?;
        }
        Ok(passes.progress.finish(gradient))
    }
}

/// Gradients towards the moments of some requests.
fn of_moments(
    moments: &[Option<Moments>],
    wanted: impl Fn(usize) -> bool,
) -> Vec<PartGradient<'_>> {
    let all = moments.iter().enumerate();
    let some = all.filter(|(request, _)| wanted(*request));
    some.filter_map(|(request, moments)| {
        let moments = moments.as_ref()?;
        Some(PartGradient::Moments { request, moments })
    })
    .collect()
}

/// An evaluation in progress.
struct Passes<'o> {
    objective: &'o Objective,
    requests: &'o [TapRequest],
    progress: Progress<'o>,
    /// By term: the moments of its region; between the passes they become the gradient towards them.
    regions: Vec<Option<Moments>>,
}

/// The gradient of a term towards a part of the features of a request, not yet normalised by all of them.
struct FeatureGradient {
    term: usize,
    request: usize,
    gradient: Tensor,
}

impl Passes<'_> {
    /// Adds a part to the moments of all regions.
    fn sum_regions(&mut self, part: &TilePart<'_>) -> Result<()> {
        let Some(features) = &part.features else {
            return Ok(());
        };
        let device = self.progress.device();
        let tap = self.requests[part.request].tap;
        for (term, total) in self.objective.terms().iter().zip(&mut self.regions) {
            let Some((of, places)) = term.region() else {
                continue;
            };
            if of != tap {
                continue;
            }
            let here = places.moments(device, features, &part.place)?;
            match total {
                Some(total) => {
                    device.axpby(1.0, &here.mean, 1.0, &mut total.mean)?;
                    device.axpby(1.0, &here.second, 1.0, &mut total.second)?;
                }
                none => *none = Some(here),
            }
        }
        Ok(())
    }

    /// The gradients towards a part that is shown once more: of losses of features and of those of regions.
    fn shown_again(
        &mut self,
        part: &TilePart<'_>,
        gradients: &mut Vec<PartGradient<'_>>,
    ) -> Result<()> {
        for features in self.of_features(part, false)? {
            gradients.push(self.normalized(features)?);
        }
        let Some(features) = &part.features else {
            return Ok(());
        };
        let (request, tap) = (part.request, self.requests[part.request].tap);
        for (term, towards) in self.objective.terms().iter().zip(&self.regions) {
            if let (Some((of, places)), Some(towards)) = (term.region(), towards)
                && of == tap
            {
                let seen = (features, &part.place);
                let gradient = places.towards_features(self.progress.device(), seen, towards)?;
                gradients.push(PartGradient::Features { request, gradient });
            }
        }
        Ok(())
    }

    /// The gradients of losses of features towards a part. Values and norms are added up the first time.
    fn of_features(&mut self, part: &TilePart<'_>, first: bool) -> Result<Vec<FeatureGradient>> {
        let Some(features) = &part.features else {
            return Ok(vec![]);
        };
        let request = part.request;
        let place = part.place;
        let seen = Seen::Features { features, place };
        let gradients = self
            .progress
            .part(self.requests[request].tap, seen, first)?;
        let of_term = |(term, gradient)| FeatureGradient {
            term,
            request,
            gradient,
        };
        Ok(gradients.into_iter().map(of_term).collect())
    }

    /// What is done once, between the passes: the gradient of losses of the image, and those towards moments, by
    /// request.
    fn once(
        &mut self,
        image: &Tensor,
        sums: &[Option<Moments>],
    ) -> Result<(Tensor, Vec<Option<Moments>>)> {
        let device = self.progress.device();
        let mut gradient: Option<Tensor> = None;
        let mut moments: Vec<Option<Moments>> = sums.iter().map(|_| None).collect();
        let request = |tap| {
            let wanted = TapRequest::moments(tap);
            self.requests.iter().position(|other| *other == wanted)
        };
        for (index, term) in self.objective.terms().iter().enumerate() {
            let views = term.loss.views();
            if let [View::Features(_)] = views {
                self.progress.settle(index);
                continue;
            }
            let seen = views.iter().map(|view| match *view {
                View::Image => Ok(Seen::Image(image)),
                View::Moments(tap) | View::Features(tap) => match term.region() {
                    Some(_) => self.regions[index].as_ref(),
                    None => request(tap).and_then(|request| sums[request].as_ref()),
                }
                .map(Seen::Moments)
                .ok_or_else(|| ComputeError::NoSuchTap {
                    tap: tap.to_string(),
                    problem: "no tile has shown its moments".into(),
                }),
            });
            let gradients = self
                .progress
                .whole(index, &seen.collect::<Result<Vec<_>>>()?)?;
            for (view, towards) in views.iter().zip(gradients) {
                match (*view, towards) {
                    (_, Gradient::Moments(towards)) if term.region().is_some() => {
                        self.regions[index] = Some(towards);
                    }
                    (View::Moments(tap), Gradient::Moments(towards)) => {
                        let Some(request) = request(tap) else {
                            continue;
                        };
                        match &mut moments[request] {
                            Some(sum) => {
                                device.axpby(1.0, &towards.mean, 1.0, &mut sum.mean)?;
                                device.axpby(1.0, &towards.second, 1.0, &mut sum.second)?;
                            }
                            none => *none = Some(towards),
                        }
                    }
                    (View::Image, Gradient::Tensor(towards)) => match &mut gradient {
                        Some(sum) => device.axpby(1.0, &towards, 1.0, sum)?,
                        none => *none = Some(towards),
                    },
                    _ => {}
                }
            }
        }
        let gradient = match gradient {
            Some(gradient) => gradient,
            None => device.zeros(image.shape())?,
        };
        Ok((gradient, moments))
    }

    /// The first pass over a tile once more, moments left out, and the gradients towards what the back shows.
    fn again<'a>(
        &mut self,
        tiles: &Traversal<'a>,
        image: &Tensor,
        tile: &Tile,
        gradients: &mut Vec<PartGradient<'_>>,
    ) -> Result<Tapes<'a>> {
        let mut tapes = tiles.again(image, tile)?;
        if let Some(tape) = &tapes.back {
            for part in tiles.back_parts(&**tape, tile)? {
                self.shown_again(&part, gradients)?;
            }
        }
        tapes.release();
        Ok(tapes)
    }

    /// The gradient of a term towards a part of its features, normalised by all of them.
    fn normalized<'m>(&self, of_part: FeatureGradient) -> Result<PartGradient<'m>> {
        let FeatureGradient {
            term,
            request,
            mut gradient,
        } = of_part;
        self.progress.normalize(term, &mut gradient)?;
        Ok(PartGradient::Features { request, gradient })
    }
}
