//! Mountains as a height map: peaks of ridged noise, worn down by running water.
//!
//! Erosion follows drops of rain downhill: each carries as much soil as its speed and the slope allow, digs where it
//! could carry more and drops soil where it slows down (the particle scheme of Beyer, 2015). It is what turns noise
//! into gullies, spurs and scree.

use crate::noise::{Rng, noise};
use crate::vector::{V2, V3, lerp, smooth, v2, v3};

/// Cells along each side of the map.
const SIZE: usize = 900;
/// West and east end in metres.
const X: [f32; 2] = [-3600.0, 3600.0];
/// Near and far end in metres.
pub const Z: [f32; 2] = [420.0, 6600.0];

/// Peaks: place, height and width in metres.
const PEAKS: [(V2, f32, f32); 9] = [
    (v2(760.0, 3900.0), 1330.0, 980.0),
    (v2(1500.0, 3300.0), 800.0, 800.0),
    (v2(-1350.0, 2500.0), 800.0, 820.0),
    (v2(-2300.0, 3600.0), 1150.0, 1000.0),
    (v2(-500.0, 5300.0), 1100.0, 1000.0),
    (v2(2300.0, 2300.0), 700.0, 800.0),
    (v2(2700.0, 4300.0), 1000.0, 900.0),
    (v2(-650.0, 1750.0), 200.0, 500.0),
    (v2(1150.0, 1500.0), 210.0, 520.0),
];

/// The land beyond the lake. Heights are in metres over the water.
pub struct Terrain {
    height: Vec<f32>,
    /// How much sun each cell gets past the other mountains, 0..1.
    sun: Vec<f32>,
}

/// Noise with sharp crests, 0..1.
fn ridged(p: V2, octaves: i32) -> f32 {
    let (mut q, mut sum, mut weight, mut carry) = (p, 0.0, 0.5, 1.0);
    for octave in 0..octaves {
        let crest = 1.0 - (2.0 * noise(q, 200 + octave) - 1.0).abs();
        let crest = crest * crest;
        sum += weight * crest * carry;
        carry = (crest * 1.6).min(1.0);
        weight *= 0.52;
        q = v2(1.6 * q[0] - 1.2 * q[1], 1.2 * q[0] + 1.6 * q[1]) + v2(3.1, 7.7);
    }
    sum
}

fn raw(p: V2) -> f32 {
    let shore = 640.0
        + 190.0 * (noise(v2(p[0] / 420.0, 0.0), 210) - 0.5)
        + 70.0 * (noise(v2(p[0] / 90.0, 3.0), 211) - 0.5);
    let inland = p[1] - shore;
    if inland < 0.0 {
        return inland * 0.05;
    }
    let bend = v2(noise(p / 700.0, 212), noise(p / 700.0, 213)) * 420.0;
    let lift: f32 = PEAKS
        .iter()
        .map(|(at, height, wide)| {
            let far = (p + bend - v2(210.0, 210.0) - *at).len() / wide;
            height * (-far * far * 1.1).exp().max(0.55 * (-far * 1.5).exp())
        })
        .fold(0.0, |a, b| (a * a * a + b * b * b).cbrt());
    let crest = ridged((p + bend * 0.5) / 1250.0, 8);
    smooth(0.0, 900.0, inland) * lift * (0.30 + 0.95 * crest)
        + 14.0 * smooth(0.0, 120.0, inland)
        + 0.035 * inland.min(400.0)
}

impl Terrain {
    /// Raises the mountains, lets rain wear them down, and finds what the sun in direction `sun` reaches.
    pub fn new(sun: V3) -> Self {
        let place = |i: usize| {
            v2(
                lerp(X[0], X[1], (i % SIZE) as f32 / (SIZE - 1) as f32),
                lerp(Z[0], Z[1], (i / SIZE) as f32 / (SIZE - 1) as f32),
            )
        };
        let mut terrain = Terrain {
            height: (0..SIZE * SIZE).map(|i| raw(place(i))).collect(),
            sun: Vec::new(),
        };
        terrain.erode(130_000);
        let lit = |i: usize| {
            let p = place(i);
            let start = v3(p[0], terrain.height[i] + 4.0, p[1]);
            let mut seen = 1.0f32;
            let mut t = 14.0;
            while t < 2600.0 && seen > 0.0 {
                let q = start + sun * t;
                seen = seen.min(0.5 + (q[1] - terrain.height(q[0], q[2])) / (0.05 * t));
                t *= 1.07;
            }
            seen.clamp(0.0, 1.0)
        };
        terrain.sun = (0..SIZE * SIZE).map(lit).collect();
        terrain
    }

