//! `lake`: a mountain lake in the morning, with a jetty, firs on the shore and the peaks mirrored in the water.
//!
//! Rays march over the eroded mountains of [`super::terrain`], on which every fir of the forest is a small cone. The
//! water reflects them by Fresnel's law with ripples for a normal and lets the pebbles of the ground show where it is
//! looked into steeply. The jetty is boxes and cylinders; the near firs and reeds are painted cards standing in the
//! scene, so they are mirrored like everything else. Light is linear; lengths are metres.

use super::terrain::{Terrain, Z};
use crate::canvas::Canvas;
use crate::noise::{Rng, fbm, hash01, noise};
use crate::shape::{ribbon, spline};
use crate::vector::{V, V2, V3, decode, encode, hex, lerp, ramp, smooth, v2, v3};

const W: usize = 1536;
const H: usize = 1024;
const EYE: V3 = v3(0.0, 2.3, 0.0);
/// Where the horizon lies, as a share of the height from the top.
const HORIZON: f32 = 0.56;
/// Height of the picture at distance 1.
const ZOOM: f32 = 0.70;
const SUN: V3 = v3(-0.74, 0.46, -0.49);

fn code(rgb: u32) -> V3 {
    decode(hex(rgb))
}

/// A painted card standing upright in the scene, facing the viewer.
struct Card {
    /// The middle of its foot.
    foot: V3,
    size: V2,
    sprite: usize,
}

/// Colours in linear light with opacity.
struct Sprite {
    colour: Canvas,
    alpha: Canvas,
}

struct Scene {
    terrain: Terrain,
    sprites: Vec<Sprite>,
    cards: Vec<Card>,
}

/// A fir: whorls of drooping branches from the back to the front, each a spray of needles.
fn fir(seed: u64) -> Sprite {
    let (w, h) = (360.0, 900.0);
    let mut sprite = Sprite {
        colour: Canvas::new(360, 900, code(0x0c140c)),
        alpha: Canvas::new(360, 900, V::splat(0.0)),
    };
    let mut rng = Rng::new(seed);
    let mut put = |outline: &[V2], colour: V3| {
        let mask = sprite.colour.mask(outline);
        sprite.colour.fill(&mask, colour);
        sprite.alpha.fill(&mask, V::splat(1.0));
    };
    put(
        &ribbon(
            &[v2(w * 0.5, h), v2(w * 0.5, h * 0.5), v2(w * 0.5, 12.0)],
            |t| 22.0 * (1.0 - t) + 2.0,
        ),
        code(0x2c2018),
    );
    for pass in 0..3 {
        let mut y = 880.0f32;
        while y > 16.0 {
            let t = y / h;
            let reach = (w * 0.46) * t.powf(0.82) * rng.range(0.72, 1.05);
            let turn = rng.range(-1.0, 1.0f32);
            let side = turn.signum() * turn.abs().powf(0.45) * if pass == 2 { 0.8 } else { 1.0 };
            let root = v2(w * 0.5, y - reach * 0.16);
            let tip = root + v2(side * reach, reach * rng.range(0.16, 0.36));
            let branch = spline(
                &[root, root.mix(tip, 0.5) + v2(0.0, -reach * 0.03), tip],
                12,
            );
            for (i, p) in branch.iter().enumerate() {
                let out = i as f32 / branch.len() as f32;
                // The sun stands to the left; the inside of the tree is dark.
                let light = (0.16 + 0.30 * pass as f32 * 0.5 - 0.42 * side * out).clamp(0.0, 1.0)
                    * rng.range(0.5, 1.2);
                let colour = ramp(
                    &[
                        code(0x0a130c),
                        code(0x1a2c18),
                        code(0x34501f),
                        code(0x6f7f34),
                    ],
                    light,
                );
                for _ in 0..4 {
                    let needle =
                        v2(side * rng.range(2.0, 13.0), rng.range(2.0, 18.0)) * (0.5 + 0.9 * t);
                    let start = *p + v2(rng.normal() * 3.0, rng.normal() * 3.0);
                    put(
                        &ribbon(&[start, start + needle], |s| 4.2 * (1.0 - 0.8 * s)),
                        colour,
                    );
                }
            }
            y -= 5.0 + 6.0 * rng.unit();
        }
    }
    sprite
}

