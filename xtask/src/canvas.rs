//! The canvas: colours in floating point with a height of paint over each, antialiased fills, relief lighting, glow.
//!
//! A painting is made at about twice the size it is published in; [`Canvas::shrink`] then is the last bit of antialiasing.
//! Colours are sRGB code 0..1 unless a painting says otherwise: mixing code values looks like mixing paint.

use crate::vector::{V, V2, V3, v2, v3};

/// A picture being painted.
#[derive(Clone)]
pub struct Canvas {
    /// Width in pixels.
    pub w: usize,
    /// Height in pixels.
    pub h: usize,
    /// Colours by row.
    pub rgb: Vec<V3>,
    /// Height of the paint over the ground, by row, in pixels.
    pub body: Vec<f32>,
}

impl Canvas {
    /// A canvas primed with one colour.
    pub fn new(w: usize, h: usize, colour: V3) -> Self {
        Canvas {
            w,
            h,
            rgb: vec![colour; w * h],
            body: vec![0.0; w * h],
        }
    }

    /// A canvas whose every pixel is `colour(centre of the pixel)`; rows are shared out among the processor's cores.
    pub fn render(w: usize, h: usize, colour: impl Fn(V2) -> V3 + Sync) -> Self {
        let mut canvas = Canvas::new(w, h, V::splat(0.0));
        let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
        std::thread::scope(|scope| {
            for (part, rows) in canvas.rgb.chunks_mut(w * h.div_ceil(cores)).enumerate() {
                let first = part * h.div_ceil(cores);
                let colour = &colour;
                scope.spawn(move || {
                    for (i, pixel) in rows.iter_mut().enumerate() {
                        *pixel = colour(v2((i % w) as f32 + 0.5, (first + i / w) as f32 + 0.5));
                    }
                });
            }
        });
        canvas
    }

    /// Width and height as a point.
    pub fn size(&self) -> V2 {
        v2(self.w as f32, self.h as f32)
    }

    /// The index of the pixel at `p`, moved to the border if it lies outside.
    pub fn index(&self, p: V2) -> usize {
        let x = (p[0].max(0.0) as usize).min(self.w - 1);
        let y = (p[1].max(0.0) as usize).min(self.h - 1);
        y * self.w + x
    }

    /// Passes each pixel through `f(centre, colour)`.
    pub fn map(&mut self, f: impl Fn(V2, V3) -> V3) {
        for (i, pixel) in self.rgb.iter_mut().enumerate() {
            *pixel = f(
                v2((i % self.w) as f32 + 0.5, (i / self.w) as f32 + 0.5),
                *pixel,
            );
        }
    }

    /// Covers one pixel: colour and height of paint move towards the new ones by `alpha`.
    pub fn cover(&mut self, i: usize, colour: V3, body: f32, alpha: f32) {
        self.rgb[i] = self.rgb[i].mix(colour, alpha);
        self.body[i] += (body - self.body[i]) * alpha;
    }

    /// Paints the inside of a closed polygon in one colour.
    pub fn fill(&mut self, polygon: &[V2], colour: V3) {
        self.paint(&self.mask(polygon), |_, _| (colour, 1.0));
    }

    /// Paints a mask with `ink(centre of the pixel, colour below)`, which says colour and opacity.
    pub fn paint(&mut self, mask: &Mask, ink: impl Fn(V2, V3) -> (V3, f32)) {
        for (row, cover) in mask.cover.chunks(mask.w.max(1)).enumerate() {
            for (column, &c) in cover.iter().enumerate().filter(|(_, c)| **c > 0.0) {
                let (x, y) = (mask.x + column, mask.y + row);
                let below = &mut self.rgb[y * self.w + x];
                let (colour, alpha) = ink(v2(x as f32 + 0.5, y as f32 + 0.5), *below);
                *below = below.mix(colour, alpha * c);
            }
        }
    }

