//! `impasto stylize --compare`: several recipes on one content, side by side.
//!
//! Each recipe is checked before the first is run. They are run one after the other, each with a network of its own that
//! is gone before the next is made; then a contact sheet and a page with all losses are written.

use crate::args::{self, Stylize};
use crate::problems::Problems;
use crate::progress::{Display, duration};
use crate::stylize::{command_line, noise, summary, watched};
use crate::{Exit, Failure, interrupt, job, note, say, settings, words};
use impasto::job::{Files, Problem, Run, Saved, Source, describe, joined, save_result, short};
use impasto::named::Named;
use impasto::picture::SaveOptions;
use impasto::{Comparison, Contender, Error, PainterSpec, Picture, Plate, Recipe, Style, sheet};
use impasto_weights::Store;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// JPEG quality of the contact sheet.
const QUALITY: u8 = 92;

/// Runs the recipes of `--compare`.
///
/// # Errors
/// What is wrong with the call; whatever keeps the sheet from being written.
pub fn run(args: &Stylize, quiet: bool) -> Result<Exit, Failure> {
    let plan = Plan::new(args, quiet)?;
    interrupt::listen();
    Ok(plan.run(args, quiet)?)
}

/// The run of a recipe. Of the models that are given, it has the one that paints by its method, if there is one.
fn run_of(args: &args::Run, recipe: &OsString, problems: &mut Problems) -> Run {
    let mut run = settings::run_with(args, Some(recipe), None, problems);
    let Some(method) = run.recipe.painter() else {
        return run;
    };
    let store = Store::locate(run.encoder.models.as_deref()).ok();
    let paints = |model: &&Path| PainterSpec::find(method, Some(model), store.as_ref()).is_ok();
    let mut fitting = args.model.iter().map(Path::new).filter(paints);
    match (&run.model, fitting.next(), fitting.next()) {
        // The network of a start is for all.
        (Some(_), ..) | (_, None, _) => {}
        (None, Some(only), None) => run.model = Some(only.into()),
        (None, Some(one), Some(other)) => problems.usage(format!(
            "--model {} and --model {} both paint by {}: leave one out",
            one.display(),
            other.display(),
            method.name()
        )),
    }
    run
}

/// Says which of the models that are given no recipe paints with.
fn check_models(args: &args::Run, runs: &[Run], problems: &mut Problems) {
    let store = Store::locate(args.objective.encoder.folder.models_dir.as_deref()).ok();
    let used = |model: &&Path| runs.iter().any(|run| run.model.as_deref() == Some(model));
    for model in args
        .model
        .iter()
        .map(Path::new)
        .filter(|model| !used(model))
    {
        let Some(method) = runs.iter().find_map(|run| run.recipe.painter()) else {
            problems.job(&[Problem::Model], &[]);
            return;
        };
        match PainterSpec::find(method, Some(model), store.as_ref()) {
            Err(Error::Invalid(found)) => {
                let other = found.iter().map(|problem| problem.allowed.as_str());
                other.for_each(|what| {
                    problems.usage(format!("{what}: no recipe of --compare does"))
                });
            }
            Err(error) => problems.job(&[Problem::Failed(error)], &[]),
            // A network of that method is given otherwise.
            Ok(_) => problems.usage("--start FILE and --model are both given: choose one"),
        }
    }
}

/// A valid comparison.
struct Plan {
    source: Source,
    content: Picture,
    styles: Vec<Style>,
    style_plates: Vec<Plate>,
    recipes: Vec<Entry>,
    display: Display,
    sheet: PathBuf,
    page: PathBuf,
    exit: Exit,
}

/// A recipe of the comparison.
struct Entry {
    /// As it was given: a name or a file.
    recipe: OsString,
    /// As it is shown.
    name: String,
    /// Where its result goes.
    output: PathBuf,
}

/// Notes options that do not go with `--compare`.
fn refuse_others(args: &Stylize, problems: &mut Problems) {
    for (option, given) in [
        ("-o", args.output.is_some()),
        ("--report", args.report.is_some()),
        ("--checkpoint", args.checkpoint.checkpoint.is_some()),
        (
            "--checkpoint-every",
            args.checkpoint.checkpoint_every.is_some(),
        ),
        ("--resume", args.checkpoint.resume),
        ("--plan", args.plan),
        ("--save-every", args.save_every.is_some()),
        ("--save-recipe", args.save_recipe.is_some()),
        ("--recipe", args.run.recipe.is_some()),
        ("--quality", args.run.quality.is_some()),
    ] {
        if given {
            problems.usage(format!("--compare and {option} are both given: choose one"));
        }
    }
}

