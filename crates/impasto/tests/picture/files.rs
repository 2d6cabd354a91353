//! Every kind of file decodes to the pixels that Pillow and littleCMS see. The files, the expected
//! pixels and the script that made both are in `golden/picture`.

use impasto::picture::{Depth, Limits, Picture};
use impasto_testing::compare::close;
use impasto_testing::{Failures, Tolerance};
use serde::Deserialize;

use super::golden;

#[derive(Deserialize)]
struct Case {
    file: String,
    width: usize,
    height: usize,
    depth: u8,
    tolerance: u16,
    /// Interleaved samples as hexadecimal digits.
    rgb: String,
    alpha: Option<String>,
}

fn cases() -> Vec<Case> {
    let read = |list: &str| -> Vec<Case> {
        let text = std::fs::read_to_string(golden(list)).unwrap();
        serde_json::from_str(&text).unwrap()
    };
    let mut cases = read("pictures.json");
    if cfg!(feature = "jxl") {
        cases.extend(read("jxl/pictures.json"));
    }
    cases
}

#[test]
fn every_file_decodes_to_the_pixels_that_others_see() {
    let mut failures = Failures::new();
    for case in cases() {
        failures.check(check(&case));
    }
    failures.assert_none();
}

fn check(case: &Case) -> Result<(), String> {
    let file = &case.file;
    let picture = Picture::open(&golden(file)).map_err(|error| error.to_string())?;
    let size = (picture.width(), picture.height());
    if size != (case.width, case.height) {
        return Err(format!(
            "{file}: {size:?} instead of {}×{}",
            case.width, case.height
        ));
    }
    let depth = if picture.depth() == Depth::Eight {
        8
    } else {
        16
    };
    if depth != case.depth {
        return Err(format!("{file}: {depth} bits instead of {}", case.depth));
    }
    let pixels = case.width * case.height;
    let top = f32::from(u16::MAX >> (16 - case.depth));
    // Samples that pass unchanged come back exactly, but for the rounding of f32.
    let tolerance = Tolerance::absolute(f64::from(case.tolerance) + 0.01);
    let compare = |what: &str, got: Vec<f32>, expected: &str| {
        let expected = samples(expected, case.depth);
        close(&format!("{file}: {what}"), &got, &expected, tolerance)
    };
    // From planes to pixels.
    let rgb = (0..3 * pixels).map(|i| picture.rgb()[i % 3 * pixels + i / 3] * top);
    compare("rgb", rgb.collect(), &case.rgb)?;
    match (&case.alpha, picture.alpha()) {
        (None, None) => Ok(()),
        (Some(expected), Some(alpha)) => {
            compare("alpha", alpha.iter().map(|a| a * top).collect(), expected)
        }
        (expected, _) => Err(format!(
            "{file}: alpha should be there: {}",
            expected.is_some()
        )),
    }
}

fn samples(digits: &str, depth: u8) -> Vec<u16> {
    let digits = digits.as_bytes().chunks(usize::from(depth) / 4);
    digits
        .map(|d| u16::from_str_radix(std::str::from_utf8(d).unwrap(), 16).unwrap())
        .collect()
}

#[test]
fn a_file_that_is_cut_short_is_an_error_and_never_half_a_picture() {
    let mut failures = Failures::new();
    for case in cases() {
        let bytes = std::fs::read(golden(&case.file)).unwrap();
        let whole = Picture::decode(&bytes, &case.file, &Limits::default()).unwrap();
        // In order of their values, because the orientation may follow the pixels.
        let samples = |picture: &Picture| {
            let mut samples = picture.rgb().to_vec();
            samples.sort_by(f32::total_cmp);
            samples
        };
        let whole = samples(&whole);
        for length in 0..bytes.len() {
            // What follows the pixels may be missing; pixels may not.
            let cut = Picture::decode(&bytes[..length], &case.file, &Limits::default());
            let half = cut.is_ok_and(|cut| samples(&cut) != whole);
            let checked = match half {
                true => Err(format!("{}: half of it from {length} bytes", case.file)),
                false => Ok(()),
            };
            if !failures.check(checked) {
                break;
            }
        }
    }
    failures.assert_none();
}
