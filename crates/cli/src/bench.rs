//! `impasto bench step`: how long a step of optimisation takes, and what of the processor it uses.
//!
//! The step is the one that other programs are timed with: five Gram terms, a content term and the total variation
//! of a square picture, with their gradient; and, since it is the program's own run that is timed, the step of Adam
//! that follows. Operations are those of direct convolution: a device that needs fewer, as Winograd's does, may reach
//! a share of the peak above one. Of a GPU no peak is measured, and a step ends when the value of its loss is here.

use crate::args::{BENCH_SIZE, BENCH_STEPS, BenchStep};
use crate::problems::Problems;
use crate::{Exit, Failure, print, settings};
use impasto::compute::cpu::{CpuDevice, CpuSettings};
use impasto::compute::{self, Device, Padding, Reduction, StageTime, Tap, TotalVariation};
use impasto::device::{Kind, Precision};
use impasto::encoder::Preprocessing;
use impasto::job::{self, EncoderChoice};
use impasto::named::Named;
use impasto::recipe::{GramNorm, MethodSettings, Normalize, Optimize, StyleLoss};
use impasto::{Encoder, Event, OutputSize, Picture, Recipe, Style, Stylizer};
use impasto_weights::{Checkpoint, WeightTensor};
use serde::Serialize;
use std::ffi::OsStr;
use std::fmt::Write;
use std::ops::ControlFlow;
use std::time::Instant;

/// Steps before those that are timed.
const WARM_UP: usize = 2;

/// Channels of the blocks of a VGG.
const CHANNELS: [usize; 5] = [64, 128, 256, 512, 512];
/// Convolutions of each block of the networks that can be filled with random weights, down to relu5_1.
const NETWORKS: [(&str, [usize; 5]); 2] = [("vgg19", [2, 2, 4, 4, 1]), ("vgg16", [2, 2, 3, 3, 1])];

/// What was measured.
#[derive(Serialize)]
struct Measured {
    encoder: String,
    size: usize,
    device: String,
    /// Of the cpu.
    threads: Option<usize>,
    precision: &'static str,
    /// Of the cpu.
    level: Option<&'static str>,
    steps: usize,
    step_seconds_median: f64,
    step_seconds_min: f64,
    /// The most memory that the program has had, in 2²⁰ bytes; unknown where the system does not say.
    peak_rss_mb: Option<u64>,
    /// 10⁹ operations of direct convolution per second of the median step.
    gflops: f64,
    /// 10⁹ f32 operations per second that the threads of the cpu reach together in a loop of multiply-adds.
    peak_gflops: Option<f64>,
    share_of_peak: Option<f64>,
    /// Where the time of the last step went.
    layers: Vec<LayerTime>,
}

/// A part of the network, named by its last layer.
#[derive(Serialize)]
struct LayerTime {
    layer: String,
    forward_seconds: f64,
    backward_seconds: f64,
    /// As above, of this part alone: its convolutions, the products of its moments.
    gflops: f64,
    share_of_peak: Option<f64>,
}

