//! Made-up pictures: planes of red, green and blue, row-major, in 0..1.

use crate::numbers::{Numbers, noise};

/// Numbers in 0..1 without a pattern.
pub fn grain(seed: u64, width: usize, height: usize) -> Vec<f32> {
    let values = noise(seed, 3 * width * height);
    values.into_iter().map(|v| 0.5 * v + 0.5).collect()
}

/// Smooth patches of colour, nine by seven of them, under a fifth of [`grain`]: something to see at every size, and no two
/// neighbours alike.
pub fn patches(seed: u64, width: usize, height: usize) -> Vec<f32> {
    const COLUMNS: usize = 9;
    const ROWS: usize = 7;
    let corners = grain(seed, COLUMNS, ROWS);
    // Between the corners, in a straight line.
    let along = |place: usize, length: usize, corners: usize| {
        let place = (place as f32 + 0.5) / length as f32 * (corners - 1) as f32;
        let before = (place as usize).min(corners - 2);
        (before, place - before as f32)
    };
    let mut grain = Numbers(seed ^ 0x0067_7261_696e);
    let mut values = Vec::with_capacity(3 * width * height);
    for plane in corners.chunks_exact(COLUMNS * ROWS) {
        for y in 0..height {
            let (row, down) = along(y, height, ROWS);
            for x in 0..width {
                let (column, right) = along(x, width, COLUMNS);
                let across = |row: usize| {
                    let at = &plane[row * COLUMNS + column..];
                    at[0] + right * (at[1] - at[0])
                };
                let patch = across(row) + down * (across(row + 1) - across(row));
                values.push(0.8 * patch + 0.1 * (grain.next() + 1.0));
            }
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_have_their_size_their_range_and_no_two_values_alike() {
        for (width, height) in [(1, 1), (1, 9), (40, 3), (100, 120)] {
            for make in [grain, patches] {
                let values = make(5, width, height);
                assert_eq!(values.len(), 3 * width * height);
                assert!(values.iter().all(|v| (0.0..=1.0).contains(v)));
                assert!(values.windows(2).all(|pair| pair[0] != pair[1]));
                assert_ne!(values, make(6, width, height));
            }
        }
    }
}
