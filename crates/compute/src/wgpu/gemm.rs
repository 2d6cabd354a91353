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
//!
//! Operands may be rounded to 16 bits on their way into shared memory; whoever asks for it has brought them into the range
//! of f16 ([`half`](super::half)). Sums are in f32 always. Where an adapter has units for products of small matrices, the same
//! three functions serve a kernel for those ([`cooperative`](super::cooperative)).

use super::bounds::Bounds;
use super::context::Context;
use super::cooperative::{self, Matrices};
use super::kernel::{Kernel, Launch, Param};
use super::memory::Array;
use crate::Result;
use std::fmt::Write;

/// How pairs of numbers are multiplied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Multiply {
    /// As they are.
    #[default]
    Single,
    /// Rounded to f16.
    Half,
    /// Rounded to f16, by units of the adapter that multiply small matrices.
    Cooperative(Matrices),
}

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

    /// Bytes that a workgroup shares, with numbers of four bytes.
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
    pub(super) multiply: Multiply,
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
    fn slice(&self, depth_of_tile: usize) -> usize {
        let [_, _, depth] = self.size;
        depth.div_ceil(self.splits).next_multiple_of(depth_of_tile)
    }

    pub(super) fn run(&self, context: &Context) -> Result<()> {
        let [rows, columns, depth] = self.size;
        let (tile, along) = (self.tile, self.along);
        let block = match self.multiply {
            Multiply::Cooperative(matrices) => Some(cooperative::Block::suggested(
                matrices,
                [rows, columns * self.batches],
                &context.bounds,
            )),
            Multiply::Single | Multiply::Half => None,
        };
        let [high, wide, deep] = match &block {
            Some(block) => [block.side(), block.side(), cooperative::DEPTH],
            None => [tile.rows(), tile.columns(), tile.depth],
        };
        let tiles_m = rows.div_ceil(high);
        let tiles = tiles_m * columns.div_ceil(wide);
        let mut params = vec![
            Param::U(rows),
            Param::U(columns),
            Param::U(depth),
            Param::U(tiles_m),
            Param::U(tiles),
            Param::U(self.slice(deep)),
            Param::U(self.splits),
        ];
        params.extend(self.params);
        let half = self.multiply == Multiply::Half;
        let (name, text): (String, Box<dyn Fn() -> String>) = match block {
            Some(block) => (
                format!("{block:?}{along:?}"),
                Box::new(move || cooperative::source(block, along)),
            ),
            None => (
                format!("{tile:?}{along:?}{}", if half { " f16" } else { "" }),
                Box::new(move || source(tile, along, half)),
            ),
        };
        context.run(&Launch {
            kernel: self.kernel,
            constants: self.constants,
            more: Some((&name, &*text)),
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
pub(super) struct Loads {
    /// `a` or `b`.
    pub(super) name: char,
    /// Where the tile begins.
    pub(super) origin: &'static str,
    /// Fours of rows or columns in a slice.
    pub(super) fours: usize,
    /// Depth of a slice.
    pub(super) depth: usize,
    /// Those who share the loads.
    pub(super) invocations: usize,
    pub(super) along: Along,
}

/// Lines of a kernel that loads slices.
#[derive(Default)]
pub(super) struct LoadLines {
    /// Where each load reads, before the loop.
    pub(super) places: String,
    /// The first slice, into registers.
    pub(super) first: String,
    /// A slice from registers into shared memory.
    pub(super) store: String,
    /// The next slice, into registers.
    pub(super) next: String,
}

impl LoadLines {
    /// Adds an operand; `store` tells how a four of it gets into shared memory, from its place in depth, its number and its
    /// name.
    pub(super) fn add(&mut self, loads: &Loads, store: impl Fn(&str, &str, &str) -> String) {
        let Loads { name, origin, .. } = loads;
        loads.each(|j, four, k, exists| {
            let next = format!("next_{name}{j}");
            let load = format!(
                "if ({exists}) {{ {next} = load_{name}(place_{name}{j}, at + {k}, end, z); }}"
            );
            let store = store(k, four, &next);
            let _ = writeln!(
                self.places,
                "    let place_{name}{j} = place_{name}({origin} + {four} * 4u);"
            );
            let _ = writeln!(self.first, "    var {next} = vec4f();\n    {load}");
            let _ = writeln!(self.store, "        if ({exists}) {{ {store} }}");
            let _ = writeln!(self.next, "            {load}");
        });
    }
}

impl Loads {
    /// Calls `each` with the number of a load, its four, its place in depth and the condition under which it exists.
    fn each(&self, mut each: impl FnMut(usize, &str, &str, &str)) {
        let (fours, depth, invocations) = (self.fours, self.depth, self.invocations);
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
fn source(tile: Tile, along: [Along; 2], half: bool) -> String {
    // What shared memory holds.
    let four = if half { "vec4<f16>" } else { "vec4f" };
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
            depth,
            invocations: tile.invocations(),
            along: along[0],
        },
        Loads {
            name: 'b',
            origin: "n0",
            fours: tile.columns() / 4,
            depth,
            invocations: tile.invocations(),
            along: along[1],
        },
    ];
    let mut lines = LoadLines::default();
    for (loads, stride) in operands.iter().zip([stride_a, stride_b]) {
        let name = loads.name;
        lines.add(loads, |k, at, next| {
            format!("tile_{name}[{k} * {stride}u + {at}] = {four}({next});")
        });
    }
    let LoadLines {
        places,
        first,
        store,
        next,
    } = lines;
    let [mut sums, mut multiply, mut finish] = [const { String::new() }; 3];
    for q in 0..fours {
        let _ = writeln!(
            multiply,
            "            let b{q} = vec4f(tile_b[k * {stride_b}u + x + {}u]);",
            q * wide
        );
    }
    for half in 0..2 {
        let _ = writeln!(
            multiply,
            "            let a{half} = vec4f(tile_a[k * {stride_a}u + y * 2u + {half}u]);"
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
        "var<workgroup> tile_a: array<{four}, {}>;
var<workgroup> tile_b: array<{four}, {}>;

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
