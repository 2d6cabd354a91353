//! What concerns the whole process: the program's `main`, threads and forks.

use crate::error::{Class, raise};
use pyo3::prelude::*;
use std::ffi::OsString;
use std::sync::OnceLock;

/// The process in which threads were started.
static HOME: OnceLock<u32> = OnceLock::new();

/// To be called before any work: threads are started by it, and a process that was forked from this one has none of them.
///
/// # Errors
/// In such a process, where work would wait for these threads for ever.
pub fn enter(py: Python<'_>) -> PyResult<()> {
    let here = std::process::id();
    match *HOME.get_or_init(|| here) == here {
        true => Ok(()),
        false => Err(raise(
            py,
            Class::Forked,
            vec![
                "this process was forked from one in which impasto had worked already, and its threads are not here: start \
                 workers by multiprocessing's spawn or forkserver, or let impasto work in the workers alone"
                    .into(),
            ],
        )),
    }
}

/// Ends the program that this process is, as Ctrl-C does: after the step of its run. Whether there is such a run; if not,
/// nothing holds the process. Any thread may ask for it.
#[pyfunction]
pub fn stop() -> bool {
    impasto_cli::stop()
}

/// Is the program: `call` is its name and arguments, the answer its exit status. Once in a process, on its main thread.
#[pyfunction]
pub fn program(py: Python<'_>, call: Vec<OsString>) -> u8 {
    // What starts itself for its films, as the studio does, is to start this again.
    let python = py.import("sys").ok();
    let python = python.and_then(|sys| sys.getattr("executable").ok());
    if let Some(python) = python.and_then(|path| path.extract::<OsString>().ok()) {
        impasto_cli::start_by(vec![python, "-m".into(), "impasto".into()]);
    }
    py.detach(|| impasto_cli::main(call))
}
