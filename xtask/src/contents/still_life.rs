//! `still-life`: a bowl of fruit and a jug on a wooden table, in the light of a window.
//!
//! Every object is a signed distance function; rays march through their union (sphere tracing, Hart 1996). The window
//! is a soft lamp from the left: shadows widen with distance, corners darken by ambient occlusion, glaze and skins
//! mirror the window's four panes. Skins, wood and cloth get their patterns from noise. Light is linear throughout.

use crate::canvas::Canvas;
use crate::noise::{Rng, fbm, fbm3, noise, noise3};
use crate::shape::spline;
use crate::vector::{V, V2, V3, decode, encode, hex, lerp, smooth, v2, v3};

const W: usize = 1440;
const H: usize = 1152;
const EYE: V3 = v3(0.1, 2.75, -6.6);
const LOOK_AT: V3 = v3(0.26, 1.0, 0.2);
const WALL: f32 = 2.6;

#[derive(Clone, Copy, PartialEq)]
enum Matter {
    Table,
    Wall,
    Jug,
    Bowl,
    Apple(i32),
    Orange,
    Lemon,
    Pear,
    Grape,
    Wood,
}

/// One object: what it is made of, a sphere around it, and its distance function.
struct Thing {
    matter: Matter,
    centre: V3,
    bound: f32,
    form: Form,
}

enum Form {
    Apple { size: f32, tilt: V3 },
    Sphere(f32),
    Lemon { axis: V3 },
    Pear { axis: V3 },
    Stick { to: V3, thick: f32 },
    Jug,
    Bowl,
}

struct Scene {
    things: Vec<Thing>,
    /// Radius of the jug and of the bowl by height.
    jug: Profile,
    bowl: Profile,
    /// The middle of the jug's handle, in the plane of the jug's axis.
    handle: Vec<V2>,
}

/// A radius by height, for solids of revolution.
struct Profile {
    top: f32,
    radius: Vec<f32>,
}

impl Profile {
    fn new(points: &[(f32, f32)]) -> Self {
        let curve = spline(&points.iter().map(|p| v2(p.0, p.1)).collect::<Vec<_>>(), 16);
        let top = points[points.len() - 1].0;
        let at = |y: f32| {
            let i = curve
                .iter()
                .position(|q| q[0] >= y)
                .unwrap_or(curve.len() - 1)
                .max(1);
            let (a, b) = (curve[i - 1], curve[i]);
            lerp(
                a[1],
                b[1],
                ((y - a[0]) / (b[0] - a[0]).max(1e-6)).clamp(0.0, 1.0),
            )
        };
        Profile {
            top,
            radius: (0..=200).map(|i| at(top * i as f32 / 200.0)).collect(),
        }
    }

    fn at(&self, y: f32) -> f32 {
        let x = (y / self.top * 200.0).clamp(0.0, 199.99);
        let i = x as usize;
        lerp(self.radius[i], self.radius[i + 1], x - i as f32)
    }
}

fn blend(a: f32, b: f32, k: f32) -> f32 {
    let h = (0.5 + 0.5 * (b - a) / k).clamp(0.0, 1.0);
    lerp(b, a, h) - k * h * (1.0 - h)
}

fn flat(p: V3) -> f32 {
    v2(p[0], p[2]).len()
}

/// `p` as height along `axis` and distance from it.
fn around(p: V3, axis: V3) -> (f32, f32) {
    let y = p.dot(axis);
    (y, (p - axis * y).len())
}

