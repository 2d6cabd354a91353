//! The way back: gradients, row by row.
//!
//! The gradient towards the rows of a map is the sum of what losses say about them and of what the convolution behind
//! hands back, which takes rows of the gradient towards its own map. So rows of the image's gradient are asked for,
//! from the top, and every stage asks the one behind it; and of maps and bits that were not kept, those rows are made
//! again that are needed now.

use super::{OVERLAP, ROW_STEP, Sweep, features_of, first_rows};
use crate::cpu::array::{into_blocked, put_blocked};
use crate::cpu::first::{self, Bordered};
use crate::cpu::memory::Buffer;
use crate::cpu::mixing::{Matrix, Operand, Pixels};
use crate::cpu::moments;
use crate::cpu::network::{Gradient, Return};
use crate::cpu::plan::{Behind, Operation};
use crate::cpu::pointwise::{self, PoolMemory};
use crate::cpu::results::{Bits, Mask};
use crate::cpu::shared::Shared;
use crate::cpu::simd::{LANES, Lanes};
use crate::cpu::strip::Strip;
use crate::cpu::sweep::rows::Rows;
use crate::cpu::tape::Said;
use crate::cpu::window::clear_around;
use crate::cpu::winograd::Extent;
use crate::{Answer, ComputeError, Part, PoolKind, Result, Tap, Window};
use rayon::prelude::*;
use std::ops::Range;

/// What is known of the way back before it begins.
pub(in crate::cpu) struct Known<'k, 'a> {
    /// The gradient towards the map behind the last stage of the sweep, if stages follow on it.
    pub(in crate::cpu) behind: Option<Buffer>,
    /// What losses say about each stage's map, and where its moments were taken.
    pub(in crate::cpu) said: Vec<(Said, Window)>,
    /// Taps whose features are shown part by part, by stage.
    pub(in crate::cpu) parts: Vec<Vec<Tap>>,
    /// Who looks at them.
    pub(in crate::cpu) answer: &'k mut Answer<'a>,
}

/// The gradient towards one map, some rows of which are in memory.
struct Towards {
    rows: Rows<f32>,
    computed: usize,
    /// From the map to the gradient of its moments, if they have one.
    matrix: Option<Matrix>,
    window: Window,
    parts: Vec<Tap>,
    /// Gradients towards the features as a whole.
    features: Vec<Buffer>,
}

/// A way back.
struct Back<'s, 'n, 'k, 'a> {
    sweep: &'s mut Sweep<'n>,
    /// By stage.
    towards: Vec<Towards>,
    /// Whether the last gradient is there as a whole.
    given: bool,
    answer: &'k mut Answer<'a>,
}

impl Sweep<'_> {
    /// The gradient towards the image, `[3, h, w]`.
    pub(in crate::cpu) fn backward(&mut self, known: Known<'_, '_>) -> Result<Buffer> {
        let Known {
            behind,
            said,
            parts,
            answer,
        } = known;
        let network = self.network;
        let context = &network.context;
        let given = behind.is_some();
        let mut towards = Vec::with_capacity(self.rungs.len());
        let mut behind = behind;
        let last = self.rungs.len() - 1;
        for (index, ((said, window), parts)) in said.into_iter().zip(parts).enumerate() {
            let rung = &self.rungs[index];
            let size = rung.size;
            let (rows, computed) = match behind.take_if(|_| index == last) {
                Some(buffer) => (Rows::whole(buffer, (rung.blocks(), LANES), size), size.0),
                None => {
                    let room = rung.step + OVERLAP;
                    let rows = Rows::new(context, (rung.blocks(), LANES), size, room)?;
                    (rows, 0)
                }
            };
            let matrix = match &said.moments {
                Some(towards) => Some(moments::gradient_matrix(context, towards, window.pixels())?),
                None => None,
            };
            let mut features = said.features;
            for (head, gradient) in said.heads {
                let head = &network.spec.heads[head];
                let pixels = size.0 * size.1;
                let mut out = context.pool.take(rung.blocks() * pixels * LANES)?;
                let operand = Operand::Into {
                    x: gradient.lanes(),
                    out: out.lanes_mut(),
                };
                let matrix = Matrix::back_through_head(head, rung.channels);
                matrix.apply(context, Pixels::all(pixels), operand)?;
                features.push(out);
            }
            towards.push(Towards {
                rows,
                computed,
                matrix,
                window,
                parts,
                features,
            });
        }
        let (h, w) = self.rungs[0].before;
        let padding = network.convolution(0)?.spec.padding;
        let (filters, norm, step) = (network.first()?, network.norm()?, self.rungs[0].step);
        let mut back = Back {
            sweep: self,
            towards,
            given,
            answer,
        };
        let mut out = context.pool.take(3 * h * w)?;
        // With a border, from whose start its rows are counted: row `p` needs rows `p − 2` to `p` of the first map.
        let mut bordered = Rows::new(context, (3, 1), (h + 2, w + 2), step + OVERLAP)?;
        let mut top = Vec::with_capacity(3 * (w + 2));
        let (mut done, mut finished) = (0, 0);
        while done < h + 2 {
            let end = (done + step).min(h);
            back.pull(0, end, done)?;
            let next = if end < h { end } else { h + 2 };
            bordered.slide(context, finished + 1, next)?;
            let rows = &back.towards[0].rows;
            let to = (&mut bordered.buffer[..], bordered.strip);
            first::backward(
                context,
                filters,
                rows.buffer.lanes(),
                rows.strip,
                done..next,
                to,
            );
            bordered.extend(next);
            if done == 0 {
                let planes = bordered.buffer.chunks_exact(bordered.strip.pixels());
                planes.for_each(|plane| top.extend_from_slice(&plane[..w + 2]));
            }
            let complete = first::complete(padding, next, h);
            let with_border = Bordered {
                values: &bordered.buffer,
                strip: bordered.strip,
                top: &top,
            };
            first::unprepare(
                &with_border,
                norm,
                padding,
                (h, w),
                finished..complete,
                &mut out,
            );
            (done, finished) = (next, complete);
        }
        Ok(out)
    }
}

