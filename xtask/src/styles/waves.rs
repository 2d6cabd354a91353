//! `waves`: a sea in the manner of a colour woodblock print.
//!
//! Every wave is a ruled surface between its back and its hollow face: bands of flat colour and carved outlines run
//! where the two curves are mixed in fixed proportions, so they flow into the crest by themselves. Foam is a host of
//! branching claws, printed twice: broad in dark ink for the outline, then narrower in the colour of the paper. Last
//! comes what the wood and the paper leave: grain, mottling and a thin edge of bare paper.

use crate::canvas::Canvas;
use crate::colour::{hex, ramp};
use crate::noise::{Rng, fbm, noise};
use crate::shape::{circle, points, ribbon, ring, spline};
use crate::vector::{V2, V3, smooth, v2};
use std::f32::consts::PI;

const W: usize = 1536;
const H: usize = 1088;

const INK: V3 = hex(0x131c3a);
const INDIGO: V3 = hex(0x1d3a72);
const PRUSSIAN: V3 = hex(0x2c5a96);
const MIDDLE: V3 = hex(0x6b98b8);
const PALE: V3 = hex(0xb7cdc9);
const CREAM: V3 = hex(0xf4ead0);
const SHADE: V3 = hex(0xc9cdbd);
const SUN: V3 = hex(0xcf4a2c);

/// Points per curve of a wave.
const STEPS: usize = 24;

/// A wave between its back and its face; both curves run from the foot to the tip of the crest.
struct Wave {
    back: Vec<V2>,
    face: Vec<V2>,
    bands: Vec<V3>,
    /// Where on the way to the tip the foam begins, and the size of its claws.
    foam: (f32, f32),
}

impl Wave {
    fn new(back: &str, face: &str, bands: &[V3], foam: (f32, f32)) -> Self {
        let curve = |list: &str| {
            let smooth = spline(&points(list), STEPS);
            let last = (smooth.len() - 1) as f32;
            let count = STEPS * 10;
            (0..=count)
                .map(|i| {
                    let x = i as f32 / count as f32 * last;
                    let j = (x as usize).min(smooth.len() - 2);
                    smooth[j].mix(smooth[j + 1], x - j as f32)
                })
                .collect()
        };
        Wave {
            back: curve(back),
            face: curve(face),
            bands: bands.to_vec(),
            foam,
        }
    }

    /// The point at `t` on the way from foot to tip and `k` from back to face.
    fn at(&self, t: f32, k: f32) -> V2 {
        let x = t.clamp(0.0, 1.0) * (self.back.len() - 1) as f32;
        let i = (x as usize).min(self.back.len() - 2);
        let on = |curve: &[V2]| curve[i].mix(curve[i + 1], x - i as f32);
        on(&self.back).mix(on(&self.face), k)
    }

    fn line(&self, k: f32, from: f32, to: f32) -> Vec<V2> {
        (0..=120)
            .map(|i| self.at(from + (to - from) * i as f32 / 120.0, k))
            .collect()
    }

    fn print(&self, canvas: &mut Canvas, rng: &mut Rng) {
        let count = self.bands.len();
        for (i, colour) in self.bands.iter().enumerate() {
            let edge = |k: f32| (k / count as f32).powf(0.85);
            let mut outline = self.line(edge(i as f32), 0.0, 1.0);
            outline.extend(self.line(edge(i as f32 + 1.0), 0.0, 1.0).into_iter().rev());
            let mask = canvas.mask(&outline);
            // Bokashi: the printer wipes the block so that every area fades towards its foot.
            canvas.paint(&mask, |p, _| {
                (colour.mix(INK, 0.30 * smooth(520.0, 1100.0, p[1])), 1.0)
            });
            // Veins: thin cuts that follow the water, some broken.
            let light = if colour.luma() > 0.5 {
                MIDDLE
            } else {
                colour.mix(CREAM, 0.42)
            };
            for share in [0.25, 0.5, 0.75] {
                let k = edge(i as f32 + share + rng.range(-0.06, 0.06));
                let from = rng.range(0.0, 0.35);
                let to = rng.range(from + 0.2, 0.98);
                let vein = self.line(k, from, to);
                let thick = rng.range(2.2, 4.6) * (1.3 - to);
                canvas.fill(&ribbon(&vein, |t| thick * (PI * t).sin() + 0.5), light);
            }
            let cut = self.line(edge(i as f32), 0.0, 1.0);
            canvas.fill(&ribbon(&cut, |t| 5.0 - 3.0 * t), INK);
        }
        for curve in [&self.back, &self.face] {
            canvas.fill(&ribbon(curve, |t| 9.0 - 4.0 * t), INK);
        }
        self.print_foam(canvas, rng);
    }

