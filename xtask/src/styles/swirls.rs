//! `swirls`: a night sky in thick, swirling oil paint over a river valley, after the manner of the post-impressionists.
//!
//! The picture is a direction field: a wind with vortices and rings around the moon and the stars, hills that roll, a
//! river, and tall dark trees that flicker upwards. Three layers of bristle strokes, from broad to fine, follow it.
//! A stroke's tone is noise averaged along its own stream line, so colours run in bands with the wind.

use crate::brush::{Brush, follow, scatter, stroke};
use crate::canvas::Canvas;
use crate::colour::{hex, ramp};
use crate::noise::{Rng, fbm, noise};
use crate::vector::{V2, V3, lerp, smooth, v2};

const W: usize = 1440;
const H: usize = 1152;

/// Turning wind: centre, radius, strength (negative turns the other way), inward pull.
const VORTICES: [(V2, f32, f32, f32); 4] = [
    (v2(690.0, 390.0), 190.0, 9.0, 0.30),
    (v2(905.0, 492.0), 125.0, -6.5, 0.30),
    (v2(330.0, 560.0), 120.0, 4.0, 0.2),
    (v2(1120.0, 330.0), 90.0, 2.5, 0.2),
];

/// Lights of the sky: centre and radius of the halo; the first is the moon.
const LIGHTS: [(V2, f32); 10] = [
    (v2(255.0, 215.0), 200.0),
    (v2(520.0, 120.0), 78.0),
    (v2(800.0, 130.0), 92.0),
    (v2(985.0, 215.0), 64.0),
    (v2(520.0, 560.0), 60.0),
    (v2(80.0, 480.0), 72.0),
    (v2(655.0, 640.0), 40.0),
    (v2(1390.0, 420.0), 70.0),
    (v2(1010.0, 60.0), 48.0),
    (v2(1385.0, 90.0), 66.0),
];

const SKY: [V3; 7] = [
    hex(0x0d1648),
    hex(0x17287a),
    hex(0x2148a6),
    hex(0x2f6cc4),
    hex(0x5a9fd6),
    hex(0x9ccfe0),
    hex(0xe2ecc8),
];
const HALO: [V3; 6] = [
    hex(0xfff6c8),
    hex(0xfbd84a),
    hex(0xf2a81e),
    hex(0xe9d67a),
    hex(0xa9d0b8),
    hex(0x5f9fcf),
];
const FAR: [V3; 4] = [hex(0x16255c), hex(0x2a4a8e), hex(0x3f6fa4), hex(0x7fa6bd)];
const NEAR: [V3; 5] = [
    hex(0x12303a),
    hex(0x1f5350),
    hex(0x3a7a4c),
    hex(0x7f9c3e),
    hex(0xc6b64a),
];
const FIELD: [V3; 5] = [
    hex(0x5c4a1c),
    hex(0xa67a1e),
    hex(0xd9a92c),
    hex(0xf3d765),
    hex(0x6f8a3a),
];
const RIVER: [V3; 5] = [
    hex(0x0f1d55),
    hex(0x1d3f92),
    hex(0x3a7dbf),
    hex(0x8cc4d4),
    hex(0xf4d96a),
];
const TREE: [V3; 5] = [
    hex(0x07110f),
    hex(0x10241c),
    hex(0x1d3d24),
    hex(0x3f5a26),
    hex(0x7a5a24),
];

#[derive(Clone, Copy, PartialEq)]
enum Region {
    Sky,
    Far,
    Near,
    Field,
    River,
    Tree,
}

fn far_ridge(x: f32) -> f32 {
    735.0 - 80.0 * (x / 260.0 + 0.6).sin() - 46.0 * (x / 111.0).sin() - 0.03 * x
}

fn near_ridge(x: f32) -> f32 {
    825.0 - 46.0 * (x / 205.0 + 2.2).sin() - 16.0 * (x / 74.0).sin() + 0.02 * x
}

fn field_edge(x: f32) -> f32 {
    1010.0 - 60.0 * (x / 330.0 + 4.3).sin() - 14.0 * (x / 97.0).sin()
}

/// The river's middle and half width at height `y`.
fn river(y: f32) -> (f32, f32) {
    let t = ((y - 835.0) / 320.0).max(0.0);
    (
        600.0 + 210.0 * (t * 3.4).sin() - 150.0 * t,
        10.0 + 85.0 * t.powf(1.3),
    )
}

