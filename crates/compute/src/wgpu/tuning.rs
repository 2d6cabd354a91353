//! Which way a convolution goes on this adapter: measured once for each shape, and kept.
//!
//! Winograd's filtering needs a quarter of the products and several times the traffic; which of the two is scarce depends on
//! the adapter, on channels and on size. A shape is measured when it first occurs, on maps of its own that are no larger than
//! [`MEASURED`], and goes the faster way from then on, in later runs too: the same machine gives the same bytes as long as it
//! keeps the file.
//!
//! Where half precision was asked for, ways that round what they multiply to 16 bits are measured too, and those that give
//! something else than the plain product are passed over: units for small matrices are young in drivers.

use super::context::Context;
use super::convolution::Job;
use super::cooperative::Matrices;
use super::gemm::Multiply;
use super::winograd;
use crate::plan::Behind;
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
/// How many times faster a way has to be than one that is more exact.
const WORTH: f64 = 1.05;
/// What 16 bits may make of a result, as a part of the greatest.
const AGREES: f32 = 0.02;
/// Channels on either side that are worth a try of another way than the direct one.
const CHANNELS: usize = 8;

/// What a convolution is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    /// One product of matrices.
    Direct,
    /// Minimal filtering.
    Winograd,
}

/// A way to compute a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) algorithm: Algorithm,
    pub(super) multiply: Multiply,
}

impl Way {
    /// In a file.
    fn name(self) -> String {
        let algorithm = match self.algorithm {
            Algorithm::Direct => "direct",
            Algorithm::Winograd => "winograd",
        };
        let multiply = match self.multiply {
            Multiply::Single => "",
            Multiply::Half => " f16",
            Multiply::Cooperative(_) => " f16 matrices",
        };
        format!("{algorithm}{multiply}")
    }
}

/// What products of convolutions are made of; sums are in f32 always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// Numbers in f32.
    #[default]
    Standard,
    /// Numbers rounded to f16, each map scaled by a power of two of its own, where that is faster. Needs an adapter that has
    /// such numbers.
    Half,
    /// As [`Precision::Half`], by the adapter's units for products of small matrices wherever they fit, measured or not. For
    /// tests.
    Matrices,
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
    /// The algorithm of all shapes, unless they are measured.
    fixed: Option<Algorithm>,
    precision: Precision,
    /// Small matrices that the adapter multiplies.
    matrices: Option<Matrices>,
    file: Option<PathBuf>,
    /// The names of ways, by shape.
    known: Mutex<BTreeMap<String, String>>,
}

impl Tuning {
    /// What was measured before on an adapter of this name.
    pub(super) fn new(
        how: &Convolutions,
        precision: Precision,
        matrices: Option<Matrices>,
        adapter: &str,
    ) -> Self {
        let tuning = Self {
            precision,
            matrices,
            ..Self::default()
        };
        match how {
            Convolutions::Direct => Self {
                fixed: Some(Algorithm::Direct),
                ..tuning
            },
            Convolutions::Winograd => Self {
                fixed: Some(Algorithm::Winograd),
                ..tuning
            },
            Convolutions::Measured(folder) => {
                let name: String = adapter
                    .chars()
                    .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
                    .collect();
                let file = folder.join(format!("gpu-{name}.txt"));
                let known = std::fs::read_to_string(&file).unwrap_or_default();
                Self {
                    known: Mutex::new(parse(&known)),
                    file: Some(file),
                    ..tuning
                }
            }
        }
    }

    /// The same for a device that counts: of ways that are measured, the one that needs the most memory.
    pub(super) fn counting(&self) -> Self {
        Self {
            fixed: self.fixed,
            precision: self.precision,
            matrices: self.matrices,
            ..Self::default()
        }
    }

    /// The ways that a shape can go, the most exact first.
    fn ways(&self, context: &Context, job: &Job<'_>) -> Vec<Way> {
        let few = job.inputs.min(job.outputs) < CHANNELS;
        let algorithms: &[Algorithm] = match (winograd::suits(context, job), self.fixed) {
            (false, _) | (_, Some(Algorithm::Direct)) => &[Algorithm::Direct],
            (true, Some(Algorithm::Winograd)) => &[Algorithm::Winograd],
            (true, None) if context.gpu.is_none() => &[Algorithm::Winograd],
            (true, None) if few => &[Algorithm::Direct],
            (true, None) => &[Algorithm::Direct, Algorithm::Winograd],
        };
        let matrices = self.matrices.map(Multiply::Cooperative);
        let multiply = match self.precision {
            // Rounding the image would be seen, and there is little to gain.
            _ if few => vec![Multiply::Single],
            Precision::Standard => vec![Multiply::Single],
            Precision::Half if self.fixed.is_some() => vec![Multiply::Half],
            // What needs more memory.
            Precision::Half if context.gpu.is_none() => vec![Multiply::Single],
            Precision::Half => [Multiply::Single, Multiply::Half]
                .into_iter()
                .chain(matrices)
                .collect(),
            Precision::Matrices => vec![matrices.unwrap_or(Multiply::Half)],
        };
        let ways = multiply.iter().flat_map(|&multiply| {
            let way = move |&algorithm: &Algorithm| Way {
                algorithm,
                multiply,
            };
            algorithms.iter().map(way)
        });
        ways.collect()
    }