/// A strip of grassy bank with reeds.
fn bank(seed: u64) -> Sprite {
    let (w, h) = (900, 300);
    let mut sprite = Sprite {
        colour: Canvas::new(w, h, code(0x1a2210)),
        alpha: Canvas::new(w, h, V::splat(0.0)),
    };
    let mut rng = Rng::new(seed);
    for i in 0..5200 {
        let depth = i as f32 / 5200.0;
        let x = rng.range(0.0, 900.0);
        let hump = 110.0 * smooth(0.0, 300.0, x) * smooth(900.0, 420.0, x)
            + 14.0 * noise(v2(x / 30.0, 0.0), 9);
        let foot = v2(x, 300.0 - hump * (1.0 - depth) * 0.9);
        let tall = (16.0 + 52.0 * rng.unit() * rng.unit()) * smooth(0.0, 120.0, hump + 30.0);
        let lean = rng.normal() * 0.25 + 0.1;
        let blade = spline(
            &[
                foot,
                foot + v2(lean * tall * 0.4, -tall * 0.6),
                foot + v2(lean * tall * 1.3, -tall),
            ],
            5,
        );
        let tone = rng.unit() * 0.6 + 0.4 * noise(v2(x / 60.0, depth * 4.0), 10);
        let colour = ramp(
            &[
                code(0x141d0c),
                code(0x2e3d14),
                code(0x5f6a22),
                code(0xa8974a),
            ],
            tone,
        );
        let mask = sprite
            .colour
            .mask(&ribbon(&blade, |t| 3.6 * (1.0 - t) + 0.5));
        sprite.colour.fill(&mask, colour);
        sprite.alpha.fill(&mask, V::splat(1.0));
    }
    sprite
}

fn scene() -> Scene {
    let mut cards = Vec::new();
    let mut put = |x: f32, z: f32, wide: f32, tall: f32, sprite: usize| {
        cards.push(Card {
            foot: v3(x, -0.15, z),
            size: v2(wide, tall),
            sprite,
        });
    };
    let firs = [
        (-16.6, 44.0, 18.0),
        (-19.6, 47.0, 23.0),
        (-13.6, 46.0, 12.5),
        (-22.6, 43.0, 19.0),
        (-10.9, 45.0, 7.0),
        (34.5, 82.0, 19.0),
        (38.5, 84.0, 26.0),
        (30.5, 83.0, 12.5),
        (43.0, 82.0, 20.0),
        (27.2, 82.5, 6.5),
    ];
    for (i, (x, z, tall)) in firs.into_iter().enumerate() {
        put(x, z, tall * 0.40, tall, i % 3);
    }
    put(-18.5, 42.0, 30.0, 4.2, 3);
    put(39.0, 80.0, 46.0, 5.2, 4);
    put(-6.6, 12.0, 7.0, 1.5, 4);
    cards.sort_by(|a, b| a.foot[2].total_cmp(&b.foot[2]));
    Scene {
        terrain: Terrain::new(SUN.unit()),
        sprites: vec![fir(1), fir(2), fir(3), bank(4), bank(5)],
        cards,
    }
}

fn sky(ray: V3) -> V3 {
    let up = ray[1].max(0.0);
    let blue = ramp(
        &[
            code(0xf2dcc0),
            code(0xc9d6dc),
            code(0x86b0d6),
            code(0x4a86c2),
            code(0x2c66a8),
            code(0x235a9c),
        ],
        up * 2.2,
    );
    let warm = smooth(0.5, -1.0, ray[0]) * (1.0 - up * 2.0).max(0.0);
    let base = blue.mix(code(0xffd9a0), 0.35 * warm);
    // Clouds lie on a plane high above; near the horizon they close up.
    let p = v2(ray[0], ray[2]) / (up + 0.10);
    let wisp = fbm(
        v2(p[0] * 0.7 + p[1] * 0.25, p[1] * 1.5) + v2(3.0, 1.0),
        6,
        300,
    );
    let heap = fbm(p * 0.9 + v2(9.0, 4.0), 6, 310);
    let body = smooth(0.50, 0.74, heap) * smooth(0.02, 0.14, up);
    let lit = fbm(p * 0.9 + v2(9.0, 4.0) + v2(-0.14, 0.06), 5, 310);
    let cloud = code(0xfff6e8).mix(code(0x9aa8bc), smooth(-0.02, 0.16, lit - heap + 0.08));
    base.mix(
        code(0xffffff),
        0.45 * smooth(0.48, 0.85, wisp) * smooth(0.05, 0.3, up),
    )
    .mix(cloud, 0.92 * body)
}

