//! `geometry`: circles, arcs, triangles, boards and beams in primary colours, black and off-white.
//!
//! The large shapes are glazes that darken what they cross, so every overlap has a colour of its own; discs cut into
//! rings and quarters, checker boards and bundles of lines lie over them, small planets fill the gaps. Each shape is
//! brushed in its own direction: streaks of lighter and darker paint, a ridge at the edge, and the weave of the cloth.

use crate::canvas::Canvas;
use crate::colour::{hex, ramp};
use crate::noise::{Rng, fbm, noise};
use crate::shape::{circle, line, points, rectangle, ribbon, ring, spline};
use crate::vector::{V2, V3, lerp, smooth, v2};
use std::f32::consts::{FRAC_PI_2, PI, TAU};

const W: usize = 1440;
const H: usize = 1120;

const RED: V3 = hex(0xd8261c);
const ORANGE: V3 = hex(0xf0781a);
const YELLOW: V3 = hex(0xf8c81c);
const BLUE: V3 = hex(0x1746a8);
const SKY: V3 = hex(0x5aa6dc);
const NAVY: V3 = hex(0x12204e);
const GREEN: V3 = hex(0x1f7a54);
const PINK: V3 = hex(0xf2a8a0);
const BLACK: V3 = hex(0x14120f);
const WHITE: V3 = hex(0xf6efdc);
const GREY: V3 = hex(0x9a978c);
const VIOLET: V3 = hex(0x5a2a78);

#[derive(Clone, Copy)]
enum Ink {
    /// Covers what is below.
    Solid(V3),
    /// Multiplies what is below, at this strength.
    Glaze(V3, f32),
    /// Turns from one colour to the other along a line from the first to the second place.
    Fade(V3, V3, V2, V2),
}

struct Painter {
    canvas: Canvas,
    rng: Rng,
}

impl Painter {
    /// Lays one shape: the ink, brushed streaks in a random direction and the height of its paint.
    fn lay(&mut self, outline: &[V2], ink: Ink) {
        let mask = self.canvas.mask(outline);
        let angle = self.rng.range(0.0, PI);
        let seed = self.rng.bits() as i32 & 0xffff;
        let shade = self.rng.normal() * 0.02;
        for (j, &cover) in mask.cover.iter().enumerate().filter(|(_, c)| **c > 0.0) {
            let i = (mask.y + j / mask.w) * W + mask.x + j % mask.w;
            let p = v2((i % W) as f32 + 0.5, (i / W) as f32 + 0.5);
            let q = p.turned(angle);
            let streak = noise(v2(q[0] / 7.0, q[1] / 90.0), seed) * 0.6
                + noise(v2(q[0] / 15.0, q[1] / 120.0), seed + 1) * 0.4
                - 0.5;
            let cloud = fbm(p / 80.0, 2, seed + 2) - 0.5;
            let tone = 1.0 + 0.20 * streak + 0.24 * cloud + shade;
            let below = self.canvas.rgb[i];
            let (colour, alpha) = match ink {
                Ink::Solid(c) => (c * tone + V3::splat(0.03 * streak), 1.0),
                Ink::Glaze(c, strength) => (below * (c * 1.06) * tone, strength),
                Ink::Fade(a, b, from, to) => {
                    let t = (p - from).dot(to - from) / (to - from).dot(to - from);
                    (a.mix(b, smooth(0.0, 1.0, t + 0.25 * streak)) * tone, 1.0)
                }
            };
            self.canvas
                .cover(i, colour, 1.2 + 1.7 * streak, alpha * cover);
        }
    }

    fn solid(&mut self, outline: &[V2], colour: V3) {
        self.lay(outline, Ink::Solid(colour));
    }

    /// A disc of rings, cut into sectors whose colours jump.
    fn disc(&mut self, centre: V2, radii: &[f32], sectors: usize, turn: f32, colours: &[V3]) {
        for (r, pair) in radii.windows(2).enumerate() {
            for s in 0..sectors {
                let from = turn + TAU * s as f32 / sectors as f32 + 0.12 * r as f32;
                let colour = colours[(r * 3 + s * (2 + r % 2)) % colours.len()];
                let next = colours[(r * 3 + s * (2 + r % 2) + 1) % colours.len()];
                let a = centre + V2::polar(from) * pair[1];
                let b = centre + V2::polar(from + TAU / sectors as f32) * pair[1];
                let ink = if (r + s) % 3 == 0 {
                    Ink::Fade(colour, colour.mix(next, 0.55), a, b)
                } else {
                    Ink::Solid(colour)
                };
                self.lay(
                    &ring(centre, pair[1], pair[0], from, from + TAU / sectors as f32),
                    ink,
                );
            }
        }
    }

