//! Jobs: what is to be painted, from what and to where, checked as a whole before work starts.
//!
//! ```text
//! Order { contents, styles, Run { recipe, encoder, device, … }, outputs } ── check ──▶ Draft, or all Problems ── prepare ──▶ Job
//! ```
//!
//! Every program that paints (command line, studio, bindings) makes the same [`Order`], so that each finds the same problems,
//! all at once and before any work.

mod output;
mod problem;
mod source;

pub use output::{
    OutputProblem, Outputs, check_file, check_folder, check_page, is_input, joined, short,
};
pub use problem::{Problem, open};
pub use source::{BadWeight, Source, sha256};

use crate::checkpoint::Checkpoints;
use crate::device::{self, Choice, Kind};
use crate::encoder::{Encoder, Preprocessing};
use crate::picture::Picture;
use crate::recipe::{Init, Optimize, Recipe, Value, fields};
use crate::{Error, RunLimits, Style, Stylizer};
use impasto_compute::Device;
use impasto_weights::Store;
use serde_json::json;
use std::path::{Path, PathBuf};

/// What a job consists of, not yet looked at.
#[derive(Clone, Debug)]
pub struct Order {
    /// What is painted.
    pub contents: Vec<Source>,
    /// In the style of what, and how much each counts among the styles.
    pub styles: Vec<(Source, f32)>,
    /// How, and on what.
    pub run: Run,
    /// Where the results go.
    pub outputs: Outputs,
    /// Where the page about the run goes, if one is wanted.
    pub page: Option<PathBuf>,
}

/// How something is painted, and on what: an order without pictures.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// Every setting.
    pub recipe: Recipe,
    /// The settings that somebody chose for this very run, by path. Layers that were chosen must be there, while for those
    /// of a recipe the nearest may stand in; steps that were chosen must not be more than there are scales.
    pub chosen: Vec<&'static str>,
    /// The picture that the run starts from, for [`Init::Picture`].
    pub start: Option<Source>,
    /// The network that looks at pictures.
    pub encoder: EncoderChoice,
    /// What does the work.
    pub device: DeviceChoice,
    /// What it may use.
    pub limits: RunLimits,
}

/// Which encoder looks at pictures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EncoderChoice {
    /// Its name, or a file of weights; `None` for the default.
    pub name: Option<PathBuf>,
    /// What a file of weights expects; `None` where the file says so.
    pub preprocessing: Option<Preprocessing>,
    /// The folder of models; `None` for the usual one.
    pub models: Option<PathBuf>,
}

/// What does the work.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceChoice {
    /// Which device, and how it works.
    pub kind: Kind,
    /// Threads of the CPU.
    pub threads: Option<usize>,
    /// Accuracy of convolutions; `None` for the default.
    pub precision: Option<device::Precision>,
    /// Folder of what a graphics card has measured of itself.
    pub cache: Option<PathBuf>,
}

/// Opens the encoder; why there is none is noted.
pub fn find_encoder(choice: &EncoderChoice, problems: &mut Vec<Problem>) -> Option<Encoder> {
    let name = choice.name.as_deref();
    let file = name.filter(|path| path.is_file() && *path != Path::new("lite"));
    let found = match (file, choice.preprocessing) {
        (Some(path), Some(_)) => Encoder::open(path, choice.preprocessing),
        (None, Some(_)) => {
            problems.push(Problem::Preprocessing);
            return None;
        }
        (_, None) => {
            let store = Store::locate(choice.models.as_deref()).ok();
            let name = name.map(Path::to_string_lossy);
            Encoder::find_in(name.as_deref(), store.as_ref())
        }
    };
    found
        .map_err(|error| problems.push(Problem::Encoder(error)))
        .ok()
}

/// Opens the device; why there is none is noted.
pub fn open_device(choice: &DeviceChoice, problems: &mut Vec<Problem>) -> Option<Box<dyn Device>> {
    let before = problems.len();
    let only_cpu = matches!(choice.kind, Kind::Reference | Kind::Gpu(_));
    if only_cpu && choice.threads.is_some() {
        problems.push(Problem::Threads);
    }
    if choice.kind == Kind::Reference && choice.precision.is_some() {
        problems.push(Problem::Precision);
    }
    if problems.len() > before {
        return None;
    }
    let opened = Choice {
        kind: choice.kind,
        threads: choice.threads,
        precision: choice.precision.unwrap_or_default(),
    };
    device::open_tuned(&opened, choice.cache.as_deref())
        .map_err(|error| problems.push(Problem::Device(error)))
        .ok()
}

