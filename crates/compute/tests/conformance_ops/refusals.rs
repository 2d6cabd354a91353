//! Operands that do not fit and tensors of another device are errors that say so; nothing panics.

use super::devices;
use impasto_compute::reference::ReferenceDevice;
use impasto_compute::{
    AdamBuffers, AdamStep, Align, ComputeError, Device, Moments, Point, Reduction, Result, Tensor,
    TotalVariation,
};

pub(super) fn tensor(device: &dyn Device, shape: &[usize]) -> Tensor {
    let values = vec![0.5; shape.iter().product()];
    device.upload(&values, shape).expect("the lengths fit")
}

/// Every operation on tensors made by `make`; the argument of `make` is the shape that fits.
pub(super) fn every_operation(
    device: &dyn Device,
    make: &dyn Fn(&[usize]) -> Tensor,
) -> Vec<(&'static str, Result<()>)> {
    let vector = || tensor(device, &[6]);
    let map = || tensor(device, &[6, 2, 2]);
    let moments = || Moments {
        mean: tensor(device, &[6]),
        second: tensor(device, &[6, 6]),
    };
    let foreign_moments = || Moments {
        mean: tensor(device, &[6]),
        second: make(&[6, 6]),
    };
    let foreign_mean = || Moments {
        mean: make(&[6]),
        second: tensor(device, &[6, 6]),
    };
    let adam = |foreign: usize| {
        let mut tensors: Vec<Tensor> = (0..5)
            .map(|i| if i == foreign { make(&[6]) } else { vector() })
            .collect();
        let [image, gradient, first, second, average] = &mut tensors[..] else {
            return Ok(());
        };
        let buffers = AdamBuffers {
            image,
            gradient,
            first,
            second,
            average,
        };
        let step = AdamStep {
            learning_rate: 0.1,
            beta1: 0.9,
            beta2: 0.99,
            epsilon: 1e-8,
            correction1: 0.1,
            correction2: 0.01,
            clamp: None,
            average_decay: 0.9,
        };
        device.adam(buffers, &step)
    };
    let matrix = || tensor(device, &[6, 6]);
    let (points, all) = ([Point::default(); 6], [0, 1, 2, 3, 4, 5]);
    vec![
        (
            "gather features",
            device.gather(&make(&[6, 2, 2]), &points, 1.0, &mut matrix(), [0, 0]),
        ),
        (
            "gather rows",
            device.gather(&map(), &points, 1.0, &mut make(&[6, 6]), [0, 0]),
        ),
        (
            "scatter rows",
            device.scatter(&make(&[6, 6]), [0, 0], &points, 1.0, &mut map()),
        ),
        (
            "scatter features",
            device.scatter(&matrix(), [0, 0], &points, 1.0, &mut make(&[6, 2, 2])),
        ),
        (
            "mean_of_rows",
            device.mean_of_rows(&make(&[6, 6])).map(drop),
        ),
        (
            "add_to_rows rows",
            device.add_to_rows(&mut make(&[6, 6]), 1.0, &vector()),
        ),
        (
            "add_to_rows vector",
            device.add_to_rows(&mut matrix(), 1.0, &make(&[6])),
        ),
        ("normalize_rows", device.normalize_rows(&mut make(&[6, 6]))),
        (
            "product a",
            device.product(&make(&[6, 6]), &matrix()).map(drop),
        ),
        (
            "product b",
            device.product(&matrix(), &make(&[6, 6])).map(drop),
        ),
        (
            "nearest queries",
            device.nearest(&make(&[6, 6]), &matrix(), 1).map(drop),
        ),
        (
            "nearest candidates",
            device.nearest(&matrix(), &make(&[6, 6]), 1).map(drop),
        ),
        (
            "nearest_both a",
            device.nearest_both(&make(&[6, 6]), &matrix()).map(drop),
        ),
        (
            "nearest_both b",
            device.nearest_both(&matrix(), &make(&[6, 6])).map(drop),
        ),
        (
            "nearest_among queries",
            device
                .nearest_among(&make(&[6, 6]), &matrix(), &all)
                .map(drop),
        ),
        (
            "nearest_among candidates",
            device
                .nearest_among(&matrix(), &make(&[6, 6]), &all)
                .map(drop),
        ),
        (
            "matched_cosine rows",
            device
                .matched_cosine(&make(&[6, 6]), &matrix(), &all, None, 1.0)
                .map(drop),
        ),
        (
            "matched_cosine candidates",
            device
                .matched_cosine(&matrix(), &make(&[6, 6]), &all, None, 1.0)
                .map(drop),
        ),
        (
            "resized",
            device
                .resized(&make(&[6, 2, 2]), [3, 3], Align::Borders)
                .map(drop),
        ),
        (
            "resized_adjoint",
            device
                .resized_adjoint(&make(&[6, 2, 2]), [3, 3], Align::Borders)
                .map(drop),
        ),
        ("eigen", device.eigen(&make(&[6, 6])).map(drop)),
        (
            "axpby x",
            device.axpby(1.0, &make(&[6]), 1.0, &mut vector()),
        ),
        (
            "axpby y",
            device.axpby(1.0, &vector(), 1.0, &mut make(&[6])),
        ),
        ("dot x", device.dot(&make(&[6]), &vector()).map(drop)),
        ("dot y", device.dot(&vector(), &make(&[6])).map(drop)),
        (
            "squared_error x",
            device.squared_error(&make(&[6]), &vector(), 1.0).map(drop),
        ),
        (
            "squared_error t",
            device.squared_error(&vector(), &make(&[6]), 1.0).map(drop),
        ),
        ("adam image", adam(0)),
        ("adam gradient", adam(1)),
        ("adam first", adam(2)),
        ("adam second", adam(3)),
        ("adam average", adam(4)),
        (
            "total_variation",
            device
                .total_variation(&make(&[3, 2, 2]), TotalVariation::L1, Reduction::Sum, 1.0)
                .map(drop),
        ),
        (
            "covariance",
            device.covariance(&foreign_moments(), 0.0).map(drop),
        ),
        (
            "covariance of a mean",
            device.covariance(&foreign_mean(), 0.0).map(drop),
        ),
        ("trace", device.trace(&make(&[6, 6])).map(drop)),
        (
            "covariance_backward moments",
            device
                .covariance_backward(&foreign_moments(), &matrix(), 1.0)
                .map(drop),
        ),
        (
            "covariance_backward mean",
            device
                .covariance_backward(&foreign_mean(), &matrix(), 1.0)
                .map(drop),
        ),
        (
            "covariance_backward gradient",
            device
                .covariance_backward(&moments(), &make(&[6, 6]), 1.0)
                .map(drop),
        ),
        ("cholesky", device.cholesky(&make(&[6, 6])).map(drop)),
        (
            "fidelity covariance",
            device.fidelity(&make(&[6, 6]), &matrix()).map(drop),
        ),
        (
            "fidelity factor",
            device.fidelity(&matrix(), &make(&[6, 6])).map(drop),
        ),
        (
            "scale_places x",
            device.scale_places(&mut make(&[6, 2, 2]), &tensor(device, &[2, 2])),
        ),
        (
            "scale_places factors",
            device.scale_places(&mut map(), &make(&[2, 2])),
        ),
        (
            "weighted_moments features",
            device
                .weighted_moments(&make(&[6, 2, 2]), &tensor(device, &[2, 2]))
                .map(drop),
        ),
        (
            "weighted_moments weights",
            device.weighted_moments(&map(), &make(&[2, 2])).map(drop),
        ),
        (
            "mix_channels features",
            device
                .mix_channels(&make(&[6, 2, 2]), &matrix(), &vector())
                .map(drop),
        ),
        (
            "mix_channels matrix",
            device
                .mix_channels(&map(), &make(&[6, 6]), &vector())
                .map(drop),
        ),
        (
            "mix_channels bias",
            device
                .mix_channels(&map(), &matrix(), &make(&[6]))
                .map(drop),
        ),
        (
            "standard_deviation",
            device.standard_deviation(&foreign_moments(), 0.0).map(drop),
        ),
        (
            "standard_deviation of a mean",
            device.standard_deviation(&foreign_mean(), 0.0).map(drop),
        ),
        (
            "standard_deviation_backward moments",
            device
                .standard_deviation_backward(&foreign_mean(), &vector(), &vector())
                .map(drop),
        ),
        (
            "standard_deviation_backward deviation",
            device
                .standard_deviation_backward(&moments(), &make(&[6]), &vector())
                .map(drop),
        ),
        (
            "standard_deviation_backward gradient",
            device
                .standard_deviation_backward(&moments(), &vector(), &make(&[6]))
                .map(drop),
        ),
    ]
}

