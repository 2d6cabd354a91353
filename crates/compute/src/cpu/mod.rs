//! The processor: Winograd convolutions in vector instructions, bits instead of kept activations, memory recycled.
//!
//! * `array` says how tensors lie in memory, `memory` where the memory comes from, `simd` how one source
//!   becomes code for several instruction sets;
//! * `graph` runs graphs of any shape, forwards;
//! * `network` prepares a network, and `sweep` runs it, there and back: a whole picture, a tile, features or strips, which
//!   differ in how many rows each stage makes at a time and in what is kept;
//! * `vector`, `spatial`, `statistics`, `matrix` and `matching` are the operations of the traits of these names, cut into `chunks`;
//!   `fidelity` stands on products of `square` matrices, triangular `factor`s and the `polar` decomposition.
//!
//! Results are bit-identical for any number of threads: work is cut by the size of the data, never by the number of
//! threads, and partial sums are added in the order of the data. Different instruction sets round differently.

mod array;
mod bf16;
mod chunks;
mod convolution;
mod convolve;
mod eigen;
mod estimate;
mod factor;
mod fidelity;
mod filters;
mod first;
mod fold;
mod format;
mod graph;
mod heads;
mod invert;
mod kernel;
mod laps;
mod matching;
mod matrix;
mod memory;
mod mixing;
mod moments;
mod network;
mod patches;
mod peak;
mod pointwise;
pub(crate) mod polar;
mod products;
mod resize;
mod results;
mod shared;
mod simd;
mod spatial;
mod square;
mod statistics;
mod strip;
mod sweep;
mod tape;
mod tile;
mod variation;
mod vector;
mod views;
mod window;
mod winograd;

pub use simd::Level;

use crate::{ComputeError, Hardware, NetSpec, Network, Networks, Result, Tensor};
use memory::Pool;
use simd::Token;
use std::fmt;
use std::sync::Arc;

/// The environment variable that chooses a [`Level`] where [`CpuSettings::level`] does not.
const LEVEL_VARIABLE: &str = "IMPASTO_SIMD";
/// More threads than any machine has processors: a slip of the pen.
const MAX_THREADS: usize = 1024;
/// Threads that are started if asked for, however few processors there are: what is computed does not depend on their number,
/// and a small machine can show it.
const SPARE_THREADS: usize = 4;

/// What accuracy is traded for speed in convolutions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    /// f32 with Winograd F(2×2,3×3): about half the error of [`Precision::Standard`] at two thirds of its speed.
    Strict,
    /// f32 with Winograd F(4×4,3×3) at points chosen for small error: about five times the rounding error of direct
    /// convolution (relative error of an image gradient 3e-6).
    #[default]
    Standard,
    /// Products of bfloat16 numbers, summed in f32, where the processor has them; otherwise as
    /// [`Precision::Standard`]. Good for finding a picture, not for comparing numbers.
    Bf16,
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Precision::Strict => "strict f32",
            Precision::Standard => "f32",
            Precision::Bf16 => "bf16",
        })
    }
}

/// When filters are kept in their transformed form, four times their size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum FilterCache {
    /// For images up to about 900×900 pixels: beyond, memory is scarcer and the time hardly matters.
    #[default]
    Auto,
    /// Always: fastest.
    Always,
    /// Never: filters are transformed each time they are used.
    Never,
}

/// Settings of a [`CpuDevice`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuSettings {
    /// Threads; `None` for as many as there are processors. More than processors help nobody, and are not started beyond
    /// a few.
    pub threads: Option<usize>,
    /// Accuracy of convolutions.
    pub precision: Precision,
    /// Instruction set; `None` for the one named by the environment variable `IMPASTO_SIMD`, or else the fastest.
    pub level: Option<Level>,
    /// Whether transformed filters are kept.
    pub filters: FilterCache,
}

/// What everything on the device shares.
#[derive(Debug)]
struct Context {
    level: Level,
    token: Token,
    precision: Precision,
    filters: FilterCache,
    threads: rayon::ThreadPool,
    pool: Arc<Pool>,
}

/// The precision that the processor can keep up.
fn available(precision: Precision, level: Level) -> Precision {
    if precision == Precision::Bf16 && !(level == Level::Avx512 && bf16::is_available()) {
        log::info!(
            "this processor does not multiply bfloat16 numbers at level {level}: computing in f32"
        );
        return Precision::Standard;
    }
    precision
}