impl Scene {
    fn distance_to(&self, thing: &Thing, p: V3) -> f32 {
        let q = p - thing.centre;
        match &thing.form {
            Form::Sphere(radius) => q.len() - radius,
            Form::Apple { size, tilt } => {
                let (y, r) = around(q / *size, *tilt);
                let r = r * (1.04 - 0.16 * y);
                (v2(r - 0.30, y * 0.96).len() - 0.62) * size * 0.85
            }
            Form::Lemon { axis } => {
                let (y, r) = around(q, *axis);
                let body = (v2(y / 0.50, r / 0.37).len() - 1.0) * 0.37;
                blend(body, v2(y.abs() - 0.50, r).len() - 0.06, 0.12) * 0.9
            }
            Form::Pear { axis } => {
                let (y, r) = around(q, *axis);
                blend(v2(y, r).len() - 0.52, v2(y - 0.72, r).len() - 0.22, 0.42)
            }
            Form::Stick { to, thick } => {
                let t = (q.dot(*to) / to.dot(*to)).clamp(0.0, 1.0);
                (q - *to * t).len() - thick
            }
            Form::Jug => {
                let spout =
                    smooth(1.9, 2.55, q[1]) * 0.20 * smooth(0.55, 1.0, -q[0] / (flat(q) + 1e-4));
                let shell = (flat(q) - self.jug.at(q[1]) - spout) * 0.72;
                let walls = (shell + 0.035).abs() - 0.035;
                let solid = if q[1] < 0.3 { shell } else { walls };
                let body = solid.max(q[1] - self.jug.top).max(-q[1]);
                let mut handle = f32::MAX;
                for pair in self.handle.windows(2) {
                    let (a, along) = (pair[0], pair[1] - pair[0]);
                    let t = ((v2(q[0], q[1]) - a).dot(along) / along.dot(along)).clamp(0.0, 1.0);
                    let off = v2(q[0], q[1]) - a - along * t;
                    handle = handle.min(v3(off[0], off[1], q[2] * 0.72).len() - 0.075);
                }
                blend(body, handle, 0.07)
            }
            Form::Bowl => {
                let shell = (flat(q) - self.bowl.at(q[1])) * 0.62;
                let walls = (shell + 0.03).abs() - 0.03;
                let solid = if q[1] < 0.1 { shell } else { walls };
                solid.max(q[1] - self.bowl.top).max(-q[1])
            }
        }
    }

    /// The distance to the nearest surface, and its object (none for table and wall).
    fn distance(&self, p: V3) -> (f32, Option<usize>) {
        let table = (p[1] - cloth(p).0) * if p[1] < 0.35 { 0.55 } else { 0.8 };
        let mut best = (table.min(WALL - p[2]), None);
        for (i, thing) in self.things.iter().enumerate() {
            let outside = (p - thing.centre).len() - thing.bound;
            if outside >= best.0 {
                continue;
            }
            // Far away the bounding sphere is near enough.
            let d = if outside > 0.25 {
                outside
            } else {
                self.distance_to(thing, p)
            };
            if d < best.0 {
                best = (d, Some(i));
            }
        }
        best
    }

    fn march(&self, from: V3, ray: V3) -> Option<(V3, Option<usize>)> {
        let mut t = 3.0;
        for _ in 0..180 {
            let p = from + ray * t;
            let (d, hit) = self.distance(p);
            if d < 0.0006 * t {
                return Some((p, hit));
            }
            t += d;
            if t > 16.0 {
                break;
            }
        }
        None
    }

    fn normal(&self, p: V3) -> V3 {
        let e = 0.0015;
        let corners = [
            v3(1.0, -1.0, -1.0),
            v3(-1.0, -1.0, 1.0),
            v3(-1.0, 1.0, -1.0),
            v3(1.0, 1.0, 1.0),
        ];
        corners
            .iter()
            .fold(V::splat(0.0), |sum, c| {
                sum + *c * self.distance(p + *c * e).0
            })
            .unit()
    }

    /// How much of the window is seen from `p`, 0..1: the narrowest gap on the way there (Quilez's soft shadows).
    fn lit(&self, p: V3, lamp: V3) -> f32 {
        let (mut t, mut seen) = (0.02, 1.0f32);
        for _ in 0..60 {
            let (d, _) = self.distance(p + lamp * t);
            seen = seen.min(0.5 + 0.5 * d / (0.10 * t));
            if seen <= 0.0 || t > 5.0 {
                break;
            }
            t += d.abs().clamp(0.015, 0.25);
        }
        smooth(0.0, 1.0, seen)
    }

