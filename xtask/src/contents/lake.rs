//! `lake`: a mountain lake in the morning, with a jetty, firs on the shore and the peaks mirrored in the water.
//!
//! Rays march over the eroded mountains of [`terrain`], on which every fir of the forest is a small cone. The
//! water reflects them by Fresnel's law with ripples for a normal and lets the pebbles of the ground show where it is
//! looked into steeply. The jetty is boxes and cylinders; the near firs and reeds are painted cards standing in the
//! scene, so they are mirrored like everything else. Light is linear; lengths are metres.

mod jetty;
mod plant;
mod terrain;

use crate::canvas::Canvas;
use crate::colour::{film, linear, ramp};
use crate::noise::{fbm, hash01, noise};
use crate::vector::{V2, V3, smooth, v2, v3};

use jetty::{jetty, pebbles};
use plant::{Sprite, bank, fir};
use terrain::{Terrain, Z};

const W: usize = 1536;
const H: usize = 1024;
const EYE: V3 = v3(0.0, 2.3, 0.0);
/// Where the horizon lies, as a share of the height from the top.
const HORIZON: f32 = 0.56;
/// Height of the picture at distance 1.
const ZOOM: f32 = 0.70;
const SUN: V3 = v3(-0.74, 0.46, -0.49);

/// A painted card standing upright in the scene, facing the viewer.
struct Card {
    /// The middle of its foot.
    foot: V3,
    size: V2,
    sprite: usize,
}

struct Scene {
    terrain: Terrain,
    sprites: Vec<Sprite>,
    cards: Vec<Card>,
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
            linear(0xf2dcc0),
            linear(0xc9d6dc),
            linear(0x86b0d6),
            linear(0x4a86c2),
            linear(0x2c66a8),
            linear(0x235a9c),
        ],
        up * 2.2,
    );
    let warm = smooth(0.5, -1.0, ray[0]) * (1.0 - up * 2.0).max(0.0);
    let base = blue.mix(linear(0xffd9a0), 0.35 * warm);
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
    let cloud = linear(0xfff6e8).mix(linear(0x9aa8bc), smooth(-0.02, 0.16, lit - heap + 0.08));
    base.mix(
        linear(0xffffff),
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
        let rock = linear(0x5e5854)
            .mix(linear(0x948474), bands)
            .mix(linear(0x4a4642), 0.6 * grit);
        let meadow = linear(0x5c6a2c).mix(linear(0x8a8440), fbm(v2(x, z) / 60.0, 3, 332));
        let line = 560.0 + 260.0 * (fbm(v2(x, z) / 170.0, 4, 333) - 0.5) + 120.0 * n[0];
        let snow =
            smooth(line - 40.0, line + 60.0, h) * smooth(0.50, 0.66, n[1] + 0.10 * (grit - 0.5));
        let mut colour = rock.mix(meadow, smooth(480.0, 330.0, h) * smooth(0.66, 0.82, n[1]));
        colour = colour.mix(linear(0xeef2f8), snow);
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
            colour = linear(0x1c3018).mix(linear(0x4a5a22), kind);
            facing = slope.dot(SUN.unit()).max(0.0) * 0.8 + 0.1;
            open = smooth(-2.0, 14.0, tree) * 0.9 + 0.1;
        }
        let shore = smooth(3.5, 0.4, h);
        colour = colour.mix(linear(0x8a8070), shore * 0.8);
        let light =
            v3(1.0, 0.86, 0.66) * (3.7 * facing * sun) + v3(0.36, 0.48, 0.70) * (0.50 * open);
        self.haze(colour * light, (p - EYE).len(), p[1], ray)
    }

    /// Air between: blue with distance, and morning mist low over the far shore.
    fn haze(&self, light: V3, far: f32, height: f32, ray: V3) -> V3 {
        let air = linear(0xa9c0d8).mix(linear(0xf0d8b8), smooth(0.4, -0.9, ray[0]) * 0.55);
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
        let deep = linear(0x0c3038).mix(linear(0x16484a), smooth(20.0, 4.0, t));
        let below = deep.mix(bed * v3(0.75, 0.95, 0.85), (-depth * 1.15).exp());
        below.mix(reflection, fresnel.max(0.10))
    }
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
        film(direct * (0.72 * vignette))
    });
    canvas.glow(0.80, 16, 0.10);
    canvas
}