/// A run that was looked at: what it needs is open, as far as there was nothing wrong with it.
pub struct CheckedRun {
    ordered: Run,
    start: Option<Picture>,
    encoder: Option<Encoder>,
    device: Option<Box<dyn Device>>,
}

impl Run {
    /// Looks at everything about a run but the pictures; what is wrong is noted.
    pub fn check(self, problems: &mut Vec<Problem>) -> CheckedRun {
        let settings = self.recipe.problems().into_iter().map(Problem::Setting);
        problems.extend(settings);
        let settings = self.recipe.optimize();
        let start = match (&self.start, settings.map(|settings| settings.init)) {
            (Some(source), Some(Init::Picture)) => open(source, problems),
            _ => None,
        };
        let encoder = find_encoder(&self.encoder, problems);
        if let Some(encoder) = &encoder {
            self.check_layers(encoder, problems);
        }
        let device = open_device(&self.device, problems);
        CheckedRun {
            ordered: self,
            start,
            encoder,
            device,
        }
    }

    /// Notes every layer that somebody chose and that the encoder lacks: who names a layer means it.
    pub fn check_layers(&self, encoder: &Encoder, problems: &mut Vec<Problem>) {
        let chosen = fields()
            .iter()
            .filter(|field| self.chosen.contains(&field.path));
        for field in chosen {
            if let Some(Value::Layers(layers)) = field.get(&self.recipe) {
                let missing = layers.iter().filter_map(|one| encoder.tap(one.layer).err());
                let field = field.path;
                problems.extend(missing.map(|error| Problem::Layer { field, error }));
            }
        }
    }

    /// Notes if somebody chose more numbers of steps than a content has scales.
    pub fn check_steps(&self, source: &Source, picture: &Picture, problems: &mut Vec<Problem>) {
        let Some(Optimize { schedule, .. }) = self.recipe.optimize() else {
            return;
        };
        let given = schedule.steps.len();
        let side = self.recipe.size.long_side(picture);
        let scales = schedule.plan(side.max(1)).len();
        if self.chosen.contains(&"schedule.steps") && given > scales {
            let content = source.name();
            problems.push(Problem::Steps {
                given,
                content,
                scales,
            });
        }
    }
}

impl CheckedRun {
    /// What was ordered.
    pub fn ordered(&self) -> &Run {
        &self.ordered
    }

    /// The encoder, if there is nothing wrong with it.
    pub fn encoder(&self) -> Option<&Encoder> {
        self.encoder.as_ref()
    }

    /// The device, if there is nothing wrong with it.
    pub fn device(&self) -> Option<&dyn Device> {
        self.device.as_deref()
    }

    /// Prepares the run with these styles.
    ///
    /// # Errors
    /// What only shows when everything comes together, and once more what a part that is missing was not opened for.
    pub fn stylizer(self, styles: Vec<Style>) -> Result<Stylizer, Vec<Problem>> {
        let (Some(encoder), Some(device)) = (self.encoder, self.device) else {
            let mut problems = Vec::new();
            find_encoder(&self.ordered.encoder, &mut problems);
            open_device(&self.ordered.device, &mut problems);
            return Err(problems);
        };
        log::info!("device: {}", device.describe());
        log::info!(
            "encoder: {}, {} parameters",
            encoder.name(),
            encoder.parameters()
        );
        let stylizer = Stylizer::new(device, &encoder, styles, self.ordered.recipe);
        let stylizer = stylizer.map_err(Problem::all_of)?;
        let stylizer = match self.start {
            Some(picture) => stylizer.start_from(picture),
            None => stylizer,
        };
        let limited = stylizer.with_limits(self.ordered.limits);
        limited.map_err(|error| match error {
            Error::Invalid(problems) => problems.into_iter().map(Problem::Setting).collect(),
            error => vec![Problem::Limits(error)],
        })
    }
}

