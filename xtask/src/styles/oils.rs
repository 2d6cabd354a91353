//! `oils`: birches by a river in autumn, laid on with a palette knife.
//!
//! A plain picture of the scene says where which colour goes; slabs of thick paint then repeat it in three layers, from
//! a broad underpainting to small touches. A slab takes its two colours from both its ends and a little chance, lies in
//! the direction of what it paints (water level, foliage every way, banks down their slope) and has the knife's ridge
//! along its edges. Trunks are scraped across, leaves flicked on at the end.

use crate::brush::{Brush, scatter, stroke};
use crate::canvas::Canvas;
use crate::colour::{hex, ramp};
use crate::noise::{Rng, fbm, hash01};
use crate::shape::{blob, points, spline};
use crate::vector::{V2, V3, lerp, smooth, v2};
use std::f32::consts::PI;

const W: usize = 1440;
const H: usize = 1000;
/// Where the river begins.
const SHORE: f32 = 560.0;

const FIRE: [V3; 6] = [
    hex(0x5a1030),
    hex(0xa81c24),
    hex(0xdc4a18),
    hex(0xf4861a),
    hex(0xfcbc24),
    hex(0xfdec84),
];
const PLUM: [V3; 5] = [
    hex(0x1c1c54),
    hex(0x443088),
    hex(0x8a3a80),
    hex(0xd06058),
    hex(0xf4a868),
];
const TEAL: [V3; 6] = [
    hex(0x082c4c),
    hex(0x0f5a7c),
    hex(0x1f8f9c),
    hex(0x6cc4c0),
    hex(0xc4ece0),
    hex(0xfff8dc),
];
const EARTH: [V3; 5] = [
    hex(0x2c143c),
    hex(0x742434),
    hex(0xb8501c),
    hex(0xe49a30),
    hex(0xf4d870),
];

/// Birches: foot, width, lean at the top.
const BIRCHES: [(V2, f32, f32); 9] = [
    (v2(118.0, 830.0), 60.0, 40.0),
    (v2(262.0, 742.0), 42.0, -26.0),
    (v2(342.0, 700.0), 30.0, 24.0),
    (v2(424.0, 648.0), 20.0, 8.0),
    (v2(1330.0, 800.0), 56.0, -52.0),
    (v2(1206.0, 720.0), 38.0, 22.0),
    (v2(1112.0, 664.0), 26.0, -14.0),
    (v2(1042.0, 628.0), 17.0, 10.0),
    (v2(494.0, 622.0), 14.0, -8.0),
];

#[derive(Clone, Copy, PartialEq)]
enum Region {
    Sky,
    Far,
    Foliage,
    Bank,
    Water,
}

fn left_bank(y: f32) -> f32 {
    560.0 - 1.05 * (y - SHORE) + 34.0 * (y / 60.0).sin()
}

fn right_bank(y: f32) -> f32 {
    950.0 + 0.86 * (y - SHORE) + 30.0 * (y / 52.0 + 1.0).sin()
}

/// How deep a place lies in the foliage; above 0 is inside.
fn foliage(p: V2) -> f32 {
    let gap = (p[0] - 735.0).abs() / 260.0;
    let clumps = fbm(p / 120.0, 4, 700) - 0.5;
    let side = smooth(0.35, 1.5, gap + 0.9 * clumps);
    let low = smooth(640.0, 520.0, p[1] - 150.0 * (gap - 0.8).clamp(0.0, 1.0));
    side * low - 0.32
}

fn region(p: V2) -> Region {
    if p[1] > SHORE && p[0] > left_bank(p[1]) && p[0] < right_bank(p[1]) {
        Region::Water
    } else if p[1] < SHORE + 190.0 && foliage(p) > 0.0 {
        Region::Foliage
    } else if p[1] > SHORE {
        Region::Bank
    } else if p[1]
        > 400.0 + 60.0 * (fbm(v2(p[0] / 90.0, 1.0), 3, 701) - 0.5)
            - 60.0 * ((p[0] - 735.0).abs() / 400.0)
    {
        Region::Far
    } else {
        Region::Sky
    }
}

