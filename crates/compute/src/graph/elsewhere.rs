//! Learning on a device that has none of its own: another device does it.

use super::{Gradients, GraphSpec, GraphTape, Learner, Learning, Shape, Wanted};
use crate::{Hardware, Result, Tensor};

/// A device that learns no graphs, and the one that does.
#[derive(Debug)]
struct Way<D> {
    device: D,
    host: Box<dyn Learning>,
}

impl<D: Hardware> Way<D> {
    /// Of whatever a device lacks, of which the log is told.
    fn new(device: D, host: Box<dyn Learning>, lacks: &'static str) -> Result<Self> {
        device.falls_back(lacks)?;
        Ok(Self { device, host })
    }

    fn there(&self, tensor: &Tensor) -> Result<Tensor> {
        let values = self.device.download(tensor)?;
        self.host.upload(&values, tensor.shape())
    }

    fn all_there(&self, tensors: &[&Tensor]) -> Result<Vec<Tensor>> {
        tensors.iter().map(|tensor| self.there(tensor)).collect()
    }

    fn back(&self, tensor: &Tensor) -> Result<Tensor> {
        let values = self.host.download(tensor)?;
        self.device.upload(&values, tensor.shape())
    }

    fn all_back(&self, tensors: &[Tensor]) -> Result<Vec<Tensor>> {
        tensors.iter().map(|tensor| self.back(tensor)).collect()
    }
}

/// A graph that another device learns; gradients are added up here.
#[derive(Debug)]
pub(crate) struct LearnerElsewhere<D> {
    way: Way<D>,
    learner: Box<dyn Learner>,
}

impl<D: Hardware> LearnerElsewhere<D> {
    /// Prepares a graph on another device, of which the log is told.
    pub(crate) fn new(
        device: D,
        host: Box<dyn Learning>,
        spec: &GraphSpec,
        wanted: &Wanted,
    ) -> Result<Self> {
        let way = Way::new(device, host, "learning of graphs")?;
        let learner = way.host.learner(spec, wanted)?;
        Ok(Self { way, learner })
    }

    /// Gradients that another device holds.
    fn carried(
        gradients: &Gradients,
        carry: impl Fn(&Tensor) -> Result<Tensor>,
    ) -> Result<Gradients> {
        let inputs = gradients.inputs.iter();
        let inputs = inputs.map(|tensor| tensor.as_ref().map(&carry).transpose());
        Ok(Gradients {
            inputs: inputs.collect::<Result<_>>()?,
            numbers: gradients
                .numbers
                .iter()
                .map(&carry)
                .collect::<Result<_>>()?,
        })
    }
}

impl<D: Hardware> Learner for LearnerElsewhere<D> {
    fn spec(&self) -> &GraphSpec {
        self.learner.spec()
    }

    fn wanted(&self) -> &Wanted {
        self.learner.wanted()
    }

    fn numbers(&self) -> Result<Vec<Tensor>> {
        self.way.all_back(&self.learner.numbers()?)
    }

    fn set(&mut self, numbers: &[Tensor]) -> Result<()> {
        let numbers = numbers.iter().map(|tensor| self.way.there(tensor));
        self.learner.set(&numbers.collect::<Result<Vec<_>>>()?)
    }

    fn gradients(&self) -> Result<Gradients> {
        Self::carried(&self.learner.gradients()?, |tensor| self.way.back(tensor))
    }

    fn forward(&self, inputs: &[&Tensor]) -> Result<Box<dyn GraphTape + '_>> {
        let inputs = self.way.all_there(inputs)?;
        let inputs: Vec<_> = inputs.iter().collect();
        let tape = self.learner.forward(&inputs)?;
        Ok(Box::new(TapeElsewhere {
            outputs: self.way.all_back(tape.outputs())?,
            learner: self,
            tape,
        }))
    }

    fn memory(&self, inputs: &[Shape]) -> Result<usize> {
        self.learner.memory(inputs)
    }
}

#[derive(Debug)]
struct TapeElsewhere<'a, D> {
    learner: &'a LearnerElsewhere<D>,
    tape: Box<dyn GraphTape + 'a>,
    outputs: Vec<Tensor>,
}

impl<D: Hardware> GraphTape for TapeElsewhere<'_, D> {
    fn outputs(&self) -> &[Tensor] {
        &self.outputs
    }

    fn backward(
        self: Box<Self>,
        cotangents: &[Option<&Tensor>],
        into: &mut Gradients,
    ) -> Result<()> {
        let way = &self.learner.way;
        let there = cotangents.iter().map(|cotangent| match cotangent {
            Some(cotangent) => way.there(cotangent).map(Some),
            None => Ok(None),
        });
        let there = there.collect::<Result<Vec<_>>>()?;
        let there: Vec<_> = there.iter().map(Option::as_ref).collect();
        let mut sums = LearnerElsewhere::<D>::carried(into, |tensor| way.there(tensor))?;
        self.tape.backward(&there, &mut sums)?;
        *into = LearnerElsewhere::<D>::carried(&sums, |tensor| way.back(tensor))?;
        Ok(())
    }
}