/// How far `p` is inside the trees: below 1 is inside.
fn tree(p: V2) -> f32 {
    let flame = |x: f32, top: f32, base: f32, half: f32| {
        let t = ((p[1] - top) / (base - top)).clamp(-0.2, 1.2);
        let sway = 18.0 * (t * 7.0 + x).sin() * (1.0 - t) + 9.0 * (t * 19.0 + x).sin();
        let wide =
            half * (t.max(0.0).powf(0.75) * (1.0 - 0.25 * t)) * (1.0 + 0.16 * (t * 23.0).sin())
                + 1.0;
        if t <= 0.0 {
            9.0
        } else {
            (p[0] - x - sway).abs() / wide
        }
    };
    flame(1225.0, 60.0, 1190.0, 125.0)
        .min(flame(1100.0, 430.0, 1190.0, 84.0))
        .min(flame(1345.0, 600.0, 1200.0, 70.0))
}

fn region(p: V2) -> Region {
    let (middle, half) = river(p[1]);
    if tree(p) < 1.0 {
        Region::Tree
    } else if p[1] > near_ridge(p[0]) + 6.0 && (p[0] - middle).abs() < half {
        Region::River
    } else if p[1] > field_edge(p[0]) {
        Region::Field
    } else if p[1] > near_ridge(p[0]) {
        Region::Near
    } else if p[1] > far_ridge(p[0]) {
        Region::Far
    } else {
        Region::Sky
    }
}

/// The direction along a curve `y(x)`, for ground whose strokes follow it.
fn along(curve: fn(f32) -> f32, x: f32) -> V2 {
    v2(16.0, curve(x + 8.0) - curve(x - 8.0)).unit()
}

fn direction(p: V2) -> V2 {
    let wander = (fbm(p / 150.0, 2, 40) - 0.5) * 1.2;
    match region(p) {
        Region::Sky => {
            let mut sum = v2(
                1.0,
                0.55 * (p[0] / 210.0 + 1.0).sin() + 0.5 * (p[1] / 120.0).cos(),
            )
            .turned(wander * 0.6);
            for (centre, radius, strength, pull) in VORTICES {
                let arm = p - centre;
                let weight = strength * (-(arm.dot(arm)) / (radius * radius)).exp();
                sum = sum + (arm.perp().unit() - arm.unit() * pull * strength.signum()) * weight;
            }
            for (centre, radius) in LIGHTS {
                let arm = p - centre;
                let reach = arm.len() / radius;
                sum = sum + arm.perp().unit() * (14.0 * (-(reach * reach) * 2.2).exp());
            }
            sum.unit()
        }
        Region::Far => {
            along(far_ridge, p[0]).turned(wander * 0.5 + (p[1] - far_ridge(p[0])) * 0.004)
        }
        Region::Near => along(near_ridge, p[0]).turned(wander * 0.7 - 0.5 * (p[0] / 90.0).sin()),
        Region::Field => along(field_edge, p[0]).turned(-0.9 + wander + 0.5 * (p[0] / 160.0).sin()),
        Region::River => {
            let (a, b) = (river(p[1] - 8.0).0, river(p[1] + 8.0).0);
            v2(b - a, 16.0)
                .unit()
                .turned(std::f32::consts::FRAC_PI_2 * 0.82 + wander * 0.4)
        }
        Region::Tree => v2(0.30 * (p[1] / 46.0 + p[0] / 60.0).sin(), -1.0)
            .turned(wander * 0.8)
            .unit(),
    }
}

/// Noise averaged along the stream line through `p`, stretched to 0..1.
fn stream_tone(p: V2, scale: f32, layer: i32) -> f32 {
    let path = follow(p, 150.0, 10.0, direction, |_| true);
    let mean = path.iter().map(|q| noise(*q / scale, layer)).sum::<f32>() / path.len() as f32;
    (0.5 + (mean - 0.5) * 2.6).clamp(0.0, 1.0)
}

fn colour(p: V2, rng: &mut Rng) -> V3 {
    let tone = stream_tone(p, 26.0, 3) + rng.normal() * 0.05;
    match region(p) {
        Region::Sky => {
            let low = smooth(380.0, 760.0, p[1]);
            let base = ramp(&SKY, tone * 0.85 + low * 0.22 - 0.04);
            let mut paint = if rng.chance(0.035) {
                hex(0x6a5aa8)
            } else {
                base
            };
            for (i, (centre, radius)) in LIGHTS.into_iter().enumerate() {
                let reach = (p - centre).len() / radius;
                if reach < 1.25 {
                    let rings = 0.10 * (reach * 21.0).sin() + 0.16 * (tone - 0.5);
                    let core = if i == 0 { 0.0 } else { 0.06 };
                    paint = paint.mix(
                        ramp(&HALO, reach * 0.95 - core + rings),
                        smooth(1.2, 0.7, reach + rings),
                    );
                }
            }
            // The moon is a crescent: its shadowed side is a deep orange.
            let (moon, size) = LIGHTS[0];
            let (arm, bite) = (p - moon, p - moon - v2(-34.0, -12.0));
            if arm.len() < size * 0.42 {
                paint = if bite.len() < size * 0.33 {
                    hex(0xd8781a)
                } else {
                    hex(0xfff6b8)
                };
            }
            paint
        }
        Region::Far => ramp(
            &FAR,
            tone * 1.1 - smooth(10.0, 120.0, p[1] - far_ridge(p[0])) * 0.35 + 0.18,
        ),
        Region::Near => ramp(
            &NEAR,
            tone * 1.15 - 0.05 - 0.2 * smooth(0.0, 150.0, p[1] - near_ridge(p[0])),
        ),
        Region::Field => ramp(&FIELD, tone * 0.95),
        Region::River => {
            let (middle, half) = river(p[1]);
            let glint = smooth(0.75, 0.0, (p[0] - middle + 0.15 * half).abs() / half)
                * (0.45 + 0.8 * (tone - 0.35));
            ramp(&RIVER, tone * 0.55 + glint * 0.75)
        }
        Region::Tree => ramp(&TREE, tone * 1.0 - 0.08 + 0.25 * (1.0 - tree(p)).min(0.0)),
    }
}

