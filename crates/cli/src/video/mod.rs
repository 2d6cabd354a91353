//! `impasto video`: a film, painted frame by frame so that strokes move with what they are painted on.

mod account;
mod ahead;
mod asked;
mod eyes;
mod film;
mod frames;
mod keyframes;
mod learned;
mod looking;
mod masks;
mod memories;
mod painter;
mod shots;
mod stages;
mod steadied;

use crate::args::Run;
use crate::value::{self, Given};
use anyhow::anyhow;
use clap::{Args, ValueHint};
use impasto::keyframes::NetworkSize;
use impasto_video::Backend;
use std::ffi::OsString;
use std::path::PathBuf;

pub use film::run;

/// `impasto video`.
#[derive(Args)]
#[command(allow_negative_numbers = true)]
pub struct Arguments {
    /// The film: MP4, MOV, GIF, APNG, WebP, Y4M, a folder or a pattern of pictures like frames/%04d.png, - for Y4M from the standard input
    #[arg(value_name = "FILM", value_hint = ValueHint::AnyPath)]
    pub film: OsString,

    /// What the run does, and where.
    #[command(flatten)]
    pub run: Run,

    /// Where to write it: .mp4 (with the sound), .gif, .png (APNG), .y4m, a folder or a pattern like out/%04d.png, - for Y4M to the standard output [default: FILM-painted.mp4]
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::AnyPath, help_heading = "Output")]
    pub output: Option<PathBuf>,

    /// Replace the output if it exists
    #[arg(long, help_heading = "Output")]
    pub overwrite: bool,

    /// Go on where this very run was cut off; the result has the same bytes as if it had not been
    #[arg(long, help_heading = "Output")]
    pub resume: bool,

    /// Print frames, size, memory and time, and paint nothing
    #[arg(long, help_heading = "Output")]
    pub plan: bool,

    /// Write a page with a strip of frames, how they agree, shots and settings: one .html file that needs no other
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Output")]
    pub report: Option<PathBuf>,

    /// Leave the sound out
    #[arg(long, help_heading = "Output")]
    pub no_sound: bool,

    /// How coarse H.264 may be, 0 to 51 [default: 20]
    #[arg(long, value_name = "N", value_parser = value::whole::<u8>(), help_heading = "Output")]
    pub quantizer: Option<Given<u8>>,

    /// How much strokes stay what they were, from 0 (each frame by itself) to 1 [default: 0.5]
    #[arg(long, value_name = "N", value_parser = value::real(), help_heading = "Film")]
    pub consistency: Option<Given<f32>>,

    /// How often each frame is gone over: 2 goes back from the last to the first of every twelve, which takes twice as long [default: 1; of --quality fine, 2]
    #[arg(long, value_name = "1|2", value_parser = value::whole::<usize>(), help_heading = "Film")]
    pub passes: Option<Given<usize>>,

    /// How many shots are painted at once, each by its share of the threads [default: one for every eight cores]
    #[arg(long, value_name = "N", value_parser = value::whole::<usize>(), help_heading = "Film")]
    pub workers: Option<Given<usize>>,

    /// The frames to paint, from 0, the last one too: 100..200, 100.. or ..200
    #[arg(long, value_name = "FROM..TO", help_heading = "Film")]
    pub frames: Option<String>,

    /// Paint every N-th frame alone
    #[arg(long, value_name = "N", value_parser = value::whole::<u64>(), help_heading = "Film")]
    pub every: Option<Given<u64>>,

    /// Pictures a second of a folder or pattern [default: 25]; of a film, paint and show no more than these
    #[arg(long, value_name = "N", value_parser = value::real(), help_heading = "Film")]
    pub fps: Option<Given<f32>>,

    /// Paint all frames like this one, by its number from 0 or a time such as 1.5s: FRAME=PAINTING, FRAME alone to paint it first, or a folder of files named by frame; may be given several times
    #[arg(long = "keyframe", value_name = "FRAME[=FILE]", value_hint = ValueHint::AnyPath, help_heading = "Keyframes")]
    pub keyframes: Vec<OsString>,

    /// Learn from a keyframe only where this picture is white
    #[arg(long = "keyframe-mask", value_name = "FRAME=FILE", value_hint = ValueHint::FilePath, help_heading = "Keyframes")]
    pub keyframe_masks: Vec<OsString>,

    /// Where to keep the network that is learned from keyframes; without any, the one that is used
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Keyframes")]
    pub network: Option<PathBuf>,

    /// Steps of learning [default: 650]
    #[arg(long, value_name = "N", value_parser = value::whole::<usize>(), help_heading = "Keyframes")]
    pub learn_steps: Option<Given<usize>>,

    /// Which network learns: lean paints in real time, published is that of the paper, which takes twenty times as long [default: quality]
    #[arg(long, value_name = "SIZE", value_parser = value::named::<NetworkSize>(), help_heading = "Keyframes")]
    pub network_size: Option<Given<NetworkSize>>,

    /// Take noise out of the frames before they are painted, by so many frames to either side, moved; costs time [default: 0]
    #[arg(long, value_name = "N", value_parser = value::whole::<usize>(), help_heading = "Keyframes")]
    pub steady: Option<Given<usize>>,

    /// Write the newest frame now and then; with keyframes, while it learns, what becomes of the frame that is farthest from them
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Output")]
    pub preview: Option<PathBuf>,

    /// Be part of another program: end with the standard input, and do what its lines say: wait, go, finish
    #[arg(long, hide = true)]
    pub leash: bool,

    /// Paint what comes into a folder, and wait for more until Ctrl-C, which makes the output whole
    #[arg(long, help_heading = "Film")]
    pub watch: bool,

    /// Frames hold two pictures, one for each eye: side by side, or the left eye's on top; sizes and masks are those of one, and a picture that does not move does as well
    #[arg(
        long,
        value_name = "sbs|tb",
        value_enum,
        hide_possible_values = true,
        help_heading = "Film"
    )]
    pub stereo: Option<eyes::Stereo>,

    /// RAFT-small's file (raft-small.pth): its flow is a candidate for the program's own, better where motion is large
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Film")]
    pub flow_model: Option<PathBuf>,

    /// A file with the numbers of the frames that begin a shot, one a line; none for a film of one shot [default: they are found]
    #[arg(long, value_name = "FILE|none", value_hint = ValueHint::FilePath, help_heading = "Film")]
    pub cuts: Option<OsString>,

    /// Who reads and writes: the program itself where it can, or ffmpeg
    #[arg(long, value_name = "auto|native|ffmpeg", value_parser = backend, default_value = "auto", hide_default_value = true, help_heading = "Film")]
    pub backend: Backend,

    /// The ffmpeg that is used for what the program cannot read [default: that of the path]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::ExecutablePath, help_heading = "Film")]
    pub ffmpeg: Option<PathBuf>,
}

