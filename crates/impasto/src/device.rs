//! Which device does the work.
//!
//! The GPU is there in builds with the feature `gpu`; without it, asking for one is an error that says so. A GPU that nobody
//! asked for is taken only if it is hardware and computes right ([`Kind::Auto`]).
//!
//! Numbers of 16 bits have another format on each: processors multiply bfloat16, which reaches far and has eight bits, graphics
//! cards f16, which has eleven and is scaled. So each has a name of its own, and asking a device for the other's is an error.

use crate::named::Named;
use impasto_compute::cpu::{self, CpuDevice, CpuSettings};
use impasto_compute::reference::ReferenceDevice;
use impasto_compute::{ComputeError, Device, Result};
use std::path::Path;

/// The devices, by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A GPU if there is a real one that passes its self-test, else the CPU.
    #[default]
    Auto,
    /// The CPU, in vector instructions on all its cores.
    Cpu,
    /// A GPU: the best one that is hardware, or that of an index of [`gpus`], be it software.
    Gpu(Option<usize>),
    /// Naive loops in f64: slow, and right.
    Reference,
}

impl Named for Kind {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("auto", Kind::Auto),
        ("cpu", Kind::Cpu),
        ("gpu", Kind::Gpu(None)),
        ("reference", Kind::Reference),
    ];

    /// As for all settings, and `gpu:N`.
    fn from_name(text: &str) -> std::result::Result<Self, String> {
        if let Some(index) = text.strip_prefix("gpu:") {
            return match index.parse() {
                Ok(index) => Ok(Kind::Gpu(Some(index))),
                Err(_) => Err("a GPU is named by its number, as gpu:0".into()),
            };
        }
        match Self::NAMES.iter().find(|(name, _)| *name == text) {
            Some((_, value)) => Ok(*value),
            None => Err(format!(
                "{text:?} is none of auto, cpu, gpu, gpu:N, reference"
            )),
        }
    }
}

/// What is traded for speed in convolutions. Everything else is in f32, sums of their products too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    /// f32, by the more exact of the CPU's two filterings. The CPU's alone.
    Strict,
    /// f32.
    #[default]
    Standard,
    /// Products of bfloat16 numbers, where the processor has them, else f32. The CPU's alone.
    Bf16,
    /// Products of f16 numbers, where that is faster. The GPU's alone.
    F16,
}

impl Named for Precision {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("strict", Precision::Strict),
        ("f32", Precision::Standard),
        ("bf16", Precision::Bf16),
        ("f16", Precision::F16),
    ];
}

impl Precision {
    /// The same for the CPU.
    ///
    /// # Errors
    /// [`ComputeError::Unavailable`] for what is the GPU's.
    pub fn for_cpu(self) -> Result<cpu::Precision> {
        Ok(match self {
            Precision::Strict => cpu::Precision::Strict,
            Precision::Standard => cpu::Precision::Standard,
            Precision::Bf16 => cpu::Precision::Bf16,
            Precision::F16 => {
                return Err(ComputeError::Unavailable {
                    device: "cpu".into(),
                    problem: "f16 products are the gpu's: choose bf16 here, or a gpu".into(),
                });
            }
        })
    }
}

/// A device and how it is to work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Which one.
    pub kind: Kind,
    /// Threads of a CPU device; `None` takes as many as there are processors.
    pub threads: Option<usize>,
    /// Accuracy of convolutions.
    pub precision: Precision,
}

/// Opens a device.
///
/// # Errors
/// A setting that this machine cannot follow; [`ComputeError::Unavailable`] for a GPU that is not there.
pub fn open(choice: &Choice) -> Result<Box<dyn Device>> {
    open_tuned(choice, None)
}

/// Opens a device as [`open`] does. A GPU measures which way to compute each shape of convolution is the faster one, and
/// keeps that in a folder of caches, if there is one; without one it does not measure.
///
/// # Errors
/// As [`open`].
pub fn open_tuned(choice: &Choice, cache: Option<&Path>) -> Result<Box<dyn Device>> {
    match choice.kind {
        Kind::Auto => auto(choice, cache),
        Kind::Cpu => Ok(Box::new(cpu(choice)?)),
        Kind::Gpu(index) => gpu::open(index, choice.precision, cache),
        Kind::Reference => Ok(Box::new(ReferenceDevice::new())),
    }
}

