//! A run of the steps of a graph.

use super::super::context::Context;
use super::super::memory::Array;
use super::activation::Behind;
use super::plan::{Step, Work};
use super::pointwise::{Each, Numbers};
use super::reductions::{Extent, Statistic, Want, linear, moments};
use crate::graph::{Shape, Shapes, Value, Variance};
use crate::{Result, Size};
use std::collections::BTreeMap;

/// What there is while a graph runs.
pub(super) struct Run<'a> {
    context: &'a Context,
    shapes: &'a Shapes,
    inputs: &'a [&'a Array],
    /// By node.
    made: BTreeMap<usize, Array>,
    /// Of maps that are there: the moments of their chunks.
    moments: BTreeMap<Value, Array>,
}

impl<'a> Run<'a> {
    pub(super) fn new(context: &'a Context, shapes: &'a Shapes, inputs: &'a [&'a Array]) -> Self {
        Self {
            context,
            shapes,
            inputs,
            made: BTreeMap::new(),
            moments: BTreeMap::new(),
        }
    }

    /// Takes a step.
    pub(super) fn step(&mut self, step: &Step) -> Result<()> {
        let made = match step.work {
            Work::Mean | Work::Deviation { .. } | Work::Norm { .. } => self.of_moments(step)?,
            Work::Linear(_) | Work::Convolution(_) | Work::Resize(_) | Work::Concat => {
                self.of_another_shape(step)?
            }
            Work::Copy | Work::Scale(_) | Work::Add | Work::Multiply | Work::Mix => {
                self.number_by_number(step, None)?
            }
        };
        for &node in &step.last {
            self.made.remove(&node);
            self.moments.remove(&Value::Node(node));
        }
        self.made.insert(step.makes, made);
        Ok(())
    }

    /// What is handed out.
    pub(super) fn outputs(mut self, outputs: &[Value]) -> Result<Vec<Array>> {
        let mut arrays = Vec::with_capacity(outputs.len());
        for (index, &output) in outputs.iter().enumerate() {
            let again = outputs[index + 1..].contains(&output);
            let moved = match output {
                Value::Node(node) if !again => self.made.remove(&node),
                Value::Node(_) | Value::Input(_) => None,
            };
            arrays.push(match moved {
                Some(array) => array,
                None => {
                    let from = self.value(output)?;
                    let to = self.context.pool.take(from.len())?;
                    self.context.copy(from, &to);
                    to
                }
            });
        }
        Ok(arrays)
    }

    fn value(&self, value: Value) -> Result<&Array> {
        let found = match value {
            Value::Input(index) => self.inputs.get(index).copied(),
            Value::Node(node) => self.made.get(&node),
        };
        // A plan lets go of nothing that is still read.
        found.ok_or_else(|| self.context.failed(format!("{value:?} is not there")))
    }

    /// A value that a step reads.
    fn read(&self, step: &Step, index: usize) -> Result<&Array> {
        self.value(step.reads[index])
    }

    /// Room for what a step makes.
    fn room(&self, step: &Step) -> Result<Array> {
        let (channels, places) = extent(self.shapes.nodes[step.makes]);
        self.context.pool.take(channels * places)
    }

    /// What makes maps of another size, or vectors.
    fn of_another_shape(&self, step: &Step) -> Result<Array> {
        let (context, behind) = (self.context, step.behind);
        let shape = self.shapes.nodes[step.makes];
        let (channels, places) = extent(shape);
        let from = size(self.shapes.of(step.reads[0]));
        let x = self.read(step, 0)?;
        if let Work::Linear([weight, bias]) = &step.work {
            let (columns, _) = extent(self.shapes.of(step.reads[0]));
            return linear(context, behind, (channels, columns), [weight, bias], x);
        }
        let out = self.room(step)?;
        match &step.work {
            Work::Convolution(convolution) => {
                convolution.run(context, behind, (x, from), (&out, size(shape)))?;
            }
            Work::Resize(resize) => {
                resize.run(context, behind, channels, (x, from), (&out, size(shape)))?;
            }
            _ => {
                let mut first = 0;
                for &value in &step.reads {
                    let (channels, _) = extent(self.shapes.of(value));
                    let numbers = Numbers {
                        x: Some(self.value(value)?),
                        count: channels * places,
                        places,
                        step: 1,
                        out: &out,
                        first,
                    };
                    Each::Copy.run(context, behind, numbers)?;
                    first += channels * places;
                }
            }
        }
        Ok(out)
    }

    /// Statistics of channels, and norms.
    fn of_moments(&mut self, step: &Step) -> Result<Array> {
        let context = self.context;
        let value = step.reads[0];
        let extent = extent(self.shapes.of(value));
        if !self.moments.contains_key(&value) {
            let taken = moments(context, extent, self.value(value)?)?;
            self.moments.insert(value, taken);
        }
        let Some(moments) = self.moments.get(&value) else {
            return Err(context.failed(format!("{value:?} has no moments")));
        };
        let statistic = |want, variance, epsilon| Statistic {
            want,
            variance,
            epsilon,
        };
        match &step.work {
            &Work::Deviation { variance, epsilon } => statistic(Want::Deviation, variance, epsilon)
                .run(context, step.behind, extent, moments),
            Work::Norm {
                variance,
                epsilon,
                fixed,
            } => {
                let affine = match (fixed, &step.reads[1..]) {
                    (Some([scale, shift]), _) => Some([scale, shift]),
                    (None, &[scale, shift]) => Some([self.value(scale)?, self.value(shift)?]),
                    (None, _) => None,
                };
                let norm = statistic(Want::Norm(affine), *variance, *epsilon);
                let norm = norm.run(context, Behind::default(), extent, moments)?;
                self.number_by_number(step, Some(&norm))
            }
            _ => statistic(Want::Mean, Variance::Biased, 0.0).run(
                context,
                step.behind,
                extent,
                moments,
            ),
        }
    }

    /// What is done number by number, over what is read if nobody else reads it; a norm by its coefficients.
    fn number_by_number(&mut self, step: &Step, norm: Option<&Array>) -> Result<Array> {
        let over = step.written_over();
        let over = over.and_then(|node| self.made.remove(&node));
        let (x, out) = match over {
            Some(out) => (None, out),
            None => (Some(self.read(step, 0)?), self.room(step)?),
        };
        let (channels, places) = extent(self.shapes.nodes[step.makes]);
        let each = match &step.work {
            Work::Scale([scale, shift]) => Each::Scale { scale, shift },
            Work::Add => Each::Add(self.read(step, 1)?),
            Work::Multiply => Each::Multiply(self.read(step, 1)?),
            Work::Mix => Each::Mix {
                other: self.read(step, 1)?,
                share: self.read(step, 2)?,
            },
            _ => norm.map_or(Each::Copy, Each::Norm),
        };
        // A vector has one number for each channel.
        let other = step.reads.get(1).map(|&value| self.shapes.of(value));
        let vector = matches!(other, Some(Shape::Vector(_)));
        let numbers = Numbers {
            x,
            count: channels * places,
            places,
            step: if vector { places } else { 1 },
            out: &out,
            first: 0,
        };
        each.run(self.context, step.behind, numbers)?;
        Ok(out)
    }
}

/// Channels, and places of each; of a vector, one.
pub(super) fn extent(shape: Shape) -> Extent {
    match shape {
        Shape::Map { channels, size } => (channels, size.pixels()),
        Shape::Vector(n) => (n, 1),
    }
}

/// The size of a map.
fn size(shape: Shape) -> Size {
    match shape {
        Shape::Map { size, .. } => size,
        Shape::Vector(_) => Size::square(1),
    }
}
