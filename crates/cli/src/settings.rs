//! From options to what the library takes: a run with its recipe, encoder and device.

use crate::args;
use crate::made;
use crate::note;
use crate::problems::Problems;
use crate::regions;
use impasto::job::{self, DeviceChoice, EncoderChoice, Problem, Run, Source};
use impasto::named::Named;
use impasto::picture::colors::ColorMode;
use impasto::recipe::{Field, Init, MethodName, Value, book, field};
use impasto::{LEAST_TILE, PainterSpec, Recipe, RunLimits};
use std::ffi::{OsStr, OsString};
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// The name of the standard input and the standard output.
pub const STANDARD: &str = "-";

/// The run that the options describe. `name` is the recipe's name or file; without one, the recipe is that of the quality.
pub fn run(args: &args::Run, name: Option<&OsStr>, problems: &mut Problems) -> Run {
    if args.model.len() > 1 {
        problems.usage("--model is given more than once: only --compare takes several");
    }
    run_with(args, name, args.model.first().map(PathBuf::from), problems)
}

/// The same with a network that paints.
pub fn run_with(
    args: &args::Run,
    name: Option<&OsStr>,
    mut model: Option<PathBuf>,
    problems: &mut Problems,
) -> Run {
    let mut recipe = Recipe::default();
    if let Some(name) = name {
        match Recipe::named(&name.to_string_lossy()) {
            Ok(found) => recipe = found,
            Err(error) => problems.recipe_file(&error),
        }
    }
    let quality = problems.take(&args.quality);
    let made = made::read(args, name, problems);
    if let Some(made) = &made {
        recipe = made.recipe.clone();
    }
    match (name, args.init.as_deref().map(init)) {
        _ if made.is_some() => {}
        (Some(_), _) if quality.is_some() => problems.usage(
            "--recipe and --quality are both given: choose one; --steps is the work that a recipe does",
        ),
        (Some(_), _) => {}
        (None, Some(start)) if start.method().is_none() => {
            quality.unwrap_or_default().apply_unpainted(&mut recipe);
        }
        (None, _) => quality.unwrap_or_default().apply(&mut recipe),
    }
    let settings = args.objective.settings.0.and(&args.settings.0);
    let (mut changes, lines) = settings.read();
    lines.iter().for_each(|line| problems.usage(line));
    let start_of_network = args
        .start
        .as_deref()
        .and_then(|given| network(given, &mut model, problems));
    let init = args.init.as_deref().map(|given| (given, init(given)));
    changes
        .extend(start_of_network.and_then(|init| Some((field("init")?, Value::Name(init.name())))));
    changes.extend(init.and_then(|(_, init)| Some((field("init")?, Value::Name(init.name())))));
    let colors = field("colors.mode").filter(|_| args.palette.is_some());
    if let Some(field) =
        colors.filter(|field| !changes.iter().any(|(other, _)| other.path == field.path))
    {
        changes.push((field, Value::Name(ColorMode::Content.name())));
    }
    let chosen = change(&mut recipe, &changes, &settings.used(), problems);
    let start = match init {
        Some((given, Init::Picture)) => start(given, problems),
        _ => None,
    };
    let built_in = |name: &str| book::all().iter().any(|built_in| built_in.name == name);
    let recipe_file = name.filter(|name| !name.to_str().is_some_and(built_in));
    Run {
        recipe,
        recipe_file: recipe_file
            .or(args.settings_from.as_deref())
            .map(Into::into),
        chosen,
        start,
        regions: regions::read(&args.regions, problems),
        palette: palette(args, problems),
        model,
        encoder: made::encoder(encoder(&args.objective.encoder, problems), made.as_ref()),
        device: device(&args.device, problems),
        limits: limits(&args.device, problems),
    }
}

