//! From the options of `impasto stylize` to a job that can run, or to everything that is wrong with it.

use crate::args::{Progress, Run, Stylize};
use crate::problems::Problems;
use crate::settings::{self, STANDARD};
use crate::shard::{self, Shard};
use crate::words;
use impasto::job::{self, Draft, Ledger, Order, Outputs};
use impasto::recipe::OptimizerSettings;
use impasto::recipe::file::RecipeFile;
use impasto::{Picture, Stylizer};
use std::io::IsTerminal;
use std::path::Path;

/// A valid job, and how it is shown.
pub struct Job {
    /// What is painted.
    pub job: job::Job,
    /// How progress is shown.
    pub progress: Progress,
    /// Steps between previews.
    pub save_every: Option<usize>,
    /// What of the folder is finished, if several processes share it, and what each result is made from.
    pub shared: Option<(Ledger, Vec<String>)>,
}

impl Job {
    /// Checks everything about a job and prepares it.
    ///
    /// # Errors
    /// All problems.
    pub fn new(args: &Stylize, quiet: bool) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let progress = progress(&args.run, quiet, &mut problems);
        let save_every = problems.take(&args.save_every);
        if save_every == Some(0) {
            problems.usage("--save-every is 0: must be a number of steps of at least 1");
        }
        check_standard_output(args, progress, save_every, &mut problems);
        let shard = problems.take(&args.shard);
        if let (Some(_), Some(folder)) = (shard, &args.out_dir) {
            shard::check_folder(folder, &mut problems);
        }
        let order = order(args, shard, &mut problems);
        let styles = order.styles.clone();
        let used = used(&args.run);
        let contents = order.contents.len();
        let mut draft = order.check();
        problems.job(&draft.problems(), &used);
        let device = draft.run().device();
        let checkpoints = args.checkpoint.read(contents, device, &mut problems);
        save_recipe(args, &draft, &mut problems);
        if !problems.is_empty() {
            return Err(problems);
        }
        let identities = shard.and_then(|_| draft.identities(&styles));
        let mut job = match draft.prepare(checkpoints) {
            Ok(job) => job,
            Err(more) => {
                problems.job(&more, &used);
                return Err(problems);
            }
        };
        if !args.plan {
            job.stylizer = match args.like.teach(job.stylizer, progress, &mut problems) {
                Ok(stylizer) => stylizer,
                Err(error) => {
                    problems.file(error);
                    return Err(problems);
                }
            };
        }
        let shared = match shard {
            Some(shard) => Some(share(
                shard,
                args,
                &mut job,
                identities.unwrap_or_default(),
            )?),
            None => None,
        };
        let first = job.contents.iter().find_map(|one| one.picture.as_ref());
        let memory = first.and_then(|first| memory(&job.stylizer, first));
        if !quiet {
            let lines = network(&job.stylizer).into_iter().chain(memory);
            lines.for_each(|line| crate::say(&line));
        }
        Ok(Self {
            job,
            progress,
            save_every,
            shared,
        })
    }
}

/// Opens the ledger of a shard, and leaves out what is finished.
fn share(
    shard: Shard,
    args: &Stylize,
    job: &mut job::Job,
    identities: Vec<String>,
) -> Result<(Ledger, Vec<String>), Problems> {
    let folder = args.out_dir.clone().unwrap_or_default();
    let refused = |why: &dyn std::fmt::Display| {
        let mut problems = Problems::default();
        problems.file(format!("cannot share {}: {why}", folder.display()));
        problems
    };
    if identities.len() != job.contents.len() {
        return Err(refused(&"a picture cannot be read any more"));
    }
    let ledger = shard.ledger(&folder).map_err(|error| refused(&error))?;
    for (content, identity) in job.contents.iter_mut().zip(&identities) {
        let file = content.output.as_deref().map(shard::file_name);
        content.finished = file.is_some_and(|file| ledger.find(&file, identity).is_some());
    }
    Ok((ledger, identities))
}

/// Notes what does not go with a picture that is written to the standard output.
fn check_standard_output(
    args: &Stylize,
    progress: Progress,
    save_every: Option<usize>,
    problems: &mut Problems,
) {
    if args.output.as_deref() != Some(Path::new(STANDARD)) || args.plan {
        return;
    }
    if progress == Progress::Json {
        problems.usage("-o - and --progress json both write to the standard output: choose one");
    }
    if save_every.is_some() {
        problems.usage("--save-every goes with a file that is replaced, not with -o -");
    }
    if std::io::stdout().is_terminal() {
        problems.usage(
            "-o - writes a PNG, and the standard output is a terminal: send it on with > or |",
        );
    }
}

