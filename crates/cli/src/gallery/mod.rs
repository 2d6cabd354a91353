//! `impasto gallery`: every content in every style, as pictures, a labelled grid and a page.
//!
//! ```text
//! contents × styles ─▶ Plan: what is finished already, what is to do ─▶ a picture after the other ─▶ grid, page
//!                            └────── manifest ◀── an entry each ◀───────────┘
//! ```
//!
//! A picture is made again if recipe, encoder or one of its inputs changed, and kept if not: the fingerprint is over
//! these and the program's version. Device, threads and precision are no part of it.
//!
//! A shard paints some of the cells and notes them in a ledger of its own; grid and page are made by a call without shards.

mod made_from;
mod manifest;
mod names;
mod shared;

use crate::args::Run;
use crate::problems::Problems;
use crate::progress::{Display, duration};
use crate::shard::{Shard, file_name};
use crate::stylize::{command_line, noise, summary, watched};
use crate::value::{self, Given};
use crate::{Exit, Failure, interrupt, job, note, say, settings, words};
use anyhow::{Context, bail};
use clap::{Args, ValueHint};
use impasto::job::{Files, Ledger, Problem, Source, describe, sha256};
use impasto::picture::{Format, Limits, PictureError, SaveOptions, write_whole};
use impasto::{Cell, Gallery, Picture, Plate, Recipe, Style, Stylizer, sheet};
use made_from::fingerprints;
use manifest::{Entry, Manifest};
use names::{cell_names, check_folder, names_of_shard};
use shared::{Shared, Whole};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// The grid and the page in a gallery's folder.
const GRID: &str = "gallery.jpg";
const PAGE: &str = "gallery.html";

/// JPEG quality of the grid.
const GRID_QUALITY: u8 = 92;

/// Sides that a picture in the grid may have.
const SIDES: std::ops::RangeInclusive<usize> = 64..=4096;

/// `impasto gallery`.
#[derive(Args)]
#[command(allow_negative_numbers = true)]
pub struct Arguments {
    /// Pictures to paint, each in every style: files, folders of files, @NAME for a built-in one, - for the standard input
    #[arg(value_name = "CONTENT", value_hint = ValueHint::FilePath, required = true)]
    contents: Vec<OsString>,

    /// What the run does, and where.
    #[command(flatten)]
    pub run: Run,

    /// Paint nothing if a content or style cannot be read; otherwise it is told and left out
    #[arg(long, help_heading = "Output")]
    strict: bool,

    /// Folder of the gallery, made if need be; what is finished there is kept
    #[arg(
        long, short,
        value_name = "DIR",
        value_hint = ValueHint::DirPath,
        default_value = "gallery",
        help_heading = "Output"
    )]
    out_dir: PathBuf,

    /// Paint the I-th of N parts of the pictures, without grid and page: several processes share the folder, and a call without
    /// this makes grid and page of what all have painted
    #[arg(long, value_name = "I/N", value_parser = value::shard(), help_heading = "Output")]
    shard: Option<Given<Shard>>,

    /// Long side of a picture in the grid in pixels, 64 to 4096 [default: 400]
    #[arg(long, value_name = "N", value_parser = value::whole::<usize>(), help_heading = "Output")]
    grid_size: Option<Given<usize>>,
}

/// Paints what is missing of a gallery.
///
/// # Errors
/// What is wrong with the call; whatever keeps all of it from being painted or written.
pub fn run(args: &Arguments, quiet: bool) -> Result<Exit, Failure> {
    let plan = Plan::new(args, quiet)?;
    interrupt::listen();
    Ok(plan.paint()?)
}

/// A valid gallery, and what of it is finished.
struct Plan {
    folder: PathBuf,
    stylizer: Stylizer,
    display: Display,
    contents: Inputs,
    styles: Inputs,
    /// Row by row, one row for each content.
    files: Vec<PathBuf>,
    fingerprints: Vec<String>,
    cells: Vec<Option<Cell>>,
    manifest: Manifest,
    /// Of a shard.
    shared: Option<Shared>,
    side: usize,
    /// Why pictures are left out: they cannot be read.
    left_out: Vec<Problem>,
}

