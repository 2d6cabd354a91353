//! `city`: a harbour city at dusk, with lit windows, a suspension bridge, a big wheel and long reflections in the water.
//!
//! The city is some hundreds of boxes on a street grid, met by rays front to back. What a wall looks like follows from
//! the place on it: window or masonry, lit or dark, the mirrored sky in the glass, the warm light of the street. Bridge,
//! wheel, lamps and ferry are drawn on upright planes. The water averages a few reflected rays per pixel, each off a
//! different ripple, which draws every light out into a streak. Light is linear; lengths are metres.

use crate::canvas::Canvas;
use crate::noise::{fbm, hash01, noise};
use crate::vector::{V, V2, V3, decode, encode, hex, lerp, ramp, smooth, v2, v3};

const W: usize = 1536;
const H: usize = 1024;
const EYE: V3 = v3(0.0, 11.0, 0.0);
const HORIZON: f32 = 0.63;
const ZOOM: f32 = 0.87;
/// Where the city's quay meets the water.
const QUAY: f32 = 215.0;

fn code(rgb: u32) -> V3 {
    decode(hex(rgb))
}

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

struct Block {
    low: V3,
    high: V3,
    facade: Facade,
    seed: i32,
}

fn city() -> Vec<Block> {
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

fn sky(ray: V3) -> V3 {
    let up = ray[1].max(0.0);
    let west = smooth(-0.65, 0.60, ray[0]);
    let warm = ramp(
        &[
            code(0xffc070),
            code(0xff9850),
            code(0xf07850),
            code(0xc06070),
            code(0x7a5a88),
            code(0x46508a),
            code(0x2a4078),
            code(0x1b2e60),
        ],
        up * 1.9,
    );
    let cool = ramp(
        &[
            code(0xf0a078),
            code(0xd88078),
            code(0xa06a86),
            code(0x64608c),
            code(0x3e5088),
            code(0x284076),
            code(0x1c3064),
            code(0x142452),
        ],
        up * 1.9,
    );
    let base = cool.mix(warm, west);
    let p = v2(ray[0], ray[2]) / (up + 0.09);
    let streaks = fbm(v2(p[0] * 0.55 + 2.0, p[1] * 1.5 + p[0] * 0.2), 6, 410);
    let below = fbm(
        v2(p[0] * 0.55 + 2.05, p[1] * 1.5 + 0.18 + p[0] * 0.2),
        5,
        410,
    );
    let cloud = smooth(0.46, 0.72, streaks) * smooth(0.01, 0.10, up);
    // Clouds glow where their lower side looks at the sunken sun.
    let lit = smooth(-0.05, 0.10, streaks - below + 0.02) * smooth(0.60, 0.05, up);
    let colour = code(0x4a4668)
        .mix(code(0x84566c), smooth(0.5, 0.1, up))
        .mix(ramp(&[code(0xe07a68), code(0xffa858)], west), lit);
    let star = hash01((ray[0] * 700.0) as i32, (ray[1] * 700.0) as i32, 420);
    let base = base + V::splat(0.5 * smooth(0.9986, 0.9996, star) * smooth(0.28, 0.5, up));
    base.mix(colour, cloud * 0.85)
}

/// The colour of the light that lamps and windows give, by chance.
fn lamplight(chance: f32) -> V3 {
    ramp(
        &[
            code(0xff9a3c),
            code(0xffb860),
            code(0xffd48c),
            code(0xffe8c0),
            code(0xe8f0ff),
        ],
        chance,
    )
}

impl Block {
    fn enter(&self, from: V3, inverse: V3) -> Option<(f32, usize)> {
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

    fn shade(&self, p: V3, axis: usize, ray: V3) -> V3 {
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
                code(0x5a5560),
                code(0x8a7a70),
                code(0x74808c),
                code(0xa08878),
            ],
            own(1),
        ) * (0.85 + 0.3 * fbm(v2(p[0] + p[2], p[1]) / 7.0, 3, 431));
        let wall = stone * (dusk + street);
        if axis == 1 || matches!(self.facade, Facade::Plain) {
            let beacon = if p[1] > 200.0 && axis != 1 {
                code(0xff3020) * smooth(236.0, 238.0, p[1]) * 4.0
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
            mirrored * 0.24 + code(0x0c1018)
        };
        wall.mix(pane, inside)
    }
}

/// Everything drawn on upright planes between `near` and `far`, over what is behind.
fn planes(from: V3, ray: V3, near: f32, far: f32, behind: V3) -> V3 {
    let mut seen = behind;
    let at = |z: f32| {
        let t = (z - from[2]) / ray[2];
        (t > near && t < far).then(|| from + ray * t)
    };
    let soft =
        |distance: f32, half: f32, blur: f32| smooth(half + blur, half - blur, distance.abs());
    if let Some(p) = at(QUAY + 12.0) {
        // Trees along the promenade, lit from below.
        let crown = 5.0
            + 5.5 * fbm(v2(p[0] / 9.0, 0.0), 3, 440)
            + 1.2 * noise(v2(p[0] / 1.6, p[1] / 1.6), 441);
        let leaf = smooth(0.3, -0.3, p[1] - crown)
            * smooth(0.34, 0.42, noise(v2(p[0] / 17.0, 4.0), 442))
            * smooth(1.5, 3.0, p[1]);
        let shade = code(0x12180f).mix(
            code(0x5a4a1c),
            smooth(crown, 2.0, p[1]) * noise(v2(p[0], p[1]) / 1.3, 443),
        );
        seen = seen.mix(shade, leaf);
    }
    if let Some(p) = at(QUAY + 1.0) {
        let wall = smooth(2.4, 2.2, p[1]);
        let stones = code(0x3a3430) * (0.6 + 0.5 * fbm(v2(p[0] / 2.0, p[1]), 3, 444));
        let pool = 0.5 + 0.5 * (p[0] / 15.0 * std::f32::consts::TAU).cos();
        seen = seen.mix(
            stones * (v3(0.35, 0.32, 0.5) + v3(1.0, 0.6, 0.25) * (1.4 * pool.powi(3))),
            wall,
        );
        let x = (p[0] / 15.0).round() * 15.0;
        let lamp = (v2(p[0] - x, p[1] - 6.4)).len();
        seen = seen.mix(
            code(0x14120f),
            soft(p[0] - x, 0.10, 0.06) * smooth(6.4, 6.2, p[1]),
        );
        seen =
            seen + lamplight(0.35) * (9.0 * smooth(0.55, 0.30, lamp) + 0.30 * (-lamp / 1.6).exp());
    }
    if let Some(p) = at(QUAY - 9.0) {
        seen = wheel(v2(p[0], p[1]), seen);
    }
    if let Some(p) = at(QUAY - 35.0) {
        seen = bridge(v2(p[0], p[1]), seen);
    }
    if let Some(p) = at(104.0) {
        seen = ferry(v2(p[0] - 26.0, p[1]), seen);
    }
    seen
}

fn wheel(p: V2, behind: V3) -> V3 {
    let arm = p - v2(112.0, 31.0);
    let r = arm.len();
    if r > 34.0 && p[1] > 31.0 {
        return behind;
    }
    let soft = |distance: f32, half: f32| smooth(half + 0.12, half - 0.12, distance.abs());
    let mut seen = behind;
    let leg =
        soft((arm[0].abs() - (-arm[1]).max(0.0) * 0.42) * 0.9, 0.5) * smooth(0.0, -0.5, arm[1]);
    seen = seen.mix(code(0x5a5a70), leg);
    let turn = arm.angle() / std::f32::consts::TAU * 24.0;
    let spoke = (turn - turn.round()) / 24.0 * std::f32::consts::TAU * r;
    let glow = ramp(
        &[code(0xff4f9a), code(0xb060ff), code(0x50a0ff)],
        (arm[1] + 27.0) / 54.0,
    );
    seen = seen + glow * (0.8 * soft(spoke, 0.10) * smooth(26.0, 25.0, r));
    seen = seen + glow * (2.6 * soft(r - 26.0, 0.35) + 1.2 * soft(r - 22.5, 0.18));
    let cabin = V2::polar(turn.round() / 24.0 * std::f32::consts::TAU) * 28.2;
    let off = arm - cabin + v2(0.0, 0.8);
    let inside = soft(off[0], 0.95) * soft(off[1], 1.1);
    seen.mix(lamplight(0.7) * 1.6, inside) + code(0xffffff) * (2.5 * smooth(2.2, 1.2, r))
}

fn bridge(p: V2, behind: V3) -> V3 {
    if p[0] > -28.0 {
        return behind;
    }
    let soft = |distance: f32, half: f32| smooth(half + 0.12, half - 0.12, distance.abs());
    let (deck, top, span) = (15.0, 58.0, 84.0);
    let steel = code(0x3a2a38).mix(code(0xa04a48), smooth(4.0, 60.0, p[1]));
    let mut seen = behind;
    // Towers stand at -70 and -154; the cable hangs between them and falls to the banks.
    let near = if p[0] > -112.0 { -70.0 } else { -154.0 };
    let inner = p[0] < -70.0 && p[0] > -154.0;
    let s = if inner {
        (p[0] + 112.0) / (span * 0.5)
    } else {
        1.0 - (p[0] - near).abs() / 44.0
    };
    let cable = if inner {
        lerp(deck + 3.5, top, s * s)
    } else {
        lerp(deck + 1.0, top, s.max(0.0).powf(1.25))
    };
    let x = (p[0] / 3.5).round() * 3.5;
    seen = seen.mix(
        steel * 0.9,
        soft(p[0] - x, 0.06) * f32::from(p[1] < cable && p[1] > deck),
    );
    seen = seen.mix(steel * 1.3, soft(p[1] - cable, 0.34) * f32::from(s > -0.02));
    let girder = soft(p[1] - deck, 0.9);
    seen = seen.mix(steel * 0.55, girder);
    let truss = (p[0] / 3.5).fract();
    seen = seen.mix(
        steel * 0.5,
        soft(
            p[1] - deck + 2.4 - 1.4 * (2.0 * (truss - 0.5).abs() - 0.5),
            0.2,
        ) * f32::from(p[1] < deck),
    );
    let leg = (p[0] - near).abs();
    let wide = 2.1 - 0.012 * p[1];
    let shaft = soft(leg, wide) * f32::from(p[1] < top + 3.0);
    let lit = 0.8 + 1.6 * (-(p[1] - deck).abs() / 14.0).exp();
    seen = seen.mix(steel * lit + code(0xff9050) * 0.08, shaft);
    let lamp = (v2(p[0] - (p[0] / 10.5).round() * 10.5, p[1] - deck - 2.6)).len();
    let string = v2(p[0] - (p[0] / 5.25).round() * 5.25, p[1] - cable).len();
    seen + lamplight(0.5)
        * (8.0 * smooth(0.5, 0.25, lamp) + 3.0 * smooth(0.36, 0.16, string) * f32::from(s > 0.0))
        + code(0xff3020) * (5.0 * smooth(0.9, 0.5, v2(p[0] - near, p[1] - top - 4.0).len()))
}

fn ferry(p: V2, behind: V3) -> V3 {
    let inside = |x: f32, y: f32, half: V2| {
        f32::from((p[0] - x).abs() < half[0] && (p[1] - y).abs() < half[1])
    };
    let hull = f32::from(p[1] > -0.5 && p[1] < 1.9 && p[0].abs() < 10.5 + 0.7 * p[1]);
    let mut seen = behind
        .mix(code(0x1c2434), hull)
        .mix(code(0xb8b0b0) * 0.55, hull * smooth(1.3, 1.5, p[1]));
    seen = seen.mix(
        code(0xd8d0cc) * 0.5,
        inside(-0.5, 3.1, v2(7.6, 1.3)).max(inside(0.5, 5.2, v2(4.6, 0.9))),
    );
    let port = v2((p[0] / 1.5).fract() - 0.5, 0.0)[0].abs() < 0.33;
    let rows = inside(-0.5, 3.2, v2(7.0, 0.6)).max(inside(0.5, 5.3, v2(4.1, 0.42)));
    seen = seen.mix(lamplight(0.55) * 1.9, rows * f32::from(port));
    seen = seen.mix(code(0xa03028), inside(2.6, 7.4, v2(1.0, 1.4)));
    seen.mix(code(0x101010), inside(-3.6, 8.0, v2(0.09, 2.6)))
        + code(0xffffff) * (6.0 * smooth(0.45, 0.2, v2(p[0] + 3.6, p[1] - 10.7).len()))
}

/// What a ray over the water meets.
fn see(blocks: &[Block], from: V3, ray: V3) -> V3 {
    let inverse = ray.map(|c| 1.0 / c);
    let mut best: Option<(f32, usize, usize)> = None;
    for (i, block) in blocks.iter().enumerate() {
        if best.is_some_and(|(t, ..)| (block.low[2] - from[2]) * inverse[2] > t) {
            break;
        }
        if let Some((t, axis)) = block.enter(from, inverse)
            && best.is_none_or(|(near, ..)| t < near)
        {
            best = Some((t, i, axis));
        }
    }
    let ground = (2.2 - from[1]) / ray[1];
    let behind = match best {
        Some((t, i, axis)) => {
            let p = from + ray * t;
            let air = sky(v3(ray[0], 0.035, ray[2])) * 0.50 + v3(0.30, 0.16, 0.10) * 0.15;
            let far = 1.0 - (-(t - 200.0).max(0.0) / 1150.0).exp();
            blocks[i]
                .shade(p, axis, ray)
                .mix(air, far * (0.35 + 0.65 * (-p[1] / 160.0).exp()))
        }
        None if ray[1] < 0.0 && ground > 0.0 => code(0x2a2226),
        None => sky(ray),
    };
    planes(from, ray, 0.0, best.map_or(f32::MAX, |(t, ..)| t), behind)
}

fn water(blocks: &[Block], ray: V3) -> V3 {
    const LOOKS: i32 = 6;
    let t = EYE[1] / -ray[1];
    let p = EYE + ray * t;
    let mut sum = V3::splat(0.0);
    for look in 0..LOOKS {
        // Looks lie at slightly different places, farther apart with distance: what one pixel sees of the ripples.
        let own = |n: i32| hash01((p[0] * 37.0) as i32, (p[2] * 11.0) as i32, look * 5 + n) - 0.5;
        let q = v2(p[0] + own(0) * t * 0.003, p[2] + own(1) * t * 0.03);
        let slope = |scale: V2, layer: i32| {
            let e = 0.15;
            let at = |dx: f32, dz: f32| {
                fbm(v2((q[0] + dx) * scale[0], (q[1] + dz) * scale[1]), 3, layer)
            };
            v2(at(e, 0.0) - at(-e, 0.0), at(0.0, e) - at(0.0, -e)) / (2.0 * e)
        };
        let gust = 0.55 + 0.9 * smooth(0.4, 0.7, fbm(v2(q[0] / 70.0, q[1] / 24.0), 3, 450));
        let s = (slope(v2(0.22, 0.42), 451) * 0.085 + slope(v2(0.9, 1.5), 455) * 0.026) * gust;
        let n = v3(-s[0] * 0.6, 1.0, -s[1]).unit();
        let mirrored = ray.reflect(n);
        let mirrored = v3(mirrored[0], mirrored[1].max(0.006), mirrored[2]).unit();
        let fresnel = 0.04 + 0.96 * (1.0 - (-ray.dot(n)).clamp(0.0, 1.0)).powi(5);
        sum = sum
            + code(0x0b1830).mix(
                see(blocks, v3(p[0], 0.02, p[2]), mirrored) * 0.95,
                (fresnel * 1.25).clamp(0.22, 1.0),
            );
    }
    sum / LOOKS as f32
}

/// Paints the picture at twice its published size.
pub fn paint() -> Canvas {
    let blocks = city();
    let mut canvas = Canvas::render(W, H, |p| {
        let x = (p[0] - W as f32 * 0.5) / H as f32 * ZOOM;
        let y = (H as f32 * HORIZON - p[1]) / H as f32 * ZOOM;
        let ray = v3(x, y, 1.0).unit();
        let meets_water = ray[1] < -1e-4 && EYE[1] / -ray[1] * ray[2] < QUAY;
        let light = if meets_water {
            planes(EYE, ray, 0.0, EYE[1] / -ray[1], water(&blocks, ray))
        } else {
            see(&blocks, EYE, ray)
        };
        light * (1.0 - 0.3 * (x * x + y * y))
    });
    canvas.glow(0.55, 5, 0.14);
    canvas.glow(0.55, 26, 0.16);
    canvas.map(|_, light| {
        encode((light * 0.92).map(|c| (c * (2.51 * c + 0.03)) / (c * (2.43 * c + 0.59) + 0.14)))
    });
    canvas
}
