//! The product of matrices by units that multiply small ones: tensor cores, matrix cores, simdgroup matrices.
//!
//! The kernel of [`gemm`](super::gemm) with another middle. Four subgroups share a square tile, a quarter each, which is a
//! square of fragments of 8×8 or 16×16 sums in f32; slices of both operands pass through shared memory in f16. Results leave
//! by way of shared memory, a row of fragments at a time, because only there an invocation can see which number is which, and
//! that is what `finish` needs. Every tile is computed: nothing is `unwanted`.
//!
//! The graphics interface calls them experimental and so do drivers. They are asked for only where half precision is, only
//! with fragments of [`SIZES`] in f16 that are summed in f32, and only where all subgroups have the same size, since the kernel
//! has to know which quarter is whose. A shape goes this way only if it was measured to be the fastest *and* gave what the plain
//! product gave ([`tuning`](super::tuning)).

use super::bounds::Bounds;
use super::gemm::{Along, LoadLines, Loads};
use std::fmt::Write;

/// Rows, columns and depth of fragments that kernels exist for.
pub(super) const SIZES: [u32; 2] = [16, 8];
/// Depth of a slice.
pub(super) const DEPTH: usize = 16;
/// Subgroups of a workgroup, half as many below each other as it has.
const SUBGROUPS: usize = 4;
/// Numbers between two rows of a slice, so that they do not lie in the same banks.
const PAD: usize = 8;

/// What an adapter multiplies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Matrices {
    /// Rows, columns and depth.
    pub(super) size: u32,
    /// Invocations that work together.
    pub(super) subgroup: u32,
}

/// The tile of a workgroup.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    matrices: Matrices,
    /// Fragments of a subgroup, in either direction.
    fragments: usize,
}

impl Block {
    fn size(self) -> usize {
        self.matrices.size as usize
    }

    /// Rows, and columns.
    pub(super) fn side(self) -> usize {
        2 * self.fragments * self.size()
    }

    fn invocations(self) -> usize {
        SUBGROUPS * self.matrices.subgroup as usize
    }

    /// Rows that leave together.
    fn staged(self) -> usize {
        2 * self.size()
    }

    fn shared(self) -> usize {
        let slices = 2 * DEPTH * (self.side() + PAD) * 2;
        // And the places of `reduce`, which every kernel has.
        slices + self.staged() * self.side() * 4 + 1024
    }

    /// Whether an adapter can run it.
    fn fits(self, bounds: &Bounds) -> bool {
        self.shared() <= bounds.shared as usize && self.invocations() <= bounds.invocations as usize
    }

    /// The least that a product by these matrices needs.
    fn least(matrices: Matrices) -> Self {
        Self {
            matrices,
            fragments: 2,
        }
    }

    /// A good tile for a product of so many rows and columns.
    pub(super) fn suggested(matrices: Matrices, size: [usize; 2], bounds: &Bounds) -> Self {
        // Fewer tiles than this leave most of a large adapter idle.
        const BUSY: usize = 256;
        let large = Self {
            matrices,
            fragments: 4,
        };
        let tiles: usize = size.iter().map(|n| n.div_ceil(large.side())).product();
        match tiles >= BUSY && size[0] > large.side() / 2 && large.fits(bounds) {
            true => large,
            false => Self::least(matrices),
        }
    }
}

/// Whether an adapter has room for products by these matrices.
pub(super) fn fits(matrices: Matrices, bounds: &Bounds) -> bool {
    Block::least(matrices).fits(bounds)
}

