//! The way back: gradients, row by row.
//!
//! The gradient towards the rows of a map is the sum of what losses say about them and of what the convolution behind
//! hands back, which takes rows of the gradient towards its own map. So rows of the image's gradient are asked for,
//! from the top, and every stage asks the one behind it; and of maps and bits that were not kept, those rows are made
//! again that are needed now.
//!
//! Gradients that are there [as a whole](super::Keeps::whole) need no memory beside what the way there left: the gradient
//! of moments overwrites the map that it needs, that of a ReLU the one behind, and one towards features is taken as it
//! is; the convolution behind adds to it and applies the ReLU mask as it writes. Rows cannot do so, because what they
//! are made from is read again for the rows that follow. This, and that what has been read is let go of at once, is all
//! that tells the two apart.

use super::answers::{clear, copy};
use super::recompute::Needs;
use super::towards::Towards;
use super::{OVERLAP, ROW_STEP, Sweep};
use crate::cpu::array::{put, put_blocked, zeros};
use crate::cpu::convolve::{Gradient, Return};
use crate::cpu::first::{self, Bordered};
use crate::cpu::memory::Buffer;
use crate::cpu::mixing::{Operand, Pixels};
use crate::cpu::moments;
use crate::cpu::pointwise;
use crate::cpu::results::Mask;
use crate::cpu::simd::LANES;
use crate::cpu::strip::Strip;
use crate::cpu::sweep::rows::Rows;
use crate::cpu::tape::LayerCotangents;
use crate::cpu::window::clear_around;
use crate::plan::{Behind, Operation};
use crate::{Answer, Input, Result, Tap, Tensor, Window};
use std::ops::Range;

/// What is known of the way back before it begins.
pub(in crate::cpu) struct BackwardInput<'k, 'a> {
    /// What losses say about each stage's map, and where its moments were taken.
    pub(in crate::cpu) said: Vec<(LayerCotangents, Window)>,
    /// Taps whose features are shown part by part, by stage.
    pub(in crate::cpu) parts: Vec<Vec<Tap>>,
    /// Who looks at them.
    pub(in crate::cpu) answer: &'k mut Answer<'a>,
}

/// A way back.
pub(super) struct Back<'s, 'n, 'k, 'a> {
    pub(super) sweep: &'s mut Sweep<'n>,
    /// By stage.
    pub(super) towards: Vec<Towards>,
    pub(super) answer: &'k mut Answer<'a>,
}

impl Sweep<'_> {
    /// The gradient towards what was read, `[c, h, w]`.
    pub(in crate::cpu) fn backward(mut self, known: BackwardInput<'_, '_>) -> Result<Tensor> {
        let BackwardInput {
            said,
            parts,
            answer,
        } = known;
        let (network, size) = (self.network, self.size);
        let context = &network.context;
        self.laps.restart();
        let all = self.stages.len();
        let mut towards = Vec::with_capacity(all);
        for ((said, window), parts) in said.into_iter().zip(parts) {
            towards.push(Towards::new(said, window, parts));
        }
        let channels = network.spec.input.channels();
        let shape = [channels, size.height, size.width];
        // What lies behind the last of which something is said has no gradient.
        let Some(last) = towards.iter().rposition(Towards::is_said) else {
            return zeros(context, &shape);
        };
        self.stages.truncate(last + 1);
        towards.truncate(last + 1);
        let mut back = Back {
            sweep: &mut self,
            towards,
            answer,
        };
        // Gradients that are there as a whole come first: each is let go of when the one before it is there.
        let first_whole = back.sweep.stages.iter().position(|held| held.keeps.whole);
        if let Some(first) = first_whole {
            back.pull(first, back.sweep.stages[first].rows(), 0)?;
        }
        let towards = match network.spec.input {
            Input::Image(_) => put(back.through_image()?, &shape),
            Input::Features(_) => match back.towards[0].rows.take() {
                Some(rows) => put_blocked(context, rows.buffer, shape)?,
                None => zeros(context, &shape)?,
            },
        };
        // The time of those that make few rows at a time goes by the name of the last.
        self.laps.backward(first_whole.unwrap_or(all - 1));
        Ok(towards)
    }
}

impl Back<'_, '_, '_, '_> {
    /// The gradient towards the image, from that towards the map of its convolution.
    fn through_image(&mut self) -> Result<Buffer> {
        let (network, size) = (self.sweep.network, self.sweep.size);
        let context = &network.context;
        let padding = network.convolution(0)?.spec.padding;
        let (filters, norm) = (network.first()?, network.norm()?);
        let (step, h) = (self.sweep.stages[0].step, size.height);
        // With a border, from whose start its rows are counted: row `p` needs rows `p − 2` to `p` of the first map.
        let mut bordered = Rows::new(context, (3, 1), size.bordered(), step + OVERLAP)?;
        let mut out = context.pool.take(3 * size.pixels())?;
        let mut top = Vec::with_capacity(3 * size.bordered().width);
        let (mut done, mut finished) = (0, 0);
        while done < h + 2 {
            let end = (done + step).min(h);
            self.pull(0, end, done)?;
            let next = if end < h { end } else { h + 2 };
            bordered.slide(context, finished + 1, next)?;
            let (gradient, strip) = self.towards[0].map();
            let to = (&mut bordered.buffer[..], bordered.strip);
            first::backward(context, filters, gradient, strip, done..next, to);
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
            let rows = finished..complete;
            first::unprepare(&with_border, norm, padding, size, rows, &mut out);
            (done, finished) = (next, complete);
        }
        Ok(out)
    }

