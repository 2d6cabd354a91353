//! Strokes in other directions and sizes than the painting has them.
//!
//! A style is a distribution of features. That of a painting which was turned, or is looked at in another size, has its strokes
//! in another direction or size; several of them mixed have all of these at once. So a style that is to be turned any way,
//! or looked at in several sizes, is several styles.

use crate::picture::Picture;
use crate::recipe::{Rotate, StyleResize};
use crate::style::Style;

/// Directions that stand for all.
const QUARTERS: [f32; 4] = [0.0, 90.0, 180.0, 270.0];

fn turns(resize: &StyleResize) -> &[f32] {
    match &resize.rotate {
        Rotate::Degrees(degrees) => std::slice::from_ref(degrees),
        Rotate::Any => &QUARTERS,
    }
}

fn spread(resize: &StyleResize) -> &[usize] {
    match resize.spread.as_slice() {
        [] => &[100],
        spread => spread,
    }
}

/// How many views there are of each style; `None` if they are looked at as they are.
pub(crate) fn views_of_each(resize: &StyleResize) -> Option<usize> {
    let (turns, spread) = (turns(resize), spread(resize));
    (*turns != [0.0] || *spread != [100]).then(|| turns.len() * spread.len())
}

/// The styles that are looked at instead of some: each turned and in the sizes that the recipe says. `None` if they are
/// looked at as they are.
pub(crate) fn views(styles: &[Style], resize: &StyleResize) -> Option<Vec<Style>> {
    let mut views = Vec::with_capacity(styles.len() * views_of_each(resize)?);
    let (turns, spread) = (turns(resize), spread(resize));
    for style in styles {
        for &degrees in turns {
            let picture = turned(&style.picture, degrees);
            for &percent in spread {
                let mut name = style.name.clone();
                if degrees != 0.0 {
                    name = format!("{name}, turned {degrees}°");
                }
                if percent != 100 {
                    name = format!("{name}, at {percent} %");
                }
                views.push(Style {
                    name,
                    picture: picture.clone(),
                    scale: style.scale * percent as f32 / 100.0,
                    ..style.clone()
                });
            }
        }
    }
    Some(views)
}

/// A picture turned counter-clockwise. What lies beyond its corners is transparent, unless it is turned by quarters.
fn turned(picture: &Picture, degrees: f32) -> Picture {
    let quarters = (degrees / 90.0).rem_euclid(4.0);
    if quarters.fract() == 0.0 {
        return (0..quarters as usize).fold(picture.clone(), |picture, _| quarter(&picture));
    }
    let (sine, cosine) = f64::from(degrees).to_radians().sin_cos();
    let (w, h) = (picture.width() as f64, picture.height() as f64);
    let width = (w * cosine.abs() + h * sine.abs()).round().max(1.0) as usize;
    let height = (w * sine.abs() + h * cosine.abs()).round().max(1.0) as usize;
    let mut planes = vec![0.0; 3 * width * height];
    let mut alpha = vec![0.0; width * height];
    for (at, alpha) in alpha.iter_mut().enumerate() {
        let x = (at % width) as f64 + 0.5 - width as f64 / 2.0;
        let y = (at / width) as f64 + 0.5 - height as f64 / 2.0;
        // Where it comes from: rows go down.
        let from_x = cosine * x - sine * y + w / 2.0 - 0.5;
        let from_y = sine * x + cosine * y + h / 2.0 - 0.5;
        let is_inside = (-0.5..w - 0.5).contains(&from_x) && (-0.5..h - 0.5).contains(&from_y);
        let sample = Sample::new(picture, from_x, from_y);
        for plane in 0..3 {
            planes[plane * width * height + at] =
                sample.of(&picture.rgb()[plane * sample.pixels..]);
        }
        if is_inside {
            *alpha = picture.alpha().map_or(1.0, |alpha| sample.of(alpha));
        }
    }
    let turned = Picture::new(width, height, planes).and_then(|it| it.with_alpha(alpha));
    turned.map_or_else(|_| picture.clone(), |it| it.with_depth(picture.depth()))
}

