//! Learning: gradients of graphs, towards what they read and towards the numbers that they are made from.
//!
//! A [`Learner`] is a graph of which a forward run is kept as a [`GraphTape`], on which gradients go back: reverse-mode
//! differentiation (Baydin et al. 2018, arXiv 1502.05767), node by node in the reverse of their order. Gradients *add up* in
//! [`Gradients`], so that the pictures of a batch run one after the other, and the sum over them is there at the end.
//!
//! ```
//! use impasto_compute::graph::*;
//! use impasto_compute::prelude::*;
//! use impasto_compute::{Result, reference::ReferenceDevice};
//! # fn main() -> Result<()> {
//! // y = scale · x + shift, and L = Σ y: dL/dscale is Σ x, and dL/dshift how many they are.
//! let mut spec = GraphSpec::new();
//! let x = spec.input("x", Kind::Map(1));
//! let scaling = Scaling { scale: vec![2.0].into(), shift: vec![0.5].into() };
//! let y = spec.push(Op::Scale(scaling), &[x]);
//! spec.output(y);
//! let device = ReferenceDevice::new();
//! let wanted = Wanted::numbers(&spec, |_| true).with_input(0);
//! let learner = device.learner(&spec, &wanted)?;
//! let mut gradients = learner.gradients()?;
//! let ones = device.upload(&[1.0; 4], &[1, 2, 2])?;
//! for picture in [[1.0, 2.0, 3.0, 4.0], [0.0, 0.0, 0.0, 1.0]] {
//!     let picture = device.upload(&picture, &[1, 2, 2])?;
//!     let tape = learner.forward(&[&picture])?;
//!     // Here a loss looks at `tape.outputs()`, and says what the gradient towards them is.
//!     tape.backward(&[Some(&ones)], &mut gradients)?;
//! }
//! assert_eq!(device.download(&gradients.numbers[0])?, [11.0]);
//! assert_eq!(device.download(&gradients.numbers[1])?, [8.0]);
//! let towards_input = gradients.inputs[0].as_ref().expect("it is wanted");
//! assert_eq!(device.download(towards_input)?, [4.0; 4]);
//! # Ok(())
//! # }
//! ```

use super::{GraphSpec, Graphs, Op, Shape, Value};
use crate::{ComputeError, Result, Tensor};
use std::fmt;

/// A device that learns graphs: runs them with a tape, and gives gradients.
pub trait Learning: Graphs {
    /// Prepares a graph and its gradients.
    ///
    /// # Errors
    /// [`ComputeError::BadNetwork`] if the graph contradicts itself; [`ComputeError::Shape`] if what is wanted is not of as
    /// many inputs and nodes as it has.
    fn learner(&self, spec: &GraphSpec, wanted: &Wanted) -> Result<Box<dyn Learner>>;
}

/// Which gradients are wanted. What no wanted gradient needs is neither computed nor kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// By input: the gradient towards it.
    pub inputs: Vec<bool>,
    /// By node: the gradients towards its numbers ([`Op::numbers`]); nothing where it has none.
    pub nodes: Vec<bool>,
}

impl Wanted {
    /// Gradients towards the numbers of the operations that `of` names, and towards no input.
    pub fn numbers(spec: &GraphSpec, of: impl Fn(&Op) -> bool) -> Self {
        Self {
            inputs: vec![false; spec.inputs.len()],
            nodes: spec.nodes.iter().map(|node| of(&node.op)).collect(),
        }
    }

    /// The same, and the gradient towards an input, if there is one of this index.
    #[must_use]
    pub fn with_input(mut self, index: usize) -> Self {
        if let Some(input) = self.inputs.get_mut(index) {
            *input = true;
        }
        self
    }

    /// The lists of numbers towards which gradients are wanted, with the index of their node: nodes in their order, and the
    /// lists of each as [`Op::numbers`] has them. [`Gradients::numbers`] and what [`Learner::set`] takes are in this order.
    pub fn lists<'a>(&'a self, spec: &'a GraphSpec) -> impl Iterator<Item = (usize, &'a [f32])> {
        let nodes = spec.nodes.iter().zip(&self.nodes).enumerate();
        let wanted = nodes.filter(|(_, (_, wanted))| **wanted);
        wanted.flat_map(|(index, (node, _))| {
            let lists = node.op.numbers().into_iter();
            lists.map(move |list| (index, list))
        })
    }

    /// Checks that it is about a graph, which is valid.
    pub(crate) fn check(&self, spec: &GraphSpec) -> Result<()> {
        let got = vec![self.inputs.len(), self.nodes.len()];
        let expected = vec![spec.inputs.len(), spec.nodes.len()];
        match got == expected {
            true => Ok(()),
            false => Err(ComputeError::Shape {
                what: "which gradients of inputs and nodes are wanted",
                expected,
                got,
            }),
        }
    }

    /// By node: whether a gradient has to reach what it makes, for its own numbers or for what it reads.
    pub(crate) fn reached(&self, spec: &GraphSpec) -> Vec<bool> {
        let mut reached: Vec<bool> = Vec::with_capacity(spec.nodes.len());
        for (node, wanted) in spec.nodes.iter().zip(&self.nodes) {
            let through = node.reads.iter().any(|&value| match value {
                Value::Input(index) => self.inputs[index],
                Value::Node(index) => reached[index],
            });
            reached.push(through || (*wanted && !node.op.numbers().is_empty()));
        }
        reached
    }
}

