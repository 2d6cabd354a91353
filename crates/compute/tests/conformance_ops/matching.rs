//! Vectors at places and which are alike, maps in other sizes, and eigenvectors: against the reference, against brute force
//! to the last index, and as adjoints of each other.

use super::{ROUNDING, Results, agree, cpu, devices, same_for_any_threads, values};
use impasto_compute::prelude::*;
use impasto_compute::reference::ReferenceDevice;
use impasto_compute::{Align, Device, Point, Result, Tensor};
use impasto_testing::{Tolerance, assert_close, assert_near, noise};

fn points(count: usize, [height, width]: [usize; 2]) -> Vec<Point> {
    // Some lie beyond the border.
    let at = noise(31, 2 * count);
    let point = |p: usize| Point {
        y: (at[2 * p] + 1.0) * 0.6 * height as f32 - 1.0,
        x: (at[2 * p + 1] + 1.0) * 0.6 * width as f32 - 1.0,
    };
    (0..count).map(point).collect()
}

/// Features seen at points, between two other columns, and the way back.
pub(super) fn gathered_script(
    device: &dyn Device,
    [c, h, w]: [usize; 3],
    count: usize,
) -> Result<Results> {
    let features = device.upload(&noise(32, c * h * w), &[c, h, w])?;
    let points = points(count, [h, w]);
    let mut rows = device.upload(&noise(33, (count + 1) * (c + 2)), &[count + 1, c + 2])?;
    device.gather(&features, &points, 0.5, &mut rows, [1, 1])?;
    let mut back = device.upload(&noise(34, c * h * w), &[c, h, w])?;
    device.scatter(&rows, [1, 1], &points, 0.25, &mut back)?;
    // Whatever fills up a block of channels must stay zero.
    let sum = device.sum_abs(&back)?.value()?;
    Ok(vec![
        ("gather", values(device, &rows)?),
        ("scatter", values(device, &back)?),
        ("its sum_abs", vec![sum]),
    ])
}

/// Everything that is done to rows.
pub(super) fn rows_script(device: &dyn Device, [n, m]: [usize; 2], c: usize) -> Result<Results> {
    let mut x = device.upload(&noise(35, n * c), &[n, c])?;
    let mut t = device.upload(&noise(36, m * c), &[m, c])?;
    let matches: Vec<u32> = (0..n).map(|p| (p * 7 % m.max(1)) as u32).collect();
    let weights: Vec<f32> = noise(37, n).iter().map(|w| w.abs()).collect();
    let (plain, gradient) = device.matched_cosine(&x, &t, &matches, None, 2.0)?;
    let (weighted, other) = device.matched_cosine(&x, &t, &matches, Some(&weights), 0.5)?;
    let product = device.product(&x, &t)?;
    let mean = device.mean_of_rows(&x)?;
    device.add_to_rows(&mut x, -1.0, &mean)?;
    device.normalize_rows(&mut t)?;
    let nearest = device.nearest(&x, &t, 3)?;
    let nearest_of = device.nearest_among(&x, &t, &nearest.indices)?;
    let [forth, back] = device.nearest_both(&x, &t)?;
    let index = |indices: &[u32]| indices.iter().map(|&index| f64::from(index)).collect();
    Ok(vec![
        ("matched_cosine", vec![plain.value()?, weighted.value()?]),
        ("its gradient", values(device, &gradient)?),
        ("its weighted gradient", values(device, &other)?),
        ("product", values(device, &product)?),
        ("mean_of_rows", values(device, &mean)?),
        ("add_to_rows", values(device, &x)?),
        ("normalize_rows", values(device, &t)?),
        ("nearest", index(&nearest.indices)),
        ("nearest_among", index(&nearest_of.indices)),
        (
            "nearest_both",
            index(&[forth.indices, back.indices].concat()),
        ),
    ])
}

pub(super) fn resized_script(
    device: &dyn Device,
    shape: [usize; 3],
    size: [usize; 2],
) -> Result<Results> {
    let [c, h, w] = shape;
    let x = device.upload(&noise(38, c * h * w), &shape)?;
    let y = device.upload(&noise(39, c * size[0] * size[1]), &[c, size[0], size[1]])?;
    let mut results = Vec::new();
    for (align, names) in [
        (Align::Borders, ["resized", "resized_adjoint"]),
        (
            Align::Corners,
            ["resized by corners", "resized_adjoint by corners"],
        ),
    ] {
        let resized = device.resized(&x, size, align)?;
        let adjoint = device.resized_adjoint(&y, [h, w], align)?;
        results.push((names[0], values(device, &resized)?));
        results.push((names[1], values(device, &adjoint)?));
    }
    Ok(results)
}

/// A symmetric matrix, whose eigenvalues are apart.
fn symmetric(n: usize) -> Vec<f32> {
    let x = noise(40, n * n);
    let entry = |k: usize| match (k / n, k % n) {
        (i, j) if i == j => x[k] + 3.0 * i as f32,
        (i, j) => x[i.min(j) * n + i.max(j)],
    };
    (0..n * n).map(entry).collect()
}

