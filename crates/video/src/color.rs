//! Luma and chroma to red, green and blue, and back: ITU-T H.273 8.3, with chroma between its samples taken linearly.

use crate::frame::{Channels, Picture, Samples};

/// Which weights red and blue have in luma.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matrix {
    /// BT.601 and SMPTE 170M: standard definition.
    Bt601,
    /// BT.709: high definition.
    Bt709,
    /// BT.2020 with constant weights.
    Bt2020,
    /// None: the planes are green, blue, red.
    Identity,
}

impl Matrix {
    /// Of a film that does not say: what players guess by the size.
    pub fn guess(width: usize, height: usize) -> Matrix {
        match width >= 1280 || height > 576 {
            true => Matrix::Bt709,
            false => Matrix::Bt601,
        }
    }

    /// The weights of red and blue.
    fn weights(self) -> (f32, f32) {
        match self {
            Matrix::Bt601 => (0.299, 0.114),
            Matrix::Bt709 => (0.2126, 0.0722),
            Matrix::Bt2020 => (0.2627, 0.0593),
            Matrix::Identity => (0.0, 0.0),
        }
    }
}

/// How the numbers of a film are to be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coding {
    pub matrix: Matrix,
    /// Black is 0 and white 255, not 16 and 235.
    pub full: bool,
    /// Chroma lies above luma of even columns; otherwise between two.
    pub left: bool,
}

/// Planes of samples of up to 16 bits, rows without gaps.
pub struct Planes<'a, T> {
    pub width: usize,
    pub height: usize,
    pub y: &'a [T],
    pub u: &'a [T],
    pub v: &'a [T],
    /// Bits of a sample.
    pub depth: u32,
    /// Chroma has half the columns, half the rows (rounded up).
    pub halves: (bool, bool),
}

impl<T: Copy + Into<f32>> Planes<'_, T> {
    /// The picture: of 8 bits where there are 8, of 16 bits where there are more. The planes must be whole.
    pub fn to_picture(&self, coding: Coding) -> Picture {
        let (width, height) = (self.width, self.height);
        let samples = 3 * width * height;
        let mut eight = Vec::with_capacity(if self.depth == 8 { samples } else { 0 });
        let mut sixteen = Vec::with_capacity(if self.depth == 8 { 0 } else { samples });
        let (mut u, mut v) = (vec![0.0; width], vec![0.0; width]);
        let scale = if self.depth == 8 { 255.0 } else { 65535.0 };
        let convert = Convert::new(coding, self.depth, scale);
        for y in 0..height {
            self.chroma_row(self.u, y, coding.left, &mut u);
            self.chroma_row(self.v, y, coding.left, &mut v);
            let row = &self.y[y * width..][..width];
            let pixels = row.iter().zip(&u).zip(&v);
            let rgb = pixels.map(|((&y, &u), &v)| convert.to_rgb(y.into(), u, v));
            // Arrays, not single samples: those are added one by one.
            match self.depth {
                8 => rgb
                    .for_each(|rgb| eight.extend_from_slice(&rgb.map(|value| (value + 0.5) as u8))),
                _ => rgb.for_each(|rgb| {
                    sixteen.extend_from_slice(&rgb.map(|value| (value + 0.5) as u16))
                }),
            }
        }
        Picture {
            width,
            height,
            channels: Channels::Rgb,
            samples: match self.depth {
                8 => Samples::Eight(eight),
                _ => Samples::Sixteen(sixteen),
            },
        }
    }

    /// Chroma of one row, for every column.
    fn chroma_row(&self, plane: &[T], y: usize, left: bool, out: &mut [f32]) {
        let columns = half(self.width, self.halves.0);
        let rows = half(self.height, self.halves.1);
        let row = |index: usize| &plane[index * columns..][..columns];
        let (near, far, share) = match self.halves.1 {
            false => (row(y), row(y), 0.0),
            true => {
                let near = y / 2;
                let far = if y.is_multiple_of(2) {
                    near.saturating_sub(1)
                } else {
                    (near + 1).min(rows - 1)
                };
                (row(near), row(far), 0.25)
            }
        };
        let at = |x: usize| {
            let (near, far): (f32, f32) = (near[x].into(), far[x].into());
            near + (far - near) * share
        };
        if !self.halves.0 {
            out.iter_mut().enumerate().for_each(|(x, out)| *out = at(x));
            return;
        }
        let mut before = at(0);
        let mut here = before;
        for x in 0..columns {
            let after = if x + 1 < columns { at(x + 1) } else { here };
            let (even, odd) = match left {
                true => (here, (here + after) * 0.5),
                false => (here * 0.75 + before * 0.25, here * 0.75 + after * 0.25),
            };
            out[2 * x] = even;
            if let Some(out) = out.get_mut(2 * x + 1) {
                *out = odd;
            }
            (before, here) = (here, after);
        }
    }
}

