//! Pictures for networks that want sides of multiples: continued on the right and below, and cut off again.

use impasto_compute::Size;

/// Planes `[c, h, w]` continued by reflection at the right and the lower border to sides that are multiples, and their
/// size. The border is not repeated; where a side is too short for that, it is run to and fro.
pub fn padded(planes: &[f32], size: Size, multiple: usize) -> (Vec<f32>, Size) {
    let to = multiples(size, multiple);
    (continued(planes, size, to), to)
}

/// The least size of which both sides are multiples and no smaller.
pub fn multiples(size: Size, multiple: usize) -> Size {
    Size {
        width: size.width.next_multiple_of(multiple.max(1)),
        height: size.height.next_multiple_of(multiple.max(1)),
    }
}

/// The same to any size that is no smaller.
pub fn continued(planes: &[f32], size: Size, to: Size) -> Vec<f32> {
    if to == size {
        return planes.to_vec();
    }
    let places = size.width * size.height;
    let mut made = Vec::with_capacity(planes.len() / places.max(1) * to.width * to.height);
    for plane in planes.chunks_exact(places.max(1)) {
        for y in 0..to.height {
            let row = mirrored(y, size.height) * size.width;
            made.extend((0..to.width).map(|x| plane[row + mirrored(x, size.width)]));
        }
    }
    made
}

/// The upper left part of planes `[c, h, w]` of one size, of another that is no larger.
pub fn cropped(planes: &[f32], from: Size, to: Size) -> Vec<f32> {
    let (width, height) = (to.width.min(from.width), to.height.min(from.height));
    let mut made = Vec::with_capacity(planes.len());
    for plane in planes.chunks_exact((from.width * from.height).max(1)) {
        for row in plane.chunks_exact(from.width.max(1)).take(height) {
            made.extend_from_slice(&row[..width]);
        }
    }
    made
}

/// Where in `0..n` place `i` lies that is reached by running to and fro.
fn mirrored(i: usize, n: usize) -> usize {
    if n <= 1 {
        return 0;
    }
    let period = 2 * (n - 1);
    let i = i % period;
    i.min(period - i)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_padded_is_there_again_when_cut() {
        for (width, height) in [(1, 1), (2, 3), (5, 4), (8, 8)] {
            let size = Size { width, height };
            let planes: Vec<f32> = (0..2 * width * height).map(|i| i as f32).collect();
            let (made, to) = padded(&planes, size, 4);
            assert_eq!((to.width % 4, to.height % 4), (0, 0));
            assert_eq!(made.len(), 2 * to.width * to.height);
            assert_eq!(cropped(&made, to, size), planes);
        }
        let (made, _) = padded(
            &[1.0, 2.0, 3.0],
            Size {
                width: 3,
                height: 1,
            },
            8,
        );
        assert_eq!(made[..8], [1.0, 2.0, 3.0, 2.0, 1.0, 2.0, 3.0, 2.0]);
    }
}
