//! `dots`: a sunlit afternoon by a river, in the divided colours of pointillism.
//!
//! A plain picture of the scene says what colour the eye should mix at each place. No dab has that colour: each takes a
//! pure one from a palette of twenty, chosen so that the errors cancel among neighbours (error diffusion in time: what
//! a place still lacks decides the next dab there), with complementary accents in the shadows. Three layers of round
//! dabs, from broad to fine, with a little height and light, leave some of the warm ground in sight.

use crate::canvas::Canvas;
use crate::colour::{hex, ramp};
use crate::noise::{Rng, fbm, hash01, noise};
use crate::shape::{blob, ellipse, points, ribbon, spline};
use crate::vector::{V, V2, V3, smooth, v2, v3};

const W: usize = 1440;
const H: usize = 1035;

const PALETTE: [V3; 20] = [
    hex(0xfdf6dc),
    hex(0xfbe88a),
    hex(0xf9d02e),
    hex(0xf4a024),
    hex(0xee6a1e),
    hex(0xd93420),
    hex(0xe0708a),
    hex(0xf3b8b0),
    hex(0x9a3c8a),
    hex(0x5c3a9c),
    hex(0x2c3a9a),
    hex(0x2f6cc8),
    hex(0x6fb0e4),
    hex(0xb4dcee),
    hex(0x1f8a8a),
    hex(0x1f6a3c),
    hex(0x4fa03a),
    hex(0xa2cc44),
    hex(0xdfe88a),
    hex(0x26244e),
];

fn bank(x: f32) -> f32 {
    600.0 + 0.20 * x + 26.0 * (x / 190.0).sin()
}

/// The scene as a plain picture.
fn scene() -> Canvas {
    let mut canvas = Canvas::new(W, H, V::splat(1.0));
    let far = |x: f32| 372.0 - 34.0 * (x / 240.0 + 0.8).sin() - 18.0 * (x / 77.0).sin();
    canvas.map(|p, _| {
        let (x, y) = (p[0], p[1]);
        if y < far(x) {
            let cloud = smooth(0.50, 0.68, fbm(v2(x / 260.0, y / 120.0), 4, 500));
            return ramp(
                &[hex(0x5f9fe0), hex(0x8fc4ee), hex(0xc8e4f0), hex(0xf8e8c4)],
                y / 390.0,
            )
            .mix(hex(0xfff4e2), cloud * 0.85);
        }
        if y < 430.0 {
            let tree = fbm(v2(x / 46.0, y / 30.0), 3, 501);
            return ramp(
                &[hex(0x3f5a9a), hex(0x3f8a78), hex(0x8ab85a), hex(0xe8d878)],
                tree * 1.2 - 0.1 + smooth(420.0, 350.0, y) * 0.25,
            );
        }
        if y < bank(x) {
            // The river mirrors sky and trees in broken bands.
            let wave = fbm(v2(x / 120.0, y / 11.0), 3, 502);
            let sky = ramp(
                &[hex(0x4f8acc), hex(0x8cc4ea), hex(0xe8eed8)],
                smooth(430.0, 690.0, y) * 0.7 + 0.9 * (wave - 0.4),
            );
            let tree = smooth(540.0, 430.0, y + 90.0 * (wave - 0.5));
            let sun = smooth(0.60, 0.72, wave) * smooth(330.0, 90.0, (x - 1010.0).abs());
            return sky.mix(hex(0x3f8a6a), 0.75 * tree).mix(hex(0xfff2b0), sun);
        }
        let light = fbm(v2(x / 150.0, y / 56.0), 3, 503);
        let sunny = ramp(
            &[hex(0x8fc23c), hex(0xc8dc4c), hex(0xf3e26a)],
            light * 1.3 - 0.1,
        );
        // Long shadows of the trees fall to the left.
        let band = ((x + 1.7 * y) / 330.0).sin() + 1.1 * (fbm(p / 60.0, 3, 504) - 0.5);
        let shade = smooth(0.25, 0.6, band) * smooth(640.0, 760.0, y);
        sunny.mix(hex(0x2f6a5c).mix(hex(0x3a4a94), light), shade * 0.85)
    });
    path(&mut canvas);
    boats(&mut canvas);
    for (x, y, size, lean, seed) in [
        (215.0, 735.0, 1.25, 0.05, 3),
        (1275.0, 905.0, 1.15, -0.04, 8),
        (560.0, 655.0, 0.62, 0.03, 5),
    ] {
        tree(&mut canvas, v2(x, y), size, lean, seed);
    }
    let people = [
        (700.0, 905.0, 1.25, 0xc83a5a, 0xf2c83a),
        (815.0, 930.0, 1.3, 0x24409a, 0xf6f0e0),
        (470.0, 790.0, 0.85, 0xf6efe0, 0xe0603a),
        (1010.0, 830.0, 0.85, 0x7a3a9a, 0x8ac850),
        (385.0, 985.0, 1.4, 0x1f6a5a, 0xf0a0b0),
    ];
    for (x, y, size, dress, shade) in people {
        person(&mut canvas, v2(x, y), size, hex(dress), hex(shade));
    }
    canvas
}