impl Back<'_, '_, '_, '_> {
    /// Makes rows of the gradient towards the map of a stage until there are so many. Who asks reads it from two rows
    /// above row `read` on.
    fn pull(&mut self, index: usize, rows: usize, read: usize) -> Result<()> {
        loop {
            let (done, h) = (self.towards[index].computed, self.sweep.rungs[index].size.0);
            if done >= rows.min(h) {
                return Ok(());
            }
            let rung = &self.sweep.rungs[index];
            let step = rung.made(rung.step).max(ROW_STEP);
            let end = rows.min(done + step).next_multiple_of(ROW_STEP).min(h);
            self.make(index, done..end, read.saturating_sub(2))?;
        }
    }

    /// Makes some rows of the gradient towards the map of a stage.
    fn make(&mut self, index: usize, rows: Range<usize>, keep: usize) -> Result<()> {
        let network = self.sweep.network;
        let context = &network.context;
        let (h, w) = self.sweep.rungs[index].size;
        // What lies behind, as far as it is read.
        let next = self
            .sweep
            .rungs
            .get(index + 1)
            .map(|next| next.stage.operation);
        if let Some(operation) = next {
            let there = self.sweep.rungs[index + 1].size.0;
            let need = match operation {
                Operation::Conv {
                    behind: Behind::ReluPool { .. },
                    ..
                } => rows.end / 2 + 1,
                Operation::Conv { .. } => rows.end + 1,
                Operation::Pool(_) => rows.end.div_ceil(2),
                Operation::Relu | Operation::Read => rows.end,
            };
            let read = match operation {
                Operation::Pool(_)
                | Operation::Conv {
                    behind: Behind::ReluPool { .. },
                    ..
                } => rows.start / 2,
                _ => rows.start,
            };
            self.pull(index + 1, there.min(need), read)?;
            self.again(index + 1, there.min(need), Needs::Bits)?;
        }
        let at_once = self.at_once(index);
        if !at_once {
            let needs = match self.looks(index) {
                true => Needs::Map,
                false => Needs::Bits,
            };
            self.again(index, rows.end, needs)?;
        }
        self.towards[index].rows.slide(context, keep, rows.end)?;
        // What losses say, and what a stage without a convolution hands back.
        let strip = self.towards[index].rows.strip;
        let own = Pixels {
            stride: strip.pixels(),
            start: strip.place(rows.start, 0),
            count: rows.len() * w,
        };
        let mut sum = self.handed_back(index, &rows, strip)?;
        for part in self.answers(index, &rows)? {
            let part = (part.lanes(), Pixels::all(own.count));
            self.add(&mut sum, part, own, index)?;
        }
        for whole in std::mem::take(&mut self.towards[index].features) {
            let there = Pixels {
                stride: h * w,
                start: rows.start * w,
                count: own.count,
            };
            self.add(&mut sum, (whole.lanes(), there), own, index)?;
            self.towards[index].features.push(whole);
        }
        let rung = &self.sweep.rungs[index];
        let here = &mut self.towards[index];
        let map = here.rows.buffer.lanes_mut();
        let mut fresh_bits = None;
        if at_once {
            let bits = match rung.keeps.bits || rung.per_pixel == 0 {
                true => None,
                false => {
                    let shape = (rung.blocks(), rung.per_pixel);
                    let mut fresh = Rows::new(context, shape, (h, w), rows.len())?;
                    fresh.strip.first = rows.start;
                    fresh.strip.rows = rows.len();
                    Some(fresh_bits.insert(fresh))
                }
            };
            if bits.is_some() || here.matrix.is_some() {
                let bits = bits.map(|rows| Bits {
                    words: Shared::new(&mut rows.buffer),
                    strip: rows.strip,
                });
                let (ground, size) = (&self.sweep.ground, self.sweep.size);
                let relu = rung.per_pixel > 0;
                let out = (&mut *map, strip);
                first_rows(network, ground, size, out, relu, bits, rows.clone())?;
            }
        }
        let add = sum.as_ref().map(|sum| sum.lanes());
        if let Some(matrix) = &here.matrix {
            let (from, place) = rung.map();
            let operand = match at_once {
                true => Operand::InPlace { map, add },
                false => Operand::Across {
                    x: from,
                    there: Pixels {
                        stride: place.pixels(),
                        start: place.place(rows.start, 0),
                        count: own.count,
                    },
                    out: map,
                    add,
                },
            };
            matrix.apply(context, own, operand)?;
            if here.window != Window::whole(h, w) {
                let map = here.rows.buffer.lanes_mut();
                let fresh = (rows.start, rows.len());
                clear_around(map, add, (own.stride, own.start), fresh, w, &here.window);
            }
        } else if let Some(add) = add {
            copy((add, own), (map, own));
        }
        let accumulate = here.matrix.is_some() || add.is_some();
        drop(sum);
        // What the convolution behind hands back, on top.
        let (mine, behind) = self.towards.split_at_mut(index + 1);
        let here = &mut mine[index];
        let mask = match rung.stage.operation {
            Operation::Conv {
                behind: Behind::Relu,
                ..
            } => match &fresh_bits {
                Some(fresh) => Some(Mask {
                    words: &fresh.buffer,
                    strip: fresh.strip,
                }),
                None => rung.mask(),
            },
            _ => None,
        };
        match (next, behind.first()) {
            (Some(Operation::Conv { .. }), Some(behind)) => {
                let next = &self.sweep.rungs[index + 1];
                let back = Return {
                    stage: next.stage,
                    gradient: Gradient {
                        map: behind.rows.buffer.lanes(),
                        strip: behind.rows.strip,
                        bits: next.mask(),
                    },
                    mask,
                    accumulate,
                    pixels: self.sweep.pixels,
                };
                let map = here.rows.buffer.lanes_mut();
                let extent = Extent {
                    rows: rows.clone(),
                    ..Extent::whole(h, w)
                };
                network.convolve_back(back, (map, strip), extent)?;
            }
            _ => {
                let map = here.rows.buffer.lanes_mut();
                if !accumulate {
                    clear(map, own);
                }
                if let Some(mask) = mask {
                    pointwise::mask(context, (map, strip), mask, rows.clone());
                }
            }
        }
        here.rows.extend(rows.end);
        here.computed = rows.end;
        Ok(())
    }

