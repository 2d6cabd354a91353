//! One evaluation of an objective: where raw values and gradients are weighted, normalised and added.
//!
//! ```text
//! value    = Σ weight · factor · raw                       factor: mean or sum, size of the target (Scaling)
//! gradient = Σ weight · factor · d raw,                    over Σ|factor · d raw| if the gradient normalises
//! ```
//!
//! Losses that are sums over places may be shown parts; a whole picture is the case of one part.

use super::{Gradient, LossValue, Objective, Seen};
use impasto_compute::{ComputeError, Device, Result, Scalar, Tap, Tensor};

/// The values and the gradient of an objective at an image.
#[derive(Debug)]
pub struct Evaluation {
    /// The unweighted value of each term, in their order.
    pub values: Vec<LossValue>,
    /// dL/d image, `[3, h, w]`.
    pub gradient: Tensor,
}

/// An evaluation in progress.
pub(crate) struct Progress<'o> {
    device: &'o dyn Device,
    objective: &'o Objective,
    /// By term.
    values: Vec<LossValue>,
    /// By term that its gradient normalises: L1 norms of its gradients towards all parts so far, times the weight.
    norms: Vec<Vec<Scalar>>,
}

impl<'o> Progress<'o> {
    pub(crate) fn new(device: &'o dyn Device, objective: &'o Objective) -> Self {
        let count = objective.terms().len();
        Self {
            device,
            objective,
            values: vec![LossValue::default(); count],
            norms: vec![vec![]; count],
        }
    }

    /// The device.
    pub(crate) fn device(&self) -> &'o dyn Device {
        self.device
    }

    /// Gradients of all losses that are sums over the places of a tap's features, towards a part of them, by term. They
    /// are not divided by any norm: see [`Progress::normalize`]. What is `new` adds to values and norms.
    pub(crate) fn part(
        &mut self,
        tap: Tap,
        seen: Seen<'_>,
        new: bool,
    ) -> Result<Vec<(usize, Tensor)>> {
        let mut gradients = Vec::new();
        for (index, term) in self.objective.terms().iter().enumerate() {
            if !term.is_sum_over_places_of(tap) {
                continue;
            }
            for gradient in self.evaluate(index, &[seen], new)? {
                if let Gradient::Tensor(gradient) = gradient {
                    gradients.push((index, gradient));
                }
            }
        }
        Ok(gradients)
    }

    /// The gradients of a term that is shown whole views.
    pub(crate) fn whole(&mut self, term: usize, seen: &[Seen<'_>]) -> Result<Vec<Gradient>> {
        let mut gradients = self.evaluate(term, seen, true)?;
        for tensor in gradients.iter_mut().flat_map(Gradient::tensors_mut) {
            self.normalize(term, tensor)?;
        }
        self.settle(term);
        Ok(gradients)
    }

    fn evaluate(&mut self, index: usize, seen: &[Seen<'_>], new: bool) -> Result<Vec<Gradient>> {
        let term = &self.objective.terms()[index];
        let scale = term.scale();
        let (mut value, mut gradients) = term.loss.evaluate(self.device, seen, scale)?;
        if gradients.len() != seen.len() {
            let (given, views) = (gradients.len(), seen.len());
            return Err(ComputeError::BadSetting(format!(
                "the loss {} gives {given} gradients for {views} views",
                term.name
            )));
        }
        if term.is_normalized_by_gradient() {
            // The norm is that of the whole.
            let both = gradients.into_iter().zip(seen);
            let dense = both.map(|(gradient, seen)| gradient.dense(self.device, seen));
            gradients = dense.collect::<Result<_>>()?;
        }
        if new {
            value.multiply(scale.factor);
            let total = &mut self.values[index];
            total.constant += value.constant;
            total.parts.extend(value.parts);
            total.is_distance |= value.is_distance;
            if term.is_normalized_by_gradient() {
                for tensor in gradients.iter_mut().flat_map(Gradient::tensors_mut) {
                    self.norms[index].push(self.device.sum_abs(tensor)?);
                }
            }
        }
        Ok(gradients)
    }

    /// Divides a gradient of a term by the norm of all its gradients, if that normalises it.
    pub(crate) fn normalize(&self, term: usize, gradient: &mut Tensor) -> Result<()> {
        let (term, norms) = (&self.objective.terms()[term], &self.norms[term]);
        match term.is_normalized_by_gradient() {
            // Gradient and norms hold the weight already: over them it is gone.
            true => self.device.scale_over(gradient, term.weight, norms),
            false => Ok(()),
        }
    }

    /// Divides the value of a term likewise, once it has seen everything.
    pub(crate) fn settle(&mut self, term: usize) {
        let value = &mut self.values[term];
        let term_of = &self.objective.terms()[term];
        if term_of.is_normalized_by_gradient() {
            // value / (norm/weight) = weight·value / norm.
            value.multiply(f64::from(term_of.weight));
            value.divisor.clone_from(&self.norms[term]);
        }
    }

    /// The evaluation, with the gradient that the caller has added up.
    pub(crate) fn finish(self, gradient: Tensor) -> Evaluation {
        Evaluation {
            values: self.values,
            gradient,
        }
    }
}