    /// The coverage of a closed polygon on this canvas.
    pub fn mask(&self, polygon: &[V2]) -> Mask {
        Mask::polygon(polygon, self.w, self.h)
    }

    /// Lights the paint's height from the upper left: slopes towards the light get brighter by `depth`, wet edges shine
    /// by `gloss`.
    pub fn light(&mut self, depth: f32, gloss: f32) {
        let (w, h) = (self.w, self.h);
        let lamp = v3(-0.55, -0.62, 0.56).unit();
        let half = (lamp + v3(0.0, 0.0, 1.0)).unit();
        for y in 0..h {
            for x in 0..w {
                let at = |x: usize, y: usize| self.body[y.min(h - 1) * w + x.min(w - 1)];
                let slope = v2(
                    at(x + 1, y) - at(x.saturating_sub(1), y),
                    at(x, y + 1) - at(x, y.saturating_sub(1)),
                );
                let normal = v3(-slope[0] * 0.5, -slope[1] * 0.5, 1.0).unit();
                let bright = 1.0 + depth * (normal.dot(lamp) / lamp[2] - 1.0);
                let shine =
                    gloss * normal.dot(half).max(0.0).powi(24) * (1.0 - normal[2]).sqrt() * 4.0;
                let pixel = &mut self.rgb[y * w + x];
                *pixel = *pixel * bright.clamp(0.35, 1.7) + V::splat(shine);
            }
        }
    }

    /// Adds light that bleeds from what is brighter than `threshold`, blurred over `radius` pixels.
    pub fn glow(&mut self, threshold: f32, radius: usize, strength: f32) {
        let mut light: Vec<V3> = self
            .rgb
            .iter()
            .map(|c| *c * ((c.luma() - threshold) / threshold).clamp(0.0, 4.0))
            .collect();
        blur(&mut light, self.w, radius);
        for (pixel, light) in self.rgb.iter_mut().zip(light) {
            *pixel = *pixel + light * strength;
        }
    }

    /// The canvas shrunk to `width` columns, each pixel the mean of the area it covers.
    pub fn shrink(&self, width: usize) -> Canvas {
        let ratio = self.w as f32 / width as f32;
        let height = (self.h as f32 / ratio).round() as usize;
        let mut small = Canvas::new(width, height, V::splat(0.0));
        let shares = |i: usize, ratio: f32, size: usize| {
            let (from, to) = (i as f32 * ratio, ((i + 1) as f32 * ratio).min(size as f32));
            (from as usize..(to.ceil() as usize).min(size))
                .map(move |j| (j, to.min(j as f32 + 1.0) - from.max(j as f32)))
        };
        for y in 0..height {
            for x in 0..width {
                let (mut sum, mut total) = (V3::splat(0.0), 0.0);
                for (j, tall) in shares(y, self.h as f32 / height as f32, self.h) {
                    for (i, wide) in shares(x, ratio, self.w) {
                        sum = sum
                            + self.rgb[j * self.w + i].map(|c| c.clamp(0.0, 1.0)) * (wide * tall);
                        total += wide * tall;
                    }
                }
                small.rgb[y * width + x] = sum / total;
            }
        }
        small
    }

    /// Removes changes of hue from one pixel to the next, brightness aside. Nobody sees them, but they cost an eighth
    /// of a JPEG file, as the encoder does not subsample colour.
    pub fn calm_hues(&mut self) {
        let hues: Vec<V3> = self.rgb.iter().map(|c| *c - V::splat(c.luma())).collect();
        let mut calm = hues.clone();
        blur_once(&mut calm, self.w, 1);
        for (pixel, (hue, calm)) in self.rgb.iter_mut().zip(hues.iter().zip(calm)) {
            *pixel = *pixel - *hue + calm;
        }
    }

