//! `impasto inspect`: losses, gradients and encoders, for people and for programs.

use crate::args::{InspectEncoder, InspectLoss};
use crate::problems::Problems;
use crate::{Exit, Failure, npy, print, settings};
use anyhow::Context;
use impasto::encoder::LayerInfo;
use impasto::job::{self, EncoderChoice, Files, Run, Source};
use impasto::{Encoder, Inspection, Picture};
use serde_json::json;
use std::fmt::Write;

/// `impasto inspect loss`.
pub fn loss(args: &InspectLoss) -> Result<Exit, Failure> {
    let mut problems = Problems::default();
    let settings = &args.objective.settings.0;
    let used = settings.used();
    let (changes, lines) = settings.read();
    lines.iter().for_each(|line| problems.usage(line));
    let mut run = Run::default();
    run.chosen = settings::change(&mut run.recipe, &changes, &used, &mut problems);
    run.encoder = settings::encoder(&args.objective.encoder, &mut problems);
    run.device = settings::device(&args.device, &mut problems);
    run.limits = settings::limits(&args.device, &mut problems);
    let styles = settings::styles_to_look_at(&args.objective, &run.recipe, &mut problems);
    let sources = [&args.content, &args.image]
        .map(|name| settings::standard(Source::new(name), &mut problems));
    let mut found = Vec::new();
    let checked = run.check(&mut found);
    let [content, image] = sources
        .each_ref()
        .map(|source| job::open(source.as_ref()?, &mut found));
    let opened = job::open_styles(&styles, &mut found);
    problems.job(&found, &used);
    if let (Some(content), Some(image)) = (&content, &image) {
        check_sizes(content, image, &mut problems);
    }
    if let Some(path) = &args.gradient {
        let styles = styles.iter().map(|(source, _)| source);
        let mut files = Files::default();
        files.read_pictures(sources.iter().flatten().chain(styles));
        files.read_run(checked.ordered());
        problems.gather(|found| files.write(path, found));
    }
    let (Some(content), Some(image), true) = (content, image, problems.is_empty()) else {
        return Err(problems.into());
    };
    let inspected = checked.stylizer(opened).and_then(|mut stylizer| {
        let inspected = stylizer.inspect(&content, &image);
        inspected.map_err(job::Problem::all_of)
    });
    let inspection = inspected.map_err(|more| {
        problems.job(&more, &used);
        problems
    })?;
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
        name: Some(args.encoder.clone().into()),
        preprocessing: problems.take(&args.preprocessing),
        models: args.folder.models_dir.clone(),
    };
    let found = problems.gather(|found| job::find_encoder(&choice, found));
    let (Some(encoder), true) = (found, problems.is_empty()) else {
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
