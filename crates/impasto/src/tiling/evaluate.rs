//! Objectives and views of pictures, tile by tile.
//!
//! ```text
//! first pass    each tile:  forward, moments into their sums, losses of features part by part, tape kept if it fits
//! once          losses of moments from the sums; losses of the image
//! second pass   each tile, last first:  backward, gradient added to the picture's
//! ```
//!
//! Sums are over tiles in their order, and each tile is the work of all threads, so results do not depend on threads.

use super::network::{Course, Part, Tapes, TiledNetwork, Towards, TowardsView};
use crate::loss::{Evaluation, Gradient, LossValue, Objective, Seen, Term, View};
use crate::recipe::Normalize;
use impasto_compute::{
    ComputeError, Device, Moments, Patch, Result, Scalar, Size, TapRequest, Tensor, Want, Window,
};

/// What a request shows of a whole picture.
#[derive(Debug, Default)]
pub(crate) struct Sight {
    /// Features, if they were asked for.
    pub(crate) features: Option<Tensor>,
    /// Moments, if they were asked for.
    pub(crate) moments: Option<Moments>,
}

/// What the first pass leaves of a tile for the second.
struct Kept<'a> {
    tapes: Tapes<'a>,
    /// Gradients towards features, by term; not yet normalised by all of them.
    features: Vec<(usize, Tensor)>,
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
fn sum(device: &dyn Device, part: &Part<'_>, total: &mut Option<Moments>) -> Result<()> {
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
    /// What each request shows of a picture.
    ///
    /// # Errors
    /// As [`impasto_compute::Network::forward`].
    pub(crate) fn look(
        &self,
        device: &dyn Device,
        image: &Tensor,
        requests: &[TapRequest],
    ) -> Result<Vec<Sight>> {
        let size = size_of(image)?;
        let course = self.course(device, size, requests)?;
        let mut sights: Vec<Sight> = requests.iter().map(|_| Sight::default()).collect();
        for (sight, request) in sights.iter_mut().zip(requests) {
            if request.want == Want::Features {
                sight.features = Some(device.zeros(&self.spec.shape_at(request.tap, size)?)?);
            }
        }
        for tile in &course.tiles {
            course.forward(image, tile, false, &mut |part| {
                let sight = &mut sights[part.request];
                sum(device, &part, &mut sight.moments)?;
                if let (Some(all), Some(features)) = (&mut sight.features, &part.features) {
                    let patch = Patch {
                        from: Window::whole(part.place.size()),
                        to: (part.place.top, part.place.left),
                    };
                    device.paste(features, &patch, 0.0, all)?;
                }
                Ok(())
            })?;
        }
        Ok(sights)
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
        let requests = objective.requests();
        let course = self.course(device, size_of(image)?, requests)?;
        let mut pass = Pass {
            device,
            objective,
            requests,
            values: objective
                .terms()
                .iter()
                .map(|_| LossValue::default())
                .collect(),
            norms: objective.terms().iter().map(|_| vec![]).collect(),
        };
        let (mut sums, mut kept) = (Vec::new(), Vec::new());
        sums.resize_with(requests.len(), || None);
        let count = course.tiles.len();
        for (place, tile) in course.tiles.iter().enumerate() {
            let keep = place >= count.saturating_sub(self.plan.kept.max(1));
            let mut features = Vec::new();
            let mut tapes = course.forward(image, tile, keep, &mut |part| {
                sum(device, &part, &mut sums[part.request])?;
                let gradients = pass.look_at(&part, true)?;
                if keep && !course.is_front(part.request) {
                    features.extend(gradients);
                }
                Ok(())
            })?;
            tapes.release();
            kept.push(keep.then_some(Kept { tapes, features }));
        }
        let (mut gradient, moments) = pass.once(image, &sums)?;
        drop(sums);
        for tile in course.tiles.iter().rev() {
            let kept = match kept.pop().flatten() {
                Some(kept) => kept,
                None => pass.again(&course, image, tile)?,
            };
            let mut said = pass.towards_moments(&moments, |request| !course.is_front(request));
            for (term, features) in kept.features {
                said.extend(pass.towards_features(term, features)?);
            }
            let mut answer = |parts: Vec<Part<'_>>| -> Result<Vec<Towards<'_>>> {
                let mut said = pass.towards_moments(&moments, |request| course.is_front(request));
                for part in &parts {
                    for (term, features) in pass.look_at(part, false)? {
                        said.extend(pass.towards_features(term, features)?);
                    }
                }
                Ok(said)
            };
            course.backward(image, tile, kept.tapes, said, &mut answer, &mut gradient)?;
        }
        Ok(Evaluation {
            values: pass.values,
            gradient,
        })
    }
}

/// An evaluation in progress.
struct Pass<'o> {
    device: &'o dyn Device,
    objective: &'o Objective,
    requests: &'o [TapRequest],
    /// By term.
    values: Vec<LossValue>,
    /// By term: L1 norms of its gradients towards features, of all parts so far.
    norms: Vec<Vec<Scalar>>,
}

