//! A convolution, prepared: its bias in blocks, and its transformed filters for as long as they are worth keeping.

use super::filters::{Direction, Filters};
use super::simd::{LANES, Lanes};
use super::tile::{F2, F4};
use super::{Context, FilterCache, Precision};
use crate::{Conv3x3, Result};
use std::sync::{Arc, Mutex, PoisonError};

/// Pixels of an image from which on [`FilterCache::Auto`] keeps no transformed filters.
const CACHE_PIXELS: usize = 900 * 900;

/// One convolution of a network.
#[derive(Debug)]
pub(super) struct Convolution {
    pub(super) spec: Conv3x3,
    pub(super) bias: Vec<Lanes>,
    /// By direction, made when first needed.
    transformed: Mutex<[Option<Arc<Filters>>; 2]>,
}

impl Convolution {
    pub(super) fn new(spec: &Conv3x3) -> Self {
        let mut bias = vec![[0.0; LANES]; spec.out_channels.div_ceil(LANES)];
        for (channel, &value) in spec.bias.iter().enumerate() {
            bias[channel / LANES][channel % LANES] = value;
        }
        Self {
            spec: spec.clone(),
            bias,
            transformed: Mutex::default(),
        }
    }

    /// The transformed filters for an image of some pixels.
    pub(super) fn filters(
        &self,
        context: &Context,
        direction: Direction,
        pixels: usize,
    ) -> Result<Arc<Filters>> {
        let mut kept = self
            .transformed
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let keep = match context.filters {
            FilterCache::Always => true,
            FilterCache::Never => false,
            FilterCache::Auto => pixels <= CACHE_PIXELS,
        };
        if !keep {
            *kept = [None, None];
        }
        if let Some(filters) = &kept[direction as usize] {
            return Ok(Arc::clone(filters));
        }
        let filters = Arc::new(match context.precision {
            Precision::Strict => Filters::new::<2, 4, F2>(context, &self.spec, direction)?,
            Precision::Standard | Precision::Bf16 => {
                Filters::new::<4, 6, F4>(context, &self.spec, direction)?
            }
        });
        if keep {
            kept[direction as usize] = Some(Arc::clone(&filters));
        }
        Ok(filters)
    }
}
