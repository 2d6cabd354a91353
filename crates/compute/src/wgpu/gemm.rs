//! One product of matrices for everything: convolutions, moments, heads, fidelity.
//!
//! ```text
//! C[m, n] = Σ_k A(m, k)·B(k, n)
//! ```
//!
//! The kernel is written here, around three functions that a kernel file brings along: `load_a` and `load_b` say where
//! four rows or columns of the operands come from (a convolution gathers pixels there), `finish` takes eight rows
//! by four columns of the result (a convolution adds its bias there, applies ReLU and pools). A workgroup computes a
//! tile; both operands pass through its shared memory in slices of the depth, and the next slice is loaded into
//! registers while this one is multiplied. Every invocation keeps eight rows by four or eight columns in registers.

use super::context::{Bounds, Context};
use super::kernel::{Kernel, Launch, Param};
use super::memory::Array;
use crate::Result;
use std::fmt::Write;

/// The shape of a workgroup's tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Tile {
    /// Invocations below each other, of eight rows each.
    high: usize,
    /// Invocations beside each other.
    wide: usize,
    /// Columns of an invocation in fours: 1 or 2.
    fours: usize,
    /// Depth of a slice.
    depth: usize,
}

impl Tile {
    /// Eight rows: for the gradient of three image channels.
    pub(super) const THIN: Self = Self {
        high: 1,
        wide: 64,
        fours: 1,
        depth: 8,
    };
    /// 64 rows, 64 columns.
    pub(super) const SMALL: Self = Self {
        high: 8,
        wide: 16,
        fours: 1,
        depth: 16,
    };
    /// 64 rows, 128 columns.
    pub(super) const WIDE: Self = Self {
        high: 8,
        wide: 16,
        fours: 2,
        depth: 16,
    };
    /// 128 rows, 128 columns.
    pub(super) const LARGE: Self = Self {
        high: 16,
        wide: 16,
        fours: 2,
        depth: 8,
    };

    pub(super) fn rows(self) -> usize {
        self.high * 8
    }

    pub(super) fn columns(self) -> usize {
        self.wide * self.fours * 4
    }

    fn invocations(self) -> usize {
        self.high * self.wide
    }

    /// Places of a row of a slice in shared memory; one more than needed, so that neighbours in depth do not collide.
    fn strides(self) -> [usize; 2] {
        [self.rows() / 4 + 1, self.columns() / 4 + 1]
    }

    fn shared(self) -> usize {
        let [a, b] = self.strides();
        // And the places of `reduce`, which every kernel has.
        self.depth * (a + b) * 16 + 1024
    }

    /// Whether an adapter can run it.
    pub(super) fn fits(self, bounds: &Bounds) -> bool {
        self.shared() <= bounds.shared as usize && self.invocations() <= bounds.invocations as usize
    }

    /// A good tile for a product of so many rows and columns.
    pub(super) fn suggested(rows: usize, columns: usize, bounds: &Bounds) -> Self {
        // Fewer tiles than this leave most of a large adapter idle.
        const BUSY: usize = 256;
        let tiles = |tile: Self| rows.div_ceil(tile.rows()) * columns.div_ceil(tile.columns());
        let choices: &[Self] = match rows {
            0..=8 => &[Self::THIN],
            9..=64 => &[Self::WIDE],
            _ => &[Self::LARGE, Self::WIDE],
        };
        let good = |tile: &&Self| tiles(**tile) >= BUSY && tile.fits(bounds);
        let thin = rows <= 8;
        choices
            .iter()
            .find(good)
            .copied()
            .unwrap_or(if thin { Self::THIN } else { Self::SMALL })
    }
}

/// Which of its indices an operand is contiguous in, and so how invocations share its loads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Along {
    /// Rows of `A`, columns of `B`.
    Side,
    /// The depth.
    Depth,
}

/// A product to run.
#[derive(Debug)]
pub(super) struct Product<'a> {
    pub(super) kernel: &'a Kernel,
    pub(super) tile: Tile,
    pub(super) along: [Along; 2],
    /// Rows, columns, depth.
    pub(super) size: [usize; 3],
    /// Slices of the depth that are summed apart.
    pub(super) splits: usize,
    /// The same product of several operands.
    pub(super) batches: usize,
    pub(super) constants: &'a [(&'static str, u32)],
    pub(super) operands: &'a [Option<&'a Array>],
    /// What follows the fields of every product in `Params`.
    pub(super) params: &'a [Param],
}

impl Product<'_> {
    /// The depth that one slice sums.
    fn slice(&self) -> usize {
        let [_, _, depth] = self.size;
        depth
            .div_ceil(self.splits)
            .next_multiple_of(self.tile.depth)
    }

    pub(super) fn run(&self, context: &Context) -> Result<()> {
        let [rows, columns, depth] = self.size;
        let tiles_m = rows.div_ceil(self.tile.rows());
        let tiles = tiles_m * columns.div_ceil(self.tile.columns());
        let mut params = vec![
            Param::U(rows),
            Param::U(columns),
            Param::U(depth),
            Param::U(tiles_m),
            Param::U(tiles),
            Param::U(self.slice()),
            Param::U(self.splits),
        ];
        params.extend(self.params);
        let name = format!("{:?}{:?}", self.tile, self.along);
        context.run(&Launch {
            kernel: self.kernel,
            constants: self.constants,
            more: Some((&name, &|| source(self.tile, self.along))),
            operands: self.operands,
            params: &params,
            groups: tiles,
            batches: self.splits * self.batches,
        })?;
        let work = [rows, columns, depth, self.batches];
        context.worked(work.map(|n| n as u64).into_iter().product())
    }
}