impl<'o> Pass<'o> {
    /// What the losses of features say about a part: their gradients, by term. Values are added up the first time.
    fn look_at(&mut self, part: &Part<'_>, first: bool) -> Result<Vec<(usize, Tensor)>> {
        let Some(features) = &part.features else {
            return Ok(vec![]);
        };
        let tap = self.requests[part.request].tap;
        let mut gradients = Vec::new();
        for (index, term) in self.objective.terms().iter().enumerate() {
            if term.loss.view() != View::Features(tap) {
                continue;
            }
            let (value, gradient) =
                term.loss
                    .evaluate_part(self.device, features, &part.place, term.weight)?;
            if first {
                let total = &mut self.values[index];
                total.constant += value.constant;
                total.parts.extend(value.parts);
                if self.normalized(index) {
                    self.norms[index].push(self.device.sum_abs(&gradient)?);
                }
            }
            gradients.push((index, gradient));
        }
        Ok(gradients)
    }

    /// The index of a request.
    fn position(&self, request: TapRequest) -> Option<usize> {
        self.requests.iter().position(|other| *other == request)
    }

    /// Whether a term is divided by the norm of its gradient.
    fn normalized(&self, term: usize) -> bool {
        let scaling = self.objective.terms()[term].loss.in_parts();
        scaling.is_some_and(|scaling| scaling.normalize == Normalize::Gradient)
    }

    /// What is done once, between the passes: the gradient of losses of the image, and those towards moments, by
    /// request.
    fn once(
        &mut self,
        image: &Tensor,
        sums: &[Option<Moments>],
    ) -> Result<(Tensor, Vec<Option<Moments>>)> {
        let device = self.device;
        let mut gradient: Option<Tensor> = None;
        let mut moments: Vec<Option<Moments>> = sums.iter().map(|_| None).collect();
        for (index, term) in self.objective.terms().iter().enumerate() {
            let request = match term.loss.view() {
                View::Features(_) => {
                    if self.normalized(index) {
                        self.values[index].divide(term.weight, self.norms[index].clone());
                    }
                    continue;
                }
                View::Image => None,
                View::Moments(tap) => self.position(TapRequest::moments(tap)),
            };
            let seen = match request {
                None => Seen::Tensor(image),
                Some(request) => match &sums[request] {
                    Some(moments) => Seen::Moments(moments),
                    None => continue,
                },
            };
            let (value, towards) = term.loss.evaluate(device, seen, term.weight)?;
            self.values[index] = value;
            match (towards, request) {
                (Gradient::Tensor(towards), None) => match &mut gradient {
                    Some(sum) => device.axpby(1.0, &towards, 1.0, sum)?,
                    none => *none = Some(towards),
                },
                (Gradient::Moments(towards), Some(request)) => match &mut moments[request] {
                    Some(sum) => {
                        device.axpby(1.0, &towards.mean, 1.0, &mut sum.mean)?;
                        device.axpby(1.0, &towards.second, 1.0, &mut sum.second)?;
                    }
                    none => *none = Some(towards),
                },
                _ => {}
            }
        }
        let gradient = match gradient {
            Some(gradient) => gradient,
            None => device.zeros(image.shape())?,
        };
        Ok((gradient, moments))
    }

    /// The first pass over a tile once more, moments left out.
    fn again<'a>(
        &mut self,
        course: &Course<'a>,
        image: &Tensor,
        tile: &super::network::Tile,
    ) -> Result<Kept<'a>> {
        let mut tapes = course.again(image, tile)?;
        let mut features = Vec::new();
        if let Some(tape) = &tapes.back {
            for part in course.back_parts(&**tape, tile)? {
                features.extend(self.look_at(&part, false)?);
            }
        }
        tapes.release();
        Ok(Kept { tapes, features })
    }

    /// The gradients towards moments of some requests.
    fn towards_moments<'m>(
        &self,
        moments: &'m [Option<Moments>],
        wanted: impl Fn(usize) -> bool,
    ) -> Vec<Towards<'m>> {
        let all = moments.iter().enumerate();
        let some = all.filter(|(request, _)| wanted(*request));
        some.filter_map(|(request, towards)| {
            Some(Towards {
                request,
                view: TowardsView::Moments(towards.as_ref()?),
            })
        })
        .collect()
    }

    /// The gradient of a term towards a part of its features, normalised by all of them.
    fn towards_features<'m>(&self, term: usize, mut part: Tensor) -> Result<Option<Towards<'m>>> {
        let Term { loss, weight, .. } = &self.objective.terms()[term];
        if self.normalized(term) {
            self.device
                .scale_over(&mut part, *weight, &self.norms[term])?;
        }
        let View::Features(tap) = loss.view() else {
            return Ok(None);
        };
        let request = self.position(TapRequest::features(tap));
        Ok(request.map(|request| Towards {
            request,
            view: TowardsView::Features(part),
        }))
    }
}
