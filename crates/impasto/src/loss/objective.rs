//! The weighted sum that is minimised.

use super::evaluation::Progress;
use super::region::Places;
use super::{Evaluation, Gradient, GradientScale, Loss, LossValue, Normalize, Scaling, Seen, View};
use crate::random::StepSeed;
use impasto_compute::{
    Cotangent, Device, Network, Part, Result, Size, Strips, Tap, TapRequest, Tape, Tensor, Want,
    Window,
};
use std::collections::BTreeMap;

/// One weighted loss with a name.
#[derive(Debug)]
pub struct Term {
    /// `content:LAYER`, `style:LAYER`, `tv`, or what its maker calls it.
    pub name: String,
    /// What its value is multiplied by.
    pub weight: f32,
    /// What becomes of its raw value.
    pub scaling: Scaling,
    /// The loss.
    pub loss: Box<dyn Loss>,
}

impl Term {
    /// What its loss multiplies the gradient by.
    pub(super) fn scale(&self) -> GradientScale {
        GradientScale {
            weight: self.weight,
            factor: self.scaling.factor(self.loss.extent()),
        }
    }

    /// Whether it is divided by the norm of its gradient.
    pub(super) fn is_normalized_by_gradient(&self) -> bool {
        self.scaling.normalize == Normalize::Gradient
    }

    /// The tap at whose moments in a region it looks, and the region.
    pub(crate) fn region(&self) -> Option<(Tap, &Places)> {
        match (self.loss.views(), self.loss.places()) {
            (&[View::Moments(tap)], Some(places)) => Some((tap, places)),
            _ => None,
        }
    }

    /// Whether it looks at the features of some tap.
    fn sees_features(&self) -> bool {
        let mut views = self.loss.views().iter();
        views.any(|view| matches!(view, View::Features(_)))
    }

    /// Whether it looks at the features of a tap and at nothing else, and can be shown them part by part.
    pub(super) fn is_sum_over_places_of(&self, tap: Tap) -> bool {
        self.loss.is_sum_over_places() && self.loss.views() == [View::Features(tap)]
    }

    /// Whether it needs the features of a whole picture at once.
    pub(crate) fn needs_whole_features(&self) -> bool {
        let alone = self.loss.is_sum_over_places() && self.loss.views().len() == 1;
        self.sees_features() && !alone
    }

    /// Whether it looks at nothing but the image.
    fn sees_the_image_alone(&self) -> bool {
        self.loss.views().iter().all(|view| *view == View::Image)
    }
}

/// All terms of a run at one scale.
#[derive(Debug)]
pub struct Objective {
    terms: Vec<Term>,
    /// The weights as they were given.
    weights: Vec<f32>,
    /// The power of two that is in the weights of the terms.
    unit: f32,
    requests: Vec<TapRequest>,
}

/// Where features of a whole picture lie.
fn whole(features: &Tensor) -> Window {
    let (height, width) = match *features.shape() {
        [_, height, width] => (height, width),
        _ => (0, 0),
    };
    Window::whole(Size { width, height })
}

/// What a whole picture shows of a view.
fn seen<'a>(view: View, image: &'a Tensor, tape: &'a dyn Tape) -> Result<Seen<'a>> {
    Ok(match view {
        View::Image => Seen::Image(image),
        View::Features(tap) => {
            let features = tape.features(tap)?;
            let place = whole(features);
            Seen::Features { features, place }
        }
        View::Moments(tap) => Seen::Moments(tape.moments(tap)?),
    })
}

/// Adds a gradient to a sum of them.
fn add(device: &dyn Device, gradient: Tensor, sum: &mut Option<Tensor>) -> Result<()> {
    match sum {
        Some(sum) => device.axpby(1.0, &gradient, 1.0, sum),
        none => {
            *none = Some(gradient);
            Ok(())
        }
    }
}

/// Adds a gradient towards the image to a sum of them.
fn add_to_image(
    device: &dyn Device,
    gradient: Gradient,
    image: &Tensor,
    sum: &mut Option<Tensor>,
) -> Result<()> {
    match gradient {
        Gradient::Tensor(gradient) => add(device, gradient, sum),
        Gradient::Rows(rows) => {
            let mut towards = match sum.take() {
                Some(sum) => sum,
                None => device.zeros(image.shape())?,
            };
            rows.add_to(device, &mut towards)?;
            *sum = Some(towards);
            Ok(())
        }
        Gradient::Moments(_) => Ok(()),
    }
}

