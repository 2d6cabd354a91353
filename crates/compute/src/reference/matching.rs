//! Feature vectors at places, and which are alike.

use super::{ReferenceDevice, get, get_mut, put};
use crate::device::{Gathering, LEAST_SQUARE, Running, matched, pair, rows as matrix, with_vector};
use crate::{Matching, Nearest, Point, Result, Scalar, Tensor};

impl Matching for ReferenceDevice {
    fn gather(
        &self,
        features: &Tensor,
        points: &[Point],
        factor: f32,
        rows: &mut Tensor,
        at: [usize; 2],
    ) -> Result<()> {
        let what = "gather";
        let it = Gathering::of(what, features, points, rows, at)?;
        let [start, first] = at;
        let (x, rows) = (get(what, features)?, get_mut(what, rows)?);
        for (p, point) in points.iter().enumerate() {
            for c in 0..it.channels {
                let plane = &x[c * it.height * it.width..];
                let terms = weighted(*point, &it).map(|(place, weight)| weight * plane[place]);
                rows[(start + p) * it.columns + first + c] =
                    f64::from(factor) * terms.iter().sum::<f64>();
            }
        }
        Ok(())
    }

    fn scatter(
        &self,
        rows: &Tensor,
        at: [usize; 2],
        points: &[Point],
        factor: f32,
        features: &mut Tensor,
    ) -> Result<()> {
        let what = "scatter";
        let it = Gathering::of(what, features, points, rows, at)?;
        let [start, first] = at;
        let (rows, x) = (get(what, rows)?, get_mut(what, features)?);
        for (p, point) in points.iter().enumerate() {
            for c in 0..it.channels {
                let value = f64::from(factor) * rows[(start + p) * it.columns + first + c];
                for (place, weight) in weighted(*point, &it) {
                    x[c * it.height * it.width + place] += weight * value;
                }
            }
        }
        Ok(())
    }

    fn mean_of_rows(&self, rows: &Tensor) -> Result<Tensor> {
        let [n, c] = matrix("mean_of_rows", rows)?;
        let x = get("mean_of_rows", rows)?;
        let sum = |i: usize| (0..n).map(|p| x[p * c + i]).sum::<f64>();
        Ok(put(
            (0..c).map(|i| sum(i) / n.max(1) as f64).collect(),
            &[c],
        ))
    }

    fn add_to_rows(&self, rows: &mut Tensor, k: f32, vector: &Tensor) -> Result<()> {
        let [_, c] = with_vector("add_to_rows", rows, vector)?;
        let vector = get("add_to_rows", vector)?;
        for row in get_mut("add_to_rows", rows)?.chunks_exact_mut(c.max(1)) {
            let pairs = row.iter_mut().zip(vector);
            pairs.for_each(|(x, v)| *x += f64::from(k) * v);
        }
        Ok(())
    }

    fn normalize_rows(&self, rows: &mut Tensor) -> Result<()> {
        let [_, c] = matrix("normalize_rows", rows)?;
        for row in get_mut("normalize_rows", rows)?.chunks_exact_mut(c.max(1)) {
            let length = dot(row, row).max(LEAST_SQUARE).sqrt();
            row.iter_mut().for_each(|x| *x /= length);
        }
        Ok(())
    }

    fn product(&self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        let [n, m, c] = pair("product", a, b)?;
        let (a, b) = (get("product", a)?, get("product", b)?);
        let entry = |k: usize| dot(&a[k / m * c..][..c], &b[k % m * c..][..c]);
        Ok(put((0..n * m).map(entry).collect(), &[n, m]))
    }

    fn nearest(&self, queries: &Tensor, candidates: &Tensor, count: usize) -> Result<Nearest> {
        let [n, m, _] = pair("nearest", queries, candidates)?;
        let all: Vec<u32> = (0..n).flat_map(|_| 0..m as u32).collect();
        best(queries, candidates, &all, count.min(m))
    }

    fn nearest_both(&self, a: &Tensor, b: &Tensor) -> Result<[Nearest; 2]> {
        Ok([self.nearest(a, b, 1)?, self.nearest(b, a, 1)?])
    }

    fn nearest_among(
        &self,
        queries: &Tensor,
        candidates: &Tensor,
        among: &[u32],
    ) -> Result<Nearest> {
        best(queries, candidates, among, 1)
    }

    fn matched_cosine(
        &self,
        rows: &Tensor,
        candidates: &Tensor,
        matches: &[u32],
        weights: Option<&[f32]>,
        k: f32,
    ) -> Result<(Scalar, Tensor)> {
        let what = "matched_cosine";
        let [n, m, c] = pair(what, rows, candidates)?;
        matched(what, [n, m], matches, weights)?;
        let (x, t) = (get(what, rows)?, get(what, candidates)?);
        let (mut sum, mut gradient) = (0.0, Vec::with_capacity(n * c));
        for (p, &other) in matches.iter().enumerate() {
            let (x, t) = (&x[p * c..][..c], &t[other as usize * c..][..c]);
            let weight = weights.map_or(1.0, |weights| f64::from(weights[p]));
            let square = dot(x, x);
            let (a, b) = (
                square.max(LEAST_SQUARE).sqrt(),
                dot(t, t).max(LEAST_SQUARE).sqrt(),
            );
            let cosine = dot(x, t) / (a * b);
            sum += weight * (1.0 - cosine);
            let along = if square > LEAST_SQUARE {
                cosine / (a * a)
            } else {
                0.0
            };
            let factor = f64::from(k) * weight;
            gradient.extend(
                x.iter()
                    .zip(t)
                    .map(|(x, t)| factor * (along * x - t / (a * b))),
            );
        }
        Ok((Scalar::Ready(sum), put(gradient, &[n, c])))
    }
}

/// The four places around a point and how much each counts.
fn weighted(point: Point, it: &Gathering) -> [(usize, f64); 4] {
    let ([y0, y1, x0, x1], [dy, dx]) = point.corners(it.height, it.width);
    let (dy, dx) = (f64::from(dy), f64::from(dx));
    [
        (y0 * it.width + x0, (1.0 - dy) * (1.0 - dx)),
        (y0 * it.width + x1, (1.0 - dy) * dx),
        (y1 * it.width + x0, dy * (1.0 - dx)),
        (y1 * it.width + x1, dy * dx),
    ]
}

fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}

/// The candidates of the greatest products among some of each query.
fn best(queries: &Tensor, candidates: &Tensor, among: &[u32], count: usize) -> Result<Nearest> {
    let what = "nearest";
    let [n, m, c] = pair(what, queries, candidates)?;
    let per = match count {
        0 => 0,
        _ => matched(what, [n, m], among, None)?,
    };
    let (q, s) = (get(what, queries)?, get(what, candidates)?);
    let mut nearest = Nearest {
        count,
        indices: vec![0; n * count],
        products: vec![0.0; n * count],
    };
    let slots = nearest.indices.chunks_mut(count.max(1));
    let slots = slots.zip(nearest.products.chunks_mut(count.max(1)));
    for (p, (indices, products)) in slots.enumerate() {
        let mut running = Running { indices, products };
        running.begin();
        for &index in &among[p * per..][..per] {
            let product = dot(&q[p * c..][..c], &s[index as usize * c..][..c]) as f32;
            if product >= running.least() {
                running.insert(index, product);
            }
        }
    }
    Ok(nearest)
}