fn backend(text: &str) -> Result<Backend, String> {
    match text {
        "auto" => Ok(Backend::Auto),
        "native" => Ok(Backend::Native),
        "ffmpeg" => Ok(Backend::Ffmpeg),
        _ => Err("must be auto, native or ffmpeg".into()),
    }
}

/// An error of files, with what to do about it.
fn told(error: impasto_video::Error) -> anyhow::Error {
    use impasto_video::Advice;
    let advice = match error.advice() {
        Some(Advice::InstallFfmpeg) => {
            "install ffmpeg, which reads nearly everything, and call again"
        }
        Some(Advice::UseFfmpeg) => "ffmpeg is there and can: --backend auto or ffmpeg",
        Some(Advice::GetFileAnew) => "get the file anew, or convert it with ffmpeg",
        Some(Advice::NameOutput) => "name an output that ends so",
        Some(Advice::BeginAnew) => {
            "the same options go on with it; without --resume it is begun anew"
        }
        Some(Advice::FreeSpace) => {
            "free some space and go on with --resume, or write to another disk"
        }
        Some(Advice::OtherPlace) => "write to a folder where that is allowed",
        Some(Advice::OtherOutput) => "wait for it, or name another output",
        _ => return error.into(),
    };
    anyhow!("{error}; {advice}")
}
