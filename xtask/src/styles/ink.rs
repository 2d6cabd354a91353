//! `ink`: mountains in mist, bamboo and a lonely boat, in ink wash on old paper.
//!
//! Ink is absorbed light: every wash multiplies what is below by a power of the ink's colour, so layers deepen. A
//! mountain is a wash that is dark and pooled at its ridge and dissolves downwards into mist, broken by the grain of
//! the paper, with dry strokes down its slopes. Bamboo, pine, boat and reeds are strokes of a brush that runs dry.

mod plants;

use crate::brush::{Brush, stroke};
use crate::canvas::Canvas;
use crate::colour::hex;
use crate::noise::{Rng, fbm, hash01, noise};
use crate::shape::{blob, circle, line, points, rectangle, ribbon, spline};
use crate::vector::{V2, V3, smooth, v2};

use plants::{bamboo, pine};

const W: usize = 1152;
const H: usize = 1500;

const INK: V3 = hex(0x16161a);
const SEAL: V3 = hex(0xc0261c);

/// What a full layer of ink lets through; far mountains take a touch of indigo.
const BLACK: V3 = hex(0x2a2a2e);
const INDIGO: V3 = hex(0x3e5260);

/// One mountain range: peaks as (x, height, half width), the level of its foot, how dark it is and its ink.
struct Range {
    peaks: &'static [(f32, f32, f32)],
    foot: f32,
    depth: f32,
    ink: V3,
    strokes: usize,
}

const RANGES: [Range; 5] = [
    Range {
        peaks: &[
            (180.0, 260.0, 120.0),
            (420.0, 190.0, 100.0),
            (900.0, 330.0, 150.0),
            (1100.0, 210.0, 90.0),
        ],
        foot: 640.0,
        depth: 0.34,
        ink: INDIGO,
        strokes: 0,
    },
    Range {
        peaks: &[
            (560.0, 420.0, 120.0),
            (690.0, 520.0, 100.0),
            (800.0, 330.0, 110.0),
            (1010.0, 230.0, 90.0),
        ],
        foot: 760.0,
        depth: 0.62,
        ink: INDIGO,
        strokes: 260,
    },
    Range {
        peaks: &[
            (90.0, 360.0, 130.0),
            (260.0, 260.0, 90.0),
            (980.0, 430.0, 110.0),
            (1120.0, 560.0, 120.0),
        ],
        foot: 880.0,
        depth: 0.95,
        ink: BLACK,
        strokes: 620,
    },
    Range {
        peaks: &[
            (420.0, 120.0, 150.0),
            (640.0, 170.0, 120.0),
            (800.0, 110.0, 90.0),
        ],
        foot: 965.0,
        depth: 0.75,
        ink: BLACK,
        strokes: 260,
    },
    Range {
        peaks: &[
            (860.0, 130.0, 120.0),
            (1020.0, 330.0, 130.0),
            (1170.0, 420.0, 150.0),
        ],
        foot: 1190.0,
        depth: 1.45,
        ink: BLACK,
        strokes: 900,
    },
];

impl Range {
    fn ridge(&self, x: f32, layer: i32) -> f32 {
        let lift = self
            .peaks
            .iter()
            .map(|(at, tall, half)| {
                let far = ((x - at) / half).abs();
                tall * (-(far.powf(1.7))).exp().max(0.35 * (-far * 0.9).exp())
            })
            .fold(0.0f32, |a, b| (a.powi(4) + b.powi(4)).powf(0.25));
        let rugged = fbm(v2(x / 70.0, layer as f32 * 5.0), 5, 600 + layer) - 0.5;
        self.foot - lift - rugged * (30.0 + 0.30 * lift)
    }

