//! `impasto train`: networks of the user's own.

use crate::problems::Problems;
use crate::value::{self, Given};
use crate::{Exit, Failure, args, interrupt, note, settings};
use anyhow::anyhow;
use clap::{Args, Subcommand, ValueHint};
use impasto::encoder::Encoder;
use impasto::job::{self, Files, Problem, Source};
use impasto::learn::{
    Course, LearnerState, Lesson, LessonStep, Material, StyleLearner, fresh, start,
};
use impasto::named::Named;
use impasto::nets::{Model, TransformerSpec};
use impasto::picture::{Filter, Format, SaveOptions, fit_long_side};
use impasto::{Picture, Style, examples};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Long side of previews.
const PREVIEW: usize = 384;
/// Long side of the largest photos that are kept.
const LARGEST: usize = 1024;
/// How many times as long as wide a photo may be.
const THINNEST: usize = 16;
/// Between two savings.
const SAVED_EVERY: Duration = Duration::from_secs(20);
/// Between two lines about progress.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// `impasto train`.
#[derive(Subcommand)]
pub enum Train {
    /// Learn to paint in the style of a painting in one pass: a network for --method fast
    Style(Box<Arguments>),
}

/// `impasto train style`.
#[derive(Args)]
#[command(allow_negative_numbers = true)]
pub struct Arguments {
    /// The painting: a file, or @NAME of a built-in one
    #[arg(value_name = "PAINTING", value_hint = ValueHint::FilePath)]
    painting: OsString,

    /// The network that was learned: a safetensors file
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    output: PathBuf,

    /// Learn scales and shifts alone, of a network that paints already: about a minute
    #[arg(long, conflicts_with_all = ["thorough", "tiny"])]
    quick: bool,

    /// Learn all of a small network; what is done unless another is chosen
    #[arg(long, conflicts_with = "tiny")]
    thorough: bool,

    /// Learn all of a very small network, which paints in real time
    #[arg(long)]
    tiny: bool,

    /// The network to start from: one that was learned here, or one of Magenta's image stylization; nothing for random
    /// numbers [default: the one that is part of the program; nothing with --tiny]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    from: Option<PathBuf>,

    /// Photos to learn from: files, or folders of files [default: the built-in ones]
    #[arg(long, value_name = "PATH", num_args = 1.., value_hint = ValueHint::AnyPath)]
    contents: Vec<OsString>,

    /// Steps in all
    #[arg(long, value_name = "N", value_parser = value::whole::<usize>())]
    steps: Option<Given<usize>>,

    /// Photos that a step looks at, in crops [default: 4]
    #[arg(long, value_name = "N", value_parser = value::whole::<usize>())]
    batch: Option<Given<usize>>,

    /// Size of the first step
    #[arg(long, value_name = "F", value_parser = value::real())]
    learning_rate: Option<Given<f32>>,

    /// What decides the crops [default: 1]
    #[arg(long, value_name = "N", value_parser = value::whole::<u64>())]
    seed: Option<Given<u64>>,

    /// Write a picture now and then of what the network paints so far
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    preview: Option<PathBuf>,

    /// The licence under which you give the network away, for its file
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    licence: String,

    /// How the processor works.
    #[command(flatten)]
    pub cpu: args::Cpu,
}

impl Arguments {
    fn course(&self) -> Course {
        match (self.quick, self.tiny) {
            (true, _) => Course::Quick,
            (_, true) => Course::Tiny,
            _ => Course::Thorough,
        }
    }

    fn lesson(&self, problems: &mut Problems) -> Lesson {
        let from_nothing = match &self.from {
            Some(path) => is_nothing(path),
            None => self.tiny,
        };
        let mut lesson = self.course().lesson(from_nothing);
        if let Some(steps) = problems.take(&self.steps) {
            lesson.steps = steps;
        }
        if let Some(batch) = problems.take(&self.batch) {
            lesson.batch = batch;
        }
        if let Some(rate) = problems.take(&self.learning_rate) {
            lesson.learning_rate = rate;
            lesson.last_rate = lesson.last_rate.min(rate);
        }
        if let Some(seed) = problems.take(&self.seed) {
            lesson.seed = seed;
        }
        for problem in lesson.problems() {
            let option = problem.field.replace('_', "-");
            let (value, allowed) = (problem.value, problem.allowed);
            problems.usage(format!("--{option} is {value}: {allowed}"));
        }
        lesson
    }

