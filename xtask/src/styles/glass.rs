//! `glass`: a stained-glass window with the sun over a river valley and tulips in front.
//!
//! Shapes are laid over each other; each is cut into panes by a Voronoi diagram in coordinates of its own (rings around
//! the sun, bands along the river). The distance to the nearest cut then gives everything else: the lead with its
//! rounded shine, broad where two shapes meet and narrow inside one, and the dirt that dims the glass beside it. The
//! glass has a colour per pane, streaks, bubbles and a hammered surface, and the daylight behind it bleeds over the lead.

use crate::canvas::Canvas;
use crate::colour::hex;
use crate::noise::{fbm, hash, hash01, noise};
use crate::shape::{blob, points, ribbon, spline};
use crate::vector::{V2, V3, lerp, smooth, v2};

const W: usize = 1152;
const H: usize = 1440;
const SUN: V2 = v2(600.0, 420.0);
const FRAME: f32 = 58.0;

const NIGHT: [V3; 5] = [
    hex(0x10268c),
    hex(0x1440c4),
    hex(0x0f62d8),
    hex(0x3a1f9c),
    hex(0x1a86d8),
];
const DUSK: [V3; 5] = [
    hex(0x6a2ab8),
    hex(0xb42aa0),
    hex(0xe0447a),
    hex(0x3c5ce0),
    hex(0xf07848),
];
const GOLD: [V3; 5] = [
    hex(0xffd21e),
    hex(0xffb000),
    hex(0xff8c12),
    hex(0xffe875),
    hex(0xf46a10),
];
const DISC: [V3; 4] = [hex(0xfff4a0), hex(0xffe04a), hex(0xffc21a), hex(0xfffbd8)];
const PEAKS: [V3; 5] = [
    hex(0x5a3fb0),
    hex(0x7a5ccf),
    hex(0x3d2f8c),
    hex(0xa58ae0),
    hex(0x46559c),
];
const RIDGE: [V3; 5] = [
    hex(0x16708c),
    hex(0x1f94a0),
    hex(0x0f4f78),
    hex(0x38b0a8),
    hex(0x1a6a64),
];
const MEADOW: [V3; 6] = [
    hex(0x2f9a2c),
    hex(0x62bf2a),
    hex(0x147a3a),
    hex(0xa8d832),
    hex(0x0d5a34),
    hex(0xd8dc3c),
];
const RIVER: [V3; 6] = [
    hex(0x18a8d8),
    hex(0x5fd0ee),
    hex(0x0f70c8),
    hex(0xc4f0f4),
    hex(0x1c8ce4),
    hex(0xffe9a0),
];
const LEAF: [V3; 4] = [hex(0x38c23c), hex(0x7ad83a), hex(0xb4ea4a), hex(0x1fa04c)];
const SHORE: [V3; 5] = [
    hex(0x0d5a44),
    hex(0x12704a),
    hex(0x0a4450),
    hex(0x1c8a50),
    hex(0x0b3a5c),
];
const RED: [V3; 4] = [hex(0xd8101c), hex(0xf43a24), hex(0xa80826), hex(0xff6a3c)];
const PINK: [V3; 4] = [hex(0xe83a9a), hex(0xff7ab8), hex(0xb8147c), hex(0xffb0c8)];
const VIOLET: [V3; 4] = [hex(0x7a22d0), hex(0xa04cf0), hex(0x4c129c), hex(0xcb8cff)];
const BORDER: [V3; 5] = [
    hex(0xb80f24),
    hex(0x1434b0),
    hex(0xf4a010),
    hex(0x0f7a44),
    hex(0x7a1a9c),
];

/// The coordinates in which a shape is cut into panes; one unit is about one pane.
#[derive(Clone, Copy)]
enum Cut {
    /// Around the sun: rings this wide, with this many panes around.
    Polar(f32, f32),
    /// Across the canvas: pane width, pane height, angle.
    Flat(f32, f32, f32),
}

impl Cut {
    fn at(self, p: V2) -> V2 {
        match self {
            Cut::Polar(width, count) => {
                let arm = p - SUN;
                v2(
                    arm.angle() / std::f32::consts::TAU * count + 50.0,
                    arm.len() / width,
                )
            }
            Cut::Flat(wide, tall, angle) => {
                let bent =
                    p + (v2(fbm(p / 130.0, 2, 71), fbm(p / 130.0, 2, 72)) - v2(0.5, 0.5)) * 60.0;
                let turned = bent.turned(-angle);
                v2(turned[0] / wide, turned[1] / tall)
            }
        }
    }
}

