//! Jobs: what is to be painted, from what and to where, checked as a whole before work starts.
//!
//! ```text
//! Order { contents, styles, Run { recipe, encoder, device, … }, outputs } ── check ──▶ Draft, or all Problems ── prepare ──▶ Job
//! ```
//!
//! Every program that paints (command line, studio, bindings) makes the same [`Order`], so that each finds the same problems,
//! all at once and before any work.

mod files;
mod ledger;
mod made;
mod networks;
mod output;
mod problem;
mod record;
mod regions;
mod source;
mod stylizers;

pub use files::{Files, Input};
pub use ledger::{Finished, Ledger};
pub use made::{Made, MadeStyle, describe};
use networks::find_painter;
pub use networks::{find_encoder, open_device};
pub use output::{
    OutputProblem, Outputs, Saved, check_folder, joined, save_elsewhere, save_result, short,
};
pub use problem::{Needs, Problem, open};
pub use record::{MadeWith, Record, RecordAt};
use regions::OpenRegions;
pub use regions::{Place, RegionOrder, RegionProblem, RegionStyle, hexadecimal};
pub use source::{BadWeight, Source, sha256};

use crate::checkpoint::Checkpoints;
use crate::device::{self, Kind};
use crate::encoder::{Encoder, Preprocessing};
use crate::named::Named;
use crate::picture::Picture;
use crate::picture::colors::ColorMode;
use crate::recipe::{Init, MethodName, Optimize, Recipe, Value, fields};
use crate::video::Painters;
use crate::{PainterSpec, RunLimits, Style, Stylizer};
use impasto_compute::Device;
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
    /// Where the recipe of the run goes, if it is to be kept; the caller writes it.
    pub recipe: Option<PathBuf>,
    /// Whether one content of several that cannot be read keeps the others from being painted.
    pub strict: bool,
    /// Where it is kept what is finished, if it is.
    pub record: Option<RecordAt>,
}

/// How something is painted, and on what: an order without pictures.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// Every setting.
    pub recipe: Recipe,
    /// The settings that somebody chose for this very run, by path. Layers that were chosen must be there, while for those
    /// of a recipe the nearest may stand in; steps that were chosen must not be more than there are scales.
    pub chosen: Vec<&'static str>,
    /// The file that the recipe was read from, if it was.
    pub recipe_file: Option<PathBuf>,
    /// The picture that the run starts from, for [`Init::Picture`].
    pub start: Option<Source>,
    /// Where it is painted, and in which styles.
    pub regions: RegionOrder,
    /// The picture that colours are taken from instead of the content.
    pub palette: Option<Source>,
    /// The network that paints: an installed model, or a file or folder of weights; `None` for the method's own.
    pub model: Option<PathBuf>,
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

