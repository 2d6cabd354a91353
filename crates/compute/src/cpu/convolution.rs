//! A convolution, prepared: its bias in blocks, and its transformed filters for as long as they are worth keeping.

use super::filters::{Direction, Filters};
use super::format::{Format, Half, Single};
use super::patches::Source;
use super::results::Target;
use super::simd::{LANES, Lanes};
use super::tile::{F2, F4, Tile};
use super::winograd::{self, Extent};
use super::{Context, FilterCache, Precision};
use crate::{ComputeError, Conv3x3, Result};
use std::sync::{Arc, Mutex, PoisonError};

/// Pixels of an image from which on [`FilterCache::Auto`] keeps no transformed filters.
const CACHE_PIXELS: usize = 900 * 900;

/// The error of a layer that is none.
pub(super) fn not_a_convolution(layer: usize) -> ComputeError {
    ComputeError::BadNetwork {
        layer,
        problem: "it is not a convolution".into(),
    }
}

/// One convolution of a network.
#[derive(Debug)]
pub(super) struct Convolution {
    pub(super) spec: Conv3x3,
    pub(super) bias: Vec<Lanes>,
    /// Transformed filters by direction, made when first needed, in the format of the device's precision.
    single: Cache<Single>,
    half: Cache<Half>,
}

type Cache<F> = Mutex<[Option<Arc<Filters<F>>>; 2]>;

impl Convolution {
    pub(super) fn new(spec: &Conv3x3) -> Self {
        let mut bias = vec![[0.0; LANES]; spec.out_channels.div_ceil(LANES)];
        for (channel, &value) in spec.bias.iter().enumerate() {
            bias[channel / LANES][channel % LANES] = value;
        }
        Self {
            spec: spec.clone(),
            bias,
            single: Mutex::default(),
            half: Mutex::default(),
        }
    }

    /// Drops transformed filters.
    pub(super) fn forget(&self) {
        *self.single.lock().unwrap_or_else(PoisonError::into_inner) = [None, None];
        *self.half.lock().unwrap_or_else(PoisonError::into_inner) = [None, None];
    }

    /// Whether transformed filters are kept for images of some pixels.
    pub(super) fn keeps_filters(context: &Context, pixels: usize) -> bool {
        match context.filters {
            FilterCache::Always => true,
            FilterCache::Never => false,
            FilterCache::Auto => pixels <= CACHE_PIXELS,
        }
    }

    /// Convolves, in the precision of the device; `pixels` are those of the image.
    pub(super) fn run(
        &self,
        context: &Context,
        direction: Direction,
        pixels: usize,
        source: Source<'_>,
        target: Target<'_>,
        extent: Extent,
    ) -> Result<()> {
        let job = Job {
            context,
            direction,
            pixels,
            source,
            target,
            extent,
        };
        match context.precision {
            Precision::Strict => self.run_as::<2, 4, F2, Single>(&self.single, job),
            Precision::Standard => self.run_as::<4, 6, F4, Single>(&self.single, job),
            Precision::Bf16 => self.run_as::<4, 6, F4, Half>(&self.half, job),
        }
    }

    fn run_as<const M: usize, const A: usize, W: Tile<M, A>, F: Format>(
        &self,
        cache: &Cache<F>,
        job: Job<'_>,
    ) -> Result<()> {
        let filters = self.filters::<M, A, W, F>(cache, &job)?;
        let convolution = winograd::Convolution {
            context: job.context,
            filters: &filters,
            source: job.source,
            target: job.target,
            extent: job.extent,
        };
        convolution.run::<M, A, W>()
    }

    /// The transformed filters.
    fn filters<const M: usize, const A: usize, W: Tile<M, A>, F: Format>(
        &self,
        cache: &Cache<F>,
        job: &Job<'_>,
    ) -> Result<Arc<Filters<F>>> {
        let mut kept = cache.lock().unwrap_or_else(PoisonError::into_inner);
        let keep = Self::keeps_filters(job.context, job.pixels);
        if !keep {
            *kept = [None, None];
        }
        if let Some(filters) = &kept[job.direction as usize] {
            return Ok(Arc::clone(filters));
        }
        let filters = Arc::new(Filters::new::<M, A, W>(
            job.context,
            &self.spec,
            job.direction,
        )?);
        if keep {
            kept[job.direction as usize] = Some(Arc::clone(&filters));
        }
        Ok(filters)
    }
}

/// What to convolve, and how.
struct Job<'a> {
    context: &'a Context,
    direction: Direction,
    pixels: usize,
    source: Source<'a>,
    target: Target<'a>,
    extent: Extent,
}