impl Scene {
    /// How dense the forest stands, 0..1.
    fn forest(&self, x: f32, z: f32, h: f32) -> f32 {
        let line = 330.0 + 160.0 * (noise(v2(x, z) / 260.0, 320) - 0.5);
        let steep = self.terrain.normal(x, z, 14.0)[1];
        smooth(line, line - 120.0, h) * smooth(1.0, 5.0, h) * smooth(0.62, 0.76, steep)
    }

    /// The height of the tree tops over the ground: cones on a jittered lattice.
    fn canopy(&self, x: f32, z: f32) -> f32 {
        let cell = 8.0;
        let (cx, cz) = ((x / cell).floor() as i32, (z / cell).floor() as i32);
        let mut top = 0.0f32;
        for dz in -1..=1 {
            for dx in -1..=1 {
                let (i, j) = (cx + dx, cz + dz);
                let stem = v2(i as f32 + hash01(i, j, 1), j as f32 + hash01(i, j, 2)) * cell;
                let tall = 9.0 + 15.0 * hash01(i, j, 3);
                top = top.max(tall * (1.0 - (v2(x, z) - stem).len() / 4.6));
            }
        }
        top
    }

    /// The surface of land with its forest, and how much of it is tree.
    fn surface(&self, x: f32, z: f32) -> (f32, f32) {
        let h = self.terrain.height(x, z);
        if !(0.5..=520.0).contains(&h) {
            return (h, 0.0);
        }
        let tree = self.canopy(x, z) * self.forest(x, z, h);
        (h + tree, tree)
    }

    fn land(&self, from: V3, ray: V3) -> Option<V3> {
        if ray[2] < 0.05 {
            return None;
        }
        let mut t = ((Z[0] - from[2]) / ray[2]).max(0.0);
        let mut before = t;
        while t * ray[2] < Z[1] - 20.0 {
            let p = from + ray * t;
            if p[1] > 1700.0 {
                return None;
            }
            let mut gap = p[1] - self.terrain.height(p[0], p[2]);
            if gap < 26.0 {
                gap = p[1] - self.surface(p[0], p[2]).0;
            }
            if gap < 0.0 {
                let (mut near, mut far) = (before, t);
                for _ in 0..8 {
                    let middle = (near + far) * 0.5;
                    let q = from + ray * middle;
                    if q[1] > self.surface(q[0], q[2]).0 {
                        near = middle
                    } else {
                        far = middle
                    }
                }
                return Some(from + ray * far);
            }
            before = t;
            t += (0.30 * gap).max(0.8 + 0.0011 * t);
        }
        None
    }