fn path(canvas: &mut Canvas) {
    let way = spline(&points("1500,760 1120,800 860,880 760,1000 700,1140"), 16);
    let mask = canvas.mask(&ribbon(&way, |t| 40.0 + 190.0 * t));
    canvas.paint(&mask, |p, _| {
        (
            hex(0xf6dfae).mix(hex(0xf0b8a0), noise(p / 40.0, 510)).mix(
                hex(0x8a7ac0),
                0.7 * smooth(0.55, 0.65, fbm(p / 90.0, 2, 511)),
            ),
            0.95,
        )
    });
}

fn boats(canvas: &mut Canvas) {
    for (x, y, size, sail) in [
        (905.0, 520.0, 1.0, 0xfff8e8),
        (1130.0, 560.0, 1.35, 0xf6d0a0),
        (700.0, 478.0, 0.65, 0xffffff),
    ] {
        let at = |dx: f32, dy: f32| v2(x + dx * size, y + dy * size);
        let mut put = |list: &str, colour: u32| {
            let outline: Vec<V2> = points(list).iter().map(|p| at(p[0], p[1])).collect();
            canvas.fill(&outline, hex(colour));
        };
        put("-2,-8 4,-8 3,120 -30,96", 0xe8e4d8);
        put("-54,0 60,0 44,20 -40,20", 0xb03a28);
        put("0,-140 4,-8 58,-10", sail);
        put("-4,-120 -4,-8 -44,-12", 0xf8dcc0);
        put("-2,-146 3,-146 3,0 -2,0", 0x6a3a2a);
    }
}

fn tree(canvas: &mut Canvas, foot: V2, size: f32, lean: f32, seed: i32) {
    let put = |x: f32, y: f32| foot + v2(x + lean * -y, y) * size;
    let shadow = ellipse(foot + v2(-150.0, 26.0) * size, v2(250.0, 34.0) * size, 0.10);
    canvas.fill(&shadow, hex(0x34508c));
    let trunk = spline(&[put(0.0, 14.0), put(-6.0, -150.0), put(10.0, -330.0)], 12);
    let mask = canvas.mask(&ribbon(&trunk, |t| (46.0 - 22.0 * t) * size));
    canvas.paint(&mask, |p, _| {
        (
            hex(0xd98a4a).mix(
                hex(0x4a2a5c),
                smooth(
                    -12.0,
                    14.0,
                    (p[0] - foot[0]) / size + 8.0 * noise(p / 14.0, 512),
                ),
            ),
            1.0,
        )
    });
    for i in 0..42 {
        let own = |n: i32| hash01(i, seed, 520 + n) - 0.5;
        let centre = put(
            own(0) * 430.0,
            -400.0 + own(1) * 330.0 - 30.0 * own(0).abs(),
        );
        let radius = (52.0 + 44.0 * own(2)) * size;
        let around: Vec<V2> = (0..9)
            .map(|k| {
                centre + V2::polar(k as f32 * 0.698) * (radius * (0.8 + 0.4 * hash01(i, k, seed)))
            })
            .collect();
        let mask = canvas.mask(&blob(&around, 6));
        canvas.paint(&mask, |p, _| {
            // Sun from the upper right: each clump is a ball.
            let ball = (p - centre) / radius;
            let light = 0.50
                + 0.42 * (0.75 * ball[0] - 0.75 * ball[1])
                + 0.35 * (noise(p / 12.0, 530) - 0.5)
                + 0.16 * own(3);
            (
                ramp(
                    &[
                        hex(0x223a6e),
                        hex(0x1f6a4c),
                        hex(0x4f9c38),
                        hex(0xb4d044),
                        hex(0xf8e468),
                    ],
                    light,
                ),
                1.0,
            )
        });
    }
}

/// A stroller with a parasol.
fn person(canvas: &mut Canvas, foot: V2, size: f32, dress: V3, parasol: V3) {
    let put = |x: f32, y: f32| foot + v2(x, y) * size;
    let outline = |list: &str| {
        let around: Vec<V2> = points(list).iter().map(|p| put(p[0], p[1])).collect();
        blob(&around, 8)
    };
    canvas.fill(
        &ellipse(put(-72.0, 6.0), v2(82.0, 11.0) * size, 0.06),
        hex(0x3a3f8c),
    );
    let skirt = canvas.mask(&outline("-30,4 -26,-48 -10,-92 10,-92 22,-48 32,4"));
    canvas.paint(&skirt, |p, _| {
        (
            dress
                .mix(
                    hex(0x26244e),
                    0.62 * smooth(6.0, -18.0, (p[0] - foot[0]) / size),
                )
                .mix(
                    hex(0xfff0c0),
                    0.35 * smooth(8.0, 22.0, (p[0] - foot[0]) / size),
                ),
            1.0,
        )
    });
    canvas.fill(
        &outline("-13,-86 -14,-128 0,-138 14,-128 12,-86"),
        dress.mix(hex(0x26244e), 0.25),
    );
    canvas.fill(
        &ellipse(put(1.0, -150.0), v2(11.0, 14.0) * size, 0.0),
        hex(0xf3b890),
    );
    canvas.fill(
        &ellipse(put(0.0, -161.0), v2(17.0, 7.0) * size, 0.0),
        hex(0x4a2438),
    );
    canvas.fill(
        &ribbon(&[put(12.0, -104.0), put(30.0, -196.0)], |_| 4.0 * size),
        hex(0x5a3420),
    );
    let shade = canvas.mask(&outline(
        "-34,-178 -14,-208 34,-222 76,-200 92,-166 30,-184",
    ));
    canvas.paint(&shade, |p, _| {
        (
            parasol.mix(
                hex(0x7a4a9a),
                0.55 * smooth(30.0, -30.0, (p[0] - foot[0]) / size),
            ),
            1.0,
        )
    });
}

