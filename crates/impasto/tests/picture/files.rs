//! Every kind of file decodes to the pixels that Pillow and littleCMS see. The files, the expected
//! pixels and the script that made both are in `golden/picture`.

use impasto::picture::{Depth, Limits, Picture};
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
    let text = std::fs::read_to_string(golden("pictures.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn every_file_decodes_to_the_pixels_that_others_see() {
    let failures: Vec<String> = cases()
        .iter()
        .filter_map(|case| check(case).err())
        .collect();
    assert!(
        failures.is_empty(),
        "{} files differ:\n{}",
        failures.len(),
        failures.join("\n")
    );
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
    let rgb = samples(&case.rgb, case.depth);
    compare(file, case, "rgb", &rgb, |i| {
        picture.rgb()[i % 3 * pixels + i / 3] * top
    })?;
    match (&case.alpha, picture.alpha()) {
        (None, None) => Ok(()),
        (Some(expected), Some(alpha)) => {
            let expected = samples(expected, case.depth);
            compare(file, case, "alpha", &expected, |i| alpha[i] * top)
        }
        (expected, _) => Err(format!(
            "{file}: alpha should be there: {}",
            expected.is_some()
        )),
    }
}

fn compare(
    file: &str,
    case: &Case,
    what: &str,
    expected: &[u16],
    got: impl Fn(usize) -> f32,
) -> Result<(), String> {
    let difference = |i: usize| (got(i) - f32::from(expected[i])).abs();
    let worst = (0..expected.len())
        .max_by(|&a, &b| difference(a).total_cmp(&difference(b)))
        .unwrap();
    // Samples that pass unchanged come back exactly, but for the rounding of f32.
    if difference(worst) <= f32::from(case.tolerance) + 0.01 {
        return Ok(());
    }
    Err(format!(
        "{file}: {what} sample {worst} is {} instead of {}, off by more than {}",
        got(worst),
        expected[worst],
        case.tolerance
    ))
}

fn samples(digits: &str, depth: u8) -> Vec<u16> {
    let digits = digits.as_bytes().chunks(usize::from(depth) / 4);
    digits
        .map(|d| u16::from_str_radix(std::str::from_utf8(d).unwrap(), 16).unwrap())
        .collect()
}

#[test]
fn a_file_that_is_cut_short_is_an_error_and_never_half_a_picture() {
    let mut failures = Vec::new();
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
            if cut.is_ok_and(|cut| samples(&cut) != whole) {
                failures.push(format!("{}: {length} of {} bytes", case.file, bytes.len()));
                break;
            }
        }
    }
    assert!(
        failures.is_empty(),
        "half pictures:\n{}",
        failures.join("\n")
    );
}
