//! What the two peers share: the task, seeded inputs, timing, and the JSON line that the harness reads.
//!
//! The task is the one of `../task.py`. Its numbers come from another generator, so that a loss printed here can be
//! compared between burn and candle, not with Python's.

use std::process::Command;
use std::time::Instant;

/// Name, channels in, channels out of each convolution; a pool stands before each block but the first.
pub const LAYERS: [(&str, usize, usize); 13] = [
    ("1_1", 3, 64),
    ("1_2", 64, 64),
    ("2_1", 64, 128),
    ("2_2", 128, 128),
    ("3_1", 128, 256),
    ("3_2", 256, 256),
    ("3_3", 256, 256),
    ("3_4", 256, 256),
    ("4_1", 256, 512),
    ("4_2", 512, 512),
    ("4_3", 512, 512),
    ("4_4", 512, 512),
    ("5_1", 512, 512),
];
pub const CONTENT: &str = "4_2";
pub const MEAN: [f32; 3] = [0.485, 0.456, 0.406];
pub const DEVIATION: [f32; 3] = [0.229, 0.224, 0.225];
pub const STYLE_WEIGHT: f32 = 1e3;

/// Whether the layer's Gram matrix enters the loss: the first of each block.
pub fn is_style(name: &str) -> bool {
    name.ends_with("_1")
}

/// Whether a pool stands before the layer at this position.
pub fn pooled_before(position: usize) -> bool {
    position > 0 && LAYERS[position].0[..1] != LAYERS[position - 1].0[..1]
}

/// Splitmix64, and normal numbers by the sum of twelve uniform ones.
pub struct Random(pub u64);

impl Random {
    pub fn uniform(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 24) as f32
    }

    pub fn normal(&mut self) -> f32 {
        (0..12).map(|_| self.uniform()).sum::<f32>() - 6.0
    }
}

/// Weight `[o, i, 3, 3]` (He) and bias `[o]` of every layer.
pub fn weights() -> Vec<(Vec<f32>, Vec<f32>)> {
    let mut random = Random(1);
    let mut layer = |inputs: usize, outputs: usize| {
        let he = (2.0 / (9 * inputs) as f32).sqrt();
        let weight = (0..9 * inputs * outputs)
            .map(|_| random.normal() * he)
            .collect();
        let bias = (0..outputs).map(|_| random.normal() * 0.05).collect();
        (weight, bias)
    };
    LAYERS
        .iter()
        .map(|&(_, inputs, outputs)| layer(inputs, outputs))
        .collect()
}

/// `[3, size, size]` in 0..1: waves of colour plus noise.
pub fn picture(size: usize, seed: u64) -> Vec<f32> {
    let mut random = Random(seed);
    let mut pixels = Vec::with_capacity(3 * size * size);
    for _ in 0..3 {
        let (across, down) = (6.0 + 6.0 * random.uniform(), 6.0 + 6.0 * random.uniform());
        for y in 0..size {
            for x in 0..size {
                let at = |i: usize, waves: f32| (i as f32 / size as f32 * waves).sin();
                let value = 0.5 + 0.2 * at(x, across) + 0.2 * at(y, down) + 0.05 * random.normal();
                pixels.push(value.clamp(0.0, 1.0));
            }
        }
    }
    pixels
}

/// `--size`, `--threads`, `--iters` and `--warm` of the command line.
pub struct Arguments {
    pub size: usize,
    pub threads: usize,
    pub iters: usize,
    pub warm: usize,
}

/// Reads the command line, times `step` as it says, and prints the report.
///
/// `build` gets the size and returns a step, which returns its loss. Both libraries read their number of threads from
/// the environment when first used, so the program starts itself again where it is not set.
pub fn run<S: FnMut() -> f32>(peer: &str, version: &str, build: impl FnOnce(usize) -> S) {
    let arguments = arguments();
    let threads = arguments.threads.to_string();
    if std::env::var("RAYON_NUM_THREADS").ok().as_ref() != Some(&threads) {
        let program = std::env::current_exe().expect("the program has a path");
        let mut again = Command::new(program);
        again
            .args(std::env::args().skip(1))
            .env("RAYON_NUM_THREADS", &threads);
        let status = again.status().expect("the program starts again");
        std::process::exit(status.code().unwrap_or(1));
    }
    let mut step = build(arguments.size);
    let start = Instant::now();
    for _ in 0..arguments.warm {
        step();
    }
    let warm = start.elapsed().as_secs_f64();
    let mut loss = 0.0;
    let mut seconds: Vec<f64> = (0..arguments.iters)
        .map(|_| {
            let start = Instant::now();
            loss = step();
            start.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    let middle = seconds.len() / 2;
    let median = if seconds.len() % 2 == 1 {
        seconds[middle]
    } else {
        (seconds[middle - 1] + seconds[middle]) / 2.0
    };
    println!(
        "{{\"peer\": \"{peer}\", \"version\": \"{version}\", \"variant\": \"f32\", \"size\": {}, \"threads\": {threads}, \
         \"step_seconds_median\": {median:.5}, \"step_seconds_min\": {:.5}, \"warm_seconds\": {warm:.2}, \
         \"peak_rss_mb\": {}, \"loss\": {loss}}}",
        arguments.size,
        seconds[0],
        peak_megabytes(),
    );
}

fn arguments() -> Arguments {
    let mut found = Arguments {
        size: 256,
        threads: 2,
        iters: 5,
        warm: 2,
    };
    let mut given = std::env::args().skip(1);
    while let Some(name) = given.next() {
        let value = given.next().and_then(|text| text.parse::<usize>().ok());
        let place = match name.as_str() {
            "--size" => &mut found.size,
            "--threads" => &mut found.threads,
            "--iters" => &mut found.iters,
            "--warm" => &mut found.warm,
            _ => usage(),
        };
        *place = value.unwrap_or_else(|| usage());
    }
    if found.size < 16 || found.threads == 0 || found.iters == 0 {
        usage()
    } else {
        found
    }
}

fn usage() -> ! {
    eprintln!("usage: [--size N (16 or more)] [--threads N] [--iters N] [--warm N]");
    std::process::exit(2)
}

/// The most memory the process ever had, as Linux counts it; 0 elsewhere.
fn peak_megabytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) / 1024
}
