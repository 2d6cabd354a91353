//! The jetty in the lake, and the pebbles under the water around it.

use super::SUN;
use crate::colour::{linear, ramp};
use crate::noise::{fbm, hash01, noise};
use crate::vector::{V, V2, V3, lerp, smooth, v2, v3};

/// Round stones on the bed of the lake, seen from above.
pub fn pebbles(p: V2) -> V3 {
    let mut colour = linear(0x6a5f48) * (0.6 + 0.5 * noise(p * 9.0, 370));
    for (layer, size) in [(371, 0.16), (376, 0.34), (381, 0.75)] {
        let q = p / size;
        let (x, y) = (q[0].floor() as i32, q[1].floor() as i32);
        for dy in -1..=1 {
            for dx in -1..=1 {
                let (i, j) = (x + dx, y + dy);
                let centre = v2(
                    i as f32 + hash01(i, j, layer),
                    j as f32 + hash01(i, j, layer + 1),
                );
                let arm = (q - centre) * v2(1.0 + 0.5 * hash01(i, j, layer + 2), 1.2);
                let radius = 0.30 + 0.28 * hash01(i, j, layer + 3);
                let inside = arm.len() / radius;
                if inside < 1.0 && hash01(i, j, layer + 4) < 0.6 {
                    let tone = ramp(
                        &[
                            linear(0x4a4238),
                            linear(0x8a7c64),
                            linear(0x6f7470),
                            linear(0xb0a68e),
                        ],
                        hash01(j, i, layer),
                    );
                    colour = tone
                        * ((1.0 - inside * inside).sqrt() * 0.8 + 0.35 - 0.25 * arm[0] / radius);
                }
            }
        }
    }
    colour
}

/// The jetty: one slab with the gaps of its planks, on posts; none where the ray misses it.
pub fn jetty(from: V3, ray: V3) -> Option<V3> {
    const LENGTH: f32 = 15.0;
    const HALF: f32 = 0.95;
    let turn = -0.10f32;
    let local = |v: V3| {
        let flat = v2(v[0], v[2]).turned(turn);
        v3(flat[0], v[1], flat[1])
    };
    let (o, d) = (local(from - v3(2.15, 0.0, 4.6)), local(ray));
    let sun = local(SUN.unit());
    let mut best: Option<(f32, V3)> = None;
    let (low, high) = (v3(-HALF, 0.52, 0.0), v3(HALF, 0.64, LENGTH));
    let (mut enter, mut leave, mut axis) = (0.0f32, f32::MAX, 1);
    for i in 0..3 {
        let (a, b) = ((low[i] - o[i]) / d[i], (high[i] - o[i]) / d[i]);
        if a.min(b) > enter {
            (enter, axis) = (a.min(b), i);
        }
        leave = leave.min(a.max(b));
    }
    if enter < leave && enter > 0.0 {
        let p = o + d * enter;
        let plank = (p[2] / 0.235).floor();
        let place = (p[2] / 0.235).fract();
        let own = hash01(plank as i32, 3, 390);
        let fibre = fbm(v2(p[0] * 2.2 + own * 50.0, p[2] * 46.0), 4, 391);
        let wood = linear(0x6f5f4e)
            .mix(linear(0xb09a80), 0.75 * fibre + 0.4 * (own - 0.4))
            .mix(
                linear(0x4c5a34),
                0.35 * smooth(0.6, 0.8, fbm(v2(p[0], p[2]), 3, 392)),
            );
        let gap = smooth(0.0, 0.05, place) * smooth(1.0, 0.95, place);
        let nail = smooth(
            0.012,
            0.007,
            v2(p[0].abs() - HALF * 0.82, (place - 0.5) * 0.235).len(),
        );
        let light = match axis {
            1 if d[1] < 0.0 => v3(1.0, 0.86, 0.66) * (2.2 * sun[1]) + v3(0.36, 0.48, 0.70) * 0.6,
            0 if d[0] > 0.0 => v3(1.0, 0.86, 0.66) * (2.0 * (-sun[0]).max(0.0)) + V::splat(0.2),
            _ => V::splat(0.22),
        };
        best = Some((
            enter,
            wood * light * lerp(0.08, 1.0, gap) * (1.0 - 0.7 * nail),
        ));
    }
    for post in 0..12 {
        let centre = v2(
            if post % 2 == 0 {
                -HALF - 0.06
            } else {
                HALF + 0.06
            },
            0.5 + (post / 2) as f32 * 2.8,
        );
        let radius = 0.115;
        let (flat_o, flat_d) = (v2(o[0], o[2]) - centre, v2(d[0], d[2]));
        let (a, b) = (flat_d.dot(flat_d), flat_o.dot(flat_d));
        let root = b * b - a * (flat_o.dot(flat_o) - radius * radius);
        if root <= 0.0 {
            continue;
        }
        let t = (-b - root.sqrt()) / a;
        let p = o + d * t;
        let head = 1.15;
        let (t, n) = if p[1] <= head {
            (t, v3(p[0] - centre[0], 0.0, p[2] - centre[1]) / radius)
        } else {
            let t = (head - o[1]) / d[1];
            let p = o + d * t;
            if d[1] >= 0.0 || (v2(p[0], p[2]) - centre).len() > radius {
                continue;
            }
            (t, v3(0.0, 1.0, 0.0))
        };
        if t > 0.0 && best.is_none_or(|(near, _)| t < near) {
            let p = o + d * t;
            let bark = fbm(
                v2(n[0] * 3.0 + post as f32 * 7.0, p[1] * 2.0) * v2(3.0, 1.0),
                4,
                395,
            );
            let wet = smooth(0.35, 0.1, p[1]);
            let wood = linear(0x5a4a3a).mix(linear(0xa08a6c), bark) * lerp(1.0, 0.45, wet);
            best = Some((
                t,
                wood * (v3(1.0, 0.86, 0.66) * (2.3 * n.dot(sun).max(0.0))
                    + v3(0.36, 0.48, 0.70) * 0.5),
            ));
        }
    }
    best.map(|(_, colour)| colour)
}
