//! What of a folder of results is finished, told among processes.

use crate::error::{Class, raise};
use impasto::job::{self, Finished, sha256};
use pyo3::prelude::*;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// What of a folder of results is finished, written by any number of processes at once.
#[pyclass(frozen, module = "impasto._impasto")]
pub struct Ledger(Mutex<job::Ledger>);

#[pymethods]
impl Ledger {
    /// Reads what all writers have noted in a folder, which is made if it does not exist. No two writers have one name.
    #[new]
    fn new(py: Python<'_>, folder: PathBuf, writer: &str) -> PyResult<Self> {
        let opened = job::Ledger::open(&folder, writer);
        let opened = opened.map_err(|error| {
            let problem = format!("cannot share {}: {error}", folder.display());
            raise(py, Class::Failed, vec![problem])
        })?;
        Ok(Self(Mutex::new(opened)))
    }

    /// Whether a file is finished, was made from this, and is as it was written.
    fn has(&self, file: &str, made_from: &str) -> bool {
        let ledger = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ledger.find(file, made_from).is_some()
    }

    /// Notes a result, whose file of these bytes is to appear next.
    fn add(
        &self,
        file: String,
        made_from: String,
        bytes: &[u8],
        steps: usize,
        seconds: f64,
    ) -> PyResult<()> {
        let finished = Finished {
            file,
            made_from,
            sha256: sha256(bytes),
            steps,
            seconds,
        };
        let mut ledger = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(ledger.add(finished)?)
    }
}
