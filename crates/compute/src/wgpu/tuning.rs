//! Which way a convolution goes on this adapter: measured once for each shape, and kept.
//!
//! Winograd's filtering needs a quarter of the products and several times the traffic; which of the two is scarce depends on
//! the adapter, on channels and on size. A shape is measured when it first occurs, on maps of its own that are no larger than
//! [`MEASURED`], and goes the faster way from then on, in later runs too: the same machine gives the same bytes as long as it
//! keeps the file.

use super::context::Context;
use super::convolution::Job;
use super::plan::Behind;
use super::winograd;
use crate::{ComputeError, Result};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Numbers in the larger of both maps that a shape is measured on, at most.
const MEASURED: usize = 8 << 20;
/// How often each way is timed; the fastest counts.
const ROUNDS: usize = 3;
/// How many times faster Winograd's filtering has to be, which is a little less exact.
const WORTH: f64 = 1.05;
/// Channels on either side that Winograd's filtering needs to be worth a try.
const CHANNELS: usize = 8;

/// A way to compute a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// As a product of matrices.
    Direct,
    /// By minimal filtering.
    Winograd,
}

/// How convolutions are computed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Convolutions {
    /// As products of matrices.
    #[default]
    Direct,
    /// By Winograd's minimal filtering wherever it can be.
    Winograd,
    /// The faster way for each shape, which is measured once and kept in a file of this folder.
    Measured(PathBuf),
}

/// What is known of an adapter.
#[derive(Debug, Default)]
pub(super) struct Tuning {
    /// The way of all shapes, unless they are measured.
    fixed: Option<Way>,
    file: Option<PathBuf>,
    known: Mutex<BTreeMap<String, Way>>,
}

impl Tuning {
    /// What was measured before on an adapter of this name.
    pub(super) fn new(how: &Convolutions, adapter: &str) -> Self {
        let fixed = |way| Self {
            fixed: Some(way),
            ..Self::default()
        };
        match how {
            Convolutions::Direct => fixed(Way::Direct),
            Convolutions::Winograd => fixed(Way::Winograd),
            Convolutions::Measured(folder) => {
                let name: String = adapter
                    .chars()
                    .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
                    .collect();
                let file = folder.join(format!("gpu-{name}.txt"));
                let known = std::fs::read_to_string(&file).unwrap_or_default();
                Self {
                    fixed: None,
                    known: Mutex::new(parse(&known)),
                    file: Some(file),
                }
            }
        }
    }

    /// The way of a shape.
    pub(super) fn way(&self, context: &Context, job: &Job<'_>) -> Result<Way> {
        if !winograd::suits(context, job) {
            return Ok(Way::Direct);
        }
        if context.gpu.is_none() {
            // What needs more memory.
            return Ok(Way::Winograd);
        }
        if let Some(way) = self.fixed {
            return Ok(way);
        }
        if job.inputs.min(job.outputs) < CHANNELS {
            return Ok(Way::Direct);
        }
        let sample = Sample::of(job);
        let shape = sample.name();
        let known = |way: Option<Way>| {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            way.map(|way| known.insert(shape.clone(), way));
            (known.get(&shape).copied(), print(&known))
        };
        if let (Some(way), _) = known(None) {
            return Ok(way);
        }
        let way = match sample.measure(context) {
            Ok(way) => way,
            // Measured when there is room.
            Err(ComputeError::OutOfMemory { .. }) => return Ok(Way::Direct),
            Err(error) => return Err(error),
        };
        let (_, text) = known(Some(way));
        if let Some(file) = &self.file
            && let Err(error) = write(file, &text)
        {
            log::debug!("{} cannot be written: {error}", file.display());
        }
        Ok(way)
    }
}

/// The lines of a file: a shape, a tab, a way. Others are passed over.
fn parse(text: &str) -> BTreeMap<String, Way> {
    let line = |line: &str| {
        let (shape, way) = line.split_once('\t')?;
        let way = match way {
            "direct" => Way::Direct,
            "winograd" => Way::Winograd,
            _ => return None,
        };
        Some((shape.to_string(), way))
    };
    text.lines().filter_map(line).collect()
}

