//! Gradients towards filters: correlations of two maps,
//!
//! ```text
//! w[a, b, t] = Σ_y low[a, y] · high[b, s·y + t − before]
//! ```
//!
//! where of a convolution `low` is the gradient towards what it has made and `high` is what it has read, and of a transposed
//! one the other way round. Places are cut into tiles, and what a tile reads of `high` is copied first, prepared as its
//! [`Source`] says and continued beyond the border; rows and columns lie by their remainders to the stride, so that what a tap
//! reads lies in a row. Then one of two kernels runs:
//!
//! * *Products*: vectors run along the channels of `low`, which are turned for that, and each is multiplied by numbers of
//!   `high` that are broadcast. No sum runs across lanes.
//! * *Dots* where `low` has few channels: vectors run along places.
//!
//! Every sum is taken by one thread, tile after tile, so that it is the same for any number of threads.

use super::super::product::SLACK;
use super::super::view::Source;
use crate::cpu::Context;
use crate::cpu::shared::Shared;
use crate::cpu::simd::{Isa, with_simd};
use crate::graph::{Convolution, TransposedConvolution};
use crate::{Padding, Result, Size};
use fearless_simd::prelude::*;
use rayon::prelude::*;
use std::ops::Range;

/// Places of a tile, about: of products, whose panels stay in the first-level cache, and of dots, whose sums across lanes
/// are to be few.
const PRODUCTS: usize = 256;
const DOTS: usize = 1536;
/// Columns of a tile, at most.
const COLUMNS: usize = 256;
/// Channels of `low` in a group up to which dots are taken; and as many as are taken at once.
const FEW: usize = 6;
const AT_ONCE: usize = 4;
/// Floats of `high` that a piece of products reads at a time, about, at most: half a second-level cache.
const READ: usize = 64 << 10;
/// Pieces of work that are wanted, so that threads are busy to the end.
const PIECES: usize = 16;

/// What is correlated.
pub(super) struct Correlation<'a> {
    /// `[a, h, w]`.
    pub(super) low: Source<'a>,
    /// `[b, H, W]`.
    pub(super) high: Source<'a>,
    /// Height and width of the filters.
    pub(super) kernel: [usize; 2],
    pub(super) stride: usize,
    /// Places of `high` before the first one, downwards and to the right.
    pub(super) before: [usize; 2],
    /// What lies beyond the border of `high`.
    pub(super) padding: Padding,
    /// Groups of channels that do not see each other.
    pub(super) groups: usize,
}

/// Of which filters the gradient is wanted.
#[derive(Clone, Copy)]
pub(super) enum Correlated<'a> {
    Convolution(&'a Convolution),
    Transposed(&'a TransposedConvolution),
}

impl<'a> Correlation<'a> {
    /// The gradient towards filters, from that towards what they have made of `x`.
    pub(super) fn new(filters: Correlated<'_>, g: Source<'a>, x: Source<'a>) -> Self {
        match filters {
            Correlated::Convolution(op) => {
                let Size { width, height } = x.size();
                let [h, w] = op.kernel;
                Self {
                    low: g,
                    high: x,
                    kernel: op.kernel,
                    stride: op.stride,
                    before: [
                        op.border.before(height, h, op.stride),
                        op.border.before(width, w, op.stride),
                    ],
                    padding: op.border.padding(),
                    groups: op.groups,
                }
            }
            Correlated::Transposed(op) => Self {
                low: x,
                high: g,
                kernel: [op.kernel; 2],
                stride: op.stride,
                before: [op.before; 2],
                padding: Padding::Zero,
                groups: 1,
            },
        }
    }
}

/// How places are cut.
#[derive(Clone, Copy)]
struct Tiling {
    rows: usize,
    columns: usize,
}

impl Tiling {
    /// Tiles of so many places, about.
    fn new(size: Size, places: usize) -> Self {
        let columns = size.width.div_ceil(size.width.div_ceil(COLUMNS));
        let rows = (places / columns).clamp(1, size.height);
        Self {
            rows: size.height.div_ceil(size.height.div_ceil(rows)),
            columns,
        }
    }
}

/// Places of `low` that are worked on together.
struct Tile {
    rows: Range<usize>,
    columns: Range<usize>,
}

/// How what a tile reads of a channel of `high` lies: planes by the remainders of rows and columns to the stride.
#[derive(Clone, Copy)]
struct Packed {
    /// From one row to the next.
    pitch: usize,
    /// From one plane to the next.
    plane: usize,
    /// From one channel to the next.
    channel: usize,
}

/// The shape of the products: what a call of the kernel makes.
struct Panel<'a> {
    /// `[place][lane]` of `low`.
    low: &'a [f32],
    /// Rows and columns of the tile.
    rows: usize,
    columns: usize,
    high: &'a [f32],
    pitch: usize,
}