pub(super) fn eigen_script(device: &dyn Device, n: usize) -> Result<Results> {
    let eigen = device.eigen(&device.upload(&symmetric(n), &[n, n])?)?;
    Ok(vec![
        ("eigenvalues", eigen.values),
        ("eigenvectors", eigen.vectors),
    ])
}

#[test]
fn gathered_vectors_agree() {
    for shape in [[1, 1, 1], [3, 7, 5], [5, 3, 2], [16, 4, 9], [40, 23, 31]] {
        for count in [0, 1, 50] {
            agree(&format!("{shape:?} at {count}"), ROUNDING, |device| {
                gathered_script(device, shape, count)
            });
        }
    }
}

#[test]
fn rows_agree() {
    for (size, c) in [
        ([1, 1], 1),
        ([3, 2], 5),
        ([57, 130], 16),
        ([113, 129], 33),
        ([20, 5000], 7),
        ([0, 4], 3),
        ([4, 1], 64),
    ] {
        let tolerance = Tolerance {
            absolute: 2e-6 * (size[0] + c) as f64,
            relative: 1e-5,
        };
        agree(&format!("{size:?} of {c}"), tolerance, |device| {
            rows_script(device, size, c)
        });
    }
}

#[test]
fn maps_in_other_sizes_agree() {
    for (shape, size) in [
        ([1, 1, 1], [3, 2]),
        ([3, 8, 6], [4, 3]),
        ([3, 7, 5], [3, 9]),
        ([3, 9, 4], [1, 1]),
        ([20, 5, 6], [8, 4]),
        ([3, 40, 70], [83, 41]),
    ] {
        agree(&format!("{shape:?} to {size:?}"), ROUNDING, |device| {
            resized_script(device, shape, size)
        });
    }
}

#[test]
fn nothing_depends_on_threads() {
    same_for_any_threads("gathered", |device| {
        gathered_script(device, [40, 60, 70], 3000)
    });
    same_for_any_threads("rows", |device| rows_script(device, [700, 900], 40));
    same_for_any_threads("resized", |device| {
        resized_script(device, [3, 200, 300], [171, 87])
    });
}

/// Of small whole numbers every sum is exact, so that products are equal where they should be: the greatest, in the order of
/// their indices, whatever the instructions and however the work is cut.
#[test]
fn matches_are_those_of_brute_force() -> Result<()> {
    let whole = |seed: u64, len: usize| -> Vec<f32> {
        noise(seed, len).iter().map(|x| (x * 2.0).round()).collect()
    };
    for (n, m, c) in [
        (1, 1, 1),
        (60, 131, 3),
        (130, 5000, 4),
        (70, 9000, 17),
        (5, 3, 0),
    ] {
        let (q, s) = (whole(41, n * c), whole(42, m * c));
        for device in devices() {
            let queries = device.upload(&q, &[n, c])?;
            let candidates = device.upload(&s, &[m, c])?;
            for count in [1, 4] {
                let got = device.nearest(&queries, &candidates, count)?;
                assert_eq!(got.count, count.min(m));
                for p in 0..n {
                    let product =
                        |i: usize| -> f32 { (0..c).map(|k| q[p * c + k] * s[i * c + k]).sum() };
                    let mut order: Vec<usize> = (0..m).collect();
                    order.sort_by(|&i, &j| product(j).total_cmp(&product(i)));
                    let here = p * got.count..(p + 1) * got.count;
                    let indices: Vec<usize> = got.indices[here.clone()]
                        .iter()
                        .map(|&i| i as usize)
                        .collect();
                    assert_eq!(indices, order[..got.count], "query {p} of {n}, {m}, {c}");
                    let products: Vec<f32> = indices.iter().map(|&i| product(i)).collect();
                    assert_eq!(got.products[here], products);
                }
                if count == 1 {
                    // By one product, it is the same in both directions.
                    let other = device.nearest(&candidates, &queries, 1)?;
                    let both = device.nearest_both(&queries, &candidates)?;
                    assert_eq!(both, [got.clone(), other], "{n}, {m}, {c}");
                }
                // Among all in any order, it is the same one.
                let all: Vec<u32> = (0..n).flat_map(|_| (0..m as u32).rev()).collect();
                let among = device.nearest_among(&queries, &candidates, &all)?;
                let first: Vec<u32> = got.indices.iter().step_by(got.count).copied().collect();
                assert_eq!(among.indices, first, "{n}, {m}, {c}");
            }
        }
    }
    Ok(())
}

/// What is no number is like nothing, and stands in the way of nothing.
#[test]
fn what_is_no_number_matches_nothing() -> Result<()> {
    for device in devices() {
        let queries = device.upload(&[1.0, f32::NAN], &[2, 1])?;
        let candidates = device.upload(&[1.0, f32::NAN, 2.0], &[3, 1])?;
        let nearest = device.nearest(&queries, &candidates, 1)?;
        assert_eq!(nearest.indices, [2, 0]);
        let [forth, back] = device.nearest_both(&queries, &candidates)?;
        assert_eq!((forth.indices, back.indices), (vec![2, 0], vec![0, 0, 0]));
        assert_eq!(
            device
                .nearest_among(&queries, &candidates, &[0, 1, 2, 2, 1, 0])?
                .indices,
            [2, 0]
        );
    }
    Ok(())
}

