//! Styles that are made up: paintings are few, and what a painter's hand does is more than they show.
//!
//! A pattern is planar RGB `[3, side, side]` in 0..1, decided by a stream of random numbers alone. Its palette is a few
//! random colours; which of them is where is what the kinds differ in.

use crate::random::Random;
use impasto::picture::{Filter, resize_planes};
use std::f32::consts::{PI, TAU};

/// A way to lay colours.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// Short strokes along a smooth field of directions.
    Strokes,
    /// Parallel lines that cross.
    Hatching,
    /// Dots whose size follows a smooth tone.
    Halftone,
    /// Cells of one colour around random points (Voronoi 1908), with dark borders or without.
    Cells,
    /// Sums of noises, each half as large and half as strong as the last (Perlin 1985).
    Clouds,
    /// Bands of colours along a field of noise, as marble has them.
    Bands,
}

const KINDS: [Kind; 6] = [
    Kind::Strokes,
    Kind::Hatching,
    Kind::Halftone,
    Kind::Cells,
    Kind::Clouds,
    Kind::Bands,
];

/// The next pattern of a stream.
pub fn pattern(side: usize, random: &mut Random) -> Vec<f32> {
    let mut canvas = Canvas::new(side, random);
    match *random.pick(&KINDS) {
        Kind::Strokes => canvas.strokes(random),
        Kind::Hatching => canvas.hatching(random),
        Kind::Halftone => canvas.halftone(random),
        Kind::Cells => canvas.cells(random),
        Kind::Clouds => canvas.clouds(random),
        Kind::Bands => canvas.bands(random),
    }
    // Pigment and canvas are never even.
    let grain = random.between(0.0, 0.04);
    let grained = canvas.rgb.iter_mut();
    grained.for_each(|v| *v = (*v + grain * random.normal()).clamp(0.0, 1.0));
    canvas.rgb
}

/// Smooth noise in 0..1 about, with so many knots to a side, `[side, side]`.
fn noise(side: usize, knots: usize, random: &mut Random) -> Vec<f32> {
    let knots = knots.clamp(2, side);
    let values: Vec<f32> = (0..knots * knots).map(|_| random.uniform()).collect();
    resize_planes(&values, 1, (knots, knots), (side, side), Filter::Bicubic)
}

struct Canvas {
    side: usize,
    rgb: Vec<f32>,
    palette: Vec<[f32; 3]>,
}

impl Canvas {
    /// A canvas of one colour, with a palette that varies about it or does not.
    fn new(side: usize, random: &mut Random) -> Self {
        let ground = [random.uniform(), random.uniform(), random.uniform()];
        let spread = random.between(0.15, 1.0);
        let count = 3 + random.below(5);
        let palette: Vec<[f32; 3]> = (0..count)
            .map(|_| ground.map(|v| (v + spread * (random.uniform() - v)).clamp(0.0, 1.0)))
            .collect();
        let rgb = ground
            .into_iter()
            .flat_map(|v| std::iter::repeat_n(v, side * side))
            .collect();
        Self { side, rgb, palette }
    }

    /// Lays a colour over a place, `share` of it.
    fn lay(&mut self, place: usize, colour: [f32; 3], share: f32) {
        let plane = self.side * self.side;
        for (channel, value) in colour.into_iter().enumerate() {
            let under = &mut self.rgb[channel * plane + place];
            *under += share * (value - *under);
        }
    }

    /// The colour at a place of the palette, 0..1, between its neighbours.
    fn between(&self, at: f32) -> [f32; 3] {
        let last = self.palette.len() - 1;
        let at = at.clamp(0.0, 1.0) * last as f32;
        let (from, share) = (at.floor() as usize, at.fract());
        let to = self.palette[(from + 1).min(last)];
        let from = self.palette[from];
        std::array::from_fn(|i| from[i] + share * (to[i] - from[i]))
    }

    fn each(&mut self, mut colour: impl FnMut(&Self, usize, f32, f32) -> ([f32; 3], f32)) {
        for place in 0..self.side * self.side {
            let (x, y) = ((place % self.side) as f32, (place / self.side) as f32);
            let (colour, share) = colour(self, place, x, y);
            self.lay(place, colour, share);
        }
    }

    fn strokes(&mut self, random: &mut Random) {
        let side = self.side;
        let (knots, tones) = (2 + random.below(6), 2 + random.below(8));
        let (field, tone) = (noise(side, knots, random), noise(side, tones, random));
        let turn = random.between(0.0, TAU);
        let width = random.between(0.8, 4.0);
        let length = width * random.between(2.0, 9.0);
        let cover = random.between(1.0, 3.0);
        let count = (cover * (side * side) as f32 / (2.0 * width * length)) as usize;
        for _ in 0..count.min(8000) {
            let (x, y) = (random.below(side), random.below(side));
            let here = y * side + x;
            let angle = turn + TAU * field[here];
            let (along_x, along_y) = (angle.cos(), angle.sin());
            let shade = random.between(-0.12, 0.12);
            let at = tone[here] + random.between(-0.15, 0.15);
            let colour = self.between(at).map(|v| v + shade);
            let reach = length.ceil() as isize;
            for dy in -reach..=reach {
                for dx in -reach..=reach {
                    let (px, py) = (x as isize + dx, y as isize + dy);
                    let inside = |p: isize| (0..side as isize).contains(&p);
                    if !inside(px) || !inside(py) {
                        continue;
                    }
                    let (dx, dy) = (dx as f32, dy as f32);
                    let along = (dx * along_x + dy * along_y) / length;
                    let across = (dy * along_x - dx * along_y) / width;
                    let share = (1.5 - 1.5 * (along * along + across * across)).clamp(0.0, 1.0);
                    if share > 0.0 {
                        // Ridges of bristles.
                        let ridge = 0.06 * (9.0 * across).sin();
                        let place = py as usize * side + px as usize;
                        self.lay(place, colour.map(|v| v + ridge), share);
                    }
                }
            }
        }
    }