impl Correlation<'_> {
    /// Floats that the threads take at most, in all.
    pub(super) fn room(&self, context: &Context) -> usize {
        let each: usize = match self.is_few() {
            true => self.room_of_dots().iter().sum(),
            false => self.room_of_products(context).iter().sum(),
        };
        context.threads.current_num_threads() * each
    }

    /// Adds to `to` `[a][b/groups][taps]`.
    pub(super) fn add(&self, context: &Context, to: &mut [f32]) -> Result<()> {
        match self.is_few() {
            true => self.add_dots(context, to),
            false => self.add_products(context, to),
        }
    }

    fn is_few(&self) -> bool {
        self.low.channels / self.groups <= FEW
    }

    /// Channels of a group.
    fn each(&self) -> [usize; 2] {
        [self.low, self.high].map(|source| source.channels / self.groups)
    }

    fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    fn packed(&self, tiling: Tiling) -> Packed {
        let [h, w] = self.kernel.map(|k| (k - 1) / self.stride);
        let pitch = tiling.columns + w;
        let plane = (tiling.rows + h) * pitch;
        Packed {
            pitch,
            plane,
            channel: self.stride * self.stride * plane,
        }
    }

    /// Where what each tap reads begins.
    fn offsets(&self, packed: Packed) -> Vec<usize> {
        let (s, [h, w]) = (self.stride, self.kernel);
        let of = |y: usize, x: usize| {
            let plane = y % s * s + x % s;
            plane * packed.plane + y / s * packed.pitch + x / s
        };
        (0..h).flat_map(|y| (0..w).map(move |x| of(y, x))).collect()
    }

    /// The tiles, in their order.
    fn tiles(&self, tiling: Tiling) -> impl Iterator<Item = Tile> {
        let Size { width, height } = self.low.size();
        let Tiling { rows, columns } = tiling;
        (0..height).step_by(rows).flat_map(move |top| {
            (0..width).step_by(columns).map(move |left| Tile {
                rows: top..(top + rows).min(height),
                columns: left..(left + columns).min(width),
            })
        })
    }

    /// Copies what a tile reads of some channels of `high`.
    #[inline(always)]
    fn read<S: Isa>(
        &self,
        simd: S,
        tile: &Tile,
        channels: Range<usize>,
        packed: Packed,
        to: &mut [f32],
        line: &mut [f32],
    ) {
        let (s, [h, w]) = (self.stride, self.kernel);
        let left = (tile.columns.start * s) as isize - self.before[1] as isize;
        let top = (tile.rows.start * s) as isize - self.before[0] as isize;
        let count = (tile.columns.len() - 1) * s + w;
        let columns = self.high.columns(left, count, self.padding);
        for (index, channel) in channels.enumerate() {
            let to = &mut to[index * packed.channel..][..packed.channel];
            for row in 0..(tile.rows.len() - 1) * s + h {
                let y = top + row as isize;
                let start = row % s * s * packed.plane + row / s * packed.pitch;
                if s == 1 {
                    let to = &mut to[start..][..count];
                    self.high.read(simd, channel, y, &columns, to);
                    continue;
                }
                let line = &mut line[..count];
                self.high.read(simd, channel, y, &columns, line);
                for remainder in 0..s.min(count) {
                    let to = &mut to[start + remainder * packed.plane..];
                    let from = line[remainder..].iter().step_by(s);
                    for (to, value) in to.iter_mut().zip(from) {
                        *to = *value;
                    }
                }
            }
        }
    }

    /// Floats of a line of `high`.
    fn line(&self, tiling: Tiling) -> usize {
        let count = (tiling.columns - 1) * self.stride + self.kernel[1];
        count.max(tiling.columns)
    }

    /// Channels of `high` in a piece of products.
    fn chunk(&self, tiling: Tiling, panels: usize) -> usize {
        let [_, b] = self.each();
        let most = READ / self.packed(tiling).channel;
        let wanted = PIECES.div_ceil(panels * self.groups);
        b.div_ceil(wanted).min(most).max(1)
    }

    /// Floats of a piece of products: of a panel, of what is read, of a line, and of sums.
    fn room_of_products(&self, context: &Context) -> [usize; 4] {
        let tiling = Tiling::new(self.low.size(), PRODUCTS);
        let lanes = width(context);
        let panels = self.each()[0].div_ceil(lanes);
        let chunk = self.chunk(tiling, panels);
        [
            tiling.rows * tiling.columns * lanes,
            chunk * self.packed(tiling).channel,
            self.line(tiling),
            chunk * self.taps() * lanes,
        ]
    }

    fn add_products(&self, context: &Context, to: &mut [f32]) -> Result<()> {
        let tiling = Tiling::new(self.low.size(), PRODUCTS);
        let [a, b] = self.each();
        let lanes = width(context);
        let panels = a.div_ceil(lanes);
        let chunk = self.chunk(tiling, panels);
        let chunks = b.div_ceil(chunk);
        let room = self.room_of_products(context);
        let to = Shared::new(to);
        (0..self.groups * panels * chunks)
            .into_par_iter()
            .with_max_len(1)
            .try_for_each(|piece| {
                let (group, piece) = (piece / (panels * chunks), piece % (panels * chunks));
                let (panel, first) = (piece / chunks, piece % chunks * chunk);
                let piece = Piece {
                    low: group * a + panel * lanes..group * a + ((panel + 1) * lanes).min(a),
                    high: group * b + first..group * b + (first + chunk).min(b),
                    first,
                };
                let mut all = context.pool.take::<f32>(room.iter().sum())?;
                with_simd!(context.token, simd => {
                    self.products(simd, &piece, tiling, room, &mut all, &to);
                });
                Ok(())
            })
    }

    /// A panel of channels of `low` by some channels of `high`.
    #[inline(always)]
    fn products<S: Isa>(
        &self,
        simd: S,
        piece: &Piece,
        tiling: Tiling,
        room: [usize; 4],
        all: &mut [f32],
        to: &Shared<'_, f32>,
    ) {
        let lanes = S::COLUMNS * S::f32s::LEN;
        let packed = self.packed(tiling);
        let (low, rest) = all.split_at_mut(room[0]);
        let (high, rest) = rest.split_at_mut(room[1]);
        let (line, sums) = rest.split_at_mut(room[2]);
        sums.fill(0.0);
        let taps = self.offsets(packed);
        let offsets = (0..piece.high.len())
            .flat_map(|channel| taps.iter().map(move |tap| channel * packed.channel + tap));
        let offsets: Vec<usize> = offsets.collect();
        for tile in self.tiles(tiling) {
            self.turn(simd, &tile, piece.low.clone(), lanes, low, line);
            self.read(simd, &tile, piece.high.clone(), packed, high, line);
            let panel = Panel {
                low,
                rows: tile.rows.len(),
                columns: tile.columns.len(),
                high,
                pitch: packed.pitch,
            };
            let narrow = piece.low.len() <= S::f32s::LEN;
            // Groups of rows as equal as possible: 15 rows are 8 + 7, not 14 + 1.
            let groups = offsets.len().div_ceil(S::ROWS);
            let mut row = 0;
            for group in 0..groups {
                let count = (offsets.len() - row).div_ceil(groups - group);
                let sums = &mut sums[row * lanes..][..count * lanes];
                let offsets = &offsets[row..row + count];
                any_rows(simd, narrow, &panel, offsets, sums);
                row += count;
            }
        }
        let taps = self.taps();
        let [_, b] = self.each();
        for (lane, a) in piece.low.clone().enumerate() {
            let start = (a * b + piece.first) * taps;
            // SAFETY: a channel of `low` by channels of `high` belongs to one piece of work.
            let to = unsafe { to.part(start, piece.high.len() * taps) };
            for (to, sums) in to.iter_mut().zip(sums.chunks_exact(lanes)) {
                *to += sums[lane];
            }
        }
    }

    /// Turns a tile of channels of `low`: `[place][lane]`; lanes without a channel are zero.
    #[inline(always)]
    fn turn<S: Isa>(
        &self,
        simd: S,
        tile: &Tile,
        channels: Range<usize>,
        lanes: usize,
        to: &mut [f32],
        line: &mut [f32],
    ) {
        let columns = tile.columns.len();
        let line = &mut line[..columns];
        if channels.len() < lanes {
            to.fill(0.0);
        }
        for (lane, channel) in channels.enumerate() {
            for (row, y) in tile.rows.clone().enumerate() {
                self.low
                    .read_inside(simd, channel, y, tile.columns.start, line);
                let to = to[row * columns * lanes..].chunks_exact_mut(lanes);
                for (to, value) in to.zip(line.iter()) {
                    to[lane] = *value;
                }
            }
        }
    }

    /// Floats of a piece of dots: of some channels of `low`, of one of `high`, of a line, and of sums.
    fn room_of_dots(&self) -> [usize; 4] {
        let tiling = Tiling::new(self.low.size(), DOTS);
        let packed = self.packed(tiling);
        [
            FEW * (tiling.rows * packed.pitch + SLACK),
            // The places between rows are read behind the last one, too.
            packed.channel + packed.pitch + SLACK,
            self.line(tiling),
            FEW * self.taps(),
        ]
    }

    fn add_dots(&self, context: &Context, to: &mut [f32]) -> Result<()> {
        let room = self.room_of_dots();
        let to = Shared::new(to);
        (0..self.high.channels)
            .into_par_iter()
            .with_max_len(1)
            .try_for_each(|channel| {
                let mut all = context.pool.take::<f32>(room.iter().sum())?;
                with_simd!(context.token, simd => {
                    self.dots(simd, channel, room, &mut all, &to);
                });
                Ok(())
            })
    }

    /// All channels of `low` in its group by a channel of `high`.
    #[inline(always)]
    fn dots<S: Isa>(
        &self,
        simd: S,
        channel: usize,
        room: [usize; 4],
        all: &mut [f32],
        to: &Shared<'_, f32>,
    ) {
        let tiling = Tiling::new(self.low.size(), DOTS);
        let packed = self.packed(tiling);
        // What lies between rows, and behind them, is multiplied by zeros.
        all.fill(0.0);
        let (low, rest) = all.split_at_mut(room[0]);
        let (high, rest) = rest.split_at_mut(room[1]);
        let (line, sums) = rest.split_at_mut(room[2]);
        let ([a, b], taps) = (self.each(), self.taps());
        let group = channel / b;
        let offsets = self.offsets(packed);
        let step = tiling.rows * packed.pitch + SLACK;
        for tile in self.tiles(tiling) {
            self.read(simd, &tile, channel..channel + 1, packed, high, line);
            let columns = tile.columns.len();
            let count = tile.rows.len() * packed.pitch;
            for index in 0..a {
                for (row, y) in tile.rows.clone().enumerate() {
                    let to = &mut low[index * step + row * packed.pitch..][..packed.pitch];
                    let (here, gap) = to.split_at_mut(columns);
                    let left = tile.columns.start;
                    self.low.read_inside(simd, group * a + index, y, left, here);
                    gap.fill(0.0);
                }
                low[index * step + count..][..SLACK].fill(0.0);
            }
            for first in (0..a).step_by(AT_ONCE) {
                let rows = Rows {
                    low: &low[first * step..],
                    step,
                    high,
                    count,
                };
                let sums = &mut sums[first * taps..];
                match a - first {
                    1 => dots::<S, 1, 9>(simd, &rows, &offsets, sums),
                    2 => dots::<S, 2, 3>(simd, &rows, &offsets, sums),
                    3 => dots::<S, 3, 3>(simd, &rows, &offsets, sums),
                    _ => dots::<S, AT_ONCE, 3>(simd, &rows, &offsets, sums),
                }
            }
        }
        for index in 0..a {
            let start = ((group * a + index) * b + channel % b) * taps;
            // SAFETY: a channel of `low` by one of `high` belongs to one piece of work.
            let to = unsafe { to.part(start, taps) };
            for (to, sum) in to.iter_mut().zip(&sums[index * taps..]) {
                *to += *sum;
            }
        }
    }
}