    /// How open the surroundings of a surface are, 0..1.
    fn open(&self, p: V3, n: V3) -> f32 {
        let mut closed = 0.0;
        for (i, weight) in [0.55, 0.4, 0.3, 0.22, 0.15].into_iter().enumerate() {
            let reach = 0.03 + 0.15 * i as f32;
            closed += weight * (reach - self.distance(p + n * reach).0).max(0.0) / reach;
        }
        (1.0 - 0.75 * closed).clamp(0.12, 1.0)
    }
}

/// Height of the table with the cloth on it, and how much of the cloth covers the place, 0..1.
fn cloth(p: V3) -> (f32, f32) {
    if p[1] > 0.35 {
        return (0.0, 0.0);
    }
    let q = v2(p[0] - 0.75, p[2] + 0.45).turned(0.32);
    let ragged = 0.02 * (noise(v2(q[0] * 3.0, q[1] * 3.0), 5) - 0.5);
    let inside = (1.72 - q[0].abs()).min(1.12 - q[1].abs()) + ragged;
    let on = smooth(0.0, 0.03, inside);
    if on == 0.0 {
        return (0.0, 0.0);
    }
    let wave = fbm(v2(q[0] * 1.2 + 0.6 * q[1], q[1] * 0.5), 2, 6);
    let fold = 1.0 - (2.0 * wave - 1.0).abs() * 2.6;
    // Under the bowl the cloth is pressed flat.
    let free = smooth(0.6, 1.25, v2(p[0] - 0.62, p[2] - 0.25).len());
    (on * (0.022 + 0.085 * free * smooth(0.1, 1.0, fold)), on)
}

