//! The command line: what can be said, and the help that says it.

use crate::bench_load::BenchLoad;
use crate::checkpoint;
use crate::colors;
use crate::gallery;
use crate::learning::Like;
use crate::made;
use crate::models::args::{Models, ModelsFolder};
use crate::options::{self, LossSettings, RunSettings};
use crate::recipe::RecipeCommand;
use crate::regions::Regions;
use crate::shard::Shard;
use crate::train;
use crate::value::{self, Given};
use clap::{Args, Parser, Subcommand, ValueHint};
use clap_complete::Shell;
use impasto::Quality;
use impasto::device::{Kind, Precision};
use impasto::encoder::Preprocessing;
use impasto::named::Named;
use std::ffi::OsString;
use std::fmt::Display;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  impasto stylize @lake --style @swirls
  impasto stylize @lake --style @waves:2 --style @glass:1 --quality draft -o lake.jpg
  impasto stylize @lake --style @geometry --size 1024 --quality fine --report lake.html

A picture is a file or, as @NAME, one that is built in; `impasto styles` lists those.
Exit status: 0 done, 1 failed, 2 bad options or settings, 130 stopped by Ctrl-C (143 by SIGTERM, 129 by SIGHUP).";

/// Paints a photograph in the style of a painting.
#[derive(Parser)]
#[command(name = "impasto", version, after_help = EXAMPLES, disable_help_subcommand = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,

    /// Silence everything but errors
    #[arg(long, short, global = true, help_heading = "Output")]
    pub quiet: bool,

    /// Say which device, encoder and sizes are used
    #[arg(long, short, global = true, help_heading = "Output")]
    pub verbose: bool,
}

/// What the program can do.
#[derive(Subcommand)]
pub enum Command {
    /// Paint pictures in the style of others
    Stylize(Box<Stylize>),
    /// Paint every content in every style: pictures, a labelled grid and a page
    Gallery(Box<gallery::Arguments>),
    /// Paint a film: no flicker, sound kept
    Video(Box<crate::video::Arguments>),
    /// Serve a page for people who would rather look than type, and open it in the browser
    #[cfg(feature = "studio")]
    Studio(Box<crate::studio::Arguments>),
    /// Look inside: losses and gradients, encoders, pictures
    #[command(subcommand)]
    Inspect(Inspect),
    /// Measure results: how much of the photo and of the painting is in them
    Metrics(Box<crate::metrics::Arguments>),
    /// Tell the motion from one frame to another
    Flow(crate::flow::Arguments),
    /// Give the colours of one picture to another, without painting
    Colors(colors::Arguments),
    /// Make networks of your own
    #[command(subcommand)]
    Train(train::Train),
    /// Get, keep and check the networks that look at pictures
    #[command(subcommand)]
    Models(Models),
    /// List, show and check recipes: published methods by name, or files of your own
    #[command(subcommand)]
    Recipe(RecipeCommand),
    /// List the built-in pictures
    Styles,
    /// List what can do the work on this machine
    Devices,
    /// Measure speed
    #[command(subcommand)]
    Bench(Bench),
    /// Print the completions of a shell, to be put where it looks for them
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write the manual pages of all commands into a folder, to be put where `man` looks for them
    #[command(hide = true)]
    Man {
        /// The folder; it is made if it does not exist
        #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
        folder: PathBuf,
    },
}

impl Command {
    /// How the processor works, of a command that paints or looks.
    pub fn device(&self) -> Option<&Cpu> {
        match self {
            Command::Stylize(args) => Some(&args.run.device.cpu),
            Command::Gallery(args) => Some(&args.run.device.cpu),
            Command::Video(args) => Some(&args.run.device.cpu),
            #[cfg(feature = "studio")]
            Command::Studio(args) => Some(&args.device.cpu),
            Command::Inspect(Inspect::Loss(args)) => Some(&args.device.cpu),
            Command::Metrics(args) => Some(args.cpu()),
            Command::Bench(Bench::Step(args)) => Some(&args.device.cpu),
            Command::Train(train::Train::Style(args)) => Some(&args.cpu),
            _ => None,
        }
    }
}

/// `impasto inspect`.
#[derive(Subcommand)]
pub enum Inspect {
    /// Print each term of the loss at a picture, everything at its own size
    Loss(Box<InspectLoss>),
    /// Print the layers of an encoder
    Encoder(InspectEncoder),
    /// Print the settings that a picture of impasto's was made with
    Picture(made::InspectPicture),
}