    /// The colours in 8 bits.
    pub fn to_image(&self) -> image::RgbImage {
        image::RgbImage::from_fn(self.w as u32, self.h as u32, |x, y| {
            let c = self.rgb[y as usize * self.w + x as usize];
            image::Rgb(c.0.map(|c| (c.clamp(0.0, 1.0) * 255.0 + 0.5) as u8))
        })
    }
}

/// Blurs a plane of `w` columns three times with a box of `2·radius + 1`: nearly a Gaussian of standard deviation `radius`.
pub fn blur(plane: &mut [V3], w: usize, radius: usize) {
    for _ in 0..3 {
        blur_once(plane, w, radius);
    }
}

fn blur_once(plane: &mut [V3], w: usize, radius: usize) {
    let h = plane.len() / w;
    for y in 0..h {
        blur_line(plane, y * w, 1, w, radius);
    }
    for x in 0..w {
        blur_line(plane, x, w, h, radius);
    }
}

fn blur_line(plane: &mut [V3], start: usize, step: usize, count: usize, radius: usize) {
    let line: Vec<V3> = (0..count).map(|i| plane[start + i * step]).collect();
    let at = |i: isize| line[i.clamp(0, count as isize - 1) as usize];
    let r = radius as isize;
    let mut sum = (-r..=r).fold(V::splat(0.0), |sum, i| sum + at(i));
    for i in 0..count {
        plane[start + i * step] = sum / (2 * r + 1) as f32;
        sum = sum + at(i as isize + r + 1) - at(i as isize - r);
    }
}

/// How much of each pixel a shape covers, 0..1, inside the shape's bounding box.
pub struct Mask {
    /// Left column of the box.
    pub x: usize,
    /// Top row of the box.
    pub y: usize,
    /// Width of the box.
    pub w: usize,
    /// Coverage by row of the box.
    pub cover: Vec<f32>,
}

/// Sub-rows per pixel row in [`Mask::polygon`]; coverage along a row is exact.
const SUBROWS: usize = 4;

impl Mask {
    /// The coverage of a closed polygon (non-zero winding) on a canvas of `width` × `height`.
    pub fn polygon(points: &[V2], width: usize, height: usize) -> Mask {
        let bound = |axis: usize, size: usize| {
            let (low, high) = points.iter().fold((f32::MAX, f32::MIN), |(l, h), p| {
                (l.min(p[axis]), h.max(p[axis]))
            });
            let low = low.floor().clamp(0.0, size as f32) as usize;
            (low, (high.ceil().clamp(0.0, size as f32) as usize).max(low))
        };
        let ((x, x1), (y, y1)) = (bound(0, width), bound(1, height));
        let mut mask = Mask {
            x,
            y,
            w: x1 - x,
            cover: vec![0.0; (x1 - x) * (y1 - y)],
        };
        if mask.w == 0 {
            return mask;
        }
        let mut crossings: Vec<(f32, i32)> = Vec::new();
        for sub in 0..(y1 - y) * SUBROWS {
            let level = y as f32 + (sub as f32 + 0.5) / SUBROWS as f32;
            crossings.clear();
            for (i, &a) in points.iter().enumerate() {
                let b = points[(i + 1) % points.len()];
                if (a[1] <= level) != (b[1] <= level) {
                    let t = (level - a[1]) / (b[1] - a[1]);
                    crossings.push((a[0] + t * (b[0] - a[0]), if a[1] < b[1] { 1 } else { -1 }));
                }
            }
            crossings.sort_by(|a, b| a.0.total_cmp(&b.0));
            let row = &mut mask.cover[sub / SUBROWS * (x1 - x)..][..x1 - x];
            let mut winding = 0;
            for pair in crossings.windows(2) {
                winding += pair[0].1;
                if winding != 0 {
                    span(row, pair[0].0 - x as f32, pair[1].0 - x as f32);
                }
            }
        }
        mask
    }
}