/// The colour of the dry parts of the scene.
fn land(p: V2) -> V3 {
    let tone = fbm(p / 60.0, 4, 702);
    match region(v2(p[0], p[1].min(SHORE + 189.0))) {
        Region::Sky => {
            let sun = smooth(420.0, 40.0, (p - v2(740.0, 330.0)).len());
            ramp(
                &[hex(0x3f9ab8), hex(0x86c8c8), hex(0xd8e8c8), hex(0xfce4a8)],
                p[1] / 420.0 + 0.5 * (tone - 0.5),
            )
            .mix(hex(0xfff4c0), sun * 0.9)
        }
        Region::Far => ramp(
            &PLUM,
            0.25 + 0.9 * (tone - 0.3) + 0.55 * smooth(560.0, 400.0, p[1]),
        ),
        _ => {
            let top = smooth(640.0, 40.0, p[1]);
            let lit = smooth(900.0, 300.0, (p[0] - 735.0).abs() + 0.2 * p[1]);
            ramp(&FIRE, 0.08 + 0.42 * lit + 0.16 * top + 1.5 * (tone - 0.48))
        }
    }
}

fn colour(p: V2) -> V3 {
    match region(p) {
        Region::Water => {
            let wave = fbm(v2(p[0] / 90.0, p[1] / 13.0), 3, 703);
            let mirror = land(v2(
                p[0] + 50.0 * (wave - 0.5),
                2.0 * SHORE - p[1] * 1.02 + 60.0 * (wave - 0.5),
            ));
            let depth = smooth(SHORE, 1100.0, p[1]);
            let middle = smooth(330.0, 30.0, (p[0] - 745.0 - 40.0 * (wave - 0.5)).abs());
            let own = ramp(
                &TEAL,
                0.20 + 1.3 * (wave - 0.42) + 0.30 * middle * (1.0 - 0.5 * depth),
            );
            own.mix(mirror, (0.62 - 0.25 * depth) * smooth(0.62, 0.42, wave))
        }
        Region::Bank => {
            let tone = fbm(p / 50.0, 4, 704);
            let edge = (left_bank(p[1]) - p[0])
                .max(p[0] - right_bank(p[1]))
                .max(0.0);
            let shade =
                0.35 * ((p[0] * 0.9 + p[1] * 1.4) / 60.0).sin() * smooth(620.0, 760.0, p[1]);
            ramp(
                &EARTH,
                0.30 + 1.2 * (tone - 0.42) + 0.35 * smooth(60.0, 0.0, edge) + shade * 0.5,
            )
        }
        _ => land(p),
    }
}

fn direction(p: V2, rng: &mut Rng) -> V2 {
    let wander = (fbm(p / 110.0, 2, 705) - 0.5) * 3.0;
    V2::polar(match region(p) {
        Region::Water => rng.normal() * 0.06,
        Region::Bank => (if p[0] < 735.0 { 2.5 } else { 0.6 }) + 0.3 * wander + rng.normal() * 0.2,
        Region::Far => 1.45 + rng.normal() * 0.25,
        Region::Sky => -0.5 + 0.7 * wander + rng.normal() * 0.2,
        Region::Foliage => wander * 1.6 + rng.normal() * 0.5,
    })
}

/// One slab of paint from a knife.
fn slab(canvas: &mut Canvas, middle: V2, along: V2, size: V2, colours: [V3; 2], rng: &mut Rng) {
    let bow = along.perp() * (rng.normal() * 0.05 * size[0]);
    let (a, b) = (
        middle - along * (size[0] * 0.5),
        middle + along * (size[0] * 0.5),
    );
    let knife = Brush {
        width: size[1],
        bristles: 2.6,
        streak: 0.7,
        body: 3.4,
        dry: 0.18,
        taper: [0.98, 0.86],
        opacity: 1.0,
    };
    stroke(
        canvas,
        &knife,
        &spline(&[a, middle + bow, b], 4),
        colours,
        rng,
    );
}

