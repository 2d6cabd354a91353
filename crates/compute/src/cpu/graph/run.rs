//! A run of a schedule: values as they come and go.

use super::geometry::Geometry;
use super::maps;
use super::schedule::{Action, Schedule};
use super::stage::{Id, Part, Scales, Slot, Stage, View, Work};
use super::target::{Sums, Target};
use super::vectors;
use super::view::{Lines, Source};
use crate::cpu::array::{self, Layout};
use crate::cpu::memory::Buffer;
use crate::cpu::shared::Shared;
use crate::cpu::simd::LANES;
use crate::{ComputeError, Result, Size, Tensor};
use rayon::prelude::*;
use std::ops::Range;

/// What is there of a map.
#[derive(Debug)]
enum Map<'a> {
    Nothing,
    /// An input, which lies row by row already.
    Given(&'a [f32]),
    /// Rows from the first on.
    Made {
        buffer: Buffer,
        first: usize,
    },
}

/// Numbers of a value that is no map.
#[derive(Debug)]
enum Numbers {
    Nothing,
    Vector(Vec<f32>),
    /// Scale and shift of a norm.
    Scales(Vec<f32>, Vec<f32>),
}

/// What is there of each value.
#[derive(Debug)]
pub(super) struct Values<'a> {
    maps: Vec<Map<'a>>,
    numbers: Vec<Numbers>,
    /// The sums of its channels, of all pieces until they are complete, `[piece][c]`.
    sums: Vec<Vec<Sums>>,
}

/// A run.
pub(super) struct Run<'a> {
    geometry: Geometry<'a>,
    inputs: &'a [&'a Tensor],
    values: Values<'a>,
}

impl Values<'_> {
    /// A vector.
    pub(super) fn vector(&self, id: Id) -> Result<&[f32]> {
        match &self.numbers[id] {
            Numbers::Vector(values) => Ok(values),
            Numbers::Nothing | Numbers::Scales(..) => Err(missing(id)),
        }
    }

    /// The sums of each channel, which are complete.
    pub(super) fn summed(&self, geometry: Geometry<'_>, id: Id) -> Result<&[Sums]> {
        let (channels, _) = geometry.dims(id);
        match self.sums[id].len() == channels {
            true => Ok(&self.sums[id]),
            false => Err(missing(id)),
        }
    }

    /// What a view reads.
    pub(super) fn source<'s>(
        &'s self,
        geometry: Geometry<'_>,
        view: &'s View,
    ) -> Result<Source<'s>> {
        let affine = match &view.scales {
            Scales::None => None,
            Scales::Fixed(fixed) => Some((&*fixed.scale, &*fixed.shift)),
            Scales::Made(id) => match &self.numbers[*id] {
                Numbers::Scales(scale, shift) => Some((&**scale, &**shift)),
                Numbers::Nothing | Numbers::Vector(_) => return Err(missing(*id)),
            },
        };
        let (channels, size) = geometry.dims(view.base);
        let (data, first) = match &self.maps[view.base] {
            Map::Nothing => return Err(missing(view.base)),
            Map::Given(data) => (*data, 0),
            Map::Made { buffer, first } => (&**buffer, *first),
        };
        let lines = Lines {
            data,
            plane: data.len() / channels,
            first,
        };
        Ok(Source {
            lines,
            channels,
            size,
            affine,
            activation: view.activation,
            doubled: view.doubled,
        })
    }
}

/// What a plan cannot ask for.
fn missing(id: Id) -> ComputeError {
    ComputeError::BadNetwork {
        layer: id,
        problem: "a value is read that is not there".into(),
    }
}

