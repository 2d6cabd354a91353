//! The blocks of the city: where they stand, how a ray meets them, and what their walls look like.

use super::{lamplight, sky};
use crate::colour::{linear, ramp};
use crate::noise::{fbm, hash01};
use crate::vector::{V, V3, lerp, smooth, v2, v3};

#[derive(Clone, Copy)]
enum Facade {
    /// Single windows in stone.
    Stone,
    /// Bands of glass.
    Glass,
    /// Narrow upright windows between piers.
    Piers,
    /// No windows: spires and roof works.
    Plain,
}

/// One box of the city: what it looks like follows from its facade and its seed.
pub struct Block {
    /// Corner with the smallest coordinates.
    pub low: V3,
    high: V3,
    facade: Facade,
    seed: i32,
}

/// All blocks of the city, front to back.
pub fn city() -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut put =
        |x: f32, z: f32, wide: f32, deep: f32, from: f32, to: f32, facade: Facade, seed: i32| {
            let half = v2(wide, deep) * 0.5;
            blocks.push(Block {
                low: v3(x - half[0], from, z - half[1]),
                high: v3(x + half[0], to, z + half[1]),
                facade,
                seed,
            });
        };
    for row in 0..22 {
        let z = 250.0 + 40.0 * row as f32;
        for column in -20..=20 {
            let x = column as f32 * 40.0 + 7.0;
            let own = |n: i32| hash01(column, row, 400 + n);
            if x.abs() > z * 0.66 || own(0) < 0.06 {
                continue;
            }
            let hill = |cx: f32, cz: f32, wide: f32| {
                (-(v2(x - cx, z - cz) / wide).dot(v2(x - cx, z - cz) / wide)).exp()
            };
            let downtown = hill(70.0, 520.0, 165.0)
                + 0.75 * hill(-250.0, 720.0, 170.0)
                + 0.45 * hill(400.0, 760.0, 130.0);
            let tall = 14.0 + 22.0 * own(1) + 190.0 * downtown * own(2).powf(1.2) + 0.012 * z;
            let seed = (own(3) * 9000.0) as i32;
            let facade = [Facade::Stone, Facade::Glass, Facade::Piers, Facade::Stone]
                [(own(4) * 4.0) as usize];
            let (wide, deep) = (lerp(20.0, 33.0, own(5)), lerp(20.0, 33.0, own(6)));
            if tall > 90.0 && own(7) < 0.55 {
                put(x, z, wide, deep, 0.0, tall * 0.62, facade, seed);
                put(
                    x,
                    z,
                    wide * 0.74,
                    deep * 0.74,
                    tall * 0.62,
                    tall * 0.86,
                    facade,
                    seed + 1,
                );
                put(
                    x,
                    z,
                    wide * 0.48,
                    deep * 0.48,
                    tall * 0.86,
                    tall,
                    facade,
                    seed + 2,
                );
                put(x, z, 1.6, 1.6, tall, tall + 26.0, Facade::Plain, seed);
            } else {
                put(x, z, wide, deep, 0.0, tall, facade, seed);
                put(
                    x + wide * (own(8) - 0.5) * 0.5,
                    z,
                    wide * 0.35,
                    deep * 0.4,
                    tall,
                    tall + 4.0,
                    Facade::Plain,
                    seed,
                );
            }
        }
    }
    // The tower everybody knows: six steps and a needle.
    let (x, z) = (96.0, 400.0);
    for (step, (wide, top)) in [
        (44.0, 84.0),
        (35.0, 128.0),
        (27.0, 162.0),
        (19.0, 186.0),
        (11.0, 200.0),
        (5.0, 212.0),
        (1.4, 240.0),
    ]
    .into_iter()
    .enumerate()
    {
        let from = [0.0, 84.0, 128.0, 162.0, 186.0, 200.0, 212.0][step];
        put(
            x,
            z,
            wide,
            wide,
            from,
            top,
            if step < 5 {
                Facade::Piers
            } else {
                Facade::Plain
            },
            77,
        );
    }
    put(-38.0, 360.0, 24.0, 30.0, 0.0, 152.0, Facade::Glass, 1234);
    put(-104.0, 430.0, 30.0, 30.0, 0.0, 186.0, Facade::Glass, 4321);
    put(30.0, 470.0, 30.0, 26.0, 0.0, 214.0, Facade::Stone, 99);
    blocks.sort_by(|a, b| a.low[2].total_cmp(&b.low[2]));
    blocks
}