    /// Makes rows of the gradient towards the map of a stage until there are so many. Who asks reads it from two rows
    /// above row `read` on.
    fn pull(&mut self, index: usize, rows: usize, read: usize) -> Result<()> {
        loop {
            let (done, h) = (
                self.towards[index].computed,
                self.sweep.stages[index].rows(),
            );
            if done >= rows.min(h) {
                return Ok(());
            }
            let held = &self.sweep.stages[index];
            let step = held.stage.made(held.step).max(ROW_STEP);
            let end = match held.keeps.whole {
                true => h,
                false => rows.min(done + step).next_multiple_of(ROW_STEP).min(h),
            };
            self.make(index, done..end, read.saturating_sub(2))?;
        }
    }

    /// Makes some rows of the gradient towards the map of a stage: what losses say about them, and on top what the
    /// convolution behind hands back.
    fn make(&mut self, index: usize, rows: Range<usize>, keep: usize) -> Result<()> {
        self.prepare(index, &rows)?;
        self.make_room(index, keep, rows.end)?;
        let (here, context) = (&mut self.towards[index], &self.sweep.network.context);
        if let Some(moments) = here.moments.take() {
            let pixels = here.window.pixels();
            here.matrix = Some(moments::gradient_matrix(context, &moments, pixels)?);
        }
        let own = self.pixels(index, &rows);
        let sum = self.say(index, &rows, own)?;
        let fresh_bits = match self.at_once(index) {
            true => self.first_again(&rows)?,
            false => None,
        };
        let accumulate = match self.sweep.stages[index].keeps.whole {
            true => self.settle_whole(index, sum)?,
            false => self.settle(index, &rows, own, sum)?,
        };
        self.hand_back(index, rows.clone(), own, accumulate, fresh_bits)?;
        let here = &mut self.towards[index];
        if let Some(made) = &mut here.rows {
            made.extend(rows.end);
        }
        here.computed = rows.end;
        if self.sweep.stages[index].keeps.whole {
            self.forget(index);
        }
        Ok(())
    }

    /// Makes room for rows of a gradient up to `end`, and keeps those from `keep` on. One that is made as a whole gets
    /// its memory when it is known from where.
    fn make_room(&mut self, index: usize, keep: usize, end: usize) -> Result<()> {
        let held = &self.sweep.stages[index];
        if held.keeps.whole {
            return Ok(());
        }
        let context = &self.sweep.network.context;
        let (shape, room) = ((held.blocks(), LANES), held.step + OVERLAP);
        let rows = match &mut self.towards[index].rows {
            Some(rows) => rows,
            none => none.insert(Rows::new(context, shape, held.stage.size, room)?),
        };
        rows.slide(context, keep, end)
    }

    /// Lets go of what is not needed any more when a gradient is there as a whole.
    fn forget(&mut self, index: usize) {
        self.sweep.stages[index].map = None;
        self.towards[index].matrix = None;
        if let Some(behind) = self.towards.get_mut(index + 1) {
            behind.rows = None;
            self.sweep.stages[index + 1].bits = None;
        }
        self.sweep.laps.backward(index + 1);
    }

    /// Which rows of the gradient towards the map of a stage are there.
    pub(super) fn strip(&self, index: usize) -> Strip {
        match &self.towards[index].rows {
            Some(rows) => rows.strip,
            None => Strip::whole(self.sweep.stages[index].stage.size),
        }
    }

    /// A buffer laid out as the gradient of a stage.
    pub(super) fn fresh(&self, index: usize) -> Result<Buffer> {
        let len = self.sweep.stages[index].blocks() * self.strip(index).pixels() * LANES;
        self.sweep.network.context.pool.take(len)
    }

    /// Where some rows of the gradient towards the map of a stage lie.
    fn pixels(&self, index: usize, rows: &Range<usize>) -> Pixels {
        let strip = self.strip(index);
        Pixels {
            stride: strip.pixels(),
            start: strip.place(rows.start, 0),
            count: rows.len() * strip.w,
        }
    }

