//! Feature vectors at places, and which are alike.
//!
//! Products are those of the matrix kernel, of some rows with some panels at a time; what is greatest is kept while they
//! lie in the cache. Candidates are packed by the thousand, so that memory does not grow with their number.

use super::CpuDevice;
use super::array::{Layout, get, get_mut, put, zeros};
use super::chunks::{CHUNK, each};
use super::products::{PANELS, Products, ROWS, panels};
use super::simd::{LANES, with_simd};
use crate::device::{Gathering, LEAST_SQUARE, Running, matched, pair, rows as matrix, with_vector};
use crate::{Matching, Nearest, Point, Result, Scalar, Tensor};

/// Pieces of so many rows of which both sides are told at a time.
const BOTH: usize = 64;
/// Candidates that are packed at a time.
const PACKED: usize = 4096;

impl Matching for CpuDevice {
    fn gather(
        &self,
        features: &Tensor,
        points: &[Point],
        factor: f32,
        rows: &mut Tensor,
        at: [usize; 2],
    ) -> Result<()> {
        let (context, what) = (&self.context, "gather");
        let it = Gathering::of(what, features, points, rows, at)?;
        let [start, first] = at;
        let (x, layout) = (get(what, features)?, Layout::of(features.shape()));
        let pixels = it.height * it.width;
        let per = piece(it.channels);
        let rows = &mut get_mut(what, rows)?[start * it.columns..];
        let pieces = rows.chunks_mut((per * it.columns).max(1));
        let pieces = pieces.zip(points.chunks(per)).collect();
        each(context, pieces, |(rows, points): (&mut [f32], &[Point])| {
            with_simd!(context.token, simd => {
                for (row, point) in rows.chunks_exact_mut(it.columns).zip(points) {
                    let row = &mut row[first..first + it.channels];
                    let (places, weights) = weighted(*point, &it, factor);
                    match layout {
                        Layout::Plain { .. } => {
                            for (value, plane) in row.iter_mut().zip(x.chunks_exact(pixels)) {
                                *value = (0..4).map(|k| weights[k] * plane[places[k]]).sum();
                            }
                        }
                        Layout::Blocked { .. } => {
                            let blocks = x.as_chunks::<LANES>().0.chunks_exact(pixels);
                            for (values, block) in row.chunks_mut(LANES).zip(blocks) {
                                let corners = places.map(|place| &block[place]);
                                let mut sum = [0.0; LANES];
                                for (corner, weight) in corners.iter().zip(weights) {
                                    for lane in 0..LANES {
                                        sum[lane] += weight * corner[lane];
                                    }
                                }
                                values.copy_from_slice(&sum[..values.len()]);
                            }
                        }
                    }
                }
            });
        });
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
        let (context, what) = (&self.context, "scatter");
        let it = Gathering::of(what, features, points, rows, at)?;
        let [start, first] = at;
        let layout = Layout::of(features.shape());
        let rows = &get(what, rows)?[start * it.columns..];
        let x = get_mut(what, features)?;
        let lanes = match layout {
            Layout::Plain { .. } => 1,
            Layout::Blocked { .. } => LANES,
        };
        // A block of channels belongs to one task, which goes through the points in their order.
        let blocks = x
            .chunks_mut((it.height * it.width * lanes).max(1))
            .enumerate();
        each(
            context,
            blocks.collect(),
            |(index, block): (usize, &mut [f32])| {
                let own = first + index * lanes;
                let count = lanes.min(first + it.channels - own);
                with_simd!(context.token, simd => {
                    for (row, point) in rows.chunks_exact(it.columns.max(1)).zip(points) {
                        let values = &row[own..own + count];
                        let (places, weights) = weighted(*point, &it, factor);
                        for (place, weight) in places.into_iter().zip(weights) {
                            let pixel = block[place * lanes..][..count].iter_mut();
                            pixel.zip(values).for_each(|(x, value)| *x += weight * value);
                        }
                    }
                });
            },
        );
        Ok(())
    }