/// A quarter turn counter-clockwise.
fn quarter(picture: &Picture) -> Picture {
    let (w, h) = (picture.width(), picture.height());
    let turn = |plane: &[f32]| -> Vec<f32> {
        // Of the turned picture, h columns and w rows.
        (0..w * h)
            .map(|at| plane[(at % h) * w + (w - 1 - at / h)])
            .collect()
    };
    let planes = picture.rgb().chunks_exact(w * h).flat_map(turn).collect();
    let turned = Picture::new(h, w, planes).and_then(|it| match picture.alpha() {
        Some(alpha) => it.with_alpha(turn(alpha)),
        None => Ok(it),
    });
    turned.map_or_else(|_| picture.clone(), |it| it.with_depth(picture.depth()))
}

/// A place between four pixels.
struct Sample {
    corners: [usize; 4],
    weights: [f64; 4],
    pixels: usize,
}

impl Sample {
    fn new(picture: &Picture, x: f64, y: f64) -> Self {
        let (w, h) = (picture.width(), picture.height());
        let (x, y) = (x.clamp(0.0, w as f64 - 1.0), y.clamp(0.0, h as f64 - 1.0));
        let (left, top) = (x as usize, y as usize);
        let (right, bottom) = ((left + 1).min(w - 1), (top + 1).min(h - 1));
        let (u, v) = (x - left as f64, y - top as f64);
        Self {
            corners: [
                top * w + left,
                top * w + right,
                bottom * w + left,
                bottom * w + right,
            ],
            weights: [(1.0 - u) * (1.0 - v), u * (1.0 - v), (1.0 - u) * v, u * v],
            pixels: w * h,
        }
    }

    fn of(&self, plane: &[f32]) -> f32 {
        let corners = self.corners.iter().zip(self.weights);
        corners
            .map(|(&at, weight)| weight * f64::from(plane[at]))
            .sum::<f64>() as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use impasto_testing::{Tolerance, assert_close};

    /// Two rows of three.
    fn picture() -> Picture {
        let plane = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5];
        Picture::new(3, 2, plane.repeat(3)).unwrap()
    }

    #[test]
    fn quarters_are_exact() {
        let turned = turned(&picture(), 90.0);
        assert_eq!((turned.width(), turned.height()), (2, 3));
        assert_eq!(turned.rgb()[..6], [0.2, 0.5, 0.1, 0.4, 0.0, 0.3]);
        assert_eq!(super::turned(&picture(), 360.0), picture());
        assert_eq!(super::turned(&picture(), -270.0), turned);
    }

    #[test]
    fn other_turns_lie_between_quarters() {
        for degrees in [89.999, 90.001] {
            let (near, exact) = (turned(&picture(), degrees), turned(&picture(), 90.0));
            assert_eq!((near.width(), near.height()), (2, 3));
            assert_close("turned", near.rgb(), exact.rgb(), Tolerance::absolute(1e-3));
        }
        let aslant = turned(&picture(), 45.0);
        let alpha = aslant.alpha().unwrap();
        assert!(alpha.contains(&0.0) && alpha.contains(&1.0), "{alpha:?}");
    }

    #[test]
    fn styles_are_several_when_they_are_mixed() {
        let styles = [Style::new("a", picture(), 2.0)];
        let plain = StyleResize::default();
        assert!(views(&styles, &plain).is_none());
        let mixed = StyleResize {
            rotate: Rotate::Any,
            spread: vec![100, 50],
            ..plain
        };
        let views = views(&styles, &mixed).unwrap();
        assert_eq!(views.len(), 8);
        assert_eq!(views[3].name, "a, turned 90°, at 50 %");
        assert_eq!((views[3].scale, views[3].weight), (0.5, 2.0));
    }
}