struct Shape {
    outline: Vec<V2>,
    glass: &'static [V3],
    cut: Cut,
}

/// The nearest seed of a jittered lattice: its identity.
fn pane(q: V2, layer: i32) -> u32 {
    let (x, y) = (q[0].floor() as i32, q[1].floor() as i32);
    let mut best = (f32::MAX, 0);
    for dy in -1..=1 {
        for dx in -1..=1 {
            let (cx, cy) = (x + dx, y + dy);
            let jitter =
                v2(hash01(cx, cy, layer), hash01(cx, cy, layer + 1)) * 0.76 + v2(0.12, 0.12);
            let distance = (v2(cx as f32, cy as f32) + jitter - q).len();
            if distance < best.0 {
                best = (distance, hash(cx, cy, layer + 2));
            }
        }
    }
    best.1
}

fn ground(list: &str) -> Vec<V2> {
    let mut outline = spline(&points(list), 20);
    outline.extend([
        v2(W as f32 + 60.0, H as f32 + 60.0),
        v2(-60.0, H as f32 + 60.0),
    ]);
    outline
}

/// Stem, leaves and petals of a tulip whose cup stands at `at`.
fn tulip(shapes: &mut Vec<Shape>, at: V2, size: f32, lean: f32, glass: &'static [V3]) {
    let put = |x: f32, y: f32| at + v2(x, y).turned(lean) * size;
    let root = v2(at[0] - lean * 420.0, H as f32 + 30.0);
    let stem = spline(
        &[
            put(0.0, 0.9),
            at.mix(root, 0.5) + v2(26.0 * lean.signum(), 0.0),
            root,
        ],
        20,
    );
    shapes.push(Shape {
        outline: ribbon(&stem, |_| 17.0),
        glass: &LEAF,
        cut: Cut::Flat(70.0, 120.0, lean),
    });
    for side in [-1.0f32, 1.0] {
        let tip = at.mix(root, 0.26) + v2(side * size * 1.9, 0.0);
        let leaf = spline(
            &[
                root + v2(side * 6.0, 0.0),
                at.mix(root, 0.65) + v2(side * size * 0.55, 0.0),
                tip,
            ],
            20,
        );
        let outline = ribbon(&leaf, |t| {
            size * 0.8 * (t * std::f32::consts::PI).sin().max(0.0).powf(0.8) + 2.0
        });
        shapes.push(Shape {
            outline,
            glass: &LEAF,
            cut: Cut::Flat(size * 0.9, size * 1.2, side * 0.5),
        });
    }
    let mut petal = |list: &str, wide: f32| {
        let outline: Vec<V2> = points(list).iter().map(|p| put(p[0], p[1])).collect();
        let outline = blob(&outline, 12);
        shapes.push(Shape {
            outline,
            glass,
            cut: Cut::Flat(size * wide * 1.5, size * 0.95, lean),
        });
    };
    petal("-0.1,0.9 -0.35,0 0,-1.25 0.38,0 0.12,0.9", 0.6);
    petal(
        "-0.05,1 -0.8,0.55 -0.95,-0.3 -0.78,-1.05 -0.42,-0.55 -0.12,0.15 0.02,0.9",
        0.7,
    );
    petal(
        "0.05,1 0.8,0.55 0.95,-0.3 0.78,-1.05 0.42,-0.55 0.12,0.15 -0.02,0.9",
        0.7,
    );
    petal("0,1.05 -0.5,0.75 -0.42,0.1 0,-0.6 0.42,0.1 0.5,0.75", 0.55);
}