    fn mean_of_rows(&self, rows: &Tensor) -> Result<Tensor> {
        let (context, what) = (&self.context, "mean_of_rows");
        let [n, c] = matrix(what, rows)?;
        let pieces = get(what, rows)?.chunks((piece(c) * c).max(1)).collect();
        let parts = each(context, pieces, |rows: &[f32]| {
            let mut sums = vec![0.0f64; c];
            for row in rows.chunks_exact(c.max(1)) {
                let pairs = sums.iter_mut().zip(row);
                pairs.for_each(|(sum, &x)| *sum += f64::from(x));
            }
            sums
        });
        let mut mean = vec![0.0f64; c];
        for part in parts {
            mean.iter_mut()
                .zip(part)
                .for_each(|(sum, part)| *sum += part);
        }
        let mut out = context.pool.take(c)?;
        let pairs = out.iter_mut().zip(mean);
        pairs.for_each(|(out, sum)| *out = (sum / n.max(1) as f64) as f32);
        Ok(put(out, &[c]))
    }

    fn add_to_rows(&self, rows: &mut Tensor, k: f32, vector: &Tensor) -> Result<()> {
        let (context, what) = (&self.context, "add_to_rows");
        let [_, c] = with_vector(what, rows, vector)?;
        let vector = get(what, vector)?;
        let pieces = get_mut(what, rows)?
            .chunks_mut((piece(c) * c).max(1))
            .collect();
        each(context, pieces, |rows: &mut [f32]| {
            with_simd!(context.token, simd => {
                for row in rows.chunks_exact_mut(c.max(1)) {
                    row.iter_mut().zip(vector).for_each(|(x, v)| *x += k * v);
                }
            });
        });
        Ok(())
    }

    fn normalize_rows(&self, rows: &mut Tensor) -> Result<()> {
        let (context, what) = (&self.context, "normalize_rows");
        let [_, c] = matrix(what, rows)?;
        let pieces = get_mut(what, rows)?
            .chunks_mut((piece(c) * c).max(1))
            .collect();
        each(context, pieces, |rows: &mut [f32]| {
            with_simd!(context.token, simd => {
                for row in rows.chunks_exact_mut(c.max(1)) {
                    let length = f64::from(dot(row, row)).max(LEAST_SQUARE).sqrt();
                    let factor = (1.0 / length) as f32;
                    row.iter_mut().for_each(|x| *x *= factor);
                }
            });
        });
        Ok(())
    }

    fn product(&self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        let (context, what) = (&self.context, "product");
        let [n, m, c] = pair(what, a, b)?;
        let mut out = zeros(context, &[n, m])?;
        if n * m * c == 0 {
            return Ok(out);
        }
        let (a, b) = (get(what, a)?, get(what, b)?);
        let to = get_mut(what, &mut out)?;
        for (index, candidates) in b.chunks(PACKED * c).enumerate() {
            let packed = panels(context, candidates, c);
            let pieces = to.chunks_mut(ROWS * m).zip(a.chunks(ROWS * c)).collect();
            each(context, pieces, |(out, rows): (&mut [f32], &[f32])| {
                let mut products = Products::new(rows, c);
                for (part, columns) in packed.chunks(PANELS * products.depth).enumerate() {
                    let start = index * PACKED + part * PANELS * LANES;
                    products.with(context, columns);
                    for (row, out) in out.chunks_exact_mut(m).enumerate() {
                        let end = m.min(start + PANELS * LANES);
                        let slots = out[start..end].chunks_mut(LANES).enumerate();
                        for (panel, slots) in slots {
                            slots.copy_from_slice(&products.at(panel, row)[..slots.len()]);
                        }
                    }
                }
            });
        }
        Ok(out)
    }

    fn nearest(&self, queries: &Tensor, candidates: &Tensor, count: usize) -> Result<Nearest> {
        let (context, what) = (&self.context, "nearest");
        let [n, m, c] = pair(what, queries, candidates)?;
        let count = count.min(m);
        let mut nearest = Nearest {
            count,
            indices: vec![0; n * count],
            products: vec![0.0; n * count],
        };
        if n * count == 0 {
            return Ok(nearest);
        }
        for (indices, products) in slots(&mut nearest, 1) {
            Running { indices, products }.begin();
        }
        let (q, s) = (get(what, queries)?, get(what, candidates)?);
        // Vectors of nothing are all alike; the kernel has nothing to go along.
        let empty = [0.0];
        let (q, s, c) = match c {
            0 => (&empty.repeat(n)[..], &empty.repeat(m)[..], 1),
            _ => (q, s, c),
        };
        for (index, candidates) in s.chunks(PACKED * c).enumerate() {
            let packed = panels(context, candidates, c);
            let base = index * PACKED;
            let pieces = slots(&mut nearest, ROWS).zip(q.chunks(ROWS * c)).collect();
            each(
                context,
                pieces,
                |((indices, products), rows): ((&mut [u32], &mut [f32]), &[f32])| {
                    let mut tile = Products::new(rows, c);
                    for (part, columns) in packed.chunks(PANELS * tile.depth).enumerate() {
                        tile.with(context, columns);
                        let start = base + part * PANELS * LANES;
                        let running = indices.chunks_mut(count).zip(products.chunks_mut(count));
                        with_simd!(context.token, simd => {
                            for (row, (indices, products)) in running.enumerate() {
                                let running = Running { indices, products };
                                tile.take_in(row, start, m, running);
                            }
                        });
                    }
                },
            );
        }
        Ok(nearest)
    }

