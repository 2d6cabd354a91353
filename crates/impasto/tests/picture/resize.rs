//! Resampling agrees with Pillow (mode F) and torch, and does not depend on threads.

use std::collections::HashMap;

use impasto::picture::{Filter, Picture, resize_planes};
use impasto_testing::compare::close;
use impasto_testing::{Failures, Tolerance, assert_same};
use serde::Deserialize;

use super::golden;

#[derive(Deserialize)]
struct Case {
    from: (usize, usize),
    to: (usize, usize),
    /// Multiples of 1/255.
    input: Vec<u8>,
    outputs: HashMap<String, Vec<f32>>,
}

const FILTERS: [Filter; 4] = [
    Filter::Bicubic,
    Filter::BicubicPlain,
    Filter::Bilinear,
    Filter::BilinearPlain,
];

#[test]
fn planes_are_resampled_as_by_pillow_and_torch() {
    let text = std::fs::read_to_string(golden("resize.json")).unwrap();
    let cases: Vec<Case> = serde_json::from_str(&text).unwrap();
    let mut failures = Failures::new();
    for case in &cases {
        let plane: Vec<f32> = case.input.iter().map(|&v| f32::from(v) / 255.0).collect();
        for filter in FILTERS {
            let expected = &case.outputs[&format!("{filter:?}")];
            let got = resize_planes(&plane, 1, case.from, case.to, filter);
            let what = format!("{filter:?} {:?} → {:?}", case.from, case.to);
            failures.check(close(&what, &got, expected, Tolerance::absolute(1e-5)));
        }
    }
    failures.assert_none();
}

#[test]
fn planes_do_not_mix() {
    let planes: Vec<f32> = (0..3 * 7 * 5).map(|i| (i % 13) as f32).collect();
    for filter in FILTERS {
        let together = resize_planes(&planes, 3, (7, 5), (4, 9), filter);
        for c in 0..3 {
            let alone = resize_planes(&planes[c * 35..][..35], 1, (7, 5), (4, 9), filter);
            assert_same(
                &format!("{filter:?} plane {c}"),
                &together[c * 36..][..36],
                &alone,
            );
        }
    }
}

#[test]
fn the_result_does_not_depend_on_the_number_of_threads() {
    let plane: Vec<f32> = (0..300 * 200)
        .map(|i| ((i * 7919) % 1000) as f32 / 999.0)
        .collect();
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| resize_planes(&plane, 1, (300, 200), (77, 501), Filter::Bicubic))
    };
    assert_same("threads", &with(3), &with(1));
}

#[test]
fn what_is_clear_does_not_bleed_into_what_is_opaque() {
    // Left half opaque red, right half clear green.
    let (width, height) = (16, 4);
    let left = |i: usize| if i % width < width / 2 { 1.0 } else { 0.0 };
    let plane = |value: &dyn Fn(usize) -> f32| (0..width * height).map(value).collect::<Vec<_>>();
    let rgb = [plane(&left), plane(&|i| 1.0 - left(i)), plane(&|_| 0.0)].concat();
    let picture = Picture::new(width, height, rgb)
        .unwrap()
        .with_alpha(plane(&left))
        .unwrap();
    for (new_width, new_height) in [(5, 3), (1, 1), (40, 9)] {
        for filter in FILTERS {
            let resized = picture.resized(new_width, new_height, filter);
            let pixels = new_width * new_height;
            let alpha = resized.alpha().unwrap();
            assert!(alpha.iter().all(|a| (0.0..=1.0).contains(a)));
            for i in (0..pixels).filter(|&i| alpha[i] > 1e-3) {
                let (red, green) = (resized.rgb()[i], resized.rgb()[pixels + i]);
                assert!(
                    red > 0.999 && green < 0.001,
                    "{filter:?} {i}: {red} {green}"
                );
            }
        }
    }
}

#[test]
fn overshoot_is_clamped_in_pictures_and_kept_in_planes() {
    let edge = vec![0.0, 0.0, 1.0, 1.0];
    let planes = resize_planes(&edge, 1, (1, 4), (1, 16), Filter::Bicubic);
    assert!(planes.iter().any(|&v| v > 1.01) && planes.iter().any(|&v| v < -0.01));
    let picture = Picture::new(4, 1, [edge.clone(), edge.clone(), edge].concat()).unwrap();
    let resized = picture.resized(16, 1, Filter::Bicubic);
    assert!(resized.rgb().iter().all(|v| (0.0..=1.0).contains(v)));
}
