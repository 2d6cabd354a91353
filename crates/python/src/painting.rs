//! A picture that was painted, and how it came about.

use crate::error::of_error;
use crate::picture::Picture;
use crate::process;
use crate::recipe::Recipe;
use crate::stylizer::Stylizer;
use impasto::{Outcome, Page, Plate, Report};
use pyo3::prelude::*;
use std::sync::Arc;

/// A picture that was painted, and how it came about.
#[pyclass(frozen, module = "impasto._impasto")]
pub struct Painting {
    pub picture: Arc<impasto::Picture>,
    pub content: Arc<impasto::Picture>,
    pub report: Report,
    pub outcome: Outcome,
    pub settings: String,
    pub stylizer: Py<Stylizer>,
}

#[pymethods]
impl Painting {
    /// The picture.
    fn picture(&self, name: String) -> Picture {
        Picture::shared(name, self.picture.clone())
    }

    /// Everything about the run but its pictures, as JSON.
    fn report(&self) -> PyResult<String> {
        let text = serde_json::to_string(&self.report);
        text.map_err(|error| pyo3::exceptions::PyRuntimeError::new_err(error.to_string()))
    }

    /// The recipe of the run.
    #[getter]
    fn recipe(&self) -> Recipe {
        let about = self.stylizer.get().about.clone();
        Recipe::of(about, self.report.recipe.clone())
    }

    /// How it ended: `finished`, `stopped` or `diverged`.
    #[getter]
    fn outcome(&self) -> &'static str {
        match self.outcome {
            Outcome::Finished => "finished",
            Outcome::Stopped => "stopped",
            Outcome::Diverged { .. } => "diverged",
        }
    }

    /// What is wrong with how it ended, a sentence each.
    #[getter]
    fn concerns(&self) -> Vec<String> {
        self.report
            .concerns
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    /// JSON for the metadata of its file.
    #[getter]
    fn settings(&self) -> &str {
        &self.settings
    }

    /// A page about the run: HTML that needs no other file. `content` is what the content is called.
    fn page(&self, py: Python<'_>, content: &str) -> PyResult<String> {
        process::enter(py)?;
        let stylizer = self.stylizer.get();
        let page = py.detach(|| {
            stylizer.with(|stylizer| {
                let page = Page {
                    report: &self.report,
                    content: (content, &self.content),
                    styles: stylizer.styles(),
                    result: &self.picture,
                    command: None,
                };
                page.html()
            })
        });
        page.map_err(|error| of_error(py, error))
    }
}

impl Painting {
    /// It made ready for pages and sheets.
    pub fn plate(&self, name: &str, side: usize) -> impasto::Result<Plate> {
        Plate::new(name, &self.picture, side)
    }
}