    fn wash(&self, canvas: &mut Canvas, layer: i32) {
        let ridges: Vec<f32> = (0..W).map(|x| self.ridge(x as f32, layer)).collect();
        canvas.map(|p, below| {
            let x = p[0] as usize;
            let slope = ridges[(x + 3).min(W - 1)] - ridges[x.saturating_sub(3)];
            let wet = 7.0 * (fbm(p / 16.0, 3, 610 + layer) - 0.5);
            let inside = (p[1] - ridges[x]) / (1.0 + slope * slope / 36.0).sqrt() + wet;
            if inside < -3.0 || p[1] > self.foot + 220.0 {
                return below;
            }
            let down = (p[1] - ridges[x]).max(0.0);
            let tall = (self.foot - ridges[x]).max(60.0);
            let mist = smooth(
                1.05,
                0.25,
                down / tall + 0.35 * (fbm(p / 110.0, 3, 620 + layer) - 0.5),
            );
            let cloud = 0.55 + 0.9 * fbm(v2(p[0] / 60.0, p[1] / 90.0), 4, 630 + layer);
            let facets = smooth(
                0.44,
                0.62,
                fbm(
                    v2(p[0] / 34.0 + 0.25 * p[1] / 34.0, p[1] / 120.0),
                    4,
                    640 + layer,
                ),
            );
            let pooled =
                0.75 * (-(inside / 7.0).max(0.0)).exp() + 0.35 * (-inside.max(0.0) / 34.0).exp();
            let grain = 0.84 + 0.32 * noise(p / 2.2, 650);
            let ink = self.depth
                * smooth(-2.0, 2.0, inside)
                * smooth(
                    24.0,
                    90.0,
                    self.foot - ridges[x] + 30.0 * noise(p / 40.0, 651),
                )
                * (mist * cloud * (0.45 + 0.65 * facets) + pooled * mist.max(0.25))
                * grain;
            below * self.ink.map(|c| c.powf(ink))
        });
    }

    /// Dry strokes down the slopes, dense under the ridge.
    fn texture(&self, canvas: &mut Canvas, layer: i32, rng: &mut Rng) {
        for _ in 0..self.strokes {
            let x = rng.range(0.0, W as f32);
            let top = self.ridge(x, layer);
            let tall = self.foot - top;
            if tall < 60.0 {
                continue;
            }
            let y = top + 6.0 + tall * 0.75 * rng.unit() * rng.unit();
            let fall = (self.ridge(x + 14.0, layer) - self.ridge(x - 14.0, layer)) / 28.0;
            let side = if fall.abs() < 0.4 {
                rng.pick(&[-1.0, 1.0])
            } else {
                fall.signum()
            };
            let long = rng.range(16.0, 60.0) * (0.4 + tall / 500.0);
            let end = v2(x + side * long * rng.range(0.25, 0.6), y + long);
            let bend = v2(rng.normal() * 4.0, rng.normal() * 3.0);
            let path = spline(&[v2(x, y), v2(x, y).mix(end, 0.5) + bend, end], 6);
            let brush = Brush {
                bristles: 5.0,
                dry: 0.62,
                body: 0.3,
                taper: [0.5, 0.2],
                opacity: 0.34 * self.depth.min(1.6),
                ..Brush::new(rng.range(3.0, 10.0))
            };
            stroke(canvas, &brush, &path, [self.ink * 0.7, INK], rng);
        }
    }
}

fn paper(canvas: &mut Canvas) {
    canvas.map(|p, _| {
        let cloud = fbm(p / 320.0, 4, 660);
        let fibre = noise(v2(p[0] / 46.0, p[1] / 2.6), 661) * 0.5
            + noise(v2(p[0] / 2.6, p[1] / 40.0), 662) * 0.5;
        let fleck = smooth(0.80, 0.86, noise(p / 5.0, 663)) * 0.05;
        let tooth = noise(p / 2.0, 664);
        let edge = p[0].min(W as f32 - p[0]).min(p[1]).min(H as f32 - p[1]);
        let age = smooth(150.0, 0.0, edge + 90.0 * (cloud - 0.5)) * 0.20;
        hex(0xf4ead2).mix(hex(0xdcc69a), 0.38 * cloud + age)
            * (0.96 + 0.05 * fibre + 0.03 * tooth - fleck)
    });
    // A pale moon, left out of a wash around it.
    let moon = v2(872.0, 236.0);
    canvas.map(|p, c| {
        let r = (p - moon).len();
        let wash = smooth(520.0, 80.0, r + 90.0 * (fbm(p / 120.0, 4, 665) - 0.5))
            * smooth(86.0, 90.0, r + 3.0 * noise(p / 8.0, 666));
        let band = smooth(0.5, 0.75, fbm(v2(p[0] / 420.0, p[1] / 110.0), 4, 667))
            * smooth(760.0, 300.0, p[1]);
        c * BLACK.map(|k| k.powf(0.17 * wash + 0.16 * band))
    });
}

