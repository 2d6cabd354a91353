//! `impasto-train judge`: paints pairs of pictures with several encoders and asks the teacher what it thinks of them.
//!
//! Every encoder paints under the same recipe, impasto's own, in the same number of steps. Of each result the teacher
//! measures its own Gram style loss (relu1_1, 2_1, 3_1, each divided by the mean square of the style's Gram matrix) and
//! its content loss (relu3_3, divided by the variance of the content's features): what a student that lets the optimiser
//! cheat would not bring down. Pictures stand side by side in one file a pair: content, style, then the encoders'.

use anyhow::{Context, Result, bail, ensure};
use impasto::picture::{Filter, SaveOptions, fit_long_side, write_whole};
use impasto::recipe::{MethodSettings, Optimize, Quality, StyleLoss};
use impasto::{
    Encoder, Ignore, LayerName, Outcome, OutputSize, Picture, Recipe, Style, Stylized, Stylizer,
    WeightedLayer,
};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Arguments of `impasto-train judge`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Weights of the teacher, which judges and paints too
    #[arg(long, value_name = "FILE")]
    pub teacher: PathBuf,
    /// Encoders that are judged [default: the built-in one]
    #[arg(long, value_name = "FILE")]
    pub encoder: Vec<PathBuf>,
    /// Folder of photographs
    #[arg(long, value_name = "DIR")]
    pub contents: PathBuf,
    /// Folder of paintings
    #[arg(long, value_name = "DIR")]
    pub styles: PathBuf,
    /// Pairs that are painted: the first photograph in the style of the first painting, and so on
    #[arg(long, default_value_t = 10)]
    pub pairs: usize,
    /// Long side in pixels
    #[arg(long, default_value_t = 256)]
    pub size: usize,
    /// Folder of the pictures and of judgement.md and judgement.json
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

/// What the teacher says of a picture.
#[derive(Clone, Debug, Serialize)]
struct Verdict {
    /// Who painted it: `start` for the photo itself.
    painter: String,
    style: f64,
    content: f64,
    seconds: f64,
}

/// A pair and its verdicts.
#[derive(Debug, Serialize)]
struct Trial {
    content: String,
    style: String,
    verdicts: Vec<Verdict>,
}

/// Paints, judges, and writes what was found.
pub fn run(arguments: &Arguments) -> Result<()> {
    let teacher = Encoder::open(&arguments.teacher, None)?;
    let mut painters = vec![("teacher".to_string(), teacher.clone())];
    for file in &arguments.encoder {
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        painters.push((name.into_owned(), Encoder::open(file, None)?));
    }
    if arguments.encoder.is_empty() {
        painters.push(("lite".into(), Encoder::lite()?));
    }
    let (contents, styles) = (list(&arguments.contents)?, list(&arguments.styles)?);
    std::fs::create_dir_all(&arguments.out)
        .with_context(|| format!("cannot make the folder {}", arguments.out.display()))?;
    let mut trials = Vec::new();
    for index in 0..arguments.pairs {
        let pair = [
            &contents[index % contents.len()],
            &styles[index % styles.len()],
        ];
        let trial = judge(arguments, &painters, pair, index)?;
        eprintln!("{}", line(&trial));
        trials.push(trial);
        let json = serde_json::to_string_pretty(&trials)?;
        for (name, text) in [("judgement.json", json), ("judgement.md", page(&trials))] {
            write_whole(&arguments.out.join(name), text.as_bytes())
                .with_context(|| format!("cannot write {name}"))?;
        }
    }
    Ok(())
}

fn judge(
    arguments: &Arguments,
    painters: &[(String, Encoder)],
    [content, style]: [&PathBuf; 2],
    index: usize,
) -> Result<Trial> {
    let names = [content, style].map(|path| name(path));
    let [content, style] = [open(content, arguments.size)?, open(style, arguments.size)?];
    let styles = || vec![Style::new("style", style.clone(), 1.0)];
    let judge = &painters[0].1;
    let mut judge = Stylizer::new(crate::teacher::device(None)?, judge, styles(), measure()?)?;
    let mut verdict = |painter: &str, picture: &Picture, seconds: f64| -> Result<Verdict> {
        let seen = judge.inspect(&content, picture)?;
        let sum = |kind: &str| {
            let terms = seen.terms.iter().filter(|term| term.name.starts_with(kind));
            terms.map(|term| term.weighted).sum::<f64>()
        };
        Ok(Verdict {
            painter: painter.into(),
            style: sum("style"),
            content: sum("content"),
            seconds,
        })
    };
    let mut verdicts = vec![verdict("start", &content, 0.0)?];
    let mut row = vec![content.clone(), style.clone()];
    for (painter, encoder) in painters {
        let mut recipe = Recipe {
            size: OutputSize::LongSide(arguments.size),
            ..Recipe::default()
        };
        Quality::Normal.apply(&mut recipe);
        let device = crate::teacher::device(None)?;
        let clock = Instant::now();
        let mut stylizer = Stylizer::new(device, encoder, styles(), recipe)?;
        let Stylized {
            picture, outcome, ..
        } = stylizer.stylize(&content, &mut Ignore)?;
        ensure!(
            outcome == Outcome::Finished,
            "{painter} diverged on {}",
            names[0]
        );
        verdicts.push(verdict(painter, &picture, clock.elapsed().as_secs_f64())?);
        row.push(picture);
    }
    let file = format!("{:02}-{}-{}.png", index + 1, names[0], names[1]);
    beside(&row)?.save(&arguments.out.join(file), &SaveOptions::default())?;
    let [content, style] = names;
    Ok(Trial {
        content,
        style,
        verdicts,
    })
}