/// The kernel around `load_a`, `load_b` and `finish`.
pub(super) fn source(block: Block, along: [Along; 2]) -> String {
    let (size, side, invocations) = (block.size(), block.side(), block.invocations());
    let (fragments, staged) = (block.fragments, block.staged());
    let (stride, quarter) = (side + PAD, side / 2);
    let mut lines = LoadLines::default();
    for (name, origin, along) in [('a', "m0", along[0]), ('b', "n0", along[1])] {
        let loads = Loads {
            name,
            origin,
            fours: side / 4,
            depth: DEPTH,
            invocations,
            along,
        };
        lines.add(&loads, |k, four, next| {
            let places = (0..4).map(|i| {
                format!("tile_{name}[{k} * {stride}u + {four} * 4u + {i}u] = f16({next}[{i}]);")
            });
            places.collect::<Vec<_>>().join(" ")
        });
    }
    let LoadLines {
        places,
        first,
        store,
        next,
    } = lines;
    let matrix = |kind: &str| format!("coop_mat{size}x{size}<{kind}>");
    let (a, b, c) = (matrix("f16, A"), matrix("f16, B"), matrix("f32, C"));
    let [mut sums, mut multiply, mut finish] = [const { String::new() }; 3];
    for i in 0..fragments {
        let place = format!("k * {stride}u + {}u", i * size);
        let _ = writeln!(
            multiply,
            "            let a{i} = coopLoad<{a}>(&tile_a[{place} + top], {stride}u);\n            \
             let b{i} = coopLoadT<{b}>(&tile_b[{place} + left], {stride}u);"
        );
    }
    for i in 0..fragments {
        for j in 0..fragments {
            let _ = writeln!(sums, "    var c{i}_{j}: {c};");
            let _ = writeln!(
                multiply,
                "            c{i}_{j} = coopMultiplyAdd(a{i}, b{j}, c{i}_{j});"
            );
            let _ = writeln!(
                finish,
                "    coopStoreT(c{i}_{j}, &stage[subgroup / 2u * {}u + left + {}u], {side}u);",
                size * side,
                j * size
            );
        }
        let _ = writeln!(
            finish,
            "    workgroupBarrier();\n    leave(m0 + {}u, n0, z, lane);\n    workgroupBarrier();",
            i * size
        );
    }
    format!(
        "var<workgroup> tile_a: array<f16, {}>;
var<workgroup> tile_b: array<f16, {}>;
var<workgroup> stage: array<f32, {}>;

// Hands on what is staged: a row of fragments of the upper subgroups and one of the lower.
fn leave(m: u32, n: u32, z: u32, lane: u32) {{
    for (var i = lane; i < {}u; i = i + {invocations}u) {{
        let row = i / {fours}u * 8u;
        let column = i % {fours}u * 4u;
        var rows: array<vec4f, 8>;
        for (var r = 0u; r < 8u; r++) {{
            let at = (row + r) * {side}u + column;
            rows[r] = vec4f(stage[at], stage[at + 1u], stage[at + 2u], stage[at + 3u]);
        }}
        finish(m + row / {size}u * {quarter}u + row % {size}u, n + column, z, rows);
    }}
}}

@compute @workgroup_size({invocations})
fn main(@builtin(workgroup_id) which: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32, @builtin(subgroup_id) subgroup: u32) {{
    // As `group` has it; but only of this the language sees that all invocations agree.
    let id = which.y * groups.x + which.x;
    let m0 = id % p.tiles_m * {side}u;
    let n0 = id / p.tiles_m * {side}u;
    let z = which.z;
    if (id >= p.tiles) {{
        return;
    }}
    let top = subgroup / 2u * {quarter}u;
    let left = subgroup % 2u * {quarter}u;
    var at = z % p.splits * p.slice;
    let end = min(p.k, at + p.slice);
{places}{first}{sums}    while (at < end) {{
{store}        workgroupBarrier();
        at = at + {DEPTH}u;
        if (at < end) {{
{next}        }}
        for (var k = 0u; k < {DEPTH}u; k = k + {size}u) {{
{multiply}        }}
        workgroupBarrier();
    }}
{finish}}}
",
        DEPTH * stride,
        DEPTH * stride,
        staged * side,
        staged / 8 * (side / 4),
        fours = side / 4,
    )
}
