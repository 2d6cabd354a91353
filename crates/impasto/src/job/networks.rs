//! What a run looks, paints and computes with, opened by what was chosen; why something cannot be is noted.

use super::{DeviceChoice, EncoderChoice, Problem, Run};
use crate::PainterSpec;
use crate::device::{self, Choice, Kind};
use crate::encoder::Encoder;
use impasto_compute::Device;
use impasto_weights::Store;
use std::path::Path;

/// Opens the encoder; why there is none is noted.
pub fn find_encoder(choice: &EncoderChoice, problems: &mut Vec<Problem>) -> Option<Encoder> {
    let name = choice.name.as_deref();
    let file = name.filter(|path| path.is_file() && *path != Path::new("lite"));
    let found = match (file, choice.preprocessing) {
        (Some(path), Some(_)) => Encoder::open(path, choice.preprocessing),
        (None, Some(_)) => {
            problems.push(Problem::Preprocessing);
            return None;
        }
        (_, None) => {
            let store = Store::locate(choice.models.as_deref()).ok();
            let name = name.map(Path::to_string_lossy);
            Encoder::find_in(name.as_deref(), store.as_ref())
        }
    };
    found
        .map_err(|error| problems.push(Problem::Encoder(error)))
        .ok()
}

/// Opens the network that paints, if a run has work for one; why there is none is noted.
pub(super) fn find_painter(run: &Run, problems: &mut Vec<Problem>) -> Option<PainterSpec> {
    let Some(method) = run.recipe.painter() else {
        if run.model.is_some() {
            problems.push(Problem::Model);
        }
        return None;
    };
    let store = Store::locate(run.encoder.models.as_deref()).ok();
    PainterSpec::find(method, run.model.as_deref(), store.as_ref())
        .map_err(|error| problems.push(Problem::Failed(error)))
        .ok()
}

/// Opens the device; why there is none is noted.
pub fn open_device(choice: &DeviceChoice, problems: &mut Vec<Problem>) -> Option<Box<dyn Device>> {
    let before = problems.len();
    let only_cpu = matches!(choice.kind, Kind::Reference | Kind::Gpu(_));
    if only_cpu && choice.threads.is_some() {
        problems.push(Problem::Threads);
    }
    if choice.kind == Kind::Reference && choice.precision.is_some() {
        problems.push(Problem::Precision);
    }
    if problems.len() > before {
        return None;
    }
    let opened = Choice {
        kind: choice.kind,
        threads: choice.threads,
        precision: choice.precision.unwrap_or_default(),
    };
    device::open_tuned(&opened, choice.cache.as_deref())
        .map_err(|error| problems.push(Problem::Device(error)))
        .ok()
}
