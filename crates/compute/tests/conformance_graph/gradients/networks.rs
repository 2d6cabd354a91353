//! Gradients of networks as people have them: values that several nodes read, and what devices fuse.

use super::super::networks::{johnson, mobile, modulated};
use super::operations::Case;
use super::*;

const REFLECT: Border = Border::Centred(Padding::Reflect);

/// Networks small enough for finite differences.
pub(super) fn small() -> Vec<Case> {
    let inputs = [map(3, 5, 4), map(3, 4, 6), Shape::Vector(1)];
    vec![
        ("shared".into(), shared(), vec![map(2, 4, 3)]),
        ("modulated".into(), modulated(), inputs.to_vec()),
    ]
}

/// A value that is read by several nodes, twice by one of them, handed out, and handed out again.
fn shared() -> GraphSpec {
    let mut spec = GraphSpec::new();
    let image = spec.input("image", Kind::Map(2));
    let x = spec.push(Filters::square(2, 2, 3, 1, REFLECT).op(1), &[image]);
    let y = spec.push(Op::Activation(Activation::Sigmoid), &[x]);
    let z = spec.push(Op::Multiply, &[y, y]);
    let z = spec.push(Op::Add, &[z, x]);
    let z = spec.push(Op::Add, &[z, z]);
    let mean = spec.push(Op::ChannelMean, &[y]);
    let w = spec.push(Op::Multiply, &[z, mean]);
    let c = spec.push(Op::Concat, &[w, x, image]);
    for value in [y, c, y, image] {
        spec.output(value);
    }
    spec
}

#[test]
fn networks_learn_alike() {
    // Norms of fewer places than these have hardly any variance, and roundings are divided by it.
    for (height, width) in [(20, 17), (33, 50)] {
        for scaled in [false, true] {
            for border in [REFLECT, Border::Centred(Padding::Zero)] {
                let spec = johnson([4, 8, 16], border, scaled);
                learn_alike("johnson", 1e-3, &spec, &[map(3, height, width)]);
            }
        }
    }
    for (height, width) in [(4, 8), (7, 5), (33, 50)] {
        let inputs = [map(3, height, width)];
        learn_alike("mobile", 1e-4, &mobile(), &inputs);
        learn_alike("shared", 1e-4, &shared(), &[map(2, height, width)]);
        let inputs = [inputs[0], map(3, 9, 16), Shape::Vector(1)];
        learn_alike("modulated", 1e-3, &modulated(), &inputs);
    }
}

#[test]
fn networks_learn_the_same_for_any_threads() {
    let spec = johnson([8, 16, 32], REFLECT, true);
    learn_same_for_any_threads("johnson", &spec, &[map(3, 61, 90)]);
    learn_same_for_any_threads("mobile", &mobile(), &[map(3, 61, 90)]);
}

/// What is not wanted is not there, and what is wanted is the same as if all were.
#[test]
fn gradients_do_not_depend_on_what_else_is_wanted() {
    let spec = johnson([4, 8, 16], REFLECT, true);
    let inputs = [map(3, 17, 22)];
    let norms = |op: &Op| matches!(op, Op::InstanceNorm(_));
    let device = cpu(None, 2);
    let all = learn(&*device, &spec, &everything(&spec), &inputs, 1).expect("it learns");
    let some = Wanted::numbers(&spec, norms);
    let got = learn(&*device, &spec, &some, &inputs, 1).expect("it learns");
    let wanted = everything(&spec);
    let lists = wanted.lists(&spec).zip(&all.numbers);
    let expected = lists.filter(|((node, _), _)| norms(&spec.nodes[*node].op));
    let expected: Vec<_> = expected.map(|(_, list)| list).collect();
    assert_eq!(got.numbers.len(), expected.len());
    for (got, expected) in got.numbers.iter().zip(expected) {
        assert_same("norms alone", got, expected);
    }
    let picture = Wanted::numbers(&spec, |_| false).with_input(0);
    let got = learn(&*device, &spec, &picture, &inputs, 1).expect("it learns");
    assert!(got.numbers.is_empty());
    assert_same("the picture alone", &got.inputs[0], &all.inputs[0]);
}

/// After a step, everything is that of a graph made of the new numbers.
#[test]
fn numbers_that_are_set_are_those_of_the_graph() -> Result<()> {
    let spec = johnson([4, 8, 16], REFLECT, true);
    let inputs = [map(3, 17, 22)];
    let wanted = everything(&spec);
    for device in devices() {
        let mut learner = device.learner(&spec, &wanted)?;
        let mut changed = learner.numbers()?;
        for (index, numbers) in changed.iter_mut().enumerate() {
            let noise = some(&*device, 700 + index, numbers.shape())?;
            device.axpby(0.05, &noise, 1.0, numbers)?;
        }
        learner.set(&changed)?;
        let case = device.describe();
        for (tensor, (_, list)) in changed.iter().zip(wanted.lists(learner.spec())) {
            assert_same(&case, &device.download(tensor)?, list);
        }
        let fresh = learn(&*device, learner.spec(), &wanted, &inputs, 1)?;
        let before = learn(&*device, &spec, &wanted, &inputs, 1)?;
        let image = some(&*device, 0, &inputs[0].dims())?;
        let tape = learner.forward(&[&image])?;
        let cotangent = some(&*device, 500, tape.outputs()[0].shape())?;
        let mut gradients = learner.gradients()?;
        tape.backward(&[Some(&cotangent)], &mut gradients)?;
        for (index, tensor) in gradients.numbers.iter().enumerate() {
            let got = values(&*device, tensor)?;
            assert_same(
                &format!("{case}, list {index}"),
                &got,
                &fresh.numbers[index],
            );
        }
        assert_ne!(fresh.numbers, before.numbers);
    }
    Ok(())
}
