//! Means over squares, by sums along rows and columns: the work does not depend on how large the squares are.

/// The means of a plane `[height, width]` over squares of `2·radius + 1` pixels each way, as far as they lie in it.
pub(crate) fn means(plane: &[f64], (width, height): (usize, usize), radius: usize) -> Vec<f64> {
    let mut sums = Vec::with_capacity(width.max(height) + 1);
    let mut rows = plane.to_vec();
    for row in rows.chunks_exact_mut(width.max(1)) {
        along(row, radius, &mut sums);
    }
    let mut column = vec![0.0; height];
    for x in 0..width {
        let places = (0..height).map(|y| y * width + x);
        column
            .iter_mut()
            .zip(places.clone())
            .for_each(|(value, at)| *value = rows[at]);
        along(&mut column, radius, &mut sums);
        column
            .iter()
            .zip(places)
            .for_each(|(value, at)| rows[at] = *value);
    }
    rows
}

/// Those of a line, in its place.
fn along(line: &mut [f64], radius: usize, sums: &mut Vec<f64>) {
    sums.clear();
    sums.push(0.0);
    let mut sum = 0.0;
    sums.extend(line.iter().map(|value| {
        sum += value;
        sum
    }));
    let n = line.len();
    for (at, value) in line.iter_mut().enumerate() {
        let (from, to) = (at.saturating_sub(radius), (at + radius + 1).min(n));
        *value = (sums[to] - sums[from]) / (to - from) as f64;
    }
}
