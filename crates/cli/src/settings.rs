//! From options to what the library takes: recipe, encoder, device, styles.

use crate::args;
use crate::problems::Problems;
use crate::source::Source;
use crate::value::Given;
use impasto::compute;
use impasto::device::{Choice, Kind};
use impasto::encoder::EncoderError;
use impasto::recipe::{StyleLoss, StyleTerm};
use impasto::{Encoder, Recipe, Style, WeightedLayer};
use impasto_weights::Store;
use std::path::{Path, PathBuf};

/// Changes a recipe as the options say that shape the loss.
pub fn shape_loss(recipe: &mut Recipe, args: &args::Objective, problems: &mut Problems) {
    problems.set(&mut recipe.style.weight, &args.style_weight);
    problems.set(&mut recipe.style.layers, &args.style_layers);
    problems.set(&mut recipe.style.loss, &args.style_loss);
    problems.set(&mut recipe.style.gram_norm, &args.gram_norm);
    problems.set(&mut recipe.content.weight, &args.content_weight);
    problems.set(&mut recipe.content.layers, &args.content_layer);
    problems.set(&mut recipe.variation.weight, &args.tv_weight);
    problems.set(&mut recipe.variation.kind, &args.tv);
    problems.set(&mut recipe.normalize, &args.normalize);
    problems.set(&mut recipe.reduction, &args.reduction);
    problems.set(&mut recipe.encoder.pooling, &args.pooling);
    problems.set(&mut recipe.encoder.padding, &args.padding);
    recipe.encoder.plain_pooling |= args.plain_pooling;
    // A recipe's Gram matrices say nothing about another loss.
    if recipe.style.loss != StyleLoss::Gram && args.gram_norm.is_none() {
        recipe.style.gram_norm = StyleTerm::default().gram_norm;
    }
}

/// Opens the encoder.
pub fn encoder(choice: &args::EncoderChoice, problems: &mut Problems) -> Option<Encoder> {
    let preprocessing = problems.take(&choice.preprocessing);
    let name = choice.encoder.as_deref();
    let file = name.map(Path::new).filter(|path| path.is_file());
    let found = match (file, preprocessing) {
        (Some(path), Some(_)) if path != Path::new("lite") => Encoder::open(path, preprocessing),
        (_, Some(_)) => {
            problems
                .usage("--preprocessing goes with a file of weights only: name it with --encoder");
            return None;
        }
        (_, None) => {
            let store = Store::locate(choice.folder.models_dir.as_deref()).ok();
            let name = name.map(|name| name.to_string_lossy());
            Encoder::find_in(name.as_deref(), store.as_ref())
        }
    };
    found
        .map_err(|error| match error {
            EncoderError::Unknown { .. } => problems.usage(error),
            _ => problems.file(error),
        })
        .ok()
}

/// Notes every layer that is named by an option and that the encoder lacks: who names a layer means it, while for those
/// of a recipe the nearest may stand in.
pub fn check_layers(args: &args::Objective, encoder: &Encoder, problems: &mut Problems) {
    let mut check = |option: &str, layers: &Option<Given<Vec<WeightedLayer>>>| {
        for layer in layers.iter().flatten().flatten() {
            if let Err(error) = encoder.tap(layer.layer) {
                problems.usage(format!("{option}: {error}"));
            }
        }
    };
    check("--content-layer", &args.content_layer);
    check("--style-layers", &args.style_layers);
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

/// Opens the device.
pub fn device(args: &args::Device, problems: &mut Problems) -> Option<Box<dyn compute::Device>> {
    let before = problems.lines().len();
    let choice = Choice {
        kind: problems.take(&args.device).unwrap_or_default(),
        threads: problems.take(&args.cpu.threads),
        precision: problems.take(&args.cpu.precision).unwrap_or_default(),
    };
    let (reference, gpu) = (
        choice.kind == Kind::Reference,
        matches!(choice.kind, Kind::Gpu(_)),
    );
    if (reference || gpu) && args.cpu.threads.is_some() {
        problems.usage("--threads goes with --device cpu only: no other device has any to choose");
    }
    if reference && args.cpu.precision.is_some() {
        problems.usage("--precision goes with the cpu and the gpu only: the reference is exact");
    }
    if problems.lines().len() > before {
        return None;
    }
    impasto::device::open_tuned(&choice, cache_folder().as_deref())
        .map_err(|error| problems.usage(error))
        .ok()
}

/// Reads the styles and where they come from.
pub fn styles(args: &args::Objective, problems: &mut Problems) -> (Vec<Style>, Vec<Source>) {
    let (mut styles, mut sources) = (Vec::new(), Vec::new());
    for text in &args.styles {
        match Source::weighted(text) {
            Err(line) => problems.usage(line),
            Ok((source, weight)) => {
                if let Some(picture) = problems.open(&source) {
                    styles.push(Style::new(source.name(), picture, weight));
                }
                sources.push(source);
            }
        }
    }
    (styles, sources)
}