    fn shade_land(&self, p: V3, ray: V3) -> V3 {
        let (x, z) = (p[0], p[2]);
        let h = self.terrain.height(x, z);
        let sun = self.terrain.sun(x, z) * 1.0;
        let n = self.terrain.normal(x, z, 7.0);
        let broad = self.terrain.normal(x, z, 30.0);
        let grit = fbm(v2(x, z) / 16.0, 4, 330);
        let bands = fbm(v2(x / 90.0, p[1] / 13.0 + z / 160.0), 3, 331);
        let rock = code(0x5e5854)
            .mix(code(0x948474), bands)
            .mix(code(0x4a4642), 0.6 * grit);
        let meadow = code(0x5c6a2c).mix(code(0x8a8440), fbm(v2(x, z) / 60.0, 3, 332));
        let line = 560.0 + 260.0 * (fbm(v2(x, z) / 170.0, 4, 333) - 0.5) + 120.0 * n[0];
        let snow =
            smooth(line - 40.0, line + 60.0, h) * smooth(0.50, 0.66, n[1] + 0.10 * (grit - 0.5));
        let mut colour = rock.mix(meadow, smooth(480.0, 330.0, h) * smooth(0.66, 0.82, n[1]));
        colour = colour.mix(code(0xeef2f8), snow);
        let (top, tree) = self.surface(x, z);
        let mut facing = n.dot(SUN.unit()).max(0.0);
        let mut open = 0.55 + 0.45 * broad[1];
        if tree > 0.4 {
            let e = 1.2;
            let slope = v3(
                top - self.surface(x + e, z).0,
                e * 1.1,
                top - self.surface(x, z + e).0,
            )
            .unit();
            let kind = noise(v2(x, z) / 26.0, 334) * 0.6
                + 0.4 * hash01((x / 8.0) as i32, (z / 8.0) as i32, 5);
            colour = code(0x1c3018).mix(code(0x4a5a22), kind);
            facing = slope.dot(SUN.unit()).max(0.0) * 0.8 + 0.1;
            open = smooth(-2.0, 14.0, tree) * 0.9 + 0.1;
        }
        let shore = smooth(3.5, 0.4, h);
        colour = colour.mix(code(0x8a8070), shore * 0.8);
        let light =
            v3(1.0, 0.86, 0.66) * (3.7 * facing * sun) + v3(0.36, 0.48, 0.70) * (0.50 * open);
        self.haze(colour * light, (p - EYE).len(), p[1], ray)
    }

    /// Air between: blue with distance, and morning mist low over the far shore.
    fn haze(&self, light: V3, far: f32, height: f32, ray: V3) -> V3 {
        let air = code(0xa9c0d8).mix(code(0xf0d8b8), smooth(0.4, -0.9, ray[0]) * 0.55);
        let mist = 0.42
            * (-(height.max(0.0)) / 26.0).exp()
            * smooth(350.0, 900.0, far)
            * (0.4 + 1.2 * fbm(v2(ray[0] * 9.0, height / 40.0), 3, 340));
        light
            .mix(air * 0.95, 1.0 - (-far / 8200.0).exp())
            .mix(air * 1.05, mist.clamp(0.0, 0.85))
    }

    /// What a ray over the water meets.
    fn see(&self, from: V3, ray: V3) -> V3 {
        let far = self
            .land(from, ray)
            .map_or_else(|| sky(ray), |p| self.shade_land(p, ray));
        let seen = self.cards(from, ray, f32::MAX, far);
        jetty(from, ray).unwrap_or(seen)
    }

    /// The painted cards nearer than `limit`, over what is seen behind them.
    fn cards(&self, from: V3, ray: V3, limit: f32, behind: V3) -> V3 {
        self.cards.iter().rev().fold(behind, |seen, card| {
            let t = (card.foot[2] - from[2]) / ray[2];
            let p = from + ray * t - card.foot;
            let (u, v) = (p[0] / card.size[0] + 0.5, 1.0 - p[1] / card.size[1]);
            if t <= 0.0 || t > limit || !(0.0..1.0).contains(&u) || !(0.0..1.0).contains(&v) {
                return seen;
            }
            let sprite = &self.sprites[card.sprite];
            let i = sprite.colour.index(v2(u, v) * sprite.colour.size());
            seen.mix(sprite.colour.rgb[i] * 1.5, sprite.alpha.rgb[i][0])
        })
    }