/// A run that was looked at: what it needs is open, as far as there was nothing wrong with it.
pub struct CheckedRun {
    ordered: Run,
    start: Option<Picture>,
    palette: Option<Picture>,
    regions: OpenRegions,
    encoder: Option<Encoder>,
    painter: Option<PainterSpec>,
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
        let palette = self.palette.as_ref();
        let palette = palette.and_then(|source| open(source, problems));
        if palette.as_ref().is_some_and(Picture::is_clear) {
            let name = self.palette.as_ref().map(Source::name);
            let problem = RegionProblem::NothingSeen(name.unwrap_or_default());
            problems.push(Problem::Region(problem));
        }
        if palette.is_some() && !self.recipe.colors.mode.maps() {
            problems.push(Problem::Palette(self.recipe.colors.mode));
        }
        let method = self.recipe.method.name();
        if !self.regions.guides.is_empty() && method != MethodName::Strotss {
            let problem = RegionProblem::Guides(method.name());
            problems.push(Problem::Region(problem));
        }
        let regions = self.regions.open(problems);
        self.check_idle(problems);
        let encoder = match self.recipe.looks() {
            true => find_encoder(&self.encoder, problems),
            false => None,
        };
        let painter = find_painter(&self, problems);
        if let Some(encoder) = &encoder {
            self.check_layers(encoder, problems);
        }
        let device = open_device(&self.device, problems);
        CheckedRun {
            ordered: self,
            start,
            palette,
            regions,
            encoder,
            painter,
            device,
        }
    }

    /// Notes what is wrong with the network that paints.
    pub fn check_painter(&self, problems: &mut Vec<Problem>) {
        find_painter(self, problems);
    }

    /// Notes what somebody chose and what cannot have an effect.
    fn check_idle(&self, problems: &mut Vec<Problem>) {
        let colors = self.recipe.colors.mode != ColorMode::Style;
        let places = self.regions.sources().next().is_some();
        for (field, has_effect, needs) in [
            ("colors.strength", colors, Needs::Colors),
            ("colors.when", colors, Needs::Colors),
            ("colors.space", colors, Needs::Colors),
            ("feather", places, Needs::Places),
        ] {
            if self.chosen.contains(&field) && !has_effect {
                problems.push(Problem::Idle { field, needs });
            }
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

    /// SHA-256 of everything that the results depend on but contents and styles: two runs of one fingerprint paint the
    /// same.
    ///
    /// # Errors
    /// A picture that cannot be read any more.
    pub fn fingerprint(&self) -> crate::Result<String> {
        let run = &self.ordered;
        let encoder = self.encoder.as_ref().map(Encoder::digest);
        let painter = self.painter.as_ref().map(PainterSpec::fingerprint);
        let digest = |source: &Option<Source>| source.as_ref().map(Source::digest).transpose();
        let regions = run.regions.sources().map(Source::digest);
        let made_from = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "recipe": run.recipe,
            "networks": [encoder, painter],
            "start": digest(&run.start)?,
            "palette": digest(&run.palette)?,
            "regions": regions.collect::<crate::Result<Vec<_>>>()?,
            "places": run.regions.described(),
        });
        Ok(sha256(made_from.to_string().as_bytes()))
    }

    /// The device, if there is nothing wrong with it.
    pub fn device(&self) -> Option<&dyn Device> {
        self.device.as_deref()
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

/// Pictures, and those of folders in their place; why a folder has none is noted.
pub fn pictures(
    sources: impl IntoIterator<Item = Source>,
    problems: &mut Vec<Problem>,
) -> Vec<Source> {
    let mut pictures = Vec::new();
    for source in sources {
        match source.pictures() {
            Ok(found) => pictures.extend(found),
            Err(error) => problems.push(Problem::Failed(error)),
        }
    }
    pictures
}

/// A job that was looked at, and what is wrong with it.
pub struct Draft {
    run: CheckedRun,
    styles: Vec<Style>,
    contents: Vec<Content>,
    left_out: Vec<Problem>,
    page: Option<PathBuf>,
    record: Option<Record>,
    problems: Vec<Problem>,
}

/// A picture to paint.
pub struct Content {
    /// Where it comes from.
    pub source: Source,
    /// The picture. Only the first one is kept from checking to painting: a thousand photographs do not fit into
    /// memory.
    pub picture: Option<Picture>,
    /// Where the result goes; nowhere if the caller takes it.
    pub output: Option<PathBuf>,
    /// Whether it is there already, from the run that goes on.
    pub finished: bool,
}

/// A valid job, ready to be painted.
pub struct Job {
    /// Encoder, styles and recipe on a device.
    pub stylizer: Stylizer,
    /// What is painted.
    pub contents: Vec<Content>,
    /// JSON for the metadata of the results.
    pub settings: String,
    /// Why contents are left out: they cannot be read.
    pub left_out: Vec<Problem>,
    /// Where the page about the run goes.
    pub page: Option<PathBuf>,
    record: Option<Record>,
}

impl Job {
    /// Notes that the result of a content is finished and in its file, for a run that goes on after this one is cut off.
    pub fn finish(&mut self, output: &Path) {
        if let Some(record) = &mut self.record {
            record.finish(output);
        }
    }
}

impl Order {
    /// Looks at everything: every picture is read once, to know before work starts that it can be.
    pub fn check(self) -> Draft {
        let mut problems = Vec::new();
        let run = self.run.check(&mut problems);
        let (mut contents, mut first, mut left_out) = (Vec::new(), None, Vec::new());
        let given = self.contents.len();
        for source in self.contents {
            let Some(picture) = open(&source, &mut left_out) else {
                continue;
            };
            run.ordered.check_steps(&source, &picture, &mut problems);
            let size = output::result_size(&run.ordered.recipe, &picture);
            self.outputs.check_size(&source, size, &mut problems);
            first.get_or_insert(picture);
            contents.push(source);
        }
        // Without a content there is nothing to do, and a single one is no batch.
        if self.strict || contents.is_empty() || given == 1 {
            problems.append(&mut left_out);
        }
        let styles = open_styles(&self.styles, &mut problems);
        self.outputs.check(given, &mut problems);
        let mut files = Files::default();
        let style_sources = self.styles.iter().map(|(source, _)| source);
        files.read_pictures(contents.iter().chain(style_sources.clone()));
        files.read_run(&run.ordered);
        let made_from = match (&self.record, &self.outputs) {
            (Some(at), Outputs::Folder { folder, .. }) if problems.is_empty() => {
                let names = record::names(contents.iter().chain(style_sources.clone()));
                let made_from = record::made_from(&run, &contents, &self.styles);
                made_from.map(|made_from| (Record::open(at, folder, &names), made_from))
            }
            _ => None,
        };
        let before = |index: usize| {
            let (record, made_from) = made_from.as_ref()?;
            let here = made_from.get(index)?;
            let same = made_from.iter().take(index).filter(|other| *other == here);
            record.output(here, same.count())
        };
        let of_regions = run.ordered.regions.styles.iter().map(|style| &style.style);
        let style_sources: Vec<_> = style_sources.chain(of_regions).cloned().collect();
        let outputs = &self.outputs;
        let outputs = outputs.files(&contents, &style_sources, before, &mut files, &mut problems);
        if let Some(page) = &self.page {
            output::check_page(page, given, &mut files, &mut problems);
        }
        if let Some(recipe) = &self.recipe {
            files.write(recipe, &mut problems);
        }
        let finished = |output: &Option<PathBuf>| match (&made_from, output) {
            (Some((record, _)), Some(output)) => record.is_finished(output),
            _ => false,
        };
        let contents = contents.into_iter().zip(outputs);
        let mut contents: Vec<_> = contents
            .map(|(source, output)| Content {
                source,
                picture: None,
                finished: finished(&output),
                output,
            })
            .collect();
        if let Some(content) = contents.first_mut() {
            content.picture = first;
        }
        let record = made_from.map(|(mut record, made_from)| {
            let outputs = contents.iter().filter_map(|content| content.output.clone());
            record.begin(made_from.into_iter().zip(outputs));
            record
        });
        Draft {
            run,
            styles,
            contents,
            left_out,
            page: self.page,
            record,
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

    /// SHA-256 of everything that the result of each content is made from; nothing if a file cannot be read any more.
    pub fn identities(&self, styles: &[(Source, f32)]) -> Option<Vec<String>> {
        let contents: Vec<_> = self.contents.iter().map(|one| one.source.clone()).collect();
        record::made_from(&self.run, &contents, styles)
    }

    /// Prepares the job for a film: who paints it.
    ///
    /// # Errors
    /// As [`Draft::prepare`].
    pub fn prepare_film(self) -> Result<Painters, Vec<Problem>> {
        match self.problems.is_empty() {
            true => self.run.painters(self.styles),
            false => Err(self.problems),
        }
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
            left_out: self.left_out,
            page: self.page,
            record: self.record,
        })
    }
}
