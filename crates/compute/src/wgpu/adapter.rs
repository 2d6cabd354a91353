//! Which adapters there are, and opening one.

use super::GpuSettings;
use super::bounds::Bounds;
use super::context::{Context, Gpu};
use super::cooperative::{self, Matrices};
use super::fault::now;
use super::tuning::{Precision, Tuning};
use crate::{ComputeError, Result};

/// Per cent of an adapter's memory beyond which nothing is allocated any more.
const MEMORY_PER_CENT: u8 = 95;

/// What an adapter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AdapterKind {
    /// A graphics card of its own.
    Discrete,
    /// Part of the processor.
    Integrated,
    /// Lent by a host to a virtual machine, or of a kind that the driver does not tell.
    Virtual,
    /// No hardware: the processor plays one.
    Software,
}

/// An adapter that the system offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdapterInfo {
    /// By which it is chosen.
    pub index: usize,
    /// As its driver calls it.
    pub name: String,
    /// The graphics interface, such as `Vulkan`.
    pub backend: String,
    /// Driver and its version; may be empty.
    pub driver: String,
    /// What it is.
    pub kind: AdapterKind,
    /// Whether it has 16-bit floats.
    pub half: bool,
    /// Rows of the small matrices of such floats that it multiplies as one, if it does, and if this program can use it.
    pub matrices: Option<u32>,
    /// Bytes of its memory, where its driver tells; of anything but a discrete card that is the system's.
    pub memory: Option<u64>,
    /// What it can take.
    pub bounds: Bounds,
}

/// The adapters of this system, in the order of the system. None, where there is no driver.
pub fn adapters() -> Vec<AdapterInfo> {
    let all = all().into_iter().enumerate();
    all.map(|(index, adapter)| info(index, &adapter)).collect()
}

fn all() -> Vec<wgpu::Adapter> {
    if wgpu::Instance::enabled_backend_features().is_empty() {
        return Vec::new();
    }
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends: wgpu::Backends::PRIMARY,
        flags: wgpu::InstanceFlags::empty(),
        memory_budget_thresholds: wgpu::MemoryBudgetThresholds {
            for_resource_creation: Some(MEMORY_PER_CENT),
            for_device_loss: None,
        },
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    });
    let adapters = now(instance.enumerate_adapters(wgpu::Backends::PRIMARY)).unwrap_or_default();
    let computes = |adapter: &wgpu::Adapter| {
        let flags = adapter.get_downlevel_capabilities().flags;
        flags.contains(wgpu::DownlevelFlags::COMPUTE_SHADERS)
    };
    adapters.into_iter().filter(computes).collect()
}

fn info(index: usize, adapter: &wgpu::Adapter) -> AdapterInfo {
    let info = adapter.get_info();
    AdapterInfo {
        index,
        name: info.name,
        backend: format!("{:?}", info.backend),
        driver: format!("{} {}", info.driver, info.driver_info)
            .trim()
            .to_string(),
        kind: match info.device_type {
            wgpu::DeviceType::DiscreteGpu => AdapterKind::Discrete,
            wgpu::DeviceType::IntegratedGpu => AdapterKind::Integrated,
            wgpu::DeviceType::VirtualGpu | wgpu::DeviceType::Other => AdapterKind::Virtual,
            wgpu::DeviceType::Cpu => AdapterKind::Software,
        },
        half: adapter.features().contains(HALF),
        matrices: matrices(adapter).map(|matrices| matrices.size),
        memory: memory(adapter),
        bounds: Bounds::of(&adapter.limits()),
    }
}

/// What numbers of 16 bits need.
const HALF: wgpu::Features = wgpu::Features::SHADER_F16;
/// What products of small matrices need beyond.
const MATRICES: wgpu::Features =
    wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX.union(wgpu::Features::SUBGROUP);

/// The small matrices of f16, summed in f32, that an adapter multiplies.
fn matrices(adapter: &wgpu::Adapter) -> Option<Matrices> {
    use wgpu::CooperativeScalarType::{F16, F32};
    let info = adapter.get_info();
    // Who is which part of a workgroup must be known beforehand.
    let fixed = info.subgroup_min_size == info.subgroup_max_size;
    if !fixed || !adapter.features().contains(HALF.union(MATRICES)) {
        return None;
    }
    let offered = adapter.cooperative_matrix_properties();
    let offers = |size: u32| {
        let sides = |p: &wgpu::CooperativeMatrixProperties| [p.m_size, p.n_size, p.k_size];
        let mut fitting = offered.iter().filter(|p| sides(p) == [size; 3]);
        fitting.any(|p| p.ab_type == F16 && p.cr_type == F32)
    };
    let all = cooperative::SIZES.into_iter().filter(|&size| offers(size));
    let mut all = all.map(|size| Matrices {
        size,
        subgroup: info.subgroup_max_size,
    });
    let bounds = Bounds::of(&adapter.limits());
    all.find(|&matrices| cooperative::fits(matrices, &bounds))
}