/// How many threads are started where so many are asked for: as many as help. `None` asks for one per processor.
///
/// # Errors
/// [`ComputeError::BadSetting`] for none, or for more than any machine has.
pub fn helpful_threads(asked: Option<usize>) -> Result<usize> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let asked = asked.unwrap_or(processors);
    if !(1..=MAX_THREADS).contains(&asked) {
        return Err(ComputeError::BadSetting(format!(
            "{asked} threads: choose 1 to {MAX_THREADS}"
        )));
    }
    Ok(asked.min(processors.max(SPARE_THREADS)))
}

/// The processor as a device.
#[derive(Clone, Debug)]
pub struct CpuDevice {
    context: Arc<Context>,
}

impl CpuDevice {
    /// A device with its own threads.
    ///
    /// # Errors
    /// [`ComputeError::BadSetting`] for 0 threads or for an instruction set that is unknown or that this
    /// processor lacks.
    pub fn new(settings: CpuSettings) -> Result<Self> {
        let level = match (settings.level, std::env::var(LEVEL_VARIABLE)) {
            (Some(level), _) => level,
            (None, Ok(name)) => name.parse()?,
            (None, Err(_)) => Level::detect(),
        };
        let token = Token::new(level).ok_or_else(|| {
            ComputeError::BadSetting(format!(
                "this processor has no {level} instructions; leave the choice open, or take {}",
                Level::detect()
            ))
        })?;
        let threads = helpful_threads(settings.threads)?;
        let threads = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|index| format!("impasto-cpu-{index}"))
            .build()
            .map_err(|error| {
                ComputeError::BadSetting(format!("cannot start {threads} threads: {error}"))
            })?;
        Ok(Self {
            context: Arc::new(Context {
                level,
                token,
                precision: available(settings.precision, level),
                filters: settings.filters,
                threads,
                pool: Arc::default(),
            }),
        })
    }

    /// The instruction set in use.
    pub fn level(&self) -> Level {
        self.context.level
    }

    /// The accuracy of convolutions: what was asked for, or [`Precision::Standard`] instead of a
    /// [`Precision::Bf16`] that the processor does not have.
    pub fn precision(&self) -> Precision {
        self.context.precision
    }
}

impl Hardware for CpuDevice {
    fn name(&self) -> &str {
        "cpu"
    }

    fn describe(&self) -> String {
        let threads = self.context.threads.current_num_threads();
        let Context {
            level, precision, ..
        } = &*self.context;
        format!("cpu: {level}, {threads} threads, {precision}")
    }

    /// Not the number of threads.
    fn arithmetic(&self) -> Option<String> {
        let Context {
            level, precision, ..
        } = &*self.context;
        Some(format!("cpu: {level}, {precision}"))
    }

    fn upload(&self, values: &[f32], shape: &[usize]) -> Result<Tensor> {
        array::from_plain(&self.context, values, shape)
    }

    fn download(&self, tensor: &Tensor) -> Result<Vec<f32>> {
        array::to_plain("download", tensor)
    }
}

impl Networks for CpuDevice {
    fn network(&self, spec: &NetSpec) -> Result<Box<dyn Network>> {
        Ok(Box::new(network::CpuNetwork::new(
            Arc::clone(&self.context),
            spec.clone(),
        )?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(change: impl FnOnce(&mut CpuSettings)) -> Result<CpuDevice> {
        let mut settings = CpuSettings::default();
        change(&mut settings);
        CpuDevice::new(settings)
    }

    #[test]
    fn impossible_settings_are_refused() {
        assert!(with(|s| s.threads = Some(0)).is_err());
        assert!(with(|s| s.threads = Some(1 << 20)).is_err());
        let many = helpful_threads(Some(MAX_THREADS)).unwrap();
        assert_eq!(many, helpful_threads(Some(many)).unwrap());
        assert!(many >= helpful_threads(None).unwrap());
        for level in Level::ALL {
            let device = with(|s| s.level = Some(level));
            assert_eq!(device.is_ok(), level.is_available(), "{level}");
        }
    }

    #[test]
    fn the_description_names_what_matters() -> Result<()> {
        let device = with(|s| {
            s.threads = Some(2);
            s.level = Some(Level::Portable);
            s.precision = Precision::Strict;
        })?;
        assert_eq!(device.describe(), "cpu: portable, 2 threads, strict f32");
        Ok(())
    }
}