fn cpu(choice: &Choice) -> Result<CpuDevice> {
    CpuDevice::new(CpuSettings {
        threads: choice.threads,
        precision: choice.precision.for_cpu()?,
        ..CpuSettings::default()
    })
}

/// Sets the threads of everything that is done beside a device, in this whole process: pictures are decoded, resized and
/// written on them. `None` for one per processor. To be called once, before anything else; a program that has set rayon's
/// own pool keeps that.
///
/// # Errors
/// [`ComputeError::BadSetting`] for a number that cannot be, or if the system starts no more threads.
pub fn set_host_threads(threads: Option<usize>) -> Result<()> {
    let threads = cpu::helpful_threads(threads)?;
    let built = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|index| format!("impasto-host-{index}"))
        .build_global();
    match built {
        Err(error) if std::error::Error::source(&error).is_some() => Err(ComputeError::BadSetting(
            format!("cannot start {threads} threads: {error}"),
        )),
        // Somebody else was first.
        _ => Ok(()),
    }
}

/// A GPU that works, else the CPU. What only one of them can do is a choice for it.
fn auto(choice: &Choice, cache: Option<&Path>) -> Result<Box<dyn Device>> {
    if choice.precision == Precision::F16 {
        return gpu::trusted(
            &CpuDevice::new(CpuSettings::default())?,
            choice.precision,
            cache,
        );
    }
    let cpu = cpu(choice)?;
    if choice.threads.is_some() || choice.precision != Precision::default() {
        return Ok(Box::new(cpu));
    }
    match gpu::trusted(&cpu, choice.precision, cache) {
        Ok(gpu) => Ok(gpu),
        Err(error @ ComputeError::Unavailable { .. }) => {
            log::info!("no gpu is taken: {error}");
            Ok(Box::new(cpu))
        }
        Err(error) => {
            log::warn!("the gpu is not used: {error}");
            Ok(Box::new(cpu))
        }
    }
}

/// A GPU of this machine, as [`gpus`] lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gpu {
    /// By which it is chosen: [`Kind::Gpu`].
    pub index: usize,
    /// As its driver calls it.
    pub name: String,
    /// What it is in a word, and the graphics interface: `discrete, Vulkan`.
    pub kind: String,
    /// Whether the processor plays it.
    pub software: bool,
    /// Driver and its version; may be empty.
    pub driver: String,
    /// Whether it has 16-bit floats: [`Precision::F16`].
    pub half: bool,
    /// Rows of the small matrices of such floats that it multiplies in units for them, if it does and this program can use it.
    pub matrices: Option<u32>,
    /// Bytes of its memory, where its driver tells; all but discrete cards share that of the system.
    pub memory: Option<u64>,
    /// Bytes of its largest buffer. Larger maps lie in several.
    pub largest_buffer: u64,
}

/// The GPUs of this machine; none in a build without them.
///
/// # Errors
/// [`ComputeError::Unavailable`] in a build without them.
pub fn gpus() -> Result<Vec<Gpu>> {
    gpu::list()
}

#[cfg(feature = "gpu")]
mod gpu {
    use super::{Gpu, Precision};
    use impasto_compute::wgpu::{
        self, AdapterChoice, AdapterKind, Convolutions, GpuDevice, GpuSettings, adapters,
    };
    use impasto_compute::{ComputeError, Device, Result};
    use std::path::Path;

    fn device(
        adapter: AdapterChoice,
        precision: Precision,
        convolutions: Convolutions,
    ) -> Result<GpuDevice> {
        let precision = match precision {
            Precision::Standard => wgpu::Precision::Standard,
            Precision::F16 => wgpu::Precision::Half,
            Precision::Strict | Precision::Bf16 => {
                return Err(ComputeError::Unavailable {
                    device: "gpu".into(),
                    problem:
                        "strict and bf16 products are the cpu's: choose f32 or f16 here, or the cpu"
                            .into(),
                });
            }
        };
        GpuDevice::new(GpuSettings {
            adapter,
            convolutions,
            precision,
            ..GpuSettings::default()
        })
    }

    /// What is measured is kept; where that is not possible, nothing is measured.
    fn measured(cache: Option<&Path>) -> Convolutions {
        let folder = cache.map(|cache| cache.join("tuning"));
        folder.map_or(Convolutions::Direct, Convolutions::Measured)
    }