    fn nearest_both(&self, a: &Tensor, b: &Tensor) -> Result<[Nearest; 2]> {
        let (context, what) = (&self.context, "nearest_both");
        let [n, m, c] = pair(what, a, b)?;
        if n * m * c == 0 {
            return Ok([self.nearest(a, b, 1)?, self.nearest(b, a, 1)?]);
        }
        let (mut forth, mut back) = (Nearest::of_nothing(n), Nearest::of_nothing(m));
        let (a, b) = (get(what, a)?, get(what, b)?);
        for (index, others) in b.chunks(PACKED * c).enumerate() {
            let packed = panels(context, others, c);
            let base = index * PACKED;
            let count = others.len() / c;
            let pieces = slots(&mut forth, ROWS).zip(a.chunks(ROWS * c)).enumerate();
            let pieces: Vec<_> = pieces.collect();
            // What the rows of a piece are to the others is taken in piece by piece, some pieces at a time: memory does not
            // grow with the rows.
            let mut pieces = pieces.into_iter();
            loop {
                let some: Vec<_> = pieces.by_ref().take(BOTH).collect();
                if some.is_empty() {
                    break;
                }
                let found = each(context, some, |(piece, ((indices, products), rows))| {
                    let (indices, products): (&mut [u32], &mut [f32]) = (indices, products);
                    let mut own = Nearest::of_nothing(count);
                    let mut tile = Products::new(rows, c);
                    for (part, columns) in packed.chunks(PANELS * tile.depth).enumerate() {
                        tile.with(context, columns);
                        let start = part * PANELS * LANES;
                        let running = indices.chunks_mut(1).zip(products.chunks_mut(1));
                        with_simd!(context.token, simd => {
                            for (row, (indices, products)) in running.enumerate() {
                                let running = Running { indices, products };
                                tile.take_in(row, base + start, m, running);
                                tile.give(row, piece * ROWS + row, start, &mut own);
                            }
                        });
                    }
                    own
                });
                let back = back.indices[base..]
                    .iter_mut()
                    .zip(&mut back.products[base..]);
                let mut back: Vec<_> = back.take(count).collect();
                for own in found {
                    let own = own.indices.into_iter().zip(own.products);
                    for ((index, product), (of, greatest)) in back.iter_mut().zip(own) {
                        // Of equal ones the first stays, which has the lower index.
                        if greatest > **product {
                            (**index, **product) = (of, greatest);
                        }
                    }
                }
            }
        }
        Ok([forth, back])
    }

    fn nearest_among(
        &self,
        queries: &Tensor,
        candidates: &Tensor,
        among: &[u32],
    ) -> Result<Nearest> {
        let (context, what) = (&self.context, "nearest_among");
        let [n, m, c] = pair(what, queries, candidates)?;
        let per = matched(what, [n, m], among, None)?;
        let mut nearest = Nearest {
            count: 1,
            indices: vec![0; n],
            products: vec![0.0; n],
        };
        let (q, s) = (get(what, queries)?, get(what, candidates)?);
        let pieces = slots(&mut nearest, ROWS).enumerate().collect();
        each(
            context,
            pieces,
            |(piece, (indices, products)): (usize, (&mut [u32], &mut [f32]))| {
                with_simd!(context.token, simd => {
                    let slots = indices.chunks_mut(1).zip(products.chunks_mut(1));
                    for (row, (indices, products)) in slots.enumerate() {
                        let row = piece * ROWS + row;
                        let mut running = Running { indices, products };
                        running.begin();
                        let query = &q[row * c..][..c];
                        for &index in &among[row * per..][..per] {
                            let product = dot(query, &s[index as usize * c..][..c]);
                            if product >= running.least() {
                                running.insert(index, product);
                            }
                        }
                    }
                });
            },
        );
        Ok(nearest)
    }