fn shapes() -> Vec<Shape> {
    let (w, h) = (W as f32, H as f32);
    let full = vec![v2(0.0, 0.0), v2(w, 0.0), v2(w, h), v2(0.0, h)];
    let mut shapes = vec![
        Shape {
            outline: full,
            glass: &NIGHT,
            cut: Cut::Polar(86.0, 26.0),
        },
        Shape {
            outline: crate::shape::circle(SUN, 330.0),
            glass: &DUSK,
            cut: Cut::Polar(62.0, 22.0),
        },
    ];
    for ray in 0..14 {
        let angle = (ray as f32 + 0.5) * std::f32::consts::TAU / 14.0;
        let long = if ray % 2 == 0 { 470.0 } else { 345.0 };
        let path: Vec<V2> = (0..=16)
            .map(|i| {
                let t = i as f32 / 16.0;
                SUN + V2::polar(angle + 0.16 * (t * 6.3).sin()) * lerp(110.0, long, t)
            })
            .collect();
        let outline = ribbon(&path, |t| 62.0 * (1.0 - t).powf(0.8) + 3.0);
        shapes.push(Shape {
            outline,
            glass: &GOLD,
            cut: Cut::Polar(88.0, 9.0),
        });
    }
    shapes.push(Shape {
        outline: crate::shape::circle(SUN, 140.0),
        glass: &GOLD,
        cut: Cut::Polar(70.0, 18.0),
    });
    shapes.push(Shape {
        outline: crate::shape::circle(SUN, 84.0),
        glass: &DISC,
        cut: Cut::Flat(48.0, 48.0, 0.0),
    });
    let grounds: [(&str, &[V3], Cut); 4] = [
        (
            "-40,800 120,690 230,590 330,690 460,760 620,720 760,640 900,560 1010,660 1200,740",
            &PEAKS,
            Cut::Flat(72.0, 120.0, 0.35),
        ),
        (
            "-40,790 180,790 400,830 640,800 880,750 1200,800",
            &RIDGE,
            Cut::Flat(120.0, 54.0, 0.1),
        ),
        (
            "-40,860 200,850 420,890 700,880 950,840 1200,880",
            &MEADOW,
            Cut::Flat(130.0, 60.0, -0.15),
        ),
        (
            "-40,1060 200,1000 420,1010 700,1080 950,1060 1200,980",
            &SHORE,
            Cut::Flat(120.0, 90.0, 0.5),
        ),
    ];
    for (crest, glass, cut) in grounds {
        shapes.push(Shape {
            outline: ground(crest),
            glass,
            cut,
        });
    }
    let river = spline(
        &points("690,868 560,920 610,985 790,1060 730,1180 520,1290 560,1480"),
        24,
    );
    shapes.push(Shape {
        outline: ribbon(&river, |t| 16.0 + 250.0 * t * t.sqrt()),
        glass: &RIVER,
        cut: Cut::Flat(110.0, 46.0, -0.2),
    });
    tulip(&mut shapes, v2(240.0, 985.0), 124.0, -0.14, &PINK);
    tulip(&mut shapes, v2(930.0, 1010.0), 120.0, 0.14, &VIOLET);
    tulip(&mut shapes, v2(430.0, 1155.0), 112.0, 0.10, &GOLD);
    tulip(&mut shapes, v2(740.0, 1190.0), 108.0, -0.08, &RED);
    shapes
}

/// What lies at every pixel: the shape, the pane, and the colour of its glass.
struct Panes {
    shape: Vec<u32>,
    pane: Vec<u32>,
    glass: Vec<V3>,
}

fn lay() -> Panes {
    let plain = Canvas::new(W, H, V3::splat(0.0));
    let mut panes = Panes {
        shape: vec![0; W * H],
        pane: vec![0; W * H],
        glass: vec![V3::splat(0.0); W * H],
    };
    for (number, shape) in shapes().iter().enumerate() {
        let mask = plain.mask(&shape.outline);
        for (j, _) in mask.cover.iter().enumerate().filter(|(_, c)| **c >= 0.5) {
            let (x, y) = (mask.x + j % mask.w, mask.y + j / mask.w);
            let p = v2(x as f32 + 0.5, y as f32 + 0.5);
            let id = pane(shape.cut.at(p), number as i32 * 10);
            let i = y * W + x;
            panes.shape[i] = number as u32 + 1;
            panes.pane[i] = id ^ (number as u32 * 0x1001);
            panes.glass[i] = shape.glass[(id >> 7) as usize % shape.glass.len()];
        }
    }
    for i in 0..W * H {
        let (x, y) = ((i % W) as f32, (i / W) as f32);
        let inset = x.min(W as f32 - x).min(y).min(H as f32 - y);
        if inset < FRAME {
            let upright = x.min(W as f32 - x) < y.min(H as f32 - y);
            let along = if upright { y / 96.0 } else { x / 96.0 } as i32;
            let id = hash(along, i32::from(upright) + 2 * i32::from(x > y), 901);
            panes.shape[i] = 900;
            panes.pane[i] = id;
            panes.glass[i] = BORDER[(along as usize * 2 + usize::from(upright)) % BORDER.len()];
        }
    }
    panes
}

