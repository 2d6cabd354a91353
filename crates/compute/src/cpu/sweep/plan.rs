//! What is kept on the way there, and what that takes.
//!
//! Any of the maps that are small for the work behind them (those of pools) or that a loss looks at may be kept. Each
//! choice is a point between memory and work; those that no other beats in both are offered.

use super::{Keeps, OVERLAP, Route, opens, step};
use crate::cpu::estimate::{ABILITIES, SCRATCH, bits_row, filters, row};
use crate::cpu::network::CpuNetwork;
use crate::plan::{Kept, Plan, Stage};
use crate::request::{Wanted, merged};
use crate::{
    Input, Layer, Memory, NetSpec, Padding, PoolKind, Result, Size, Strips, StripsPlan, TapRequest,
};

/// Maps among which is chosen, at most; further ones are never kept.
const MOST_CHOICES: usize = 12;
/// Sums of moments, at most.
const SUMS: usize = 18 << 20;

/// Whether a network runs strip by strip as deep as some taps ask: an image, and no pool whose gradient needs what was
/// pooled, nor a border that is not zero but the image's.
pub(in crate::cpu) fn applies(spec: &NetSpec, taps: &[TapRequest]) -> bool {
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

/// The route over a picture, a tile or features that fit into memory: all rows at a time, but for those of the first two
/// stages if they [open](opens) the pass. `pixels` are those by which filters are kept.
pub(in crate::cpu) fn at_once(spec: &NetSpec, plan: &Plan, pixels: usize) -> Route {
    let opening = if opens(spec, plan) { 2 } else { 0 };
    let stages = plan.stages.iter().enumerate();
    let keeps = stages.clone().map(|(index, stage)| {
        // What the second stage makes is there as a whole, for those behind it.
        let slides = index + 1 < opening;
        Keeps {
            map: !slides && stage.kept != Kept::UntilRead,
            bits: true,
            again: slides,
            whole: !slides,
        }
    });
    let steps = stages.map(|(index, stage)| match index < opening {
        true => step(stage, plan.size, None),
        false => stage.before.height,
    });
    Route {
        keeps: keeps.collect(),
        steps: steps.collect(),
        pixels,
    }
}

/// The route over a picture that does not: a few rows at a time.
pub(in crate::cpu) fn through(plan: &Plan, strips: &Strips) -> Route {
    let kept = |stage: &Stage| stage.last.is_some_and(|last| strips.kept.contains(&last));
    let kept: Vec<bool> = plan.stages.iter().map(kept).collect();
    let stages = plan.stages.iter();
    let steps = stages.map(|stage| step(stage, plan.size, strips.rows));
    Route {
        keeps: keeps(&plan.stages, &kept),
        steps: steps.collect(),
        pixels: 0,
    }
}

/// Whether the map behind a stage is looked at on the way back.
fn looks(stage: &Stage) -> bool {
    let looks = |wanted: &Wanted| wanted.towards_moments() || wanted.in_parts;
    stage.wanted.iter().any(looks)
}

/// What is kept of each stage, given of which the map is.
fn keeps(stages: &[Stage], kept: &[bool]) -> Vec<Keeps> {
    let mut keeps: Vec<Keeps> = Vec::with_capacity(kept.len());
    // From the deepest stage on: a map that is needed and was not kept is made again, from one that was.
    let mut wanted = false;
    for (&map, stage) in kept.iter().zip(stages).rev() {
        wanted = !map && (wanted || looks(stage));
        keeps.push(Keeps {
            map,
            bits: !wanted,
            again: wanted,
            whole: false,
        });
    }
    keeps.reverse();
    keeps
}

/// A stage, and its rows at a time, in what it makes.
struct Strip<'p> {
    stage: &'p Stage,
    rows: usize,
}

