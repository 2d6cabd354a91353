//! What paints: an encoder, styles and a recipe on a device, for any number of contents.

use crate::error::{Class, of_error, of_everything, of_problems, raise};
use crate::order::{RunArgs, missing_folder};
use crate::painting::Painting;
use crate::picture::Picked;
use crate::process;
use crate::recipe::Recipe;
use crate::step::{Ask, Facts, Step};
use crate::watch::Watch;
use impasto::job::{self, Draft, MadeWith, Order, Outputs, Problem, Run, Source, describe};
use impasto::{Picture, Stylized};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyDict};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

/// How often signals are looked for.
const ALERT: Duration = Duration::from_millis(50);
/// What a main thread usually has.
const STACK: usize = 8 << 20;

/// An encoder, styles and a recipe on a device, ready for any number of contents.
#[pyclass(frozen, module = "impasto._impasto")]
pub struct Stylizer {
    inner: Mutex<impasto::Stylizer>,
    run: Run,
    /// What its recipe says of itself.
    pub about: String,
    /// JSON for the metadata of results.
    settings: String,
    /// What results are made with, if that was asked for.
    made_with: Option<MadeWith>,
    /// The content that it was checked with, for the first call.
    first: Mutex<Option<Arc<Picture>>>,
    /// The thread that waits for a picture.
    waiting: Mutex<Option<ThreadId>>,
    stop: AtomicBool,
}

/// Losses at a picture: name, value, weight of each term; their weighted sum; the gradient `[3, h, w]` as f32.
type Losses<'py> = (Vec<(String, f64, f64)>, f64, Bound<'py, PyByteArray>);

#[pymethods]
impl Stylizer {
    /// Checks everything and prepares it. Styles are `None` if they cannot be read, which is among the problems of `run`.
    /// `content` is one that is to be painted first, if it is known already; `identified` readies it to say what results are
    /// made from.
    #[new]
    fn new(
        py: Python<'_>,
        styles: Option<Vec<(Picked, f32)>>,
        run: RunArgs,
        content: Option<Picked>,
        identified: bool,
    ) -> PyResult<Self> {
        process::enter(py)?;
        let mut lines = Vec::new();
        let about = run.about();
        let run = run.read(&mut lines);
        let are_read = styles.is_some();
        let styles: Vec<(Source, f32)> = styles
            .unwrap_or_default()
            .into_iter()
            .map(|(Picked(source), weight)| (source, weight))
            .collect();
        for (source, weight) in &styles {
            if !(weight.is_finite() && *weight > 0.0) {
                let name = source.name();
                lines.push(format!(
                    "the weight of style {name} is {weight}: must be a number greater than 0"
                ));
            }
        }
        let has_none = are_read && styles.is_empty() && run.regions.styles.is_empty();
        if has_none && run.recipe.method.needs_styles() {
            lines.push("style is missing: name a painting, or one of impasto.styles()".into());
        }
        let content = content.map(|Picked(source)| source);
        let made = py.detach(|| match content {
            Some(content) => Self::of_order(styles, run, content, lines.is_empty()),
            None => Self::of_run(styles, run, lines.is_empty(), identified),
        });
        made.map(|made| Self { about, ..made })
            .map_err(|problems| of_everything(py, lines, &problems))
    }

    /// Paints a content; without one, that which it was made with. Returns the painting, and what ended the run early: an
    /// exception of the callback, or of a signal. `tell` is called with each step, or with one in so many seconds; `False`
    /// ends the run.
    fn paint(
        slf: &Bound<'_, Self>,
        content: Option<Picked>,
        tell: Option<Py<PyAny>>,
        every: Option<f64>,
    ) -> PyResult<(Painting, Option<PyErr>)> {
        let py = slf.py();
        process::enter(py)?;
        let this = slf.get();
        let content = this.content(py, content)?;
        let every = every.and_then(|every| Duration::try_from_secs_f64(every).ok());
        let begun = this.begin(py)?;
        let (stylized, interruption) = py.detach(|| this.run(&content, tell.as_ref(), every));
        drop(begun);
        let Stylized {
            picture,
            report,
            outcome,
            ..
        } = stylized.map_err(|error| match &interruption {
            Some(interruption) => interruption.clone_ref(py),
            None => error.raised(py),
        })?;
        let painting = Painting {
            picture: picture.into(),
            content,
            report,
            outcome,
            settings: this.settings.clone(),
            stylizer: slf.clone().unbind(),
        };
        Ok((painting, interruption))
    }