/// The text of an option whose default is a setting's.
fn default(text: &str, value: impl Display) -> String {
    format!("{text} [default: {value}]")
}

/// `impasto stylize`.
#[derive(Args)]
#[command(allow_negative_numbers = true)]
pub struct Stylize {
    /// Pictures to paint: files, folders of files, @NAME for a built-in one, - for the standard input
    #[arg(value_name = "CONTENT", value_hint = ValueHint::FilePath, required = true)]
    pub contents: Vec<OsString>,

    /// What the run does, and where.
    #[command(flatten)]
    pub run: Run,

    /// Where to write the picture: .png, .jpg, .webp, .tif, or - for a PNG to the standard output [default: CONTENT-STYLE.png, numbered if that exists]
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Output")]
    pub output: Option<PathBuf>,

    /// Write CONTENT-STYLE.png for each content into this folder
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Output")]
    pub out_dir: Option<PathBuf>,

    /// Replace CONTENT-STYLE.png if it exists (a file named by -o is always replaced)
    #[arg(long, help_heading = "Output")]
    pub overwrite: bool,

    /// Paint the I-th of N parts of the contents, and what of it is not finished in --out-dir: several processes share the folder
    #[arg(long, value_name = "I/N", value_parser = value::shard(), requires = "out_dir", conflicts_with_all = ["output", "overwrite", "compare", "report"], help_heading = "Output")]
    pub shard: Option<Given<Shard>>,

    /// Paint nothing if one of several contents cannot be read; otherwise it is told and left out
    #[arg(long, help_heading = "Output")]
    pub strict: bool,

    /// Whether the run is saved and goes on.
    #[command(flatten)]
    pub checkpoint: checkpoint::Options,

    /// What shows how it is painted.
    #[command(flatten)]
    pub like: Like,

    /// Write the picture so far every N steps
    #[arg(long, value_name = "N", value_parser = value::whole::<usize>(), help_heading = "Output")]
    pub save_every: Option<Given<usize>>,

    /// Run several recipes, by name or file, and write a contact sheet and a page with their losses side by side
    #[arg(
        long,
        value_name = "RECIPE,RECIPE,...",
        value_delimiter = ',',
        help_heading = "Output"
    )]
    pub compare: Vec<OsString>,

    /// Write the recipe of the run, with every option given, for --recipe
    #[arg(long, value_name = "FILE.toml", value_hint = ValueHint::FilePath, help_heading = "Output")]
    pub save_recipe: Option<PathBuf>,

    /// Print sizes, memory and time of each scale, and paint nothing
    #[arg(long, help_heading = "Output")]
    pub plan: bool,

    /// Write a page with pictures, losses, times and settings: one .html file that needs no other; one content only
    #[arg(long, value_name = "FILE.html", value_hint = ValueHint::FilePath, help_heading = "Output")]
    pub report: Option<PathBuf>,
}

/// What a run does, and where: the same for every command that paints.
#[derive(Args)]
pub struct Run {
    /// Start from a published method or a recipe file; other options change it. `impasto recipe list` lists those
    #[arg(long, value_name = "NAME|FILE", value_hint = ValueHint::FilePath, help_heading = "Picture")]
    pub recipe: Option<OsString>,

    /// Start from the settings that a picture of impasto's was made with; other options change them. Its styles are named anew
    #[arg(long, value_name = "IMAGE", value_hint = ValueHint::FilePath, help_heading = "Picture")]
    pub settings_from: Option<OsString>,

