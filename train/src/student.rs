//! The student: 3×3 convolutions with ReLU and 2×2 pools, as VGG has them, and a linear head behind each layer that it
//! predicts. It learns as a graph of impasto's own device, and is measured as the encoder that this is.
//!
//! The first convolution sees the picture continued by its border, the others see zeros, as impasto's recipes run it.
//! The loss is the sum over heads of `mean (y − t)²`; as a target has mean square 1, that is the share of it which is not
//! explained, `1 − R²`.

use crate::random::{Purpose, Random};
use crate::teacher::Target;
use crate::weights::Parameter;
use anyhow::{Context, Result, anyhow, bail};
use impasto::compute::graph::{
    Activation, Border, Convolution, GraphSpec, Kind, Learner, Op, Pooling, PoolingKind, Scaling,
    Wanted,
};
use impasto::compute::{Device, Padding};
use impasto::{Encoder, LayerName};
use impasto_weights::{Checkpoint, WeightTensor};

/// Mean and deviation of what the student reads (`plain` preprocessing).
const MEAN: f32 = 0.45;
const DEVIATION: f32 = 0.225;

/// Widths and heads.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Channels of the convolutions, block by block.
    pub blocks: Vec<Vec<usize>>,
    /// The layers that have a head, from shallow to deep, and its channels.
    pub heads: Vec<(LayerName, usize)>,
}

impl Shape {
    /// Names and shapes of all parameters: convolutions, then heads, weight and bias of each.
    pub fn parameters(&self) -> Vec<(String, Vec<usize>)> {
        let mut parameters = Vec::new();
        let mut channels = 3;
        for (block, widths) in (1..).zip(&self.blocks) {
            for (index, &width) in (1..).zip(widths) {
                let name = format!("conv{block}_{index}");
                parameters.push((format!("{name}.weight"), vec![width, channels, 3, 3]));
                parameters.push((format!("{name}.bias"), vec![width]));
                channels = width;
            }
        }
        for &(layer, width) in &self.heads {
            let channels = self.width(layer);
            parameters.push((format!("head.{layer}.weight"), vec![width, channels]));
            parameters.push((format!("head.{layer}.bias"), vec![width]));
        }
        parameters
    }

    /// Channels behind a layer; 0 if there is no such layer.
    fn width(&self, layer: LayerName) -> usize {
        let LayerName::Relu { block, index } = layer else {
            return 0;
        };
        let block = self.blocks.get(usize::from(block).wrapping_sub(1));
        let width = block.and_then(|block| block.get(usize::from(index).wrapping_sub(1)));
        width.copied().unwrap_or(0)
    }

    /// Random weights, by He's rule for ReLUs (arXiv 1502.01852), and biases of 0.
    pub fn random(&self, seed: u64) -> Vec<Parameter> {
        let parameters = self.parameters().into_iter().enumerate();
        parameters
            .map(|(index, (name, shape))| {
                let mut random = Random::of(seed, Purpose::Weights, [index as u64, 0]);
                let inputs: usize = shape[1..].iter().product();
                let deviation = match shape.len() {
                    1 => 0.0,
                    _ => (2.0 / inputs as f32).sqrt(),
                };
                let length = shape.iter().product();
                let values = (0..length).map(|_| deviation * random.normal()).collect();
                Parameter {
                    name,
                    shape,
                    values,
                }
            })
            .collect()
    }

    /// Takes the convolutions of a file of weights over; heads are left.
    pub fn start_from(&self, parameters: &mut [Parameter], start: &Checkpoint) -> Result<()> {
        for parameter in parameters.iter_mut().filter(|p| p.name.starts_with("conv")) {
            match start.tensors.get(&parameter.name) {
                Some(tensor) if tensor.shape == parameter.shape => {
                    parameter.values.clone_from(&tensor.values);
                }
                Some(tensor) => bail!(
                    "{} of the weights to start from has the shape {:?}, and the configuration says {:?}",
                    parameter.name,
                    tensor.shape,
                    parameter.shape
                ),
                None => bail!("the weights to start from have no {}", parameter.name),
            }
        }
        Ok(())
    }
}