    fn print_foam(&self, canvas: &mut Canvas, rng: &mut Rng) {
        let (start, size) = self.foam;
        let mut claws = Vec::new();
        let mut puffs = Vec::new();
        let steps = ((1.0 - start) * 40.0) as i32;
        for i in 0..=steps {
            let t = start + (1.0 - start) * i as f32 / steps as f32;
            let grow = size * smooth(start - 0.05, start + 0.25, t) * rng.range(0.75, 1.2);
            let across = (self.at(t, 1.0) - self.at(t, 0.0)).unit();
            let ahead =
                (self.at((t + 0.02).min(1.0), 0.3) - self.at((t - 0.02).min(0.97), 0.3)).unit();
            let thick = 0.30 * smooth(start, 1.0, t) + 0.12;
            // Two rows: on the body, and over the hollow once the crest is thin.
            for (k, turn, scale) in [(thick, 0.25, 1.0), (0.9, 0.1, 0.95)] {
                if k > 0.5 && t < start + 0.35 * (1.0 - start) {
                    continue;
                }
                let heading = across.mix(ahead, 0.55).unit().angle() + turn + rng.range(-0.3, 0.3);
                claw(
                    &mut claws,
                    self.at(t, k),
                    heading,
                    grow * scale,
                    rng.range(0.5, 1.1),
                    2,
                    rng,
                );
            }
            puffs.push((
                self.at(t, 0.02) + v2(rng.normal(), rng.normal()) * 3.0,
                grow * rng.range(0.22, 0.42),
            ));
        }
        // The body of the foam between its back and the roots of the claws.
        let lower: Vec<V2> = (0..=60)
            .map(|i| {
                let t = start + (1.0 - start) * i as f32 / 60.0;
                self.at(
                    t,
                    0.30 * smooth(start, 1.0, t) + 0.12 * smooth(start, start + 0.1, t),
                )
            })
            .collect();
        let mut cap = self.line(0.0, start, 1.0);
        cap.extend(lower.iter().rev());
        for (centre, radius) in &puffs {
            canvas.fill(&circle(*centre, radius + 3.4), INK);
        }
        print_claws(canvas, &claws, INK, 3.4);
        canvas.fill(&cap, CREAM);
        for (centre, radius) in &puffs {
            canvas.fill(&circle(*centre, *radius), CREAM);
            let curl = ring(
                *centre + v2(radius * 0.1, radius * 0.15),
                radius * 0.52,
                radius * 0.66,
                2.6,
                5.4,
            );
            canvas.fill(&curl, MIDDLE);
        }
        print_claws(canvas, &claws, CREAM, 0.0);
        // Shadows inside the foam, and drops that leap from it.
        for claw in claws.iter().filter(|claw| claw.width > 7.0) {
            let spine: Vec<V2> = claw.path[1..].to_vec();
            let colour = rng.pick(&[MIDDLE, SHADE, SHADE, PALE]);
            let width = claw.width * 0.34;
            canvas.fill(
                &ribbon(&spine, |t| width * (1.0 - t) * smooth(0.0, 0.3, t) + 0.4),
                colour,
            );
        }
        for _ in 0..(size * 1.3) as i32 {
            let root = self.at(rng.range(start + 0.2, 1.0), rng.range(-0.1, 0.4));
            let drop = root
                + v2(
                    rng.normal() * size * 1.3 + size * 0.8,
                    rng.normal() * size * 1.1 - size * 0.7,
                );
            let radius = 1.6 + 5.0 * rng.unit() * rng.unit() * rng.unit();
            canvas.fill(&circle(drop, radius + 2.2), INK);
            canvas.fill(&circle(drop, radius), CREAM);
        }
    }
}

/// One finger of foam.
struct Claw {
    path: Vec<V2>,
    width: f32,
}

/// Grows a finger that bends and ends in smaller ones.
fn claw(
    out: &mut Vec<Claw>,
    root: V2,
    heading: f32,
    size: f32,
    bend: f32,
    depth: u32,
    rng: &mut Rng,
) {
    let mut path = vec![root];
    let mut angle = heading;
    for _ in 0..8 {
        angle += bend / 8.0;
        path.push(path[path.len() - 1] + V2::polar(angle) * (size / 8.0));
    }
    let tip = path[8];
    out.push(Claw {
        path,
        width: size * 0.40,
    });
    if depth > 0 {
        for turn in [-0.75, 0.05, 0.8] {
            let turn = turn + rng.range(-0.2, 0.2);
            claw(
                out,
                tip,
                angle + turn,
                size * rng.range(0.42, 0.62),
                bend * 1.15,
                depth - 1,
                rng,
            );
        }
    }
}