fn scene() -> Scene {
    let mut things = Vec::new();
    let mut put = |matter, centre: V3, bound: f32, form| {
        things.push(Thing {
            matter,
            centre,
            bound,
            form,
        })
    };
    put(Matter::Jug, v3(-1.55, 0.0, 0.75), 2.75, Form::Jug);
    put(Matter::Bowl, v3(0.62, 0.03, 0.25), 1.62, Form::Bowl);
    let stem = |put: &mut dyn FnMut(Matter, V3, f32, Form), at: V3, to: V3| {
        put(Matter::Wood, at, 0.45, Form::Stick { to, thick: 0.022 })
    };
    let apples = [
        (v3(0.12, 0.98, 0.05), 0.56, v3(-0.25, 1.0, -0.35), 1),
        (v3(1.12, 0.93, 0.62), 0.55, v3(0.3, 1.0, 0.1), 2),
        (v3(-1.02, 0.46, -1.05), 0.54, v3(0.25, 1.0, -0.28), 3),
    ];
    for (centre, size, tilt, kind) in apples {
        let tilt = tilt.unit();
        put(
            Matter::Apple(kind),
            centre,
            size * 1.1,
            Form::Apple { size, tilt },
        );
        stem(
            &mut put,
            centre + tilt * (0.48 * size),
            tilt * 0.26 + v3(0.05, 0.0, 0.02),
        );
    }
    for (centre, radius) in [
        (v3(1.12, 0.92, -0.22), 0.47),
        (v3(0.35, 0.93, 0.86), 0.46),
        (v3(-0.42, 0.43, -1.62), 0.43),
    ] {
        put(Matter::Orange, centre, radius + 0.01, Form::Sphere(radius));
    }
    let lean = v3(-0.30, 1.0, 0.12).unit();
    put(
        Matter::Pear,
        v3(0.66, 1.20, 0.38),
        1.05,
        Form::Pear { axis: lean },
    );
    stem(
        &mut put,
        v3(0.66, 1.20, 0.38) + lean * 0.92,
        v3(-0.02, 0.26, 0.04),
    );
    put(
        Matter::Lemon,
        v3(2.12, 0.41, -0.85),
        0.62,
        Form::Lemon {
            axis: v3(0.85, 0.06, -0.5).unit(),
        },
    );
    put(
        Matter::Lemon,
        v3(2.42, 0.39, -0.05),
        0.62,
        Form::Lemon {
            axis: v3(0.3, 0.02, 0.9).unit(),
        },
    );
    // A bunch of grapes hangs over the rim: berries pushed apart until they only touch.
    let mut rng = Rng::new(5);
    let path = [
        v3(0.30, 1.02, -0.62),
        v3(0.42, 0.80, -1.02),
        v3(0.58, 0.45, -1.25),
        v3(0.86, 0.2, -1.42),
        v3(1.2, 0.2, -1.5),
    ];
    let mut berries: Vec<V3> = (0..34)
        .map(|i| {
            let t = i as f32 / 34.0 * 3.999;
            path[t as usize].mix(path[t as usize + 1], t.fract())
                + v3(rng.normal(), rng.normal(), rng.normal()) * 0.13
        })
        .collect();
    for _ in 0..60 {
        for i in 0..berries.len() {
            for j in 0..i {
                let apart = berries[i] - berries[j];
                let push = (0.30 - apart.len()).max(0.0) * 0.5;
                berries[i] = berries[i] + apart.unit() * push;
                berries[j] = berries[j] - apart.unit() * push;
            }
            berries[i].0[1] = berries[i][1].max(0.18);
        }
    }
    for centre in berries {
        put(Matter::Grape, centre, 0.165, Form::Sphere(0.16));
    }
    Scene {
        things,
        handle: spline(
            &[
                v2(0.40, 2.30),
                v2(0.72, 2.42),
                v2(1.02, 2.30),
                v2(1.17, 1.95),
                v2(1.10, 1.45),
                v2(0.94, 1.16),
                v2(0.78, 1.04),
            ],
            4,
        ),
        jug: Profile::new(&[
            (0.0, 0.56),
            (0.08, 0.60),
            (0.45, 0.82),
            (0.85, 0.93),
            (1.2, 0.88),
            (1.6, 0.66),
            (1.95, 0.47),
            (2.2, 0.42),
            (2.45, 0.47),
            (2.62, 0.56),
        ]),
        bowl: Profile::new(&[
            (0.0, 0.50),
            (0.07, 0.50),
            (0.12, 0.55),
            (0.22, 0.80),
            (0.40, 1.08),
            (0.62, 1.30),
            (0.80, 1.42),
        ]),
    }
}

/// What a surface looks like: its colour in linear light, how sharp and how strong it mirrors, and how far light goes in.
struct Skin {
    colour: V3,
    gloss: f32,
    mirror: f32,
    soft: f32,
    bump: V3,
}

