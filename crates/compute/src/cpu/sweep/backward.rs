//! The way back: gradients, row by row.
//!
//! The gradient towards the rows of a map is the sum of what losses say about them and of what the convolution behind
//! hands back, which takes rows of the gradient towards its own map. So rows of the image's gradient are asked for,
//! from the top, and every stage asks the one behind it; and of maps and bits that were not kept, those rows are made
//! again that are needed now.

use super::answers::{clear, copy};
use super::{OVERLAP, ROW_STEP, Sweep, first_rows};
use crate::cpu::convolve::{Gradient, Return};
use crate::cpu::first::{self, Bordered};
use crate::cpu::memory::Buffer;
use crate::cpu::mixing::{Matrix, Operand, Pixels};
use crate::cpu::moments;
use crate::cpu::network::CpuNetwork;
use crate::cpu::pointwise;
use crate::cpu::results::{Bits, Mask};
use crate::cpu::shared::Shared;
use crate::cpu::simd::LANES;
use crate::cpu::sweep::rows::Rows;
use crate::cpu::sweep::rung::Rung;
use crate::cpu::tape::Said;
use crate::cpu::window::clear_around;
use crate::cpu::winograd::Extent;
use crate::plan::{Behind, Operation};
use crate::{Answer, Result, Tap, Window};
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
pub(super) struct Towards {
    pub(super) rows: Rows<f32>,
    computed: usize,
    /// From the map to the gradient of its moments, if they have one.
    matrix: Option<Matrix>,
    window: Window,
    pub(super) parts: Vec<Tap>,
    /// Gradients towards the features as a whole.
    features: Vec<Buffer>,
}

/// A way back.
pub(super) struct Back<'s, 'n, 'k, 'a> {
    pub(super) sweep: &'s mut Sweep<'n>,
    /// By stage.
    pub(super) towards: Vec<Towards>,
    /// Whether the last gradient is there as a whole.
    given: bool,
    pub(super) answer: &'k mut Answer<'a>,
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
            let whole = behind.take_if(|_| index == last);
            let rung = &self.rungs[index];
            towards.push(Towards::new(network, rung, said, window, parts, whole)?);
        }
        let size = self.size;
        let padding = network.convolution(0)?.spec.padding;
        let (filters, norm, step) = (network.first()?, network.norm()?, self.rungs[0].step);
        let mut back = Back {
            sweep: self,
            towards,
            given,
            answer,
        };
        let mut out = context.pool.take(3 * size.pixels())?;
        // With a border, from whose start its rows are counted: row `p` needs rows `p − 2` to `p` of the first map.
        let mut bordered = Rows::new(context, (3, 1), size.bordered(), step + OVERLAP)?;
        let mut top = Vec::with_capacity(3 * size.bordered().width);
        let (mut done, mut finished) = (0, 0);
        let h = size.height;
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
                planes.for_each(|plane| top.extend_from_slice(&plane[..size.bordered().width]));
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
                size,
                finished..complete,
                &mut out,
            );
            (done, finished) = (next, complete);
        }
        Ok(out)
    }
}

impl Towards {
    /// No rows yet of the gradient towards the map of a stage, or the whole that is there already.
    fn new(
        network: &CpuNetwork,
        rung: &Rung,
        said: Said,
        window: Window,
        parts: Vec<Tap>,
        whole: Option<Buffer>,
    ) -> Result<Self> {
        let context = &network.context;
        let (size, shape) = (rung.stage.size, (rung.blocks(), LANES));
        let (rows, computed) = match whole {
            Some(buffer) => (Rows::whole(buffer, shape, size), size.height),
            None => (Rows::new(context, shape, size, rung.step + OVERLAP)?, 0),
        };
        let matrix = match &said.moments {
            Some(towards) => Some(moments::gradient_matrix(context, towards, window.pixels())?),
            None => None,
        };
        let mut features = said.features;
        for (head, gradient) in said.heads {
            let head = &network.spec.heads[head];
            let mut out = context.pool.take(rung.blocks() * size.pixels() * LANES)?;
            let operand = Operand::Into {
                x: gradient.lanes(),
                out: out.lanes_mut(),
            };
            let matrix = Matrix::back_through_head(head, rung.stage.channels);
            matrix.apply(context, Pixels::all(size.pixels()), operand)?;
            features.push(out);
        }
        Ok(Self {
            rows,
            computed,
            matrix,
            window,
            parts,
            features,
        })
    }
}