    fn water(&self, ray: V3) -> V3 {
        let t = EYE[1] / -ray[1];
        let p = EYE + ray * t;
        let q = v2(p[0], p[2]);
        let calm = 1.0 / (1.0 + t / 70.0);
        let wind = 0.30 + 1.5 * smooth(0.50, 0.72, fbm(v2(q[0] / 160.0, q[1] / 46.0), 3, 350));
        let wave = |scale: V2, layer: i32| {
            let e = 0.12;
            let at = |d: V2| {
                fbm(
                    v2((q[0] + d[0]) * scale[0], (q[1] + d[1]) * scale[1]),
                    3,
                    layer,
                )
            };
            v2(
                at(v2(e, 0.0)) - at(v2(-e, 0.0)),
                at(v2(0.0, e)) - at(v2(0.0, -e)),
            ) / (2.0 * e)
        };
        let slope = (wave(v2(0.55, 1.1), 351) * 0.015 + wave(v2(1.6, 2.6), 355) * 0.006)
            * (wind * (calm * 0.9 + 0.10));
        let n = v3(-slope[0], 1.0, -slope[1]).unit();
        let mirrored = ray.reflect(n);
        let mirrored = v3(mirrored[0], mirrored[1].max(0.004), mirrored[2]).unit();
        let fresnel = 0.03 + 0.97 * (1.0 - (-ray.dot(n)).clamp(0.0, 1.0)).powi(5);
        let reflection = self.see(p + v3(0.0, 0.01, 0.0), mirrored) * 0.93;
        // Refraction bends the look downwards; the ground falls away from the bank.
        let depth = 0.25 + 0.085 * t.max(0.0) + 0.25 * fbm(q / 3.0, 2, 360);
        let ground = q + v2(ray[0], ray[2]) * (depth * 0.9) + slope * 1.6;
        let bed = pebbles(ground);
        let deep = code(0x0c3038).mix(code(0x16484a), smooth(20.0, 4.0, t));
        let below = deep.mix(bed * v3(0.75, 0.95, 0.85), (-depth * 1.15).exp());
        below.mix(reflection, fresnel.max(0.10))
    }
}

/// Round stones on the bed of the lake, seen from above.
fn pebbles(p: V2) -> V3 {
    let mut colour = code(0x6a5f48) * (0.6 + 0.5 * noise(p * 9.0, 370));
    for (layer, size) in [(371, 0.16), (376, 0.34), (381, 0.75)] {
        let q = p / size;
        let (x, y) = (q[0].floor() as i32, q[1].floor() as i32);
        for dy in -1..=1 {
            for dx in -1..=1 {
                let (i, j) = (x + dx, y + dy);
                let centre = v2(
                    i as f32 + hash01(i, j, layer),
                    j as f32 + hash01(i, j, layer + 1),
                );
                let arm = (q - centre) * v2(1.0 + 0.5 * hash01(i, j, layer + 2), 1.2);
                let radius = 0.30 + 0.28 * hash01(i, j, layer + 3);
                let inside = arm.len() / radius;
                if inside < 1.0 && hash01(i, j, layer + 4) < 0.6 {
                    let tone = ramp(
                        &[
                            code(0x4a4238),
                            code(0x8a7c64),
                            code(0x6f7470),
                            code(0xb0a68e),
                        ],
                        hash01(j, i, layer),
                    );
                    colour = tone
                        * ((1.0 - inside * inside).sqrt() * 0.8 + 0.35 - 0.25 * arm[0] / radius);
                }
            }
        }
    }
    colour
}