fn water(canvas: &mut Canvas, rng: &mut Rng) {
    canvas.map(|p, c| {
        let wash = smooth(960.0, 1140.0, p[1])
            * (0.10 + 0.24 * smooth(0.45, 0.7, fbm(v2(p[0] / 330.0, p[1] / 46.0), 4, 670)));
        c * INDIGO.map(|k| k.powf(wash * (0.85 + 0.3 * noise(p / 2.4, 671))))
    });
    for _ in 0..150 {
        let y = 985.0 + 460.0 * rng.unit().powf(1.3);
        let x = rng.range(-40.0, W as f32);
        let long = rng.range(60.0, 260.0) * (y - 880.0) / 400.0;
        let path = spline(
            &[
                v2(x, y),
                v2(x + long * 0.35, y - 4.0),
                v2(x + long * 0.7, y + 4.0),
                v2(x + long, y),
            ],
            8,
        );
        let brush = Brush {
            dry: 0.72,
            bristles: 4.0,
            body: 0.2,
            taper: [0.2, 0.1],
            opacity: 0.30,
            ..Brush::new(rng.range(3.0, 9.0))
        };
        stroke(canvas, &brush, &path, [hex(0x50585c), INK], rng);
    }
}

fn boat(canvas: &mut Canvas, rng: &mut Rng) {
    let at = |x: f32, y: f32| v2(560.0 + x, 1105.0 + y);
    let all = |list: &str| -> Vec<V2> { points(list).iter().map(|p| at(p[0], p[1])).collect() };
    let hull = blob(
        &all("-120,-16 -60,4 0,9 70,3 128,-20 80,20 0,27 -80,18"),
        10,
    );
    let mask = canvas.mask(&hull);
    canvas.paint(&mask, |p, c| {
        (
            c * BLACK.map(|k| k.powf(1.0 + 0.9 * noise(p / 9.0, 680))),
            1.0,
        )
    });
    let roof = spline(&all("-56,2 -40,-36 0,-48 36,-34 50,2"), 8);
    let brush = |width: f32, dry: f32| Brush {
        dry,
        bristles: 6.0,
        body: 0.3,
        taper: [0.7, 0.4],
        opacity: 0.9,
        ..Brush::new(width)
    };
    let mask = canvas.mask(&roof);
    canvas.paint(&mask, |p, c| {
        (
            c * BLACK.map(|k| k.powf(0.45 + 0.4 * noise(v2(p[0] / 5.0, p[1] / 18.0), 681))),
            1.0,
        )
    });
    stroke(canvas, &brush(6.0, 0.3), &roof, [INK, hex(0x3a3a40)], rng);
    // The fisherman: hat, cape and rod.
    let (x, y) = (88.0, -18.0);
    stroke(
        canvas,
        &brush(24.0, 0.25),
        &[at(x, y - 22.0), at(x - 3.0, y + 4.0), at(x - 5.0, y + 18.0)],
        [INK, hex(0x44444a)],
        rng,
    );
    canvas.fill(
        &[
            at(x - 30.0, y - 30.0),
            at(x + 1.0, y - 54.0),
            at(x + 28.0, y - 28.0),
        ],
        INK,
    );
    let rod = spline(
        &[
            at(x + 6.0, y - 8.0),
            at(x + 90.0, y - 70.0),
            at(x + 170.0, y - 92.0),
        ],
        10,
    );
    canvas.fill(&ribbon(&rod, |t| 4.0 - 2.8 * t), INK);
    canvas.fill(
        &line(at(x + 170.0, y - 92.0), at(x + 172.0, y + 44.0), 1.3),
        hex(0x55555a),
    );
    for i in 0..9 {
        let wide = 120.0 - 9.0 * i as f32;
        let y = 40.0 + 9.0 * i as f32;
        let path = spline(
            &[
                at(-wide + 14.0 * hash01(i, 1, 682), y),
                at(0.0, y + 3.0),
                at(wide, y),
            ],
            8,
        );
        stroke(
            canvas,
            &Brush {
                opacity: 0.40 - 0.03 * i as f32,
                ..brush(6.0, 0.8)
            },
            &path,
            [hex(0x4a5054), INK],
            rng,
        );
    }
}

