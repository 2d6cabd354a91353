//! The weighted sum that is minimised.

use super::{Gradient, Loss, LossValue, Seen, View};
use impasto_compute::{Cotangent, Device, Network, Result, TapRequest, Tensor};

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
            match requests.iter_mut().find(|other| other.tap == request.tap) {
                Some(other) => {
                    other.features |= request.features;
                    other.moments |= request.moments;
                }
                None => requests.push(request),
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

    /// Values and gradient at an image `[3, h, w]` in 0..1.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn evaluate(
        &self,
        device: &dyn Device,
        network: &dyn Network,
        image: &Tensor,
    ) -> Result<Evaluation> {
        let mut values = Vec::with_capacity(self.terms.len());
        let mut cotangents = Vec::new();
        let mut pixels: Option<Tensor> = None;
        let mut add_to_pixels = |gradient: Tensor| match &mut pixels {
            Some(sum) => device.axpby(1.0, &gradient, 1.0, sum),
            slot => {
                *slot = Some(gradient);
                Ok(())
            }
        };
        let tape = match self.requests.as_slice() {
            [] => None,
            requests => Some(network.forward(image, requests)?),
        };
        for term in &self.terms {
            let (value, gradient) = match (term.loss.view(), &tape) {
                (View::Features(tap), Some(tape)) => {
                    term.loss
                        .evaluate(device, Seen::Tensor(tape.features(tap)?), term.weight)?
                }
                (View::Moments(tap), Some(tape)) => {
                    term.loss
                        .evaluate(device, Seen::Moments(tape.moments(tap)?), term.weight)?
                }
                _ => term
                    .loss
                    .evaluate(device, Seen::Tensor(image), term.weight)?,
            };
            values.push(value);
            match (term.loss.view(), gradient) {
                (View::Features(tap), Gradient::Tensor(g)) => {
                    cotangents.push(Cotangent::features(tap, g))
                }
                (View::Moments(tap), Gradient::Moments(g)) => {
                    cotangents.push(Cotangent::moments(tap, g))
                }
                (_, Gradient::Tensor(g)) => add_to_pixels(g)?,
                (_, Gradient::Moments(_)) => {}
            }
        }
        if let Some(tape) = tape {
            add_to_pixels(tape.backward(cotangents)?)?;
        }
        let gradient = match pixels {
            Some(gradient) => gradient,
            None => device.upload(&vec![0.0; image.len()], image.shape())?,
        };
        Ok(Evaluation { values, gradient })
    }
}