fn all() -> Vec<Box<dyn Device>> {
    let mut all = devices();
    all.push(Box::new(ReferenceDevice::new()));
    all
}

#[test]
fn fitting_operands_are_taken() {
    for device in all() {
        for (name, result) in every_operation(&*device, &|shape| tensor(&*device, shape)) {
            assert!(
                result.is_ok(),
                "{name} on {}: {result:?}",
                device.describe()
            );
        }
    }
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    let longer = |shape: &[usize]| {
        let mut shape = shape.to_vec();
        shape[0] += 1;
        shape
    };
    let flatter = |shape: &[usize]| vec![shape.iter().product(), 1, 1, 1];
    for device in all() {
        for wrong in [&longer as &dyn Fn(&[usize]) -> Vec<usize>, &flatter] {
            for (name, result) in
                every_operation(&*device, &|shape| tensor(&*device, &wrong(shape)))
            {
                // These take any number of channels, or of rows.
                let free = [
                    "total_variation",
                    "scale_places x",
                    "weighted_moments features",
                    "resized",
                    "resized_adjoint",
                    "mean_of_rows",
                    "add_to_rows rows",
                    "normalize_rows",
                    "product a",
                    "product b",
                    "nearest queries",
                    "nearest candidates",
                    "nearest_both a",
                    "nearest_both b",
                    "matched_cosine candidates",
                    "nearest_among candidates",
                    "gather rows",
                    "scatter rows",
                ];
                if free.contains(&name) && wrong(&[3, 2, 2]).len() == 3 {
                    continue;
                }
                assert!(
                    matches!(result, Err(ComputeError::Shape { .. })),
                    "{name} on {}: {result:?}",
                    device.describe()
                );
            }
        }
    }
}

