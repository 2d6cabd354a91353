//! What devices do not run.

use super::*;
use impasto_compute::ComputeError;

#[test]
fn graphs_that_do_not_fit_are_refused() -> Result<()> {
    let inputs = [map(3, 5, 6)];
    let filters = Filters::square(3, 4, 3, 1, Border::Valid);
    let good = single(filters.op(1), &inputs);
    let bad = single(Filters::square(4, 4, 3, 1, Border::Valid).op(1), &inputs);
    let mut all = devices();
    all.push(Box::new(ReferenceDevice::new()));
    for device in &all {
        let refused = device.graph(&bad).expect_err("it reads 4 channels");
        assert!(
            matches!(refused, ComputeError::BadNetwork { .. }),
            "{refused}"
        );
        let graph = device.graph(&good)?;
        assert_eq!(graph.spec().nodes.len(), 1);
        for shape in [&[3, 2, 9][..], &[4, 5, 6], &[3], &[3, 5]] {
            let tensor = device.upload(&noise(1, shape.iter().product()), shape)?;
            assert!(graph.run(&[&tensor], None).is_err(), "{shape:?}");
        }
        let tensor = device.upload(&noise(1, 3 * 5 * 6), &[3, 5, 6])?;
        assert!(graph.run(&[], None).is_err());
        assert!(graph.run(&[&tensor, &tensor], None).is_err());
        assert!(graph.run(&[&tensor], None).is_ok());
        assert!(graph.memory(&inputs, None)? >= 4 * 3 * 4 * 4);
        assert!(graph.memory(&[Shape::Vector(3)], None).is_err());
    }
    Ok(())
}