fn skin(matter: Matter, p: V3, q: V3, n: V3) -> Skin {
    let rough = |frequency: f32, depth: f32| {
        let at = |shift: f32| noise3(p * frequency + V::splat(shift), 31) - 0.5;
        v3(at(0.0), at(40.0), at(80.0)) * depth
    };
    let code = |rgb: u32| decode(hex(rgb));
    let none = V::splat(0.0);
    match matter {
        Matter::Apple(kind) => {
            let around = q[0].atan2(q[2]);
            let streaks = fbm3(
                v3(
                    around.sin() * 9.0,
                    around.cos() * 9.0,
                    q[1] * 1.3 + kind as f32 * 9.0,
                ),
                4,
                12,
            );
            let patch = fbm3(q * 1.6 + V::splat(kind as f32 * 3.7), 3, 13);
            let (skin, blush) = if kind == 3 {
                (code(0x9fb832), code(0xc8c850))
            } else {
                (code(0xd9a83a), code(0xb0141a))
            };
            let red = smooth(
                0.36,
                0.62,
                streaks * 0.5 + patch * 0.75 - 0.10 * q[1] + if kind == 3 { -0.12 } else { 0.06 },
            );
            let dots = smooth(0.80, 0.86, noise3(q * 26.0, 14)) * 0.35;
            let pit = smooth(0.30, 0.05, flat(q)) * smooth(0.0, 0.3, q[1]);
            let colour = skin
                .mix(blush, red)
                .mix(code(0xe8d8a0), dots)
                .mix(code(0x6a5a1c), pit * 0.7);
            Skin {
                colour,
                gloss: 60.0,
                mirror: 0.045,
                soft: 0.15,
                bump: rough(14.0, 0.02),
            }
        }
        Matter::Orange => {
            let pores = rough(34.0, 0.22);
            let tint = fbm3(q * 2.5, 3, 15);
            let navel = smooth(0.10, 0.04, (q - v3(-0.1, 0.4, -0.15)).len());
            let colour = code(0xe87a10)
                .mix(code(0xf09c28), tint)
                .mix(code(0x4a6a20), navel);
            Skin {
                colour,
                gloss: 26.0,
                mirror: 0.045,
                soft: 0.2,
                bump: pores,
            }
        }
        Matter::Lemon => {
            let tint = fbm3(q * 3.0, 3, 16);
            Skin {
                colour: code(0xe4b81c).mix(code(0xdcc040), tint),
                gloss: 34.0,
                mirror: 0.045,
                soft: 0.2,
                bump: rough(24.0, 0.18),
            }
        }
        Matter::Pear => {
            let blush = smooth(
                0.05,
                0.6,
                q[0] * 0.9 - q[2] * 0.2 + 0.5 * (fbm3(q * 2.0, 3, 17) - 0.5),
            );
            let dots = smooth(0.74, 0.86, noise3(q * 48.0, 18)) * 0.32;
            let colour = code(0xb0a83c)
                .mix(code(0xb8602c), blush * 0.8)
                .mix(code(0x7a6428), dots + 0.5 * smooth(0.75, 0.95, q[1]));
            Skin {
                colour,
                gloss: 30.0,
                mirror: 0.035,
                soft: 0.2,
                bump: rough(20.0, 0.04),
            }
        }
        Matter::Grape => {
            let bloom = smooth(0.35, 0.75, fbm3(p * 7.0, 3, 19)) * 0.30;
            let colour = code(0x3a1248)
                .mix(code(0x6a1f50), noise3(p * 2.3, 20))
                .mix(code(0x9a92b8), bloom);
            Skin {
                colour,
                gloss: 90.0,
                mirror: 0.05 * (1.0 - bloom),
                soft: 0.45,
                bump: none,
            }
        }
        Matter::Wood => Skin {
            colour: code(0x4a3420),
            gloss: 8.0,
            mirror: 0.02,
            soft: 0.0,
            bump: none,
        },
        Matter::Jug => {
            let throwing = 0.014 * (q[1] * 55.0 + 2.0 * noise(v2(q[1] * 9.0, 0.0), 21)).sin();
            let drip = 0.42 + 0.10 * fbm(v2(q[0].atan2(q[2]) * 3.0, 0.0), 3, 22);
            let cloud = fbm3(q * v3(1.3, 2.4, 1.3), 4, 23) * 0.7 + 0.25 * (q[1] / 2.6);
            let glaze = code(0x174a6c)
                .mix(code(0x3f8a9c), smooth(0.25, 0.75, cloud))
                .mix(code(0xb8cfc0), smooth(2.30, 2.62, q[1] + 0.2 * cloud) * 0.8);
            let clay = code(0xa8653c) * (0.85 + 0.3 * fbm3(q * 14.0, 3, 24));
            let glazed = smooth(drip - 0.012, drip + 0.012, q[1]);
            let colour = clay.mix(glaze, glazed);
            Skin {
                colour,
                gloss: lerp(8.0, 180.0, glazed),
                mirror: lerp(0.01, 0.07, glazed),
                soft: 0.0,
                bump: v3(0.0, throwing, 0.0),
            }
        }
        Matter::Bowl => {
            let band = smooth(0.012, 0.0, (q[1] - 0.66).abs() - 0.030).max(smooth(
                0.010,
                0.0,
                (q[1] - 0.58).abs() - 0.010,
            ));
            let outside = smooth(-0.1, 0.1, n.dot(v3(q[0], 0.0, q[2])));
            let speck = smooth(0.84, 0.90, noise3(p * 30.0, 25)) * 0.5;
            let colour = code(0xe6dfcf)
                .mix(code(0x1f3f86), band * outside)
                .mix(code(0x8a7a64), speck);
            Skin {
                colour,
                gloss: 140.0,
                mirror: 0.055,
                soft: 0.1,
                bump: none,
            }
        }
        Matter::Wall => {
            let plaster = fbm(v2(p[0], p[1]) * 2.2, 5, 26);
            Skin {
                colour: code(0x77766a).mix(code(0x93907e), plaster),
                gloss: 4.0,
                mirror: 0.0,
                soft: 0.0,
                bump: rough(9.0, 0.06),
            }
        }
        Matter::Table => {
            let on = cloth(p).1;
            let q = v2(p[0] - 0.75, p[2] + 0.45).turned(0.32);
            let stripe =
                |at: f32, half: f32| smooth(half + 0.008, half - 0.008, (q[0].abs() - at).abs());
            let stripes = stripe(1.38, 0.10)
                .max(stripe(1.18, 0.03))
                .max(stripe(1.58, 0.03));
            let weave = 0.5 + 0.25 * ((q[0] * 260.0).sin() + (q[1] * 260.0).sin());
            let linen = code(0xe4dcc8).mix(code(0x2f4f8c), stripes) * (0.88 + 0.12 * weave);
            let (plank, place) = ((p[2] * 0.95 + 40.0).floor(), p[2] * 0.95);
            let shift = plank * 7.3;
            let ring = fbm(v2(p[0] * 0.5 + shift, place * 3.5 + shift), 3, 27);
            let grain = (ring * 42.0).sin() * 0.5 + 0.5;
            let fibre = fbm(v2(p[0] * 6.0 + shift, place * 90.0), 3, 28);
            let gap = smooth(0.012, 0.004, (place - place.round()).abs());
            let wood = code(0x6a3d20).mix(
                code(0xa86c3a),
                0.35 * grain + 0.5 * fibre + 0.2 * (shift.sin()),
            );
            Skin {
                colour: (wood * (1.0 - 0.8 * gap)).mix(linen, on),
                gloss: 16.0,
                mirror: lerp(0.03, 0.0, on),
                soft: 0.0,
                bump: v3(0.0, 0.0, 0.10 * (fibre - 0.5)) * (1.0 - on) + rough(40.0, 0.05) * on,
            }
        }
    }
}