impl Back<'_, '_, '_, '_> {
    /// Makes rows of the gradient towards the map of a stage until there are so many. Who asks reads it from two rows
    /// above row `read` on.
    fn pull(&mut self, index: usize, rows: usize, read: usize) -> Result<()> {
        loop {
            let (done, h) = (self.towards[index].computed, self.sweep.rungs[index].rows());
            if done >= rows.min(h) {
                return Ok(());
            }
            let rung = &self.sweep.rungs[index];
            let step = rung.stage.made(rung.step).max(ROW_STEP);
            let end = rows.min(done + step).next_multiple_of(ROW_STEP).min(h);
            self.make(index, done..end, read.saturating_sub(2))?;
        }
    }

    /// Makes some rows of the gradient towards the map of a stage: what losses say about them, and on top what the
    /// convolution behind hands back.
    fn make(&mut self, index: usize, rows: Range<usize>, keep: usize) -> Result<()> {
        self.prepare(index, &rows)?;
        let context = &self.sweep.network.context;
        self.towards[index].rows.slide(context, keep, rows.end)?;
        let own = self.pixels(index, &rows);
        let sum = self.say(index, &rows, own)?;
        let fresh_bits = match self.at_once(index) {
            true => self.first_again(&rows)?,
            false => None,
        };
        let accumulate = self.settle(index, &rows, own, sum)?;
        self.hand_back(index, rows.clone(), own, accumulate, fresh_bits)?;
        let here = &mut self.towards[index];
        here.rows.extend(rows.end);
        here.computed = rows.end;
        Ok(())
    }

    /// Where some rows of the gradient towards the map of a stage lie.
    fn pixels(&self, index: usize, rows: &Range<usize>) -> Pixels {
        let strip = self.towards[index].rows.strip;
        Pixels {
            stride: strip.pixels(),
            start: strip.place(rows.start, 0),
            count: rows.len() * strip.w,
        }
    }

    /// Makes what some rows of a gradient are made from: gradients behind, and maps and bits that were not kept.
    fn prepare(&mut self, index: usize, rows: &Range<usize>) -> Result<()> {
        if let Some(next) = self.sweep.rungs.get(index + 1) {
            let there = next.rows();
            // As far as it is read.
            let (need, read) = match next.stage.operation {
                Operation::Conv {
                    behind: Behind::ReluPool { .. },
                    ..
                } => (rows.end / 2 + 1, rows.start / 2),
                Operation::Conv { .. } => (rows.end + 1, rows.start),
                Operation::Pool(_) => (rows.end.div_ceil(2), rows.start / 2),
                Operation::Relu | Operation::Read => (rows.end, rows.start),
            };
            self.pull(index + 1, there.min(need), read)?;
            self.again(index + 1, there.min(need), Needs::Bits)?;
        }
        if self.at_once(index) {
            return Ok(());
        }
        let needs = match self.looks(index) {
            true => Needs::Map,
            false => Needs::Bits,
        };
        self.again(index, rows.end, needs)
    }

    /// The sum of what a stage without a convolution hands back and of what losses say about features, if there is
    /// anything, laid out as the gradient of the stage.
    fn say(&mut self, index: usize, rows: &Range<usize>, own: Pixels) -> Result<Option<Buffer>> {
        let size = self.sweep.rungs[index].stage.size;
        let mut sum = self.handed_back(index, rows)?;
        for part in self.answers(index, rows)? {
            let part = (part.lanes(), Pixels::all(own.count));
            self.add(&mut sum, part, own, index)?;
        }
        for whole in &self.towards[index].features {
            let there = Pixels {
                stride: size.pixels(),
                start: rows.start * size.width,
                count: own.count,
            };
            self.add(&mut sum, (whole.lanes(), there), own, index)?;
        }
        Ok(sum)
    }

