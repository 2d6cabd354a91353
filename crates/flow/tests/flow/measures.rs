//! How steady a video is.

use crate::scenes::{noise, shown};
use impasto_flow::{Error, Flicker, Flow, Frame, Mask, stability, still, warping_error};
use impasto_testing::{Tolerance, assert_close};

const NEAR: Tolerance = Tolerance {
    absolute: 1e-6,
    relative: 0.0,
};

fn grey(values: [f32; 4]) -> Frame {
    Frame::new(1, 1, 4, values.to_vec()).unwrap()
}

fn mask(kept: [bool; 4]) -> Mask {
    Mask::new(1, 4, kept.to_vec()).unwrap()
}

#[test]
fn the_warping_error_is_the_mean_over_what_counts() {
    let (now, next) = (grey([0.1, 0.2, 0.3, 0.4]), grey([0.9, 0.1, 0.3, 0.3]));
    let flow = Flow::from_fn(1, 4, |_, _| [1.0, 0.0]).unwrap();
    // Seen along the flow: .1 .3 .3 .3, of which the last is not there.
    let error = warping_error(&now, &next, &flow, &mask([true, true, true, false])).unwrap();
    assert_close("mean square", &[error.unwrap()], &[0.01 / 3.0], NEAR);
    assert_eq!(
        warping_error(&now, &next, &flow, &mask([false; 4])).unwrap(),
        None
    );
    assert_close(
        "root",
        &[stability(&[0.01, 0.03]).unwrap()],
        &[0.02f64.sqrt()],
        NEAR,
    );
    assert_eq!(stability(&[]), None);
    let taller = Frame::new(1, 4, 1, vec![0.0; 4]).unwrap();
    assert!(matches!(
        warping_error(&now, &taller, &flow, &mask([true; 4])),
        Err(Error::Size { .. })
    ));
    let colored = Frame::new(3, 1, 4, vec![0.0; 12]).unwrap();
    assert!(matches!(
        warping_error(&now, &colored, &flow, &mask([true; 4])),
        Err(Error::Shape { .. })
    ));
}

#[test]
fn what_follows_its_flow_has_no_error() {
    let texture = noise(90);
    let (now, next) = (
        shown(&texture, 50, 40),
        shown(|x, y| texture(x - 2.0, y - 1.0), 50, 40),
    );
    let flow = Flow::from_fn(40, 50, |_, _| [2.0, 1.0]).unwrap();
    let inside = Mask::new(
        40,
        50,
        (0..2000).map(|i| i % 50 < 48 && i / 50 < 39).collect(),
    )
    .unwrap();
    let right = warping_error(&now, &next, &flow, &inside).unwrap().unwrap();
    let wrong = warping_error(
        &now,
        &next,
        &Flow::from_fn(40, 50, |_, _| [0.0; 2]).unwrap(),
        &inside,
    )
    .unwrap()
    .unwrap();
    assert!(right < 1e-9 && wrong > 1e-3, "{right}, {wrong}");
}

#[test]
fn still_is_what_neither_moves_nor_changes() {
    let (a, b) = (grey([0.5, 0.5, 0.5, 0.5]), grey([0.5, 0.52, 0.5, 0.505]));
    let flow = Flow::new(1, 4, vec![0.0, 0.0, 0.2, 0.05, 0.0, 0.0, 0.0, -0.05]).unwrap();
    assert_eq!(
        still(&a, &b, &flow).unwrap(),
        mask([true, false, false, true])
    );
}

#[test]
fn flicker_is_the_variance_of_runs() {
    let frames = [
        [0.1, 0.5, 0.2, 0.9],
        [0.3, 0.5, 0.4, 0.1],
        [0.2, 0.5, 0.8, 0.9],
    ]
    .map(grey);
    let mut flicker = Flicker::new(&frames[0]);
    assert_eq!(flicker.power(), None);
    flicker
        .push(&frames[1], &mask([true, true, false, false]))
        .unwrap();
    flicker
        .push(&frames[2], &mask([true, true, true, false]))
        .unwrap();
    // Runs: (.1 .3 .2) with Σ = .02, (.5 .5 .5) with 0, (.4 .8) with .08; 2 + 2 + 1 degrees of freedom.
    assert_close("variance", &[flicker.power().unwrap()], &[0.1 / 5.0], NEAR);
    let taller = Frame::new(1, 4, 1, vec![0.0; 4]).unwrap();
    assert!(matches!(
        flicker.push(&taller, &mask([true; 4])),
        Err(Error::Size { .. })
    ));
}
