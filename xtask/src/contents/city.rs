//! `city`: a harbour city at dusk, with lit windows, a suspension bridge, a big wheel and long reflections in the water.
//!
//! The city is some hundreds of boxes on a street grid, met by rays front to back. What a wall looks like follows from
//! the place on it: window or masonry, lit or dark, the mirrored sky in the glass, the warm light of the street. Bridge,
//! wheel, lamps and ferry are drawn on upright planes. The water averages a few reflected rays per pixel, each off a
//! different ripple, which draws every light out into a streak. Light is linear; lengths are metres.

mod block;
mod harbour;

use crate::canvas::Canvas;
use crate::colour::{film, linear, ramp};
use crate::noise::{fbm, hash01};
use crate::vector::{V, V2, V3, smooth, v2, v3};

use block::{Block, city};
use harbour::planes;

const W: usize = 1536;
const H: usize = 1024;
const EYE: V3 = v3(0.0, 11.0, 0.0);
const HORIZON: f32 = 0.63;
const ZOOM: f32 = 0.87;
/// Where the city's quay meets the water.
const QUAY: f32 = 215.0;

/// The colour of the light that lamps and windows give, by chance.
fn lamplight(chance: f32) -> V3 {
    ramp(
        &[
            linear(0xff9a3c),
            linear(0xffb860),
            linear(0xffd48c),
            linear(0xffe8c0),
            linear(0xe8f0ff),
        ],
        chance,
    )
}

fn sky(ray: V3) -> V3 {
    let up = ray[1].max(0.0);
    let west = smooth(-0.65, 0.60, ray[0]);
    let warm = ramp(
        &[
            linear(0xffc070),
            linear(0xff9850),
            linear(0xf07850),
            linear(0xc06070),
            linear(0x7a5a88),
            linear(0x46508a),
            linear(0x2a4078),
            linear(0x1b2e60),
        ],
        up * 1.9,
    );
    let cool = ramp(
        &[
            linear(0xf0a078),
            linear(0xd88078),
            linear(0xa06a86),
            linear(0x64608c),
            linear(0x3e5088),
            linear(0x284076),
            linear(0x1c3064),
            linear(0x142452),
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
    let colour = linear(0x4a4668)
        .mix(linear(0x84566c), smooth(0.5, 0.1, up))
        .mix(ramp(&[linear(0xe07a68), linear(0xffa858)], west), lit);
    let star = hash01((ray[0] * 700.0) as i32, (ray[1] * 700.0) as i32, 420);
    let base = base + V::splat(0.5 * smooth(0.9986, 0.9996, star) * smooth(0.28, 0.5, up));
    base.mix(colour, cloud * 0.85)
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
        None if ray[1] < 0.0 && ground > 0.0 => linear(0x2a2226),
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
            + linear(0x0b1830).mix(
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
    canvas.map(|_, light| film(light * 0.92));
    canvas
}
