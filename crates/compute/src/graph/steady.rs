//! Graphs whose statistics do not follow what they read: what a film needs, whose frames would flicker otherwise.
//!
//! ```text
//! norm:  (x − μ(x)) / √(σ²(x) + ε) · γ + β   ─▶   x · γ/d + (β − m·γ/d)        m, d: of a whole shot
//! ```
//!
//! Networks with instance norms paint each frame by its own mean and deviation, which change with whatever moves through it.
//! Taken from some frames and kept, they paint the same thing the same way (Wang et al. 2020, ReReVST, arXiv 1905.02949, share
//! statistics over a sequence so). A graph without norms is also run in strips without a pass for each of them.

use super::op::{Affine, InstanceNorm, Op, Scaling, Variance};
use super::spec::{GraphSpec, Node, Value};
use crate::{ComputeError, Hardware, Result, Tensor};

/// Mean and deviation of what every norm of a graph reads, in their order; of means and deviations of channels, what they are.
#[derive(Clone, Debug, PartialEq)]
pub struct Steadiness {
    values: Vec<[Vec<f32>; 2]>,
    runs: usize,
}

/// What a norm divides by, as an operation.
fn deviation(epsilon: f32, variance: Variance) -> Op {
    Op::ChannelDeviation { epsilon, variance }
}

/// What is measured before a node, if it follows what is read.
fn measured(node: &Node) -> Option<(Value, [Op; 2])> {
    let &read = node.reads.first()?;
    match node.op {
        Op::InstanceNorm(InstanceNorm {
            epsilon, variance, ..
        }) => Some((read, [Op::ChannelMean, deviation(epsilon, variance)])),
        Op::ChannelMean => Some((read, [Op::ChannelMean, Op::ChannelMean])),
        Op::ChannelDeviation { epsilon, variance } => {
            let op = deviation(epsilon, variance);
            Some((read, [op.clone(), op]))
        }
        _ => None,
    }
}

impl GraphSpec {
    /// Whether anything in it follows the statistics of what it reads.
    pub fn follows_statistics(&self) -> bool {
        self.nodes.iter().any(|node| measured(node).is_some())
    }

    /// The graph that hands out, after its own outputs, mean and deviation of everything that [`GraphSpec::steadied`] keeps.
    pub fn observed(&self) -> GraphSpec {
        let mut spec = self.clone();
        for node in &self.nodes {
            if let Some((read, ops)) = measured(node) {
                for op in ops {
                    let value = spec.push(op, &[read]);
                    spec.output(value);
                }
            }
        }
        spec
    }

    /// The graph with statistics that are kept, whatever it reads.
    ///
    /// # Errors
    /// [`ComputeError::BadSetting`] if they are another graph's.
    pub fn steadied(&self, kept: &Steadiness) -> Result<GraphSpec> {
        let mut values = kept.values.iter();
        let mut spec = GraphSpec {
            inputs: self.inputs.clone(),
            ..GraphSpec::default()
        };
        let mut made: Vec<Value> = Vec::new();
        let place = |value: Value, made: &[Value]| match value {
            Value::Input(_) => value,
            Value::Node(index) => made[index],
        };
        for node in &self.nodes {
            let reads: Vec<_> = node.reads.iter().map(|&read| place(read, &made)).collect();
            let value = match (&node.op, measured(node).is_some()) {
                (Op::InstanceNorm(norm), _) => {
                    let scaling = normalising(values.next(), &norm.affine)?;
                    let mut value = spec.push(Op::Scale(scaling), &reads[..1]);
                    if let (Affine::Given, &[_, scale, shift]) = (&norm.affine, &reads[..]) {
                        value = spec.push(Op::Multiply, &[value, scale]);
                        value = spec.push(Op::Add, &[value, shift]);
                    }
                    value
                }
                (op, true) => {
                    let [shift, _] = values.next().ok_or_else(another)?;
                    let scale = vec![0.0; shift.len()].into();
                    let shift = shift.clone().into();
                    let own = spec.push(op.clone(), &reads);
                    spec.push(Op::Scale(Scaling { scale, shift }), &[own])
                }
                (op, false) => spec.push(op.clone(), &reads),
            };
            made.push(value);
        }
        if values.next().is_some() {
            return Err(another());
        }
        spec.outputs = self
            .outputs
            .iter()
            .map(|&value| place(value, &made))
            .collect();
        spec.validate()?;
        Ok(spec)
    }
}

fn another() -> ComputeError {
    ComputeError::BadSetting("these statistics are of another graph".into())
}

/// A norm by what is kept, with a fixed scale and shift behind it.
fn normalising(kept: Option<&[Vec<f32>; 2]>, affine: &Affine) -> Result<Scaling> {
    let [mean, deviation] = kept.ok_or_else(another)?;
    let behind = |channel: usize| match affine {
        Affine::Fixed(fixed) => (
            fixed.scale.get(channel).copied().unwrap_or(1.0),
            fixed.shift.get(channel).copied().unwrap_or(0.0),
        ),
        Affine::Plain | Affine::Given => (1.0, 0.0),
    };
    let each = mean.iter().zip(deviation).enumerate();
    let (scale, shift): (Vec<f32>, Vec<f32>) = each
        .map(|(channel, (mean, deviation))| {
            let (gamma, beta) = behind(channel);
            // A channel without any deviation is all mean.
            let scale = if *deviation > 0.0 {
                gamma / deviation
            } else {
                0.0
            };
            (scale, beta - mean * scale)
        })
        .unzip();
    Ok(Scaling {
        scale: scale.into(),
        shift: shift.into(),
    })
}

