//! What taps see of stages.

use super::answers::copy;
use super::stage_rows::StageRows;
use crate::cpu::array::put_blocked;
use crate::cpu::memory::Buffer;
use crate::cpu::mixing::{Matrix, Operand, Pixels};
use crate::cpu::moments::{Accumulator, Lines};
use crate::cpu::network::CpuNetwork;
use crate::cpu::simd::{LANES, Lanes};
use crate::request::Wanted;
use crate::{Moments, Result, Size, Tap, Tensor, Window};
use std::ops::Range;

/// What the requests behind a stage have seen so far.
pub(super) struct View {
    wanted: Vec<Wanted>,
    /// Where moments are taken.
    window: Window,
    /// Their sums, from the first row that is seen to the last.
    sums: Option<Accumulator>,
    moments: Option<Moments>,
    /// Features as a whole, in blocks, by request, where they are not the map itself.
    features: Vec<Option<Buffer>>,
}

/// What the requests behind a stage see.
pub(in crate::cpu) struct StageViews {
    pub(in crate::cpu) moments: Option<Moments>,
    /// By tap.
    pub(in crate::cpu) features: Vec<Features>,
}

/// Where the features of a tap are.
#[derive(Debug)]
pub(in crate::cpu) enum Features {
    /// Not asked for.
    Unasked,
    /// They are the map itself, which the way back needs.
    OfMap(Tensor),
    /// They are a tensor of their own.
    Own(Tensor),
    /// Nobody wants to see them any more; the map itself if the way back needs it.
    Released(Option<Tensor>),
}

/// Whether a request is shown the map of a stage, as a whole.
fn shows_map(held: &StageRows, request: &Wanted) -> bool {
    held.keeps.whole && matches!(request.tap, Tap::Layer(_))
}

impl View {
    /// Nothing is seen yet.
    pub(super) fn new(held: &mut StageRows, window: Window) -> Self {
        let wanted = held.stage.wanted.clone();
        if wanted.iter().any(|request| request.moments) {
            held.map_needed = window.top;
        }
        Self {
            features: wanted.iter().map(|_| None).collect(),
            wanted,
            window,
            sums: None,
            moments: None,
        }
    }

    /// Looks at the rows that have just been made.
    pub(super) fn look(
        &mut self,
        network: &CpuNetwork,
        held: &mut StageRows,
        made: Range<usize>,
    ) -> Result<()> {
        if self.wanted.iter().any(|request| request.moments) {
            self.sum(network, held, made.end)?;
        }
        let size = held.stage.size;
        for (request, whole) in self.wanted.iter().zip(&mut self.features) {
            if !request.features || shows_map(held, request) {
                continue;
            }
            let whole = match whole {
                Some(whole) => whole,
                none => {
                    let channels = held.stage.channels_at(&network.spec, request.tap);
                    let blocks = channels.div_ceil(LANES);
                    none.insert(network.context.pool.take(blocks * size.pixels() * LANES)?)
                }
            };
            let here = Pixels {
                stride: size.pixels(),
                start: made.start * size.width,
                count: made.len() * size.width,
            };
            write_features(
                network,
                held,
                request.tap,
                made.start,
                (whole.lanes_mut(), here),
            )?;
        }
        Ok(())
    }

    /// Adds rows up to `made` to the sums of moments.
    fn sum(&mut self, network: &CpuNetwork, held: &mut StageRows, made: usize) -> Result<()> {
        let (context, window, stage) = (&network.context, &self.window, &held.stage);
        let sums = match &mut self.sums {
            Some(sums) => sums,
            none if self.moments.is_none() => {
                let gapless = window.width == stage.size.width;
                let size = window.size();
                none.insert(Accumulator::new(context, stage.channels, size, gapless)?)
            }
            // All that belongs to them has been seen.
            None => return Ok(()),
        };
        let there = made.clamp(window.top, window.bottom()) - window.top;
        let (seen, ready) = (sums.lines(), sums.ready(there));
        if ready > seen {
            let (map, strip) = held.map();
            let lines = Lines {
                stride: strip.pixels(),
                start: strip.place(window.top + seen, window.left),
                pitch: stage.size.width,
                count: ready - seen,
                width: window.width,
            };
            sums.add(context, map, lines);
            held.map_needed = window.top + ready;
        }
        if ready == window.height
            && let Some(sums) = self.sums.take()
        {
            self.moments = Some(sums.finish(context)?);
            held.map_needed = usize::MAX;
        }
        Ok(())
    }

    /// What was seen, when all rows were.
    pub(super) fn finish(self, network: &CpuNetwork, held: &mut StageRows) -> Result<StageViews> {
        let Size { width, height } = held.stage.size;
        let mut features = Vec::with_capacity(self.wanted.len());
        for (request, buffer) in self.wanted.iter().zip(self.features) {
            features.push(match buffer {
                Some(buffer) => {
                    let channels = held.stage.channels_at(&network.spec, request.tap);
                    let shape = [channels, height, width];
                    Features::Own(put_blocked(&network.context, buffer, shape)?)
                }
                None if request.features && shows_map(held, request) => held.show(network)?,
                None => Features::Unasked,
            });
        }
        Ok(StageViews {
            moments: self.moments,
            features,
        })
    }
}

/// Writes the features of a tap from row `first` on, in blocks, as many pixels as there is room for.
fn write_features(
    network: &CpuNetwork,
    held: &StageRows,
    tap: Tap,
    first: usize,
    (out, here): (&mut [Lanes], Pixels),
) -> Result<()> {
    let (map, strip) = held.map();
    let there = Pixels {
        stride: strip.pixels(),
        start: strip.place(first, 0),
        count: here.count,
    };
    match tap {
        Tap::Layer(_) => {
            copy((map, there), (out, here));
            Ok(())
        }
        Tap::Head(head) => {
            let matrix = Matrix::of_head(&network.spec.heads[head], held.stage.channels);
            let operand = Operand::Across {
                x: map,
                there,
                out,
                add: None,
            };
            matrix.apply(&network.context, here, operand)
        }
    }
}

/// Some rows of the features of a tap, in blocks without gaps.
pub(super) fn features_of(
    network: &CpuNetwork,
    held: &StageRows,
    tap: Tap,
    rows: Range<usize>,
) -> Result<Buffer> {
    let blocks = held.stage.channels_at(&network.spec, tap).div_ceil(LANES);
    let count = rows.len() * held.stage.size.width;
    let mut part = network.context.pool.take(blocks * count * LANES)?;
    let to = (part.lanes_mut(), Pixels::all(count));
    write_features(network, held, tap, rows.start, to)?;
    Ok(part)
}
