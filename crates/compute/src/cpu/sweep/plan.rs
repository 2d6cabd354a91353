//! What is kept on the way there, and what that takes.
//!
//! Any of the maps that are small for the work behind them (those of pools) or that a loss looks at may be kept. Each
//! choice is a point between memory and work; those that no other beats in both are offered.

use super::{Keeps, OVERLAP, Route, opens, step};
use crate::cpu::network::CpuNetwork;
use crate::cpu::plan::{Operation, Stage, stages};
use crate::cpu::simd::{LANES, Lanes};
use crate::request::Wanted;
use crate::{Input, Layer, Memory, NetSpec, Padding, PoolKind, Result, Strips, StripsPlan, Tap};

/// Maps among which is chosen, at most; further ones are never kept.
const MOST_CHOICES: usize = 12;
/// Products of a tile and transformed filters, per pair of channels: 36 floats for every 9.
const FILTER_BYTES: usize = 36 * size_of::<f32>();
/// What threads keep while they convolve.
const SCRATCH: usize = 24 << 20;
/// Sums of moments, at most.
const SUMS: usize = 18 << 20;
/// Products that take as long as reading or writing a channel.
const TRAFFIC: f64 = 256.0;

/// Whether a network runs strip by strip as deep as some taps ask: an image, and no pool whose gradient needs what was
/// pooled, nor a border that is not zero but the image's.
pub(in crate::cpu) fn applies(spec: &NetSpec, taps: &[Wanted]) -> bool {
    let deepest = taps
        .iter()
        .filter_map(|request| spec.layer_of(request.tap).ok())
        .max();
    let Some(layers) = deepest.and_then(|deepest| spec.layers.get(..=deepest)) else {
        return false;
    };
    let fits = |(index, layer): (usize, &Layer)| match layer {
        Layer::Conv(conv) => index == 0 || conv.padding == Padding::Zero,
        Layer::Relu => true,
        Layer::Pool(pool) => pool.kind != PoolKind::L2,
    };
    matches!(spec.input, Input::Image(_))
        && matches!(layers.first(), Some(Layer::Conv(_)))
        && layers.iter().enumerate().all(fits)
}

/// The route over the first two stages of a picture that is there as a whole, if they run row by row.
pub(in crate::cpu) fn opening(
    spec: &NetSpec,
    plan: &[Stage],
    asked: &[Wanted],
    pixels: usize,
) -> Option<Route> {
    opens(spec, plan, asked).then(|| Route {
        keeps: vec![
            Keeps {
                map: false,
                bits: true,
                again: true,
            },
            Keeps {
                map: true,
                bits: true,
                again: false,
            },
        ],
        rows: None,
        pixels,
    })
}

/// The route over all stages of a plan, given what is asked behind each.
pub(in crate::cpu) fn through(plan: &[Stage], asked: &[Vec<Wanted>], strips: &Strips) -> Route {
    let kept: Vec<bool> = plan
        .iter()
        .map(|stage| strips.kept.contains(&stage.last))
        .collect();
    Route {
        keeps: keeps(&kept, asked),
        rows: strips.rows,
        pixels: 0,
    }
}

/// Whether the map behind a stage is looked at on the way back.
fn looks(asked: &[Wanted]) -> bool {
    asked
        .iter()
        .any(|request| request.towards_moments() || request.in_parts)
}

fn keeps(kept: &[bool], asked: &[Vec<Wanted>]) -> Vec<Keeps> {
    let mut keeps: Vec<Keeps> = Vec::with_capacity(kept.len());
    // From the deepest stage on: a map that is needed and was not kept is made again, from one that was.
    let mut wanted = false;
    for (map, asked) in kept.iter().zip(asked).rev() {
        wanted = !map && (wanted || looks(asked));
        keeps.push(Keeps {
            map: *map,
            bits: !wanted,
            again: wanted,
        });
    }
    keeps.reverse();
    keeps
}

/// A stage and its sizes.
struct Sized {
    stage: Stage,
    /// Channels that it reads and makes.
    channels: (usize, usize),
    /// What it makes.
    size: (usize, usize),
    /// Rows of the map at a time, in what it makes.
    rows: usize,
    /// Bytes of a row of its map, and of its bits.
    row: usize,
    bits_row: usize,
    asked: Vec<Wanted>,
}

impl Sized {
    fn filters(&self) -> usize {
        match self.stage.operation {
            Operation::Conv { .. } => self.channels.0 * self.channels.1 * FILTER_BYTES,
            _ => 0,
        }
    }

    /// Products per place: of its convolution, of moments.
    fn work(&self, first: bool) -> (f64, f64) {
        let (i, o) = (self.channels.0 as f64, self.channels.1 as f64);
        let products = if first { 9.0 } else { 9.0 / 4.0 };
        let convolution = match self.stage.operation {
            Operation::Conv { .. } => products * i * o + TRAFFIC * (i + o),
            _ => TRAFFIC * o,
        };
        let moments = self.asked.iter().any(|request| request.moments);
        (convolution, if moments { o * o } else { 0.0 })
    }
}