impl Block {
    /// Distance and axis at which a ray enters the box; `inverse` is one over the ray's direction.
    pub fn enter(&self, from: V3, inverse: V3) -> Option<(f32, usize)> {
        let (mut enter, mut leave, mut axis) = (0.0f32, f32::MAX, 2);
        for i in 0..3 {
            let (a, b) = (
                (self.low[i] - from[i]) * inverse[i],
                (self.high[i] - from[i]) * inverse[i],
            );
            let (a, b) = if a < b { (a, b) } else { (b, a) };
            if a > enter {
                (enter, axis) = (a, i);
            }
            leave = leave.min(b);
        }
        (enter < leave && enter > 0.0).then_some((enter, axis))
    }

    /// The light that comes from a place on the box.
    pub fn shade(&self, p: V3, axis: usize, ray: V3) -> V3 {
        let own = |n: i32| hash01(self.seed, n, 430);
        let normal = match axis {
            0 => v3(-ray[0].signum(), 0.0, 0.0),
            1 => v3(0.0, 1.0, 0.0),
            _ => v3(0.0, 0.0, -1.0),
        };
        // Dusk lights the west walls (to the right) in rose, the rest in blue; streets send up lamplight.
        let dusk = match axis {
            0 if normal[0] > 0.0 => v3(0.95, 0.50, 0.42) * 0.62,
            0 => v3(0.22, 0.24, 0.46) * 0.45,
            1 => v3(0.40, 0.36, 0.58) * 0.6,
            _ => v3(0.30, 0.28, 0.50) * 0.52,
        };
        let street = v3(1.0, 0.62, 0.28) * (0.55 * (-p[1] / 9.0).exp());
        let stone = ramp(
            &[
                linear(0x5a5560),
                linear(0x8a7a70),
                linear(0x74808c),
                linear(0xa08878),
            ],
            own(1),
        ) * (0.85 + 0.3 * fbm(v2(p[0] + p[2], p[1]) / 7.0, 3, 431));
        let wall = stone * (dusk + street);
        if axis == 1 || matches!(self.facade, Facade::Plain) {
            let beacon = if p[1] > 200.0 && axis != 1 {
                linear(0xff3020) * smooth(236.0, 238.0, p[1]) * 4.0
            } else {
                V::splat(0.0)
            };
            return wall * 0.8 + beacon;
        }
        let along = if axis == 0 {
            p[2] - self.low[2]
        } else {
            p[0] - self.low[0]
        };
        let (wide, tall, half) = match self.facade {
            Facade::Stone => (3.3, 4.0, v2(0.27, 0.30)),
            Facade::Glass => (4.2, 3.8, v2(0.46, 0.36)),
            _ => (2.5, 4.4, v2(0.24, 0.40)),
        };
        let cell = v2(along / wide, p[1] / tall);
        let (i, j) = (cell[0].floor() as i32, cell[1].floor() as i32);
        let q = v2(cell[0].fract() - 0.5, cell[1].fract() - 0.5);
        let inside =
            smooth(0.0, 0.05, half[0] - q[0].abs()) * smooth(0.0, 0.05, half[1] - q[1].abs());
        let side = self.seed * 3 + axis as i32;
        // Whole floors stay lit in offices; elsewhere every window decides for itself.
        let floor = hash01(j, side, 432);
        let share = 0.22 + 0.34 * own(2) + if floor > 0.78 { 0.35 } else { 0.0 }
            - if floor < 0.18 { 0.2 } else { 0.0 };
        let mirrored = sky(v3(-ray[0], ray[1].abs() + 0.15, -ray[2])
            .unit()
            .mix(ray.reflect(normal), 0.5)
            .unit());
        let pane = if hash01(i, j, side) < share {
            let bright = 0.35 + 1.5 * hash01(i, j, side + 7).powi(2);
            let blind = smooth(
                -0.1,
                0.1,
                q[1] + half[1] * (1.6 * hash01(i, j, side + 9) - 0.4),
            );
            lamplight(hash01(i, j, side + 8) * 0.8 + 0.2 * own(3))
                * (bright * lerp(0.55, 1.0, blind))
                + mirrored * 0.06
        } else {
            mirrored * 0.24 + linear(0x0c1018)
        };
        wall.mix(pane, inside)
    }
}
