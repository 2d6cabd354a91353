//! A graph as data.

use super::learning::Wanted;
use super::op::Op;
use super::shape::{Kind, Shape};
use crate::{ComputeError, Result, Tensor};
use std::sync::Arc;

/// A value in a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Value {
    /// The input of this index.
    Input(usize),
    /// What the node of this index makes.
    Node(usize),
}

impl Value {
    /// Its index among all values of a graph with so many inputs, which are the first.
    pub(crate) fn id(self, inputs: usize) -> usize {
        match self {
            Value::Input(index) => index,
            Value::Node(index) => inputs + index,
        }
    }
}

/// What a graph reads.
#[derive(Clone, Debug)]
pub struct Port {
    /// What it is for people, such as `content`.
    pub name: String,
    /// What it is.
    pub kind: Kind,
}

/// An operation in a graph.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it computes.
    pub op: Op,
    /// What it reads, in the order that the operation says; made before.
    pub reads: Vec<Value>,
}

/// The shapes in a run.
#[derive(Clone, Debug)]
pub(crate) struct Shapes {
    /// Of what it reads.
    pub(crate) inputs: Vec<Shape>,
    /// Of what every node makes.
    pub(crate) nodes: Vec<Shape>,
}

impl Shapes {
    /// The shape of a value.
    pub(crate) fn of(&self, value: Value) -> Shape {
        match value {
            Value::Input(index) => self.inputs[index],
            Value::Node(index) => self.nodes[index],
        }
    }

    /// Of all values: the inputs first.
    pub(crate) fn all(self) -> Vec<Shape> {
        let mut all = self.inputs;
        all.extend(self.nodes);
        all
    }
}

/// A graph as data: nodes in an order in which they can be computed.
#[derive(Clone, Debug, Default)]
pub struct GraphSpec {
    /// What it reads.
    pub inputs: Vec<Port>,
    /// What it computes.
    pub nodes: Vec<Node>,
    /// What it hands out.
    pub outputs: Vec<Value>,
}

impl GraphSpec {
    /// An empty graph.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an input.
    pub fn input(&mut self, name: impl Into<String>, kind: Kind) -> Value {
        let name = name.into();
        self.inputs.push(Port { name, kind });
        Value::Input(self.inputs.len() - 1)
    }

    /// Adds a node. Whether it fits is checked by [`GraphSpec::validate`], as everything is.
    pub fn push(&mut self, op: Op, reads: &[Value]) -> Value {
        let reads = reads.to_vec();
        self.nodes.push(Node { op, reads });
        Value::Node(self.nodes.len() - 1)
    }

    /// Hands out a value.
    pub fn output(&mut self, value: Value) {
        self.outputs.push(value);
    }

    /// Replaces numbers by as many others, in the order of [`Wanted::lists`].
    pub(crate) fn replace(&mut self, wanted: &Wanted, mut lists: impl Iterator<Item = Arc<[f32]>>) {
        let nodes = self.nodes.iter_mut().zip(&wanted.nodes);
        for (node, _) in nodes.filter(|(_, wanted)| **wanted) {
            for (numbers, list) in node.op.numbers_mut().into_iter().zip(&mut lists) {
                *numbers = list;
            }
        }
    }

    /// Checks that every node reads what was made before and what its operation takes.
    ///
    /// # Errors
    /// [`ComputeError::BadNetwork`] names the first node that does not fit.
    pub fn validate(&self) -> Result<()> {
        let inputs: Vec<_> = self.inputs.iter().map(|port| port.kind).collect();
        self.walk(&inputs, Op::kind)?;
        if self.outputs.is_empty() {
            return Err(ComputeError::BadNetwork {
                layer: self.nodes.len(),
                problem: "nothing is handed out".into(),
            });
        }
        for &output in &self.outputs {
            let there = match output {
                Value::Input(index) => index < self.inputs.len(),
                Value::Node(index) => index < self.nodes.len(),
            };
            if !there {
                return Err(ComputeError::BadNetwork {
                    layer: self.nodes.len(),
                    problem: format!("{output:?} is handed out, which does not exist"),
                });
            }
        }
        Ok(())
    }

    /// The shape of what every node makes of inputs of some shapes.
    ///
    /// # Errors
    /// [`ComputeError::Shape`] if inputs are not of their kinds; [`ComputeError::BadNetwork`] for the first node whose
    /// operands do not fit each other in size, or of which nothing is left.
    pub fn shapes(&self, inputs: &[Shape]) -> Result<Vec<Shape>> {
        let fits = |(port, shape): (&Port, &Shape)| port.kind == shape.kind();
        if inputs.len() != self.inputs.len() || !self.inputs.iter().zip(inputs).all(fits) {
            return Err(ComputeError::Shape {
                what: "what a graph reads",
                expected: self.inputs.iter().map(|port| port.kind.width()).collect(),
                got: inputs.iter().map(|shape| shape.kind().width()).collect(),
            });
        }
        self.walk(inputs, Op::shape)
    }

    /// The shapes of tensors that are read, and of what every node makes of them.
    ///
    /// # Errors
    /// As [`GraphSpec::shapes`].
    pub(crate) fn shapes_of(&self, inputs: &[&Tensor]) -> Result<Shapes> {
        let shape = |(index, tensor): (usize, &&Tensor)| {
            Shape::of(tensor.shape()).ok_or_else(|| ComputeError::Shape {
                what: "what a graph reads",
                expected: match self.inputs.get(index).map(|port| port.kind) {
                    Some(Kind::Map(channels)) => vec![channels, 0, 0],
                    Some(Kind::Vector(n)) => vec![n],
                    None => vec![],
                },
                got: tensor.shape().to_vec(),
            })
        };
        let inputs = inputs.iter().enumerate().map(shape);
        let inputs = inputs.collect::<Result<Vec<_>>>()?;
        let nodes = self.shapes(&inputs)?;
        Ok(Shapes { inputs, nodes })
    }

