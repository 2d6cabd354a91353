//! From the options of a painting command to a job that can run, or to everything that is wrong with it.

use crate::args::{Optimizer, Progress, Run, Stylize};
use crate::output;
use crate::plan;
use crate::problems::Problems;
use crate::settings;
use crate::source::Source;
use crate::value::Given;
use impasto::compute::Device;
use impasto::recipe::file::RecipeFile;
use impasto::recipe::names::Named;
use impasto::recipe::{AdamSettings, Init, LbfgsSettings, OptimizerSettings, StyleSize};
use impasto::{Encoder, Error, Limits, OutputSize, Picture, Recipe, Style, Stylizer};
use serde_json::json;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// A valid job.
pub struct Job {
    /// Encoder, styles and recipe on a device.
    pub stylizer: Stylizer,
    /// What is painted.
    pub contents: Vec<Content>,
    /// JSON for the metadata of the results.
    pub settings: String,
    /// How progress is shown.
    pub progress: Progress,
    /// Steps between previews.
    pub save_every: Option<usize>,
    /// Where the page about the run goes.
    pub report: Option<PathBuf>,
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

/// What the options common to all painting commands say: a run before it has its styles.
pub struct Setup {
    /// Every number of the run.
    pub recipe: Recipe,
    /// How progress is shown.
    pub progress: Progress,
    quiet: bool,
    limits: Limits,
    start: Option<(Source, Option<Picture>)>,
    encoder: Option<Encoder>,
    device: Option<Box<dyn Device>>,
}

impl Setup {
    /// Reads the options; what is wrong with them is noted.
    ///
    /// `name` is the recipe's name or file; without one, the recipe is that of the quality.
    pub fn new(run: &Run, name: Option<&OsStr>, quiet: bool, problems: &mut Problems) -> Self {
        let mut recipe = recipe(run, name, problems);
        let start = start(run, &mut recipe, problems);
        problems.recipe(&recipe.problems());
        let progress = problems.take(&run.progress);
        if quiet && !matches!(progress, None | Some(Progress::Auto | Progress::None)) {
            problems.usage("--quiet and --progress are both given: choose one");
        }
        let encoder = settings::encoder(&run.objective.encoder, problems);
        if let Some(encoder) = &encoder {
            settings::check_layers(&run.objective, encoder, problems);
        }
        let device = settings::device(&run.device, problems);
        let limits = plan::limits(&run.device, problems);
        Self {
            limits,
            recipe,
            progress: if quiet {
                Progress::None
            } else {
                progress.unwrap_or_default()
            },
            quiet,
            start,
            encoder,
            device,
        }
    }

    /// The picture that the run starts from, if it starts from one.
    pub fn start(&self) -> Option<&Source> {
        self.start.as_ref().map(|(source, _)| source)
    }

    /// The encoder, if there is nothing wrong with it.
    pub fn encoder(&self) -> Option<&Encoder> {
        self.encoder.as_ref()
    }

    /// Notes what is wrong with the run in these styles, which only shows when it is prepared; says nothing of it yet.
    pub fn check(mut self, styles: &[Style], problems: &mut Problems) {
        self.quiet = true;
        if let Err(more) = self.stylizer(styles.to_vec(), Problems::default()) {
            problems.extend(more);
        }
    }