/// Sums of gradients.
#[derive(Debug)]
pub struct Gradients {
    /// By input: the gradient towards it, of its shape, once a tape has gone back; `None` where it is not wanted. Inputs of
    /// several sizes need it to be taken out between them.
    pub inputs: Vec<Option<Tensor>>,
    /// The gradients towards numbers, `[n]` each, in the order of [`Wanted::lists`].
    pub numbers: Vec<Tensor>,
}

/// A graph that learns.
pub trait Learner: Send + Sync + fmt::Debug {
    /// The graph, with the numbers that it has now.
    fn spec(&self) -> &GraphSpec;

    /// Which gradients it gives.
    fn wanted(&self) -> &Wanted;

    /// The numbers that it has now towards which gradients are wanted, `[n]` each, in the order of [`Wanted::lists`].
    ///
    /// # Errors
    /// [`ComputeError::OutOfMemory`].
    fn numbers(&self) -> Result<Vec<Tensor>>;

    /// Replaces these, as a step of an optimiser has changed them.
    ///
    /// # Errors
    /// [`ComputeError::Shape`] if they are not as many as [`Learner::numbers`] hands out;
    /// [`ComputeError::ForeignTensor`].
    fn set(&mut self, numbers: &[Tensor]) -> Result<()>;

    /// Gradients of 0, to which tapes add theirs.
    ///
    /// # Errors
    /// [`ComputeError::OutOfMemory`].
    fn gradients(&self) -> Result<Gradients>;

    /// Runs forward, and keeps what the way back needs.
    ///
    /// # Errors
    /// As [`Graph::run`](super::Graph::run).
    fn forward(&self, inputs: &[&Tensor]) -> Result<Box<dyn GraphTape + '_>>;

    /// Bytes that a run there and back on inputs of these shapes takes at most at a time: its outputs and gradients towards
    /// inputs included; inputs, gradients towards outputs and those towards numbers not.
    ///
    /// # Errors
    /// [`ComputeError::Shape`], as for [`Learner::forward`].
    fn memory(&self, inputs: &[Shape]) -> Result<usize>;
}

/// A forward run, kept until gradients go back.
pub trait GraphTape: fmt::Debug {
    /// What the graph hands out.
    fn outputs(&self) -> &[Tensor];

    /// Adds the gradients of a loss to `into`, from those towards the outputs, each of its output's shape; `None` is 0.
    ///
    /// Where a function has no slope (a ReLU at 0, a clamp at its bounds), the slope is 0; of equal greatest numbers of a
    /// pool, the first has the gradient.
    ///
    /// # Errors
    /// [`ComputeError::Shape`] if cotangents are not as many as outputs, or are of other shapes, or `into` is of another
    /// graph; [`ComputeError::ForeignTensor`]; [`ComputeError::OutOfMemory`].
    fn backward(
        self: Box<Self>,
        cotangents: &[Option<&Tensor>],
        into: &mut Gradients,
    ) -> Result<()>;
}

/// Checks that cotangents are of the shapes of outputs, and that gradients are of a graph.
pub(crate) fn check_backward(
    (spec, wanted): (&GraphSpec, &Wanted),
    outputs: &[Vec<usize>],
    cotangents: &[Option<&Tensor>],
    into: &Gradients,
) -> Result<()> {
    let misfit = |what, expected: &[usize], got: &[usize]| {
        Err(ComputeError::Shape {
            what,
            expected: expected.to_vec(),
            got: got.to_vec(),
        })
    };
    if cotangents.len() != outputs.len() {
        let (expected, got) = ([outputs.len()], [cotangents.len()]);
        return misfit("gradients towards outputs", &expected, &got);
    }
    for (cotangent, output) in cotangents.iter().zip(outputs) {
        if let Some(cotangent) = cotangent.filter(|it| it.shape() != output) {
            return misfit("a gradient towards an output", output, cotangent.shape());
        }
    }
    check_numbers((spec, wanted), &into.numbers)?;
    match into.inputs.len() == spec.inputs.len() {
        true => Ok(()),
        false => misfit(
            "gradients towards inputs",
            &[spec.inputs.len()],
            &[into.inputs.len()],
        ),
    }
}

/// Checks that there is a tensor for every list of numbers that is wanted.
pub(crate) fn check_numbers(
    (spec, wanted): (&GraphSpec, &Wanted),
    numbers: &[Tensor],
) -> Result<()> {
    let expected: Vec<usize> = wanted.lists(spec).map(|(_, list)| list.len()).collect();
    let got: Vec<usize> = numbers.iter().map(Tensor::len).collect();
    match got == expected {
        true => Ok(()),
        false => Err(ComputeError::Shape {
            what: "lists of numbers of a graph",
            expected,
            got,
        }),
    }
}