fn birches(canvas: &mut Canvas, rng: &mut Rng) {
    let mut order = BIRCHES;
    order.sort_by(|a, b| a.0[1].total_cmp(&b.0[1]));
    for (number, (foot, width, lean)) in order.into_iter().enumerate() {
        let top = -40.0;
        let at = |y: f32| {
            let t = (foot[1] - y) / (foot[1] - top);
            (
                foot[0] + lean * t + 0.12 * width * (t * 9.0 + foot[0]).sin(),
                width * (1.0 - 0.45 * t),
            )
        };
        // Light comes from the middle of the picture.
        let sun = if foot[0] < 735.0 { 1.0 } else { -1.0 };
        let mut y = foot[1];
        while y > top {
            let (x, wide) = at(y);
            let step = wide.mul_add(0.38, 4.0);
            for (side, tones) in [
                (-0.24 * sun, [hex(0x4c4a8a), hex(0xa88ab0)]),
                (0.22 * sun, [hex(0xf4dcb0), hex(0xfffbee)]),
            ] {
                let across = V2::polar(rng.normal() * 0.22);
                slab(
                    canvas,
                    v2(x + side * wide, y),
                    across,
                    v2(wide * 0.50, step * 1.5),
                    tones,
                    rng,
                );
            }
            let scar = hash01((y / 23.0) as i32, number as i32, 706);
            if scar < 0.23 {
                let from = v2(x + (rng.unit() - 0.55) * wide * 0.7, y);
                slab(
                    canvas,
                    from,
                    V2::polar(rng.normal() * 0.2),
                    v2(wide * rng.range(0.25, 0.6), step * 0.6),
                    [hex(0x14101c), hex(0x3a2440)],
                    rng,
                );
            }
            y -= step;
        }
        // Boughs.
        for bough in 0..6 {
            let y = lerp(foot[1] - 260.0, 20.0, bough as f32 / 6.0) + rng.normal() * 20.0;
            let (x, wide) = at(y);
            let side = if (bough + number) % 2 == 0 { 1.0 } else { -1.0 };
            let reach =
                v2(side * rng.range(60.0, 150.0), -rng.range(50.0, 130.0)) * (width / 50.0 + 0.3);
            let path = spline(
                &[
                    v2(x, y),
                    v2(x, y) + reach * 0.5 + v2(0.0, 10.0),
                    v2(x, y) + reach,
                ],
                8,
            );
            let brush = Brush {
                dry: 0.3,
                taper: [1.0, 0.2],
                ..Brush::new((wide * 0.2).max(4.0))
            };
            stroke(canvas, &brush, &path, [hex(0x1c1428), hex(0x6a4458)], rng);
        }
        // The trunk's own broken reflection, where it stands over water.
        let (x, _) = at(foot[1]);
        for k in 0..24 {
            let y = foot[1] + 14.0 + k as f32 * 12.0;
            let p = v2(x - lean * k as f32 * 0.03 + rng.normal() * 7.0, y);
            if region(p) == Region::Water && rng.chance(0.7) {
                slab(
                    canvas,
                    p,
                    v2(1.0, 0.0),
                    v2(width * rng.range(0.5, 1.1), 9.0),
                    [hex(0xd8c8c0), hex(0xfff6e0)],
                    rng,
                );
            }
        }
    }
}

/// A small red boat drawn up on the water.
fn boat(canvas: &mut Canvas, rng: &mut Rng) {
    let at = |x: f32, y: f32| v2(800.0 + x, 760.0 + y);
    let hull = blob(
        &points("-96,-18 -50,-8 0,-6 54,-10 104,-26 70,14 0,24 -66,14")
            .iter()
            .map(|p| at(p[0], p[1]))
            .collect::<Vec<_>>(),
        8,
    );
    canvas.fill(&hull, hex(0x5a1024));
    for i in 0..5 {
        let y = -14.0 + 8.5 * i as f32;
        let wide = 92.0 - 10.0 * i as f32;
        let path = spline(
            &[
                at(-wide, y - 3.0),
                at(0.0, y + 7.0),
                at(wide + 6.0, y - 6.0),
            ],
            8,
        );
        let tones = [
            [hex(0xfbe0b0), hex(0xfff6dc)],
            [hex(0xe0401c), hex(0xf47030)],
            [hex(0xc82418), hex(0xe85028)],
            [hex(0x9a1420), hex(0xc83020)],
            [hex(0x5a0c28), hex(0x8a1c30)],
        ][i];
        stroke(
            canvas,
            &Brush {
                body: 3.4,
                bristles: 4.0,
                taper: [0.5, 0.4],
                ..Brush::new(11.0)
            },
            &path,
            tones,
            rng,
        );
    }
    for i in 0..9 {
        let wide = 150.0 - 12.0 * i as f32;
        slab(
            canvas,
            at(rng.normal() * 14.0, 34.0 + 11.0 * i as f32),
            v2(1.0, 0.0),
            v2(wide * rng.range(0.5, 1.0), 9.0),
            [hex(0x8a1c2c), hex(0xe0582c).mix(TEAL[1], i as f32 / 10.0)],
            rng,
        );
    }
}