/// What a piece of products is about.
struct Piece {
    /// Channels of `low` and of `high`.
    low: Range<usize>,
    high: Range<usize>,
    /// The first of `high` in its group.
    first: usize,
}

/// Lanes of a panel.
fn width(context: &Context) -> usize {
    #[inline(always)]
    fn of<S: Isa>(_: S) -> usize {
        S::COLUMNS * S::f32s::LEN
    }
    with_simd!(context.token, simd => of(simd))
}

/// Calls the kernel for as many rows as there are offsets; `narrow` if one vector holds all lanes that count.
#[inline(always)]
fn any_rows<S: Isa>(simd: S, narrow: bool, panel: &Panel<'_>, offsets: &[usize], sums: &mut [f32]) {
    macro_rules! choose {
        ($($rows:literal)*) => {
            match offsets.len() {
                $($rows if $rows <= S::ROWS => match (S::COLUMNS, narrow) {
                    (_, true) => micro::<S, $rows, 1>(simd, panel, offsets, sums),
                    (2, false) => micro::<S, $rows, 2>(simd, panel, offsets, sums),
                    _ => micro::<S, $rows, 4>(simd, panel, offsets, sums),
                },)*
                _ => {}
            }
        };
    }
    choose!(1 2 3 4 5 6 7 8 9 10 11 12 13 14);
}

