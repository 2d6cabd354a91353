//! The student: 3×3 convolutions with ReLU and 2×2 pools, as VGG has them, and a linear head behind each layer that it
//! predicts. Its forward pass is written with burn, which knows the gradients towards weights.
//!
//! The first convolution sees the picture continued by its border, the others see zeros, as impasto's recipes run it.
//! The loss is the sum over heads of `mean (y − t)²`; as a target has mean square 1, that is the share of it which is not
//! explained, `1 − R²`.

use crate::random::{Purpose, Random};
use crate::teacher::Target;
use anyhow::{Context, Result, anyhow, bail};
use burn::tensor::module::{conv2d, max_pool2d};
use burn::tensor::ops::{ConvOptions, MaxPoolOptions};
use burn::tensor::{Device, Gradients, Tensor, TensorData, activation};
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

/// A tensor of weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// The name in files: `conv2_1.weight`, `head.relu2_1.bias`.
    pub name: String,
    /// Its shape: `[out, in, 3, 3]`, `[out, in]` or `[out]`.
    pub shape: Vec<usize>,
    /// Its values.
    pub values: Vec<f32>,
}

impl Parameter {
    /// Whether it is a bias.
    pub fn is_bias(&self) -> bool {
        self.shape.len() == 1
    }
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

/// Some crops of a batch.
#[derive(Clone, Copy, Debug)]
struct Part<'a> {
    side: usize,
    crops: &'a [Vec<f32>],
    targets: &'a [Vec<Vec<f32>>],
}

/// Parts of a batch.
const PARTS: usize = 2;

impl Batch {
    fn parts(&self) -> Vec<Part<'_>> {
        let length = self.crops.len().div_ceil(PARTS).max(1);
        let pairs = self.crops.chunks(length).zip(self.targets.chunks(length));
        pairs
            .map(|(crops, targets)| Part {
                side: self.side,
                crops,
                targets,
            })
            .collect()
    }
}

/// Loss of each head and gradients of their sum.
#[derive(Clone, Debug)]
pub struct Slope {
    /// `mean (y − t)²` of each head.
    pub losses: Vec<f64>,
    /// Towards each parameter, in their order.
    pub gradients: Vec<Vec<f32>>,
}

/// Losses and gradients of a batch. Its parts are worked on side by side: much of what burn's convolutions do is done by one
/// thread. The number of parts is fixed, so that the sums do not depend on the machine.
pub fn slope(shape: &Shape, parameters: &[Parameter], batch: &Batch) -> Result<Slope> {
    let crops = batch.crops.len();
    let parts = batch.parts();
    let slopes = std::thread::scope(|scope| {
        let threads: Vec<_> = parts
            .iter()
            .map(|part| scope.spawn(move || part_slope(shape, parameters, part)))
            .collect();
        let joined = threads.into_iter().map(|thread| match thread.join() {
            Ok(slope) => slope,
            Err(_) => Err(anyhow!(
                "burn gave up on a batch of crops of {} px",
                batch.side
            )),
        });
        joined.collect::<Result<Vec<_>>>()
    })?;
    let mut sum = Slope {
        losses: vec![0.0; shape.heads.len()],
        gradients: parameters
            .iter()
            .map(|p| vec![0.0; p.values.len()])
            .collect(),
    };
    for (slope, part) in slopes.iter().zip(&parts) {
        let share = part.crops.len() as f64 / crops as f64;
        sum.losses
            .iter_mut()
            .zip(&slope.losses)
            .for_each(|(sum, loss)| *sum += share * loss);
        let pairs = sum
            .gradients
            .iter_mut()
            .flatten()
            .zip(slope.gradients.iter().flatten());
        pairs.for_each(|(sum, gradient)| *sum += share as f32 * gradient);
    }
    Ok(sum)
}