/// Leaves flicked over everything, and fallen ones on the water.
fn leaves(canvas: &mut Canvas, rng: &mut Rng) {
    for _ in 0..1150 {
        let p = v2(rng.range(0.0, W as f32), rng.range(-10.0, 1060.0));
        let place = region(p);
        let keep = match place {
            Region::Foliage => 0.85,
            Region::Bank => 0.5,
            Region::Water => 0.16,
            _ => 0.05,
        };
        if !rng.chance(keep) {
            continue;
        }
        let near = lerp(0.7, 1.25, smooth(500.0, 1000.0, p[1]));
        let size = v2(rng.range(18.0, 34.0), rng.range(11.0, 17.0)) * near;
        let along = if place == Region::Water {
            v2(1.0, 0.0)
        } else {
            V2::polar(rng.range(0.0, PI))
        };
        let bright = ramp(
            &FIRE,
            0.35 + 0.65 * rng.unit() * smooth(1200.0, 200.0, (p[0] - 735.0).abs()),
        );
        slab(
            canvas,
            p,
            along,
            size,
            [bright, bright.mix(hex(0xfff2b0), 0.35)],
            rng,
        );
    }
}

/// Paints the picture at twice its published size.
pub fn paint() -> Canvas {
    let mut canvas = Canvas::new(W, H, hex(0x7a3a2c));
    let mut rng = Rng::new(90);
    for (layer, (long, wide, spacing)) in
        [(140.0, 68.0, 50.0), (92.0, 43.0, 34.0), (62.0, 29.0, 27.0)]
            .into_iter()
            .enumerate()
    {
        if layer == 2 {
            boat(&mut canvas, &mut rng);
        }
        for p in scatter(&canvas, spacing, &mut rng) {
            let near_boat = (p - v2(800.0, 770.0)).map(f32::abs);
            if layer == 2 && (rng.chance(0.25) || near_boat[0] < 110.0 && near_boat[1] < 44.0) {
                continue;
            }
            let home = region(p);
            let along = direction(p, &mut rng);
            let shape = match home {
                Region::Water => v2(1.25, 0.62),
                Region::Far => v2(0.7, 0.6),
                Region::Foliage => v2(0.85, 0.95),
                _ => v2(1.0, 0.9),
            };
            let size = v2(long, wide) * shape * rng.range(0.75, 1.2);
            let tone = |at: V2, rng: &mut Rng| {
                let at = if region(at) == home { at } else { p };
                (colour(at) * (1.0 + 0.10 * rng.normal())).saturate(1.12)
            };
            let (first, second) = (
                tone(p - along * (size[0] * 0.5), &mut rng),
                tone(p + along.perp() * wide, &mut rng),
            );
            let second = if rng.chance(0.10) {
                rng.pick(&[hex(0x1f8f9c), hex(0xfdec84), hex(0x8a3a80), hex(0xfff8dc)])
                    .mix(second, 0.35)
            } else {
                second
            };
            slab(&mut canvas, p, along, size, [first, second], &mut rng);
        }
    }
    birches(&mut canvas, &mut rng);
    leaves(&mut canvas, &mut rng);
    canvas.light(0.50, 0.10);
    canvas
}