/// The light that comes from direction `ray` in the room: a window of four panes to the left, dim warm walls elsewhere.
fn room(ray: V3, blur: f32) -> V3 {
    let towards = v3(-0.72, 0.55, -0.43).unit();
    let right = towards.cross(v3(0.0, 1.0, 0.0)).unit();
    let up = right.cross(towards);
    let (facing, x, y) = (ray.dot(towards), ray.dot(right), ray.dot(up));
    let ambient = decode(hex(0x6a5f52)).mix(decode(hex(0xa89f90)), 0.5 + 0.5 * ray[1]) * 0.5;
    if facing <= 0.05 {
        return ambient;
    }
    let (x, y) = (x / facing, y / facing);
    let pane = |a: f32, half: f32| smooth(half + blur, half - blur, a.abs());
    let bars = (1.0 - pane(x, 0.022)) * (1.0 - pane(y, 0.022));
    ambient
        + v3(1.0, 0.97, 0.90)
            * (7.0 * pane(x, 0.30) * pane(y, 0.40) * lerp(bars, 1.0, smooth(0.02, 0.12, blur)))
}

fn shade(scene: &Scene, p: V3, hit: Option<usize>, ray: V3) -> V3 {
    let thing = hit.map(|i| &scene.things[i]);
    let wall = p[2] > WALL - 0.02 && hit.is_none();
    let matter = thing.map_or(if wall { Matter::Wall } else { Matter::Table }, |thing| {
        thing.matter
    });
    let n = scene.normal(p);
    let skin = skin(matter, p, thing.map_or(p, |thing| p - thing.centre), n);
    let n = (n + skin.bump - n * skin.bump.dot(n)).unit();
    let lamp = (v3(-4.6, 4.6, -3.0) - p).unit();
    let lit = scene.lit(p + n * 0.01, lamp);
    let open = scene.open(p, n);
    let facing = n.dot(lamp);
    let wrap = ((facing + skin.soft) / (1.0 + skin.soft)).max(0.0);
    // Shadows on translucent skins keep some of the light that wandered inside.
    let key = v3(1.0, 0.95, 0.86) * (2.35 * wrap * lerp(lit, 1.0, 0.25 * skin.soft));
    let sky = v3(0.62, 0.70, 0.85) * (0.25 + 0.12 * n[1] - 0.10 * n[0]);
    let bounce = v3(0.80, 0.52, 0.30) * (0.22 * (0.5 - 0.5 * n[1]) * smooth(1.6, 0.0, p[1]));
    let fall = if wall {
        smooth(-5.0, 3.4, -p[0] - 0.3 * p[1]) * 0.9 + 0.1
    } else {
        1.0
    };
    let mut light = skin.colour * (key * fall + (sky + bounce) * open);
    if wall {
        // The window's own patch of light falls across the wall.
        let q = v2(p[0] + 0.35 * p[1] - 2.35, p[1] - 1.95);
        let pane = |a: f32, half: f32| smooth(half + 0.10, half - 0.10, a.abs());
        let bars = (1.0 - pane(q[0], 0.06)) * (1.0 - pane(q[1] + 0.1 * q[0], 0.06));
        light = light
            + skin.colour
                * v3(1.0, 0.86, 0.62)
                * (0.85 * pane(q[0], 1.05) * pane(q[1] + 0.1 * q[0], 1.0) * bars * lit);
    }
    let mirrored = ray.reflect(n);
    let fresnel = skin.mirror
        + (1.0 - skin.mirror)
            * (1.0 + ray.dot(n)).clamp(0.0, 1.0).powi(5)
            * (skin.mirror * 8.0).min(0.6);
    let seen = room(mirrored, 2.2 / skin.gloss.max(6.0) + 0.01);
    light + seen * (fresnel * open * lerp(0.35, 1.0, lit))
}

/// Paints the picture at twice its published size.
pub fn paint() -> Canvas {
    let scene = scene();
    let ahead = (LOOK_AT - EYE).unit();
    let right = v3(0.0, 1.0, 0.0).cross(ahead).unit();
    let up = ahead.cross(right);
    let mut canvas = Canvas::render(W, H, |p| {
        let x = (p[0] - W as f32 * 0.5) / H as f32;
        let y = (H as f32 * 0.5 - p[1]) / H as f32;
        let ray = (ahead + right * (x * 0.69) + up * (y * 0.69)).unit();
        let light = scene
            .march(EYE, ray)
            .map_or(V::splat(0.02), |(p, hit)| shade(&scene, p, hit, ray));
        let vignette = 1.0 - 0.35 * (x * x + y * y);
        // Filmic curve (Narkowicz's fit of ACES).
        encode(
            (light * (0.78 * vignette))
                .map(|c| (c * (2.51 * c + 0.03)) / (c * (2.43 * c + 0.59) + 0.14)),
        )
    });
    canvas.glow(0.80, 14, 0.10);
    canvas
}