/// The jetty: one slab with the gaps of its planks, on posts; none where the ray misses it.
fn jetty(from: V3, ray: V3) -> Option<V3> {
    const LENGTH: f32 = 15.0;
    const HALF: f32 = 0.95;
    let turn = -0.10f32;
    let local = |v: V3| {
        let flat = v2(v[0], v[2]).turned(turn);
        v3(flat[0], v[1], flat[1])
    };
    let (o, d) = (local(from - v3(2.15, 0.0, 4.6)), local(ray));
    let sun = local(SUN.unit());
    let mut best: Option<(f32, V3)> = None;
    let (low, high) = (v3(-HALF, 0.52, 0.0), v3(HALF, 0.64, LENGTH));
    let (mut enter, mut leave, mut axis) = (0.0f32, f32::MAX, 1);
    for i in 0..3 {
        let (a, b) = ((low[i] - o[i]) / d[i], (high[i] - o[i]) / d[i]);
        if a.min(b) > enter {
            (enter, axis) = (a.min(b), i);
        }
        leave = leave.min(a.max(b));
    }
    if enter < leave && enter > 0.0 {
        let p = o + d * enter;
        let plank = (p[2] / 0.235).floor();
        let place = (p[2] / 0.235).fract();
        let own = hash01(plank as i32, 3, 390);
        let fibre = fbm(v2(p[0] * 2.2 + own * 50.0, p[2] * 46.0), 4, 391);
        let wood = code(0x6f5f4e)
            .mix(code(0xb09a80), 0.75 * fibre + 0.4 * (own - 0.4))
            .mix(
                code(0x4c5a34),
                0.35 * smooth(0.6, 0.8, fbm(v2(p[0], p[2]), 3, 392)),
            );
        let gap = smooth(0.0, 0.05, place) * smooth(1.0, 0.95, place);
        let nail = smooth(
            0.012,
            0.007,
            v2(p[0].abs() - HALF * 0.82, (place - 0.5) * 0.235).len(),
        );
        let light = match axis {
            1 if d[1] < 0.0 => v3(1.0, 0.86, 0.66) * (2.2 * sun[1]) + v3(0.36, 0.48, 0.70) * 0.6,
            0 if d[0] > 0.0 => v3(1.0, 0.86, 0.66) * (2.0 * (-sun[0]).max(0.0)) + V::splat(0.2),
            _ => V::splat(0.22),
        };
        best = Some((
            enter,
            wood * light * lerp(0.08, 1.0, gap) * (1.0 - 0.7 * nail),
        ));
    }
    for post in 0..12 {
        let centre = v2(
            if post % 2 == 0 {
                -HALF - 0.06
            } else {
                HALF + 0.06
            },
            0.5 + (post / 2) as f32 * 2.8,
        );
        let radius = 0.115;
        let (flat_o, flat_d) = (v2(o[0], o[2]) - centre, v2(d[0], d[2]));
        let (a, b) = (flat_d.dot(flat_d), flat_o.dot(flat_d));
        let root = b * b - a * (flat_o.dot(flat_o) - radius * radius);
        if root <= 0.0 {
            continue;
        }
        let t = (-b - root.sqrt()) / a;
        let p = o + d * t;
        let head = 1.15;
        let (t, n) = if p[1] <= head {
            (t, v3(p[0] - centre[0], 0.0, p[2] - centre[1]) / radius)
        } else {
            let t = (head - o[1]) / d[1];
            let p = o + d * t;
            if d[1] >= 0.0 || (v2(p[0], p[2]) - centre).len() > radius {
                continue;
            }
            (t, v3(0.0, 1.0, 0.0))
        };
        if t > 0.0 && best.is_none_or(|(near, _)| t < near) {
            let p = o + d * t;
            let bark = fbm(
                v2(n[0] * 3.0 + post as f32 * 7.0, p[1] * 2.0) * v2(3.0, 1.0),
                4,
                395,
            );
            let wet = smooth(0.35, 0.1, p[1]);
            let wood = code(0x5a4a3a).mix(code(0xa08a6c), bark) * lerp(1.0, 0.45, wet);
            best = Some((
                t,
                wood * (v3(1.0, 0.86, 0.66) * (2.3 * n.dot(sun).max(0.0))
                    + v3(0.36, 0.48, 0.70) * 0.5),
            ));
        }
    }
    best.map(|(_, colour)| colour)
}

/// Paints the picture at twice its published size.
pub fn paint() -> Canvas {
    let scene = scene();
    let mut canvas = Canvas::render(W, H, |p| {
        let x = (p[0] - W as f32 * 0.5) / H as f32 * ZOOM;
        let y = (H as f32 * HORIZON - p[1]) / H as f32 * ZOOM;
        let ray = v3(x, y, 1.0).unit();
        let direct = if ray[1] < -1e-4 {
            // The jetty and the cards stand before the water behind them.
            let water = EYE[1] / -ray[1];
            jetty(EYE, ray).unwrap_or_else(|| scene.cards(EYE, ray, water, scene.water(ray)))
        } else {
            scene.see(EYE, ray)
        };
        let vignette = 1.0 - 0.25 * (x * x + y * y);
        encode(
            (direct * (0.72 * vignette))
                .map(|c| (c * (2.51 * c + 0.03)) / (c * (2.43 * c + 0.59) + 0.14)),
        )
    });
    canvas.glow(0.80, 16, 0.10);
    canvas
}