/// Notes a grid that no file of its format holds.
fn check_grid(contents: &[Plate], styles: &[Plate], side: usize, problems: &mut Problems) {
    let (width, height) = Gallery::sheet_size(contents, styles, side);
    let format = Format::from_path(Path::new(GRID));
    if let Err(PictureError::TooLarge { limit, .. }) =
        format.and_then(|format| format.check_size(width, height))
    {
        problems.file(format!(
            "{GRID} of {} contents in {} styles would have {width}×{height} pixels, and its sides can be {limit} at most: \
             paint them in several galleries",
            contents.len(),
            styles.len()
        ));
    }
}

/// The side of a picture in the grid.
fn grid_size(args: &Arguments, problems: &mut Problems) -> usize {
    let side = problems.take(&args.grid_size).unwrap_or(sheet::SIDE);
    if !SIDES.contains(&side) {
        let (least, most) = SIDES.into_inner();
        problems.usage(format!("--grid-size is {side}: must be {least} to {most}"));
    }
    side
}

/// Notes styles of regions, which have no place in a gallery.
fn check_regions(args: &Run, problems: &mut Problems) {
    let regions = &args.regions;
    if !regions.in_regions.is_empty() || !regions.style_masks.is_empty() || regions.map.is_some() {
        problems.usage(
            "a gallery paints in one style at a time: --region, --regions and --style-mask go with `impasto stylize`",
        );
    }
}

/// Contents or styles.
#[derive(Default)]
struct Inputs {
    sources: Vec<Source>,
    plates: Vec<Plate>,
    /// The place of each among those that were named.
    places: Vec<usize>,
}