/// Small houses by the river, each with a roof and a lit window.
fn houses(canvas: &mut Canvas, rng: &mut Rng) {
    let spots = [
        (150.0, 890.0, 1.0),
        (235.0, 912.0, 1.25),
        (330.0, 884.0, 0.9),
        (800.0, 905.0, 1.1),
        (890.0, 925.0, 1.3),
        (965.0, 896.0, 0.9),
    ];
    for (x, y, scale) in spots {
        let mut block = |dx: f32, dy: f32, w: f32, h: f32, tones: [V3; 2], lean: f32| {
            let rows = (h / 6.0).ceil() as i32;
            for row in 0..rows {
                let t = row as f32 / rows as f32;
                let (half, level) = (w * lerp(lean, 1.0, t) * 0.5, y + (dy + h * t) * scale);
                let path = [
                    v2(x + (dx - half) * scale, level + 1.5),
                    v2(x + dx * scale, level),
                    v2(x + (dx + half) * scale, level - 1.0),
                ];
                let brush = Brush {
                    taper: [1.0, 0.9],
                    dry: 0.0,
                    ..Brush::new(9.0 * scale)
                };
                stroke(canvas, &brush, &path, tones, rng);
            }
        };
        block(0.0, 0.0, 54.0, 38.0, [hex(0x2c4a7c), hex(0x7fa0b4)], 1.0);
        block(0.0, -30.0, 66.0, 32.0, [hex(0x7a2a1c), hex(0xc9652c)], 0.25);
        block(-10.0, 14.0, 11.0, 12.0, [hex(0xf8c93a), hex(0xfff0a8)], 1.0);
        block(13.0, 15.0, 9.0, 11.0, [hex(0xf2a81e), hex(0xffe27a)], 1.0);
    }
}

/// Paints the picture at twice its published size.
pub fn paint() -> Canvas {
    let mut canvas = Canvas::new(W, H, hex(0x2a2a4a));
    let mut rng = Rng::new(11);
    let layers = [(52.0, 34.0, 170.0), (29.0, 18.0, 120.0), (17.0, 13.0, 78.0)];
    for (layer, (width, spacing, length)) in layers.into_iter().enumerate() {
        if layer == 2 {
            houses(&mut canvas, &mut rng);
        }
        for start in scatter(&canvas, spacing, &mut rng) {
            let home = region(start);
            // The finest strokes leave a third of the layer below in sight, and the houses alone.
            let near_house = home == Region::Near && start[1] > 845.0 && start[1] < 940.0;
            if layer == 2 && (rng.chance(0.3) || near_house) {
                continue;
            }
            let fine = match home {
                Region::Far | Region::River => 0.75,
                Region::Tree => 0.9,
                _ => 1.0,
            };
            let tight = LIGHTS
                .iter()
                .map(|(c, r)| (start - *c).len() / r)
                .fold(1.0f32, f32::min);
            let reach =
                length * fine * lerp(0.45, 1.0, smooth(0.1, 0.9, tight)) * rng.range(0.7, 1.2);
            let path = follow(start, reach, 4.0, direction, |p| region(p) == home);
            let first = colour(start, &mut rng);
            let shade = rng.normal() * 0.05;
            let light = first.mix(hex(0xfff4d0), 0.16 + shade.abs()).saturate(1.1);
            let brush = Brush {
                bristles: 4.0,
                streak: 0.9,
                dry: if layer == 2 { 0.22 } else { 0.05 },
                ..Brush::new(width * fine * rng.range(0.8, 1.15))
            };
            stroke(
                &mut canvas,
                &brush,
                &path,
                [first * (0.82 + shade), light],
                &mut rng,
            );
        }
    }
    canvas.light(0.62, 0.14);
    canvas
}