    /// Products with weights in a run on inputs of some shapes.
    ///
    /// # Errors
    /// As [`GraphSpec::shapes`].
    pub fn products(&self, inputs: &[Shape]) -> Result<usize> {
        let shapes = self.shapes(inputs)?;
        let products = self.nodes.iter().zip(shapes).map(|(node, shape)| {
            let places = match shape {
                Shape::Map { size, .. } => size.width * size.height,
                Shape::Vector(_) => 1,
            };
            node.op.products() * places
        });
        Ok(products.sum())
    }

    /// Computes something of every node from that of what it reads.
    fn walk<T: Copy>(
        &self,
        inputs: &[T],
        of: impl Fn(&Op, &[T]) -> std::result::Result<T, String>,
    ) -> Result<Vec<T>> {
        let mut made: Vec<T> = Vec::with_capacity(self.nodes.len());
        for (index, node) in self.nodes.iter().enumerate() {
            let bad = |problem: String| ComputeError::BadNetwork {
                layer: index,
                problem: format!("{}: {problem}", node.op.name()),
            };
            let mut reads = Vec::with_capacity(node.reads.len());
            for &value in &node.reads {
                let read = match value {
                    Value::Input(index) => inputs.get(index),
                    Value::Node(index) => made.get(index),
                };
                match read {
                    Some(&read) => reads.push(read),
                    None => {
                        return Err(bad(format!("it reads {value:?}, which is not made before")));
                    }
                }
            }
            made.push(of(&node.op, &reads).map_err(bad)?);
        }
        Ok(made)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Activation, Border, Convolution, Pooling, PoolingKind, Upsampling};
    use super::*;
    use crate::{Padding, Size};

    fn convolution(inputs: usize, outputs: usize, border: Border, stride: usize) -> Op {
        Op::Convolution(Convolution {
            inputs,
            outputs,
            groups: 1,
            kernel: [3, 3],
            stride,
            border,
            weight: vec![0.0; inputs * outputs * 9].into(),
            bias: vec![0.0; outputs].into(),
        })
    }

    fn map(channels: usize, width: usize, height: usize) -> Shape {
        let size = Size { width, height };
        Shape::Map { channels, size }
    }

    #[test]
    fn sizes_are_those_of_the_frameworks() -> Result<()> {
        for (border, stride, n, made, before) in [
            (Border::Valid, 1, 5, 3, 0),
            (Border::Valid, 2, 6, 2, 0),
            (Border::Valid, 2, 7, 3, 0),
            (Border::Centred(Padding::Reflect), 2, 6, 3, 1),
            (Border::Centred(Padding::Reflect), 2, 7, 4, 1),
            (Border::Same(Padding::Zero), 2, 6, 3, 0),
            (Border::Same(Padding::Zero), 2, 7, 4, 1),
            (Border::Same(Padding::Zero), 1, 7, 7, 1),
        ] {
            assert_eq!(border.places(n, 3, stride), made, "{border:?} {n}");
            assert_eq!(border.before(n, 3, stride), before, "{border:?} {n}");
            let mut spec = GraphSpec::new();
            let image = spec.input("image", Kind::Map(3));
            let x = spec.push(convolution(3, 2, border, stride), &[image]);
            spec.output(x);
            spec.validate()?;
            assert_eq!(spec.shapes(&[map(3, n, n)])?, [map(2, made, made)]);
        }
        Ok(())
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let mut spec = GraphSpec::new();
        let image = spec.input("image", Kind::Map(3));
        let same = Border::Centred(Padding::Zero);
        let x = spec.push(convolution(3, 4, same, 1), &[image]);
        let x = spec.push(Op::Activation(Activation::Relu), &[x]);
        let y = spec.push(Op::Add, &[x, image]);
        assert!(spec.validate().is_err(), "nothing may add 4 and 3 channels");
        spec.nodes.pop();
        let missing = spec.push(Op::Add, &[x, y]);
        spec.output(missing);
        let problem = spec.validate().expect_err("reads itself").to_string();
        assert!(problem.contains("not made before"), "{problem}");
        spec.nodes.pop();
        spec.outputs = vec![Value::Node(9)];
        assert!(spec.validate().is_err(), "hands out what is not there");
        spec.outputs = vec![x];
        assert!(spec.validate().is_ok());
        let tiny = [map(3, 0, 4)];
        assert!(spec.shapes(&tiny).is_err(), "nothing is left of nothing");
    }

    #[test]
    fn maps_that_meet_have_one_size() -> Result<()> {
        let mut spec = GraphSpec::new();
        let image = spec.input("image", Kind::Map(3));
        let pool = Op::Pool(Pooling {
            kind: PoolingKind::Max,
            kernel: 2,
            stride: 2,
            border: Border::Valid,
        });
        let small = spec.push(pool, &[image]);
        let large = spec.push(Op::Upsample(Upsampling::Nearest), &[small]);
        let both = spec.push(Op::Add, &[image, large]);
        spec.output(both);
        spec.validate()?;
        assert_eq!(spec.shapes(&[map(3, 6, 4)])?.last(), Some(&map(3, 6, 4)));
        let problem = spec.shapes(&[map(3, 7, 4)]).expect_err("7 becomes 6");
        assert!(problem.to_string().contains("7×4 and of 6×4"), "{problem}");
        Ok(())
    }
}
