//! `impasto inspect`: losses, gradients and encoders, for people and for programs.

use crate::args::{EncoderChoice, InspectEncoder, InspectLoss};
use crate::plan;
use crate::problems::Problems;
use crate::source::Source;
use crate::{Exit, Failure, npy, output, print, settings};
use anyhow::Context;
use impasto::encoder::LayerInfo;
use impasto::{Encoder, Error, Inspection, Picture, Recipe, Stylizer};
use serde_json::json;
use std::fmt::Write;
use std::path::PathBuf;

/// `impasto inspect loss`.
pub fn loss(args: &InspectLoss) -> Result<Exit, Failure> {
    let mut problems = Problems::default();
    let mut recipe = Recipe::default();
    settings::shape_loss(&mut recipe, &args.objective, &mut problems);
    problems.recipe(&recipe.problems());
    let encoder = settings::encoder(&args.objective.encoder, &mut problems);
    if let Some(encoder) = &encoder {
        settings::check_layers(&args.objective, encoder, &mut problems);
    }
    let device = settings::device(&args.device, &mut problems);
    let sources = [Source::new(&args.content), Source::new(&args.image)];
    let [content, image] = sources.each_ref().map(|source| problems.open(source));
    if let (Some(content), Some(image)) = (&content, &image) {
        check_sizes(content, image, &mut problems);
    }
    let limits = plan::limits(&args.device, &mut problems);
    let (styles, style_sources) = settings::styles(&args.objective, &mut problems);
    if let Some(path) = &args.gradient {
        let read = sources.iter().chain(&style_sources);
        let inputs: Vec<PathBuf> = read.filter_map(Source::file).map(Into::into).collect();
        output::check_file(path, &inputs, &mut problems);
    }
    let (Some(encoder), Some(device), Some(content), Some(image), true) =
        (encoder, device, content, image, problems.is_empty())
    else {
        return Err(problems.into());
    };
    let inspected = Stylizer::new(device, &encoder, styles, recipe)
        .and_then(|stylizer| stylizer.with_limits(limits))
        .and_then(|mut stylizer| stylizer.inspect(&content, &image));
    let inspection = match inspected {
        Ok(inspection) => inspection,
        Err(Error::Invalid(more)) => {
            problems.recipe(&more);
            return Err(problems.into());
        }
        Err(error) => return Err(error.into()),
    };
    if let Some(path) = &args.gradient {
        let bytes = npy::encode(&inspection.gradient, &[3, image.height(), image.width()]);
        impasto::picture::write_whole(path, &bytes)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    let Inspection { terms, total, .. } = &inspection;
    if args.json {
        print(&format!("{}\n", json!({"terms": terms, "total": total})))?;
    } else {
        print(&loss_table(&inspection))?;
    }
    Ok(Exit::Done)
}

fn check_sizes(content: &Picture, image: &Picture, problems: &mut Problems) {
    let size = |picture: &Picture| format!("{}×{}", picture.width(), picture.height());
    let (content, image) = (size(content), size(image));
    if content != image {
        problems.usage(format!(
            "--image is {image} px: must be as large as the content, {content} px"
        ));
    }
}

fn loss_table(inspection: &Inspection) -> String {
    let mut text = format!(
        "{:<20} {:>14} {:>12} {:>14} {:>7}\n",
        "term", "value", "weight", "weighted", "share"
    );
    for term in &inspection.terms {
        let share = 100.0 * term.weighted / inspection.total;
        let _ = writeln!(
            text,
            "{:<20} {:>14.6e} {:>12.4e} {:>14.6e} {share:>5.1} %",
            term.name, term.value, term.weight, term.weighted
        );
    }
    let _ = writeln!(text, "{:<48} {:>14.6e}", "total", inspection.total);
    text
}

/// `impasto inspect encoder`.
pub fn encoder(args: &InspectEncoder) -> Result<Exit, Failure> {
    let mut problems = Problems::default();
    let choice = EncoderChoice {
        encoder: Some(args.encoder.clone()),
        preprocessing: args.preprocessing.clone(),
        folder: args.folder.clone(),
    };
    let Some(encoder) = settings::encoder(&choice, &mut problems) else {
        return Err(problems.into());
    };
    let text = if args.json {
        let names = |layers: &[impasto::LayerName]| -> Vec<String> {
            layers.iter().map(ToString::to_string).collect()
        };
        let defaults = encoder.default_layers();
        let description = json!({
            "name": encoder.name(),
            "preprocessing": encoder.preprocessing().name(),
            "parameters": encoder.parameters(),
            "taps": names(&encoder.taps()),
            "content_layers": names(&defaults.content),
            "style_layers": names(&defaults.style),
            "layers": encoder.layers(),
        });
        format!("{description}\n")
    } else {
        encoder_table(&encoder)
    };
    print(&text)?;
    Ok(Exit::Done)
}

fn encoder_table(encoder: &Encoder) -> String {
    let mut text = format!(
        "{}: {} parameters, {} preprocessing\n\n{:<10} {:<5} {:>8} {:<20} {:>12} {:>6}  tap\n",
        encoder.name(),
        encoder.parameters(),
        encoder.preprocessing().name(),
        "layer",
        "kind",
        "channels",
        "weights",
        "parameters",
        "sees",
    );
    for layer in encoder.layers() {
        let LayerInfo {
            layer,
            kind,
            channels,
            weights,
            parameters,
            receptive_field,
            tap,
        } = layer;
        let weights = weights.map_or(String::new(), |shape| format!("{shape:?}"));
        let tap = if tap { "yes" } else { "" };
        let row = format!(
            "{layer:<10} {kind:<5} {channels:>8} {weights:<20} {parameters:>12} {receptive_field:>3} px  {tap}"
        );
        let _ = writeln!(text, "{}", row.trim_end());
    }
    let list = |layers: &[impasto::LayerName]| {
        let names: Vec<String> = layers.iter().map(ToString::to_string).collect();
        names.join(", ")
    };
    let defaults = encoder.default_layers();
    let _ = writeln!(text, "\ncontent looks at {}", list(&defaults.content));
    let _ = writeln!(text, "style looks at   {}", list(&defaults.style));
    text
}
