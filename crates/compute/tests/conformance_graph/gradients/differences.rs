//! What the reference says against finite differences of what it computes, in f64.

use super::*;

/// A step that f32 numbers near 1 take exactly.
const STEP: f64 = 1.0 / 4096.0;

/// Loss of noise at inputs.
fn loss(spec: &GraphSpec, inputs: &[(Vec<f64>, Vec<usize>)]) -> f64 {
    let device = ReferenceDevice::new();
    let graph = device.graph(spec).expect("it is valid");
    let read = inputs.iter().map(|(values, shape)| {
        ReferenceDevice::tensor(values.clone(), shape).expect("it is of its shape")
    });
    let read: Vec<_> = read.collect();
    let made = graph.run(&read.iter().collect::<Vec<_>>(), None);
    let made = made.expect("it runs");
    let each = made.iter().enumerate().map(|(index, output)| {
        let cotangent = noise(500 + index as u64, output.len());
        let values = ReferenceDevice::values(output).expect("its own");
        let products = values.iter().zip(cotangent).map(|(y, g)| y * f64::from(g));
        products.sum::<f64>()
    });
    each.sum()
}

/// Holds every gradient of a graph against differences along each number of inputs, and along directions of its numbers.
fn differ(case: &str, spec: &GraphSpec, inputs: &[Shape]) {
    let device = ReferenceDevice::new();
    let learnt = learn(&device, spec, &everything(spec), inputs, 1);
    let learnt = learnt.unwrap_or_else(|error| panic!("{case}: {error}"));
    let read = inputs.iter().enumerate().map(|(index, shape)| {
        let dims = shape.dims();
        let values = noise(index as u64, dims.iter().product());
        (values.into_iter().map(f64::from).collect(), dims)
    });
    let read: Vec<(Vec<f64>, Vec<usize>)> = read.collect();
    assert_near(
        case,
        learnt.loss,
        loss(spec, &read),
        Tolerance::absolute(1e-9),
    );
    for (input, gradient) in learnt.inputs.iter().enumerate() {
        let along = |place: usize| {
            let at = |step: f64| {
                let mut read = read.clone();
                read[input].0[place] += step;
                loss(spec, &read)
            };
            (at(STEP) - at(-STEP)) / (2.0 * STEP)
        };
        let expected: Vec<f64> = (0..gradient.len()).map(along).collect();
        let tolerance = Tolerance::of_greatest(1e-4, &expected);
        let tolerance = Tolerance::absolute(tolerance.absolute.max(1e-6));
        assert_close(
            &format!("{case}, towards input {input}"),
            gradient,
            &expected,
            tolerance,
        );
    }
    let mut lists = learnt.numbers.iter();
    for (node, list) in (0..spec.nodes.len()).flat_map(|node| [(node, 0), (node, 1)]) {
        let Some(numbers) = lists_of(&spec.nodes[node].op).get(list).cloned() else {
            continue;
        };
        let gradient = lists.next().expect("one for each list");
        // All at once, and one after the other where they are few.
        let mut directions = vec![noise(900, numbers.len())];
        directions.extend((0..numbers.len().min(12)).map(|place| {
            let mut direction = vec![0.0; numbers.len()];
            direction[place] = 1.0;
            direction
        }));
        for direction in directions {
            let moved = |step: f64| -> Vec<f32> {
                let pairs = numbers.iter().zip(&direction);
                pairs.map(|(v, d)| v + step as f32 * d).collect()
            };
            let (ahead, behind) = (moved(STEP), moved(-STEP));
            let at = |numbers: &[f32]| {
                let mut spec = spec.clone();
                put_list(&mut spec.nodes[node].op, list, numbers);
                loss(&spec, &read)
            };
            let expected = at(&ahead) - at(&behind);
            let pairs = ahead.iter().zip(&behind).zip(gradient);
            // By what f32 numbers have really moved.
            let got = pairs.map(|((a, b), g)| (f64::from(*a) - f64::from(*b)) * g);
            let got: f64 = got.sum();
            let case = format!("{case}, towards list {list} of node {node}");
            assert_near(
                &case,
                got,
                expected,
                Tolerance {
                    absolute: 1e-6,
                    relative: 1e-3,
                },
            );
        }
    }
    assert!(
        lists.next().is_none(),
        "{case} has more gradients than lists"
    );
}

fn lists_of(op: &Op) -> Vec<Vec<f32>> {
    op.numbers().into_iter().map(<[f32]>::to_vec).collect()
}

/// Replaces a list of numbers of an operation.
fn put_list(op: &mut Op, list: usize, numbers: &[f32]) {
    let lists = match op {
        Op::Convolution(op) => [&mut op.weight, &mut op.bias],
        Op::TransposedConvolution(op) => [&mut op.weight, &mut op.bias],
        Op::Linear(op) => [&mut op.weight, &mut op.bias],
        Op::Scale(op) => [&mut op.scale, &mut op.shift],
        Op::InstanceNorm(InstanceNorm {
            affine: Affine::Fixed(op),
            ..
        }) => [&mut op.scale, &mut op.shift],
        _ => panic!("{} has no numbers", op.name()),
    };
    let [first, second] = lists;
    *if list == 0 { first } else { second } = numbers.into();
}

#[test]
fn gradients_of_every_operation_are_differences() {
    for (case, spec, inputs) in operations::cases() {
        differ(&case, &spec, &inputs);
    }
}

#[test]
fn gradients_of_networks_are_differences() {
    for (case, spec, inputs) in networks::small() {
        differ(&case, &spec, &inputs);
    }
}
