//! The `impasto` program: paints a photograph in the style of a painting. Its `main` is a function here, so that others (the
//! Python module) can be the program, too.
//!
//! ```text
//! args, options (clap) ─▶ settings ─▶ impasto::job, or all Problems in words ─▶ stylize, compare, gallery ⇄ progress, interrupt ─▶ files
//!            └─▶ studio, inspect, colors, models, recipe, styles, completions, bench
//! ```
//!
//! What is for people goes to stderr, each line `impasto: …`; results that were asked for go to stdout.

mod args;
mod bench;
mod bench_load;
mod checkpoint;
mod colors;
mod compare;
mod devices;
mod flow;
mod gallery;
mod inspect;
mod interrupt;
mod job;
mod learning;
mod leash;
mod logger;
mod made;
mod manual;
mod metrics;
mod models;
mod npy;
mod options;
mod plan;
mod problems;
mod progress;
mod recipe;
mod regions;
mod settings;
mod shard;
#[cfg(feature = "studio")]
mod studio;
mod styles;
mod stylize;
mod train;
mod value;
mod video;
mod words;

use args::{Bench, Cli, Command, Inspect};
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use problems::Problems;
use std::ffi::OsString;
use std::io::Write;
use std::sync::OnceLock;

pub use interrupt::stop;
pub use value::amount;

/// Numbers of threads that are taken; why others are not is said when the device is opened.
const THREADS: std::ops::RangeInclusive<usize> = 1..=1024;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    /// Everything was done.
    Done,
    /// Something was not.
    Failed,
    /// Options or settings that cannot be.
    Usage,
    /// Stopped by Ctrl-C or another signal.
    Interrupted,
}

impl From<Exit> for u8 {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Interrupted => interrupt::status(),
        }
    }
}

/// Why a command was not run.
enum Failure {
    /// It cannot be run as it is described.
    Problems(Problems),
    /// It failed.
    Error(anyhow::Error),
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Failure::Problems(problems)
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Failure::Error(error.into())
    }
}

/// What the program was called with.
static CALL: OnceLock<Vec<OsString>> = OnceLock::new();

/// How this program is started.
static STARTED_BY: OnceLock<Vec<OsString>> = OnceLock::new();

/// Says how this program is started where it is not a file of its own: `python -m impasto`, say. To be called before [`main`].
pub fn start_by(words: Vec<OsString>) {
    let _ = STARTED_BY.set(words);
}

/// The words that start this program once more; none if it does not know.
#[cfg(feature = "studio")]
fn started_by() -> Vec<OsString> {
    let own = || std::env::current_exe().map(|path| vec![path.into()]);
    let known = STARTED_BY.get().cloned();
    known.unwrap_or_else(|| own().unwrap_or_default())
}

/// Is the program, once in a process: `call` is its name and arguments; the answer is its exit status. Signals are the
/// program's from then on.
pub fn main(call: impl IntoIterator<Item = OsString>) -> u8 {
    let call = CALL.get_or_init(|| call.into_iter().collect());
    let cli = match Cli::try_parse_from(args::with_standard_styles(call.iter().cloned())) {
        Ok(cli) => cli,
        Err(answer) => return answer_of_clap(&answer).into(),
    };
    logger::start(cli.quiet, cli.verbose);
    let exit = match run(cli) {
        Ok(exit) => exit,
        Err(Failure::Problems(problems)) => {
            problems.lines().iter().for_each(|line| say(line));
            match problems.of_usage() {
                true => Exit::Usage,
                false => Exit::Failed,
            }
        }
        Err(Failure::Error(error)) => {
            say(&words::of_error(&error));
            Exit::Failed
        }
    };
    exit.into()
}