fn print_claws(canvas: &mut Canvas, claws: &[Claw], colour: V3, spread: f32) {
    for claw in claws {
        let outline = ribbon(&claw.path, |t| claw.width * (1.0 - 0.5 * t) + 2.0 * spread);
        canvas.fill(&outline, colour);
        canvas.fill(&circle(claw.path[8], claw.width * 0.27 + spread), colour);
    }
}

/// A row of pointed swells: everything below its crest line, in bands that flatten with depth.
fn swell(
    canvas: &mut Canvas,
    level: f32,
    length: f32,
    height: f32,
    phase: f32,
    bands: &[V3],
    rng: &mut Rng,
) {
    let crest = |depth: f32| -> Vec<V2> {
        (-20..=260)
            .map(|i| {
                let t = i as f32 / 240.0 * W as f32 / length * std::f32::consts::TAU + phase;
                let lift =
                    height * (-depth * 0.9).exp() * (0.75 + 0.5 * noise(v2(t * 0.16, phase), 8));
                let wobble = 5.0 * (noise(v2(t * 2.0, depth * 2.0), 9) - 0.5);
                v2(
                    (t - phase) * length / std::f32::consts::TAU - 0.85 * lift * t.sin(),
                    level - lift * t.cos() + depth * height * 1.15 + wobble,
                )
            })
            .collect()
    };
    let count = bands.len();
    for (i, colour) in bands.iter().enumerate() {
        let depth = i as f32 * 1.9 / count as f32;
        let line = crest(depth);
        let mut outline = line.clone();
        outline.extend([
            v2(W as f32 + 40.0, H as f32 + 5.0),
            v2(-40.0, H as f32 + 5.0),
        ]);
        let mask = canvas.mask(&outline);
        canvas.paint(&mask, |p, _| {
            (colour.mix(INK, 0.34 * smooth(600.0, 1150.0, p[1])), 1.0)
        });
        let thick = if i == 0 { 6.5 } else { 3.4 };
        canvas.fill(
            &ribbon(&line, |t| {
                thick * (0.75 + 0.5 * noise(v2(t * 40.0, depth), 10))
            }),
            INK,
        );
        // Broken veins between this crest line and the next.
        let light = colour.mix(if colour.luma() > 0.5 { MIDDLE } else { CREAM }, 0.42);
        for share in [0.3, 0.62] {
            let vein = crest(depth + share * 1.9 / count as f32);
            let thick = |t: f32| 6.0 * (noise(v2(t * 24.0, depth + share), 11) - 0.48);
            canvas.fill(&ribbon(&vein, |t| thick(t).max(0.0)), light);
        }
    }
    // Foam sits where the crest line peaks and slides down its lee.
    let line = crest(0.0);
    let mut claws = Vec::new();
    for (i, trio) in line.windows(3).enumerate() {
        if trio[1][1] <= trio[0][1] && trio[1][1] <= trio[2][1] && trio[1][1] < level - height * 0.5
        {
            for step in 0..16 {
                let root = line[(i + step).saturating_sub(4).min(line.len() - 1)];
                let size =
                    height * (0.34 - 0.014 * (step as f32 - 4.0).abs()) * rng.range(0.8, 1.2);
                claw(
                    &mut claws,
                    root + v2(0.0, 3.0),
                    rng.range(0.9, 2.0),
                    size,
                    rng.range(0.4, 0.9),
                    2,
                    rng,
                );
            }
        }
    }
    print_claws(canvas, &claws, INK, 2.6);
    print_claws(canvas, &claws, CREAM, 0.0);
}