    /// The network that learning starts from.
    fn start(&self, seed: u64, problems: &mut Problems) -> Option<TransformerSpec> {
        match &self.from {
            Some(path) if is_nothing(path) && !self.quick => {
                Some(fresh(self.course().channels(), seed))
            }
            Some(path) => match Model::open(path) {
                Ok(Model::Transformer(network)) => Some(network),
                Ok(other) => {
                    problems.file(format!(
                        "{} is {}: --from needs a network that paints in styles of its own",
                        path.display(),
                        other.title()
                    ));
                    None
                }
                Err(error) => {
                    problems.file(error);
                    None
                }
            },
            None => match start(self.course(), seed) {
                Ok(network) => Some(network),
                Err(error) => {
                    problems.file(error);
                    None
                }
            },
        }
    }

    /// The photos; those that cannot be read are told, and are no reason to stop while there are others.
    fn photos(&self, problems: &mut Problems) -> Vec<(Source, Picture)> {
        if self.contents.is_empty() {
            let built_in = examples::all()
                .iter()
                .filter(|example| example.kind == examples::Kind::Content);
            let built_in = built_in.filter_map(|example| {
                let source = Source::BuiltIn(example.name.into());
                Some((source, example.picture().ok()?))
            });
            return built_in.collect();
        }
        let sources = self.contents.iter().map(|name| Source::new(name));
        let (mut found, mut left_out) = (Vec::new(), Vec::new());
        let sources = problems.gather(|found| job::pictures(sources, found));
        for source in sources {
            let Some(picture) = job::open(&source, &mut left_out) else {
                continue;
            };
            let (width, height) = (picture.width(), picture.height());
            let (long, short) = (width.max(height), width.min(height));
            match long > THINNEST * short {
                true => note(&format!(
                    "left out: {} is too thin, {width}×{height} px",
                    source.name()
                )),
                // Larger ones are never looked at, and a folder of a camera's would fill the memory.
                false if long > LARGEST => {
                    let (width, height) = fit_long_side(width, height, LARGEST);
                    found.push((source, picture.resized(width, height, Filter::Bicubic)));
                }
                false => found.push((source, picture)),
            }
        }
        match found.is_empty() {
            true => problems.job(&left_out, &[]),
            false => left_out
                .iter()
                .for_each(|problem| note(&format!("left out: {problem}"))),
        }
        found
    }
}

/// Runs `impasto train`.
pub fn run(command: &Train) -> Result<Exit, Failure> {
    let Train::Style(args) = command;
    let mut problems = Problems::default();
    let lesson = args.lesson(&mut problems);
    let painting = settings::standard(Source::new(&args.painting), &mut problems);
    let photos = args.photos(&mut problems);
    let start = args.start(lesson.seed, &mut problems);
    let mut files = Files::default();
    files.read_pictures(
        painting
            .iter()
            .chain(photos.iter().map(|(source, _)| source)),
    );
    let choice = job::DeviceChoice {
        threads: problems.take(&args.cpu.threads),
        precision: problems.take(&args.cpu.precision),
        ..job::DeviceChoice::default()
    };
    let (style, device) = problems.gather(|found| {
        files.write(&args.output, found);
        if let Some(preview) = &args.preview {
            files.write(preview, found);
            if let Err(error) = Format::from_path(preview) {
                found.push(Problem::Failed(error.into()));
            }
        }
        let style = painting.as_ref().and_then(|source| {
            let picture = job::open(source, found)?;
            Some(Style::new(source.name(), picture, 1.0))
        });
        (style, job::open_device(&choice, found))
    });
    if args.output.extension() != Some(OsStr::new("safetensors")) {
        problems.usage(format!(
            "-o is {}: must end in .safetensors",
            args.output.display()
        ));
    }
    let (Some(style), Some(device), Some(start), true) =
        (style, device, start, problems.is_empty())
    else {
        return Err(problems.into());
    };
    let material = Material {
        style,
        contents: photos.into_iter().map(|(_, picture)| picture).collect(),
        start,
    };
    let encoder = Encoder::lite()?;
    note(&format!(
        "{} steps of {} crops, photos: {}, {}",
        lesson.steps,
        lesson.batch,
        material.contents.len(),
        args.course().name()
    ));
    let learner = StyleLearner::new(device.into(), &encoder, material, lesson)?;
    Learning::new(args, learner).run()
}

/// Whether `--from` asks for random numbers.
fn is_nothing(path: &Path) -> bool {
    path == Path::new("nothing") && !path.exists()
}