/// Bytes of the largest memory that is near the adapter, where its driver is one for Vulkan.
#[cfg(not(any(target_family = "wasm", target_vendor = "apple")))]
fn memory(adapter: &wgpu::Adapter) -> Option<u64> {
    // SAFETY: the handles are asked for a constant and live as long as the guard; nothing is created, changed or
    // destroyed through them.
    let properties = unsafe {
        let adapter = adapter.as_hal::<wgpu::hal::api::Vulkan>()?;
        let instance = adapter.shared_instance().raw_instance();
        instance.get_physical_device_memory_properties(adapter.raw_physical_device())
    };
    let heaps = properties.memory_heaps.iter();
    let heaps = heaps.take(properties.memory_heap_count as usize);
    let near = heaps.filter(|heap| heap.flags.as_raw() & 1 != 0);
    near.map(|heap| heap.size).max()
}

#[cfg(any(target_family = "wasm", target_vendor = "apple"))]
fn memory(_: &wgpu::Adapter) -> Option<u64> {
    None
}

/// Which adapter is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AdapterChoice {
    /// The best that is hardware.
    #[default]
    Best,
    /// The best, even if it is software. For tests.
    BestOrSoftware,
    /// That of this index.
    Index(usize),
}

/// Opens an adapter.
pub(super) fn open(settings: &GpuSettings) -> Result<(Context, AdapterInfo)> {
    let choice = settings.adapter;
    let mut adapters = all();
    let infos: Vec<AdapterInfo> = (0..).zip(&adapters).map(|(k, a)| info(k, a)).collect();
    let best = || infos.iter().min_by_key(|info| info.kind);
    let found = match choice {
        AdapterChoice::Index(index) => infos.get(index),
        AdapterChoice::BestOrSoftware => best(),
        AdapterChoice::Best => best().filter(|info| info.kind != AdapterKind::Software),
    };
    let Some(found) = found.cloned() else {
        return Err(none(choice, &infos));
    };
    let adapter = adapters.swap_remove(found.index);
    let refused = |problem: String| ComputeError::Unavailable {
        device: format!("gpu:{} ({})", found.index, found.name),
        problem,
    };
    let matrices = matrices(&adapter).filter(|_| settings.precision != Precision::Standard);
    let lacks = |what: &str| {
        refused(format!(
            "its driver offers no {what} (on Vulkan: shaderFloat16 and 16-bit storage): compute in f32, or try a newer driver"
        ))
    };
    let mut features = wgpu::Features::empty();
    if settings.precision != Precision::Standard {
        features = HALF;
        if !found.half {
            return Err(lacks("16-bit floats"));
        }
    }
    if settings.precision == Precision::Matrices && matrices.is_none() {
        return Err(lacks("products of small matrices of 16-bit floats"));
    }
    let experimental_features = match matrices {
        None => wgpu::ExperimentalFeatures::disabled(),
        Some(_) => {
            features |= MATRICES;
            // SAFETY: what is experimental may have bugs that safe calls run into. It is only asked for together with half
            // precision, the only kernels that use it are this crate's, of shapes that the adapter says it has, all
            // indices within what they load and store, and their results are held against those of plain kernels before
            // they are used.
            unsafe { wgpu::ExperimentalFeatures::enabled() }
        }
    };
    let opened = now(adapter.request_device(&wgpu::DeviceDescriptor {
        label: None,
        required_features: features,
        required_limits: adapter.limits(),
        experimental_features,
        memory_hints: wgpu::MemoryHints::MemoryUsage,
        trace: wgpu::Trace::Off,
    }));
    let (device, queue) = match opened {
        Some(Ok(opened)) => opened,
        Some(Err(error)) => return Err(refused(format!("its driver refuses: {error}"))),
        None => return Err(refused("a browser has to open it".into())),
    };
    let mut real = Bounds::of(&device.limits());
    if let (AdapterKind::Discrete, Some(memory)) = (found.kind, found.memory) {
        real.memory = memory / 100 * u64::from(MEMORY_PER_CENT);
    }
    let bounds = settings.bounds.map_or(real, |wanted| wanted.and(real));
    let driver = format!("{} {} {}", found.name, found.backend, found.driver);
    let precision = settings.precision;
    let tuning = Tuning::new(&settings.convolutions, precision, matrices, &driver);
    let context = Context::new(Some(Gpu::new(device, queue)), "gpu", bounds, tuning)?;
    Ok((context, found))
}

/// Why there is no such adapter, and what to do.
fn none(choice: AdapterChoice, infos: &[AdapterInfo]) -> ComputeError {
    let (device, problem) = match choice {
        AdapterChoice::Index(index) if !infos.is_empty() => (
            format!("gpu:{index}"),
            format!("there are adapters 0 to {} only", infos.len() - 1),
        ),
        _ if infos.is_empty() => (
            "gpu".into(),
            "there is no driver for it: install that of the card with its Vulkan part (on Linux the loader \
             libvulkan.so.1 and an ICD file too), or compute on the cpu"
                .into(),
        ),
        _ => (
            "gpu".into(),
            format!(
                "there is only {}, which is software and slower than the cpu device; name it as gpu:{} to take it \
                 nevertheless",
                infos[0].name, infos[0].index
            ),
        ),
    };
    ComputeError::Unavailable { device, problem }
}