    /// Prepares the run with these styles.
    ///
    /// # Errors
    /// All problems: those noted so far, and what is wrong with the styles.
    pub fn stylizer(
        self,
        styles: Vec<Style>,
        mut problems: Problems,
    ) -> Result<Stylizer, Problems> {
        let (Some(encoder), Some(device), true) = (self.encoder, self.device, problems.is_empty())
        else {
            return Err(problems);
        };
        log::info!("device: {}", device.describe());
        log::info!(
            "encoder: {}, {} parameters",
            encoder.name(),
            encoder.parameters()
        );
        let stylizer = Stylizer::new(device, &encoder, styles, self.recipe).map_err(|error| {
            match &error {
                Error::Invalid(more) => problems.recipe(more),
                _ => problems.file(&error),
            }
            problems
        })?;
        if let (false, Some(line)) = (self.quiet, stand_ins(&stylizer)) {
            crate::say(&line);
        }
        let stylizer = match self.start {
            Some((_, Some(picture))) => stylizer.start_from(picture),
            _ => stylizer,
        };
        stylizer.with_limits(self.limits).map_err(|error| {
            let mut problems = Problems::default();
            problems.usage(error);
            problems
        })
    }
}

impl Job {
    /// Checks everything about a job and prepares it.
    ///
    /// # Errors
    /// All problems.
    pub fn new(args: &Stylize, quiet: bool) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let name = args.run.recipe.as_deref();
        let setup = Setup::new(&args.run, name, quiet, &mut problems);
        let progress = setup.progress;
        let save_every = problems.take(&args.save_every);
        if save_every == Some(0) {
            problems.usage("--save-every is 0: must be a number of steps of at least 1");
        }
        let steps = &args.run.steps;
        let (sources, pictures) = contents(&args.contents, steps, &setup.recipe, &mut problems);
        let (styles, style_sources) = settings::styles(&args.run.objective, &mut problems);
        let inputs = files(&[&sources, &style_sources], setup.start());
        let outputs = output::plan(args, &sources, &style_sources, &inputs, &mut problems);
        if let Some(report) = &args.report {
            output::check_report(report, &outputs, &inputs, &mut problems);
        }
        let device = setup.device.as_deref();
        let checkpoints = args.checkpoint.read(sources.len(), device, &mut problems);
        if let (Some(path), true) = (&args.save_recipe, problems.is_empty()) {
            let recipe = setup.recipe.clone();
            let about = String::new();
            if let Err(error) = (RecipeFile { about, recipe }).save(path) {
                problems.file(error);
            }
        }
        let mut stylizer = setup.stylizer(styles, problems)?;
        if let Some(checkpoints) = checkpoints {
            stylizer = stylizer.checkpoints(checkpoints);
        }
        let lines = pictures.iter().flatten().next();
        if let (false, Some(line)) = (quiet, lines.and_then(|first| memory(&stylizer, first))) {
            crate::say(&line);
        }
        let settings = describe(&stylizer);
        let contents = sources.into_iter().zip(pictures).zip(outputs);
        Ok(Self {
            stylizer,
            contents: contents
                .map(|((source, picture), output)| Content {
                    source,
                    picture,
                    output,
                })
                .collect(),
            settings,
            progress,
            save_every,
            report: args.report.clone(),
        })
    }
}

/// One line about the layers of the recipe that the encoder lacks, if there are any.
fn stand_ins(stylizer: &Stylizer) -> Option<String> {
    let substitutions = stylizer.substitutions();
    let of = |term: &str| {
        let here = substitutions.iter().filter(|s| s.term == term);
        let here: Vec<_> = here.map(ToString::to_string).collect();
        (!here.is_empty()).then(|| format!("{} ({term})", here.join(", ")))
    };
    let parts: Vec<_> = ["content", "style"].into_iter().filter_map(of).collect();
    (!parts.is_empty()).then(|| {
        format!(
            "{} lacks layers of the recipe and looks at {}; `impasto models pull vgg19` installs the full network",
            stylizer.encoder(),
            parts.join(", ")
        )
    })
}

/// One line about what L-BFGS will keep at the last scale of a content.
fn memory(stylizer: &Stylizer, content: &Picture) -> Option<String> {
    let OptimizerSettings::Lbfgs(lbfgs) = &stylizer.recipe().optimizer else {
        return None;
    };
    let scale = *stylizer.scales(content).last()?;
    let mebibytes = stylizer.optimizer_bytes(scale).div_ceil(1 << 20);
    Some(format!(
        "L-BFGS keeps up to {} pairs: {mebibytes} MiB at {}×{} px",
        lbfgs.history, scale.width, scale.height
    ))
}

/// The files among the pictures to read.
pub fn files(sources: &[&[Source]], start: Option<&Source>) -> Vec<PathBuf> {
    let sources = sources.iter().flat_map(|sources| sources.iter());
    let files = sources.chain(start).filter_map(Source::file);
    files.map(Into::into).collect()
}