impl Steadiness {
    /// What a run of [`GraphSpec::observed`] has handed out after the `own` outputs of the graph.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn of(device: &dyn Hardware, outputs: &[Tensor], own: usize) -> Result<Self> {
        let pairs = outputs.get(own..).unwrap_or_default().chunks_exact(2);
        let values = pairs.map(|pair| Ok([device.download(&pair[0])?, device.download(&pair[1])?]));
        Ok(Self {
            values: values.collect::<Result<_>>()?,
            runs: 1,
        })
    }

    /// The mean of these and of another run's: of deviations, of their squares.
    ///
    /// # Errors
    /// [`ComputeError::BadSetting`] if they are of another graph.
    pub fn and(mut self, other: &Self) -> Result<Self> {
        if self.values.len() != other.values.len() {
            return Err(another());
        }
        let (ours, theirs) = (self.runs as f32, other.runs as f32);
        let share = theirs / (ours + theirs);
        for (pair, more) in self.values.iter_mut().zip(&other.values) {
            let [mean, deviation] = pair;
            let [other_mean, other_deviation] = more;
            if mean.len() != other_mean.len() || deviation.len() != other_deviation.len() {
                return Err(another());
            }
            for (value, more) in mean.iter_mut().zip(other_mean) {
                *value += share * (more - *value);
            }
            for (value, more) in deviation.iter_mut().zip(other_deviation) {
                *value = (*value * *value * (1.0 - share) + more * more * share).sqrt();
            }
        }
        self.runs += other.runs;
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Activation, Border, Convolution, Graphs, Kind};
    use crate::reference::ReferenceDevice;
    use crate::{Hardware, Padding};

    fn graph(affine: Affine) -> GraphSpec {
        let mut spec = GraphSpec::new();
        let image = spec.input("image", Kind::Map(2));
        let convolution = Convolution {
            inputs: 2,
            outputs: 2,
            groups: 1,
            kernel: [3, 3],
            stride: 1,
            border: Border::Centred(Padding::Reflect),
            weight: (0..36).map(|at| (at % 7) as f32 / 7.0 - 0.4).collect(),
            bias: vec![0.1, -0.2].into(),
        };
        let made = spec.push(Op::Convolution(convolution), &[image]);
        let mut reads = vec![made];
        if matches!(affine, Affine::Given) {
            reads.push(spec.input("scale", Kind::Vector(2)));
            reads.push(spec.input("shift", Kind::Vector(2)));
        }
        let norm = Op::InstanceNorm(InstanceNorm {
            epsilon: 1e-5,
            variance: Variance::Biased,
            affine,
        });
        let normed = spec.push(norm, &reads);
        let active = spec.push(Op::Activation(Activation::Relu), &[normed]);
        let mean = spec.push(Op::ChannelMean, &[active]);
        let sum = spec.push(Op::Add, &[active, mean]);
        spec.output(sum);
        spec
    }

    /// On what it was taken from a steady graph makes what the graph makes; on something brighter it does not follow.
    #[test]
    fn what_is_kept_is_kept() {
        let device = ReferenceDevice::new();
        let fixed = Affine::Fixed(Scaling {
            scale: vec![1.5, 0.5].into(),
            shift: vec![0.2, 0.3].into(),
        });
        for affine in [Affine::Plain, fixed, Affine::Given] {
            let given = matches!(affine, Affine::Given);
            let spec = graph(affine);
            assert!(spec.follows_statistics());
            let upload = |offset: f32| {
                let values: Vec<_> = (0..2 * 5 * 7)
                    .map(|at| (at * 37 % 11) as f32 / 11.0 + offset)
                    .collect();
                device.upload(&values, &[2, 5, 7]).unwrap()
            };
            let vector = |values: [f32; 2]| device.upload(&values, &[2]).unwrap();
            let (scale, shift) = (vector([2.0, 1.0]), vector([0.5, 0.0]));
            let run = |spec: &GraphSpec, image: &Tensor| {
                let mut inputs = vec![image];
                if given {
                    inputs.extend([&scale, &shift]);
                }
                device.graph(spec).unwrap().run(&inputs, None).unwrap()
            };
            let values = |tensor: &Tensor| device.download(tensor).unwrap();
            let (dark, bright) = (upload(0.0), upload(1.0));
            let seen = run(&spec.observed(), &dark);
            let kept = Steadiness::of(&device, &seen, 1).unwrap();
            let steady = spec.steadied(&kept).unwrap();
            let own = values(&run(&spec, &dark)[0]);
            assert_eq!(own.len(), 70);
            for (one, other) in own.iter().zip(values(&run(&steady, &dark)[0])) {
                assert!((one - other).abs() < 1e-5, "{one} {other}");
            }
            let followed = values(&run(&spec, &bright)[0]);
            let stays = values(&run(&steady, &bright)[0]);
            let apart = followed.iter().zip(&stays).map(|(a, b)| (a - b).abs());
            assert!(apart.fold(0.0, f32::max) > 0.1);
            // The mean of a run and itself is that run.
            let twice = kept.clone().and(&kept).unwrap();
            for (one, other) in kept.values.iter().zip(&twice.values) {
                for (one, other) in one.iter().flatten().zip(other.iter().flatten()) {
                    assert!((one - other).abs() < 1e-6);
                }
            }
            let nothing = Steadiness {
                values: vec![],
                runs: 1,
            };
            assert!(spec.steadied(&nothing).is_err() && kept.and(&nothing).is_err());
        }
    }
}