    fn hoop(&mut self, centre: V2, radius: f32, width: f32, from: f32, to: f32, colour: V3) {
        self.solid(
            &ring(centre, radius - width * 0.5, radius + width * 0.5, from, to),
            colour,
        );
    }

    fn board(&mut self, corner: V2, across: V2, down: V2, columns: i32, rows: i32, colours: &[V3]) {
        for row in 0..rows {
            for column in 0..columns {
                let at = |x: i32, y: i32| {
                    corner + across * (x as f32 / columns as f32) + down * (y as f32 / rows as f32)
                };
                let cell = [
                    at(column, row),
                    at(column + 1, row),
                    at(column + 1, row + 1),
                    at(column, row + 1),
                ];
                let colour = if (row + column) % 2 == 0 {
                    BLACK
                } else {
                    colours[((row * 7 + column * 3) % colours.len() as i32) as usize]
                };
                self.solid(&cell, colour);
            }
        }
    }

    fn ground(&mut self) {
        let halos = [
            (260.0, 900.0, 330.0, PINK),
            (1240.0, 560.0, 330.0, SKY),
            (700.0, 110.0, 300.0, YELLOW),
            (900.0, 1050.0, 240.0, PINK),
            (90.0, 120.0, 260.0, SKY),
        ];
        self.canvas.map(|p, c| {
            halos.iter().fold(c, |c, (x, y, radius, tint)| {
                let near = smooth(
                    *radius,
                    radius * 0.25,
                    (p - v2(*x, *y)).len() + 60.0 * (fbm(p / 50.0, 3, 4) - 0.5),
                );
                c.mix(c * *tint * 1.05, 0.75 * near)
            })
        });
    }

    fn planes(&mut self) {
        let planes: [(&str, V3, f32); 8] = [
            ("-20,640 640,250 330,1140 -20,1140", YELLOW, 0.85),
            ("560,-20 1010,-20 1180,520 800,640", SKY, 0.8),
            ("1000,1140 1460,560 1460,1140", ORANGE, 0.85),
            ("-20,-20 420,-20 -20,420", BLUE, 0.88),
            ("620,1060 905,190 1250,1000", hex(0x7fb8c8), 0.9),
            ("1180,-20 1460,-20 1460,330", RED, 0.9),
            ("330,1140 560,700 760,1140", VIOLET, 0.75),
            ("980,420 1460,250 1460,470 1050,600", YELLOW, 0.7),
        ];
        for (corners, colour, strength) in planes {
            self.lay(&points(corners), Ink::Glaze(colour, strength));
        }
        self.lay(&circle(v2(780.0, 500.0), 210.0), Ink::Glaze(PINK, 0.9));
        self.lay(&circle(v2(930.0, 380.0), 150.0), Ink::Glaze(YELLOW, 0.85));
        self.lay(&circle(v2(640.0, 830.0), 165.0), Ink::Glaze(SKY, 0.95));
        self.lay(
            &circle(v2(1290.0, 520.0), 120.0),
            Ink::Glaze(hex(0x6f9fd0), 0.9),
        );
    }

    fn discs(&mut self) {
        let (big, low, high) = (v2(400.0, 420.0), v2(1085.0, 800.0), v2(1120.0, 235.0));
        self.disc(
            big,
            &[312.0, 262.0, 216.0, 172.0, 128.0, 88.0, 50.0],
            4,
            0.35,
            &[RED, BLUE, YELLOW, NAVY, ORANGE, WHITE, SKY, BLACK, GREEN],
        );
        self.solid(&circle(big, 50.0), BLACK);
        self.solid(&circle(big + v2(7.0, -6.0), 30.0), RED);
        self.hoop(big, 330.0, 13.0, -0.6, 4.2, BLACK);
        self.disc(
            low,
            &[236.0, 190.0, 148.0, 108.0, 66.0],
            6,
            -0.2,
            &[YELLOW, NAVY, RED, WHITE, SKY, BLACK, ORANGE],
        );
        self.solid(&circle(low, 66.0), BLUE);
        self.solid(&ring(low, 0.0, 66.0, 0.5, 0.5 + PI), YELLOW);
        self.hoop(low, 258.0, 8.0, 1.0, 5.6, BLACK);
        self.disc(
            high,
            &[152.0, 118.0, 84.0, 46.0],
            3,
            0.9,
            &[WHITE, BLACK, RED, YELLOW, BLUE],
        );
        self.solid(&circle(high, 46.0), VIOLET);
        self.solid(&circle(high, 20.0), YELLOW);
    }

