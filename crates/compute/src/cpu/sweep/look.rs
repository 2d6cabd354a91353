//! What taps see of stages that run row by row.

use super::rung::Rung;
use crate::cpu::array::put_blocked;
use crate::cpu::memory::Buffer;
use crate::cpu::mixing::{Matrix, Operand, Pixels};
use crate::cpu::moments::{Accumulator, Lines};
use crate::cpu::network::CpuNetwork;
use crate::cpu::simd::LANES;
use crate::plan::Stage;
use crate::request::Wanted;
use crate::{Moments, Result, Size, Tap, Tensor, Window};
use std::ops::Range;

/// What the requests behind a stage have seen so far.
pub(super) struct View {
    wanted: Vec<Wanted>,
    /// Where moments are taken, and their sums.
    moments: Option<(Window, Accumulator)>,
    /// Features as a whole, in blocks, by request.
    features: Vec<Option<Buffer>>,
}

/// What the requests behind a stage see.
pub(in crate::cpu) struct Shown {
    pub(in crate::cpu) moments: Option<Moments>,
    /// By tap.
    pub(in crate::cpu) features: Vec<Option<Tensor>>,
}

impl View {
    pub(super) fn new(network: &CpuNetwork, rung: &mut Rung, window: Window) -> Result<Self> {
        let context = &network.context;
        let Stage {
            size,
            channels,
            wanted,
            ..
        } = &rung.stage;
        let moments = match wanted.iter().any(|request| request.moments) {
            true => {
                rung.map_needed = window.top;
                let gapless = window.width == size.width;
                let sums = Accumulator::new(context, *channels, window.size(), gapless)?;
                Some((window, sums))
            }
            false => None,
        };
        let mut features = Vec::with_capacity(wanted.len());
        for request in wanted {
            features.push(match request.features {
                true => {
                    let channels = rung.stage.channels_at(&network.spec, request.tap);
                    let blocks = channels.div_ceil(LANES);
                    Some(context.pool.take(blocks * size.pixels() * LANES)?)
                }
                false => None,
            });
        }
        Ok(Self {
            wanted: wanted.clone(),
            moments,
            features,
        })
    }

    /// Looks at the rows that have just been made.
    pub(super) fn look(
        &mut self,
        network: &CpuNetwork,
        rung: &mut Rung,
        made: Range<usize>,
    ) -> Result<()> {
        let Size {
            width: w,
            height: h,
        } = rung.stage.size;
        if let Some((window, sums)) = &mut self.moments {
            let there = made.end.clamp(window.top, window.bottom()) - window.top;
            let (seen, ready) = (sums.lines(), sums.ready(there));
            if ready > seen {
                let (map, strip) = rung.map();
                let lines = Lines {
                    stride: strip.pixels(),
                    start: strip.place(window.top + seen, window.left),
                    pitch: w,
                    count: ready - seen,
                    width: window.width,
                };
                sums.add(&network.context, map, lines);
                rung.map_needed = match window.top + ready {
                    bottom if bottom == window.bottom() => usize::MAX,
                    next => next,
                };
            }
        }
        for (request, whole) in self.wanted.iter().zip(&mut self.features) {
            let Some(whole) = whole else {
                continue;
            };
            let part = features_of(network, rung, request.tap, made.clone())?;
            let planes = whole.lanes_mut().chunks_exact_mut((h * w).max(1));
            for (to, from) in planes.zip(part.lanes().chunks_exact((made.len() * w).max(1))) {
                to[made.start * w..made.end * w].copy_from_slice(from);
            }
        }
        Ok(())
    }

    pub(super) fn finish(self, network: &CpuNetwork, rung: &Rung) -> Result<Shown> {
        let context = &network.context;
        let moments = match self.moments {
            Some((_, sums)) => Some(sums.finish(context)?),
            None => None,
        };
        let Size { width, height } = rung.stage.size;
        let show = |(request, buffer): (&Wanted, Option<Buffer>)| {
            let shape = [
                rung.stage.channels_at(&network.spec, request.tap),
                height,
                width,
            ];
            let shown = buffer.map(|buffer| put_blocked(context, buffer, shape));
            shown.transpose()
        };
        let features = self.wanted.iter().zip(self.features).map(show);
        Ok(Shown {
            moments,
            features: features.collect::<Result<_>>()?,
        })
    }
}

/// Some rows of the features of a tap, in blocks without gaps.
pub(super) fn features_of(
    network: &CpuNetwork,
    rung: &Rung,
    tap: Tap,
    rows: Range<usize>,
) -> Result<Buffer> {
    let context = &network.context;
    let ((map, strip), w) = (rung.map(), rung.stage.size.width);
    let count = rows.len() * w;
    let mut own = context.pool.take(rung.blocks() * count * LANES)?;
    let planes = own.lanes_mut().chunks_exact_mut(count.max(1));
    for (block, to) in planes.enumerate() {
        let start = strip.place(rows.start, 0);
        to.copy_from_slice(&strip.plane(map, block)[start..start + count]);
    }
    let Tap::Head(head) = tap else {
        return Ok(own);
    };
    let head = &network.spec.heads[head];
    let mut out = context
        .pool
        .take(head.out_channels.div_ceil(LANES) * count * LANES)?;
    let matrix = Matrix::of_head(head, rung.stage.channels);
    let operand = Operand::Into {
        x: own.lanes(),
        out: out.lanes_mut(),
    };
    matrix.apply(context, Pixels::all(count), operand)?;
    Ok(out)
}