/// The recipe whose losses are the teacher's verdict.
fn measure() -> Result<Recipe> {
    let layers = |names: &[&str]| -> Result<Vec<WeightedLayer>> {
        let layers = names.iter().map(|name| {
            let layer: LayerName = name.parse()?;
            Ok(WeightedLayer::one(layer))
        });
        layers.collect()
    };
    let mut settings = Optimize::default();
    settings.content.layers = layers(&["relu3_3"])?;
    settings.content.weight = 1.0;
    settings.style.layers = layers(&["relu1_1", "relu2_1", "relu3_1"])?;
    settings.style.loss = StyleLoss::Gram;
    settings.variation.weight = 0.0;
    Ok(Recipe {
        method: MethodSettings::Optimize(settings),
        // Another layer in their place would be another verdict.
        strict_taps: true,
        ..Recipe::default()
    })
}

fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| {
        format!(
            "cannot read {}: name a folder of pictures",
            folder.display()
        )
    })?;
    let mut files = Vec::new();
    for entry in entries {
        files.push(entry?.path());
    }
    files.retain(|file| file.is_file());
    files.sort();
    if files.is_empty() {
        bail!(
            "there are no pictures in {}: name a folder of pictures",
            folder.display()
        );
    }
    Ok(files)
}

fn name(path: &Path) -> String {
    path.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// A picture at a long side.
fn open(path: &Path, side: usize) -> Result<Picture> {
    let picture = Picture::open(path)?;
    let (width, height) = fit_long_side(picture.width(), picture.height(), side);
    Ok(picture.resized(width, height, Filter::Bicubic))
}

/// Pictures in a row, on white.
fn beside(pictures: &[Picture]) -> Result<Picture> {
    const GAP: usize = 4;
    let width = pictures
        .iter()
        .map(|picture| picture.width() + GAP)
        .sum::<usize>()
        - GAP;
    let height = pictures.iter().map(Picture::height).max().unwrap_or(1);
    let mut rgb = vec![1.0; 3 * width * height];
    let mut left = 0;
    for picture in pictures {
        for (index, row) in picture.rgb().chunks_exact(picture.width()).enumerate() {
            let (plane, y) = (index / picture.height(), index % picture.height());
            let start = (plane * height + y) * width + left;
            rgb[start..start + row.len()].copy_from_slice(row);
        }
        left += picture.width() + GAP;
    }
    Ok(Picture::new(width, height, rgb)?)
}

/// A trial in a line: style losses, and those of students over the teacher's.
fn line(trial: &Trial) -> String {
    let teacher = trial.verdicts[1].style;
    let verdicts = trial.verdicts.iter().map(|verdict| {
        let Verdict {
            painter,
            style,
            content,
            seconds,
        } = verdict;
        let ratio = style / teacher;
        format!("{painter} {style:.4} (×{ratio:.2}), content {content:.3}, {seconds:.1} s")
    });
    let verdicts: Vec<_> = verdicts.collect();
    format!(
        "{} × {}: {}",
        trial.content,
        trial.style,
        verdicts.join("; ")
    )
}

/// All trials as a table.
fn page(trials: &[Trial]) -> String {
    let mut page = String::from("| pair |");
    let Some(first) = trials.first() else {
        return page;
    };
    for verdict in &first.verdicts {
        page += &format!(" {} style | content |", verdict.painter);
    }
    page += &format!("\n|---|{}\n", "---|---|".repeat(first.verdicts.len()));
    for trial in trials {
        page += &format!("| {} × {} |", trial.content, trial.style);
        let teacher = trial.verdicts[1].style;
        for (index, verdict) in trial.verdicts.iter().enumerate() {
            page += &match index {
                0 | 1 => format!(" {:.4} | {:.3} |", verdict.style, verdict.content),
                _ => format!(
                    " {:.4} (×{:.2}) | {:.3} |",
                    verdict.style,
                    verdict.style / teacher,
                    verdict.content
                ),
            };
        }
        page += "\n";
    }
    page
}