/// Losses and gradients of a part of a batch.
fn part_slope(shape: &Shape, parameters: &[Parameter], batch: &Part<'_>) -> Result<Slope> {
    let device = Device::flex().autodiff();
    let leaves: Vec<Leaf> = parameters.iter().map(|p| Leaf::new(p, &device)).collect();
    let (convolutions, heads) = leaves.split_at(2 * shape.blocks.iter().flatten().count());
    let mut x = input(batch, &device);
    let (mut convolutions, mut losses, mut total) = (convolutions.chunks(2), vec![], None);
    for (block, widths) in (1..).zip(&shape.blocks) {
        if block > 1 {
            x = max_pool2d(x, MaxPoolOptions::new([2, 2]));
        }
        for (index, _) in (1..).zip(widths) {
            let Some([Leaf::Filters(weight), Leaf::Vector(bias)]) = convolutions.next() else {
                bail!("the parameters are not those of the student's shape");
            };
            // The picture comes with its border.
            let padding = usize::from((block, index) != (1, 1));
            let options = ConvOptions::new([1, 1], [padding; 2], [1, 1], 1);
            x = activation::relu(conv2d(x, weight.clone(), Some(bias.clone()), options));
            let here = LayerName::Relu { block, index };
            let Some(head) = shape.heads.iter().position(|&(layer, _)| layer == here) else {
                continue;
            };
            let [Leaf::Matrix(weight), Leaf::Vector(bias)] = &heads[2 * head..2 * head + 2] else {
                bail!("the parameters are not those of the student's shape");
            };
            let [crops, channels, height, width] = x.dims();
            let components = shape.heads[head].1;
            let features = x.clone().reshape([crops, channels, height * width]);
            let weight = weight.clone().reshape([1, components, channels]);
            let bias = bias.clone().reshape([1, components, 1]);
            let seen = weight.matmul(features) + bias;
            let target: Vec<f32> = batch
                .targets
                .iter()
                .flat_map(|t| &t[head])
                .copied()
                .collect();
            let count = target.len();
            let target = tensor(target, [crops, components, height * width], &device);
            let loss = (seen - target).square().sum().div_scalar(count as f32);
            losses.push(loss.clone());
            total = Some(match total {
                None => loss,
                Some(total) => total + loss,
            });
        }
    }
    let total = total.context("the student has no heads")?;
    let mut gradients = total.backward();
    let mut values = Vec::with_capacity(losses.len());
    for loss in losses {
        values.push(f64::from(numbers(loss)?[0]));
    }
    let leaves = leaves.into_iter().zip(parameters);
    let gradients = leaves.map(|(leaf, parameter)| leaf.gradient(&mut gradients, parameter));
    Ok(Slope {
        losses: values,
        gradients: gradients.collect::<Result<_>>()?,
    })
}

/// A parameter as a leaf of burn's graph.
enum Leaf {
    Filters(Tensor<4>),
    Matrix(Tensor<2>),
    Vector(Tensor<1>),
}

impl Leaf {
    fn new(parameter: &Parameter, device: &Device) -> Self {
        let values = parameter.values.clone();
        match *parameter.shape {
            [out, from, rows, columns] => {
                Leaf::Filters(tensor(values, [out, from, rows, columns], device).require_grad())
            }
            [out, from] => Leaf::Matrix(tensor(values, [out, from], device).require_grad()),
            _ => Leaf::Vector(tensor(values, [parameter.values.len()], device).require_grad()),
        }
    }

    fn gradient(self, gradients: &mut Gradients, parameter: &Parameter) -> Result<Vec<f32>> {
        let found = match self {
            Leaf::Filters(leaf) => leaf.grad_remove(gradients).map(numbers),
            Leaf::Matrix(leaf) => leaf.grad_remove(gradients).map(numbers),
            Leaf::Vector(leaf) => leaf.grad_remove(gradients).map(numbers),
        };
        // Layers behind the last head have none.
        found.unwrap_or_else(|| Ok(vec![0.0; parameter.values.len()]))
    }
}

fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn numbers<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>> {
    let data = tensor.into_data();
    let values = data.as_slice::<f32>();
    Ok(values
        .map_err(|error| anyhow::anyhow!("burn: {error:?}"))?
        .to_vec())
}

/// The crops, normalised and continued by one pixel of their border.
fn input(batch: &Part<'_>, device: &Device) -> Tensor<4> {
    let (side, wide) = (batch.side, batch.side + 2);
    let mut values = Vec::with_capacity(batch.crops.len() * 3 * wide * wide);
    for plane in batch
        .crops
        .iter()
        .flat_map(|crop| crop.chunks_exact(side * side))
    {
        for row in 0..wide {
            let row = &plane[row.saturating_sub(1).min(side - 1) * side..][..side];
            let row = [&row[..1], row, &row[side - 1..]].concat();
            values.extend(row.iter().map(|v| (v - MEAN) / DEVIATION));
        }
    }
    tensor(values, [batch.crops.len(), 3, wide, wide], device)
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
    fn burn_and_impasto_see_the_same() {
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
        let slope = slope(&shape, &parameters, &batch).unwrap();
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
        let total = |parameters: &[Parameter]| {
            let losses = slope(&shape, parameters, &batch).unwrap().losses;
            losses.iter().sum::<f64>()
        };
        let gradients = slope(&shape, &parameters, &batch).unwrap().gradients;
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
