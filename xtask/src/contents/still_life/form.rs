//! The forms of the still life as signed distances, and what rays find among them.

use super::{Matter, WALL};
use crate::noise::{fbm, noise};
use crate::shape::{points, spline};
use crate::vector::{V, V2, V3, lerp, smooth, v2, v3};

/// One object: what it is made of, a sphere around it, and its distance function.
pub struct Thing {
    /// What it is made of.
    pub matter: Matter,
    /// Middle of the sphere around it, and origin of its form.
    pub centre: V3,
    /// Radius of the sphere around it.
    pub bound: f32,
    /// Its shape.
    pub form: Form,
}

pub enum Form {
    Apple { size: f32, tilt: V3 },
    Sphere(f32),
    Lemon { axis: V3 },
    Pear { axis: V3 },
    Stick { to: V3, thick: f32 },
    Jug,
    Bowl,
}

pub struct Scene {
    /// All objects but table and wall.
    pub things: Vec<Thing>,
    /// Radius of the jug and of the bowl by height.
    pub jug: Profile,
    pub bowl: Profile,
    /// The middle of the jug's handle, in the plane of the jug's axis.
    pub handle: Vec<V2>,
}

/// A radius by height, for solids of revolution.
pub struct Profile {
    top: f32,
    radius: Vec<f32>,
}

impl Profile {
    pub fn new(list: &str) -> Self {
        let curve = spline(&points(list), 16);
        let top = curve[curve.len() - 1][0];
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

pub fn flat(p: V3) -> f32 {
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

    pub fn march(&self, from: V3, ray: V3) -> Option<(V3, Option<usize>)> {
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

    pub fn normal(&self, p: V3) -> V3 {
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
    pub fn lit(&self, p: V3, lamp: V3) -> f32 {
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
    pub fn open(&self, p: V3, n: V3) -> f32 {
        let mut closed = 0.0;
        for (i, weight) in [0.55, 0.4, 0.3, 0.22, 0.15].into_iter().enumerate() {
            let reach = 0.03 + 0.15 * i as f32;
            closed += weight * (reach - self.distance(p + n * reach).0).max(0.0) / reach;
        }
        (1.0 - 0.75 * closed).clamp(0.12, 1.0)
    }
}

/// Height of the table with the cloth on it, and how much of the cloth covers the place, 0..1.
pub fn cloth(p: V3) -> (f32, f32) {
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