    /// The way of a shape.
    pub(super) fn way(&self, context: &Context, job: &Job<'_>) -> Result<Way> {
        let ways = self.ways(context, job);
        if let [way] = ways[..] {
            return Ok(way);
        }
        let sample = Sample::of(job);
        let shape = sample.name(&ways);
        let known = |way: Option<Way>| {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            way.map(|way| known.insert(shape.clone(), way.name()));
            let way = known.get(&shape);
            let way = way.and_then(|name| ways.iter().find(|way| way.name() == *name));
            (way.copied(), print(&known))
        };
        if let (Some(way), _) = known(None) {
            return Ok(way);
        }
        let way = match sample.measure(context, &ways) {
            Ok(way) => way,
            // Measured when there is room.
            Err(ComputeError::OutOfMemory { .. }) => return Ok(ways[0]),
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
fn parse(text: &str) -> BTreeMap<String, String> {
    let line = |line: &str| {
        let (shape, way) = line.split_once('\t')?;
        let known = !shape.is_empty() && !way.is_empty();
        known.then(|| (shape.to_string(), way.to_string()))
    };
    text.lines().filter_map(line).collect()
}

fn print(known: &BTreeMap<String, String>) -> String {
    let mut text = String::new();
    for (shape, way) in known {
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

    /// What is told apart: the shape, and what there is to choose from.
    fn name(&self, ways: &[Way]) -> String {
        let Job {
            inputs, outputs, ..
        } = self.job;
        let mut name = format!("{inputs} to {outputs} at {}", self.side);
        for (constant, value) in self.job.before().into_iter().chain(self.job.after()) {
            let _ = write!(name, " {constant}={value}");
        }
        if ways.iter().any(|way| way.multiply != Multiply::Single) {
            name.push_str(" f16");
        }
        if ways.iter().all(|way| way.algorithm == Algorithm::Direct) {
            name.push_str(" direct");
        }
        name
    }

    /// The fastest way of those that give what the first one gives.
    fn measure(&self, context: &Context, ways: &[Way]) -> Result<Way> {
        let (job, side) = (&self.job, self.side);
        let area = side * side;
        let pooled = matches!(job.behind, Behind::ReluPool { .. });
        let noise = |len: usize| {
            let array = context.pool.take(len)?;
            let mut state = 1_u32;
            let mut next = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / (1 << 23) as f32 - 1.0
            };
            let bytes: Vec<u8> = (0..len).flat_map(|_| next().to_le_bytes()).collect();
            context.write(&array, &bytes)?;
            Ok::<_, ComputeError>(array)
        };
        let bits = |wanted: bool, channels: usize, byte: u8| {
            let some = || {
                let array = context.pool.take(channels.div_ceil(8) * area / 4)?;
                context.write(&array, &vec![byte; 4 * array.len()])?;
                Ok(array)
            };
            wanted.then(some).transpose()
        };
        let x = noise(job.inputs * if job.spread.is_some() { area / 4 } else { area })?;
        let out = context
            .pool
            .take(job.outputs * if pooled { area / 4 } else { area })?;
        // The first corner of every four; everything; nothing.
        let spread = bits(job.spread.is_some(), job.inputs, 0x11)?;
        let mask = bits(job.mask.is_some(), job.outputs, 0xff)?;
        let signs = bits(job.bits.is_some(), job.outputs, 0)?;
        let sample = Job {
            x: &x,
            h: side,
            w: side,
            border: 0,
            out: &out,
            spread: spread.as_ref(),
            mask: mask.as_ref(),
            bits: signs.as_ref(),
            ..*job
        };
        let results = |way: Way| {
            context.clear(&out);
            sample.go(context, way)?;
            context.read(&out)
        };
        let expected = results(ways[0])?;
        let (mut best, mut least) = (ways[0], f64::INFINITY);
        for &way in ways {
            if way != ways[0] {
                let wrong = match results(way) {
                    Ok(got) if agree(&got, &expected) => None,
                    Ok(_) => Some("it computes wrong".into()),
                    Err(error @ ComputeError::OutOfMemory { .. }) => return Err(error),
                    Err(error) => Some(error.to_string()),
                };
                if let Some(wrong) = wrong {
                    log::warn!("{} is not used: {wrong}", way.name());
                    continue;
                }
            }
            let mut fastest = Duration::MAX;
            for _ in 0..ROUNDS {
                context.settle()?;
                let clock = Instant::now();
                sample.go(context, way)?;
                context.settle()?;
                fastest = fastest.min(clock.elapsed());
            }
            log::debug!("{}: {fastest:?} {}", self.name(ways), way.name());
            let seconds = fastest.as_secs_f64();
            if seconds * WORTH < least {
                (best, least) = (way, seconds);
            }
        }
        Ok(best)
    }
}

/// Whether two ways give the same, up to what 16 bits make of it.
fn agree(got: &[f32], expected: &[f32]) -> bool {
    let largest = expected.iter().fold(0.0_f32, |max, v| max.max(v.abs()));
    let pairs = got.iter().zip(expected);
    let mut errors = pairs.map(|(a, b)| (a - b).abs());
    errors.all(|error| error <= AGREES * largest)
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
        assert!(parse("rubbish\n64 to 64\t\n\tmaybe").is_empty());
    }

    #[test]
    fn what_is_wrong_is_noticed() {
        assert!(agree(&[1.0, -100.0], &[0.0, -99.0]));
        assert!(!agree(&[1.0, -100.0], &[4.0, -99.0]));
        assert!(!agree(&[f32::NAN, 1.0], &[1.0, 1.0]));
        assert!(agree(&[0.0], &[0.0]));
    }

    #[test]
    fn a_file_is_written_whole() -> std::io::Result<()> {
        let folder = impasto_testing::Folder::new();
        let file = folder.join("deeper").join("gpu.txt");
        write(&file, "first")?;
        write(&file, "second")?;
        assert_eq!(std::fs::read_to_string(&file)?, "second");
        assert_eq!(std::fs::read_dir(folder.join("deeper"))?.count(), 1);
        Ok(())
    }
}
