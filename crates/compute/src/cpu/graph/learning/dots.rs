//! Correlations as dots, where `low` has few channels: vectors run along places, and every sum runs across lanes at its end.

use super::super::product::SLACK;
use super::correlation::{Correlation, Tiling};
use crate::Result;
use crate::cpu::Context;
use crate::cpu::shared::Shared;
use crate::cpu::simd::{Isa, with_simd};
use fearless_simd::prelude::*;
use rayon::prelude::*;

/// Channels of `low` in a group for which dots are taken; and as many as are taken at once.
pub(super) const FEW: usize = 6;
const AT_ONCE: usize = 4;
/// Places of a tile, about: sums across lanes are to be few.
const PLACES: usize = 1536;

impl Correlation<'_> {
    /// Floats of a piece of dots: of some channels of `low`, of one of `high`, of a line, and of sums.
    pub(super) fn room_of_dots(&self) -> [usize; 4] {
        let tiling = Tiling::new(self.low.size(), PLACES);
        let packed = self.packed(tiling);
        [
            FEW * (tiling.rows * packed.pitch + SLACK),
            // The places between rows are read behind the last one, too.
            packed.channel + packed.pitch + SLACK,
            self.line(tiling),
            FEW * self.taps(),
        ]
    }

    pub(super) fn add_dots(&self, context: &Context, to: &mut [f32]) -> Result<()> {
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
        let tiling = Tiling::new(self.low.size(), PLACES);
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