/// Changes a recipe; the paths of what was changed.
pub fn change(
    recipe: &mut Recipe,
    changes: &[(&'static Field, Value)],
    used: &[String],
    problems: &mut Problems,
) -> Vec<&'static str> {
    let wrong = recipe.change(changes).into_iter();
    let wrong: Vec<_> = wrong.map(Problem::Setting).collect();
    problems.job(&wrong, used);
    changes.iter().map(|(field, _)| field.path).collect()
}

/// The start of `--start`: the method of a name, or of a file of weights, which is the model then.
fn network(given: &OsStr, model: &mut Option<PathBuf>, problems: &mut Problems) -> Option<Init> {
    let networks = || {
        Init::NAMES
            .iter()
            .filter(|(_, init)| init.method().is_some())
    };
    let text = given.to_string_lossy();
    if let Some((_, init)) = networks().find(|(name, _)| *name == text) {
        return Some(*init);
    }
    let path = Path::new(given);
    if !path.exists() {
        let names: Vec<_> = networks().map(|(name, _)| *name).collect();
        problems.usage(format!(
            "--start is {text}: must be {}, or a file of weights; there is no such file",
            names.join(", ")
        ));
        return None;
    }
    if model.is_some() {
        problems.usage("--start FILE and --model are both given: choose one");
    }
    match PainterSpec::open(path) {
        Ok(spec) => {
            *model = Some(path.into());
            let method = spec.method;
            networks()
                .find(|(_, init)| init.method() == Some(method))
                .map(|(_, init)| *init)
        }
        Err(error) => {
            problems.file(error);
            None
        }
    }
}

/// What the run starts from: what a name says, or a picture.
fn init(given: &OsStr) -> Init {
    let named = given.to_str().and_then(|name| Init::from_name(name).ok());
    named.unwrap_or(Init::Picture)
}

/// The picture that the run starts from.
fn start(given: &OsStr, problems: &mut Problems) -> Option<Source> {
    let source = standard(Source::new(given), problems)?;
    match source.file() {
        Some(path) if !path.exists() => {
            let text = path.display();
            problems.usage(format!(
                "--init is {text}: must be content, noise, mixed, style, or a picture; there is no such file"
            ));
            None
        }
        _ => Some(source),
    }
}

/// The picture that colours are taken from.
fn palette(args: &args::Run, problems: &mut Problems) -> Option<Source> {
    let source = args.palette.as_deref().map(Source::new)?;
    standard(source, problems)
}

/// The encoder that is chosen.
pub fn encoder(choice: &args::EncoderChoice, problems: &mut Problems) -> EncoderChoice {
    EncoderChoice {
        name: choice.encoder.as_deref().map(|name| Path::new(name).into()),
        preprocessing: problems.take(&choice.preprocessing),
        models: choice.folder.models_dir.clone(),
    }
}

/// The device that is chosen.
pub fn device(args: &args::Device, problems: &mut Problems) -> DeviceChoice {
    DeviceChoice {
        kind: problems.take(&args.device).unwrap_or_default(),
        threads: problems.take(&args.cpu.threads),
        precision: problems.take(&args.cpu.precision),
        cache: cache_folder(),
    }
}

/// What a run may use.
pub fn limits(args: &args::Device, problems: &mut Problems) -> RunLimits {
    let limits = RunLimits {
        memory: problems.take(&args.memory),
        tile: problems.take(&args.tile),
    };
    if let Some(tile) = limits.tile.filter(|tile| *tile < LEAST_TILE) {
        problems.usage(format!("--tile is {tile}: must be at least {LEAST_TILE}"));
    }
    limits
}

/// What is said where a style is missing.
const NO_STYLE: &str = "--style is missing: name a painting, or one of `impasto styles`";

/// The styles of a run, each with its weight; that there are none for a recipe that cannot do without is noted.
pub fn styles(args: &args::Run, recipe: &Recipe, problems: &mut Problems) -> Vec<(Source, f32)> {
    let regions = &args.regions;
    let is_missing =
        args.objective.styles.is_empty() && regions.in_regions.is_empty() && regions.map.is_none();
    if is_missing && recipe.method.needs_styles() {
        problems.usage(NO_STYLE);
    }
    if recipe.method.name() == MethodName::Fast && !args.objective.styles.is_empty() {
        note("--style is left out: the network has learned its own");
        return Vec::new();
    }
    weighted(&args.objective.styles, problems)
}

/// The styles that losses look at, each with its weight; that there are none is noted.
pub fn styles_to_look_at(
    args: &args::Objective,
    recipe: &Recipe,
    problems: &mut Problems,
) -> Vec<(Source, f32)> {
    if args.styles.is_empty() && recipe.method.needs_styles() {
        problems.usage(NO_STYLE);
    }
    weighted(&args.styles, problems)
}

/// Pictures, all of a folder, each with its weight.
fn weighted(names: &[OsString], problems: &mut Problems) -> Vec<(Source, f32)> {
    let mut styles = Vec::new();
    for text in names {
        match Source::weighted(text) {
            Ok((source, weight)) => {
                let pictures = pictures(source, problems).into_iter();
                styles.extend(pictures.map(|picture| (picture, weight)));
            }
            Err(weight) => problems.job(&[Problem::StyleWeight(weight)], &[]),
        }
    }
    styles
}

/// The pictures of names: files, all of a folder, built-in ones, the standard input.
pub fn contents(names: &[OsString], problems: &mut Problems) -> Vec<Source> {
    let names = names.iter().map(|name| Source::new(name));
    names
        .flat_map(|source| pictures(source, problems))
        .collect()
}

fn pictures(source: Source, problems: &mut Problems) -> Vec<Source> {
    let source = standard(source, problems);
    problems.gather(|found| job::pictures(source, found))
}

/// The source, or what the standard input gives if that is what its name means.
pub fn standard(source: Source, problems: &mut Problems) -> Option<Source> {
    if source.file() != Some(Path::new(STANDARD)) {
        return Some(source);
    }
    static READ: OnceLock<Result<Arc<[u8]>, String>> = OnceLock::new();
    let read = READ.get_or_init(|| {
        let stdin = std::io::stdin();
        if stdin.is_terminal() {
            return Err("it is a terminal; send a picture into it with < or |".into());
        }
        let mut bytes = Vec::new();
        // A byte more than is decoded, which the decoder refuses.
        let most = impasto::picture::Limits::default().max_bytes + 1;
        let read = stdin.lock().take(most).read_to_end(&mut bytes);
        read.map(|_| bytes.into())
            .map_err(|error| error.to_string())
    });
    match read {
        Ok(bytes) => Some(Source::Bytes {
            name: "stdin".into(),
            bytes: bytes.clone(),
        }),
        Err(why) => {
            problems.file(format!("cannot read the standard input (-): {why}"));
            None
        }
    }
}

/// The environment variable that names the folder where nothing is kept that cannot be made again.
const CACHE_VARIABLE: &str = "IMPASTO_CACHE";

/// That folder: of checkpoints, and of what a GPU has measured of itself.
pub fn cache_folder() -> Option<PathBuf> {
    match std::env::var_os(CACHE_VARIABLE) {
        Some(folder) if !folder.is_empty() => Some(PathBuf::from(folder)),
        _ => Some(dirs::cache_dir()?.join("impasto")),
    }
}