/// The parameters as a file that impasto reads as an encoder.
pub fn checkpoint(parameters: &[Parameter]) -> Checkpoint {
    let tensors = parameters.iter().map(|parameter| {
        let tensor = WeightTensor {
            shape: parameter.shape.clone(),
            values: parameter.values.clone(),
        };
        (parameter.name.clone(), tensor)
    });
    let metadata = [
        ("licence", "MIT OR Apache-2.0"),
        (
            "origin",
            "trained by the impasto project to predict VGG-19 features",
        ),
        ("architecture", "vgg-lite"),
        ("preprocessing", "plain"),
    ];
    Checkpoint {
        tensors: tensors.collect(),
        metadata: metadata
            .map(|(key, value)| (key.into(), value.into()))
            .into(),
    }
}

/// The parameters with each head's results multiplied, so that they are in the teacher's own units.
pub fn scaled(parameters: &[Parameter], targets: &[Target]) -> Vec<Parameter> {
    let mut parameters = parameters.to_vec();
    for target in targets {
        let prefix = format!("head.{}.", target.layer);
        for parameter in parameters
            .iter_mut()
            .filter(|p| p.name.starts_with(&prefix))
        {
            parameter
                .values
                .iter_mut()
                .for_each(|v| *v *= target.scale as f32);
        }
    }
    parameters
}

/// The parameters as an encoder.
pub fn encoder(parameters: &[Parameter]) -> Result<Encoder> {
    Encoder::from_checkpoint("student", checkpoint(parameters), None)
        .context("the student is no encoder")
}

/// Crops and what the teacher sees of them.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Side of the crops in pixels.
    pub side: usize,
    /// The crops, one after the other, each `[3, side, side]` in 0..1.
    pub crops: Vec<Vec<f32>>,
    /// For each crop, for each head, `[components, h, w]`.
    pub targets: Vec<Vec<Vec<f32>>>,
}

/// Loss of each head and gradients of their sum.
#[derive(Clone, Debug)]
pub struct Slope {
    /// `mean (y − t)²` of each head.
    pub losses: Vec<f64>,
    /// Towards each parameter, in their order.
    pub gradients: Vec<Vec<f32>>,
}

/// Threads that share the crops of a batch. A constant, so that sums do not depend on the machine.
const PARTS: usize = 2;

/// A student that learns: as many times as there are threads, each on a device of its own.
#[derive(Debug)]
pub struct Student(Vec<Part>);

#[derive(Debug)]
struct Part {
    device: Box<dyn Device>,
    learner: Box<dyn Learner>,
}

impl Student {
    /// A student with these parameters.
    pub fn new(shape: &Shape, parameters: &[Parameter]) -> Result<Self> {
        let spec = graph(shape, parameters)?;
        let wanted = Wanted::numbers(&spec, |op| matches!(op, Op::Convolution(_)));
        let parts = (0..PARTS).map(|_| {
            let device = crate::teacher::device(Some(1))?;
            let learner = device.learner(&spec, &wanted)?;
            Ok(Part { device, learner })
        });
        Ok(Self(parts.collect::<Result<_>>()?))
    }

    /// Replaces its numbers, in the order of the parameters.
    pub fn set(&mut self, values: &[Vec<f32>]) -> Result<()> {
        for Part { device, learner } in &mut self.0 {
            let tensors = values.iter();
            let tensors = tensors.map(|values| device.upload(values, &[values.len()]));
            learner.set(&tensors.collect::<Result<Vec<_>, _>>()?)?;
        }
        Ok(())
    }

    /// Losses and gradients of a batch.
    pub fn slope(&self, batch: &Batch) -> Result<Slope> {
        let slopes = std::thread::scope(|scope| {
            let parts = self.0.iter().enumerate();
            let threads: Vec<_> = parts
                .map(|(index, part)| scope.spawn(move || part.slope(batch, index)))
                .collect();
            let joined = threads.into_iter().map(|thread| {
                let failed = |_| anyhow!("a thread gave up on crops of {} px", batch.side);
                thread.join().map_err(failed)?
            });
            joined.collect::<Result<Vec<_>>>()
        })?;
        let mut slopes = slopes.into_iter();
        let mut sum = slopes.next().context("nobody has looked at the crops")?;
        for slope in slopes {
            let losses = sum.losses.iter_mut().zip(&slope.losses);
            losses.for_each(|(sum, loss)| *sum += loss);
            let gradients = sum.gradients.iter_mut().flatten();
            let pairs = gradients.zip(slope.gradients.iter().flatten());
            pairs.for_each(|(sum, gradient)| *sum += gradient);
        }
        Ok(sum)
    }
}

