//! A device that lacks operations gives what the reference gives, and the log says so once for each.

use super::{ROUNDING, Results, each, images, matching, matrices, refusals, values, vectors};
use impasto_compute::graph::{Graph, GraphSpec, Learner, Wanted};
use impasto_compute::prelude::*;
use impasto_compute::reference::ReferenceDevice;
use impasto_compute::{
    ComputeError, NetSpec, Network, Patch, Reduction, Result, Storage, Tensor, TotalVariation,
    Window,
};
use impasto_testing::{assert_close, noise};
use std::any::Any;
use std::sync::{Mutex, PoisonError};

/// Has memory, and nothing that computes.
#[derive(Debug)]
struct Bare {
    name: &'static str,
}

#[derive(Debug)]
struct Values(Vec<f32>);

impl Storage for Values {
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

impl Hardware for Bare {
    fn name(&self) -> &str {
        self.name
    }

    fn describe(&self) -> String {
        self.name.into()
    }

    fn upload(&self, values: &[f32], shape: &[usize]) -> Result<Tensor> {
        Ok(Tensor::from_storage(
            shape,
            Box::new(Values(values.to_vec())),
        ))
    }

    fn download(&self, tensor: &Tensor) -> Result<Vec<f32>> {
        let values = tensor.storage::<Values>();
        values
            .map(|values| values.0.clone())
            .ok_or_else(|| ComputeError::ForeignTensor {
                what: "download",
                device: self.name.into(),
            })
    }
}

impl VectorOps for Bare {}
impl SpatialOps for Bare {}
impl Statistics for Bare {}
impl MatrixOps for Bare {}
impl Matching for Bare {}

impl Networks for Bare {
    fn network(&self, _: &NetSpec) -> Result<Box<dyn Network>> {
        Err(ComputeError::Unsupported {
            device: self.name.into(),
            operation: "networks",
        })
    }
}

impl Graphs for Bare {
    fn graph(&self, _: &GraphSpec) -> Result<Box<dyn Graph>> {
        Err(ComputeError::Unsupported {
            device: self.name.into(),
            operation: "graphs",
        })
    }
}

impl Learning for Bare {
    fn learner(&self, _: &GraphSpec, _: &Wanted) -> Result<Box<dyn Learner>> {
        Err(ComputeError::Unsupported {
            device: self.name.into(),
            operation: "learning of graphs",
        })
    }
}

/// Every operation that has a fallback.
const OPERATIONS: [&str; 35] = [
    "copy",
    "zeros",
    "axpby",
    "dot",
    "sum_abs",
    "max_abs",
    "clamp",
    "squared_error",
    "scale_over",
    "adam",
    "paste",
    "scale_places",
    "total_variation",
    "weighted_moments",
    "covariance",
    "covariance_backward",
    "standard_deviation",
    "standard_deviation_backward",
    "trace",
    "cholesky",
    "fidelity",
    "mix_channels",
    "resized",
    "resized_adjoint",
    "eigen",
    "gather",
    "scatter",
    "mean_of_rows",
    "add_to_rows",
    "normalize_rows",
    "product",
    "nearest",
    "nearest_both",
    "nearest_among",
    "matched_cosine",
];

fn pasted(device: &dyn Device) -> Result<Results> {
    let x = device.upload(&noise(1, 2 * 3 * 4), &[2, 3, 4])?;
    let mut y = device.upload(&noise(2, 2 * 5 * 5), &[2, 5, 5])?;
    let from = Window {
        top: 1,
        left: 0,
        height: 2,
        width: 3,
    };
    for b in [0.5, 0.0] {
        device.paste(&x, &Patch { from, to: (2, 1) }, b, &mut y)?;
    }
    let zeros = device.zeros(&[2, 3])?;
    Ok(vec![
        ("paste", values(device, &y)?),
        ("zeros", values(device, &zeros)?),
    ])
}

fn factored(device: &dyn Device) -> Result<Results> {
    let covariance = device.upload(&[2.0, 0.5, 0.5, 1.0], &[2, 2])?;
    let factor = device.cholesky(&covariance)?;
    let (value, gradient) = device.fidelity(&covariance, &factor)?;
    Ok(vec![
        ("cholesky", values(device, &factor)?),
        ("fidelity", vec![value.value()?]),
        ("its gradient", values(device, &gradient)?),
    ])
}

fn script(device: &dyn Device) -> Result<Results> {
    let mut results = vectors::script(device, &[5, 4, 3])?;
    results.extend(vectors::script(device, &[0])?);
    for reduction in [Reduction::Mean, Reduction::Sum] {
        let kind = TotalVariation::NinePoint;
        results.extend(images::script(device, [3, 5, 7], kind, reduction)?);
    }
    results.extend(matrices::weighted_script(device, 7, [3, 5])?);
    results.extend(matrices::moment_script(device, 7)?);
    results.extend(pasted(device)?);
    results.extend(images::scaled_script(device, [3, 5, 7])?);
    results.extend(factored(device)?);
    results.extend(matrices::mix_script(device, [5, 3], [2, 4])?);
    results.extend(matching::gathered_script(device, [5, 4, 3], 7)?);
    results.extend(matching::rows_script(device, [6, 9], 4)?);
    results.extend(matching::resized_script(device, [3, 5, 4], [2, 7])?);
    results.extend(matching::eigen_script(device, 5)?);
    Ok(results)
}

#[test]
fn what_a_device_lacks_is_what_the_reference_computes() -> Result<()> {
    let expected = script(&ReferenceDevice::new())?;
    let got = script(&Bare { name: "bare" })?;
    each("bare", &got, &expected, |case, got, expected| {
        assert_close(case, got, expected, ROUNDING)
    });
    Ok(())
}

#[test]
fn what_a_device_lacks_refuses_what_the_reference_refuses() {
    let (device, reference) = (Bare { name: "bare" }, ReferenceDevice::new());
    let longer = |shape: &[usize]| {
        let flat = shape.iter().product::<usize>() + 1;
        refusals::tensor(&device, &[flat, 1, 1, 1])
    };
    for (name, result) in refusals::every_operation(&device, &longer) {
        assert!(
            matches!(result, Err(ComputeError::Shape { .. })),
            "{name}: {result:?}"
        );
    }
    let foreign = |shape: &[usize]| refusals::tensor(&reference, shape);
    for (name, result) in refusals::every_operation(&device, &foreign) {
        let refused = matches!(result, Err(ComputeError::ForeignTensor { .. }));
        assert!(refused, "{name}: {result:?}");
    }
}

/// There is nothing behind the reference: an operation that it forgot must not call itself for ever.
#[test]
fn the_reference_has_no_fallback() {
    let refused = ReferenceDevice::new().falls_back("dot");
    assert!(matches!(refused, Err(ComputeError::Unsupported { .. })));
}

/// The warnings of this process.
static WARNINGS: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Log;

impl log::Log for Log {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() == log::Level::Warn
    }
    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            let mut warnings = WARNINGS.lock().unwrap_or_else(PoisonError::into_inner);
            warnings.push(record.args().to_string());
        }
    }
    fn flush(&self) {}
}

#[test]
fn the_log_says_once_what_a_device_lacks() -> Result<()> {
    let started = log::set_logger(&Log);
    assert!(started.is_ok(), "nothing else in this process logs");
    log::set_max_level(log::LevelFilter::Warn);
    let names = ["bare to be logged", "bare to be logged too"];
    for _ in 0..2 {
        for name in names {
            script(&Bare { name })?;
        }
    }
    let warnings = WARNINGS.lock().unwrap_or_else(PoisonError::into_inner);
    for name in names {
        for operation in OPERATIONS {
            let start = format!("{name}: {operation} ");
            let lines = warnings.iter().filter(|line| line.starts_with(&start));
            assert_eq!(lines.count(), 1, "{start}");
        }
        let start = format!("{name}: ");
        let all = warnings.iter().filter(|line| line.starts_with(&start));
        assert_eq!(all.count(), OPERATIONS.len(), "{start}");
    }
    Ok(())
}
