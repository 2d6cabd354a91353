//! Graphs on every device, held against the reference device: every operation at sizes where loops, vectors and blocks
//! begin and end, and networks as people have them. What the reference computes is held against PyTorch in [`golden`].

#[cfg(feature = "gpu")]
mod card;
#[path = "../devices/mod.rs"]
mod devices;
mod golden;
mod gradients;
mod networks;
mod operations;
mod refusals;

use devices::{cpu, devices};
use impasto_compute::graph::*;
use impasto_compute::reference::ReferenceDevice;
use impasto_compute::{Device, Padding, Result, Size, Strips};
use impasto_testing::{Tolerance, assert_close, assert_near, assert_same, noise};

/// Rounding of sums of a few hundred products in f32, by F(4×4, 3×3) where they may be.
const SUMS: f64 = 2e-5;

/// Products with weights in the largest run that a gpu in software is asked for.
const SOFTWARE: usize = 25_000_000;

/// A map's shape.
fn map(channels: usize, height: usize, width: usize) -> Shape {
    let size = Size { width, height };
    Shape::Map { channels, size }
}

/// What a graph makes of noise on a device.
fn run(
    device: &dyn Device,
    spec: &GraphSpec,
    inputs: &[Shape],
    strips: Option<&Strips>,
) -> Result<Vec<Vec<f64>>> {
    let graph = device.graph(spec)?;
    let upload = |(index, shape): (usize, &Shape)| {
        let dims = shape.dims();
        device.upload(&noise(index as u64 + 1, dims.iter().product()), &dims)
    };
    let tensors = inputs.iter().enumerate().map(upload);
    let tensors = tensors.collect::<Result<Vec<_>>>()?;
    let made = graph.run(&tensors.iter().collect::<Vec<_>>(), strips)?;
    let shapes = spec.shapes(inputs)?;
    for (tensor, &output) in made.iter().zip(&spec.outputs) {
        let shape = match output {
            Value::Input(index) => inputs[index],
            Value::Node(index) => shapes[index],
        };
        assert_eq!(tensor.shape(), shape.dims(), "the shape of {output:?}");
    }
    let values = made
        .iter()
        .map(|tensor| match ReferenceDevice::values(tensor) {
            Ok(values) => Ok(values.to_vec()),
            Err(_) => Ok(device
                .download(tensor)?
                .into_iter()
                .map(f64::from)
                .collect()),
        });
    values.collect()
}

/// Strips of some rows, with maps of some nodes kept.
fn strips(rows: usize, kept: &[usize]) -> Strips {
    Strips {
        rows: Some(rows),
        kept: kept.to_vec(),
    }
}

/// Holds every device against the reference, within a share of the greatest number of each output, and what it makes in
/// strips against what it makes as a whole, bit by bit.
fn agree(case: &str, share: f64, spec: &GraphSpec, inputs: &[Shape]) {
    thread_local! {
        static DEVICES: Vec<Box<dyn Device>> = devices();
    }
    let expected = run(&ReferenceDevice::new(), spec, inputs, None)
        .unwrap_or_else(|error| panic!("{case} on the reference: {error}"));
    DEVICES.with(|devices| {
        let products = spec.products(inputs).expect("it runs on the reference");
        for device in devices {
            if products > SOFTWARE && device.describe().contains("software") {
                continue;
            }
            let case = format!("{case} of {inputs:?} on {}", device.describe());
            let got = run(&**device, spec, inputs, None)
                .unwrap_or_else(|error| panic!("{case}: {error}"));
            // Cards know no strips.
            if device.name() != "gpu" {
                let cut = run(&**device, spec, inputs, Some(&strips(3, &[])))
                    .unwrap_or_else(|error| panic!("{case} in strips: {error}"));
                for (strips, whole) in cut.iter().zip(&got) {
                    assert_same(&format!("{case} in strips"), strips, whole);
                }
            }
            for (got, expected) in got.iter().zip(&expected) {
                // Of what cancels, the rounding of what it was made of is left.
                let absolute = Tolerance::of_greatest(share, expected).absolute.max(share);
                let tolerance = Tolerance::absolute(absolute);
                assert_close(&case, got, expected, tolerance);
            }
        }
    });
}

/// Holds what several threads compute against one, bit by bit.
fn same_for_any_threads(case: &str, spec: &GraphSpec, inputs: &[Shape]) {
    let results = |threads| run(&*cpu(None, threads), spec, inputs, None).expect("it runs");
    let one = results(1);
    for threads in [2, 3] {
        for (got, expected) in results(threads).iter().zip(&one) {
            assert_same(&format!("{case} with {threads} threads"), got, expected);
        }
    }
}

/// A graph of a single operation on inputs of these kinds.
fn single(op: Op, inputs: &[Shape]) -> GraphSpec {
    let mut spec = GraphSpec::new();
    let reads: Vec<Value> = inputs
        .iter()
        .map(|shape| spec.input("x", shape.kind()))
        .collect();
    let made = spec.push(op, &reads);
    spec.output(made);
    spec
}

/// A convolution of noise, whose results are of the size of what it reads.
struct Filters {
    inputs: usize,
    outputs: usize,
    groups: usize,
    kernel: [usize; 2],
    stride: usize,
    border: Border,
}

impl Filters {
    /// An ordinary one, square.
    fn square(inputs: usize, outputs: usize, kernel: usize, stride: usize, border: Border) -> Self {
        Self {
            inputs,
            outputs,
            groups: 1,
            kernel: [kernel; 2],
            stride,
            border,
        }
    }

    fn op(&self, seed: u64) -> Op {
        let each = self.inputs / self.groups * self.kernel[0] * self.kernel[1];
        let scale = (each as f32).sqrt().recip();
        let weight = noise(seed + 100, self.outputs * each);
        Op::Convolution(Convolution {
            inputs: self.inputs,
            outputs: self.outputs,
            groups: self.groups,
            kernel: self.kernel,
            stride: self.stride,
            border: self.border,
            weight: weight.iter().map(|v| v * scale).collect(),
            bias: noise(seed + 200, self.outputs).into(),
        })
    }
}

/// Scale and shift of some channels.
fn scaling(seed: u64, channels: usize) -> Scaling {
    Scaling {
        scale: noise(seed + 300, channels)
            .iter()
            .map(|v| v + 1.0)
            .collect(),
        shift: noise(seed + 400, channels).into(),
    }
}

/// An instance norm with fixed scale and shift.
fn norm(seed: u64, channels: usize) -> Op {
    Op::InstanceNorm(InstanceNorm {
        epsilon: 1e-5,
        variance: Variance::Biased,
        affine: Affine::Fixed(scaling(seed, channels)),
    })
}