    fn hatching(&mut self, random: &mut Random) {
        let layers = 1 + random.below(3);
        let tone = noise(self.side, 2 + random.below(5), random);
        for _ in 0..layers {
            let (angle, period) = (random.between(0.0, PI), random.between(2.5, 12.0));
            let wobble = noise(self.side, 3 + random.below(6), random);
            let colour = *random.pick(&self.palette.clone());
            let (along_x, along_y, swing) = (angle.cos(), angle.sin(), random.between(0.0, 2.0));
            self.each(|_, place, x, y| {
                let phase = (x * along_x + y * along_y) / period + swing * wobble[place];
                let wave = 0.5 + 0.5 * (TAU * phase).cos();
                (colour, ((wave - 1.0 + tone[place]) * 4.0).clamp(0.0, 1.0))
            });
        }
    }

    fn halftone(&mut self, random: &mut Random) {
        let tone = noise(self.side, 2 + random.below(6), random);
        let (angle, period) = (random.between(0.0, PI), random.between(3.0, 14.0));
        let (along_x, along_y) = (angle.cos(), angle.sin());
        let colour = *random.pick(&self.palette.clone());
        let ground = noise(self.side, 2 + random.below(3), random);
        self.each(|canvas, place, _, _| (canvas.between(ground[place]), 1.0));
        self.each(|_, place, x, y| {
            let u = (x * along_x + y * along_y) / period;
            let v = (y * along_x - x * along_y) / period;
            let (u, v) = (u - u.round(), v - v.round());
            let inside = 0.75 * tone[place] - (u * u + v * v).sqrt();
            (colour, (inside * period + 0.5).clamp(0.0, 1.0))
        });
    }

    fn cells(&mut self, random: &mut Random) {
        let side = self.side as f32;
        let count = 20 + random.below(200);
        let points: Vec<([f32; 2], [f32; 3])> = (0..count)
            .map(|_| {
                let place = [side * random.uniform(), side * random.uniform()];
                let at = random.uniform();
                (place, self.between(at))
            })
            .collect();
        let border = match random.chance(0.5) {
            true => random.between(1.0, 3.0),
            false => 0.0,
        };
        let (dark, depth) = (self.palette[0].map(|v| 0.3 * v), random.between(0.0, 0.5));
        self.each(|_, _, x, y| {
            let mut nearest = [(f32::MAX, [0.0; 3]); 2];
            for &([px, py], colour) in &points {
                let distance = (px - x).hypot(py - y);
                if distance < nearest[0].0 {
                    nearest = [(distance, colour), nearest[0]];
                } else if distance < nearest[1].0 {
                    nearest[1] = (distance, colour);
                }
            }
            let [(first, colour), (second, _)] = nearest;
            let edge = second - first;
            let shade = 1.0 - depth * (first / (first + edge).max(1.0));
            match edge < border {
                true => (dark, 1.0),
                false => (colour.map(|v| v * shade), 1.0),
            }
        });
    }

    fn clouds(&mut self, random: &mut Random) {
        let tones = self.octaves(random);
        let sharp = random.between(0.8, 2.5);
        self.each(|canvas, place, _, _| (canvas.between(0.5 + sharp * (tones[place] - 0.5)), 1.0));
    }

    fn bands(&mut self, random: &mut Random) {
        let tones = self.octaves(random);
        let count = random.between(2.0, 14.0);
        let hard = random.chance(0.5);
        self.each(|canvas, place, _, _| {
            let wave = 0.5 + 0.5 * (TAU * count * tones[place]).sin();
            let steps = (canvas.palette.len() - 1) as f32;
            let at = match hard {
                true => (wave * steps).round() / steps,
                false => wave,
            };
            (canvas.between(at), 1.0)
        });
    }

    fn octaves(&self, random: &mut Random) -> Vec<f32> {
        let mut sum = vec![0.0f32; self.side * self.side];
        let (mut knots, mut share, mut total) = (2 + random.below(5), 1.0f32, 0.0);
        let decay = random.between(0.4, 0.8);
        while knots < self.side {
            let octave = noise(self.side, knots, random);
            sum.iter_mut()
                .zip(octave)
                .for_each(|(s, o)| *s += share * o);
            total += share;
            share *= decay;
            knots *= 2;
        }
        sum.iter_mut().for_each(|v| *v /= total);
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Purpose;

    #[test]
    fn patterns_follow_from_their_stream_and_are_never_of_one_colour() {
        let of = |index| pattern(32, &mut Random::of(1, Purpose::Step, [index, 0]));
        for index in 0..40 {
            let one = of(index);
            assert_eq!(one.len(), 3 * 32 * 32);
            assert!(one.iter().all(|v| (0.0..=1.0).contains(v)));
            assert_eq!(one, of(index));
            let plane = &one[..32 * 32];
            let mean = plane.iter().sum::<f32>() / plane.len() as f32;
            let variance = plane.iter().map(|v| (v - mean).powi(2)).sum::<f32>();
            assert!(variance > 0.0, "pattern {index}");
        }
    }
}
