//! What there is: recipes, built-in pictures, devices.

use crate::error::of_error;
use crate::process;
use impasto::compute::Hardware;
use impasto::compute::cpu::{CpuDevice, CpuSettings};
use impasto::device::gpus;
use impasto::examples::{self, Kind};
use impasto::recipe::book;
use pyo3::prelude::*;

/// Name and sentence of every built-in recipe.
#[pyfunction]
pub fn recipes(py: Python<'_>) -> PyResult<Vec<(&'static str, String)>> {
    let recipes = book::all().iter().map(|one| {
        let file = one.read().map_err(|error| of_error(py, error))?;
        Ok((one.name, file.about))
    });
    recipes.collect()
}

/// Name with its `@`, kind (`style` or `content`) and sentence of every built-in picture.
#[pyfunction]
pub fn pictures() -> Vec<(String, &'static str, &'static str)> {
    let pictures = examples::all().iter().map(|one| {
        let kind = match one.kind {
            Kind::Style => "style",
            Kind::Content => "content",
        };
        (format!("@{}", one.name), kind, one.about)
    });
    pictures.collect()
}

/// Name and description of every device of this machine.
#[pyfunction]
pub fn devices(py: Python<'_>) -> PyResult<Vec<(String, String)>> {
    process::enter(py)?;
    let found = py.detach(|| -> impasto::Result<_> {
        let cpu = CpuDevice::new(CpuSettings::default())?;
        let mut found = vec![("cpu".to_string(), cpu.describe())];
        // A build without them has none.
        let gpus = gpus().unwrap_or_default().into_iter();
        found.extend(gpus.map(|gpu| {
            (
                format!("gpu:{}", gpu.index),
                format!("{} ({})", gpu.name, gpu.kind),
            )
        }));
        found.push((
            "reference".into(),
            "naive loops in f64, slow and right".into(),
        ));
        Ok(found)
    });
    found.map_err(|error| of_error(py, error))
}
