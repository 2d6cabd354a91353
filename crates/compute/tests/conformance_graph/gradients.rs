//! Gradients of graphs: of the reference against finite differences and PyTorch's, of every device against the reference.

use super::*;
use impasto_compute::Tensor;

mod differences;
mod golden;
mod networks;
mod operations;
mod refusals;

/// What a loss of noise gives: its value, and all gradients.
struct Learnt {
    loss: f64,
    inputs: Vec<Vec<f64>>,
    numbers: Vec<Vec<f64>>,
}

/// The values of a tensor, in full precision where it has it.
fn values(device: &dyn Device, tensor: &Tensor) -> Result<Vec<f64>> {
    match ReferenceDevice::values(tensor) {
        Ok(values) => Ok(values.to_vec()),
        Err(_) => {
            let values = device.download(tensor)?;
            Ok(values.into_iter().map(f64::from).collect())
        }
    }
}

/// Noise of a shape.
fn some(device: &dyn Device, seed: usize, shape: &[usize]) -> Result<Tensor> {
    device.upload(&noise(seed as u64, shape.iter().product()), shape)
}

/// Everything that can be wanted of a graph.
fn everything(spec: &GraphSpec) -> Wanted {
    let wanted = Wanted::numbers(spec, |_| true);
    (0..spec.inputs.len()).fold(wanted, Wanted::with_input)
}

/// Learns from so many pictures of noise; the loss is the sum of products of outputs with noise.
fn learn(
    device: &dyn Device,
    spec: &GraphSpec,
    wanted: &Wanted,
    inputs: &[Shape],
    pictures: usize,
) -> Result<Learnt> {
    let learner = device.learner(spec, wanted)?;
    let mut gradients = learner.gradients()?;
    let mut loss = 0.0;
    for picture in 0..pictures {
        let read = inputs.iter().enumerate();
        let read = read.map(|(index, shape)| some(device, 10 * picture + index, &shape.dims()));
        let read = read.collect::<Result<Vec<_>>>()?;
        let tape = learner.forward(&read.iter().collect::<Vec<_>>())?;
        let mut cotangents = Vec::new();
        for (index, output) in tape.outputs().iter().enumerate() {
            let cotangent = some(device, 500 + 10 * picture + index, output.shape())?;
            let pairs = values(device, output)?.into_iter();
            let pairs = pairs.zip(values(device, &cotangent)?);
            loss += pairs.map(|(y, g)| y * g).sum::<f64>();
            cotangents.push(cotangent);
        }
        let cotangents: Vec<_> = cotangents.iter().map(Some).collect();
        tape.backward(&cotangents, &mut gradients)?;
    }
    for (index, (tensor, wanted)) in gradients.inputs.iter().zip(&wanted.inputs).enumerate() {
        assert_eq!(
            tensor.is_some(),
            *wanted,
            "the gradient towards input {index}"
        );
        if let Some(tensor) = tensor {
            assert_eq!(tensor.shape(), inputs[index].dims());
        }
    }
    let inputs = gradients.inputs.iter().flatten();
    let inputs = inputs.map(|tensor| values(device, tensor));
    let numbers = gradients.numbers.iter();
    let numbers = numbers.map(|tensor| values(device, tensor));
    Ok(Learnt {
        loss,
        inputs: inputs.collect::<Result<_>>()?,
        numbers: numbers.collect::<Result<_>>()?,
    })
}

/// Holds every device against the reference, within a share of the greatest number of each gradient.
fn learn_alike(case: &str, share: f64, spec: &GraphSpec, inputs: &[Shape]) {
    thread_local! {
        static DEVICES: Vec<Box<dyn Device>> = devices();
    }
    let wanted = everything(spec);
    let expected = learn(&ReferenceDevice::new(), spec, &wanted, inputs, 2)
        .unwrap_or_else(|error| panic!("{case} on the reference: {error}"));
    DEVICES.with(|devices| {
        for device in devices {
            let case = format!("{case} of {inputs:?} on {}", device.describe());
            let got = learn(&**device, spec, &wanted, inputs, 2)
                .unwrap_or_else(|error| panic!("{case}: {error}"));
            hold(&case, share, &got, &expected);
        }
    });
}

/// Holds gradients against others.
fn hold(case: &str, share: f64, got: &Learnt, expected: &Learnt) {
    for (what, got, expected) in [
        ("input", &got.inputs, &expected.inputs),
        ("list of numbers", &got.numbers, &expected.numbers),
    ] {
        assert_eq!(got.len(), expected.len(), "{case}");
        for (index, (got, expected)) in got.iter().zip(expected).enumerate() {
            // Of what cancels, the rounding of what it was made of is left.
            let absolute = Tolerance::of_greatest(share, expected).absolute.max(share);
            let case = format!("{case}, towards {what} {index}");
            assert_close(&case, got, expected, Tolerance::absolute(absolute));
        }
    }
}

/// Holds what several threads learn against one, bit by bit.
fn learn_same_for_any_threads(case: &str, spec: &GraphSpec, inputs: &[Shape]) {
    let wanted = everything(spec);
    let results = |threads| learn(&*cpu(None, threads), spec, &wanted, inputs, 2).expect("it runs");
    let one = results(1);
    for threads in [2, 3] {
        let case = format!("{case} with {threads} threads");
        let some = results(threads);
        let lists = some.inputs.iter().chain(&some.numbers);
        for (got, expected) in lists.zip(one.inputs.iter().chain(&one.numbers)) {
            assert_same(&case, got, expected);
        }
    }
}
