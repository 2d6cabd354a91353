//! `impasto bench load`: how long it takes until an encoder is ready, and how much memory.
//!
//! Ready means: its file is read and checked, a network is made of it, and the filters that a forward pass to its
//! deepest default tap needs are transformed. The last is the difference between a first and a second pass over a
//! picture so small that the pass itself is nothing beside it.

use crate::args::Cpu;
use crate::bench::peak_rss_mb;
use crate::models::args::ModelsFolder;
use crate::problems::Problems;
use crate::{Exit, Failure, print};
use clap::{Args, ValueHint};
use impasto::compute::TapRequest;
use impasto::compute::cpu::{CpuDevice, CpuSettings};
use impasto::compute::prelude::*;
use impasto::encoder::EncoderOptions;
use impasto::job::{self, EncoderChoice};
use impasto::named::Named;
use serde::Serialize;
use std::ffi::OsString;
use std::time::Instant;

/// `impasto bench load`.
#[derive(Args)]
pub struct BenchLoad {
    /// lite, the name of an installed encoder, or a file of weights
    #[arg(long, value_name = "NAME|FILE", value_hint = ValueHint::FilePath, default_value = "vgg19")]
    pub encoder: OsString,

    /// Where models are kept.
    #[command(flatten)]
    pub folder: ModelsFolder,

    /// How the cpu works.
    #[command(flatten)]
    pub cpu: Cpu,

    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Side of the picture.
const SIDE: usize = 32;

/// What was measured.
#[derive(Serialize)]
struct Measured {
    encoder: String,
    precision: &'static str,
    parameters: usize,
    /// The weights and biases in f32, in 2²⁰ bytes.
    weights_mb: f64,
    read_seconds: f64,
    filters_seconds: f64,
    ready_seconds: f64,
    /// The most memory that the program has had, in 2²⁰ bytes; unknown where the system does not say.
    peak_rss_mb_before: Option<u64>,
    peak_rss_mb_read: Option<u64>,
    peak_rss_mb_ready: Option<u64>,
}

/// Times loading.
pub fn load(args: &BenchLoad) -> Result<Exit, Failure> {
    let mut problems = Problems::default();
    let precision = problems.take(&args.cpu.precision).unwrap_or_default();
    let threads = problems.take(&args.cpu.threads);
    let device = precision.for_cpu().and_then(|precision| {
        CpuDevice::new(CpuSettings {
            threads,
            precision,
            ..CpuSettings::default()
        })
    });
    let device = device.map_err(|error| problems.usage(error)).ok();
    let choice = EncoderChoice {
        name: Some(args.encoder.clone().into()),
        preprocessing: None,
        models: args.folder.models_dir.clone(),
    };
    let before = peak_rss_mb();
    let began = Instant::now();
    let encoder = problems.gather(|found| job::find_encoder(&choice, found));
    let (Some(device), Some(encoder), true) = (device, encoder, problems.is_empty()) else {
        return Err(problems.into());
    };
    let network = device
        .network(&encoder.spec(&EncoderOptions::default()))
        .map_err(impasto::Error::from)?;
    let read_seconds = began.elapsed().as_secs_f64();
    let peak_rss_mb_read = peak_rss_mb();

    let mut taps = Vec::new();
    for layer in encoder.default_layers().style {
        let tap = encoder.tap(layer).map_err(impasto::Error::from)?;
        taps.push(TapRequest::features(tap));
    }
    let image = vec![0.5; 3 * SIDE * SIDE];
    let image = device
        .upload(&image, &[3, SIDE, SIDE])
        .map_err(impasto::Error::from)?;
    let pass = || -> impasto::Result<f64> {
        let began = Instant::now();
        drop(network.forward(&image, &taps)?);
        Ok(began.elapsed().as_secs_f64())
    };
    let filters_seconds = (pass()? - pass()?).max(0.0);
    let measured = Measured {
        encoder: encoder.name().into(),
        precision: precision.name(),
        parameters: encoder.parameters(),
        weights_mb: 4.0 * encoder.parameters() as f64 / f64::from(1 << 20),
        read_seconds,
        filters_seconds,
        ready_seconds: read_seconds + filters_seconds,
        peak_rss_mb_before: before,
        peak_rss_mb_read,
        peak_rss_mb_ready: peak_rss_mb(),
    };
    match args.json {
        true => print(&format!("{}\n", serde_json::to_string(&measured)?))?,
        false => print(&table(&measured))?,
    }
    Ok(Exit::Done)
}

fn table(measured: &Measured) -> String {
    let memory = |mb: Option<u64>| mb.map_or("unknown".into(), |mb| format!("{mb} MB"));
    let share = match measured.peak_rss_mb_read {
        Some(mb) => format!(", {:.2} of the weights", mb as f64 / measured.weights_mb),
        None => String::new(),
    };
    format!(
        "{}, {}, {:.1} million weights and biases, {:.0} MB in f32\n  \
         before            {:>10} peak memory\n  \
         read, checked     {:.3} s, {} peak memory{share}\n  \
         filters           {:.3} s, {} peak memory\n  \
         ready             {:.3} s\n",
        measured.encoder,
        measured.precision,
        measured.parameters as f64 / 1e6,
        measured.weights_mb,
        memory(measured.peak_rss_mb_before),
        measured.read_seconds,
        memory(measured.peak_rss_mb_read),
        measured.filters_seconds,
        memory(measured.peak_rss_mb_ready),
        measured.ready_seconds,
    )
}
