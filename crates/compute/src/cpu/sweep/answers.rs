//! What is said about some rows of a map on the way back: by stages without a convolution, and by losses of features
//! that are shown part by part.

use super::backward::Back;
use super::look::features_of;
use crate::cpu::array::{into_blocked, put_blocked};
use crate::cpu::memory::Buffer;
use crate::cpu::mixing::{Matrix, Operand, Pixels};
use crate::cpu::pointwise::{self, PoolMemory};
use crate::cpu::simd::{LANES, Lanes};
use crate::cpu::strip::Strip;
use crate::plan::Operation;
use crate::{ComputeError, Part, PoolKind, Result, Tap, Window};
use rayon::prelude::*;
use std::ops::Range;

impl Back<'_, '_, '_, '_> {
    /// The gradient that a ReLU or a pool of its own behind a map hands back.
    pub(super) fn handed_back(
        &mut self,
        index: usize,
        rows: &Range<usize>,
    ) -> Result<Option<Buffer>> {
        let context = &self.sweep.network.context;
        let (strip, whole) = (self.strip(index), self.sweep.stages[index].keeps.whole);
        let (Some(next), Some(behind)) = (
            self.sweep.stages.get(index + 1),
            self.towards.get_mut(index + 1),
        ) else {
            return Ok(None);
        };
        match next.stage.operation {
            Operation::Conv { .. } | Operation::Read => Ok(None),
            // Nobody else reads the gradient behind, so it becomes this one.
            Operation::Relu if whole => {
                let mut gradient = behind.rows.take();
                if let (Some(rows), Some(mask)) = (&mut gradient, next.mask()) {
                    let map = (rows.buffer.lanes_mut(), rows.strip);
                    pointwise::mask(context, map, mask, 0..rows.strip.h);
                }
                Ok(gradient.map(|rows| rows.buffer))
            }
            Operation::Relu => {
                let gradient = self.towards[index + 1].map();
                let mut out = self.fresh(index)?;
                let place = |strip: Strip| Pixels {
                    stride: strip.pixels(),
                    start: strip.place(rows.start, 0),
                    count: rows.len() * strip.w,
                };
                let to = (out.lanes_mut(), place(strip));
                copy((gradient.0, place(gradient.1)), to);
                if let Some(mask) = next.mask() {
                    pointwise::mask(context, (out.lanes_mut(), strip), mask, rows.clone());
                }
                Ok(Some(out))
            }
            Operation::Pool(pool) => {
                let memory = match (pool.kind, next.mask()) {
                    (PoolKind::Max, Some(mask)) => PoolMemory::Max(mask),
                    (PoolKind::Average, _) | (PoolKind::Max, None) => PoolMemory::Average,
                    // The map was kept: such a pool does not run strip by strip.
                    (PoolKind::L2, _) => {
                        let (pooled, strip) = self.sweep.stages[index].map();
                        PoolMemory::L2(pooled, strip)
                    }
                };
                let gradient = self.towards[index + 1].map();
                let mut out = self.fresh(index)?;
                let to = (out.lanes_mut(), strip);
                pointwise::unpool(context, pool.factor, memory, gradient, to, rows.clone());
                Ok(Some(out))
            }
        }
    }

    /// What is said about the rows of features that are shown now: gradients in blocks, without gaps.
    pub(super) fn answers(&mut self, index: usize, rows: &Range<usize>) -> Result<Vec<Buffer>> {
        let network = self.sweep.network;
        let context = &network.context;
        let held = &self.sweep.stages[index];
        let (stage, w) = (&held.stage, held.stage.size.width);
        let mut said = Vec::new();
        for &tap in &self.towards[index].parts {
            let part = features_of(network, held, tap, rows.clone())?;
            let channels = stage.channels_at(&network.spec, tap);
            let shape = [channels, rows.len(), w];
            let features = put_blocked(context, part, shape)?;
            let place = Window {
                top: rows.start,
                height: rows.len(),
                ..Window::whole(stage.size)
            };
            let part = Part {
                tap,
                place,
                features: &features,
            };
            let Some(gradient) = (self.answer)(&part)? else {
                continue;
            };
            if gradient.shape() != shape {
                return Err(ComputeError::Shape {
                    what: "a gradient towards a part of features",
                    expected: shape.to_vec(),
                    got: gradient.shape().to_vec(),
                });
            }
            let gradient = into_blocked(context, "backward", gradient)?;
            said.push(match tap {
                Tap::Layer(_) => gradient,
                Tap::Head(head) => {
                    let head = &network.spec.heads[head];
                    let count = rows.len() * w;
                    let mut out = context.pool.take(held.blocks() * count * LANES)?;
                    let operand = Operand::Into {
                        x: gradient.lanes(),
                        out: out.lanes_mut(),
                    };
                    let matrix = Matrix::back_through_head(head, stage.channels);
                    matrix.apply(context, Pixels::all(count), operand)?;
                    out
                }
            });
        }
        Ok(said)
    }

    /// Adds some pixels of the gradient towards the features of a head to a sum, or begins it with them.
    pub(super) fn add_head(
        &self,
        sum: &mut Option<Buffer>,
        head: usize,
        (x, there): (&[Lanes], Pixels),
        own: Pixels,
        index: usize,
    ) -> Result<()> {
        let network = self.sweep.network;
        let channels = self.sweep.stages[index].stage.channels;
        let matrix = Matrix::back_through_head(&network.spec.heads[head], channels);
        match sum {
            Some(sum) => {
                let out = sum.lanes_mut();
                matrix.apply(&network.context, own, Operand::Onto { x, there, out })
            }
            none => {
                let out = none.insert(self.fresh(index)?).lanes_mut();
                let operand = Operand::Across {
                    x,
                    there,
                    out,
                    add: None,
                };
                matrix.apply(&network.context, own, operand)
            }
        }
    }

    /// Adds some pixels to a sum that is laid out as the gradient of a stage, or begins it with them.
    pub(super) fn add(
        &self,
        sum: &mut Option<Buffer>,
        part: (&[Lanes], Pixels),
        own: Pixels,
        index: usize,
    ) -> Result<()> {
        match sum {
            Some(sum) => {
                let blocks = sum.lanes_mut().chunks_exact_mut(own.stride);
                for (to, from) in blocks.zip(part.0.chunks_exact(part.1.stride)) {
                    let to = &mut to[own.start..own.start + own.count];
                    let from = &from[part.1.start..part.1.start + own.count];
                    pointwise::add(&self.sweep.network.context, from, to);
                }
            }
            none => {
                let mut fresh = self.fresh(index)?;
                copy(part, (fresh.lanes_mut(), own));
                *none = Some(fresh);
            }
        }
        Ok(())
    }
}

/// Copies some pixels of every block of channels.
pub(super) fn copy((from, there): (&[Lanes], Pixels), (to, here): (&mut [Lanes], Pixels)) {
    let blocks = from
        .par_chunks_exact(there.stride)
        .zip(to.par_chunks_exact_mut(here.stride));
    blocks.for_each(|(from, to)| {
        let from = &from[there.start..there.start + there.count];
        to[here.start..here.start + here.count].copy_from_slice(from);
    });
}

/// Zeros in some pixels of every block of channels.
pub(super) fn clear(map: &mut [Lanes], here: Pixels) {
    for block in map.chunks_exact_mut(here.stride) {
        block[here.start..here.start + here.count].fill([0.0; LANES]);
    }
}