    pub(super) fn open(
        index: Option<usize>,
        precision: Precision,
        cache: Option<&Path>,
    ) -> Result<Box<dyn Device>> {
        let named = index.and_then(|index| adapters().into_iter().nth(index));
        let choice = index.map_or(AdapterChoice::Best, AdapterChoice::Index);
        match named.filter(|adapter| adapter.kind == AdapterKind::Software) {
            None => Ok(Box::new(device(choice, precision, measured(cache))?)),
            Some(adapter) => {
                log::warn!(
                    "{} is software: the cpu device is faster, and computes the same",
                    adapter.name
                );
                // Measuring would take longer than it saves, and here fewer products are always faster.
                Ok(Box::new(device(choice, precision, Convolutions::Winograd)?))
            }
        }
    }

    /// The best GPU that is hardware, if it computes what another device computes.
    pub(super) fn trusted(
        other: &dyn Device,
        precision: Precision,
        cache: Option<&Path>,
    ) -> Result<Box<dyn Device>> {
        let device = device(AdapterChoice::Best, precision, measured(cache))?;
        device.self_test(other)?;
        Ok(Box::new(device))
    }

    pub(super) fn list() -> Result<Vec<Gpu>> {
        let all = adapters().into_iter();
        Ok(all
            .map(|adapter| {
                let kind = match adapter.kind {
                    AdapterKind::Discrete => "discrete",
                    AdapterKind::Integrated => "integrated",
                    AdapterKind::Virtual => "virtual or unknown",
                    AdapterKind::Software => "software",
                };
                Gpu {
                    index: adapter.index,
                    name: adapter.name,
                    kind: format!("{kind}, {}", adapter.backend),
                    software: adapter.kind == AdapterKind::Software,
                    driver: adapter.driver,
                    half: adapter.half,
                    matrices: adapter.matrices,
                    memory: adapter.memory,
                    largest_buffer: adapter.bounds.buffer,
                }
            })
            .collect())
    }
}

#[cfg(not(feature = "gpu"))]
mod gpu {
    use super::{Gpu, Precision};
    use impasto_compute::{ComputeError, Device, Result};
    use std::path::Path;

    fn none<T>() -> Result<T> {
        Err(ComputeError::Unavailable {
            device: "gpu".into(),
            problem: "this program was built without it; build it with the feature gpu, or compute on the cpu"
                .into(),
        })
    }

    pub(super) fn open(
        _: Option<usize>,
        _: Precision,
        _: Option<&Path>,
    ) -> Result<Box<dyn Device>> {
        none()
    }

    pub(super) fn trusted(
        _: &dyn Device,
        _: Precision,
        _: Option<&Path>,
    ) -> Result<Box<dyn Device>> {
        none()
    }

    pub(super) fn list() -> Result<Vec<Gpu>> {
        none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gpus_are_named_by_number() {
        assert_eq!(Kind::from_name("gpu:3"), Ok(Kind::Gpu(Some(3))));
        assert_eq!(Kind::from_name("gpu"), Ok(Kind::Gpu(None)));
        assert_eq!(Kind::from_name("cpu"), Ok(Kind::Cpu));
        for wrong in ["gpu:", "gpu:x", "gpu:-1", "cuda"] {
            assert!(Kind::from_name(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_not_there_is_refused_with_advice() {
        let choice = Choice {
            kind: Kind::Gpu(Some(999)),
            ..Choice::default()
        };
        let told = open(&choice).map(|device| device.describe());
        assert!(
            matches!(told, Err(ComputeError::Unavailable { .. })),
            "{told:?}"
        );
    }

    /// Each format is asked of the device that has it, and what is said otherwise helps.
    #[test]
    fn formats_of_the_other_device_are_refused() {
        let refused = |kind, precision| {
            let choice = Choice {
                kind,
                precision,
                ..Choice::default()
            };
            match open(&choice) {
                Err(ComputeError::Unavailable { device, problem }) => (device, problem),
                other => panic!("{:?}", other.map(|device| device.describe())),
            }
        };
        let (device, problem) = refused(Kind::Cpu, Precision::F16);
        assert!(device == "cpu" && problem.contains("bf16"), "{problem}");
        for precision in [Precision::Bf16, Precision::Strict] {
            let (device, problem) = refused(Kind::Gpu(None), precision);
            let built = !cfg!(feature = "gpu") || problem.contains("f16");
            assert!(device == "gpu" && built, "{problem}");
        }
    }

    #[test]
    fn auto_takes_no_software() -> Result<()> {
        assert!(!open(&Choice::default())?.describe().contains("software"));
        Ok(())
    }
}