fn print(known: &BTreeMap<String, Way>) -> String {
    let mut text = String::new();
    for (shape, way) in known {
        let way = match way {
            Way::Direct => "direct",
            Way::Winograd => "winograd",
        };
        let _ = writeln!(text, "{shape}\t{way}");
    }
    text
}

/// Writes a file whole or not at all.
fn write(file: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let new = file.with_extension(format!("{}.new", std::process::id()));
    std::fs::write(&new, text)?;
    std::fs::rename(&new, file).inspect_err(|_| {
        let _ = std::fs::remove_file(&new);
    })
}

/// A shape on maps of a size that is measured.
#[derive(Clone, Copy, Debug)]
struct Sample<'a> {
    job: Job<'a>,
    /// Height and width: equal, multiples of four.
    side: usize,
}

impl<'a> Sample<'a> {
    fn of(job: &Job<'a>) -> Self {
        let [tall, wide] = job.results();
        let pixels = (tall * wide).min(MEASURED / job.inputs.max(job.outputs));
        // Sizes are told apart by factors of two in each direction.
        let side = 1 << pixels.max(16).ilog2().div_ceil(2);
        Self { job: *job, side }
    }

    fn name(&self) -> String {
        let Job {
            inputs, outputs, ..
        } = self.job;
        let mut name = format!("{inputs} to {outputs} at {}", self.side);
        for (constant, value) in self.job.before().into_iter().chain(self.job.after()) {
            let _ = write!(name, " {constant}={value}");
        }
        name
    }

    fn measure(&self, context: &Context) -> Result<Way> {
        let (job, side) = (&self.job, self.side);
        let area = side * side;
        let pooled = matches!(job.behind, Behind::ReluPool(_));
        let zeros = |len: usize| {
            let array = context.pool.take(len)?;
            context.clear(&array);
            Ok(array)
        };
        let when = |wanted: bool, len: usize| wanted.then(|| zeros(len)).transpose();
        let x = zeros(job.inputs * if job.spread.is_some() { area / 4 } else { area })?;
        let out = zeros(job.outputs * if pooled { area / 4 } else { area })?;
        let spread = when(job.spread.is_some(), job.inputs.div_ceil(8) * area / 4)?;
        if let Some(spread) = &spread {
            // The first corner of every four.
            context.write(spread, &vec![0x11; 4 * spread.len()])?;
        }
        let mask = when(job.mask.is_some(), job.outputs.div_ceil(8) * area / 4)?;
        let bits = when(job.bits.is_some(), job.outputs.div_ceil(8) * area / 4)?;
        let sample = Job {
            x: &x,
            h: side,
            w: side,
            border: 0,
            out: &out,
            spread: spread.as_ref(),
            mask: mask.as_ref(),
            bits: bits.as_ref(),
            ..*job
        };
        let time = |way: Way| -> Result<Duration> {
            let mut fastest = Duration::MAX;
            // The first time makes the pipelines.
            for _ in 0..=ROUNDS {
                context.settle()?;
                let clock = Instant::now();
                sample.go(context, way)?;
                context.settle()?;
                fastest = fastest.min(clock.elapsed());
            }
            Ok(fastest)
        };
        let (direct, winograd) = (time(Way::Direct)?, time(Way::Winograd)?);
        log::debug!(
            "{}: {direct:?} direct, {winograd:?} by Winograd",
            self.name()
        );
        Ok(if direct.as_secs_f64() > WORTH * winograd.as_secs_f64() {
            Way::Winograd
        } else {
            Way::Direct
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_measured_is_read_again() {
        let text = "64 to 64 at 512\twinograd\n3 to 64 at 512\tdirect\n";
        assert_eq!(
            print(&parse(text)),
            "3 to 64 at 512\tdirect\n64 to 64 at 512\twinograd\n"
        );
        assert!(parse("rubbish\n64 to 64\t\n\0\tmaybe").is_empty());
    }

    #[test]
    fn a_file_is_written_whole() -> std::io::Result<()> {
        let folder = std::env::temp_dir().join(format!("impasto-tuning-{}", std::process::id()));
        let file = folder.join("deeper").join("gpu.txt");
        write(&file, "first")?;
        write(&file, "second")?;
        assert_eq!(std::fs::read_to_string(&file)?, "second");
        assert_eq!(std::fs::read_dir(folder.join("deeper"))?.count(), 1);
        std::fs::remove_dir_all(folder)
    }
}