/// A run of learning, and where it is kept.
struct Learning<'a> {
    args: &'a Arguments,
    learner: StyleLearner,
    /// Where the run is saved, beside the result.
    state: PathBuf,
    started: Instant,
    from: usize,
    /// Whether a saving failed, and that was told.
    told_unsaved: bool,
}

impl<'a> Learning<'a> {
    fn new(args: &'a Arguments, learner: StyleLearner) -> Self {
        let mut state = args.output.clone().into_os_string();
        state.push(".learning");
        Self {
            args,
            learner,
            state: state.into(),
            started: Instant::now(),
            from: 0,
            told_unsaved: false,
        }
    }

    fn run(mut self) -> Result<Exit, Failure> {
        self.resume()?;
        // Room that is not there is better known before the work than after.
        self.learner.state()?.write(&self.state)?;
        interrupt::listen();
        let (mut saved, mut told) = (Instant::now(), None::<Instant>);
        while !self.learner.is_finished() && !interrupt::requested() {
            let step = self.learner.step()?;
            if told.is_none_or(|told| told.elapsed() > TOLD_EVERY) {
                self.tell(&step);
                told = Some(Instant::now());
            }
            if saved.elapsed() > SAVED_EVERY {
                self.save();
                saved = Instant::now();
            }
        }
        self.finish()
    }

    /// Goes on from an earlier run that was cut off, if there is one.
    fn resume(&mut self) -> anyhow::Result<()> {
        if !self.state.exists() {
            return Ok(());
        }
        let read = LearnerState::read(&self.state);
        match read.and_then(|state| self.learner.resume(state)) {
            Ok(()) => {
                self.from = self.learner.steps_taken();
                note(&format!("going on from step {}", self.from));
            }
            Err(error) => {
                return Err(anyhow!(
                    "{error}; name another output, or remove {}",
                    self.state.display()
                ));
            }
        }
        Ok(())
    }

    fn tell(&self, step: &LessonStep) {
        let steps = self.learner.lesson().steps;
        let taken = (step.step - self.from).max(1);
        let left = self.started.elapsed().as_secs_f64() / taken as f64 * (steps - step.step) as f64;
        let terms = step.terms.iter();
        let terms = terms.map(|term| format!("{} {:.3}", term.name, term.value));
        let terms: Vec<_> = terms.collect();
        note(&format!(
            "step {} of {steps}: loss {:.4} ({}), {:.0} s left",
            step.step,
            step.total,
            terms.join(", "),
            left
        ));
    }

    /// Saves the run, and a preview. Where that fails, learning goes on.
    fn save(&mut self) {
        if let Err(error) = self.try_to_save()
            && !self.told_unsaved
        {
            self.told_unsaved = true;
            note(&format!(
                "the run is not saved, and goes on without: {error}"
            ));
        }
    }

    fn try_to_save(&mut self) -> impasto::Result<()> {
        self.learner.state()?.write(&self.state)?;
        if let Some(preview) = &self.args.preview
            && let Some(content) = self.learner.contents().first().cloned()
        {
            let picture = self.learner.preview(&content, PREVIEW)?;
            picture.save(preview, &SaveOptions::default())?;
        }
        Ok(())
    }

    /// Writes what was learned. A run that was stopped can go on later.
    fn finish(mut self) -> Result<Exit, Failure> {
        let stopped = !self.learner.is_finished();
        self.save();
        let learned = self.learner.learned(&self.args.licence)?;
        if let Err(error) = learned.write(&self.args.output) {
            if self.state.exists() {
                note("what was learned is kept: the same call goes on from there");
            }
            return Err(error.into());
        }
        let (steps, of) = (self.learner.steps_taken(), self.learner.lesson().steps);
        let seconds = self.started.elapsed().as_secs_f64();
        let output = self.args.output.display();
        if stopped {
            note(&format!(
                "stopped by {}: wrote {output} as it is after {steps} of {of} steps; the same call goes on",
                interrupt::name()
            ));
            return Ok(Exit::Interrupted);
        }
        remove(&self.state);
        note(&format!(
            "wrote {output}: {steps} steps in {seconds:.0} s; paint with --method fast --model {output}"
        ));
        Ok(Exit::Done)
    }
}

/// What is left over does no harm, so that it is no failure if it stays.
fn remove(state: &Path) {
    if let Err(error) = std::fs::remove_file(state)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        note(&format!("{} stays: {error}", state.display()));
    }
}