/// Adds the products of `C` vectors of every place with `R` numbers of `high`. A function of its own, so that it has all
/// registers.
#[inline(never)]
fn micro<S: Isa, const R: usize, const C: usize>(
    simd: S,
    panel: &Panel<'_>,
    offsets: &[usize],
    sums: &mut [f32],
) {
    simd.vectorize(
        #[inline(always)]
        || {
            let len = S::f32s::LEN;
            let lanes = S::COLUMNS * len;
            let columns = panel.columns;
            let mut made = [[S::f32s::splat(simd, 0.0); C]; R];
            for row in 0..panel.rows {
                let mut high = [&panel.high[..0]; R];
                for r in 0..R {
                    high[r] = &panel.high[offsets[r] + row * panel.pitch..][..columns];
                }
                let low = &panel.low[row * columns * lanes..][..columns * lanes];
                for (n, low) in low.chunks_exact(lanes).enumerate() {
                    let mut values = [S::f32s::splat(simd, 0.0); C];
                    for c in 0..C {
                        values[c] = S::f32s::from_slice(simd, &low[c * len..(c + 1) * len]);
                    }
                    for r in 0..R {
                        let number = S::f32s::splat(simd, high[r][n]);
                        for c in 0..C {
                            made[r][c] = values[c].mul_add(number, made[r][c]);
                        }
                    }
                }
            }
            for (r, sums) in sums.chunks_exact_mut(lanes).enumerate().take(R) {
                for c in 0..C {
                    let sums = &mut sums[c * len..(c + 1) * len];
                    (S::f32s::from_slice(simd, sums) + made[r][c]).store_slice(sums);
                }
            }
        },
    );
}

