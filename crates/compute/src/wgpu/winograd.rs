//! 3×3 convolutions by Winograd's minimal filtering F(4×4, 3×3): a quarter of the products, for more traffic.
//!
//! The transforms are those of the processor's device ([`cpu`](crate::cpu), `tile`), with the same points. Three stages,
//! for some tiles of 4×4 results at a time, so that what lies between them stays small and, on most cards, in cache:
//!
//! ```text
//! input map  ──patches───▶  [36][inputs][tiles]    Bᵀ d B; borders by padding, gradients spread behind a pool
//!            ──multiply──▶  [36][outputs][tiles]   one product per point
//!            ──results───▶  output map             Aᵀ m A, then bias, ReLU and pool, or sum and mask
//! ```
//!
//! Filters are transformed again for each map: that is little work, and they would take four times the memory. Where numbers
//! are rounded to 16 bits, filters and patches lie in memory as such; transforms and products are in f32.
//!
//! It is not for a ReLU over rows that are no multiple of four pixels: words of bits would belong to two tiles.

use super::context::Context;
use super::convolution::{Job, Numbers};
use super::gemm::{Along, Multiply, Product, Tile};
use super::kernel::{Kernel, Launch, Param, reads, reads_bits, writes, writes_bits};
use super::memory::Array;
use super::vector::GROUP;
use crate::Result;
use crate::plan::Behind;

const FILE: &str = include_str!("winograd.wgsl");
const FILTERS: Kernel = Kernel {
    name: "filters",
    file: FILE,
    operands: &[reads("x"), writes("out")],
};
const PATCHES: Kernel = Kernel {
    name: "patches",
    file: include_str!("convolution.wgsl"),
    operands: &[
        reads("x"),
        reads_bits("spread"),
        reads("scales"),
        writes("out"),
    ],
};
const MULTIPLY: Kernel = Kernel {
    name: "multiply",
    file: FILE,
    operands: &[reads("filters"), reads("patches"), writes("out")],
};
const RESULTS: Kernel = Kernel {
    name: "results",
    file: FILE,
    operands: &[
        reads("x"),
        reads("bias"),
        reads_bits("mask"),
        reads("scales"),
        writes("out"),
        writes_bits("bits"),
    ],
};

/// Rows and columns of a tile of results.
const SIDE: usize = 4;
/// Products of a tile and a pair of channels.
const POINTS: usize = (SIDE + 2) * (SIDE + 2);
/// Numbers between two stages, at most.
const BETWEEN: usize = 8 << 20;

/// The points and what follows from them, as a shader reads it.
fn points() -> String {
    let (p, q) = (0.625_f64, 1.25_f64);
    let (p2, q2) = (p * p, q * q);
    let (s, t) = (1.0 / (2.0 * p2 * (p2 - q2)), 1.0 / (2.0 * q2 * (q2 - p2)));
    format!(
        "const P = f32({p:?});\nconst Q = f32({q:?});\nconst P2 = f32({p2:?});\nconst Q2 = f32({q2:?});\n\
         const S = f32({s:?});\nconst T = f32({t:?});\n"
    )
}

/// Whether a convolution can go this way.
pub(super) fn suits(context: &Context, job: &Job<'_>) -> bool {
    let whole_words = job.behind != Behind::Relu || job.w.is_multiple_of(SIDE);
    let [tall, wide] = job.results();
    whole_words && tall > 1 && wide > 1 && context.bounds.groups as usize >= POINTS
}

/// Runs a convolution.
pub(super) fn run(context: &Context, job: &Job<'_>, numbers: Numbers<'_>) -> Result<()> {
    let more: Option<(&str, &dyn Fn() -> String)> = Some(("points", &points));
    let [tall, wide] = job.results();
    let across = wide.div_ceil(SIDE);
    let tiles = tall.div_ceil(SIDE) * across;
    let widest = job.inputs.max(job.outputs);
    let most = (BETWEEN / (POINTS * widest)).max(1);
    // One size for all large maps, so that buffers are used again.
    let between = match tiles > most {
        true => BETWEEN.max(POINTS * widest),
        false => POINTS * widest * tiles,
    };
    let each = |kernel: &Kernel,
                constants: &[(&'static str, u32)],
                operands: &[Option<&Array>],
                items: usize,
                params: &[Param]| {
        context.run(&Launch {
            kernel,
            constants,
            more,
            operands,
            params,
            groups: items.div_ceil(GROUP),
            batches: 1,
        })
    };
    let pairs = job.inputs * job.outputs;
    let factors = |count: usize| match numbers.multiply {
        Multiply::Single => context.pool.take(count),
        Multiply::Half | Multiply::Cooperative(_) => context.pool.take_half(count),
    };
    let filters = factors(POINTS * pairs)?;
    let operands = [Some(job.filters), Some(&filters)];
    let params = [Param::U(pairs), Param::F(numbers.filters)];
    each(&FILTERS, &[], &operands, pairs, &params)?;
    let (patches, products) = (factors(between)?, context.pool.take(between)?);
    for first in (0..tiles).step_by(most) {
        let count = most.min(tiles - first);
        let place = [count, first, across].map(Param::U);

        let mut params = vec![Param::U(job.inputs * count)];
        params.extend(place);
        params.extend([job.h, job.w, job.border].map(Param::U));
        params.push(Param::F(job.scale));
        let operands = [Some(job.x), job.spread, numbers.scales, Some(&patches)];
        let [source, padding] = job.before();
        each(
            &PATCHES,
            &[source, padding, numbers.constant()],
            &operands,
            job.inputs * count,
            &params,
        )?;

        Product {
            kernel: &MULTIPLY,
            tile: Tile::suggested(job.outputs, count * POINTS, &context.bounds),
            multiply: numbers.multiply,
            along: [Along::Side; 2],
            size: [job.outputs, count, job.inputs],
            splits: 1,
            batches: POINTS,
            constants: &[],
            operands: &[Some(&filters), Some(&patches), Some(&products)],
            params: &[],
        }
        .run(context)?;

        let items = job.outputs.div_ceil(8) * count;
        let mut params = vec![Param::U(items)];
        params.extend(place);
        params.extend([tall, wide, job.outputs].map(Param::U));
        params.extend([job.factor(), numbers.filters.recip()].map(Param::F));
        let operands = [
            Some(&products),
            job.bias,
            job.mask,
            numbers.scales,
            Some(job.out),
            job.bits,
        ];
        let [target, add, mask] = job.after();
        let constants = [target, add, mask, numbers.constant()];
        each(&RESULTS, &constants, &operands, items, &params)?;
    }
    Ok(())
}