impl<'a> Run<'a> {
    /// With inputs.
    pub(super) fn new(geometry: Geometry<'a>, inputs: &'a [&'a Tensor]) -> Result<Self> {
        let values = geometry.shapes.len();
        let mut maps = Vec::with_capacity(values);
        let mut numbers = Vec::with_capacity(values);
        for tensor in inputs {
            let values = array::get("run", tensor)?;
            let is_vector = tensor.shape().len() == 1;
            numbers.push(match is_vector {
                true => Numbers::Vector(values.to_vec()),
                false => Numbers::Nothing,
            });
            maps.push(match Layout::of(tensor.shape()) {
                Layout::Plain { .. } if !is_vector => Map::Given(values),
                Layout::Plain { .. } | Layout::Blocked { .. } => Map::Nothing,
            });
        }
        maps.resize_with(values, || Map::Nothing);
        numbers.resize_with(values, || Numbers::Nothing);
        Ok(Self {
            geometry,
            inputs,
            values: Values {
                maps,
                numbers,
                sums: vec![Vec::new(); values],
            },
        })
    }

    /// Does all that a schedule says, and hands out.
    pub(super) fn all(mut self, schedule: &Schedule) -> Result<Vec<Tensor>> {
        self.run(schedule)?;
        self.outputs(&|_| false)
    }

    /// The same, and keeps what is said to be kept, by slot.
    pub(super) fn keep(
        mut self,
        schedule: &Schedule,
        kept: &[bool],
    ) -> Result<(Vec<Tensor>, Values<'static>)> {
        self.run(schedule)?;
        let outputs = self.outputs(&|id| kept[Slot::map(id).index()])?;
        let Values {
            maps,
            numbers,
            sums,
        } = self.values;
        let pool = &self.geometry.context.pool;
        let owned = |(id, map): (Id, Map<'a>)| match map {
            _ if !kept[Slot::map(id).index()] => Ok(Map::Nothing),
            Map::Nothing => Ok(Map::Nothing),
            Map::Made { buffer, first } => Ok(Map::Made { buffer, first }),
            Map::Given(map) => {
                let mut buffer = pool.take(map.len())?;
                buffer.copy_from_slice(map);
                Ok(Map::Made { buffer, first: 0 })
            }
        };
        let maps = maps.into_iter().enumerate().map(owned);
        let maps = maps.collect::<Result<_>>()?;
        let values = Values {
            maps,
            numbers,
            sums,
        };
        Ok((outputs, values))
    }

    /// Does all that a schedule says.
    fn run(&mut self, schedule: &Schedule) -> Result<()> {
        for action in &schedule.actions {
            match action {
                &Action::Take { id, rows } => {
                    let (channels, size) = self.geometry.dims(id);
                    let floats = channels * rows * size.width;
                    let buffer = self.geometry.context.pool.take(floats)?;
                    self.values.maps[id] = Map::Made { buffer, first: 0 };
                }
                Action::Make { stage, rows, sums } => {
                    self.make(self.geometry.stage(*stage), rows, *sums)?;
                }
                &Action::Begin { id, first } => self.begin(id, first),
                &Action::Drop(Slot { id, part }) => match part {
                    Part::Map => self.values.maps[id] = Map::Nothing,
                    Part::Numbers => self.values.numbers[id] = Numbers::Nothing,
                    Part::Sums => self.values.sums[id] = Vec::new(),
                },
            }
        }
        Ok(())
    }

    /// Hands out, but for what is kept.
    fn outputs(&mut self, is_kept: &dyn Fn(Id) -> bool) -> Result<Vec<Tensor>> {
        let outputs = &self.geometry.plan.outputs;
        let mut tensors = Vec::with_capacity(outputs.len());
        for (index, &id) in outputs.iter().enumerate() {
            let again = outputs[index + 1..].contains(&id) || is_kept(id);
            tensors.push(self.hand_out(id, again)?);
        }
        Ok(tensors)
    }

    /// Moves the rows of a map up.
    fn begin(&mut self, id: Id, row: usize) {
        let (channels, size) = self.geometry.dims(id);
        if let Map::Made { buffer, first } = &mut self.values.maps[id] {
            let skipped = (row - *first) * size.width;
            let plane = buffer.len() / channels;
            for plane in buffer.chunks_exact_mut(plane) {
                plane.copy_within(skipped.min(plane.len()).., 0);
            }
            *first = row;
        }
    }

    /// A value as a tensor; it may be asked for again.
    fn hand_out(&mut self, id: Id, again: bool) -> Result<Tensor> {
        let dims = self.geometry.shapes[id].dims();
        let layout = Layout::of(&dims);
        if let (Layout::Plain { .. }, false, Map::Made { buffer, .. }) =
            (layout, again, &mut self.values.maps[id])
        {
            return Ok(array::put(buffer.take(), &dims));
        }
        let mut out = self.geometry.context.pool.take(layout.len())?;
        match (layout, &self.values.maps[id]) {
            (_, Map::Nothing) => out.copy_from_slice(self.values.vector(id)?),
            (Layout::Plain { .. }, Map::Given(map)) => out.copy_from_slice(map),
            (Layout::Plain { .. }, Map::Made { buffer, .. }) => out.copy_from_slice(buffer),
            (Layout::Blocked { pixels, .. }, Map::Made { buffer, .. }) => {
                pack(buffer, pixels, &mut out);
            }
            (Layout::Blocked { .. }, Map::Given(_)) => return Err(missing(id)),
        }
        if !again {
            self.values.maps[id] = Map::Nothing;
        }
        Ok(array::put(out, &dims))
    }

    /// Lets a stage make some rows.
    fn make(&mut self, stage: &Stage, rows: &Range<usize>, sums: bool) -> Result<()> {
        let to = stage.to;
        let made = match &stage.work {
            Work::Unpack | Work::Convolve { .. } | Work::Map { .. } => {
                return self.make_map(stage, rows, sums);
            }
            Work::Sum(view) => {
                let mut all = self.take_sums(stage);
                let first = rows.start / self.geometry.multiple(stage, true);
                let (channels, _) = self.geometry.dims(to);
                let (source, context) = (
                    self.values.source(self.geometry, view)?,
                    self.geometry.context,
                );
                let pieces = rows.len().div_ceil(self.geometry.multiple(stage, true));
                let here = &mut all[first * channels..][..pieces * channels];
                maps::sums(context, &source, rows, here)?;
                self.put_sums(stage, rows, all);
                return Ok(());
            }
            Work::Norm { of, op, given } => {
                let given = match given {
                    Some([scale, shift]) => {
                        Some([self.values.vector(*scale)?, self.values.vector(*shift)?])
                    }
                    None => None,
                };
                let pixels = self.geometry.dims(*of).1.pixels();
                let (scale, shift) =
                    vectors::norm(op, self.values.summed(self.geometry, *of)?, pixels, given);
                Numbers::Scales(scale, shift)
            }
            Work::Moment { of, deviation } => {
                let pixels = self.geometry.dims(*of).1.pixels();
                let moment = |sums: &Sums| match *deviation {
                    None => (sums.sum / pixels as f64) as f32,
                    Some((epsilon, variance)) => {
                        vectors::moments(sums, pixels, epsilon, variance).1 as f32
                    }
                };
                Numbers::Vector(
                    self.values
                        .summed(self.geometry, *of)?
                        .iter()
                        .map(moment)
                        .collect(),
                )
            }
            Work::Vector { op, reads } => {
                let reads = reads.iter().map(|&id| self.values.vector(id));
                let reads = reads.collect::<Result<Vec<_>>>()?;
                let token = self.geometry.context.token;
                Numbers::Vector(vectors::compute(token, op, &reads))
            }
        };
        self.values.numbers[to] = made;
        Ok(())
    }

    /// Lets a stage make some rows of a map.
    fn make_map(&mut self, stage: &Stage, rows: &Range<usize>, sums: bool) -> Result<()> {
        let to = stage.to;
        let (channels, size) = self.geometry.dims(to);
        let Map::Made { mut buffer, first } =
            std::mem::replace(&mut self.values.maps[to], Map::Nothing)
        else {
            return Err(missing(to));
        };
        let mut all = match sums {
            true => self.take_sums(stage),
            false => Vec::new(),
        };
        let context = self.geometry.context;
        let plane = buffer.len() / channels;
        let lines = Lines {
            data: &mut *buffer,
            plane,
            first,
        };
        match &stage.work {
            Work::Convolve {
                view,
                convolution,
                add,
                activation,
                ..
            } => {
                let target = Target {
                    lines: lines.shared(),
                    size,
                    rows: rows.clone(),
                    add: add
                        .as_ref()
                        .map(|view| self.values.source(self.geometry, view))
                        .transpose()?,
                    activation: *activation,
                    sums: sums.then(|| Shared::new(&mut all)),
                };
                let convolution = &self.geometry.plan.convolutions[*convolution];
                convolution.run(context, self.values.source(self.geometry, view)?, target)?;
            }
            Work::Map {
                making,
                views,
                vector,
                activation,
            } => {
                let sources = views
                    .iter()
                    .map(|view| self.values.source(self.geometry, view));
                let job = maps::Job {
                    making: *making,
                    sources: &sources.collect::<Result<Vec<_>>>()?,
                    vector: vector.map(|id| self.values.vector(id)).transpose()?,
                    activation: *activation,
                };
                job.run(context, size, rows.clone(), lines)?;
            }
            _ => unpack(array::get("run", self.inputs[to])?, size, rows, lines),
        }
        self.values.maps[to] = Map::Made { buffer, first };
        if sums {
            self.put_sums(stage, rows, all);
        }
        Ok(())
    }

    /// The sums of all pieces of a stage that takes some.
    fn take_sums(&mut self, stage: &Stage) -> Vec<Sums> {
        let (channels, _) = self.geometry.dims(stage.to);
        let mut all = std::mem::take(&mut self.values.sums[stage.to]);
        if all.is_empty() {
            all = vec![Sums::default(); self.geometry.pieces(stage) * channels];
        }
        all
    }

    /// Puts them back; those of each channel together once all rows have been seen.
    fn put_sums(&mut self, stage: &Stage, rows: &Range<usize>, all: Vec<Sums>) {
        let (channels, size) = self.geometry.dims(stage.to);
        if rows.end < size.height {
            self.values.sums[stage.to] = all;
            return;
        }
        let mut total = vec![Sums::default(); channels];
        for piece in all.chunks_exact(channels) {
            for (total, sums) in total.iter_mut().zip(piece) {
                *total = total.with(*sums);
            }
        }
        self.values.sums[stage.to] = total;
    }
}

/// Some rows of a map, from blocks of channels to row-major.
pub(super) fn unpack(blocked: &[f32], size: Size, rows: &Range<usize>, to: Lines<&mut [f32]>) {
    let (start, count) = (rows.start * size.width, rows.len() * size.width);
    let planes = to.data.par_chunks_exact_mut(to.plane).enumerate();
    planes.for_each(|(channel, plane)| {
        let block = channel / LANES * size.pixels() + start;
        let block = &blocked[block * LANES..][..count * LANES];
        let plane = &mut plane[(rows.start - to.first) * size.width..][..count];
        for (value, lanes) in plane.iter_mut().zip(block.as_chunks::<LANES>().0) {
            *value = lanes[channel % LANES];
        }
    });
}

/// From row-major to blocks of channels.
pub(super) fn pack(plain: &[f32], pixels: usize, blocked: &mut [f32]) {
    /// Pixels of a piece, which stay in the first-level cache.
    const PIECE: usize = 256;
    let channels = plain.len() / pixels.max(1);
    let blocks = blocked
        .par_chunks_exact_mut((pixels * LANES).max(1))
        .enumerate();
    blocks.for_each(|(block, out)| {
        let first = block * LANES;
        let count = LANES.min(channels - first);
        let pieces = out.par_chunks_mut(PIECE * LANES).enumerate();
        pieces.for_each(|(index, out)| {
            let lanes = out.as_chunks_mut::<LANES>().0;
            lanes.fill([0.0; LANES]);
            for lane in 0..count {
                let from = &plain[(first + lane) * pixels + index * PIECE..];
                for (to, value) in lanes.iter_mut().zip(from) {
                    to[lane] = *value;
                }
            }
        });
    });
}