/// Samples of a row or column of chroma.
pub fn half(length: usize, halved: bool) -> usize {
    if halved { length.div_ceil(2) } else { length }
}

struct Convert {
    identity: bool,
    black: f32,
    luma: f32,
    middle: f32,
    red_v: f32,
    green_u: f32,
    green_v: f32,
    blue_u: f32,
    white: f32,
}

impl Convert {
    fn new(coding: Coding, depth: u32, white: f32) -> Self {
        let unit = (1u32 << (depth - 8)) as f32;
        let largest = (1u32 << depth) as f32 - 1.0;
        let (black, luma, chroma) = match coding.full {
            true => (0.0, white / largest, white / largest),
            false => (16.0 * unit, white / (219.0 * unit), white / (224.0 * unit)),
        };
        let (red, blue) = coding.matrix.weights();
        let green = 1.0 - red - blue;
        Convert {
            identity: coding.matrix == Matrix::Identity,
            black,
            luma,
            middle: 128.0 * unit,
            red_v: 2.0 * (1.0 - red) * chroma,
            green_u: -2.0 * (1.0 - blue) * blue / green * chroma,
            green_v: -2.0 * (1.0 - red) * red / green * chroma,
            blue_u: 2.0 * (1.0 - blue) * chroma,
            white,
        }
    }

    fn to_rgb(&self, y: f32, u: f32, v: f32) -> [f32; 3] {
        let rgb = match self.identity {
            true => [v, y, u].map(|value| (value - self.black) * self.luma),
            false => {
                let y = (y - self.black) * self.luma;
                let (u, v) = (u - self.middle, v - self.middle);
                [
                    y + self.red_v * v,
                    y + self.green_u * u + self.green_v * v,
                    y + self.blue_u * u,
                ]
            }
        };
        rgb.map(|value| value.clamp(0.0, self.white))
    }
}

/// Planes of 8 bits with chroma of half the columns and rows, on even columns.
pub struct Yuv420 {
    pub y: Vec<u8>,
    pub u: Vec<u8>,
    pub v: Vec<u8>,
}

/// 8-bit RGB to planes of limited range that are `width` × `height`, at least as large as the picture: its last column and
/// row are repeated.
pub fn to_yuv420(
    rgb: &[u8],
    size: (usize, usize),
    (width, height): (usize, usize),
    matrix: Matrix,
) -> Yuv420 {
    let (red, blue) = matrix.weights();
    let green = 1.0 - red - blue;
    let columns = half(width, true);
    let mut planes = Yuv420 {
        y: Vec::with_capacity(width * height),
        u: Vec::with_capacity(columns * half(height, true)),
        v: Vec::with_capacity(columns * half(height, true)),
    };
    // Sums of the chroma of two rows.
    let (mut u, mut v) = (vec![0.0f32; width], vec![0.0f32; width]);
    for y in 0..height {
        let row = &rgb[y.min(size.1 - 1) * size.0 * 3..][..size.0 * 3];
        if y % 2 == 0 {
            u.fill(0.0);
            v.fill(0.0);
        }
        // The last row of an odd height counts twice.
        let times = if y % 2 == 0 && y + 1 == height {
            2.0
        } else {
            1.0
        };
        let (to_u, to_v) = (times / (2.0 * (1.0 - blue)), times / (2.0 * (1.0 - red)));
        let (pixels, _) = row.as_chunks::<3>();
        let last = pixels[pixels.len() - 1];
        let pixels = pixels.iter().chain(std::iter::repeat(&last)).take(width);
        for ((pixel, u), v) in pixels.zip(&mut u).zip(&mut v) {
            let [r, g, b] = pixel.map(f32::from);
            let luma = red * r + green * g + blue * b;
            planes.y.push((luma * (219.0 / 255.0) + 16.5) as u8);
            *u += to_u * (b - luma);
            *v += to_v * (r - luma);
        }
        if y % 2 == 1 || y + 1 == height {
            for (sums, plane) in [(&u, &mut planes.u), (&v, &mut planes.v)] {
                for x in (0..width).step_by(2) {
                    let sides = sums[x.saturating_sub(1)] + sums[(x + 1).min(width - 1)];
                    let mean = (sides + 2.0 * sums[x]) / 8.0;
                    plane.push((mean * (224.0 / 255.0) + 128.5).clamp(0.0, 255.0) as u8);
                }
            }
        }
    }
    planes
}