#[test]
fn tensors_of_another_device_are_refused() {
    let reference = ReferenceDevice::new();
    for device in devices() {
        let foreigners = [
            (&*device, &reference as &dyn Device),
            (&reference, &*device),
        ];
        for (device, other) in foreigners {
            for (name, result) in every_operation(device, &|shape| tensor(other, shape)) {
                assert!(
                    matches!(result, Err(ComputeError::ForeignTensor { .. })),
                    "{name} on {}: {result:?}",
                    device.describe()
                );
            }
            let mut foreign = tensor(other, &[6]);
            assert!(device.copy(&foreign).is_err());
            assert!(device.sum_abs(&foreign).is_err());
            assert!(device.download(&foreign).is_err());
            assert!(device.scale_over(&mut foreign, 1.0, &[]).is_err());
        }
    }
}

/// Numbers that are none go through: a caller sees them in the loss, and nothing hangs or panics on the way.
#[test]
fn numbers_that_are_none_do_no_harm() {
    for device in all() {
        for bad in [f32::NAN, f32::INFINITY, f32::MAX] {
            for c in [1, 3, 20] {
                let mut values = vec![0.25; c * c];
                values.iter_mut().step_by(c + 1).for_each(|v| *v = 2.0);
                values[c * c / 2] = bad;
                let matrix = device.upload(&values, &[c, c]).expect("the lengths fit");
                let factor = device.cholesky(&matrix);
                assert!(factor.is_ok());
                let _ = device.fidelity(&matrix, &matrix);
                if let Ok(factor) = factor {
                    let _ = device.fidelity(&matrix, &factor);
                }
            }
        }
    }
}
