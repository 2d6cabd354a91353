//! Bamboo and pine in ink.

use super::{BLACK, H, INK};
use crate::brush::{Brush, stroke};
use crate::canvas::Canvas;
use crate::colour::hex;
use crate::noise::{Rng, noise};
use crate::shape::{circle, points, ribbon, spline};
use crate::vector::{V2, lerp, smooth, v2};

/// Three stalks of bamboo, painted joint by joint, with branches to the right.
pub fn bamboo(canvas: &mut Canvas, rng: &mut Rng) {
    let stalks = [
        (250.0, 90.0, 30.0, 0.55, 0.62),
        (60.0, 150.0, 56.0, 0.95, 0.5),
        (170.0, 60.0, 46.0, 0.85, 0.55),
    ];
    for (x, top_x, width, opacity, dry) in stalks {
        let (foot, top) = (v2(x, H as f32 + 40.0), v2(top_x, -60.0));
        let at = |t: f32| foot.mix(top, t) + v2(26.0 * (t * 3.1).sin(), 0.0);
        let joints = 8;
        for i in 0..joints {
            let (from, to) = (
                (i as f32 + 0.03) / joints as f32,
                (i as f32 + 0.965) / joints as f32,
            );
            let path: Vec<V2> = (0..=10)
                .map(|k| at(lerp(from, to, k as f32 / 10.0)))
                .collect();
            let wide = width * (1.0 - 0.35 * from);
            let brush = Brush {
                width: wide,
                bristles: 9.0,
                streak: 1.0,
                dry,
                body: 0.5,
                taper: [1.12, 1.08],
                opacity,
            };
            let dark = hex(0x1c1c20).mix(hex(0x55585a), 0.35 * rng.unit());
            stroke(canvas, &brush, &path, [hex(0x8a8a84), dark], rng);
            // The joint: a short dark hook across.
            let joint = at(to + 0.012);
            let across = v2(wide * 0.62, 0.0);
            let hook = spline(
                &[
                    joint - across + v2(0.0, -5.0),
                    joint + v2(0.0, 4.0),
                    joint + across + v2(0.0, -7.0),
                ],
                8,
            );
            stroke(
                canvas,
                &Brush {
                    opacity: opacity.max(0.8),
                    ..Brush::new(wide * 0.17)
                },
                &hook,
                [INK, hex(0x2c2c30)],
                rng,
            );
            if i > 1 {
                branch(canvas, joint, width * 0.018 + 0.35, rng);
            }
        }
    }
}

/// A thin branch to the right with bunches of leaves.
fn branch(canvas: &mut Canvas, root: V2, size: f32, rng: &mut Rng) {
    let side = if rng.chance(0.8) { 1.0 } else { -1.0 };
    let reach = v2(side * rng.range(120.0, 250.0), rng.range(-120.0, -10.0)) * size;
    let twig = spline(
        &[root, root + reach * 0.5 + v2(0.0, -14.0), root + reach],
        10,
    );
    canvas.fill(
        &ribbon(&twig, |t| 6.0 * size * (1.0 - 0.6 * t)),
        hex(0x2a2a2e),
    );
    for bunch in 0..3 {
        let at = twig[(twig.len() - 1) * (bunch + 2) / 4];
        let tone = rng.unit();
        for _ in 0..3 + rng.below(2) {
            let angle = 1.05 + side * -0.35 + rng.normal() * 0.55;
            let long = rng.range(80.0, 190.0) * size;
            let tip = at + V2::polar(angle) * long;
            let leaf = spline(
                &[
                    at,
                    at.mix(tip, 0.45) + V2::polar(angle + 1.57) * rng.range(-12.0, 12.0),
                    tip + v2(0.0, long * 0.06),
                ],
                10,
            );
            let brush = Brush {
                bristles: 6.0,
                streak: 0.45,
                dry: 0.34,
                body: 0.0,
                taper: [0.15, 0.02],
                opacity: lerp(0.97, 0.45, tone * tone),
                ..Brush::new(rng.range(14.0, 25.0) * size)
            };
            stroke(
                canvas,
                &brush,
                &leaf,
                [INK, hex(0x24262a).mix(hex(0x5a5e64), tone * tone * 0.7)],
                rng,
            );
        }
    }
}

/// A gnarled pine that leans out from the near cliff.
pub fn pine(canvas: &mut Canvas, rng: &mut Rng) {
    let limbs: [&str; 4] = [
        "1130,1010 1060,940 1010,900 930,880 860,820",
        "1020,905 990,840 940,790 950,730",
        "930,880 870,890 800,870",
        "1080,955 1080,880 1040,810",
    ];
    for (i, limb) in limbs.iter().enumerate() {
        let path = spline(&points(limb), 12);
        let brush = Brush {
            width: if i == 0 { 34.0 } else { 17.0 },
            bristles: 7.0,
            dry: 0.45,
            taper: [1.1, 0.25],
            body: 0.5,
            streak: 1.0,
            opacity: 0.95,
        };
        stroke(canvas, &brush, &path, [INK, hex(0x5a5a58)], rng);
        for k in 0..5 {
            let tuft = path[path.len() - 1 - k * path.len() / 8]
                + v2(rng.normal() * 22.0, rng.normal() * 14.0 - 12.0);
            let mask = canvas.mask(&circle(tuft, 44.0));
            canvas.paint(&mask, |p, c| {
                (
                    c * BLACK.map(|q| q.powf(0.5)),
                    smooth(44.0, 8.0, (p - tuft).len() + 20.0 * noise(p / 12.0, 690)),
                )
            });
            for _ in 0..34 {
                let angle = rng.range(-3.3, 0.2);
                let needle = tuft + V2::polar(angle) * v2(50.0, 34.0) * rng.range(0.6, 1.1);
                canvas.fill(
                    &ribbon(&[tuft + v2(rng.normal() * 5.0, 4.0), needle], |t| {
                        3.0 - 2.2 * t
                    }),
                    INK,
                );
            }
        }
    }
}