fn run(cli: Cli) -> Result<Exit, Failure> {
    if cli.quiet && cli.verbose {
        let mut problems = Problems::default();
        problems.usage("--quiet and --verbose are both given: choose one");
        return Err(problems.into());
    }
    interrupt::prepare()?;
    if let Some(device) = cli.command.device() {
        let threads = device
            .threads
            .as_ref()
            .and_then(|given| given.as_ref().ok());
        let allowed = threads.filter(|threads| THREADS.contains(*threads));
        impasto::device::set_host_threads(allowed.copied())?;
    }
    match cli.command {
        Command::Stylize(args) if !args.compare.is_empty() => compare::run(&args, cli.quiet),
        Command::Stylize(args) => {
            let job = job::Job::new(&args, cli.quiet)?;
            match args.plan {
                true => Ok(plan::show(job)?),
                false => Ok(stylize::run(job)?),
            }
        }
        Command::Gallery(args) => gallery::run(&args, cli.quiet),
        Command::Video(args) => video::run(&args, cli.quiet),
        #[cfg(feature = "studio")]
        Command::Studio(args) => studio::run(&args),
        Command::Inspect(Inspect::Loss(args)) => inspect::loss(&args),
        Command::Inspect(Inspect::Encoder(args)) => inspect::encoder(&args),
        Command::Inspect(Inspect::Picture(args)) => made::inspect(&args),
        Command::Metrics(args) => metrics::run(&args),
        Command::Colors(args) => colors::run(&args),
        Command::Flow(args) => flow::run(&args),
        Command::Train(command) => train::run(&command),
        Command::Models(command) => models::run(&command),
        Command::Recipe(command) => recipe::run(&command),
        Command::Devices => Ok(devices::list()?),
        Command::Styles => Ok(styles::list()?),
        Command::Bench(Bench::Step(args)) => bench::step(&args),
        Command::Bench(Bench::Load(args)) => bench_load::load(&args),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "impasto", &mut script);
            print(&String::from_utf8_lossy(&script))?;
            Ok(Exit::Done)
        }
        Command::Man { folder } => Ok(manual::write(&folder)?),
    }
}

/// Help and version go to stdout; what clap could not read is told in the program's own voice.
fn answer_of_clap(answer: &clap::Error) -> Exit {
    if !answer.use_stderr() {
        return match answer.print() {
            Ok(()) => Exit::Done,
            Err(_) => Exit::Failed,
        };
    }
    let text = answer.render().to_string();
    if answer.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        // Nothing is left to do about a stderr that cannot be written to.
        let _ = std::io::stderr().write_all(text.as_bytes());
        return Exit::Usage;
    }
    say(helpful(text.strip_prefix("error: ").unwrap_or(&text)).trim_end());
    Exit::Usage
}

/// What clap says, without a tip that helps nobody, and with one where a picture stands for a command.
fn helpful(text: &str) -> String {
    let mut lines: Vec<String> = text.lines().map(Into::into).collect();
    // An option that is none is a slip of the pen, not a picture of that name.
    if let Some(tip) = lines
        .iter()
        .position(|line| line.contains("tip: to pass '") && line.contains("as a value"))
    {
        lines.remove(tip);
        if lines.get(tip).is_some_and(String::is_empty) {
            lines.remove(tip);
        }
    }
    let word = text.strip_prefix("unrecognized subcommand '");
    let word = word.and_then(|rest| Some(rest.split_once('\'')?.0));
    if let Some(word) =
        word.filter(|word| word.starts_with('@') || std::path::Path::new(word).exists())
    {
        let tip = format!("  tip: to paint it, `impasto stylize {word} --style PAINTING`");
        lines.splice(1..1, [String::new(), tip]);
    }
    lines.join("\n")
}

/// Says a line to people: `impasto: …` on stderr, clear of any progress bar.
fn say(line: &str) {
    progress::BARS.suspend(|| {
        // Nothing is left to do about a stderr that cannot be written to.
        let _ = writeln!(std::io::stderr(), "impasto: {line}");
    });
}

/// Says a line to people, unless they asked for quiet.
fn note(line: &str) {
    if log::max_level() >= log::LevelFilter::Warn {
        say(line);
    }
}

/// Writes the bytes of a picture to stdout.
fn print_bytes(bytes: &[u8]) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush())
}

/// Prints a result to stdout. A reader that has seen enough is no failure.
fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(anyhow::Error::new(error).context("cannot write to the standard output"))
        }
        _ => Ok(()),
    }
}