/// Times a step.
pub fn step(args: &BenchStep) -> Result<Exit, Failure> {
    let mut problems = Problems::default();
    let size = problems.take(&args.size).unwrap_or(BENCH_SIZE);
    let steps = problems.take(&args.steps).unwrap_or(BENCH_STEPS);
    if !(1..=10_000).contains(&steps) {
        problems.usage(format!("--steps is {steps}: must be between 1 and 10000"));
    }
    let mut recipe = recipe(size, WARM_UP + steps.min(10_000));
    let settings = recipe.problems().into_iter().map(job::Problem::Setting);
    problems.job(&settings.collect::<Vec<_>>(), &[]);
    if let Some(settings) = recipe.optimize_mut() {
        settings.schedule.scales = vec![size];
    }
    let threads = problems.take(&args.device.cpu.threads);
    let precision = problems
        .take(&args.device.cpu.precision)
        .unwrap_or_default();
    let kind = match problems.take(&args.device.device).unwrap_or_default() {
        // Unless told otherwise it is the cpu that is measured.
        Kind::Auto if precision != Precision::F16 => Kind::Cpu,
        kind => kind,
    };
    let mut cpu = None;
    let device: Option<Box<dyn Device>> = match kind {
        Kind::Cpu => {
            let device = precision.for_cpu().and_then(|precision| {
                CpuDevice::new(CpuSettings {
                    threads,
                    precision,
                    ..CpuSettings::default()
                })
            });
            let device = device.map_err(|error| problems.usage(error)).ok();
            cpu = device.clone();
            device.map(|device| Box::new(device) as Box<dyn Device>)
        }
        Kind::Auto | Kind::Gpu(_) | Kind::Reference => {
            let choice = settings::device(&args.device, &mut problems);
            problems.gather(|found| job::open_device(&choice, found))
        }
    };
    let encoder = encoder(args, &mut problems);
    let (Some(device), Some(encoder), true) = (device, encoder, problems.is_empty()) else {
        return Err(problems.into());
    };

    let operations = operations(&encoder, size)?;
    let name = device.describe();
    let (seconds, times) = time(device, &encoder, recipe, size)?;
    let median = median(&seconds);
    let peak_gflops = cpu.as_ref().map(CpuDevice::measure_peak_gflops);
    let gflops = operations.iter().sum::<f64>() / median / 1e9;
    let available = || std::thread::available_parallelism().map_or(1, usize::from);
    let measured = Measured {
        encoder: encoder.name().into(),
        size,
        device: name,
        threads: cpu.as_ref().map(|_| threads.unwrap_or_else(available)),
        precision: precision.name(),
        level: cpu.as_ref().map(|cpu| cpu.level().name()),
        steps,
        step_seconds_median: median,
        step_seconds_min: seconds.iter().copied().fold(f64::INFINITY, f64::min),
        peak_rss_mb: peak_rss_mb(),
        gflops,
        peak_gflops,
        share_of_peak: peak_gflops.map(|peak| gflops / peak),
        layers: layer_times(&encoder, size, &times, peak_gflops)?,
    };
    if args.json {
        print(&format!("{}\n", serde_json::to_string(&measured)?))?;
    } else {
        print(&table(&measured))?;
    }
    Ok(Exit::Done)
}

/// The recipe of the step.
fn recipe(size: usize, steps: usize) -> Recipe {
    let mut settings = Optimize {
        normalize: Normalize::None,
        reduction: Reduction::Mean,
        ..Optimize::default()
    };
    settings.content.weight = 1.0;
    settings.style.weight = 1e3;
    settings.style.loss = StyleLoss::Gram;
    settings.style.gram_norm = GramNorm::Chw;
    settings.variation.weight = 1.0;
    settings.variation.kind = TotalVariation::L2;
    settings.schedule.steps = vec![steps];
    let mut recipe = Recipe {
        size: OutputSize::LongSide(size),
        method: MethodSettings::Optimize(settings),
        ..Recipe::default()
    };
    recipe.encoder.padding = Padding::Zero;
    recipe
}

fn encoder(args: &BenchStep, problems: &mut Problems) -> Option<Encoder> {
    if !args.random_weights {
        let choice = EncoderChoice {
            name: Some(args.encoder.clone().into()),
            preprocessing: None,
            models: args.folder.models_dir.clone(),
        };
        return problems.gather(|found| job::find_encoder(&choice, found));
    }
    let network = NETWORKS
        .into_iter()
        .find(|(name, _)| args.encoder == OsStr::new(name));
    let Some((name, convolutions)) = network else {
        problems.usage(format!(
            "--encoder is {}: --random-weights can fill vgg19 and vgg16",
            args.encoder.to_string_lossy()
        ));
        return None;
    };
    Encoder::from_checkpoint(name, random(convolutions), Some(Preprocessing::Torch))
        .map_err(|error| problems.file(error))
        .ok()
}