/// Adds one sub-row's coverage of the interval `from..to`.
fn span(row: &mut [f32], from: f32, to: f32) {
    let (from, to) = (from.max(0.0), to.min(row.len() as f32));
    let mut column = from as usize;
    while (column as f32) < to {
        let covered = to.min(column as f32 + 1.0) - from.max(column as f32);
        row[column] += covered / SUBROWS as f32;
        column += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::circle;

    #[test]
    fn a_circle_covers_its_area_and_nothing_outside_the_canvas() {
        let area = |mask: &Mask| mask.cover.iter().sum::<f32>();
        let whole = Mask::polygon(&circle(v2(50.3, 49.8), 20.0), 100, 100);
        assert!(
            (area(&whole) - 400.0 * std::f32::consts::PI).abs() < 8.0,
            "{}",
            area(&whole)
        );
        let quarter = Mask::polygon(&circle(v2(0.0, 0.0), 20.0), 100, 100);
        assert!(
            (area(&quarter) - 100.0 * std::f32::consts::PI).abs() < 4.0,
            "{}",
            area(&quarter)
        );
        assert!(whole.cover.iter().all(|c| (0.0..=1.001).contains(c)));
        assert!(
            Mask::polygon(&circle(v2(-90.0, 300.0), 20.0), 100, 100)
                .cover
                .is_empty()
        );
    }

    #[test]
    fn a_shape_that_crosses_itself_is_filled_once() {
        let square = [v2(2.0, 2.0), v2(6.0, 2.0), v2(6.0, 6.0), v2(2.0, 6.0)];
        let twice: Vec<_> = square.iter().chain(&square).copied().collect();
        let mask = Mask::polygon(&twice, 8, 8);
        assert!((mask.cover.iter().sum::<f32>() - 16.0).abs() < 1e-3);
        assert!(mask.cover.iter().all(|c| *c <= 1.001));
    }

    #[test]
    fn relief_leaves_flat_paint_alone_and_lights_the_slope_towards_the_lamp() {
        let mut flat = Canvas::new(9, 9, V::splat(0.5));
        flat.light(1.0, 1.0);
        assert!(flat.rgb.iter().all(|c| (c[0] - 0.5).abs() < 1e-4));
        let mut bump = Canvas::new(9, 9, V::splat(0.5));
        bump.body[4 * 9 + 4] = 1.0;
        bump.light(1.0, 0.0);
        assert!(bump.rgb[3 * 9 + 4][0] > 0.5 && bump.rgb[5 * 9 + 4][0] < 0.5);
    }

    #[test]
    fn shrinking_takes_the_mean_of_the_area() {
        let canvas = Canvas::render(9, 6, |p| v3(p[0] / 9.0, p[1] / 6.0, 0.5));
        let small = canvas.shrink(4);
        assert_eq!((small.w, small.h), (4, 3));
        for (i, c) in small.rgb.iter().enumerate() {
            let centre = v3(
                ((i % 4) as f32 + 0.5) / 4.0,
                ((i / 4) as f32 + 0.5) / 3.0,
                0.5,
            );
            assert!((*c - centre).len() < 0.01, "{c:?} is not {centre:?}");
        }
    }

    #[test]
    fn blurring_keeps_the_light() {
        let mut plane = vec![V3::splat(0.0); 31 * 31];
        plane[15 * 31 + 15] = V::splat(1.0);
        blur(&mut plane, 31, 3);
        assert!((plane.iter().map(|c| c[1]).sum::<f32>() - 1.0).abs() < 1e-3);
        assert!(plane[15 * 31 + 15][0] < 0.1);
    }

    #[test]
    fn rendering_in_parts_is_the_same_as_pixel_by_pixel() {
        let canvas = Canvas::render(7, 5, |p| v3(p[0], p[1], 0.0));
        for (i, c) in canvas.rgb.iter().enumerate() {
            assert_eq!(*c, v3((i % 7) as f32 + 0.5, (i / 7) as f32 + 0.5, 0.0));
        }
    }
}