impl Plan {
    fn new(args: &Arguments, quiet: bool) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let progress = job::progress(&args.run, quiet, &mut problems);
        let run = settings::run(&args.run, args.run.recipe.as_deref(), &mut problems);
        let used = job::used(&args.run);
        let mut found = Vec::new();
        let checked = run.check(&mut found);
        problems.job(&found, &used);
        let side = grid_size(args, &mut problems);
        let shard = problems.take(&args.shard);
        let mut left_out = Vec::new();
        let given = settings::contents(&args.contents, &mut problems);
        let columns = settings::styles(&args.run, &Recipe::default(), &mut problems);
        let whole = Whole {
            columns: columns.len(),
            shard,
        };
        let own = given.iter().enumerate();
        let own = own.filter(|(row, _)| whole.has_some_of(*row));
        let contents = Inputs::contents(own, checked.ordered(), side, &mut left_out, &mut problems);
        let (styles, first) = Inputs::styles(columns, side, &mut left_out, &mut problems);
        check_regions(&args.run, &mut problems);
        if args.strict || contents.sources.is_empty() || styles.sources.is_empty() {
            problems.job(&std::mem::take(&mut left_out), &used);
        }
        let folder = args.out_dir.clone();
        let names = match shard {
            None => {
                check_grid(&contents.plates, &styles.plates, side, &mut problems);
                cell_names(&contents.sources, &styles.sources, &mut problems)
            }
            Some(_) => names_of_shard(&given, &contents.places, &styles.sources, &mut problems),
        };
        let cells: Vec<PathBuf> = names.iter().map(|name| folder.join(name)).collect();
        let mut reads = Files::default();
        reads.read_pictures(contents.sources.iter().chain(&styles.sources));
        reads.read_run(checked.ordered());
        check_folder(&folder, &cells, reads, &mut problems);
        let files = cells;
        let (Some(manifest), true) = (Manifest::read(&folder, &mut problems), problems.is_empty())
        else {
            return Err(problems);
        };
        let run = checked.fingerprint().map_err(anyhow::Error::from);
        let made_from = run.and_then(|run| fingerprints(&run, &contents.sources, &styles.sources));
        let fingerprints = match made_from {
            Ok(fingerprints) => fingerprints,
            Err(error) => {
                problems.file(words::of_error(&error));
                return Err(problems);
            }
        };
        let stylizer = match checked.stylizer(first.into_iter().collect()) {
            Ok(stylizer) => stylizer,
            Err(more) => {
                problems.job(&more, &used);
                return Err(problems);
            }
        };
        if !quiet {
            job::network(&stylizer).iter().for_each(|line| say(line));
        }
        let cells = files.iter().zip(&fingerprints);
        let (cells, shared) = match shard {
            None => {
                let ledger = Ledger::read(&folder).unwrap_or_default();
                let finished = |(file, fingerprint): (&PathBuf, &String)| {
                    finished(&manifest, &ledger, file, fingerprint, side)
                };
                (cells.map(finished).collect(), None)
            }
            Some(_) => {
                let none = vec![None; cells.len()];
                let places = [&contents.places, &styles.places].map(Vec::as_slice);
                let shared = Shared::open(&folder, whole, places, cells, &manifest);
                (
                    none,
                    Some(shared.map_err(|error| one_problem(&folder, &error))?),
                )
            }
        };
        Ok(Self {
            folder,
            stylizer,
            display: Display::new(progress, files.len()),
            contents,
            styles,
            files,
            fingerprints,
            cells,
            manifest,
            shared,
            side,
            left_out,
        })
    }

    fn paint(mut self) -> anyhow::Result<Exit> {
        fs::create_dir_all(&self.folder)
            .with_context(|| format!("cannot make the folder {}", self.folder.display()))?;
        // Others may be at work in a folder that is shared.
        if self.shared.is_none() {
            manifest::sweep(&self.folder);
            self.manifest.write()?;
        }
        let there = self.cells.iter().flatten().count();
        if there > 0 {
            let all = self.cells.len();
            note(&format!(
                "{there} of {all} pictures are in {} already",
                self.folder.display()
            ));
        }
        let mut exit = Exit::Done;
        for problem in &self.left_out {
            say(&format!(
                "{}; the others are painted",
                words::of_problem(problem, &[])
            ));
            exit = Exit::Failed;
        }
        for column in 0..self.styles.sources.len() {
            for row in 0..self.contents.sources.len() {
                let index = row * self.styles.sources.len() + column;
                let is_others = self
                    .shared
                    .as_ref()
                    .is_some_and(|shared| shared.leaves(index));
                if interrupt::requested() || self.cells[index].is_some() || is_others {
                    continue;
                }
                if let Err(error) = self.paint_one(row, column) {
                    self.display.clear();
                    say(&words::of_error(&error));
                    exit = Exit::Failed;
                }
            }
        }
        match &self.shared {
            None => self.finish(there)?,
            Some(shared) => note(&shared.summary(&self.folder)),
        }
        Ok(match interrupt::requested() {
            true => Exit::Interrupted,
            false => exit,
        })
    }

    /// Paints one picture and notes it in the manifest. If Ctrl-C is pressed meanwhile, nothing is written.
    fn paint_one(&mut self, row: usize, column: usize) -> anyhow::Result<()> {
        let index = row * self.styles.sources.len() + column;
        let (content, style) = (&self.contents.sources[row], &self.styles.sources[column]);
        if self
            .stylizer
            .styles()
            .first()
            .is_none_or(|other| other.name != style.name())
        {
            let style = Style::new(style.name(), style.open()?, 1.0);
            self.stylizer.set_styles(vec![style])?;
        }
        let options = SaveOptions {
            settings: Some(describe(&self.stylizer)),
            ..SaveOptions::default()
        };
        let picture = content.open()?;
        self.display
            .begin(&format!("{} × {}", content.name(), style.name()));
        let stylized = watched(&mut self.stylizer, &picture, &mut self.display, None)?;
        if let Some(problem) = noise(&stylized) {
            bail!(problem);
        }
        let (result, report) = (stylized.picture, stylized.report);
        if report.stopped {
            self.display.clear();
            return Ok(());
        }
        let path = &self.files[index];
        let bytes = result.encode(Format::Png, &options)?;
        if let Some(shared) = &mut self.shared {
            shared
                .keep(path, &self.fingerprints[index], &bytes, &report)
                .with_context(|| format!("cannot write {}", path.display()))?;
            let line = summary(&result, &report, path, None);
            self.display.end(&line, path, &report);
            return Ok(());
        }
        write_whole(path, &bytes).with_context(|| format!("cannot write {}", path.display()))?;
        let entry = Entry {
            content: content.name(),
            style: style.name(),
            fingerprint: self.fingerprints[index].clone(),
            sha256: sha256(&bytes),
            steps: report.steps.len(),
            seconds: report.seconds,
        };
        let name = file_name(path);
        self.cells[index] = Some(Cell {
            plate: Plate::new(&name, &result, self.side)?,
            steps: entry.steps,
            seconds: entry.seconds,
        });
        self.manifest.add(&name, entry)?;
        self.display
            .end(&summary(&result, &report, path, None), path, &report);
        Ok(())
    }

    /// Writes grid and page, of what there is.
    fn finish(&self, there: usize) -> anyhow::Result<()> {
        let command = command_line();
        let gallery = Gallery {
            contents: &self.contents.plates,
            styles: &self.styles.plates,
            cells: &self.cells,
            recipe: self.stylizer.recipe(),
            encoder: self.stylizer.encoder(),
            device: &self.stylizer.device().describe(),
            command: Some(&command),
        };
        let (grid, page) = (self.folder.join(GRID), self.folder.join(PAGE));
        let options = SaveOptions {
            quality: GRID_QUALITY,
            ..SaveOptions::default()
        };
        gallery.sheet(self.side)?.save(&grid, &options)?;
        gallery.save(&page)?;
        let done = self.cells.iter().flatten();
        let (count, all) = (done.clone().count(), self.cells.len());
        let seconds: f64 = done.map(|cell| cell.seconds).sum();
        note(&format!(
            "wrote {} and {}: {count} of {all} pictures, {} of them painted now; {} of painting in all{}",
            page.display(),
            grid.display(),
            count - there,
            duration(seconds),
            if count < all {
                "; the same command continues where this one ended"
            } else {
                ""
            }
        ));
        Ok(())
    }
}