    /// How much work goes into the picture
    #[arg(
        long,
        value_parser = value::named::<Quality>(),
        help = default("How much work goes into the picture", Quality::default().name()),
        help_heading = "Picture"
    )]
    pub quality: Option<Given<Quality>>,

    /// What to start from: content, noise, both mixed, style (noise in the styles' colours), or a picture
    #[arg(
        long,
        value_name = "content|noise|mixed|style|FILE", value_hint = ValueHint::FilePath,
        help = options::init_help(),
        help_heading = "Picture"
    )]
    pub init: Option<OsString>,

    /// Start from what a network paints: paint (built in), wct, adain, microast, ghiasi, fast, or a file of one
    #[arg(
        long,
        value_name = "NAME|FILE", value_hint = ValueHint::FilePath,
        conflicts_with = "init",
        help_heading = "Picture"
    )]
    pub start: Option<OsString>,

    /// Where it is painted.
    #[command(flatten)]
    pub regions: Regions,

    /// Take the colours of this picture instead of the content's: --colors content, or as --colors says
    #[arg(long, value_name = "IMAGE", value_hint = ValueHint::FilePath, help_heading = "Colours")]
    pub palette: Option<OsString>,

    /// The network that paints: an installed model, or a file or folder of weights; with --compare also several, each for the
    /// methods that it paints by [default: the method's own]
    #[arg(long, value_name = "NAME|FILE", value_hint = ValueHint::AnyPath, help_heading = "Feed-forward networks")]
    pub model: Vec<OsString>,

    /// What is compared, and how.
    #[command(flatten)]
    pub objective: Objective,

    /// Settings of the recipe.
    #[command(flatten)]
    pub settings: RunSettings,

    /// Where it runs.
    #[command(flatten)]
    pub device: Device,

    /// How progress is shown on stderr; json: an object a line on stdout
    #[arg(
        long,
        value_parser = value::named::<Progress>(),
        help = default("How progress is shown on stderr; json: an object a line on stdout", "auto"),
        help_heading = "Output"
    )]
    pub progress: Option<Given<Progress>>,
}

/// What was typed, with `--style -:WEIGHT` as `--style=-:WEIGHT`: the standard input with a weight begins as options do,
/// and would be taken for one.
pub fn with_standard_styles(typed: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut args: Vec<OsString> = Vec::new();
    for arg in typed {
        let weighted = arg.as_encoded_bytes().starts_with(b"-:");
        match args
            .last_mut()
            .filter(|last| weighted && *last == "--style")
        {
            Some(style) => {
                style.push("=");
                style.push(arg);
            }
            None => args.push(arg),
        }
    }
    args
}

/// What is compared, and how.
#[derive(Args)]
pub struct Objective {
    /// A painting or a folder of them, and how much each counts among the paintings; may be given several times. A network
    /// that has learned its style needs none
    #[arg(
        long = "style",
        value_name = "IMAGE[:WEIGHT]", value_hint = ValueHint::FilePath,
        help_heading = "Style"
    )]
    pub styles: Vec<OsString>,

    /// Settings of the recipe.
    #[command(flatten)]
    pub settings: LossSettings,

    /// The network that looks at pictures.
    #[command(flatten)]
    pub encoder: EncoderChoice,
}

/// The network that looks at pictures.
#[derive(Args)]
pub struct EncoderChoice {
    /// lite (built in), an installed model such as vgg19, or a file of weights [default: vgg19 if installed, else lite]
    #[arg(long, value_name = "NAME|FILE", value_hint = ValueHint::FilePath, help_heading = "Encoder")]
    pub encoder: Option<OsString>,

    /// What a file of weights expects of the image [default: told from the file]
    #[arg(long, value_parser = value::preprocessing(), help_heading = "Encoder")]
    pub preprocessing: Option<Given<Preprocessing>>,

    /// Where models are kept.
    #[command(flatten)]
    pub folder: ModelsFolder,
}

/// Where it runs.
#[derive(Args)]
pub struct Device {
    /// What does the work, gpu:N for one of several; reference is slow and exact
    #[arg(
        long,
        value_parser = value::named::<Kind>(),
        help = default("What does the work, gpu:N for one of several; reference is slow and exact", Kind::default().name()),
        help_heading = "Device"
    )]
    pub device: Option<Given<Kind>>,

    /// Memory that may be used, with its unit: larger pictures are worked on in strips or tiles [default: 90 % of what is free]
    #[arg(long, value_name = "SIZE", value_parser = value::bytes(), help_heading = "Device")]
    pub memory: Option<Given<u64>>,

    /// Work in strips of about so many rows (on a card, tiles of this side), whatever the memory; the picture is the same
    #[arg(long, value_name = "N", value_parser = value::whole::<usize>(), help_heading = "Device")]
    pub tile: Option<Given<usize>>,

    /// How it works.
    #[command(flatten)]
    pub cpu: Cpu,
}

/// How a device works.
#[derive(Args)]
pub struct Cpu {
    /// Threads of the cpu, 1 to 1024; the result does not depend on them [default: one per processor]
    #[arg(long, value_name = "N", value_parser = value::whole::<usize>(), help_heading = "Device")]
    pub threads: Option<Given<usize>>,