    fn matched_cosine(
        &self,
        rows: &Tensor,
        candidates: &Tensor,
        matches: &[u32],
        weights: Option<&[f32]>,
        k: f32,
    ) -> Result<(Scalar, Tensor)> {
        let (context, what) = (&self.context, "matched_cosine");
        let [n, m, c] = pair(what, rows, candidates)?;
        matched(what, [n, m], matches, weights)?;
        let (x, t) = (get(what, rows)?, get(what, candidates)?);
        let mut gradient = context.pool.take(n * c)?;
        let per = piece(c);
        let pieces = gradient.chunks_mut((per * c).max(1)).enumerate().collect();
        let sums = each(context, pieces, |(index, gradient): (usize, &mut [f32])| {
            let mut sum = 0.0;
            with_simd!(context.token, simd => {
                for (row, gradient) in gradient.chunks_exact_mut(c.max(1)).enumerate() {
                    let p = index * per + row;
                    let (x, t) = (&x[p * c..][..c], &t[matches[p] as usize * c..][..c]);
                    let weight = weights.map_or(1.0, |weights| f64::from(weights[p]));
                    let square = f64::from(dot(x, x));
                    let a = square.max(LEAST_SQUARE).sqrt();
                    let b = f64::from(dot(t, t)).max(LEAST_SQUARE).sqrt();
                    let cosine = f64::from(dot(x, t)) / (a * b);
                    sum += weight * (1.0 - cosine);
                    let factor = f64::from(k) * weight;
                    let own = if square > LEAST_SQUARE { factor * cosine / (a * a) } else { 0.0 };
                    let (own, other) = (own as f32, (factor / (a * b)) as f32);
                    for (g, (x, t)) in gradient.iter_mut().zip(x.iter().zip(t)) {
                        *g = own * x - other * t;
                    }
                }
            });
            sum
        });
        // Rows without columns are as far as can be, and have no gradient.
        let sum = match c {
            0 => weights.map_or(n as f64, |weights| {
                weights.iter().map(|&w| f64::from(w)).sum()
            }),
            _ => sums.iter().sum(),
        };
        Ok((Scalar::Ready(sum), put(gradient, &[n, c])))
    }
}

/// Rows of a matrix of `c` columns that are worked on at a time.
fn piece(c: usize) -> usize {
    (CHUNK / c.max(1)).max(1)
}

/// The four places around a point, and how much each counts, times a factor.
#[inline(always)]
fn weighted(point: Point, it: &Gathering, factor: f32) -> ([usize; 4], [f32; 4]) {
    let ([y0, y1, x0, x1], [dy, dx]) = point.corners(it.height, it.width);
    let (upper, lower) = (factor * (1.0 - dy), factor * dy);
    (
        [(y0, x0), (y0, x1), (y1, x0), (y1, x1)].map(|(y, x)| y * it.width + x),
        [
            upper * (1.0 - dx),
            upper * dx,
            lower * (1.0 - dx),
            lower * dx,
        ],
    )
}

/// Spread over lanes, so that it vectorises.
#[inline(always)]
fn dot(x: &[f32], y: &[f32]) -> f32 {
    let mut sums = [0.0f32; LANES];
    let ((x, x_rest), (y, y_rest)) = (x.as_chunks::<LANES>(), y.as_chunks::<LANES>());
    for (x, y) in x.iter().zip(y) {
        for lane in 0..LANES {
            sums[lane] += x[lane] * y[lane];
        }
    }
    for ((x, y), sum) in x_rest.iter().zip(y_rest).zip(&mut sums) {
        *sum += x * y;
    }
    sums.iter().sum()
}

/// The slots of some queries at a time.
fn slots(nearest: &mut Nearest, queries: usize) -> impl Iterator<Item = (&mut [u32], &mut [f32])> {
    let each = queries * nearest.count;
    nearest
        .indices
        .chunks_mut(each)
        .zip(nearest.products.chunks_mut(each))
}