    /// Whether the way back looks at the map of a stage.
    fn looks(&self, index: usize) -> bool {
        self.towards[index].matrix.is_some() || !self.towards[index].parts.is_empty()
    }

    /// Whether rows of a stage are made again just when their gradient is: those of the first, which takes less time than
    /// keeping them from when later stages needed them.
    fn at_once(&self, index: usize) -> bool {
        index == 0 && !self.sweep.rungs[0].keeps.map && self.towards[0].parts.is_empty()
    }

    /// Makes rows of a map, or of its bits, once more if they were not kept.
    fn again(&mut self, index: usize, rows: usize, needs: Needs) -> Result<()> {
        let rung = &self.sweep.rungs[index];
        let kept = match needs {
            Needs::Map => rung.keeps.map,
            Needs::Bits => rung.keeps.bits || rung.per_pixel == 0,
        };
        if kept {
            return Ok(());
        }
        // Up to where every gradient has come: what lies above is not read again.
        for index in 0..self.sweep.rungs.len() {
            let here = self.towards[index].computed;
            let before = index
                .checked_sub(1)
                .map_or(here, |before| self.towards[before].computed);
            let (looks, at_once) = (self.looks(index), self.at_once(index));
            let rung = &mut self.sweep.rungs[index];
            rung.map_needed = match here >= rung.size.0 {
                true => usize::MAX,
                false => here,
            };
            rung.bits_needed = here.min(rung.made(before).saturating_sub(1));
            if self.given && index + 1 == self.towards.len() {
                rung.bits_needed = rung.made(before).saturating_sub(1);
            }
            if !looks || at_once {
                rung.map_needed = usize::MAX;
            }
            if at_once {
                rung.bits_needed = usize::MAX;
            }
        }
        self.sweep.advance(index, rows, &mut [])
    }

