//! What devices say, held against PyTorch's autograd: `golden/gradients.py` made the numbers.

use super::super::golden::{numbers, operation};
use super::*;

/// The operations of `gradients.py` that `golden.rs` has not, and what each reads.
fn case(name: &str) -> Option<(Op, Vec<Shape>)> {
    let x = map(4, 6, 7);
    let vector = Shape::Vector(4);
    let function = |function| (Op::Activation(function), vec![x]);
    let epsilon = 1e-3;
    Some(match name {
        "convolution reflect 1" => {
            let Op::Convolution(op) = operation("convolution reflect")? else {
                return None;
            };
            (Op::Convolution(Convolution { stride: 1, ..op }), vec![x])
        }
        "crop" => (Op::Crop { amount: 2 }, vec![x]),
        "modulated" => {
            let op = InstanceNorm {
                epsilon,
                variance: Variance::Unbiased,
                affine: Affine::Given,
            };
            (Op::InstanceNorm(op), vec![x, vector, vector])
        }
        "mean" => (Op::ChannelMean, vec![x]),
        "scale" => {
            let (scale, shift) = (numbers(2, 4).into(), numbers(3, 4).into());
            (Op::Scale(Scaling { scale, shift }), vec![x])
        }
        "relu" => function(Activation::Relu),
        "relu6" => function(Activation::Relu6),
        "sigmoid" => function(Activation::Sigmoid),
        "tanh" => function(Activation::Tanh {
            scale: 0.75,
            shift: 0.25,
        }),
        "clamp" => function(Activation::Clamp {
            low: -0.25,
            high: 0.5,
        }),
        "add" => (Op::Add, vec![x, x]),
        "add a vector" => (Op::Add, vec![x, vector]),
        "multiply" => (Op::Multiply, vec![x, x]),
        "multiply by a vector" => (Op::Multiply, vec![x, vector]),
        "mix" => (Op::Mix, vec![x, x, Shape::Vector(1)]),
        "concat" => (Op::Concat, vec![x, x]),
        "linear" => (operation(name)?, vec![Shape::Vector(5)]),
        other => (operation(other)?, vec![x]),
    })
}

/// The gradients of a line, on a device.
fn gradients(device: &dyn Device, op: Op, inputs: &[Shape]) -> Result<Vec<Vec<f64>>> {
    let spec = single(op, inputs);
    let learner = device.learner(&spec, &everything(&spec))?;
    let read = inputs.iter().enumerate().map(|(index, shape)| {
        let dims = shape.dims();
        device.upload(&numbers(1 + index, dims.iter().product()), &dims)
    });
    let read = read.collect::<Result<Vec<_>>>()?;
    let tape = learner.forward(&read.iter().collect::<Vec<_>>())?;
    let shape = tape.outputs()[0].shape().to_vec();
    let towards = device.upload(&numbers(9, shape.iter().product()), &shape)?;
    let mut gradients = learner.gradients()?;
    tape.backward(&[Some(&towards)], &mut gradients)?;
    let all = gradients.inputs.iter().flatten().chain(&gradients.numbers);
    all.map(|tensor| values(device, tensor)).collect()
}

#[test]
fn gradients_are_those_of_pytorch() -> Result<()> {
    let reference: Box<dyn Device> = Box::new(ReferenceDevice::new());
    // Numbers have eight digits.
    let all = devices().into_iter().map(|device| (device, 1e-5));
    for (device, share) in all.chain([(reference, 1e-7)]) {
        let mut cases = 0;
        for line in include_str!("../golden/gradients.txt").lines() {
            let (name, lists) = line.split_once(':').expect("a name and numbers");
            let (op, inputs) = case(name).unwrap_or_else(|| panic!("{name} is no operation"));
            let got = gradients(&*device, op, &inputs)?;
            let lists: Vec<_> = lists.split('|').collect();
            assert_eq!(got.len(), lists.len(), "{name}");
            for (index, (got, expected)) in got.iter().zip(lists).enumerate() {
                let parse = |value: &str| value.parse::<f64>().expect("a number");
                let expected: Vec<f64> = expected.split_whitespace().map(parse).collect();
                let tolerance = Tolerance::of_greatest(share, &expected);
                let case = format!("{name}, list {index}, on {}", device.describe());
                assert_close(&case, got, &expected, tolerance);
            }
            cases += 1;
        }
        assert_eq!(cases, 35);
    }
    Ok(())
}