fn sky(canvas: &mut Canvas) {
    canvas.map(|p, _| {
        let t = p[1] / H as f32;
        let top = ramp(
            &[
                hex(0x5f7d8f),
                hex(0x9fb0ac),
                hex(0xd9d4bb),
                hex(0xefe2c2),
                hex(0xf2dcb4),
                hex(0xeec79c),
            ],
            t * 1.55,
        );
        // Streaks of mist: long flat islands, a little darker.
        let mist = fbm(v2(p[0] / 430.0, p[1] / 34.0), 3, 5);
        top.mix(
            hex(0xc7c4ae),
            0.55 * smooth(0.52, 0.56, mist) * smooth(0.05, 0.3, t),
        )
    });
    canvas.fill(&circle(v2(1222.0, 300.0), 112.0), SUN);
    let bars = [(250.0, 12.0), (300.0, 9.0), (338.0, 14.0), (372.0, 10.0)];
    for (y, thick) in bars {
        let path: Vec<V2> = (0..=40)
            .map(|i| {
                v2(
                    1000.0 + i as f32 * 12.0,
                    y + 6.0 * (i as f32 * 0.5 + y).sin(),
                )
            })
            .collect();
        canvas.fill(&ribbon(&path, |t| thick * (t * PI).sin()), hex(0xe9d9b6));
    }
    // A far mountain with snow in its gullies.
    let flank = |x: f32| {
        650.0 - 215.0 * (-((x - 1015.0).abs() / 150.0).powf(0.95)).exp()
            + 7.0 * noise(v2(x / 20.0, 0.0), 3)
    };
    let mut outline: Vec<V2> = (300..1540)
        .step_by(4)
        .map(|x| v2(x as f32, flank(x as f32)))
        .collect();
    canvas.fill(&ribbon(&outline, |_| 6.0), INK);
    outline.extend([v2(1540.0, 760.0), v2(300.0, 760.0)]);
    let mask = canvas.mask(&outline);
    canvas.paint(&mask, |p, _| {
        let snow = p[1]
            < 520.0
                + 44.0
                    * ((p[0] * 0.11).sin() + 0.6 * (p[0] * 0.23).sin())
                    * smooth(440.0, 560.0, p[1]);
        (
            if snow {
                CREAM
            } else {
                hex(0x54708c).mix(hex(0x9fb0ac), smooth(500.0, 690.0, p[1]))
            },
            1.0,
        )
    });
}

/// What block and paper leave: wood grain, mottled ink, fibres and a bare margin.
fn paper(canvas: &mut Canvas) {
    let size = canvas.size();
    canvas.map(|p, c| {
        let bend = 26.0 * fbm(p / 260.0, 2, 50);
        let grain = noise(v2(p[0] / 240.0, (p[1] + bend) / 4.2), 51) - 0.5;
        let mottle = fbm(p / 7.0, 3, 52) - 0.5;
        let worn = smooth(0.66, 0.78, fbm(p / 2.6, 2, 53)) * 0.16;
        let inked =
            (c + V3::splat(0.085 * grain + 0.06 * mottle)).mix(CREAM, worn * (1.0 - c.luma()));
        let rim =
            p[0].min(size[0] - p[0]).min(p[1]).min(size[1] - p[1]) + 3.0 * noise(p / 14.0, 54);
        hex(0xefe4c8).mix(inked, smooth(11.0, 13.0, rim))
    });
}

/// Paints the picture at twice its published size.
pub fn paint() -> Canvas {
    let mut canvas = Canvas::new(W, H, CREAM);
    let mut rng = Rng::new(31);
    sky(&mut canvas);
    let rng = &mut rng;
    swell(
        &mut canvas,
        700.0,
        420.0,
        34.0,
        0.6,
        &[PALE, MIDDLE, PALE, MIDDLE, PRUSSIAN],
        rng,
    );
    swell(
        &mut canvas,
        780.0,
        560.0,
        62.0,
        2.2,
        &[PRUSSIAN, MIDDLE, INDIGO, PRUSSIAN, INDIGO],
        rng,
    );
    Wave::new(
        "1700,900 1600,720 1500,610 1390,545 1290,540 1215,590 1180,660",
        "1010,1000 1180,930 1300,850 1340,770 1320,700 1265,665 1200,680",
        &[
            PRUSSIAN, INDIGO, MIDDLE, INDIGO, PALE, PRUSSIAN, INDIGO, CREAM, PRUSSIAN,
        ],
        (0.45, 34.0),
    )
    .print(&mut canvas, rng);
    Wave::new(
        "-220,1000 -40,700 110,440 290,230 490,115 690,95 860,160 960,270 985,400",
        "930,1060 690,960 520,830 450,670 480,510 580,400 710,350 840,365 945,430",
        &[
            INDIGO, PRUSSIAN, CREAM, INDIGO, MIDDLE, INDIGO, PALE, PRUSSIAN, INDIGO, CREAM,
            PRUSSIAN, INDIGO, MIDDLE,
        ],
        (0.42, 66.0),
    )
    .print(&mut canvas, rng);
    swell(
        &mut canvas,
        938.0,
        700.0,
        72.0,
        3.6,
        &[INDIGO, CREAM, PRUSSIAN, INDIGO, MIDDLE, INDIGO, PALE],
        rng,
    );
    paper(&mut canvas);
    canvas
}