    /// The gradient that a ReLU or a pool of its own behind a map hands back.
    fn handed_back(
        &mut self,
        index: usize,
        rows: &Range<usize>,
        strip: Strip,
    ) -> Result<Option<Buffer>> {
        let network = self.sweep.network;
        let context = &network.context;
        let (Some(next), Some(behind)) = (
            self.sweep.rungs.get(index + 1),
            self.towards.get(index + 1).map(|towards| &towards.rows),
        ) else {
            return Ok(None);
        };
        let gradient = (behind.buffer.lanes(), behind.strip);
        let fresh = || context.pool.take(self.towards[index].rows.buffer.len());
        match next.stage.operation {
            Operation::Conv { .. } | Operation::Read => Ok(None),
            Operation::Relu => {
                let mut out = fresh()?;
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
                    (PoolKind::L2, _) => {
                        return Err(ComputeError::BadSetting(
                            "an L2 pool does not run strip by strip".into(),
                        ));
                    }
                };
                let mut out = fresh()?;
                let to = (out.lanes_mut(), strip);
                pointwise::unpool(context, pool.factor, memory, gradient, to, rows.clone());
                Ok(Some(out))
            }
        }
    }

    /// What is said about the rows of features that are shown now: gradients in blocks, without gaps.
    fn answers(&mut self, index: usize, rows: &Range<usize>) -> Result<Vec<Buffer>> {
        let network = self.sweep.network;
        let context = &network.context;
        let rung = &self.sweep.rungs[index];
        let w = rung.size.1;
        let mut said = Vec::new();
        for &tap in &self.towards[index].parts {
            let part = features_of(network, rung, tap, rows.clone())?;
            let channels = super::channels_of(network, rung.channels, tap);
            let shape = [channels, rows.len(), w];
            let features = put_blocked(context, part, shape)?;
            let place = Window {
                top: rows.start,
                height: rows.len(),
                ..Window::whole(rung.size.0, w)
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
                    let mut out = context.pool.take(rung.blocks() * count * LANES)?;
                    let operand = Operand::Into {
                        x: gradient.lanes(),
                        out: out.lanes_mut(),
                    };
                    let matrix = Matrix::back_through_head(head, rung.channels);
                    matrix.apply(context, Pixels::all(count), operand)?;
                    out
                }
            });
        }
        Ok(said)
    }

    /// Adds some pixels to a sum that is laid out as the gradient of a stage, or begins it with them.
    fn add(
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
                let pool = &self.sweep.network.context.pool;
                let mut fresh = pool.take(self.towards[index].rows.buffer.len())?;
                copy(part, (fresh.lanes_mut(), own));
                *none = Some(fresh);
            }
        }
        Ok(())
    }
}

/// What is needed of a stage.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    Map,
    Bits,
}

/// Copies some pixels of every block of channels.
fn copy((from, there): (&[Lanes], Pixels), (to, here): (&mut [Lanes], Pixels)) {
    let blocks = from
        .par_chunks_exact(there.stride)
        .zip(to.par_chunks_exact_mut(here.stride));
    blocks.for_each(|(from, to)| {
        let from = &from[there.start..there.start + there.count];
        to[here.start..here.start + here.count].copy_from_slice(from);
    });
}

/// Zeros in some pixels of every block of channels.
fn clear(map: &mut [Lanes], here: Pixels) {
    for block in map.chunks_exact_mut(here.stride) {
        block[here.start..here.start + here.count].fill([0.0; LANES]);
    }
}
