//! Total variation.

use super::{ROUNDING, Results, agree, same_for_any_threads, values};
use impasto_compute::{Device, Reduction, Result, TotalVariation};
use impasto_testing::{Tolerance, noise};

const KINDS: [TotalVariation; 3] = [
    TotalVariation::L1,
    TotalVariation::L2,
    TotalVariation::NinePoint,
];

pub(super) fn script(
    device: &dyn Device,
    shape: [usize; 3],
    kind: TotalVariation,
    reduction: Reduction,
) -> Result<Results> {
    let mut pixels = noise(7, shape.iter().product());
    // A flat patch: differences of exactly 0, where the L1 norm has a corner.
    let flat = pixels.len() / 3;
    pixels[..flat].fill(0.25);
    let image = device.upload(&pixels, &shape)?;
    let (value, gradient) = device.total_variation(&image, kind, reduction, 1.75)?;
    Ok(vec![
        ("value", vec![value.value()?]),
        ("gradient", values(device, &gradient)?),
    ])
}

/// Maps whose places are multiplied.
pub(super) fn scaled_script(device: &dyn Device, [c, h, w]: [usize; 3]) -> Result<Results> {
    let mut map = device.upload(&noise(8, c * h * w), &[c, h, w])?;
    let factors = device.upload(&noise(9, h * w), &[h, w])?;
    device.scale_places(&mut map, &factors)?;
    // Whatever fills up a block of channels must stay zero.
    let sum = device.sum_abs(&map)?.value()?;
    Ok(vec![
        ("scale_places", values(device, &map)?),
        ("its sum_abs", vec![sum]),
    ])
}

#[test]
fn scaled_places_agree() {
    for shape in [
        [1, 1, 1],
        [3, 7, 5],
        [4, 1, 19],
        [5, 3, 2],
        [40, 23, 31],
        [16, 0, 4],
        [0, 3, 5],
    ] {
        agree(&format!("{shape:?}"), ROUNDING, |device| {
            scaled_script(device, shape)
        });
    }
}

#[test]
fn total_variation_agrees() {
    let shapes = [
        [1, 1, 1],
        [3, 1, 1],
        [3, 1, 2],
        [3, 2, 1],
        [3, 2, 2],
        [3, 3, 3],
        [1, 7, 3],
        [3, 3, 7],
        [3, 17, 16],
        [4, 1, 19],
        [3, 35, 33],
        [3, 97, 131],
        [6, 5, 9],
        [3, 0, 4],
        [3, 4, 0],
        [0, 4, 4],
    ];
    for shape in shapes {
        for kind in KINDS {
            for reduction in [Reduction::Mean, Reduction::Sum] {
                let case = format!("{kind:?} {reduction:?} of {shape:?}");
                let tolerance = Tolerance {
                    absolute: 2e-6,
                    relative: 2e-6,
                };
                agree(&case, tolerance, |device| {
                    script(device, shape, kind, reduction)
                });
            }
        }
    }
}

#[test]
fn total_variation_does_not_depend_on_threads() {
    for kind in KINDS {
        for shape in [[3, 333, 401], [1, 2, 100_003], [3, 50_001, 2]] {
            same_for_any_threads(&format!("{kind:?} of {shape:?}"), |device| {
                script(device, shape, kind, Reduction::Mean)
            });
        }
    }
}