impl Objective {
    /// An objective of some terms. Terms of weight 0 are left out.
    pub fn new(mut terms: Vec<Term>) -> Self {
        terms.retain(|term| term.weight != 0.0);
        let mut requests: Vec<TapRequest> = Vec::new();
        for Term { loss, .. } in &terms {
            for view in loss.views() {
                let request = match *view {
                    View::Image => continue,
                    View::Moments(tap) if loss.places().is_none() => TapRequest::moments(tap),
                    View::Features(tap) | View::Moments(tap) => TapRequest::features(tap),
                };
                if !requests.contains(&request) {
                    requests.push(request);
                }
            }
        }
        Self {
            weights: terms.iter().map(|term| term.weight).collect(),
            terms,
            unit: 1.0,
            requests,
        }
    }

    /// The power of two by which all its gradients are multiplied; its total is not.
    pub(crate) fn unit(&self) -> f32 {
        self.unit
    }

    /// Multiplies its gradients by another power of two than before: only ratios of weights matter, but what is computed
    /// with gradients has a range.
    pub(crate) fn set_unit(&mut self, unit: f32) {
        for (term, weight) in self.terms.iter_mut().zip(&self.weights) {
            term.weight = weight * unit;
        }
        self.unit = unit;
    }

    /// The weights of its terms as they were given.
    pub(crate) fn weights(&self) -> impl Iterator<Item = f32> {
        self.weights.iter().copied()
    }

    /// Its terms.
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// What it asks of the network.
    pub fn requests(&self) -> &[TapRequest] {
        &self.requests
    }

