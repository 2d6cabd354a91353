//! Pictures on a larger canvas, and parts of pictures.

use super::Picture;

impl Picture {
    /// The picture on the least canvas whose sides are multiples of `step`: more at the right and at the bottom, where it
    /// is mirrored at its edge, as often as it takes.
    pub(crate) fn mirrored_to(&self, step: usize) -> Picture {
        let step = step.max(1);
        let size = [self.width, self.height].map(|side| side.next_multiple_of(step));
        self.mapped(size, mirrored)
    }

    /// The part of the picture at its upper left corner, at most as large as it is.
    pub(crate) fn cropped(&self, width: usize, height: usize) -> Picture {
        let size = [width.clamp(1, self.width), height.clamp(1, self.height)];
        self.mapped(size, |place, _| place)
    }

    /// Another size, each of whose columns and rows is one of the picture's: that which `source` says of its place and of
    /// how many there are.
    fn mapped(&self, size: [usize; 2], source: impl Fn(usize, usize) -> usize) -> Picture {
        let [width, height] = size;
        if size == [self.width, self.height] {
            return self.clone();
        }
        let columns: Vec<usize> = (0..width).map(|x| source(x, self.width)).collect();
        let planes = |values: &[f32]| {
            let rows = values.chunks_exact(self.width);
            let rows: Vec<&[f32]> = rows.collect();
            let mut mapped = Vec::with_capacity(values.len() / self.height * height);
            for plane in rows.chunks_exact(self.height) {
                for y in 0..height {
                    let row = plane[source(y, self.height)];
                    mapped.extend(columns.iter().map(|&x| row[x]));
                }
            }
            mapped
        };
        Picture {
            width,
            height,
            rgb: planes(&self.rgb),
            alpha: self.alpha.as_deref().map(planes),
            depth: self.depth,
        }
    }
}

/// The place within `0..n` that a place beyond the end mirrors: the last one is repeated.
fn mirrored(place: usize, n: usize) -> usize {
    match place % (2 * n) {
        inside if inside < n => inside,
        beyond => 2 * n - 1 - beyond,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_mirrored_to_a_multiple_and_cropped_back() {
        let rgb: Vec<f32> = (0..3 * 6).map(|v| v as f32 / 18.0).collect();
        let alpha = vec![0.0, 0.2, 0.4, 0.6, 0.8, 1.0];
        let picture = Picture::new(3, 2, rgb).unwrap().with_alpha(alpha).unwrap();
        let large = picture.mirrored_to(8);
        assert_eq!((large.width(), large.height()), (8, 8));
        let row: Vec<f32> = [0, 1, 2, 2, 1, 0, 0, 1].map(|x| x as f32 / 18.0).into();
        assert_eq!(large.rgb()[..8], row);
        assert_eq!(large.alpha().unwrap()[8..12], [0.6, 0.8, 1.0, 1.0]);
        assert_eq!(large.cropped(3, 2), picture);
        assert_eq!(picture.mirrored_to(1), picture);
    }
}
