//! Painted cards for the lake: firs and grassy banks, as colours with opacity.

use crate::canvas::Canvas;
use crate::colour::{linear, ramp};
use crate::noise::{Rng, noise};
use crate::shape::{ribbon, spline};
use crate::vector::{V, V2, V3, smooth, v2};

/// Colours in linear light with opacity.
pub struct Sprite {
    /// Colours by pixel.
    pub colour: Canvas,
    /// Opacity, the same in all three channels.
    pub alpha: Canvas,
}

/// A fir: whorls of drooping branches from the back to the front, each a spray of needles.
pub fn fir(seed: u64) -> Sprite {
    let (w, h) = (360.0, 900.0);
    let mut sprite = Sprite {
        colour: Canvas::new(360, 900, linear(0x0c140c)),
        alpha: Canvas::new(360, 900, V::splat(0.0)),
    };
    let mut rng = Rng::new(seed);
    let mut put = |outline: &[V2], colour: V3| {
        sprite.colour.fill(outline, colour);
        sprite.alpha.fill(outline, V::splat(1.0));
    };
    put(
        &ribbon(
            &[v2(w * 0.5, h), v2(w * 0.5, h * 0.5), v2(w * 0.5, 12.0)],
            |t| 20.0 * (1.0 - t) + 1.0,
        ),
        linear(0x2c2018),
    );
    for pass in 0..3 {
        let mut y = 880.0f32;
        while y > 16.0 {
            let t = y / h;
            let reach = (w * 0.47) * t.powf(0.95) * rng.range(0.55, 1.05) + 3.0;
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
                let light = (0.20 + 0.16 * pass as f32 - 0.45 * side * out).clamp(0.0, 1.0)
                    * rng.range(0.5, 1.2);
                let colour = ramp(
                    &[
                        linear(0x0a130c),
                        linear(0x1a2c18),
                        linear(0x3a4f24),
                        linear(0x86883c),
                    ],
                    light,
                );
                for _ in 0..4 {
                    let needle =
                        v2(side * rng.range(2.0, 13.0), rng.range(2.0, 16.0)) * (0.3 + 0.9 * t);
                    let start = *p + v2(rng.normal() * 3.0, rng.normal() * 3.0) * (0.3 + t);
                    put(
                        &ribbon(&[start, start + needle], |s| {
                            (2.4 + 1.8 * t) * (1.0 - 0.8 * s)
                        }),
                        colour,
                    );
                }
            }
            y -= (5.0 + 9.0 * rng.unit()) * (0.4 + 0.8 * t);
        }
    }
    sprite
}

/// A strip of grassy bank with reeds.
pub fn bank(seed: u64) -> Sprite {
    let (w, h) = (900, 300);
    let mut sprite = Sprite {
        colour: Canvas::new(w, h, linear(0x1a2210)),
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
                linear(0x141d0c),
                linear(0x2e3d14),
                linear(0x5f6a22),
                linear(0xa8974a),
            ],
            tone,
        );
        let outline = ribbon(&blade, |t| 3.6 * (1.0 - t) + 0.5);
        sprite.colour.fill(&outline, colour);
        sprite.alpha.fill(&outline, V::splat(1.0));
    }
    sprite
}
