//! How a picture is cut into tiles, and how far a tile looks beyond its own.

use impasto_compute::{NetSpec, Size, Window};
use std::ops::Range;

/// Places of a layer that devices compute together, each way. Tiles begin at multiples of as many of the deepest layer,
/// so that what is computed of a tile is, number by number, what would be computed of the whole picture.
const BLOCK: usize = 4;

/// The multiples, in pixels, at which tiles begin for a network that runs down to a layer.
pub(super) fn alignment(spec: &NetSpec, layer: usize) -> usize {
    BLOCK * spec.stride(layer)
}

/// `0..n` in equal parts of at most about `size`, which begin at multiples of `align`.
fn parts(n: usize, size: usize, align: usize) -> Vec<Range<usize>> {
    let count = n.div_ceil(size.max(align)).max(1);
    let mut starts: Vec<usize> = (0..count).map(|i| i * n / count / align * align).collect();
    starts.dedup();
    let ends: Vec<usize> = starts[1..].iter().copied().chain([n]).collect();
    starts.into_iter().zip(ends).map(|(a, b)| a..b).collect()
}

/// A rectangle in tiles of at most about some size. Its first row and column must be multiples of `align`.
pub(super) fn tiles(region: &Window, size: Size, align: usize) -> Vec<Window> {
    let columns = parts(region.width, size.width, align);
    let rows = parts(region.height, size.height, align);
    let tile = |row: &Range<usize>, column: &Range<usize>| Window {
        top: region.top + row.start,
        left: region.left + column.start,
        height: row.len(),
        width: column.len(),
    };
    rows.iter()
        .flat_map(|row| columns.iter().map(move |column| tile(row, column)))
        .collect()
}

/// A tile with a margin, as far as the picture goes.
pub(super) fn around(core: &Window, margin: usize, picture: Size) -> Window {
    let (top, left) = (
        core.top.saturating_sub(margin),
        core.left.saturating_sub(margin),
    );
    Window {
        top,
        left,
        height: picture.height.min(core.bottom() + margin) - top,
        width: picture.width.min(core.right() + margin) - left,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_everything_once_and_begin_where_they_should() {
        for n in [
            1, 2, 7, 63, 64, 65, 127, 128, 200, 511, 512, 513, 3072, 4099,
        ] {
            for size in [1, 64, 128, 192, 256, 1000] {
                for align in [4, 16, 64] {
                    let parts = parts(n, size, align);
                    assert_eq!(parts[0].start, 0);
                    assert_eq!(parts[parts.len() - 1].end, n);
                    assert!(parts.windows(2).all(|pair| pair[0].end == pair[1].start));
                    assert!(
                        parts
                            .iter()
                            .all(|part| part.start % align == 0 && !part.is_empty())
                    );
                    let longest = parts.iter().map(Range::len).max().unwrap_or(0);
                    assert!(longest < size.max(align) + align, "{n} {size} {align}");
                    // A part is never a mere sliver of the picture.
                    let shortest = parts.iter().map(Range::len).min().unwrap_or(0);
                    assert!(parts.len() == 1 || shortest >= align, "{n} {size} {align}");
                }
            }
        }
    }

    #[test]
    fn margins_end_at_the_picture() {
        let core = Window {
            top: 64,
            left: 0,
            height: 64,
            width: 72,
        };
        let picture = Size {
            width: 300,
            height: 140,
        };
        let around = around(&core, 80, picture);
        assert_eq!((around.top, around.bottom()), (0, 140));
        assert_eq!((around.left, around.right()), (0, 152));
    }
}
