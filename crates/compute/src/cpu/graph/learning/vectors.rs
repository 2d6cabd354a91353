//! Gradients of vectors: a few numbers, in f64, for which nobody is woken.

use super::super::stage::Id;
use super::back::{Way, add};
use super::change::slope;
use crate::graph::{Activation, Linear, Op};
use crate::{Result, Tensor};

impl<'a> Way<'a> {
    /// From the gradient towards a vector that is made of vectors.
    pub(super) fn vector(
        &mut self,
        id: Id,
        op: &Op,
        reads: &[Id],
        g: &[f64],
        numbers: &mut [Tensor],
    ) -> Result<()> {
        let values = self.values;
        let of = |index: usize| -> Result<&'a [f32]> { values.vector(reads[index]) };
        let pairs = |x: &'a [f32]| g.iter().zip(x).map(|(g, &x)| g * f64::from(x));
        match op {
            Op::Linear(op) => return self.linear(op, reads[0], g, numbers),
            Op::Scale(op) => {
                if let [scale, shift] = numbers {
                    let x = values.vector(reads[0])?;
                    add(scale, g.iter().zip(x).map(|(g, &x)| g * f64::from(x)))?;
                    add(shift, g.iter().copied())?;
                }
                let scaled = g.iter().zip(&*op.scale);
                self.give_vector(reads[0], scaled.map(|(g, &s)| g * f64::from(s)));
            }
            Op::Activation(activation) => {
                let y = values.vector(id)?;
                self.give_vector(reads[0], slopes(*activation, g, y));
            }
            Op::Add => {
                self.give_vector(reads[0], g.iter().copied());
                self.give_vector(reads[1], g.iter().copied());
            }
            Op::Multiply => {
                self.give_vector(reads[0], pairs(of(1)?));
                self.give_vector(reads[1], pairs(of(0)?));
            }
            Op::Mix => {
                let t = f64::from(of(2)?[0]);
                self.give_vector(reads[0], g.iter().map(|g| (1.0 - t) * g));
                self.give_vector(reads[1], g.iter().map(|g| t * g));
                let towards = pairs(of(1)?).sum::<f64>() - pairs(of(0)?).sum::<f64>();
                self.give_vector(reads[2], std::iter::once(towards));
            }
            // Of maps.
            _ => {}
        }
        Ok(())
    }

    fn linear(&mut self, op: &Linear, from: Id, g: &[f64], numbers: &mut [Tensor]) -> Result<()> {
        let x = self.values.vector(from)?;
        if let [weight, bias] = numbers {
            let products = g
                .iter()
                .flat_map(|g| x.iter().map(move |&x| g * f64::from(x)));
            add(weight, products)?;
            add(bias, g.iter().copied())?;
        }
        let column = |i: usize| {
            let weights = op.weight[i..].iter().step_by(x.len());
            let products = weights.zip(g).map(|(&w, g)| f64::from(w) * g);
            products.sum::<f64>()
        };
        self.give_vector(from, (0..x.len()).map(column));
        Ok(())
    }
}

fn slopes<'s>(
    activation: Activation,
    g: &'s [f64],
    y: &'s [f32],
) -> impl Iterator<Item = f64> + use<'s> {
    let pairs = g.iter().zip(y);
    pairs.map(move |(g, &y)| g * slope(activation, y))
}
