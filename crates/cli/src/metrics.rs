//! `impasto metrics`: numbers about results, beside each other.

use crate::args::{Cpu, Device, EncoderChoice};
use crate::problems::Problems;
use crate::{Exit, Failure, note, print, settings};
use clap::{Args, ValueHint};
use impasto::Encoder;
use impasto::job::{self, Made, Source};
use impasto::metrics::{Lpips, Measures, Meter};
use serde_json::json;
use std::ffi::OsString;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// The encoder that is part of the program.
const LITE: &str = "lite";

/// `impasto metrics`.
#[derive(Args)]
pub struct Arguments {
    /// The photo that was painted: a file, @NAME for a built-in picture, - for the standard input
    #[arg(value_name = "CONTENT", value_hint = ValueHint::FilePath)]
    content: OsString,

    /// The painting that it was painted after
    #[arg(value_name = "STYLE", value_hint = ValueHint::FilePath)]
    style: OsString,

    /// What was made of them
    #[arg(value_name = "RESULT", value_hint = ValueHint::FilePath, required = true)]
    results: Vec<OsString>,

    /// The network that looks at pictures; without, one that none of the results was made with, if there is one
    #[command(flatten)]
    encoder: EncoderChoice,

    /// Measure LPIPS as well, with this file of its weights (vgg.pth of its authors) and VGG-16
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Encoder")]
    lpips: Option<PathBuf>,

    /// Where it runs.
    #[command(flatten)]
    device: Device,

    /// Print JSON: {"encoder", "results": [{"name", "made_with", "content", "style", "cfsd", "histogram", "ssim", "lpips", "sliced"}]}
    #[arg(long, help_heading = "Output")]
    json: bool,
}

impl Arguments {
    /// How the processor works.
    pub fn cpu(&self) -> &Cpu {
        &self.device.cpu
    }
}

/// A result, what made it, and what it measures.
struct Row {
    name: String,
    /// The encoder that its file says it was made with.
    made_with: Option<String>,
    measures: Measures,
}

/// `impasto metrics`.
pub fn run(args: &Arguments) -> Result<Exit, Failure> {
    let mut problems = Problems::default();
    let mut choice = settings::encoder(&args.encoder, &mut problems);
    let device = settings::device(&args.device, &mut problems);
    let named = [&args.content, &args.style]
        .into_iter()
        .chain(&args.results);
    let sources: Vec<Source> = named
        .filter_map(|name| settings::standard(Source::new(name), &mut problems))
        .collect();
    let mut found = Vec::new();
    let pictures: Vec<_> = sources
        .iter()
        .filter_map(|source| job::open(source, &mut found))
        .collect();
    problems.job(&found, &[]);
    // Files of other programs say nothing.
    let made_with: Vec<Option<String>> = sources
        .iter()
        .skip(2)
        .map(|source| Made::of(source).ok().map(|made| made.encoder))
        .collect();
    let is_chosen = choice.name.is_some();
    if !is_chosen {
        choice.name = other_than(&made_with, &choice);
    }
    let encoder = problems.gather(|found| job::find_encoder(&choice, found));
    let device = problems.gather(|found| job::open_device(&device, found));
    let lpips = args
        .lpips
        .as_deref()
        .and_then(|file| lpips(file, &choice, &mut problems));
    let (Some(encoder), Some(device), true) = (encoder, device, problems.is_empty()) else {
        return Err(problems.into());
    };
    let [content, style, results @ ..] = &pictures[..] else {
        return Err(problems.into());
    };
    let meter = Meter::new(device, encoder).with_lpips(lpips);
    if made_with
        .iter()
        .flatten()
        .any(|name| name == meter.encoder())
    {
        note(&format!(
            "{} measures what was made with it, and finds it better than it is: take another by --encoder",
            meter.encoder()
        ));
    }
    let mut rows = Vec::new();
    for ((result, source), made_with) in results.iter().zip(&sources[2..]).zip(made_with) {
        rows.push(Row {
            name: source.name(),
            made_with,
            measures: meter.measure(content, style, result)?,
        });
    }
    print(&match args.json {
        true => as_json(meter.encoder(), &rows),
        false => table(meter.encoder(), &rows),
    })?;
    Ok(Exit::Done)
}

/// LPIPS by a file of its weights, on the VGG-16 that is installed.
fn lpips(file: &Path, choice: &job::EncoderChoice, problems: &mut Problems) -> Option<Lpips> {
    let choice = job::EncoderChoice {
        name: Some("vgg16".into()),
        ..choice.clone()
    };
    let encoder = problems.gather(|found| job::find_encoder(&choice, found))?;
    problems.gather(|found| match Lpips::open(encoder, file) {
        Ok(lpips) => Some(lpips),
        Err(error) => {
            found.extend(job::Problem::all_of(error));
            None
        }
    })
}

/// An encoder that none of the results was made with, if one is there; `None` leaves it to the default.
fn other_than(made_with: &[Option<String>], choice: &job::EncoderChoice) -> Option<PathBuf> {
    let used = |name: &str| made_with.iter().flatten().any(|used| used == name);
    let default = job::find_encoder(choice, &mut vec![]);
    let default = default.as_ref().map_or(LITE, Encoder::name);
    (used(default) && !used(LITE)).then(|| LITE.into())
}

fn as_json(encoder: &str, rows: &[Row]) -> String {
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            let mut value = json!(row.measures);
            value["name"] = row.name.clone().into();
            value["made_with"] = row.made_with.clone().into();
            value
        })
        .collect();
    format!("{}\n", json!({"encoder": encoder, "results": rows}))
}

fn table(encoder: &str, rows: &[Row]) -> String {
    let widest = rows.iter().map(|row| row.name.chars().count());
    let width = widest.max().unwrap_or(0).max("result".len());
    let mut text = format!(
        "{:<width$} {:>8} {:>8} {:>8} {:>10} {:>7} {:>7} {:>8}\n",
        "result", "content", "style", "cfsd", "histogram", "ssim", "lpips", "sliced"
    );
    for Row {
        name, measures: it, ..
    } in rows
    {
        let [cfsd, lpips] = [it.cfsd, it.lpips]
            .map(|value| value.map_or("–".into(), |value| format!("{value:.4}")));
        let _ = writeln!(
            text,
            "{name:<width$} {:>8.4} {:>8.4} {cfsd:>8} {:>10.4} {:>7.4} {lpips:>7} {:>8.4}",
            it.content, it.style, it.histogram, it.ssim, it.sliced
        );
    }
    let _ = writeln!(
        text,
        "\ncontent, style and cfsd by {encoder}; content, cfsd, ssim, lpips: to the photo, style, histogram, sliced: to the painting; \
         less is nearer, but for ssim"
    );
    text
}