/// `⟨A·x, y⟩ = ⟨x, Aᵀ·y⟩`.
#[test]
fn adjoints_are_adjoint() -> Result<()> {
    let device = cpu(None, 2);
    let exact = Tolerance::relative(1e-4);
    let (c, h, w, n) = (20, 9, 7, 40);
    let (x, at) = (
        device.upload(&noise(43, c * h * w), &[c, h, w])?,
        points(n, [h, w]),
    );
    let y = device.upload(&noise(44, n * c), &[n, c])?;
    let (mut rows, mut back) = (device.zeros(&[n, c])?, device.zeros(&[c, h, w])?);
    device.gather(&x, &at, 0.5, &mut rows, [0, 0])?;
    device.scatter(&y, [0, 0], &at, 0.5, &mut back)?;
    let there = device.dot(&rows, &y)?.value()?;
    assert_near("gather", there, device.dot(&x, &back)?.value()?, exact);
    for align in [Align::Borders, Align::Corners] {
        let y = device.upload(&noise(45, c * 15), &[c, 5, 3])?;
        let there = device
            .dot(&device.resized(&x, [5, 3], align)?, &y)?
            .value()?;
        let back = device.resized_adjoint(&y, [h, w], align)?;
        assert_near("resized", there, device.dot(&x, &back)?.value()?, exact);
    }
    Ok(())
}

/// The slope of matched cosines, with rows that are nearly nothing among them.
#[test]
fn the_gradient_of_matched_cosines_is_their_slope() -> Result<()> {
    const STEP: f64 = 1e-5;
    let device = ReferenceDevice::new();
    let double = |values: Vec<f32>| -> Vec<f64> { values.into_iter().map(f64::from).collect() };
    let mut at = double(noise(46, 5 * 4));
    at[4..8].fill(1e-5);
    let t = ReferenceDevice::tensor(double(noise(47, 3 * 4)), &[3, 4])?;
    let (matches, weights) = ([2, 1, 0, 2, 2], [1.0, 0.5, 2.0, 0.0, 1.0]);
    let value = |at: &[f64]| -> Result<(f64, Tensor)> {
        let x = ReferenceDevice::tensor(at.to_vec(), &[5, 4])?;
        let (value, gradient) = device.matched_cosine(&x, &t, &matches, Some(&weights), 1.0)?;
        Ok((value.value()?, gradient))
    };
    let (_, gradient) = value(&at)?;
    let mut slopes = Vec::new();
    for i in 0..at.len() {
        let moved = |by: f64| {
            let mut at = at.clone();
            at[i] += by;
            value(&at).map(|(value, _)| value)
        };
        slopes.push((moved(STEP)? - moved(-STEP)?) / (2.0 * STEP));
    }
    let gradient = ReferenceDevice::values(&gradient)?;
    let tolerance = Tolerance {
        absolute: 1e-6,
        relative: 1e-5,
    };
    assert_close("matched_cosine", gradient, &slopes, tolerance);
    Ok(())
}

#[test]
fn eigenvectors_agree_and_rebuild_the_matrix() -> Result<()> {
    let tolerance = Tolerance {
        absolute: 1e-8,
        relative: 1e-8,
    };
    for n in [0, 1, 2, 3, 7, 40] {
        agree(&format!("{n}"), tolerance, |device| eigen_script(device, n));
    }
    let device = cpu(None, 1);
    let mut cases = vec![("zeros", 6, vec![0.0; 36]), ("noise", 90, symmetric(90))];
    let equal = (0..64).map(|k| f32::from(u8::from(k / 8 == k % 8)));
    cases.push(("the identity", 8, equal.collect()));
    let low: Vec<f32> = noise(48, 20);
    cases.push((
        "rank one",
        20,
        (0..400).map(|k| low[k / 20] * low[k % 20]).collect(),
    ));
    for (case, n, matrix) in cases {
        let eigen = device.eigen(&device.upload(&matrix, &[n, n])?)?;
        assert!(eigen.values.is_sorted_by(|a, b| a >= b), "{case}");
        let entry = |weights: Option<&[f64]>, i: usize, j: usize| -> f64 {
            let v = &eigen.vectors;
            let of = |k: usize| weights.map_or(1.0, |weights| weights[k]);
            (0..n).map(|k| of(k) * v[k * n + i] * v[k * n + j]).sum()
        };
        let all =
            |weights| -> Vec<f64> { (0..n * n).map(|k| entry(weights, k / n, k % n)).collect() };
        let wanted: Vec<f64> = matrix.iter().map(|&v| f64::from(v)).collect();
        let identity: Vec<f64> = (0..n * n)
            .map(|k| f64::from(u8::from(k / n == k % n)))
            .collect();
        let tolerance = Tolerance::absolute(1e-4 * 1e-6 * (n as f64 + 1.0).powi(2));
        assert_close(case, &all(Some(&eigen.values)), &wanted, tolerance);
        assert_close(case, &all(None), &identity, tolerance);
    }
    Ok(())
}
