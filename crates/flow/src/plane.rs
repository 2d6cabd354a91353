//! Rows of values with a border, so that loops need no cases at the edges.

use crate::settings::PATCH;

/// Width of the border on all sides, in pixels: patches start up to 7 pixels outside and are 8 wide.
pub(crate) const PAD: usize = 16;

/// A map `[h, w]` whose border repeats what is at its edges.
#[derive(Debug, Clone)]
pub(crate) struct Plane<T> {
    pub(crate) width: usize,
    pub(crate) height: usize,
    /// Values from one row to the next.
    pub(crate) stride: usize,
    pub(crate) data: Vec<T>,
}

impl<T: Copy + Default> Plane<T> {
    pub(crate) fn new(width: usize, height: usize) -> Self {
        let stride = width + 2 * PAD;
        Self {
            width,
            height,
            stride,
            data: vec![T::default(); stride * (height + 2 * PAD)],
        }
    }

    /// Where the value of a place lies that may be in the border.
    #[inline(always)]
    pub(crate) fn at(&self, x: isize, y: isize) -> usize {
        ((y + PAD as isize) as usize) * self.stride + (x + PAD as isize) as usize
    }

    /// A row without its border.
    #[inline(always)]
    pub(crate) fn row(&self, y: usize) -> &[T] {
        let start = (y + PAD) * self.stride + PAD;
        &self.data[start..start + self.width]
    }

    /// A row with `margin` values of its border on both sides; `y` may be in the border too.
    #[inline(always)]
    pub(crate) fn wide_row(&self, y: isize, margin: usize) -> &[T] {
        let start = self.at(-(margin as isize), y);
        &self.data[start..start + self.width + 2 * margin]
    }

    /// Its rows, borders of the sides included: what parallel loops write.
    pub(crate) fn inner_mut(&mut self) -> (&mut [T], usize) {
        let (stride, height) = (self.stride, self.height);
        (
            &mut self.data[PAD * stride..(PAD + height) * stride],
            stride,
        )
    }

    /// Repeats the edges into the border.
    pub(crate) fn fill_border(&mut self) {
        let (width, stride) = (self.width, self.stride);
        for row in self.inner_mut().0.chunks_mut(stride) {
            let (first, last) = (row[PAD], row[PAD + width - 1]);
            row[..PAD].fill(first);
            row[PAD + width..].fill(last);
        }
        let last = (PAD + self.height - 1) * stride;
        for y in 0..PAD {
            self.data
                .copy_within(PAD * stride..(PAD + 1) * stride, y * stride);
            self.data
                .copy_within(last..last + stride, (PAD + self.height + y) * stride);
        }
    }
}

impl Plane<f32> {
    /// Where a patch begins that is moved to a place between pixels, and the weights of the pixels there, on the right,
    /// below, and below on the right. At most one pixel of a patch's corner stays in the picture.
    #[inline(always)]
    pub(crate) fn corner(&self, x: f32, y: f32) -> (usize, [f32; 4]) {
        let reach = 1.0 - PATCH as f32;
        let x = x.clamp(reach, (self.width - 1) as f32);
        let y = y.clamp(reach, (self.height - 1) as f32);
        let (left, top) = (x.floor(), y.floor());
        let (fx, fy) = (x - left, y - top);
        let weights = [
            (1.0 - fx) * (1.0 - fy),
            fx * (1.0 - fy),
            (1.0 - fx) * fy,
            fx * fy,
        ];
        (self.at(left as isize, top as isize), weights)
    }
}