impl Plan {
    fn new(args: &Stylize, quiet: bool) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        refuse_others(args, &mut problems);
        let source = match args.contents.as_slice() {
            [only] => settings::standard(Source::new(only), &mut problems),
            several => {
                problems.usage(format!(
                    "--compare is about one content, but there are {}: compare them one by one",
                    several.len()
                ));
                None
            }
        };
        let content = source
            .as_ref()
            .and_then(|source| problems.gather(|found| impasto::job::open(source, found)));
        let styles = settings::styles(&args.run, &Recipe::default(), &mut problems);
        let style_sources: Vec<_> = styles.iter().map(|(source, _)| source.clone()).collect();
        let styles = problems.gather(|found| impasto::job::open_styles(&styles, found));
        let names = names(&args.compare, &mut problems);
        let sources: Vec<Source> = source.iter().cloned().collect();
        let stem = stem(&sources, &style_sources);
        let folder = args.out_dir.clone().unwrap_or_default();
        let used = job::used(&args.run);
        let outputs = Outputs::free(&folder, &stem, &names, args.overwrite);
        let mut files = Files::default();
        files.read_pictures(sources.iter().chain(&style_sources));
        let progress = job::progress(&args.run, quiet, &mut problems);
        let mut runs = Vec::new();
        for recipe in &args.compare {
            let run = run_of(&args.run, recipe, &mut problems);
            let mut found = Vec::new();
            let checked = run.check(&mut found);
            if let (Some(content), [source]) = (&content, sources.as_slice()) {
                checked.ordered().check_steps(source, content, &mut found);
            }
            problems.job(&found, &used);
            files.read_run(checked.ordered());
            runs.push(checked.ordered().clone());
            // What only shows when everything comes together.
            if problems.is_empty() {
                let made = checked.stylizer(styles.clone());
                problems.job(&made.err().unwrap_or_default(), &used);
            }
        }
        check_models(&args.run, &runs, &mut problems);
        // Names that are given twice are told of already.
        let all: Vec<_> = outputs.all().collect();
        for (index, path) in all.iter().enumerate() {
            if !all[..index].contains(path) {
                problems.gather(|found| files.write(path, found));
            }
        }
        let (Some(source), Some(content), true) = (source, content, problems.is_empty()) else {
            return Err(problems);
        };
        let plates = styles
            .iter()
            .zip(&style_sources)
            .map(|(style, source)| Plate::new(source.stem(), &style.picture, sheet::SIDE));
        let style_plates = plates.collect::<Result<Vec<_>, _>>().map_err(|error| {
            let mut problems = Problems::default();
            problems.file(error);
            problems
        })?;
        let recipes = args.compare.iter().zip(names).zip(outputs.results);
        let recipes: Vec<_> = recipes
            .map(|((recipe, name), output)| Entry {
                recipe: recipe.clone(),
                name,
                output,
            })
            .collect();
        Ok(Self {
            source,
            content,
            styles,
            style_plates,
            display: Display::new(progress, recipes.len()),
            recipes,
            sheet: outputs.sheet,
            page: outputs.page,
            exit: Exit::Done,
        })
    }

    fn run(mut self, args: &Stylize, quiet: bool) -> anyhow::Result<Exit> {
        let mut contenders = Vec::new();
        for entry in std::mem::take(&mut self.recipes) {
            if interrupt::requested() {
                break;
            }
            match self.paint(&entry, args, quiet) {
                Ok(contender) => contenders.push(contender),
                Err(error) => {
                    self.display.clear();
                    say(&format!("{}: {}", entry.name, words::of_error(&error)));
                    self.exit = Exit::Failed;
                }
            }
        }
        let command = command_line();
        let comparison = Comparison {
            content: &Plate::new(self.source.stem(), &self.content, sheet::SIDE)?,
            styles: &self.style_plates,
            contenders: &contenders,
            command: Some(&command),
        };
        let options = SaveOptions {
            quality: QUALITY,
            ..SaveOptions::default()
        };
        comparison.sheet(sheet::SIDE)?.save(&self.sheet, &options)?;
        comparison.save(&self.page)?;
        let seconds: f64 = contenders.iter().map(|one| one.report.seconds).sum();
        note(&format!(
            "wrote {} and {}: {} of {} recipes, {} of painting in all",
            self.sheet.display(),
            self.page.display(),
            contenders.len(),
            args.compare.len(),
            duration(seconds)
        ));
        Ok(match interrupt::requested() {
            true => Exit::Interrupted,
            false => self.exit,
        })
    }

    fn paint(&mut self, entry: &Entry, args: &Stylize, quiet: bool) -> anyhow::Result<Contender> {
        let mut problems = Problems::default();
        let run = run_of(&args.run, &entry.recipe, &mut problems);
        let mut found = Vec::new();
        let made = run.check(&mut found).stylizer(self.styles.clone());
        problems.job(&found, &[]);
        let mut stylizer = made.map_err(|more| {
            problems.job(&more, &[]);
            anyhow::anyhow!(problems.lines().join("; "))
        })?;
        if !quiet {
            job::network(&stylizer).iter().for_each(|line| say(line));
        }
        let options = SaveOptions {
            settings: Some(describe(&stylizer)),
            ..SaveOptions::default()
        };
        self.display.begin(&entry.name);
        let stylized = watched(&mut stylizer, &self.content, &mut self.display, None)?;
        if let Some(problem) = noise(&stylized) {
            anyhow::bail!(problem);
        }
        let (picture, report) = (stylized.picture, stylized.report);
        let spare = settings::cache_folder();
        let mut output = entry.output.clone();
        if let Saved::Elsewhere { path, error } =
            save_result(&picture, &entry.output, &options, spare.as_deref())?
        {
            self.display.clear();
            say(&format!("{error}; it is in {} instead", path.display()));
            self.exit = Exit::Failed;
            output = path;
        }
        let line = summary(&picture, &report, &output, None);
        self.display.end(&line, &output, &report);
        Ok(Contender {
            plate: Plate::new(&entry.name, &picture, sheet::SIDE)?,
            report,
        })
    }
}