/// The distance of every pixel to the nearest change of `id`, by the two sweeps of a chamfer transform.
fn distance_to_change(id: &[u32]) -> Vec<f32> {
    let mut far = vec![1e6f32; W * H];
    for y in 0..H {
        for x in 0..W {
            let i = y * W + x;
            let right = x + 1 < W && id[i] != id[i + 1];
            let below = y + 1 < H && id[i] != id[i + W];
            if right || below {
                far[i] = 0.5;
            }
        }
    }
    let steps = [
        (-1isize, 0isize, 1.0f32),
        (0, -1, 1.0),
        (-1, -1, 1.414),
        (1, -1, 1.414),
        (-1, -2, 2.236),
        (1, -2, 2.236),
        (-2, -1, 2.236),
        (2, -1, 2.236),
    ];
    for backwards in [false, true] {
        for n in 0..W * H {
            let i = if backwards { W * H - 1 - n } else { n };
            let (x, y) = ((i % W) as isize, (i / W) as isize);
            for (dx, dy, cost) in steps {
                let (nx, ny) = if backwards {
                    (x - dx, y - dy)
                } else {
                    (x + dx, y + dy)
                };
                if nx >= 0 && ny >= 0 && nx < W as isize && ny < H as isize {
                    far[i] = far[i].min(far[ny as usize * W + nx as usize] + cost);
                }
            }
        }
    }
    far
}

/// Paints the picture at twice its published size.
pub fn paint() -> Canvas {
    let panes = lay();
    let (outer, inner) = (
        distance_to_change(&panes.shape),
        distance_to_change(&panes.pane),
    );
    let mut canvas = Canvas::new(W, H, V3::splat(0.0));
    for i in 0..W * H {
        let p = v2((i % W) as f32 + 0.5, (i / W) as f32 + 0.5);
        let id = panes.pane[i];
        let own = |n: i32| hash01(id as i32, n, 77);
        let (broad, narrow) = (
            outer[i] / (5.0 + 1.6 * noise(p / 40.0, 60)),
            inner[i] / (2.9 + 1.2 * noise(p / 30.0, 61)),
        );
        let lead = broad.min(narrow);
        // Light falls through a pane unevenly: a slope, streaks along the pull of the glass, waves and bubbles.
        let pull = p.turned(own(1) * 6.3);
        let slope = 0.20 * (pull[0] / 60.0 + own(2) * 6.3).sin();
        let streak = 0.34 * (noise(v2(pull[0] / 9.0, pull[1] / 90.0), 62) - 0.5)
            + 0.22 * (fbm(p / 26.0, 2, 63) - 0.5);
        let dirt = smooth(0.0, 12.0, inner[i] - 2.0);
        let day = 1.32 - 0.40 * smooth(80.0, 900.0, (p - SUN).len());
        let bright = (0.80 + 0.42 * own(3) + slope + streak) * day * lerp(0.55, 1.0, dirt);
        let bubble = noise(p / 8.0 + v2(own(4) * 90.0, 0.0), 64);
        let glass = panes.glass[i].map(|c| c.powf(1.12)) * bright
            + V3::splat(0.25 * smooth(0.965, 0.985, bubble) + 0.22 * smooth(1.0, 1.6, bright));
        let metal = hex(0x14161c).mix(hex(0x3a3d44), noise(p / 18.0, 65));
        let cover = smooth(1.12, 0.92, lead);
        canvas.rgb[i] = glass.mix(metal, cover);
        let dome = (1.0 - lead * lead).max(0.0).sqrt();
        let hammered = 2.4 * noise(p / 13.0, 66);
        canvas.body[i] = lerp(hammered, 2.0 + 5.0 * dome, cover);
    }
    canvas.light(0.55, 0.30);
    canvas.glow(0.55, 9, 0.16);
    canvas
}
