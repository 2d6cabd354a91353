//! Outlines: lists of points for [`crate::canvas::Canvas::mask`] to fill.

use crate::vector::{V2, v2};
use std::f32::consts::TAU;

/// The points of a list such as `"0,1.5 2,-3"`: compact as the tables of a drawing must be.
pub fn points(list: &str) -> Vec<V2> {
    let number = |text: &str| {
        text.parse()
            .unwrap_or_else(|_| panic!("`{text}` in `{list}` is no number"))
    };
    let point = |pair: &str| {
        pair.split_once(',').map_or_else(
            || panic!("`{pair}` in `{list}` is no point"),
            |(x, y)| v2(number(x), number(y)),
        )
    };
    list.split_whitespace().map(point).collect()
}

/// A circle.
pub fn circle(centre: V2, radius: f32) -> Vec<V2> {
    ellipse(centre, v2(radius, radius), 0.0)
}

/// An ellipse with two radii, turned by `angle`.
pub fn ellipse(centre: V2, radii: V2, angle: f32) -> Vec<V2> {
    let count = (radii[0].max(radii[1]) * 2.0).clamp(16.0, 240.0) as usize;
    let corner = |i| (V2::polar(TAU * i as f32 / count as f32) * radii).turned(angle) + centre;
    (0..count).map(corner).collect()
}

/// The ring between two radii from angle `from` to `to`; an inner radius of 0 gives a slice of a pie.
pub fn ring(centre: V2, inner: f32, outer: f32, from: f32, to: f32) -> Vec<V2> {
    let count = ((to - from).abs() * outer / 2.0).clamp(6.0, 400.0) as usize;
    let along = |i: usize, radius: f32| {
        centre + V2::polar(from + (to - from) * i as f32 / count as f32) * radius
    };
    let outside = (0..=count).map(|i| along(i, outer));
    outside
        .chain((0..=count).rev().map(|i| along(i, inner)))
        .collect()
}

/// A rectangle around `centre` with sides `size`, turned by `angle`.
pub fn rectangle(centre: V2, size: V2, angle: f32) -> Vec<V2> {
    [(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)]
        .map(|(x, y)| centre + (size * v2(x, y)).turned(angle))
        .to_vec()
}

/// A smooth curve through all `points` (Catmull-Rom), `steps` points for each stretch between two of them.
pub fn spline(points: &[V2], steps: usize) -> Vec<V2> {
    let at = |i: isize| points[i.clamp(0, points.len() as isize - 1) as usize];
    let mut curve = Vec::with_capacity(points.len() * steps);
    for i in 0..points.len() as isize - 1 {
        let (a, b, c, d) = (at(i - 1), at(i), at(i + 1), at(i + 2));
        for step in 0..steps {
            let t = step as f32 / steps as f32;
            let (t2, t3) = (t * t, t * t * t);
            curve.push(
                (b * 2.0
                    + (c - a) * t
                    + (a * 2.0 - b * 5.0 + c * 4.0 - d) * t2
                    + (b * 3.0 - a - c * 3.0 + d) * t3)
                    * 0.5,
            );
        }
    }
    curve.push(at(points.len() as isize - 1));
    curve
}

/// A smooth closed curve through all `points`.
pub fn blob(points: &[V2], steps: usize) -> Vec<V2> {
    let n = points.len();
    let around: Vec<V2> = (0..n + 3).map(|i| points[(i + n - 1) % n]).collect();
    let curve = spline(&around, steps);
    curve[steps..steps * (n + 1)].to_vec()
}

/// The outline of a line of changing width: `width(t)` with `t` from 0 at the start to 1 at the end.
pub fn ribbon(path: &[V2], width: impl Fn(f32) -> f32) -> Vec<V2> {
    let n = path.len();
    let side = |i: usize, sign: f32| {
        let along = (path[(i + 1).min(n - 1)] - path[i.saturating_sub(1)]).unit();
        path[i] + along.perp() * (sign * 0.5 * width(i as f32 / (n - 1).max(1) as f32))
    };
    (0..n)
        .map(|i| side(i, 1.0))
        .chain((0..n).rev().map(|i| side(i, -1.0)))
        .collect()
}

/// A straight line of constant width.
pub fn line(from: V2, to: V2, width: f32) -> Vec<V2> {
    ribbon(&[from, to], |_| width)
}

/// The length of a path.
pub fn length(path: &[V2]) -> f32 {
    path.windows(2).map(|pair| (pair[1] - pair[0]).len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_points_are_read() {
        assert_eq!(points("1,2  -3.5,.25"), [v2(1.0, 2.0), v2(-3.5, 0.25)]);
        assert!(std::panic::catch_unwind(|| points("1,2 3")).is_err());
    }

    #[test]
    fn a_spline_passes_through_its_points() {
        let points = [v2(0.0, 0.0), v2(5.0, 9.0), v2(12.0, 3.0), v2(20.0, 4.0)];
        let curve = spline(&points, 8);
        for (i, p) in points.iter().enumerate() {
            assert!((curve[i * 8] - *p).len() < 1e-4);
        }
        assert!(length(&curve) > (points[3] - points[0]).len());
    }

    #[test]
    fn a_closed_curve_starts_at_its_first_point_and_has_no_gap() {
        let points = [v2(0.0, 0.0), v2(10.0, 0.0), v2(10.0, 10.0), v2(0.0, 10.0)];
        let curve = blob(&points, 10);
        assert_eq!(curve.len(), 40);
        assert!((curve[0] - points[0]).len() < 1e-4);
        assert!((curve[39] - curve[0]).len() < 3.0);
    }
}
