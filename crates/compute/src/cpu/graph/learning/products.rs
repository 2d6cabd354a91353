//! Correlations as products: vectors run along the channels of `low`, which are turned for that, and each is multiplied by
//! numbers of `high` that are broadcast. No sum runs across lanes.

use super::correlation::{Correlation, Tile, Tiling};
use crate::Result;
use crate::cpu::Context;
use crate::cpu::shared::Shared;
use crate::cpu::simd::{Isa, with_simd};
use fearless_simd::prelude::*;
use rayon::prelude::*;
use std::ops::Range;

/// Places of a tile, about: panels of them stay in the first-level cache.
const PLACES: usize = 256;
/// Floats of `high` that a piece of work reads at a time, about, at most: half a second-level cache.
const READ: usize = 64 << 10;
/// Lanes of the longest vectors.
const MOST_LANES: usize = 16;
/// Pieces of work that are wanted, so that threads are busy to the end.
const PIECES: usize = 8;

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
    /// Channels of `high` in a piece of products.
    fn chunk(&self, tiling: Tiling, panels: usize) -> usize {
        let [_, b] = self.each();
        let most = READ / self.packed(tiling).channel;
        let wanted = PIECES.div_ceil(panels * self.groups);
        b.div_ceil(wanted).min(most).max(1)
    }

    /// Floats of a piece of products: of a panel, of what is read, of lines, and of sums.
    pub(super) fn room_of_products(&self, context: &Context) -> [usize; 4] {
        let tiling = Tiling::new(self.low.size(), PLACES);
        let lanes = width(context);
        let panels = self.each()[0].div_ceil(lanes);
        let chunk = self.chunk(tiling, panels);
        [
            tiling.rows * tiling.columns * lanes,
            chunk * self.packed(tiling).channel,
            // Lines that are read, or turned.
            self.line(tiling)
                .max(MOST_LANES * tiling.columns.next_multiple_of(MOST_LANES)),
            chunk * self.taps() * lanes,
        ]
    }

    pub(super) fn add_products(&self, context: &Context, to: &mut [f32]) -> Result<()> {
        let tiling = Tiling::new(self.low.size(), PLACES);
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
        lines: &mut [f32],
    ) {
        let len = S::f32s::LEN;
        let columns = tile.columns.len();
        let pitch = columns.next_multiple_of(len);
        for (row, y) in tile.rows.clone().enumerate() {
            let to = &mut to[row * columns * lanes..][..columns * lanes];
            for first in (0..lanes).step_by(len) {
                // As many channels as a vector has lanes.
                for (lane, line) in lines.chunks_exact_mut(pitch).enumerate().take(len) {
                    let channel = channels.start + first + lane;
                    let line = &mut line[..columns];
                    match channel < channels.end {
                        true => {
                            let left = tile.columns.start;
                            self.low.read_inside(simd, channel, y, left, line);
                        }
                        false => line.fill(0.0),
                    }
                }
                for x in (0..columns).step_by(len) {
                    let mut square = [S::f32s::splat(simd, 0.0); MOST_LANES];
                    for lane in 0..len {
                        let line = &lines[lane * pitch + x..][..len];
                        square[lane] = S::f32s::from_slice(simd, line);
                    }
                    let square = transposed::<S>(square);
                    for place in 0..len.min(columns - x) {
                        let to = &mut to[(x + place) * lanes + first..][..len];
                        square[place].store_slice(to);
                    }
                }
            }
        }
    }
}

/// As many vectors as each has lanes, as a square, transposed. Two rows half a square apart, taken together number by number,
/// are two columns of what is transposed by a bit of their indices; after as many times as indices have bits, all is.
#[inline(always)]
fn transposed<S: Isa>(mut square: [S::f32s; MOST_LANES]) -> [S::f32s; MOST_LANES] {
    let len = S::f32s::LEN;
    let mut bit = 1;
    while bit < len {
        let before = square;
        for row in 0..len / 2 {
            let (first, second) = before[row].interleave(before[row + len / 2]);
            square[2 * row] = first;
            square[2 * row + 1] = second;
        }
        bit *= 2;
    }
    square
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::simd::{Level, Token};

    #[inline(always)]
    fn turned<S: Isa>(simd: S) -> (usize, Vec<f32>) {
        let len = S::f32s::LEN;
        let mut square = [S::f32s::splat(simd, 0.0); MOST_LANES];
        for row in 0..len {
            let numbers: Vec<f32> = (0..len).map(|column| (row * len + column) as f32).collect();
            square[row] = S::f32s::from_slice(simd, &numbers);
        }
        let mut all = vec![0.0; len * len];
        for (row, numbers) in transposed::<S>(square)
            .iter()
            .zip(all.chunks_exact_mut(len))
        {
            row.store_slice(numbers);
        }
        (len, all)
    }

    #[test]
    fn squares_are_transposed_at_every_level() {
        for token in Level::ALL.into_iter().filter_map(Token::new) {
            let (len, got) = with_simd!(token, simd => turned(simd));
            let expected = (0..len * len).map(|i| (i % len * len + i / len) as f32);
            assert_eq!(got, expected.collect::<Vec<f32>>());
        }
    }
}
