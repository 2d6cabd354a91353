//! The Python module `impasto._impasto`: the library and the program, for the package `impasto` around it.
//!
//! What is here takes plain values and buffers and gives them back; which arguments there are, how they are called and what an
//! array may be is the package's matter, `python/impasto`. Work is done without the interpreter's lock, on a thread of its own
//! that the calling one waits for, so that signals are heard and callbacks are called where Python wants them.

mod catalogue;
mod encoder;
mod error;
mod ledger;
mod order;
mod painting;
mod picture;
mod process;
mod recipe;
mod settings;
mod sheet;
mod step;
mod stylizer;
mod watch;
mod words;

use pyo3::prelude::*;

/// impasto's library and program. The package `impasto` is how it is meant to be used.
#[pymodule]
mod _impasto {
    #[pymodule_export]
    use super::catalogue::{devices, pictures, recipes};
    #[pymodule_export]
    use super::encoder::Encoder;
    #[pymodule_export]
    use super::ledger::Ledger;
    #[pymodule_export]
    use super::painting::Painting;
    #[pymodule_export]
    use super::picture::Picture;
    #[pymodule_export]
    use super::process::{program, stop};
    #[pymodule_export]
    use super::recipe::Recipe;
    #[pymodule_export]
    use super::settings::settings;
    #[pymodule_export]
    use super::sheet::{comparison, gallery};
    #[pymodule_export]
    use super::step::Step;
    #[pymodule_export]
    use super::stylizer::Stylizer;

    #[pymodule_export]
    #[allow(non_upper_case_globals)]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}