/// Reads styles; those that cannot be read are noted.
pub fn open_styles(styles: &[(Source, f32)], problems: &mut Vec<Problem>) -> Vec<Style> {
    let opened = styles.iter().filter_map(|(source, weight)| {
        let picture = open(source, problems)?;
        Some(Style::new(source.name(), picture, *weight))
    });
    opened.collect()
}

/// The files among the pictures to read.
pub fn files<'a>(sources: impl IntoIterator<Item = &'a Source>) -> Vec<PathBuf> {
    let files = sources.into_iter().filter_map(Source::file);
    files.map(Into::into).collect()
}

/// A job that was looked at, and what is wrong with it.
pub struct Draft {
    run: CheckedRun,
    styles: Vec<Style>,
    contents: Vec<Content>,
    page: Option<PathBuf>,
    problems: Vec<Problem>,
}

/// A picture to paint.
pub struct Content {
    /// Where it comes from.
    pub source: Source,
    /// The picture. Only the first one is kept from checking to painting: a thousand photographs do not fit into
    /// memory.
    pub picture: Option<Picture>,
    /// Where the result goes.
    pub output: PathBuf,
}

/// A valid job, ready to be painted.
pub struct Job {
    /// Encoder, styles and recipe on a device.
    pub stylizer: Stylizer,
    /// What is painted.
    pub contents: Vec<Content>,
    /// JSON for the metadata of the results.
    pub settings: String,
    /// Where the page about the run goes.
    pub page: Option<PathBuf>,
}

impl Order {
    /// Looks at everything: every picture is read once, to know before work starts that it can be.
    pub fn check(self) -> Draft {
        let mut problems = Vec::new();
        let run = self.run.check(&mut problems);
        let mut pictures = Vec::new();
        for source in &self.contents {
            let picture = open(source, &mut problems);
            if let Some(picture) = &picture {
                run.ordered.check_steps(source, picture, &mut problems);
            }
            pictures.push(picture.filter(|_| pictures.is_empty()));
        }
        let styles = open_styles(&self.styles, &mut problems);
        let style_sources: Vec<_> = self.styles.into_iter().map(|(source, _)| source).collect();
        let start = run.ordered.start.as_ref();
        let inputs = files(self.contents.iter().chain(&style_sources).chain(start));
        let outputs = &self.outputs;
        let outputs = outputs.files(&self.contents, &style_sources, &inputs, &mut problems);
        if let Some(page) = &self.page {
            check_page(page, outputs.len(), &inputs, &mut problems);
        }
        let contents = self.contents.into_iter().zip(pictures).zip(outputs);
        Draft {
            run,
            styles,
            contents: contents
                .map(|((source, picture), output)| Content {
                    source,
                    picture,
                    output,
                })
                .collect(),
            page: self.page,
            problems,
        }
    }
}

impl Draft {
    /// What is wrong with the job, taken out of it.
    pub fn problems(&mut self) -> Vec<Problem> {
        std::mem::take(&mut self.problems)
    }

    /// What the run needs.
    pub fn run(&self) -> &CheckedRun {
        &self.run
    }

    /// Prepares the job: its network is made.
    ///
    /// # Errors
    /// All problems, those too that only show now.
    pub fn prepare(self, checkpoints: Option<Checkpoints>) -> Result<Job, Vec<Problem>> {
        if !self.problems.is_empty() {
            return Err(self.problems);
        }
        let mut stylizer = self.run.stylizer(self.styles)?;
        if let Some(checkpoints) = checkpoints {
            stylizer = stylizer.checkpoints(checkpoints);
        }
        Ok(Job {
            settings: describe(&stylizer),
            stylizer,
            contents: self.contents,
            page: self.page,
        })
    }
}

/// What the metadata of a result says about how it was made: nothing of the machine, so that the same job gives the
/// same file everywhere.
pub fn describe(stylizer: &Stylizer) -> String {
    let styles = stylizer.styles().iter();
    let styles: Vec<_> = styles
        .map(|style| json!({"name": style.name, "weight": style.weight}))
        .collect();
    json!({
        "program": "impasto",
        "version": env!("CARGO_PKG_VERSION"),
        "encoder": stylizer.encoder(),
        "styles": styles,
        "recipe": stylizer.recipe(),
    })
    .to_string()
}