/// One round dab: nearly flat, with a soft rim that catches the light.
fn dab(canvas: &mut Canvas, centre: V2, radius: f32, colour: V3, seed: i32) {
    let reach = radius + 1.5;
    let clip = |value: f32, size: usize| value.clamp(0.0, size as f32) as usize;
    let (x0, x1) = (clip(centre[0] - reach, W), clip(centre[0] + reach + 1.0, W));
    let (y0, y1) = (clip(centre[1] - reach, H), clip(centre[1] + reach + 1.0, H));
    let squash = v2(1.0 + 0.25 * hash01(seed, 1, 540), 1.0);
    let turn = hash01(seed, 2, 540) * 3.1;
    for y in y0..y1 {
        for x in x0..x1 {
            let off = (v2(x as f32 + 0.5, y as f32 + 0.5) - centre).turned(turn) * squash;
            let rim = radius
                * (0.94
                    + 0.16 * (noise(off / radius * 1.6 + v2(seed as f32 * 3.3, 0.0), 541) - 0.5));
            let r = off.len();
            let alpha = smooth(rim + 0.8, rim - 0.8, r);
            if alpha > 0.0 {
                let i = y * W + x;
                let grain = 1.0 + 0.06 * (noise(off / 4.0, seed & 255) - 0.5);
                let height =
                    1.1 + 1.0 * smooth(0.45, 0.85, r / rim) - 0.9 * smooth(0.85, 1.0, r / rim);
                let below = canvas.body[i];
                canvas.cover(i, colour * grain, below * 0.4 + height, alpha);
            }
        }
    }
}

/// Paints the picture at twice its published size.
pub fn paint() -> Canvas {
    let wanted = scene();
    let mut rng = Rng::new(21);
    let mut canvas = Canvas::new(W, H, hex(0xe9d3a8));
    canvas.map(|p, c| c * (0.94 + 0.12 * fbm(p / 5.0, 2, 550)));
    // What each cell of the canvas still lacks.
    let cell = 19.0;
    let columns = (W as f32 / cell) as usize + 2;
    let mut lack = vec![v3(0.0, 0.0, 0.0); columns * ((H as f32 / cell) as usize + 2)];
    for (radius, spacing, skip) in [
        (17.0f32, 19.0f32, 0.0f32),
        (12.0, 14.2, 0.05),
        (8.4, 14.4, 0.25),
    ] {
        for place in crate::brush::scatter(&canvas, spacing, &mut rng) {
            if place[0] < 0.0
                || place[1] < 0.0
                || place[0] >= W as f32
                || place[1] >= H as f32
                || rng.chance(skip)
            {
                continue;
            }
            let goal = wanted.rgb[wanted.index(place)];
            let debt = &mut lack[(place[1] / cell) as usize * columns + (place[0] / cell) as usize];
            let aim = goal + *debt * 0.85;
            let far = |c: V3| {
                let d = c - aim;
                d.dot(d * v3(0.9, 1.2, 0.8))
            };
            // The best pigment or, to keep the surface alive, now and then the next best.
            let mut order: Vec<usize> = (0..PALETTE.len()).collect();
            order.sort_by(|a, b| far(PALETTE[*a]).total_cmp(&far(PALETTE[*b])));
            let pick = if rng.chance(0.62) {
                0
            } else {
                1 + rng.below(3)
            };
            let mut colour = PALETTE[order[pick]];
            if goal.luma() < 0.42 && rng.chance(0.10) {
                colour = rng.pick(&[hex(0xee6a1e), hex(0xe0708a), hex(0x9a3c8a)]);
            }
            *debt = (aim - colour).map(|c| c.clamp(-0.55, 0.55));
            let tinted = colour.mix(goal, 0.16) * (0.96 + 0.08 * rng.unit());
            dab(
                &mut canvas,
                place,
                radius * rng.range(0.85, 1.2),
                tinted,
                rng.bits() as i32 & 0xfff,
            );
        }
    }
    canvas.light(0.20, 0.03);
    canvas
}