fn birds(canvas: &mut Canvas, rng: &mut Rng) {
    for i in 0..7 {
        let at = v2(
            560.0 + 52.0 * i as f32 + 14.0 * rng.normal(),
            330.0 - 22.0 * i as f32 + 16.0 * (i as f32 - 3.0).abs() + 8.0 * rng.normal(),
        );
        for side in [-1.0, 1.0] {
            let wing = spline(
                &[at, at + v2(side * 13.0, -11.0), at + v2(side * 29.0, -5.0)],
                6,
            );
            canvas.fill(&ribbon(&wing, |t| 4.6 * (1.0 - t) + 0.4), INK);
        }
    }
}

/// The painter's seal: a mountain over waves, carved out of vermilion.
fn seal(canvas: &mut Canvas) {
    let at = v2(1046.0, 1392.0);
    let put = |x: f32, y: f32| at + v2(x, y);
    let block = blob(
        &points("-42,-44 0,-46 43,-43 45,0 42,45 0,46 -44,43 -45,0")
            .iter()
            .map(|p| at + *p)
            .collect::<Vec<_>>(),
        8,
    );
    let mask = canvas.mask(&block);
    canvas.paint(&mask, |p, _| {
        (
            SEAL * (0.9 + 0.2 * noise(p / 6.0, 695)),
            0.93 * smooth(0.16, 0.26, noise(p / 4.0, 696)),
        )
    });
    let mut cut = |outline: &[V2]| canvas.fill(outline, hex(0xf0e2c4));
    for frame in [
        (0.0, -35.0, 70.0, 5.0),
        (0.0, 35.0, 70.0, 5.0),
        (-35.0, 0.0, 5.0, 70.0),
        (35.0, 0.0, 5.0, 70.0),
    ] {
        cut(&rectangle(put(frame.0, frame.1), v2(frame.2, frame.3), 0.0));
    }
    for (x, tall) in [(-15.0, 22.0), (0.0, 38.0), (15.0, 22.0)] {
        cut(&rectangle(put(x, 4.0 - tall * 0.5), v2(6.0, tall), 0.0));
    }
    cut(&rectangle(put(0.0, 4.0), v2(38.0, 6.0), 0.0));
    for y in [14.0, 24.0] {
        let wave = spline(
            &[
                put(-22.0, y),
                put(-11.0, y - 4.0),
                put(0.0, y),
                put(11.0, y - 4.0),
                put(22.0, y),
            ],
            6,
        );
        cut(&ribbon(&wave, |_| 5.0));
    }
}

/// Paints the picture at twice its published size.
pub fn paint() -> Canvas {
    let mut canvas = Canvas::new(W, H, hex(0xf4ead2));
    let mut rng = Rng::new(64);
    paper(&mut canvas);
    for (i, range) in RANGES.iter().enumerate() {
        if i == 4 {
            water(&mut canvas, &mut rng);
            boat(&mut canvas, &mut rng);
        }
        range.wash(&mut canvas, i as i32);
        range.texture(&mut canvas, i as i32, &mut rng);
    }
    pine(&mut canvas, &mut rng);
    birds(&mut canvas, &mut rng);
    bamboo(&mut canvas, &mut rng);
    for _ in 0..70 {
        let at = v2(rng.range(0.0, W as f32), rng.range(0.0, H as f32));
        let radius = 1.0 + 4.0 * rng.unit().powi(4);
        let mask = canvas.mask(&circle(at, radius));
        canvas.paint(&mask, |_, c| (c * BLACK, 0.8));
    }
    seal(&mut canvas);
    canvas.light(0.16, 0.0);
    canvas
}