    fn beams(&mut self) {
        self.solid(
            &ribbon(&[v2(30.0, 1090.0), v2(1400.0, 120.0)], |t| {
                lerp(34.0, 9.0, t)
            }),
            BLACK,
        );
        self.solid(
            &ribbon(&[v2(210.0, 1100.0), v2(1420.0, 250.0)], |t| {
                lerp(5.0, 12.0, t)
            }),
            RED,
        );
        self.solid(&line(v2(560.0, 20.0), v2(1010.0, 1100.0), 9.0), BLACK);
        self.solid(&line(v2(620.0, 20.0), v2(760.0, 360.0), 22.0), YELLOW);
        self.solid(&line(v2(20.0, 690.0), v2(620.0, 1060.0), 7.0), BLACK);
        self.solid(
            &ribbon(&[v2(905.0, 190.0), v2(1250.0, 1000.0)], |_| 7.0),
            NAVY,
        );
        self.solid(
            &ribbon(&points("905,190 620,1060 1250,1000"), |_| 7.0),
            NAVY,
        );
        for i in 0..9 {
            let shift = v2(i as f32 * 17.0, i as f32 * 4.0);
            let colour = [BLACK, RED, BLACK, BLUE][i % 4];
            self.solid(
                &line(
                    v2(1180.0, 1090.0) + shift,
                    v2(1310.0, 640.0) + shift,
                    3.0 + (i % 3) as f32 * 1.6,
                ),
                colour,
            );
        }
        for i in 0..8 {
            let y = 50.0 + i as f32 * 21.0;
            self.solid(
                &line(
                    v2(40.0, y),
                    v2(250.0 - i as f32 * 19.0, y + 12.0),
                    4.0 + (i % 2) as f32 * 5.0,
                ),
                [WHITE, BLACK, YELLOW][i % 3],
            );
        }
        for i in 0..7 {
            let along = v2(720.0 + i as f32 * 24.0, 640.0 - i as f32 * 17.0);
            self.solid(
                &line(along, along + v2(40.0, 62.0 + 9.0 * i as f32), 4.5),
                BLACK,
            );
        }
    }

    fn boards(&mut self) {
        self.board(
            v2(770.0, 905.0),
            v2(215.0, -64.0),
            v2(66.0, 150.0),
            8,
            5,
            &[WHITE, RED, WHITE, YELLOW, SKY],
        );
        self.board(
            v2(90.0, 790.0),
            v2(190.0, 110.0),
            v2(-60.0, 130.0),
            6,
            5,
            &[WHITE, SKY, ORANGE, WHITE, PINK],
        );
        self.board(
            v2(760.0, 60.0),
            v2(150.0, 30.0),
            v2(-14.0, 96.0),
            6,
            4,
            &[WHITE, BLUE, WHITE, RED],
        );
        self.board(
            v2(1300.0, 370.0),
            v2(110.0, -34.0),
            v2(30.0, 110.0),
            4,
            4,
            &[WHITE, GREEN, YELLOW],
        );
    }

    fn arcs(&mut self) {
        let fans: [(V2, f32, f32, f32, &[V3]); 5] = [
            (
                v2(560.0, 1130.0),
                190.0,
                PI,
                TAU,
                &[RED, YELLOW, WHITE, BLUE, BLACK],
            ),
            (
                v2(1440.0, 0.0),
                210.0,
                FRAC_PI_2,
                PI,
                &[YELLOW, BLACK, WHITE, BLUE, ORANGE],
            ),
            (
                v2(0.0, 560.0),
                130.0,
                -FRAC_PI_2,
                FRAC_PI_2,
                &[RED, WHITE, NAVY, ORANGE],
            ),
            (
                v2(705.0, 190.0),
                96.0,
                0.4,
                0.4 + PI,
                &[GREEN, WHITE, BLACK, RED],
            ),
            (
                v2(1410.0, 900.0),
                150.0,
                FRAC_PI_2,
                PI + 0.9,
                &[NAVY, SKY, WHITE, RED, BLACK],
            ),
        ];
        for (centre, radius, from, to, colours) in fans {
            for (i, colour) in colours.iter().enumerate() {
                let step = radius / colours.len() as f32;
                let outer = radius - step * i as f32;
                self.solid(
                    &ring(centre, (outer - step).max(0.0), outer, from, to),
                    *colour,
                );
            }
        }
        for i in 0..6 {
            let centre = v2(470.0, 800.0) + v2(52.0, -36.0) * i as f32;
            let colour = [RED, BLACK, YELLOW, BLUE, WHITE, ORANGE][i];
            self.solid(&ring(centre, 0.0, 30.0, -0.6, -0.6 + PI), colour);
            self.hoop(centre, 31.5, 4.0, -0.6, -0.6 + PI, BLACK);
        }
        let wave: Vec<V2> = (0..=12)
            .map(|i| {
                v2(
                    820.0 + i as f32 * 48.0,
                    600.0 + 20.0 * if i % 2 == 0 { 1.0 } else { -1.0 } - i as f32 * 4.0,
                )
            })
            .collect();
        self.solid(&ribbon(&spline(&wave, 10), |t| 5.0 + 8.0 * t), BLACK);
        let whip = spline(&points("60,1010 180,930 290,1030 420,960 500,1010"), 16);
        self.solid(&ribbon(&whip, |t| 4.0 + 12.0 * (t * PI).sin()), RED);
    }

