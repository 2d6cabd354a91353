//! The weighted sum that is minimised.

use super::{Gradient, Loss, LossValue, Seen, View};
use crate::recipe::Normalize;
use impasto_compute::{
    Cotangent, Device, Network, Part, Result, Strips, Tap, TapRequest, Tensor, Want,
};

/// One weighted loss with a name.
#[derive(Debug)]
pub struct Term {
    /// `content:LAYER`, `style:LAYER` or `tv`.
    pub name: String,
    /// What its value is multiplied by.
    pub weight: f32,
    /// The loss.
    pub loss: Box<dyn Loss>,
}

/// All terms of a run at one scale.
#[derive(Debug)]
pub struct Objective {
    terms: Vec<Term>,
    requests: Vec<TapRequest>,
}

/// One evaluation of an objective.
#[derive(Debug)]
pub struct Evaluation {
    /// The unweighted value of each term, in their order.
    pub values: Vec<LossValue>,
    /// dL/d image, `[3, h, w]`.
    pub gradient: Tensor,
}

impl Objective {
    /// An objective of some terms. Terms of weight 0 are left out.
    pub fn new(mut terms: Vec<Term>) -> Self {
        terms.retain(|term| term.weight != 0.0);
        let mut requests: Vec<TapRequest> = Vec::new();
        for term in &terms {
            let request = match term.loss.view() {
                View::Image => continue,
                View::Features(tap) => TapRequest::features(tap),
                View::Moments(tap) => TapRequest::moments(tap),
            };
            if !requests.contains(&request) {
                requests.push(request);
            }
        }
        Self { terms, requests }
    }

    /// Its terms.
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// What it asks of the network.
    pub fn requests(&self) -> &[TapRequest] {
        &self.requests
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
        Ok(total)
    }

    /// Values and gradient at an image `[3, h, w]` in 0..1, which runs through the network as a whole or in strips.
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
        let mut values = vec![LossValue::default(); self.terms.len()];
        let mut gradient = match self.requests.is_empty() {
            true => None,
            false => Some(self.of_features(device, network, strips, image, &mut values)?),
        };
        // Losses of the image come last: their gradients are as large as the image, and passes need the memory.
        for (term, value) in self.terms.iter().zip(&mut values) {
            if term.loss.view() != View::Image {
                continue;
            }
            let (said, towards) = term
                .loss
                .evaluate(device, Seen::Tensor(image), term.weight)?;
            *value = said;
            match (towards, &mut gradient) {
                (Gradient::Tensor(towards), Some(sum)) => device.axpby(1.0, &towards, 1.0, sum)?,
                (Gradient::Tensor(towards), none) => *none = Some(towards),
                (Gradient::Moments(_), _) => {}
            }
        }
        let gradient = match gradient {
            Some(gradient) => gradient,
            None => device.zeros(image.shape())?,
        };
        Ok(Evaluation { values, gradient })
    }

    /// The gradient of all losses of features and moments, and their values.
    fn of_features(
        &self,
        device: &dyn Device,
        network: &dyn Network,
        strips: Option<&Strips>,
        image: &Tensor,
        values: &mut [LossValue],
    ) -> Result<Tensor> {
        let mut tape = match strips {
            None => network.forward(image, &self.requests)?,
            Some(strips) => network.forward_strips(image, strips, &self.strip_requests())?,
        };
        let in_parts = |tap| strips.is_some() && self.in_parts(tap);
        let mut cotangents = Vec::new();
        for (term, value) in self.terms.iter().zip(&mut *values) {
            let (tap, seen) = match term.loss.view() {
                View::Image => continue,
                View::Features(tap) if in_parts(tap) => continue,
                View::Features(tap) => (tap, Seen::Tensor(tape.features(tap)?)),
                View::Moments(tap) => (tap, Seen::Moments(tape.moments(tap)?)),
            };
            let (said, towards) = term.loss.evaluate(device, seen, term.weight)?;
            *value = said;
            cotangents.push(match towards {
                Gradient::Tensor(towards) => Cotangent::features(tap, towards),
                Gradient::Moments(towards) => Cotangent::moments(tap, towards),
            });
        }
        tape.release();
        tape.backward_in_parts(cotangents, &mut |part| self.answer(device, part, values))
    }

    /// What the losses of some features say about a part of them; their values are added up.
    fn answer(
        &self,
        device: &dyn Device,
        part: &Part<'_>,
        values: &mut [LossValue],
    ) -> Result<Option<Tensor>> {
        let mut gradient: Option<Tensor> = None;
        for (term, value) in self.terms.iter().zip(values) {
            if term.loss.view() != View::Features(part.tap) {
                continue;
            }
            let (said, towards) =
                term.loss
                    .evaluate_part(device, part.features, &part.place, term.weight)?;
            value.constant += said.constant;
            value.parts.extend(said.parts);
            match &mut gradient {
                Some(sum) => device.axpby(1.0, &towards, 1.0, sum)?,
                none => *none = Some(towards),
            }
        }
        Ok(gradient)
    }

    /// Whether the features of a tap can be looked at part by part: all losses of them are sums over places, and none is
    /// divided by what is known only when all have been seen.
    fn in_parts(&self, tap: Tap) -> bool {
        let here = self.terms.iter();
        let mut here = here.filter(|term| term.loss.view() == View::Features(tap));
        here.all(|term| {
            let scaling = term.loss.in_parts();
            scaling.is_some_and(|scaling| scaling.normalize != Normalize::Gradient)
        })
    }

    /// What it asks of a network that runs in strips.
    fn strip_requests(&self) -> Vec<TapRequest> {
        let request = |request: &TapRequest| match request.want {
            Want::Features if self.in_parts(request.tap) => TapRequest::in_parts(request.tap),
            _ => *request,
        };
        self.requests.iter().map(request).collect()
    }
}
