//! `impasto flow`: the motion from one frame to another, as other programs read it, or as a picture.

use crate::problems::Problems;
use crate::{Exit, Failure, note};
use anyhow::{Context, anyhow};
use clap::{Args, ValueHint};
use impasto::Picture;
use impasto::device::{self, Choice, Kind};
use impasto::job::{self, Files, Source};
use impasto::picture::{Format, SaveOptions, write_whole};
use impasto::video::Estimator;
use impasto_flow::{Frame, Rule, flow_colors, reliable, write_flo};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The call.
#[derive(Args)]
pub struct Arguments {
    /// The frame that motion is told of
    #[arg(value_name = "A", value_hint = ValueHint::FilePath)]
    a: OsString,

    /// The frame that it leads to, of the same size
    #[arg(value_name = "B", value_hint = ValueHint::FilePath)]
    b: OsString,

    /// Where it goes: .flo as Middlebury has it, or a picture in its colours (direction is hue, speed is saturation)
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    output: PathBuf,

    /// Write where the motion can be relied on, too: a picture, white where it can
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    mask: Option<PathBuf>,

    /// RAFT-small's file (raft-small.pth): what it says is a candidate beside what is found without, better where motion is large
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    flow_model: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: &Arguments) -> Result<Exit, Failure> {
    let mut problems = Problems::default();
    let sources = [&args.a, &args.b].map(|name| Source::new(name));
    let is_flo = args
        .output
        .extension()
        .is_some_and(|end| end.eq_ignore_ascii_case("flo"));
    let mut files = Files::default();
    files.read_pictures(sources.iter());
    if let Some(path) = &args.flow_model {
        files.read(path, job::Input::Weights);
    }
    let opened = problems.gather(|found| {
        for path in [Some(&args.output), args.mask.as_ref()]
            .into_iter()
            .flatten()
        {
            files.write(path, found);
            if let (Err(error), false) = (Format::from_path(path), is_flo && *path == args.output) {
                found.push(job::Problem::Failed(error.into()));
            }
        }
        sources.each_ref().map(|source| job::open(source, found))
    });
    let ([Some(a), Some(b)], true) = (opened, problems.is_empty()) else {
        return Err(problems.into());
    };
    if a.size() != b.size() {
        return Err(anyhow!(
            "{} has {}×{} px and {} {}×{}: frames of one film have one size",
            sources[0].name(),
            a.width(),
            a.height(),
            sources[1].name(),
            b.width(),
            b.height()
        )
        .into());
    }
    let estimator = estimator(args.flow_model.as_deref(), None)?;
    let [seen_a, seen_b] = [estimator.look(&frame(&a)?)?, estimator.look(&frame(&b)?)?];
    let [there, back] = estimator.both(&seen_a, &seen_b, None)?;
    let mask = reliable(&there, &back, &Rule::default())?;
    let (width, height) = (a.width(), a.height());
    match is_flo {
        true => {
            let mut bytes = Vec::new();
            write_flo(&there, &mut bytes)?;
            let written = write_whole(&args.output, &bytes);
            written.with_context(|| format!("cannot write {}", args.output.display()))?;
        }
        false => {
            let bytes = flow_colors(&there, None);
            let plane = |channel: usize| bytes.iter().skip(channel).step_by(3);
            let planes = (0..3).flat_map(plane).map(|&byte| f32::from(byte) / 255.0);
            let picture = Picture::new(width, height, planes.collect())?;
            picture.save(&args.output, &SaveOptions::default())?;
        }
    }
    if let Some(path) = &args.mask {
        let planes = mask.weights().repeat(3);
        Picture::new(width, height, planes)?.save(path, &SaveOptions::default())?;
    }
    let pairs = there.u().iter().zip(there.v());
    let fastest = pairs.map(|(u, v)| u.hypot(*v)).fold(0.0, f32::max);
    note(&format!(
        "wrote {}: {width}×{height} px, {:.1} px at most, {:.0} % can be relied on",
        args.output.display(),
        fastest,
        100.0 * mask.share()
    ));
    Ok(Exit::Done)
}

/// Who says how things move: with a learned one, if its file is named.
pub fn estimator(model: Option<&Path>, threads: Option<usize>) -> anyhow::Result<Estimator> {
    // The processor's, whatever paints: results do not depend on who does.
    let choice = Choice {
        kind: Kind::Cpu,
        threads,
        ..Choice::default()
    };
    match model {
        Some(path) => Ok(Estimator::learned(path, Arc::from(device::open(&choice)?))?),
        None => Ok(Estimator::default()),
    }
}

/// A picture as flow sees it.
fn frame(picture: &Picture) -> Result<Frame, impasto_flow::Error> {
    Frame::new(3, picture.height(), picture.width(), picture.rgb().to_vec())
}