impl CpuNetwork {
    /// What may be kept of an image of `h×w`, from that which takes least memory to that which takes least work.
    pub(in crate::cpu) fn estimate_strips(
        &self,
        (h, w): (usize, usize),
        rows: Option<usize>,
        requests: &[Wanted],
    ) -> Result<Vec<StripsPlan>> {
        if !applies(&self.spec, requests) {
            return Ok(vec![]);
        }
        let mut ends = Vec::with_capacity(requests.len());
        for request in requests {
            self.spec.shape_at(request.tap, h, w)?;
            ends.push(self.spec.layer_of(request.tap)?);
        }
        let deepest = ends.iter().copied().max().unwrap_or(0);
        let mut sized: Vec<Sized> = Vec::new();
        let mut choices = Vec::new();
        for (index, stage) in stages(&self.spec, deepest, &ends).into_iter().enumerate() {
            let (before, (bh, bw)) = match sized.last() {
                Some(last) => (last.channels.1, last.size),
                None => (self.spec.input.channels(), (h, w)),
            };
            let (channels, per_pixel, pools) = self.makes(&stage, before)?;
            let half = if pools { 2 } else { 1 };
            let size = (bh / half, bw / half);
            let here = requests
                .iter()
                .zip(&ends)
                .filter(|(_, end)| **end == stage.last);
            let asked: Vec<_> = here.map(|(request, _)| *request).collect();
            if (pools || looks(&asked)) && choices.len() < MOST_CHOICES {
                choices.push(index);
            }
            let stride = h / bh.max(1);
            let blocks = channels.div_ceil(LANES);
            sized.push(Sized {
                stage,
                channels: (before, channels),
                size,
                rows: (step(channels, bw, rows.map(|rows| rows / stride.max(1))) / half).max(1),
                row: blocks * size.1 * size_of::<Lanes>(),
                bits_row: blocks * size.1 * per_pixel * size_of::<u16>(),
                asked,
            });
        }
        let asked: Vec<_> = sized.iter().map(|sized| sized.asked.clone()).collect();
        let mut plans: Vec<StripsPlan> = Vec::new();
        for choice in 0..1_usize << choices.len() {
            let mut kept = vec![false; sized.len()];
            for (bit, &stage) in choices.iter().enumerate() {
                kept[stage] = choice >> bit & 1 == 1;
            }
            let keeps = keeps(&kept, &asked);
            let layers = sized.iter().zip(&kept).filter(|(_, kept)| **kept);
            plans.push(StripsPlan {
                strips: Strips {
                    rows,
                    kept: layers.map(|(sized, _)| sized.stage.last).collect(),
                },
                memory: self.memory_of(&sized, &keeps, (h, w)),
                work: work(&sized, &keeps, h * w),
            });
        }
        let peak = |plan: &StripsPlan| plan.memory.forward.max(plan.memory.backward);
        plans.sort_by(|a, b| peak(a).cmp(&peak(b)).then(a.work.total_cmp(&b.work)));
        let mut least = f64::INFINITY;
        plans.retain(|plan| {
            let better = plan.work < least;
            least = least.min(plan.work);
            better
        });
        Ok(plans)
    }

    fn memory_of(&self, sized: &[Sized], keeps: &[Keeps], (h, w): (usize, usize)) -> Memory {
        let image = 3 * h * w * size_of::<f32>();
        let (mut kept, mut forward, mut backward) = (0, SCRATCH + SUMS, SCRATCH + image);
        // Rows behind, for which the way back has been where a row is made again.
        let mut behind = 0;
        for (index, (here, keeps)) in sized.iter().zip(keeps).enumerate().rev() {
            let next = sized.get(index + 1);
            let pools = next.is_some_and(|next| next.size.0 < here.size.0);
            let reads = next.map_or(0, |next| next.rows * if pools { 2 } else { 1 });
            let window = (reads.max(here.rows) + OVERLAP).min(here.size.0);
            behind = if pools { 2 * behind } else { behind } + here.rows + OVERLAP / 2;
            // The first stage makes its rows just when they are needed.
            let lag = if index > 0 { behind } else { 0 };
            let lagging = (window + lag).min(here.size.0);
            let whole = here.size.0;
            match keeps.map {
                true => kept += whole * here.row,
                false => forward += window * here.row,
            }
            match keeps.bits {
                true => kept += whole * here.bits_row,
                false => forward += window * here.bits_row,
            }
            if keeps.again {
                backward += lagging * (here.row + here.bits_row) + here.filters();
            } else {
                behind = 0;
            }
            // Gradients, and sums of what losses say before they are added.
            backward += window * here.row + here.filters();
            forward += here.filters();
            for request in &here.asked {
                let channels = match request.tap {
                    Tap::Layer(_) => here.channels.1,
                    Tap::Head(head) => self.spec.heads[head].out_channels,
                };
                let row = channels.div_ceil(LANES) * here.size.1 * size_of::<Lanes>();
                if request.features {
                    forward += whole * row;
                }
                if request.in_parts {
                    backward += 4 * here.rows * row;
                }
            }
        }
        Memory {
            forward: kept + forward,
            kept,
            backward: kept + backward,
            prepared: 0,
        }
    }
}

/// Products of both ways, over those of a picture that is there as a whole.
fn work(sized: &[Sized], keeps: &[Keeps], pixels: usize) -> f64 {
    let (mut once, mut again) = (0.0, 0.0);
    for (index, (here, keeps)) in sized.iter().zip(keeps).enumerate() {
        let stride = (pixels as f64 / (here.size.0 * here.size.1).max(1) as f64).max(1.0);
        // A pool that is fused runs in the map before it.
        let fused = match here.stage.operation {
            Operation::Conv {
                behind: crate::cpu::plan::Behind::ReluPool { .. },
                ..
            } => 4.0,
            _ => 1.0,
        };
        let (convolution, moments) = here.work(index == 0);
        once += 2.0 * (fused * convolution + moments) / stride;
        if keeps.again {
            again += fused * convolution / stride;
        }
    }
    1.0 + again / once
}