    fn erode(&mut self, drops: usize) {
        let mut rng = Rng::new(77);
        let brush: Vec<(isize, f32)> = (-2..=2)
            .flat_map(|y: isize| {
                (-2..=2).map(move |x: isize| {
                    (
                        y * SIZE as isize + x,
                        (3.0 - ((x * x + y * y) as f32).sqrt()).max(0.0),
                    )
                })
            })
            .collect();
        let total: f32 = brush.iter().map(|b| b.1).sum();
        for _ in 0..drops {
            let (mut p, mut heading) = (
                v2(
                    rng.range(4.0, SIZE as f32 - 5.0),
                    rng.range(4.0, SIZE as f32 - 5.0),
                ),
                v2(0.0, 0.0),
            );
            let (mut speed, mut water, mut soil) = (1.0f32, 1.0f32, 0.0f32);
            for _ in 0..60 {
                let cell = p[1] as usize * SIZE + p[0] as usize;
                let (fx, fy) = (p[0].fract(), p[1].fract());
                let h = [cell, cell + 1, cell + SIZE, cell + SIZE + 1].map(|i| self.height[i]);
                let slope = v2(
                    lerp(h[1] - h[0], h[3] - h[2], fy),
                    lerp(h[2] - h[0], h[3] - h[1], fx),
                );
                let here = lerp(lerp(h[0], h[1], fx), lerp(h[2], h[3], fx), fy);
                heading = (heading * 0.12 - slope * 0.88).unit();
                p = p + heading;
                if heading.len() == 0.0
                    || here < 1.0
                    || p[0] < 4.0
                    || p[1] < 4.0
                    || p[0] > SIZE as f32 - 5.0
                    || p[1] > SIZE as f32 - 5.0
                {
                    break;
                }
                let next = self.cell_height(p);
                let fall = here - next;
                let room = (fall.max(0.05) * speed * water * 1.6).min(60.0);
                if soil > room || fall < 0.0 {
                    let drop = if fall < 0.0 {
                        (-fall).min(soil)
                    } else {
                        (soil - room) * 0.25
                    };
                    soil -= drop;
                    for (i, weight) in [
                        (cell, (1.0 - fx) * (1.0 - fy)),
                        (cell + 1, fx * (1.0 - fy)),
                        (cell + SIZE, (1.0 - fx) * fy),
                        (cell + SIZE + 1, fx * fy),
                    ] {
                        self.height[i] += drop * weight;
                    }
                } else {
                    let dig = ((room - soil) * 0.28).min(fall);
                    soil += dig;
                    for (offset, weight) in &brush {
                        self.height[(cell as isize + offset) as usize] -= dig * weight / total;
                    }
                }
                speed = (speed * speed * 0.9 + fall.max(0.0) * 0.10).sqrt().min(4.0);
                water *= 0.985;
            }
        }
    }

    fn cell_height(&self, p: V2) -> f32 {
        sample(&self.height, p)
    }

    /// The height at a place.
    pub fn height(&self, x: f32, z: f32) -> f32 {
        self.cell_height(to_cell(x, z))
    }

    /// The share of sunlight that reaches a place.
    pub fn sun(&self, x: f32, z: f32) -> f32 {
        sample(&self.sun, to_cell(x, z))
    }

    /// The upward direction of the ground, over about `reach` metres.
    pub fn normal(&self, x: f32, z: f32, reach: f32) -> V3 {
        let slope = |dx: f32, dz: f32| {
            (self.height(x + dx, z + dz) - self.height(x - dx, z - dz)) / (2.0 * reach)
        };
        v3(-slope(reach, 0.0), 1.0, -slope(0.0, reach)).unit()
    }
}

fn to_cell(x: f32, z: f32) -> V2 {
    let along = |value: f32, ends: [f32; 2]| {
        ((value - ends[0]) / (ends[1] - ends[0]) * (SIZE - 1) as f32).clamp(0.0, SIZE as f32 - 1.01)
    };
    v2(along(x, X), along(z, Z))
}

fn sample(plane: &[f32], p: V2) -> f32 {
    let i = p[1] as usize * SIZE + p[0] as usize;
    let (fx, fy) = (p[0].fract(), p[1].fract());
    lerp(
        lerp(plane[i], plane[i + 1], fx),
        lerp(plane[i + SIZE], plane[i + SIZE + 1], fx),
        fy,
    )
}