    /// Ends the run that is under way after its step; any thread may ask for it.
    fn cancel(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    /// Losses at an image as large as the content, everything at its own size, and the gradient towards sRGB in 0..1.
    fn losses<'py>(
        &self,
        py: Python<'py>,
        content: Picked,
        image: Picked,
    ) -> PyResult<Losses<'py>> {
        process::enter(py)?;
        let begun = self.begin(py)?;
        let inspected = py.detach(|| {
            let (content, image) = (content.0.open()?, image.0.open()?);
            let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            inner.inspect(&content, &image)
        });
        drop(begun);
        let inspection = inspected.map_err(|error| of_error(py, error))?;
        let terms = inspection.terms.into_iter();
        let terms = terms
            .map(|term| (term.name, term.value, term.weight))
            .collect();
        let gradient = PyByteArray::new_with(py, 4 * inspection.gradient.len(), |bytes| {
            let values = bytes.chunks_exact_mut(4).zip(&inspection.gradient);
            values.for_each(|(to, value)| to.copy_from_slice(&value.to_ne_bytes()));
            Ok(())
        })?;
        Ok((terms, inspection.total, gradient))
    }

    /// What a run on a content takes: a dictionary of `width`, `height`, `steps` and `bytes` for each scale.
    fn plan<'py>(&self, py: Python<'py>, content: Picked) -> PyResult<Vec<Bound<'py, PyDict>>> {
        process::enter(py)?;
        let begun = self.begin(py)?;
        let planned = py.detach(|| {
            let content = content.0.open()?;
            let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            inner.plan(&content)
        });
        drop(begun);
        let plan = planned.map_err(|error| of_error(py, error))?;
        let scales = plan.scales.iter().map(|scale| {
            let told = PyDict::new(py);
            told.set_item("width", scale.width)?;
            told.set_item("height", scale.height)?;
            told.set_item("steps", scale.steps)?;
            told.set_item("bytes", scale.bytes)?;
            Ok(told)
        });
        scales.collect()
    }

    /// SHA-256 of everything that the result of a content depends on, of one that was readied for it.
    fn identity(&self, py: Python<'_>, content: Picked) -> PyResult<String> {
        let none = || {
            raise(
                py,
                Class::Invalid,
                vec!["identities were not asked for".into()],
            )
        };
        let made_with = self.made_with.as_ref().ok_or_else(none)?;
        let identity = py.detach(|| made_with.of(&content.0));
        identity.map_err(|error| of_error(py, error))
    }

    /// JSON for the metadata of results.
    #[getter]
    fn settings(&self) -> &str {
        &self.settings
    }

    /// The recipe by which it paints.
    #[getter]
    fn recipe(&self) -> Recipe {
        Recipe::of(self.about.clone(), self.run.recipe.clone())
    }

    /// The network that looks at pictures, or that paints.
    #[getter]
    fn encoder(&self, py: Python<'_>) -> String {
        py.detach(|| self.with(|inner| inner.encoder().to_string()))
    }

    /// What does the work.
    #[getter]
    fn device(&self, py: Python<'_>) -> String {
        py.detach(|| self.with(|inner| inner.device().describe()))
    }
}

impl Stylizer {
    /// Looks at everything by the order that every program makes; if something is wrong already, for what is besides.
    fn of_order(
        styles: Vec<(Source, f32)>,
        run: Run,
        content: Source,
        is_good: bool,
    ) -> Result<Self, Vec<Problem>> {
        let order = Order {
            contents: vec![content],
            styles,
            run,
            outputs: Outputs::Caller,
            page: None,
            recipe: None,
            strict: true,
            record: None,
        };
        let missing = missing_folder(&order.run.encoder);
        let mut draft: Draft = order.check();
        if !is_good || missing.is_some() {
            let mut problems = draft.problems();
            problems.extend(missing);
            return Err(problems);
        }
        let run = draft.run().ordered().clone();
        let mut job = draft.prepare(None)?;
        let first = job
            .contents
            .first_mut()
            .and_then(|content| content.picture.take());
        Ok(Self::made(job.stylizer, run, first, None))
    }

    /// Looks at everything but a content.
    fn of_run(
        styles: Vec<(Source, f32)>,
        run: Run,
        is_good: bool,
        identified: bool,
    ) -> Result<Self, Vec<Problem>> {
        let mut problems: Vec<Problem> = missing_folder(&run.encoder).into_iter().collect();
        let checked = run.check(&mut problems);
        let opened = job::open_styles(&styles, &mut problems);
        if !problems.is_empty() || !is_good {
            return Err(problems);
        }
        let made_with = identified.then(|| MadeWith::new(&checked, &styles));
        let made_with = made_with.transpose().map_err(Problem::all_of)?;
        let run = checked.ordered().clone();
        Ok(Self::made(checked.stylizer(opened)?, run, None, made_with))
    }

    fn made(
        inner: impasto::Stylizer,
        run: Run,
        first: Option<Picture>,
        made_with: Option<MadeWith>,
    ) -> Self {
        Self {
            settings: describe(&inner),
            inner: Mutex::new(inner),
            run,
            about: String::new(),
            made_with,
            first: Mutex::new(first.map(Arc::new)),
            waiting: Mutex::new(None),
            stop: AtomicBool::new(false),
        }
    }