/// How an operand gets into shared memory.
struct Loads {
    /// `a` or `b`.
    name: char,
    /// Where the tile begins.
    origin: &'static str,
    /// Fours of rows or columns in a slice.
    fours: usize,
    stride: usize,
    along: Along,
}

impl Loads {
    /// Calls `each` with the number of a load, its four, its place in depth and the condition under which it exists.
    fn each(&self, tile: Tile, mut each: impl FnMut(usize, &str, &str, &str)) {
        let (fours, depth, invocations) = (self.fours, tile.depth, tile.invocations());
        let count = fours * depth;
        for j in 0..count.div_ceil(invocations) {
            let index = format!("(lane + {}u)", j * invocations);
            let (four, k) = match self.along {
                // The four stays the same where the invocations are a multiple of them.
                Along::Side if invocations % fours == 0 => (
                    format!("(lane % {fours}u)"),
                    format!("(lane / {fours}u + {}u)", j * invocations / fours),
                ),
                Along::Side => (
                    format!("({index} % {fours}u)"),
                    format!("({index} / {fours}u)"),
                ),
                Along::Depth => (
                    format!("({index} / {depth}u)"),
                    format!("({index} % {depth}u)"),
                ),
            };
            let exists = if (j + 1) * invocations <= count {
                "true".into()
            } else {
                format!("{index} < {count}u")
            };
            each(j, &four, &k, &exists);
        }
    }
}

/// The kernel around `load_a`, `load_b` and `finish`.
fn source(tile: Tile, along: [Along; 2]) -> String {
    let [stride_a, stride_b] = tile.strides();
    let Tile {
        high,
        wide,
        fours,
        depth,
    } = tile;
    let operands = [
        Loads {
            name: 'a',
            origin: "m0",
            fours: tile.rows() / 4,
            stride: stride_a,
            along: along[0],
        },
        Loads {
            name: 'b',
            origin: "n0",
            fours: tile.columns() / 4,
            stride: stride_b,
            along: along[1],
        },
    ];
    let [mut places, mut first, mut store, mut next] = [const { String::new() }; 4];
    for loads in &operands {
        let Loads {
            name,
            origin,
            stride,
            ..
        } = loads;
        loads.each(tile, |j, four, k, exists| {
            let _ = writeln!(places, "    let place_{name}{j} = place_{name}({origin} + {four} * 4u);");
            let load = format!(
                "if ({exists}) {{ next_{name}{j} = load_{name}(place_{name}{j}, at + {k}, end, z); }}"
            );
            let _ = writeln!(first, "    var next_{name}{j} = vec4f();\n    {load}");
            let _ = writeln!(
                store,
                "        if ({exists}) {{ tile_{name}[{k} * {stride}u + {four}] = next_{name}{j}; }}"
            );
            let _ = writeln!(next, "            {load}");
        });
    }
    let [mut sums, mut multiply, mut finish] = [const { String::new() }; 3];
    for q in 0..fours {
        let _ = writeln!(
            multiply,
            "            let b{q} = tile_b[k * {stride_b}u + x + {}u];",
            q * wide
        );
    }
    for half in 0..2 {
        let _ = writeln!(
            multiply,
            "            let a{half} = tile_a[k * {stride_a}u + y * 2u + {half}u];"
        );
    }
    for row in 0..8 {
        for q in 0..fours {
            let _ = writeln!(sums, "    var c{row}_{q} = vec4f();");
            let a = format!("a{}.{}", row / 4, ["x", "y", "z", "w"][row % 4]);
            let _ = writeln!(
                multiply,
                "            c{row}_{q} = c{row}_{q} + {a} * b{q};"
            );
        }
    }
    for q in 0..fours {
        let rows: Vec<String> = (0..8).map(|row| format!("c{row}_{q}")).collect();
        let _ = writeln!(
            finish,
            "    finish(m0 + y * 8u, n0 + (x + {}u) * 4u, z, array<vec4f, 8>({}));",
            q * wide,
            rows.join(", ")
        );
    }
    format!(
        "var<workgroup> tile_a: array<vec4f, {}>;
var<workgroup> tile_b: array<vec4f, {}>;

@compute @workgroup_size({})
fn main(@builtin(workgroup_id) which: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {{
    let id = group(which, groups);
    let m0 = id % p.tiles_m * {}u;
    let n0 = id / p.tiles_m * {}u;
    let z = which.z;
    if (id >= p.tiles || unwanted(m0, n0, z)) {{
        return;
    }}
    let x = lane % {wide}u;
    let y = lane / {wide}u;
    var at = z % p.splits * p.slice;
    let end = min(p.k, at + p.slice);
{places}{first}{sums}    while (at < end) {{
{store}        workgroupBarrier();
        at = at + {depth}u;
        if (at < end) {{
{next}        }}
        for (var k = 0u; k < {depth}u; k++) {{
{multiply}        }}
        workgroupBarrier();
    }}
{finish}}}
",
        depth * stride_a,
        depth * stride_b,
        high * wide,
        tile.rows(),
        tile.columns(),
    )
}