    /// Makes rows of the first map once more where their gradient will lie, and their bits if they were not kept.
    fn first_again(&mut self, rows: &Range<usize>) -> Result<Option<Rows<u16>>> {
        let (network, rung) = (self.sweep.network, &self.sweep.rungs[0]);
        let here = &mut self.towards[0];
        let mut fresh = None;
        if !rung.keeps.bits && rung.per_pixel() > 0 {
            let shape = (rung.blocks(), rung.per_pixel());
            let mut bits = Rows::new(&network.context, shape, rung.stage.size, rows.len())?;
            bits.strip.first = rows.start;
            bits.strip.rows = rows.len();
            fresh = Some(bits);
        }
        if fresh.is_some() || here.matrix.is_some() {
            let bits = fresh.as_mut().map(|rows| Bits {
                words: Shared::new(&mut rows.buffer),
                strip: rows.strip,
            });
            let (ground, size) = (&self.sweep.ground, self.sweep.size);
            let out = (here.rows.buffer.lanes_mut(), here.rows.strip);
            let relu = rung.per_pixel() > 0;
            first_rows(network, ground, size, out, relu, bits, rows.clone())?;
        }
        Ok(fresh)
    }

    /// Writes the gradient of moments and a sum where the gradient lies; whether anything was written.
    fn settle(
        &mut self,
        index: usize,
        rows: &Range<usize>,
        own: Pixels,
        sum: Option<Buffer>,
    ) -> Result<bool> {
        let at_once = self.at_once(index);
        let context = &self.sweep.network.context;
        let rung = &self.sweep.rungs[index];
        let here = &mut self.towards[index];
        let add = sum.as_ref().map(|sum| sum.lanes());
        let map = here.rows.buffer.lanes_mut();
        let Some(matrix) = &here.matrix else {
            if let Some(add) = add {
                copy((add, own), (map, own));
            }
            return Ok(add.is_some());
        };
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
        if here.window != Window::whole(rung.stage.size) {
            let map = here.rows.buffer.lanes_mut();
            let fresh = (rows.start, rows.len());
            let width = rung.stage.size.width;
            clear_around(
                map,
                add,
                (own.stride, own.start),
                fresh,
                width,
                &here.window,
            );
        }
        Ok(true)
    }

    /// Adds what the convolution behind hands back, if there is one, and applies the ReLU mask of the stage.
    fn hand_back(
        &mut self,
        index: usize,
        rows: Range<usize>,
        own: Pixels,
        accumulate: bool,
        fresh_bits: Option<Rows<u16>>,
    ) -> Result<()> {
        let network = self.sweep.network;
        let rung = &self.sweep.rungs[index];
        let (mine, behind) = self.towards.split_at_mut(index + 1);
        let here = &mut mine[index];
        let (strip, map) = (here.rows.strip, here.rows.buffer.lanes_mut());
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
        if let (Some(next), Some(behind)) = (self.sweep.rungs.get(index + 1), behind.first())
            && let Operation::Conv { .. } = next.stage.operation
        {
            let back = Return {
                operation: next.stage.operation,
                gradient: Gradient {
                    map: behind.rows.buffer.lanes(),
                    strip: behind.rows.strip,
                    bits: next.mask(),
                },
                mask,
                accumulate,
                pixels: self.sweep.pixels,
            };
            let extent = Extent {
                rows,
                ..Extent::whole(rung.stage.size)
            };
            return network.convolve_back(back, (map, strip), extent);
        }
        if !accumulate {
            clear(map, own);
        }
        if let Some(mask) = mask {
            pointwise::mask(&network.context, (map, strip), mask, rows);
        }
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
            Needs::Bits => rung.keeps.bits || rung.per_pixel() == 0,
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
            rung.map_needed = match here >= rung.rows() {
                true => usize::MAX,
                false => here,
            };
            rung.bits_needed = here.min(rung.stage.made(before).saturating_sub(1));
            if self.given && index + 1 == self.towards.len() {
                rung.bits_needed = rung.stage.made(before).saturating_sub(1);
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
}

/// What is needed of a stage.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    Map,
    Bits,
}