impl Inputs {
    fn contents<'a>(
        given: impl Iterator<Item = (usize, &'a Source)>,
        run: &impasto::job::Run,
        side: usize,
        left_out: &mut Vec<Problem>,
        problems: &mut Problems,
    ) -> Self {
        let mut contents = Inputs::default();
        for (place, source) in given {
            let added = contents.add((place, source.clone()), side, left_out, problems);
            if let Some(picture) = added {
                problems.gather(|found| run.check_steps(source, &picture, found));
            }
        }
        contents
    }

    /// The styles, and the first of them ready to paint in.
    fn styles(
        given: Vec<(Source, f32)>,
        side: usize,
        left_out: &mut Vec<Problem>,
        problems: &mut Problems,
    ) -> (Self, Option<Style>) {
        let (mut styles, mut first) = (Inputs::default(), None);
        for (place, (source, weight)) in given.into_iter().enumerate() {
            let name = source.name();
            if weight != 1.0 {
                problems.usage(format!(
                    "--style {name} has a weight: a gallery paints in one style at a time"
                ));
            }
            let picture = styles.add((place, source), side, left_out, problems);
            first = first.or(picture.map(|picture| Style::new(name, picture, 1.0)));
        }
        (styles, first)
    }

    /// Takes a picture in, if it can be read. It is handed back, for the caller to keep or to forget.
    fn add(
        &mut self,
        (place, source): (usize, Source),
        side: usize,
        left_out: &mut Vec<Problem>,
        problems: &mut Problems,
    ) -> Option<Picture> {
        let picture = impasto::job::open(&source, left_out)?;
        match Plate::new(source.stem(), &picture, side) {
            Ok(plate) => self.plates.push(plate),
            Err(error) => problems.file(error),
        }
        self.sources.push(source);
        self.places.push(place);
        Some(picture)
    }
}

/// A picture that is finished.
fn finished(
    manifest: &Manifest,
    ledger: &Ledger,
    path: &Path,
    fingerprint: &str,
    side: usize,
) -> Option<Cell> {
    let name = file_name(path);
    let (steps, seconds, bytes) = match manifest.finished(&name, fingerprint) {
        Some((entry, bytes)) => (entry.steps, entry.seconds, bytes),
        None => {
            let found = ledger.find(&name, fingerprint)?;
            (found.steps, found.seconds, fs::read(path).ok()?)
        }
    };
    let picture = Picture::decode(&bytes, &name, &Limits::default()).ok()?;
    Some(Cell {
        plate: Plate::new(&name, &picture, side).ok()?,
        steps,
        seconds,
    })
}

/// Why a folder cannot be shared.
fn one_problem(folder: &Path, error: &std::io::Error) -> Problems {
    let mut problems = Problems::default();
    problems.file(format!("cannot share {}: {error}", folder.display()));
    problems
}