/// What the options ask for.
fn order(args: &Stylize, shard: Option<Shard>, problems: &mut Problems) -> Order {
    if args.output.is_some() && args.out_dir.is_some() {
        problems.usage("-o and --out-dir are both given: choose one");
    }
    let mut run = settings::run(&args.run, args.run.recipe.as_deref(), problems);
    // What is learned from pictures needs no style.
    if let (false, Some(settings)) = (args.like.pairs.is_empty(), run.recipe.optimize_mut()) {
        settings.style.weight = 0.0;
    }
    if !args.like.pairs.is_empty() && shard.is_some() {
        problems.usage("--like does not go with --shard: each process would learn by itself");
    }
    let mut contents = settings::contents(&args.contents, problems);
    let styles = settings::styles(&args.run, &run.recipe, problems);
    let folder = args.out_dir.clone().unwrap_or_default();
    let outputs = match (&args.output, shard) {
        (Some(file), _) if file.as_os_str() == STANDARD => Outputs::Caller,
        (Some(file), _) => Outputs::File(file.clone()),
        (None, Some(shard)) => {
            let of_regions = run.regions.styles.iter().map(|style| &style.style);
            let sources = styles.iter().map(|(source, _)| source).chain(of_regions);
            let sources: Vec<_> = sources.cloned().collect();
            let named = shard::named(contents, &sources, &folder).into_iter();
            let own = named.enumerate().filter(|(place, _)| shard.takes(*place));
            let own: Vec<_> = own.map(|(_, named)| named).collect();
            contents = own.iter().map(|(source, _)| source.clone()).collect();
            Outputs::Each(own)
        }
        (None, None) => Outputs::Folder {
            folder,
            overwrite: args.overwrite,
        },
    };
    Order {
        contents,
        styles,
        run,
        outputs,
        page: args.report.clone(),
        recipe: args.save_recipe.clone(),
        strict: args.strict,
        record: args
            .checkpoint
            .record()
            .filter(|_| !args.plan && shard.is_none()),
    }
}

/// Writes the recipe of the run, if that was asked for and nothing is wrong.
fn save_recipe(args: &Stylize, draft: &Draft, problems: &mut Problems) {
    if let (Some(path), true) = (&args.save_recipe, problems.is_empty()) {
        let recipe = draft.run().ordered().recipe.clone();
        let about = String::new();
        if let Err(error) = (RecipeFile { about, recipe }).save(path) {
            problems.file(error);
        }
    }
}

/// How progress is shown.
pub fn progress(args: &Run, quiet: bool, problems: &mut Problems) -> Progress {
    let progress = problems.take(&args.progress);
    if quiet && !matches!(progress, None | Some(Progress::Auto | Progress::None)) {
        problems.usage("--quiet and --progress are both given: choose one");
    }
    match quiet {
        true => Progress::None,
        false => progress.unwrap_or_default(),
    }
}

/// The options of settings that were given.
pub fn used(args: &Run) -> Vec<String> {
    args.objective.settings.0.and(&args.settings.0).used()
}

/// Lines about the network that looks at the pictures, if it is not the one that the recipe means.
pub fn network(stylizer: &Stylizer) -> Vec<String> {
    let lines = [stand_ins(stylizer), calibration(stylizer)];
    lines.into_iter().flatten().collect()
}

/// One line about weights that were made for another network, if they were.
fn calibration(stylizer: &Stylizer) -> Option<String> {
    let layers = stylizer.calibration()?;
    let of = |term: &str| {
        let here = layers
            .iter()
            .filter(|layer| layer.term == term && layer.published > 0.0);
        let factors = here.map(|layer| f64::from(layer.calibrated / layer.published));
        let (least, most) = factors.fold((f64::INFINITY, 0.0), |(least, most), factor| {
            (factor.min(least), factor.max(most))
        });
        let (low, high) = (words::significant(least), words::significant(most));
        match most > 0.0 {
            true if low == high => Some(format!("{term} × {low}")),
            true => Some(format!("{term} × {low} to {high} by layer")),
            false => None,
        }
    };
    let parts: Vec<_> = ["content", "style"].into_iter().filter_map(of).collect();
    Some(format!(
        "the recipe's weights were made for {}; on {} they are calibrated: {}; --faithful takes them as they are",
        words::made_for(stylizer.recipe().optimize()?.made_for),
        stylizer.encoder(),
        parts.join(", ")
    ))
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
            "{} lacks layers of the recipe and looks at {}; {}",
            stylizer.encoder(),
            parts.join(", "),
            words::advice(&impasto::Advice::FullNetwork)
        )
    })
}

/// One line about what L-BFGS will keep at the last scale of a content.
fn memory(stylizer: &Stylizer, content: &Picture) -> Option<String> {
    let OptimizerSettings::Lbfgs(lbfgs) = &stylizer.recipe().optimize()?.optimizer else {
        return None;
    };
    let scale = *stylizer.scales(content).last()?;
    let mebibytes = stylizer.optimizer_bytes(scale).div_ceil(1 << 20);
    Some(format!(
        "L-BFGS keeps up to {} pairs: {mebibytes} MiB at {}×{} px",
        lbfgs.history, scale.width, scale.height
    ))
}