    /// Accuracy of convolutions: strict, f32 or bf16 on the cpu, f32 or f16 on a gpu
    #[arg(
        long,
        value_parser = value::named::<Precision>(),
        help = default("Accuracy of convolutions: strict, f32 or bf16 on the cpu, f32 or f16 on a gpu", Precision::default().name()),
        help_heading = "Device"
    )]
    pub precision: Option<Given<Precision>>,
}

/// How progress is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Progress {
    /// A bar on a terminal, else a line per scale.
    #[default]
    Auto,
    /// A bar.
    Bar,
    /// A JSON object per line on stdout.
    Json,
    /// Not at all.
    None,
}

impl Named for Progress {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("auto", Progress::Auto),
        ("bar", Progress::Bar),
        ("json", Progress::Json),
        ("none", Progress::None),
    ];
}

/// `impasto inspect loss`.
#[derive(Args)]
#[command(allow_negative_numbers = true)]
pub struct InspectLoss {
    /// The content
    #[arg(long, value_name = "IMAGE", value_hint = ValueHint::FilePath, help_heading = "Picture")]
    pub content: OsString,

    /// Where the loss is taken; as large as the content
    #[arg(long, value_name = "IMAGE", value_hint = ValueHint::FilePath, help_heading = "Picture")]
    pub image: OsString,

    /// What is compared, and how.
    #[command(flatten)]
    pub objective: Objective,

    /// Where it runs.
    #[command(flatten)]
    pub device: Device,

    /// Write the gradient of the total towards the image in 0..1: NumPy, float32, [3, h, w]
    #[arg(long, value_name = "FILE.npy", value_hint = ValueHint::FilePath, help_heading = "Output")]
    pub gradient: Option<PathBuf>,

    /// Print JSON: {"terms": [{"name", "value", "weight", "weighted"}], "total"}
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

/// `impasto inspect encoder`.
#[derive(Args)]
pub struct InspectEncoder {
    /// lite, an installed model such as vgg19, or a file of weights
    #[arg(value_name = "NAME|FILE", value_hint = ValueHint::FilePath)]
    pub encoder: OsString,

    /// What a file of weights expects of the image [default: told from the file]
    #[arg(long, value_parser = value::preprocessing())]
    pub preprocessing: Option<Given<Preprocessing>>,

    /// Where models are kept.
    #[command(flatten)]
    pub folder: ModelsFolder,

    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `impasto bench`.
#[derive(Subcommand)]
pub enum Bench {
    /// Time a step: Gram style, content and total variation, their gradient, and Adam
    Step(BenchStep),
    /// Time how an encoder is read and prepared, and the memory that takes
    Load(BenchLoad),
}

/// `impasto bench step`.
#[derive(Args)]
#[command(allow_negative_numbers = true)]
pub struct BenchStep {
    /// lite, vgg19, vgg16, or a file of weights
    #[arg(long, value_name = "NAME|FILE", value_hint = ValueHint::FilePath, default_value = "vgg19")]
    pub encoder: OsString,

    /// Fill vgg19 or vgg16 with seeded random weights; a step takes the same time with them
    #[arg(long)]
    pub random_weights: bool,

    /// Long sides of the square pictures in pixels
    #[arg(
        long,
        value_name = "N",
        value_parser = value::whole::<usize>(),
        help = default("Side of the square pictures in pixels, 16 to 32768", BENCH_SIZE)
    )]
    pub size: Option<Given<usize>>,

    /// Steps to time, after two to warm up
    #[arg(
        long,
        value_name = "K",
        value_parser = value::whole::<usize>(),
        help = default("Steps to time, after two to warm up", BENCH_STEPS)
    )]
    pub steps: Option<Given<usize>>,

    /// Where it runs.
    #[command(flatten)]
    pub device: Device,

    /// Where models are kept.
    #[command(flatten)]
    pub folder: ModelsFolder,

    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Side of the pictures of `impasto bench step` unless told otherwise.
pub const BENCH_SIZE: usize = 512;
/// Steps of `impasto bench step` unless told otherwise.
pub const BENCH_STEPS: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_input_with_a_weight_is_a_style() {
        let args = |text: &str| -> Vec<OsString> { text.split(' ').map(OsString::from).collect() };
        for (typed, expected) in [
            ("x --style -:2 y", "x --style=-:2 y"),
            ("--style - --style -:.5", "--style - --style=-:.5"),
            ("--style --size 9", "--style --size 9"),
            ("--style a:2 -:1", "--style a:2 -:1"),
        ] {
            assert_eq!(with_standard_styles(args(typed)), args(expected));
        }
    }
}
