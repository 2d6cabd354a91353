//! Recipes: every number of a method.

use crate::error::{Class, of_error, raise};
use crate::order::RunArgs;
use crate::picture::Picked;
use crate::settings::{self, Row};
use crate::words;
use impasto::job::Made;
use impasto::named::Named;
use impasto::recipe::file::RecipeFile;
use impasto::recipe::{Init, Value, book};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

/// Every setting of a method.
#[pyclass(frozen, eq, module = "impasto._impasto")]
pub struct Recipe {
    /// What it is, in a sentence; may be empty.
    #[pyo3(get)]
    pub about: String,
    pub recipe: impasto::Recipe,
}

/// Recipes are equal by what is done, whatever is said of it.
impl PartialEq for Recipe {
    fn eq(&self, other: &Self) -> bool {
        self.recipe == other.recipe
    }
}

#[pymethods]
impl Recipe {
    /// The recipe of a name, or of a file.
    #[staticmethod]
    fn named(py: Python<'_>, name: &str) -> PyResult<Self> {
        let found = book::find(name).map_err(|error| of_error(py, error))?;
        Ok(Self::of_file(found))
    }

    /// The recipe of the text of a file.
    #[staticmethod]
    fn parse(py: Python<'_>, text: &str) -> PyResult<Self> {
        match RecipeFile::parse(text) {
            Ok(file) => Ok(Self::of_file(file)),
            Err(mistakes) => {
                let lines = mistakes.iter().map(ToString::to_string).collect();
                Err(raise(py, Class::Invalid, lines))
            }
        }
    }

    /// The recipe that a picture of impasto's was made with.
    #[staticmethod]
    fn of_picture(py: Python<'_>, source: Picked) -> PyResult<Self> {
        let made = Made::of(&source.0).map_err(|error| of_error(py, error))?;
        Ok(Self {
            about: String::new(),
            recipe: made.recipe,
        })
    }

    /// Names of what a run may start from.
    #[staticmethod]
    fn starts() -> Vec<&'static str> {
        let named = Init::NAMES
            .iter()
            .filter(|(_, init)| *init != Init::Picture);
        named.map(|(name, _)| *name).collect()
    }

    /// The recipe of a run, with everything that was chosen.
    #[staticmethod]
    fn of_run(py: Python<'_>, run: RunArgs) -> PyResult<Self> {
        let mut problems = run.problems();
        let about = run.about();
        let (recipe, ..) = run.recipe(&mut problems);
        problems.extend(recipe.problems().iter().map(words::of_setting));
        match problems.is_empty() {
            true => Ok(Self { about, recipe }),
            false => Err(settings::refused(py, problems)),
        }
    }

    /// The recipe with settings changed, each a keyword and its text.
    fn change(&self, py: Python<'_>, changes: Vec<(String, String)>) -> PyResult<Self> {
        let (changes, mut problems) = settings::read(&changes);
        let mut recipe = self.recipe.clone();
        problems.extend(recipe.change(&changes).iter().map(words::of_setting));
        if problems.is_empty() {
            problems.extend(recipe.problems().iter().map(words::of_setting));
        }
        if !problems.is_empty() {
            return Err(settings::refused(py, problems));
        }
        let about = self.about.clone();
        Ok(Self { about, recipe })
    }

    /// Its settings by keyword, without those of other methods and optimisers.
    fn values<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let values = PyDict::new(py);
        for row in settings::rows() {
            if let Some(value) = row.value(&self.recipe) {
                values.set_item(&row.keyword, object(py, &value)?)?;
            }
        }
        Ok(values)
    }

    /// The text of its file.
    fn to_toml(&self, about: Option<String>) -> String {
        let about = about.unwrap_or_else(|| self.about.clone());
        let recipe = self.recipe.clone();
        RecipeFile { about, recipe }.to_toml()
    }

    /// Whether it takes styles; a network that has learned one does not.
    #[getter]
    fn needs_styles(&self) -> bool {
        self.recipe.method.needs_styles()
    }
}

impl Recipe {
    fn of_file(file: RecipeFile) -> Self {
        Self {
            about: file.about,
            recipe: file.recipe,
        }
    }

    /// A recipe of a run, and what is said of it.
    pub fn of(about: String, recipe: impasto::Recipe) -> Self {
        Self { about, recipe }
    }
}

/// A value as Python has it. Numbers of f32 are those that people wrote.
fn object<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    match value {
        Value::Flag(flag) => flag.into_bound_py_any(py),
        Value::Whole(number) => number.into_bound_py_any(py),
        Value::Single(number) => number
            .to_string()
            .parse::<f64>()
            .unwrap_or_else(|_| f64::from(*number))
            .into_bound_py_any(py),
        Value::Double(number) => number.into_bound_py_any(py),
        Value::Wholes(numbers) => PyList::new(py, numbers)?.into_bound_py_any(py),
        Value::Layers(layers) => {
            let weights = PyDict::new(py);
            for layer in layers {
                let weight = object(py, &Value::Single(layer.weight))?;
                weights.set_item(layer.layer.to_string(), weight)?;
            }
            weights.into_bound_py_any(py)
        }
        Value::Name(name) => name.into_bound_py_any(py),
        Value::Measure(_, number) => object(py, number),
        other => other.to_string().into_bound_py_any(py),
    }
}

impl Row {
    /// Its value in a recipe; of a choice of numbers only for the one that it is.
    fn value(&self, recipe: &impasto::Recipe) -> Option<Value> {
        let value = self.field.get(recipe)?;
        self.says(&value).then_some(value)
    }
}
