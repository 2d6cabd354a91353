//! Total variation and its gradient: a sum over pairs of neighbours, see [`TotalVariation`].

use super::{get, put};
use crate::{ComputeError, Reduction, Result, Scalar, Tensor, TotalVariation};

/// One family of neighbour pairs: the step from a pixel to its neighbour, by how many pixels the picture is
/// continued beyond its border, and the weight of the family.
struct Pairs {
    down: usize,
    right: isize,
    border: usize,
    weight: f64,
}

/// Value, and `k` times the gradient.
pub(super) fn total_variation(
    image: &Tensor,
    kind: TotalVariation,
    reduction: Reduction,
    k: f64,
) -> Result<(Scalar, Tensor)> {
    let values = get("total_variation", image)?;
    let &[c, h, w] = image.shape() else {
        return Err(ComputeError::Shape {
            what: "total_variation",
            expected: vec![3, 0, 0],
            got: image.shape().to_vec(),
        });
    };
    if values.is_empty() {
        return Ok((Scalar::Ready(0.0), put(Vec::new(), image.shape())));
    }
    let nine = kind == TotalVariation::NinePoint;
    let straight = if nine { 2.0 / 3.0 } else { 1.0 };
    let mut families = vec![
        Pairs {
            down: 0,
            right: 1,
            border: 0,
            weight: straight,
        },
        Pairs {
            down: 1,
            right: 0,
            border: 0,
            weight: straight,
        },
    ];
    if nine {
        families.push(Pairs {
            down: 1,
            right: 1,
            border: 1,
            weight: 1.0 / 6.0,
        });
        families.push(Pairs {
            down: 1,
            right: -1,
            border: 1,
            weight: 1.0 / 6.0,
        });
    }
    let mut value = 0.0;
    let mut gradient = vec![0.0; values.len()];
    for Pairs {
        down,
        right,
        border,
        weight,
    } in families
    {
        let (ph, pw) = (h + 2 * border, w + 2 * border);
        // The value at a place of the continued picture is that of the nearest pixel.
        let place = |y: usize, x: usize| {
            let y = y.saturating_sub(border).min(h - 1);
            let x = x.saturating_sub(border).min(w - 1);
            y * w + x
        };
        // The nine-point form counts the differences across the far border too, which are zero.
        let pairs = (ph - down) * (pw - right.unsigned_abs());
        let count = c * if nine && border == 0 { h * w } else { pairs };
        if pairs == 0 {
            continue;
        }
        let scale = match reduction {
            Reduction::Mean => weight / count as f64,
            Reduction::Sum => weight,
        };
        let columns = if right < 0 {
            1..pw
        } else {
            0..pw - right as usize
        };
        for plane in 0..c {
            for y in 0..ph - down {
                for x in columns.clone() {
                    let from = plane * h * w + place(y, x);
                    let to = plane * h * w + place(y + down, x.wrapping_add_signed(right));
                    let difference = values[to] - values[from];
                    let (term, slope) = match kind {
                        TotalVariation::L1 if difference == 0.0 => (0.0, 0.0),
                        TotalVariation::L1 => (difference.abs(), difference.signum()),
                        TotalVariation::L2 | TotalVariation::NinePoint => {
                            (difference * difference, 2.0 * difference)
                        }
                    };
                    value += scale * term;
                    gradient[to] += k * scale * slope;
                    gradient[from] -= k * scale * slope;
                }
            }
        }
    }
    Ok((Scalar::Ready(value), put(gradient, image.shape())))
}