    fn shards(&mut self) {
        let shards = [
            (690.0, 330.0, 120.0, 0.3, RED),
            (1010.0, 520.0, 90.0, 1.9, NAVY),
            (250.0, 760.0, 80.0, 2.8, BLUE),
            (860.0, 760.0, 84.0, 4.0, YELLOW),
            (1350.0, 720.0, 74.0, 0.9, GREEN),
            (520.0, 130.0, 86.0, 5.2, ORANGE),
            (980.0, 110.0, 60.0, 1.2, BLACK),
            (140.0, 330.0, 66.0, 3.6, WHITE),
        ];
        for (x, y, size, turn, colour) in shards {
            let corner = |a: f32, r: f32| v2(x, y) + V2::polar(turn + a) * (size * r);
            let points = [corner(0.0, 1.15), corner(2.3, 0.8), corner(3.6, 0.7)];
            self.lay(
                &points,
                Ink::Fade(
                    colour,
                    colour.mix(WHITE, 0.35),
                    points[0],
                    points[1].mix(points[2], 0.5),
                ),
            );
            self.solid(&line(points[0], points[1], 4.0), BLACK);
        }
        let bars = [
            (610.0, 640.0, 120.0, 20.0, -0.62, WHITE),
            (1180.0, 470.0, 150.0, 26.0, 0.4, BLACK),
            (330.0, 880.0, 130.0, 18.0, 0.5, BLACK),
            (930.0, 660.0, 96.0, 24.0, 1.2, RED),
            (1240.0, 130.0, 24.0, 150.0, 0.3, BLUE),
            (90.0, 520.0, 26.0, 130.0, 0.5, BLACK),
            (500.0, 960.0, 84.0, 30.0, -0.3, SKY),
        ];
        for (x, y, wide, tall, turn, colour) in bars {
            self.solid(&rectangle(v2(x, y), v2(wide, tall), turn), colour);
        }
    }

    /// Small discs with rings, wherever chance puts them but not upon each other.
    fn planets(&mut self) {
        let mut placed: Vec<(V2, f32)> = vec![
            (v2(400.0, 420.0), 260.0),
            (v2(1085.0, 800.0), 180.0),
            (v2(1120.0, 235.0), 110.0),
        ];
        while placed.len() < 47 {
            let centre = v2(
                self.rng.range(20.0, W as f32 - 20.0),
                self.rng.range(20.0, H as f32 - 20.0),
            );
            let radius = lerp(9.0, 42.0, self.rng.unit() * self.rng.unit());
            if placed
                .iter()
                .any(|(c, r)| (*c - centre).len() < r + radius + 12.0)
            {
                continue;
            }
            placed.push((centre, radius));
            let colours = [
                RED, YELLOW, BLACK, BLUE, WHITE, SKY, ORANGE, GREEN, VIOLET, NAVY, PINK, GREY,
            ];
            let (rim, core, heart) = (self.rng.below(12), self.rng.below(11), self.rng.below(10));
            let tint = ramp(&[YELLOW, PINK, SKY], self.rng.unit());
            self.lay(&circle(centre, radius * 1.7), Ink::Glaze(tint, 0.5));
            self.solid(&circle(centre, radius), colours[rim]);
            self.solid(
                &circle(centre, radius * 0.68),
                colours[(rim + 1 + core) % 12],
            );
            if radius > 16.0 {
                self.solid(
                    &circle(centre + v2(radius * 0.1, -radius * 0.08), radius * 0.34),
                    colours[(rim + 2 + core + heart) % 12],
                );
            }
        }
    }
}

/// Paints the picture at twice its published size.
pub fn paint() -> Canvas {
    let mut painter = Painter {
        canvas: Canvas::new(W, H, WHITE),
        rng: Rng::new(8),
    };
    painter.ground();
    painter.planes();
    painter.discs();
    painter.arcs();
    painter.boards();
    painter.shards();
    painter.beams();
    painter.planets();
    let mut canvas = painter.canvas;
    for i in 0..W * H {
        let (x, y) = ((i % W) as f32, (i / W) as f32);
        canvas.body[i] +=
            0.2 * ((x * 0.8).sin() * (y * 0.8).sin()) + 0.5 * noise(v2(x, y) / 8.0, 90);
    }
    canvas.light(0.42, 0.03);
    canvas
}