/// The recipe asked for, by name or by quality, with the changes that were given.
fn recipe(args: &Run, name: Option<&OsStr>, problems: &mut Problems) -> Recipe {
    let mut recipe = Recipe::default();
    if let Some(name) = name {
        match Recipe::named(&name.to_string_lossy()) {
            Ok(found) => recipe = found,
            Err(error) => problems.recipe_file(&error),
        }
    }
    if let Some(quality) = problems.take(&args.quality) {
        quality.apply(&mut recipe);
        if name.is_some() {
            problems.usage("--recipe and --quality are both given: choose one; --steps is the work that a recipe does");
        }
    }
    recipe.strict_taps |= args.strict_taps;
    settings::shape_loss(&mut recipe, &args.objective, problems);
    problems.set(&mut recipe.size, &args.size);
    problems.set(&mut recipe.seed, &args.seed);
    problems.set(&mut recipe.schedule.scales, &args.scales);
    problems.set(&mut recipe.schedule.steps, &args.steps);
    match (problems.take(&args.optimizer), &recipe.optimizer) {
        (Some(Optimizer::Adam), OptimizerSettings::Lbfgs(_)) => {
            recipe.optimizer = OptimizerSettings::Adam(AdamSettings::default());
        }
        (Some(Optimizer::Lbfgs), OptimizerSettings::Adam(_)) => {
            recipe.optimizer = OptimizerSettings::Lbfgs(LbfgsSettings::default());
        }
        _ => {}
    }
    problems.set(recipe.optimizer.learning_rate_mut(), &args.learning_rate);
    match (recipe.optimizer.adam_mut(), &args.averaging) {
        (Some(adam), averaging) => problems.set(&mut adam.averaging, averaging),
        (None, Some(_)) => problems.usage("--averaging goes with the optimizer adam only"),
        (None, None) => {}
    }
    let style_size = problems.take(&args.style_size).map(StyleSize::LongSide);
    let style_scale = problems.take(&args.style_scale).map(StyleSize::Scale);
    if let Some(size) = style_size.or(style_scale) {
        recipe.style.size = size;
    }
    if args.style_size.is_some() && args.style_scale.is_some() {
        problems.usage("--style-size and --style-scale are both given: choose one");
    }
    if args.scales.is_some() && args.size.is_some() {
        problems.usage(
            "--scales and --size are both given: the last of --scales is the size of the result",
        );
    }
    if let (Some(&last), true) = (recipe.schedule.scales.last(), args.scales.is_some()) {
        recipe.size = OutputSize::LongSide(last);
    }
    recipe
}

/// Where the run starts: sets the recipe's start, and reads the picture if it is one.
fn start(
    args: &Run,
    recipe: &mut Recipe,
    problems: &mut Problems,
) -> Option<(Source, Option<Picture>)> {
    let given = args.init.as_deref()?;
    match given.to_str().map(Init::from_name) {
        Some(Ok(init)) if init != Init::Picture => {
            recipe.init = init;
            None
        }
        _ => {
            recipe.init = Init::Picture;
            let source = Source::new(given);
            let picture = match source.file() {
                Some(path) if !path.exists() => {
                    let text = path.display();
                    problems.usage(format!(
                        "--init is {text}: must be content, noise, mixed, style, or a picture; there is no such file"
                    ));
                    None
                }
                _ => problems.open(&source),
            };
            Some((source, picture))
        }
    }
}

/// Reads every content once, to know before work starts that it can be read; keeps the first.
fn contents(
    names: &[OsString],
    steps: &Option<Given<Vec<usize>>>,
    recipe: &Recipe,
    problems: &mut Problems,
) -> (Vec<Source>, Vec<Option<Picture>>) {
    let (mut sources, mut pictures) = (Vec::new(), Vec::new());
    for name in names {
        let source = Source::new(name);
        let picture = problems.open(&source);
        if let Some(picture) = &picture {
            check_steps(steps, recipe, &source, picture, problems);
        }
        pictures.push(picture.filter(|_| sources.is_empty()));
        sources.push(source);
    }
    (sources, pictures)
}

/// Notes if there are more numbers of steps than a content has scales.
pub fn check_steps(
    steps: &Option<Given<Vec<usize>>>,
    recipe: &Recipe,
    source: &Source,
    picture: &Picture,
    problems: &mut Problems,
) {
    let Some(Ok(steps)) = steps else {
        return;
    };
    let side = match recipe.size {
        OutputSize::LongSide(side) => side,
        OutputSize::Original => picture.width().max(picture.height()),
    };
    let scales = recipe.schedule.plan(side.max(1)).len();
    if steps.len() > scales {
        problems.usage(format!(
            "--steps has {} numbers, but {} goes through {scales} scale{}",
            steps.len(),
            source.name(),
            if scales == 1 { "" } else { "s" }
        ));
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