/// What the recipes are called: a built-in one by its name, a file by its name without folder and extension.
fn names(recipes: &[OsString], problems: &mut Problems) -> Vec<String> {
    let name = |recipe: &OsString| match Path::new(recipe).file_stem() {
        Some(stem) => short(&stem.to_string_lossy()),
        None => short(&recipe.to_string_lossy()),
    };
    let names: Vec<String> = recipes.iter().map(name).collect();
    for (index, name) in names.iter().enumerate() {
        if names[..index].contains(name) {
            problems.usage(format!(
                "--compare names {name} twice: leave one out, or rename a file"
            ));
        }
    }
    names
}

/// `CONTENT-STYLE`.
fn stem(contents: &[Source], styles: &[Source]) -> String {
    let content = contents.first().map(Source::short_stem);
    format!("{}-{}", content.unwrap_or_default(), joined(styles))
}

/// The files of a comparison.
struct Outputs {
    results: Vec<PathBuf>,
    sheet: PathBuf,
    page: PathBuf,
}

impl Outputs {
    /// `STEM-RECIPE.png` for each recipe, `STEM-compare.jpg` and `STEM-compare.html`; a number follows the stem
    /// rather than that a file is replaced.
    fn free(folder: &Path, stem: &str, names: &[String], overwrite: bool) -> Self {
        let mut files = Self::of(folder, stem, names);
        for number in 2.. {
            if overwrite || !files.all().any(|path| path.exists()) {
                break;
            }
            files = Self::of(folder, &format!("{stem}-{number}"), names);
        }
        files
    }

    fn of(folder: &Path, stem: &str, names: &[String]) -> Self {
        let file = |end: &str| folder.join(format!("{stem}-{end}"));
        Self {
            results: names
                .iter()
                .map(|name| file(&format!("{name}.png")))
                .collect(),
            sheet: file("compare.jpg"),
            page: file("compare.html"),
        }
    }

    fn all(&self) -> impl Iterator<Item = &PathBuf> {
        self.results.iter().chain([&self.sheet, &self.page])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_after_the_recipes_and_numbered_together() {
        let folder = impasto_testing::Folder::new();
        let names = ["gatys2016".to_string(), "mine".to_string()];
        let files = Outputs::free(folder.path(), "lake-ink", &names, false);
        assert_eq!(files.results[1], folder.path().join("lake-ink-mine.png"));
        std::fs::write(&files.results[1], "").unwrap();
        let others = Outputs::free(folder.path(), "lake-ink", &names, false);
        let sheet = folder.path().join("lake-ink-2-compare.jpg");
        assert_eq!(others.sheet, sheet);
        assert!(others.all().all(|path| !path.exists()));
        let same = Outputs::free(folder.path(), "lake-ink", &names, true);
        assert_eq!(same.results, files.results);
    }

    #[test]
    fn recipes_are_told_apart() {
        let mut problems = Problems::default();
        let given = ["pytorch", "mine/warm.toml", "v1.2/cold.toml"].map(OsString::from);
        assert_eq!(names(&given, &mut problems), ["pytorch", "warm", "cold"]);
        assert!(problems.is_empty());
        let given = ["warm.toml", "other/warm.toml"].map(OsString::from);
        names(&given, &mut problems);
        assert!(problems.lines()[0].contains("warm twice"));
    }
}