    /// Prepares all losses for a step at a scale of a run with a seed.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn prepare(
        &mut self,
        device: &dyn Device,
        seed: u64,
        scale: usize,
        step: usize,
    ) -> Result<()> {
        for Term { name, loss, .. } in &mut self.terms {
            let seed = StepSeed {
                seed,
                scale,
                step,
                term: name,
            };
            loss.prepare(device, &seed)?;
        }
        Ok(())
    }

    /// What its losses keep from steps before, by the names of their terms; those that keep nothing are left out.
    pub(crate) fn memories(&self) -> Vec<(String, Vec<f32>)> {
        let all = self
            .terms
            .iter()
            .map(|term| (term.name.clone(), term.loss.memory()));
        all.filter(|(_, memory)| !memory.is_empty()).collect()
    }

    /// Gives that back to them.
    ///
    /// # Errors
    /// As [`Loss::recall`].
    pub(crate) fn recall(&mut self, memories: &BTreeMap<String, Vec<f32>>) -> Result<()> {
        for term in &mut self.terms {
            if let Some(memory) = memories.get(&term.name) {
                term.loss.recall(memory)?;
            }
        }
        Ok(())
    }

    /// The weighted sum of the values of one evaluation.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn total(&self, values: &[LossValue]) -> Result<f64> {
        let mut total = 0.0;
        for (term, value) in self.terms.iter().zip(values) {
            total += f64::from(term.weight) * value.value()?;
        }
        Ok(total / f64::from(self.unit))
    }

    /// Values and gradient at an image `[3, h, w]`, which runs through the network as a whole or in strips.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn evaluate(
        &self,
        device: &dyn Device,
        network: &dyn Network,
        strips: Option<&Strips>,
        image: &Tensor,
    ) -> Result<Evaluation> {
        let mut progress = Progress::new(device, self);
        let mut gradient = match self.requests.is_empty() {
            true => None,
            false => Some(self.through_network(&mut progress, network, strips, image)?),
        };
        // Losses of the image come last: their gradients are as large as the image, and passes need the memory.
        for (index, term) in self.terms.iter().enumerate() {
            if !term.sees_the_image_alone() {
                continue;
            }
            let seen: Vec<_> = term
                .loss
                .views()
                .iter()
                .map(|_| Seen::Image(image))
                .collect();
            for towards in progress.whole(index, &seen)? {
                add_to_image(device, towards, image, &mut gradient)?;
            }
        }
        let gradient = match gradient {
            Some(gradient) => gradient,
            None => device.zeros(image.shape())?,
        };
        Ok(progress.finish(gradient))
    }

    /// The gradient of all losses that look at the network.
    fn through_network(
        &self,
        progress: &mut Progress<'_>,
        network: &dyn Network,
        strips: Option<&Strips>,
        image: &Tensor,
    ) -> Result<Tensor> {
        let device = progress.device();
        let mut tape = match strips {
            None => network.forward(image, &self.requests)?,
            Some(strips) => network.forward_strips(image, strips, &self.strip_requests())?,
        };
        let (mut cotangents, mut of_image) = (Vec::new(), None);
        // Of a tap with several regions the gradients are one: they are as large as its features.
        let mut of_regions: Vec<(Tap, Option<Tensor>)> = Vec::new();
        // So is that of all losses of places.
        let mut of_places: Vec<(Tap, Tensor)> = Vec::new();
        for (index, term) in self.terms.iter().enumerate() {
            let views = term.loss.views();
            let later = match *views {
                [View::Features(tap)] => strips.is_some() && self.is_seen_in_parts(tap),
                _ => term.sees_the_image_alone(),
            };
            if later {
                continue;
            }
            if let Some((tap, places)) = term.region() {
                let features = tape.features(tap)?;
                let place = whole(features);
                let moments = places.moments(device, features, &place)?;
                let seen = [Seen::Moments(&moments)];
                for towards in progress.whole(index, &seen)? {
                    if let Gradient::Moments(towards) = towards {
                        let seen = (features, &place);
                        let towards = places.towards_features(device, seen, &towards)?;
                        match of_regions.iter_mut().find(|(of, _)| *of == tap) {
                            Some((_, sum)) => add(device, towards, sum)?,
                            None => of_regions.push((tap, Some(towards))),
                        }
                    }
                }
                continue;
            }
            let seen = views.iter().map(|view| seen(*view, image, &*tape));
            let gradients = progress.whole(index, &seen.collect::<Result<Vec<_>>>()?)?;
            for (view, towards) in views.iter().zip(gradients) {
                match (*view, towards) {
                    (View::Features(tap), Gradient::Tensor(towards)) => {
                        cotangents.push(Cotangent::features(tap, towards));
                    }
                    (View::Moments(tap), Gradient::Moments(towards)) => {
                        cotangents.push(Cotangent::moments(tap, towards));
                    }
                    (View::Features(tap), Gradient::Rows(towards)) => {
                        let at = match of_places.iter().position(|(of, _)| *of == tap) {
                            Some(at) => at,
                            None => {
                                let zeros = device.zeros(tape.features(tap)?.shape())?;
                                of_places.push((tap, zeros));
                                of_places.len() - 1
                            }
                        };
                        towards.add_to(device, &mut of_places[at].1)?;
                    }
                    (View::Image, towards) => {
                        add_to_image(device, towards, image, &mut of_image)?;
                    }
                    (View::Features(_) | View::Moments(_), _) => {}
                }
            }
        }
        for (tap, towards) in of_regions {
            cotangents.extend(towards.map(|towards| Cotangent::features(tap, towards)));
        }
        let of_places = of_places.into_iter();
        cotangents.extend(of_places.map(|(tap, towards)| Cotangent::features(tap, towards)));
        tape.release();
        let mut gradient =
            tape.backward_in_parts(cotangents, &mut |part| self.answer(part, progress))?;
        if let Some(of_image) = of_image {
            device.axpby(1.0, &of_image, 1.0, &mut gradient)?;
        }
        Ok(gradient)
    }

    /// The gradient of all losses of some features towards a part of them.
    fn answer(&self, part: &Part<'_>, progress: &mut Progress<'_>) -> Result<Option<Tensor>> {
        let mut gradient = None;
        let seen = Seen::Features {
            features: part.features,
            place: part.place,
        };
        for (_, towards) in progress.part(part.tap, seen, true)? {
            add(progress.device(), towards, &mut gradient)?;
        }
        Ok(gradient)
    }

    /// Whether the features of a tap can be looked at part by part: all losses of them are sums over places, and none
    /// is divided by what is known only when all have been seen.
    fn is_seen_in_parts(&self, tap: Tap) -> bool {
        let here = self.terms.iter();
        let sees = |term: &&Term| {
            term.loss.views().contains(&View::Features(tap))
                || term.region().is_some_and(|(of, _)| of == tap)
        };
        let mut here = here.filter(sees);
        here.all(|term| term.is_sum_over_places_of(tap) && !term.is_normalized_by_gradient())
    }

    /// What it asks of a network that runs in strips.
    fn strip_requests(&self) -> Vec<TapRequest> {
        let request = |request: &TapRequest| match request.want {
            Want::Features if self.is_seen_in_parts(request.tap) => {
                TapRequest::in_parts(request.tap)
            }
            _ => *request,
        };
        self.requests.iter().map(request).collect()
    }
}