impl CpuNetwork {
    /// What may be kept of an image of some size, from that which takes least memory to that which takes least work.
    pub(in crate::cpu) fn estimate_strips(
        &self,
        size: Size,
        rows: Option<usize>,
        taps: &[TapRequest],
    ) -> Result<Vec<StripsPlan>> {
        if !applies(&self.spec, taps) {
            return Ok(vec![]);
        }
        let plan = Plan::new(&self.spec, size, &merged(taps), ABILITIES)?;
        let strip = |stage| Strip {
            stage,
            rows: stage.made(step(stage, size, rows)).max(1),
        };
        let all: Vec<Strip<'_>> = plan.stages.iter().map(strip).collect();
        let choices = plan.stages.iter().enumerate();
        let choices = choices.filter(|(_, stage)| stage.pools() || looks(stage));
        let choices: Vec<usize> = choices.map(|(index, _)| index).take(MOST_CHOICES).collect();
        let mut plans: Vec<StripsPlan> = Vec::new();
        for choice in 0..1_usize << choices.len() {
            let mut kept = vec![false; plan.stages.len()];
            for (bit, &stage) in choices.iter().enumerate() {
                kept[stage] = choice >> bit & 1 == 1;
            }
            let keeps = keeps(&plan.stages, &kept);
            let layers = plan.stages.iter().zip(&kept).filter(|(_, kept)| **kept);
            plans.push(StripsPlan {
                strips: Strips {
                    rows,
                    kept: layers.filter_map(|(stage, _)| stage.last).collect(),
                },
                memory: self.memory_of(&all, &keeps, size),
                work: work(&plan, &keeps),
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

    fn memory_of(&self, all: &[Strip<'_>], keeps: &[Keeps], size: Size) -> Memory {
        let image = 3 * size.pixels() * size_of::<f32>();
        let (mut kept, mut forward, mut backward) = (0, SCRATCH + SUMS, SCRATCH + image);
        // Rows behind, for which the way back has been where a row is made again.
        let mut behind = 0;
        for (index, (Strip { stage, rows }, keeps)) in all.iter().zip(keeps).enumerate().rev() {
            let next = all.get(index + 1);
            let pools = next.is_some_and(|next| next.stage.pools());
            let reads = next.map_or(0, |next| next.rows * if pools { 2 } else { 1 });
            let (whole, width) = (stage.size.height, stage.size.width);
            let window = (reads.max(*rows) + OVERLAP).min(whole);
            behind = if pools { 2 * behind } else { behind } + rows + OVERLAP / 2;
            // The first stage makes its rows just when they are needed.
            let lag = if index > 0 { behind } else { 0 };
            let lagging = (window + lag).min(whole);
            let (map_row, bits_row) = (row(stage.channels, width), bits_row(stage));
            match keeps.map {
                true => kept += whole * map_row,
                false => forward += window * map_row,
            }
            match keeps.bits {
                true => kept += whole * bits_row,
                false => forward += window * bits_row,
            }
            if keeps.again {
                backward += lagging * (map_row + bits_row) + filters(stage);
            } else {
                behind = 0;
            }
            // Gradients, and sums of what losses say before they are added.
            backward += window * map_row + filters(stage);
            forward += filters(stage);
            for wanted in &stage.wanted {
                let row = row(stage.channels_at(&self.spec, wanted.tap), width);
                if wanted.features {
                    forward += whole * row;
                }
                if wanted.in_parts {
                    backward += 4 * rows * row;
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
fn work(plan: &Plan, keeps: &[Keeps]) -> f64 {
    let (mut once, mut again) = (0.0, 0.0);
    for (stage, keeps) in plan.stages.iter().zip(keeps) {
        let places = stage.size.pixels().max(1) as f64;
        let area = (plan.size.pixels() as f64 / places).max(1.0);
        let work = stage.work();
        once += 2.0 * (work.convolutions + work.moments) / area;
        if keeps.again {
            again += work.convolutions / area;
        }
    }
    1.0 + again / once
}