    /// Looks at what paints.
    pub fn with<T>(&self, look: impl FnOnce(&impasto::Stylizer) -> T) -> T {
        look(&self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn content(&self, py: Python<'_>, content: Option<Picked>) -> PyResult<Arc<Picture>> {
        let first = || {
            self.first
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take()
        };
        let source = match content {
            Some(Picked(Source::Picture { picture, name })) => {
                self.check_steps(
                    py,
                    &Source::Picture {
                        picture: picture.clone(),
                        name,
                    },
                    &picture,
                )?;
                return Ok(picture);
            }
            Some(Picked(source)) => source,
            None => {
                let none = || raise(py, Class::Invalid, vec!["content is missing".into()]);
                return first().ok_or_else(none);
            }
        };
        let opened = py
            .detach(|| source.open())
            .map_err(|error| of_error(py, error))?;
        self.check_steps(py, &source, &opened)?;
        Ok(opened.into())
    }

    fn check_steps(&self, py: Python<'_>, source: &Source, picture: &Picture) -> PyResult<()> {
        let mut problems = Vec::new();
        self.run.check_steps(source, picture, &mut problems);
        match problems.is_empty() {
            true => Ok(()),
            false => Err(of_problems(py, &problems)),
        }
    }

    /// Waits until nobody else paints.
    fn begin(&self, py: Python<'_>) -> PyResult<Begun<'_>> {
        let here = thread::current().id();
        loop {
            {
                let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                match *waiting {
                    None => {
                        *waiting = Some(here);
                        self.stop.store(false, Ordering::SeqCst);
                        return Ok(Begun(self));
                    }
                    Some(other) if other == here => {
                        let problem = "this Stylizer is painting already, and a callback of it cannot wait for that: \
                                       make another one";
                        return Err(raise(py, Class::Invalid, vec![problem.into()]));
                    }
                    Some(_) => {}
                }
            }
            py.detach(|| thread::sleep(ALERT / 5));
            py.check_signals()?;
        }
    }

    /// Paints on a thread of its own, and meanwhile looks for signals and calls back.
    fn run(
        &self,
        content: &Picture,
        tell: Option<&Py<PyAny>>,
        every: Option<Duration>,
    ) -> (Result<Stylized, Failure>, Option<PyErr>) {
        let (news, heard) = channel();
        let (asks, asked) = channel();
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let stylizer: &mut impasto::Stylizer = &mut inner;
        let mut watch = Watch {
            stop: &self.stop,
            news: tell.is_some().then_some(news.clone()),
            asked,
            every,
            told: None,
        };
        thread::scope(|scope| {
            let work = move || {
                // Held as long as the work goes on, so that its end is heard.
                let _news = news;
                stylizer.stylize(content, &mut watch)
            };
            let builder = thread::Builder::new()
                .name("impasto".into())
                .stack_size(STACK);
            let worker = match builder.spawn_scoped(scope, work) {
                Ok(worker) => worker,
                Err(error) => return (Err(Failure::Thread(error.to_string())), None),
            };
            let mut interruption = None;
            loop {
                let noticed = match heard.recv_timeout(ALERT) {
                    Ok(facts) => {
                        let told = Python::attach(|py| self.tell(py, tell, facts, &asks));
                        if told.is_err() {
                            self.stop.store(true, Ordering::SeqCst);
                        }
                        let _ = asks.send(Ask::GoOn);
                        told
                    }
                    Err(RecvTimeoutError::Timeout) => Python::attach(|py| py.check_signals()),
                    Err(RecvTimeoutError::Disconnected) => break,
                };
                if let Err(error) = noticed {
                    self.stop.store(true, Ordering::SeqCst);
                    interruption.get_or_insert(error);
                }
            }
            let stylized = match worker.join() {
                Ok(stylized) => stylized.map_err(Failure::Error),
                Err(_) => Err(Failure::Thread(
                    "the thread that paints has panicked".into(),
                )),
            };
            (stylized, interruption)
        })
    }

    fn tell(
        &self,
        py: Python<'_>,
        tell: Option<&Py<PyAny>>,
        facts: Facts,
        asks: &Sender<Ask>,
    ) -> PyResult<()> {
        py.check_signals()?;
        let Some(tell) = tell else {
            return Ok(());
        };
        let step = Bound::new(py, Step::new(facts, asks.clone()))?;
        let answer = tell.bind(py).call1((&step,));
        step.get().close();
        if answer?.extract::<bool>().is_ok_and(|goes_on| !goes_on) {
            self.stop.store(true, Ordering::SeqCst);
        }
        Ok(())
    }
}

/// Why there is no picture.
enum Failure {
    Error(impasto::Error),
    Thread(String),
}

impl Failure {
    fn raised(self, py: Python<'_>) -> PyErr {
        match self {
            Failure::Error(error) => of_error(py, error),
            Failure::Thread(problem) => PyRuntimeError::new_err(problem),
        }
    }
}

/// A thread waits for this stylizer until this is gone.
struct Begun<'a>(&'a Stylizer);

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        *self
            .0
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = None;
    }
}
