//! What learners refuse.

use super::*;
use impasto_compute::ComputeError;

fn graph() -> GraphSpec {
    single(Op::Scale(scaling(1, 3)), &[map(3, 2, 2)])
}

#[test]
fn wishes_of_another_graph_are_refused() {
    for device in devices() {
        let spec = graph();
        for wanted in [
            Wanted {
                inputs: vec![],
                nodes: vec![true],
            },
            Wanted {
                inputs: vec![true],
                nodes: vec![true; 2],
            },
        ] {
            let refused = device.learner(&spec, &wanted);
            assert!(matches!(refused, Err(ComputeError::Shape { .. })));
        }
        let mut spec = spec;
        spec.outputs.clear();
        let refused = device.learner(&spec, &everything(&spec));
        assert!(matches!(refused, Err(ComputeError::BadNetwork { .. })));
    }
}

#[test]
fn what_does_not_fit_is_refused() -> Result<()> {
    for device in devices() {
        let spec = graph();
        let mut learner = device.learner(&spec, &everything(&spec))?;
        let one = some(&*device, 1, &[3, 2, 2])?;
        let other = some(&*device, 1, &[3, 2, 3])?;
        let foreign = some(&ReferenceDevice::new(), 1, &[3, 2, 2])?;
        assert!(learner.forward(&[]).is_err());
        assert!(learner.forward(&[&one, &one]).is_err());
        let mut gradients = learner.gradients()?;
        for cotangents in [&[][..], &[None, None], &[Some(&other)]] {
            let refused = learner
                .forward(&[&one])?
                .backward(cotangents, &mut gradients);
            assert!(matches!(refused, Err(ComputeError::Shape { .. })));
        }
        if device.name() != "reference" {
            let refused = learner.forward(&[&foreign]);
            assert!(matches!(refused, Err(ComputeError::ForeignTensor { .. })));
            let tape = learner.forward(&[&one])?;
            let refused = tape.backward(&[Some(&foreign)], &mut gradients);
            assert!(matches!(refused, Err(ComputeError::ForeignTensor { .. })));
        }
        // Gradients towards inputs of another size are not added up.
        learner
            .forward(&[&one])?
            .backward(&[Some(&one)], &mut gradients)?;
        let tape = learner.forward(&[&other])?;
        assert!(tape.backward(&[Some(&other)], &mut gradients).is_err());
        gradients.numbers.pop();
        let refused = learner.forward(&[&one])?.backward(&[None], &mut gradients);
        assert!(matches!(refused, Err(ComputeError::Shape { .. })));
        let numbers = learner.numbers()?;
        assert!(learner.set(&numbers[1..]).is_err());
        learner.set(&numbers)?;
    }
    Ok(())
}

#[test]
fn no_cotangent_is_a_gradient_of_nothing() -> Result<()> {
    for device in devices()
        .into_iter()
        .chain([Box::new(ReferenceDevice::new()) as Box<dyn Device>])
    {
        let spec = graph();
        let learner = device.learner(&spec, &everything(&spec))?;
        let one = some(&*device, 1, &[3, 2, 2])?;
        let mut gradients = learner.gradients()?;
        learner
            .forward(&[&one])?
            .backward(&[None], &mut gradients)?;
        let towards = gradients.inputs[0].as_ref().expect("it is wanted");
        assert_same("input", &values(&*device, towards)?, &[0.0; 12]);
        assert_same(
            "scale",
            &values(&*device, &gradients.numbers[0])?,
            &[0.0; 3],
        );
    }
    Ok(())
}