/// Weights that keep activations at the scale of the image, uniform in ±√(6/inputs) (He et al., arXiv 1502.01852).
fn random(convolutions: [usize; 5]) -> Checkpoint {
    let mut checkpoint = Checkpoint::default();
    let (mut inputs, mut noise) = (3, Noise(0));
    for (block, (count, outputs)) in convolutions.into_iter().zip(CHANNELS).enumerate() {
        for index in 0..count {
            let bound = (6.0 / (9 * inputs) as f32).sqrt();
            let values = |count: usize, noise: &mut Noise, bound: f32| -> Vec<f32> {
                (0..count)
                    .map(|_| bound * (2.0 * noise.next() - 1.0))
                    .collect()
            };
            let weight = WeightTensor {
                shape: vec![outputs, inputs, 3, 3],
                values: values(outputs * inputs * 9, &mut noise, bound),
            };
            let bias = WeightTensor {
                shape: vec![outputs],
                values: values(outputs, &mut noise, 0.05),
            };
            let name = format!("conv{}_{}", block + 1, index + 1);
            checkpoint.tensors.insert(format!("{name}.weight"), weight);
            checkpoint.tensors.insert(format!("{name}.bias"), bias);
            inputs = outputs;
        }
    }
    checkpoint
}

/// SplitMix64 (Steele, Lea and Flood 2014), as numbers in 0..1.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 24) as f32
    }
}

/// A picture of noise.
fn picture(size: usize, seed: u64) -> impasto::Result<Picture> {
    let mut noise = Noise(seed << 32);
    let values = (0..3 * size * size).map(|_| noise.next()).collect();
    Ok(Picture::new(size, size, values)?)
}

/// Seconds of every step after the first ones, and where those of the last one went.
fn time(
    device: Box<dyn Device>,
    encoder: &Encoder,
    recipe: Recipe,
    size: usize,
) -> impasto::Result<(Vec<f64>, Vec<StageTime>)> {
    let styles = vec![Style::new("noise", picture(size, 1)?, 1.0)];
    let mut stylizer = Stylizer::new(device, encoder, styles, recipe)?;
    let clock = Instant::now();
    let mut ends = Vec::new();
    stylizer.stylize(&picture(size, 2)?, &mut |event: &Event<'_>| {
        if let Event::Step(step) = event {
            // Waits for a device that is behind; what went wrong is told by the run.
            let _ = step.total();
            ends.push(clock.elapsed().as_secs_f64());
        }
        ControlFlow::Continue(())
    })?;
    let steps = ends.windows(2).map(|pair| pair[1] - pair[0]);
    Ok((steps.skip(WARM_UP - 1).collect(), stylizer.times()))
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        (sorted[middle - 1] + sorted[middle]) / 2.0
    }
}

/// Operations of one step by layer: each convolution forward and backward, each Gram matrix (one triangle of it) and the
/// product that is its gradient. A multiply-add is two.
fn operations(encoder: &Encoder, size: usize) -> impasto::Result<Vec<f64>> {
    let recipe = Recipe::default();
    let spec = encoder.spec(&recipe.encoder);
    let layers = encoder.default_layers();
    let mut deepest = 0;
    for layer in layers.content.iter().chain(&layers.style) {
        deepest = deepest.max(spec.layer_of(encoder.tap(*layer)?)?);
    }
    let mut operations = vec![0.0; deepest + 1];
    for (index, layer) in spec.layers[..=deepest].iter().enumerate() {
        let [_, height, width] = spec.shape_at(Tap::Layer(index), compute::Size::square(size))?;
        let products = (layer.products() * height * width) as f64;
        operations[index] += 2.0 * 2.0 * products;
    }
    for layer in layers.style {
        let tap = encoder.tap(layer)?;
        let [channels, height, width] = spec.shape_at(tap, compute::Size::square(size))?;
        let products = (channels * channels * height * width) as f64;
        operations[spec.layer_of(tap)?] += 3.0 * products;
    }
    Ok(operations)
}

/// The times of a step with the names of their layers, and the operations that they took.
fn layer_times(
    encoder: &Encoder,
    size: usize,
    times: &[StageTime],
    peak_gflops: Option<f64>,
) -> impasto::Result<Vec<LayerTime>> {
    let operations = operations(encoder, size)?;
    let names = encoder.layers();
    let mut begin = 0;
    let mut rows = Vec::with_capacity(times.len());
    for time in times {
        let end = (time.last_layer + 1).min(operations.len());
        let seconds = time.forward + time.backward;
        let gflops = operations[begin.min(end)..end].iter().sum::<f64>() / seconds / 1e9;
        begin = end;
        let name = names.get(time.last_layer);
        rows.push(LayerTime {
            layer: name.map_or_else(|| time.last_layer.to_string(), |row| row.layer.clone()),
            forward_seconds: time.forward,
            backward_seconds: time.backward,
            gflops,
            share_of_peak: peak_gflops.map(|peak| gflops / peak),
        });
    }
    Ok(rows)
}