    /// Makes what some rows of a gradient are made from: gradients behind, and maps and bits that were not kept.
    fn prepare(&mut self, index: usize, rows: &Range<usize>) -> Result<()> {
        if let Some(next) = self.sweep.stages.get(index + 1) {
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
        let size = self.sweep.stages[index].stage.size;
        let mut sum = self.handed_back(index, rows)?;
        for part in self.answers(index, rows)? {
            let part = (part.lanes(), Pixels::all(own.count));
            self.add(&mut sum, part, own, index)?;
        }
        let there = Pixels {
            stride: size.pixels(),
            start: rows.start * size.width,
            count: own.count,
        };
        let here = &mut self.towards[index];
        if self.sweep.stages[index].keeps.whole && sum.is_none() && !here.features.is_empty() {
            sum = Some(here.features.remove(0));
        }
        for whole in &self.towards[index].features {
            self.add(&mut sum, (whole.lanes(), there), own, index)?;
        }
        for (head, whole) in &self.towards[index].heads {
            self.add_head(&mut sum, *head, (whole.lanes(), there), own, index)?;
        }
        if self.sweep.stages[index].keeps.whole {
            let here = &mut self.towards[index];
            (here.features, here.heads) = (vec![], vec![]);
        }
        Ok(sum)
    }

    /// Writes the gradient of moments and a sum where rows of the gradient lie; whether anything was written.
    fn settle(
        &mut self,
        index: usize,
        rows: &Range<usize>,
        own: Pixels,
        sum: Option<Buffer>,
    ) -> Result<bool> {
        let at_once = self.at_once(index);
        let context = &self.sweep.network.context;
        let held = &self.sweep.stages[index];
        let here = &mut self.towards[index];
        let add = sum.as_ref().map(|sum| sum.lanes());
        let Some(rows_here) = &mut here.rows else {
            return Ok(false);
        };
        let map = rows_here.buffer.lanes_mut();
        let Some(matrix) = &here.matrix else {
            if let Some(add) = add {
                copy((add, own), (map, own));
            }
            return Ok(add.is_some());
        };
        let (from, place) = held.map();
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
        if here.window != Window::whole(held.stage.size) {
            let (map, fresh) = (rows_here.buffer.lanes_mut(), (rows.start, rows.len()));
            let width = held.stage.size.width;
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

    /// Makes a gradient as a whole from those of moments and a sum, in the place of the map or of the sum; whether
    /// anything was written.
    fn settle_whole(&mut self, index: usize, sum: Option<Buffer>) -> Result<bool> {
        let context = &self.sweep.network.context;
        let Towards { matrix, window, .. } = &self.towards[index];
        let held = &mut self.sweep.stages[index];
        let (size, shape) = (held.stage.size, (held.blocks(), LANES));
        // Moments were asked for, so the map was kept.
        let map = held.map.take_if(|_| matrix.is_some());
        let (written, buffer) = match (matrix, map) {
            (Some(matrix), Some(Rows { mut buffer, .. })) => {
                let (map, add) = (buffer.lanes_mut(), sum.as_ref().map(|sum| sum.lanes()));
                let pixels = Pixels {
                    stride: size.pixels(),
                    start: window.top * size.width,
                    count: window.height * size.width,
                };
                matrix.apply(context, pixels, Operand::InPlace { map, add })?;
                if *window != Window::whole(size) {
                    let (map, all) = (buffer.lanes_mut(), (0, size.height));
                    clear_around(map, add, (size.pixels(), 0), all, size.width, window);
                }
                (true, buffer)
            }
            _ => match sum {
                Some(sum) => (true, sum),
                None => (false, self.fresh(index)?),
            },
        };
        self.towards[index].rows = Some(Rows::whole(buffer, shape, size));
        Ok(written)
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
        let held = &self.sweep.stages[index];
        let (mine, behind) = self.towards.split_at_mut(index + 1);
        let (map, strip) = mine[index].map_mut();
        let mask = match held.stage.operation {
            Operation::Conv {
                behind: Behind::Relu,
                ..
            } => match &fresh_bits {
                Some(fresh) => Some(Mask {
                    words: &fresh.buffer,
                    strip: fresh.strip,
                }),
                None => held.mask(),
            },
            _ => None,
        };
        if let (Some(next), Some(behind)) = (self.sweep.stages.get(index + 1), behind.first())
            && let Operation::Conv { .. } = next.stage.operation
        {
            let (gradient, there) = behind.map();
            let back = Return {
                operation: next.stage.operation,
                gradient: Gradient {
                    map: gradient,
                    strip: there,
                    bits: next.mask(),
                },
                mask,
                accumulate,
                pixels: self.sweep.pixels,
            };
            return network.convolve_back(back, (map, strip), rows);
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
    pub(super) fn looks(&self, index: usize) -> bool {
        self.towards[index].of_moments() || !self.towards[index].parts.is_empty()
    }

    /// Whether rows of a stage are made again just when their gradient is: those of the first, which takes less time than
    /// keeping them from when later stages needed them.
    pub(super) fn at_once(&self, index: usize) -> bool {
        let keeps = self.sweep.stages[0].keeps;
        index == 0 && !keeps.whole && !keeps.map && self.towards[0].parts.is_empty()
    }
}