impl Part {
    /// Sums over every so many-th crop, from one on, each counting its share of the batch.
    fn slope(&self, batch: &Batch, first: usize) -> Result<Slope> {
        let (device, side) = (self.device.as_ref(), batch.side);
        let mut gradients = self.learner.gradients()?;
        let mut losses = vec![0.0; self.learner.spec().outputs.len()];
        let crops = batch.crops.iter().zip(&batch.targets);
        for (crop, targets) in crops.skip(first).step_by(PARTS) {
            let image = device.upload(crop, &[3, side, side])?;
            let tape = self.learner.forward(&[&image])?;
            let mut towards = Vec::with_capacity(targets.len());
            for ((seen, target), loss) in tape.outputs().iter().zip(targets).zip(&mut losses) {
                let share = 1.0 / (batch.crops.len() * target.len()) as f64;
                let target = device.upload(target, seen.shape())?;
                let (error, slope) = device.squared_error(seen, &target, 2.0 * share as f32)?;
                *loss += share * error.value()?;
                towards.push(slope);
            }
            let towards: Vec<_> = towards.iter().map(Some).collect();
            tape.backward(&towards, &mut gradients)?;
        }
        let values = gradients.numbers.iter();
        let values = values.map(|tensor| device.download(tensor));
        Ok(Slope {
            losses,
            gradients: values.collect::<Result<_, _>>()?,
        })
    }
}

/// The student as a graph: from RGB in 0..1 to what its heads see. Nodes with numbers that are learned are in the order of
/// the parameters.
fn graph(shape: &Shape, parameters: &[Parameter]) -> Result<GraphSpec> {
    let mut graph = GraphSpec::new();
    let image = graph.input("image", Kind::Map(3));
    let scaling = Scaling {
        scale: vec![1.0 / DEVIATION; 3].into(),
        shift: vec![-MEAN / DEVIATION; 3].into(),
    };
    let mut x = graph.push(Op::Scale(scaling), &[image]);
    let mut pairs = parameters.chunks_exact(2);
    let mut seen = Vec::new();
    for (block, widths) in (1..).zip(&shape.blocks) {
        if block > 1 {
            let pool = Pooling {
                kind: PoolingKind::Max,
                kernel: 2,
                stride: 2,
                border: Border::Valid,
            };
            x = graph.push(Op::Pool(pool), &[x]);
        }
        for (index, _) in (1..).zip(widths) {
            let padding = match (block, index) {
                (1, 1) => Padding::Replicate,
                _ => Padding::Zero,
            };
            x = graph.push(convolution(pairs.next(), padding)?, &[x]);
            x = graph.push(Op::Activation(Activation::Relu), &[x]);
            seen.push((LayerName::Relu { block, index }, x));
        }
    }
    for &(layer, _) in &shape.heads {
        let read = seen.iter().find(|(there, _)| *there == layer);
        let (_, read) = read.context("a head reads a layer that there is not")?;
        let head = graph.push(convolution(pairs.next(), Padding::Zero)?, &[*read]);
        graph.output(head);
    }
    graph.validate()?;
    Ok(graph)
}