/// The high-water mark of the program's memory, which Linux keeps.
pub fn peak_rss_mb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib.div_ceil(1024))
}

fn table(measured: &Measured) -> String {
    let Measured {
        encoder,
        size,
        device,
        precision,
        steps,
        ..
    } = measured;
    let memory = measured.peak_rss_mb;
    let memory = memory.map_or("unknown".into(), |mb| format!("{mb} MB"));
    let mut text = match (measured.threads, measured.level) {
        (Some(threads), Some(level)) => {
            format!("{encoder}, {size}×{size} px, {threads} threads, {precision}, {level}\n")
        }
        _ => format!("{encoder}, {size}×{size} px, {device}\n"),
    };
    let mut rows = vec![
        (
            "step, median",
            format!("{:.4} s of {steps}", measured.step_seconds_median),
        ),
        ("step, least", format!("{:.4} s", measured.step_seconds_min)),
        ("peak memory", memory),
        (
            "operations",
            format!("{:.1} GFLOP/s as direct convolution", measured.gflops),
        ),
    ];
    if let (Some(peak), Some(share)) = (measured.peak_gflops, measured.share_of_peak) {
        rows.push(("peak", format!("{peak:.1} GFLOP/s of multiply-adds")));
        rows.push(("share of peak", format!("{:.0} %", 100.0 * share)));
    }
    for (name, value) in rows {
        let _ = writeln!(text, "  {name:<14} {value}");
    }
    if measured.layers.is_empty() {
        return text;
    }
    let _ = writeln!(
        text,
        "\n  to layer      forward   backward    GFLOP/s  of peak"
    );
    for row in &measured.layers {
        let _ = writeln!(
            text,
            "  {:<10} {:>7.1} ms {:>7.1} ms {:>10.0} {:>6.0} %",
            row.layer,
            1e3 * row.forward_seconds,
            1e3 * row.backward_seconds,
            row.gflops,
            100.0 * row.share_of_peak.unwrap_or(0.0)
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_networks_are_those_that_they_are_named_after() {
        for (name, parameters) in [("vgg19", 12_944_960), ("vgg16", 9_995_072)] {
            let (_, convolutions) = NETWORKS.into_iter().find(|n| n.0 == name).unwrap();
            let checkpoint = random(convolutions);
            let weight = &checkpoint.tensors["conv3_2.weight"].values;
            let square = weight.iter().map(|v| v * v).sum::<f32>() / weight.len() as f32;
            assert!((square * 9.0 * 256.0 / 2.0 - 1.0).abs() < 0.01, "{square}");
            let encoder = Encoder::from_checkpoint(name, checkpoint, Some(Preprocessing::Torch));
            let encoder = encoder.unwrap();
            assert_eq!(encoder.parameters(), parameters);
            assert_eq!(encoder.default_layers().style.len(), 5);
        }
    }

    #[test]
    fn operations_are_counted_as_on_paper() {
        let encoder = Encoder::from_checkpoint("vgg19", random(NETWORKS[0].1), None).unwrap();
        // Multiply-adds per pixel of the image: thirteen convolutions forward, and five Gram matrices.
        let convolutions = 9.0
            * (3.0 * 64.0
                + 64.0 * 64.0
                + (64.0 * 128.0 + 128.0 * 128.0) / 4.0
                + (128.0 * 256.0 + 3.0 * 256.0 * 256.0) / 16.0
                + (256.0 * 512.0 + 3.0 * 512.0 * 512.0) / 64.0
                + 512.0 * 512.0 / 256.0);
        let grams = 64.0 * 64.0
            + 128.0 * 128.0 / 4.0
            + 256.0 * 256.0 / 16.0
            + 512.0 * 512.0 / 64.0
            + 512.0 * 512.0 / 256.0;
        let expected = 64.0 * 64.0 * (4.0 * convolutions + 3.0 * grams);
        let got = operations(&encoder, 64).unwrap().iter().sum::<f64>();
        let exact = impasto_testing::Tolerance::relative(1e-12);
        impasto_testing::assert_near("operations", got, expected, exact);
    }

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
    }
}
