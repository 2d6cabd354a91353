//! Brush strokes: a path with a width, painted bristle by bristle in colour and in height.
//!
//! Every pixel under a stroke gets two coordinates, `s` along the path and `v` across it (-1..1). Streaks of noise that
//! are long in `s` and short in `v` then are the bristles: they vary the colour, the height of the paint, where a
//! stroke begins and ends, and where a dry brush leaves the ground bare.

use crate::canvas::Canvas;
use crate::noise::{Rng, hash01, noise};
use crate::vector::{V2, V3, smooth, v2};

/// How a brush behaves, whatever it paints.
#[derive(Clone, Copy)]
pub struct Brush {
    /// Full width of the stroke in pixels.
    pub width: f32,
    /// Bristle streaks across the width.
    pub bristles: f32,
    /// How far the two colours on the brush separate into streaks, 0..1.
    pub streak: f32,
    /// Height of the paint it leaves, in pixels.
    pub body: f32,
    /// 0 covers everywhere, 1 leaves only scattered bristle marks at the end of the stroke.
    pub dry: f32,
    /// Relative width at the start and at the end of the stroke.
    pub taper: [f32; 2],
    /// Opacity 0..1.
    pub opacity: f32,
}

impl Brush {
    /// A loaded bristle brush.
    pub fn new(width: f32) -> Self {
        Brush {
            width,
            bristles: 7.0,
            streak: 0.7,
            body: 2.4,
            dry: 0.15,
            taper: [0.75, 0.55],
            opacity: 1.0,
        }
    }
}

/// Where a pixel lies under a stroke.
#[derive(Clone, Copy)]
struct Under {
    distance: f32,
    s: f32,
    v: f32,
}

/// Paints one stroke along `path` with a brush that holds two colours.
pub fn stroke(canvas: &mut Canvas, brush: &Brush, path: &[V2], colours: [V3; 2], rng: &mut Rng) {
    let total = crate::shape::length(path);
    let radius = brush.width * 0.5;
    let margin = radius + 2.0;
    if path.len() < 2 || total <= 0.0 {
        return;
    }
    let (low, high) = path.iter().fold((path[0], path[0]), |(l, h), p| {
        (
            v2(l[0].min(p[0]), l[1].min(p[1])),
            v2(h[0].max(p[0]), h[1].max(p[1])),
        )
    });
    let clip = |value: f32, size: usize| value.clamp(0.0, size as f32) as usize;
    let (x0, x1) = (
        clip(low[0] - margin, canvas.w),
        clip(high[0] + margin + 1.0, canvas.w),
    );
    let (y0, y1) = (
        clip(low[1] - margin, canvas.h),
        clip(high[1] + margin + 1.0, canvas.h),
    );
    if x0 >= x1 || y0 >= y1 {
        return;
    }
    let w = x1 - x0;
    let mut under = vec![
        Under {
            distance: f32::MAX,
            s: 0.0,
            v: 0.0
        };
        w * (y1 - y0)
    ];
    let mut before = 0.0;
    for (i, pair) in path.windows(2).enumerate() {
        let (a, b) = (pair[0], pair[1]);
        let span = (b - a).len();
        if span <= 0.0 {
            continue;
        }
        let along = (b - a) / span;
        let (first, last) = (i == 0, i + 2 == path.len());
        let inside = |low: f32, start: usize, end: usize| {
            (low as isize).clamp(start as isize, end as isize) as usize
        };
        for y in
            inside(a[1].min(b[1]) - margin, y0, y1)..inside(a[1].max(b[1]) + margin + 1.0, y0, y1)
        {
            for x in inside(a[0].min(b[0]) - margin, x0, x1)
                ..inside(a[0].max(b[0]) + margin + 1.0, x0, x1)
            {
                let offset = v2(x as f32 + 0.5, y as f32 + 0.5) - a;
                let u = offset.dot(along);
                let clamped = u.clamp(0.0, span);
                let distance = (offset - along * clamped).len();
                let cell = &mut under[(y - y0) * w + x - x0];
                if distance < cell.distance && distance < margin {
                    let open = (first && u < 0.0) || (last && u > span);
                    let side = along.cross(offset);
                    *cell = Under {
                        distance,
                        s: before + if open { u } else { clamped },
                        v: if open { side } else { distance * side.signum() },
                    };
                }
            }
        }
        before += span;
    }
    let seed = rng.bits() as i32 & 0xffff;
    for (i, cell) in under
        .iter()
        .enumerate()
        .filter(|(_, cell)| cell.distance < f32::MAX)
    {
        if let Some((tone, body, alpha)) = brush.mark(cell, total, seed) {
            let index = (y0 + i / w) * canvas.w + x0 + i % w;
            let below = canvas.body[index];
            canvas.cover(
                index,
                colours[0].mix(colours[1], tone),
                below * 0.35 + body,
                alpha,
            );
        }
    }
}