/// A convolution of weight and bias; a head's is one of 1×1.
fn convolution(pair: Option<&[Parameter]>, padding: Padding) -> Result<Op> {
    let Some([weight, bias]) = pair else {
        bail!("the parameters are not those of the student's shape");
    };
    let (outputs, inputs, side) = match *weight.shape {
        [outputs, inputs, side, _] => (outputs, inputs, side),
        [outputs, inputs] => (outputs, inputs, 1),
        _ => bail!("{} is no matrix and no filters", weight.name),
    };
    Ok(Op::Convolution(Convolution {
        inputs,
        outputs,
        groups: 1,
        kernel: [side, side],
        stride: 1,
        border: Border::Centred(padding),
        weight: weight.values.clone().into(),
        bias: bias.values.clone().into(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::teacher;
    use crate::testing;

    fn shape() -> Shape {
        Shape {
            blocks: vec![vec![3, 2], vec![4]],
            heads: testing::taps(&[("relu1_1", 2), ("relu2_1", 3)])
                .iter()
                .map(|tap| (tap.layer, tap.components))
                .collect(),
        }
    }

    fn batch(side: usize) -> Batch {
        let mut random = Random::of(1, Purpose::Step, [0, 0]);
        let mut some = |n| (0..n).map(|_| random.uniform()).collect::<Vec<f32>>();
        Batch {
            side,
            crops: (0..2).map(|_| some(3 * side * side)).collect(),
            targets: (0..2)
                .map(|_| vec![some(2 * side * side), some(3 * (side / 2) * (side / 2))])
                .collect(),
        }
    }

    #[test]
    fn what_learns_and_what_is_measured_see_the_same() {
        let (shape, batch) = (shape(), batch(8));
        let parameters = shape.random(4);
        let device = teacher::device(Some(1)).unwrap();
        let spec = encoder(&parameters).unwrap().spec(&teacher::options());
        let network = device.network(&spec).unwrap();
        let (mut sums, mut counts) = (vec![0.0f64; 2], vec![0usize; 2]);
        for (crop, targets) in batch.crops.iter().zip(&batch.targets) {
            let seen = teacher::heads(device.as_ref(), network.as_ref(), crop, (8, 8)).unwrap();
            for (head, (seen, target)) in seen.iter().zip(targets).enumerate() {
                let pairs = seen.iter().zip(target);
                sums[head] += pairs.map(|(y, t)| f64::from(y - t).powi(2)).sum::<f64>();
                counts[head] += target.len();
            }
        }
        let student = Student::new(&shape, &parameters).unwrap();
        let slope = student.slope(&batch).unwrap();
        for head in 0..2 {
            let wanted = sums[head] / counts[head] as f64;
            let got = slope.losses[head];
            assert!(
                (got - wanted).abs() < 1e-4 * wanted,
                "head {head}: {got} {wanted}"
            );
        }
    }

    #[test]
    fn gradients_are_those_of_finite_differences() {
        let (shape, batch) = (shape(), batch(6));
        let mut parameters = shape.random(9);
        let mut student = Student::new(&shape, &parameters).unwrap();
        let gradients = student.slope(&batch).unwrap().gradients;
        let mut total = |parameters: &[Parameter]| {
            let values: Vec<_> = parameters.iter().map(|it| it.values.clone()).collect();
            student.set(&values).unwrap();
            student.slope(&batch).unwrap().losses.iter().sum::<f64>()
        };
        for index in 0..parameters.len() {
            // One direction for all entries of a parameter at once.
            let mut random = Random::of(2, Purpose::Weights, [index as u64, 1]);
            let kept = parameters[index].values.clone();
            let direction: Vec<f32> = kept.iter().map(|_| random.normal()).collect();
            let mut at = |distance: f32| {
                let moved = kept.iter().zip(&direction).map(|(v, d)| v + distance * d);
                parameters[index].values = moved.collect();
                let value = total(&parameters);
                parameters[index].values.clone_from(&kept);
                value
            };
            // Longer steps cross the corners of ReLUs.
            let step = 3e-4;
            let measured = (at(step) - at(-step)) / f64::from(2.0 * step);
            let pairs = gradients[index].iter().zip(&direction);
            let said: f64 = pairs.map(|(g, d)| f64::from(g * d)).sum();
            let tolerance = 2e-2 * said.abs().max(0.05);
            let name = &parameters[index].name;
            assert!(
                (measured - said).abs() < tolerance,
                "{name}: {measured} {said}"
            );
        }
    }

    #[test]
    fn weights_to_start_from_must_fit() {
        let shape = shape();
        let mut parameters = shape.random(1);
        let other = shape.random(2);
        shape
            .start_from(&mut parameters, &checkpoint(&other))
            .unwrap();
        assert_eq!(parameters[0], other[0]);
        assert_ne!(parameters[6], other[6], "heads are left");
        let wide = Shape {
            blocks: vec![vec![3, 5], vec![4]],
            ..shape.clone()
        };
        let error = shape.start_from(&mut parameters, &checkpoint(&wide.random(1)));
        assert!(error.unwrap_err().to_string().contains("conv1_2.weight"));
        let error = shape.start_from(&mut parameters, &Checkpoint::default());
        assert!(error.unwrap_err().to_string().contains("have no conv1_1"));
    }
}