/// Rows of a tile, flat: between them lie places where `low` is zero.
struct Rows<'a> {
    low: &'a [f32],
    /// From one channel of `low` to the next.
    step: usize,
    high: &'a [f32],
    /// Places; there may be more, of zeros, up to [`SLACK`].
    count: usize,
}

/// Adds the products of `A` rows of `low` with what the taps read, `T` taps at a time.
#[inline(always)]
fn dots<S: Isa, const A: usize, const T: usize>(
    simd: S,
    rows: &Rows<'_>,
    offsets: &[usize],
    sums: &mut [f32],
) {
    let taps = offsets.len();
    let mut first = 0;
    while first + T <= taps {
        dot::<S, A, T>(simd, rows, &offsets[first..], (taps, &mut sums[first..]));
        first += T;
    }
    for tap in first..taps {
        dot::<S, A, 1>(simd, rows, &offsets[tap..], (taps, &mut sums[tap..]));
    }
}

#[inline(never)]
fn dot<S: Isa, const A: usize, const T: usize>(
    simd: S,
    rows: &Rows<'_>,
    offsets: &[usize],
    (taps, sums): (usize, &mut [f32]),
) {
    simd.vectorize(
        #[inline(always)]
        || {
            let len = S::f32s::LEN;
            let count = rows.count.next_multiple_of(len);
            let mut made = [[S::f32s::splat(simd, 0.0); T]; A];
            let mut low = [&rows.low[..0]; A];
            let mut high = [&rows.high[..0]; T];
            for a in 0..A {
                low[a] = &rows.low[a * rows.step..][..count];
            }
            for t in 0..T {
                high[t] = &rows.high[offsets[t]..];
            }
            for n in (0..count).step_by(len) {
                let mut values = [S::f32s::splat(simd, 0.0); A];
                for a in 0..A {
                    values[a] = S::f32s::from_slice(simd, &low[a][n..n + len]);
                }
                for t in 0..T {
                    let number = S::f32s::from_slice(simd, &high[t][n..n + len]);
                    for a in 0..A {
                        made[a][t] = values[a].mul_add(number, made[a][t]);
                    }
                }
            }
            for a in 0..A {
                for t in 0..T {
                    sums[a * taps + t] += made[a][t].reduce_sum();
                }
            }
        },
    );
}