impl Brush {
    /// What the brush leaves at one place: the mix of its two colours, the height and the opacity.
    fn mark(&self, at: &Under, total: f32, seed: i32) -> Option<(f32, f32, f32)> {
        let t = (at.s / total).clamp(0.0, 1.0);
        let radius = self.width * 0.5;
        let swell = (t * std::f32::consts::PI).sin().max(0.0).sqrt();
        let narrow = (self.taper[0] * (1.0 - t) + self.taper[1] * t).max(0.0);
        let half = radius * (narrow + (1.0 - narrow) * swell);
        if half < 0.3 {
            return None;
        }
        let v = at.v / half;
        let bristle = noise(
            v2(v * self.bristles * 0.5 + 40.0, at.s / (self.width * 4.0)),
            seed,
        );
        let fine = noise(
            v2(v * self.bristles * 1.3 + 40.0, at.s / (self.width * 2.0)),
            seed + 1,
        );
        let lane = (v * self.bristles * 0.5).floor() as i32;
        let ragged = hash01(lane, seed, 7) * 0.6 - 0.3;
        let cap = half * ((1.0 - v * v).max(0.0).sqrt() * 0.8 + ragged);
        let ends = smooth(-cap - 1.0, -cap + 1.0, at.s)
            * smooth(total + cap + 1.0, total + cap - 1.0, at.s);
        let rim = 1.0 + (fine - 0.5) * 0.16;
        let edge = smooth(half * rim + 0.8, half * rim - 0.8, at.v.abs());
        let bare = self.dry * (0.35 + 0.65 * t * t) * 1.15;
        let paint = 0.6 * bristle + 0.4 * fine;
        let wet = if self.dry > 0.0 {
            smooth(bare - 0.12, bare + 0.12, paint + 0.1)
        } else {
            1.0
        };
        let alpha = edge * ends * wet * self.opacity;
        if alpha <= 0.003 {
            return None;
        }
        let tone = (0.5 + (paint - 0.5) * 2.2 * self.streak).clamp(0.0, 1.0);
        let ridge = smooth(0.55, 0.85, v.abs()) * 0.45;
        let body = self.body * (0.35 + 0.9 * paint + ridge * bristle + 0.25 * smooth(0.8, 1.0, t));
        Some((tone, body, alpha))
    }
}

/// Follows a direction field from `start`, both ways, for `length` pixels in all; stops where `inside` ends.
pub fn follow(
    start: V2,
    length: f32,
    step: f32,
    field: impl Fn(V2) -> V2,
    inside: impl Fn(V2) -> bool,
) -> Vec<V2> {
    let walk = |sign: f32| {
        let mut path = vec![start];
        let (mut p, mut heading) = (start, field(start) * sign);
        for _ in 0..(length * 0.5 / step).ceil() as usize {
            let mut next = field(p + heading * (step * 0.5));
            if next.dot(heading) < 0.0 {
                next = -next;
            }
            heading = next.unit();
            p = p + heading * step;
            if !inside(p) {
                break;
            }
            path.push(p);
        }
        path
    };
    let mut path = walk(-1.0);
    path.reverse();
    path.extend(walk(1.0).into_iter().skip(1));
    path
}

/// Places about `spacing` apart all over the canvas and a little beyond, each moved at random, in random order.
pub fn scatter(canvas: &Canvas, spacing: f32, rng: &mut Rng) -> Vec<V2> {
    let (columns, rows) = (
        (canvas.w as f32 / spacing) as i32 + 2,
        (canvas.h as f32 / spacing) as i32 + 2,
    );
    let mut places = Vec::with_capacity((columns * rows) as usize);
    for row in -1..rows {
        for column in -1..columns {
            let jitter = v2(rng.unit(), rng.unit());
            places.push((v2(column as f32, row as f32) + jitter) * spacing);
        }
    }
    rng.shuffle(&mut places);
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vector::V;

    #[test]
    fn a_stroke_covers_its_path_and_stays_within_its_width() {
        let mut canvas = Canvas::new(80, 40, V::splat(0.0));
        let brush = Brush {
            dry: 0.0,
            taper: [1.0, 1.0],
            ..Brush::new(12.0)
        };
        stroke(
            &mut canvas,
            &brush,
            &[v2(20.0, 20.0), v2(60.0, 20.0)],
            [V::splat(1.0); 2],
            &mut Rng::new(1),
        );
        for x in 22..58 {
            assert!(canvas.rgb[20 * 80 + x][0] > 0.99, "bare at {x}");
            assert!(canvas.body[20 * 80 + x] > 0.0);
            assert_eq!(canvas.rgb[12 * 80 + x][0], 0.0);
        }
        assert_eq!(canvas.rgb[20 * 80 + 5][0], 0.0);
    }

    #[test]
    fn strokes_outside_the_canvas_or_without_length_do_nothing() {
        let mut canvas = Canvas::new(10, 10, V::splat(0.0));
        let mut rng = Rng::new(1);
        for path in [
            vec![],
            vec![v2(5.0, 5.0)],
            vec![v2(5.0, 5.0); 2],
            vec![v2(-90.0, -90.0), v2(-50.0, -70.0)],
        ] {
            stroke(
                &mut canvas,
                &Brush::new(8.0),
                &path,
                [V::splat(1.0); 2],
                &mut rng,
            );
        }
        assert!(canvas.rgb.iter().all(|c| c[0] == 0.0));
    }

    #[test]
    fn a_path_in_a_circular_field_stays_on_the_circle() {
        let centre = v2(50.0, 50.0);
        let path = follow(
            v2(80.0, 50.0),
            120.0,
            2.0,
            |p| (p - centre).perp().unit(),
            |_| true,
        );
        assert!(path.len() > 55);
        assert!(
            path.iter()
                .all(|p| ((*p - centre).len() - 30.0).abs() < 0.5)
        );
    }
}
