//! Flow of frames of any size and content.

use crate::scenes::{Scene, end_point_error, noise, shown};
use impasto_flow::{
    Error, Flow, Frame, Guess, Preset, Pyramid, Settings, both, both_between, flow, flow_between,
};
use impasto_testing::{assert_same, noise as numbers};

const PRESETS: [Preset; 3] = [Preset::Fast, Preset::Medium, Preset::Fine];

/// Frames that fit no patch, one patch, and no power of two.
const SIZES: [(usize, usize); 11] = [
    (1, 1),
    (2, 1),
    (1, 7),
    (3, 2),
    (7, 7),
    (7, 64),
    (8, 8),
    (9, 17),
    (33, 31),
    (65, 40),
    (129, 3),
];

fn frame(seed: u64, width: usize, height: usize) -> Frame {
    let data = numbers(seed, 3 * width * height)
        .iter()
        .map(|value| 0.5 + 0.5 * value)
        .collect();
    Frame::new(3, height, width, data).unwrap()
}

/// Of the pair before.
fn before(flow: &Flow) -> Guess<'_> {
    Guess {
        before: Some(flow),
        other: None,
    }
}

#[test]
fn what_does_not_change_does_not_move() {
    for (width, height) in SIZES {
        let still = frame(3, width, height);
        for preset in PRESETS {
            let got = flow(&still, &still, &preset.settings(), Default::default()).unwrap();
            assert_eq!(got.size(), (width, height));
            assert!(
                got.data().iter().all(|&value| value == 0.0),
                "{preset:?} at {width}×{height}"
            );
        }
    }
}

#[test]
fn every_size_has_a_finite_flow() {
    for (width, height) in SIZES {
        let (a, b) = (frame(5, width, height), frame(6, width, height));
        for preset in PRESETS {
            let got = flow(&a, &b, &preset.settings(), Default::default()).unwrap();
            assert!(
                got.data().iter().all(|value| value.is_finite()),
                "{preset:?} at {width}×{height}"
            );
        }
    }
}

#[test]
fn black_that_turns_white_has_a_finite_flow() {
    let (black, white) = (
        Frame::new(1, 40, 50, vec![0.0; 2000]).unwrap(),
        Frame::new(1, 40, 50, vec![1.0; 2000]).unwrap(),
    );
    let got = flow(&black, &white, &Settings::default(), Default::default()).unwrap();
    assert!(got.data().iter().all(|value| value.abs() < 1.0));
}

#[test]
fn shifts_are_found() {
    let texture = noise(7);
    for (shift, most) in [
        ([0.3, -0.6], 0.03),
        ([4.0, 3.0], 0.03),
        ([-11.5, 7.25], 0.1),
        ([40.0, -18.0], 0.6),
    ] {
        let a = shown(&texture, 201, 143);
        let b = shown(|x, y| texture(x - shift[0], y - shift[1]), 201, 143);
        let got = flow(&a, &b, &Settings::default(), Default::default()).unwrap();
        // What left the picture cannot be found.
        let inside = |x: usize, y: usize| {
            let (x, y) = (x as f32 + shift[0], y as f32 + shift[1]);
            x >= 0.0 && y >= 0.0 && x <= 200.0 && y <= 142.0
        };
        let truth = Flow::from_fn(
            143,
            201,
            |x, y| if inside(x, y) { shift } else { [1e10, 1e10] },
        )
        .unwrap();
        let error = end_point_error(&got, &truth);
        assert!(error < most, "{shift:?}: {error}");
    }
}

#[test]
fn grey_frames_will_do() {
    let texture = noise(8);
    let grey = |frame: &Frame| Frame::new(1, frame.height(), frame.width(), frame.luma()).unwrap();
    let a = grey(&shown(&texture, 90, 70));
    let b = grey(&shown(|x, y| texture(x - 2.5, y + 1.0), 90, 70));
    let got = flow(&a, &b, &Settings::default(), Default::default()).unwrap();
    let truth = Flow::from_fn(70, 90, |_, _| [2.5, -1.0]).unwrap();
    let error = end_point_error(&got, &truth);
    assert!(error < 0.1, "{error}");
}

#[test]
fn values_that_are_no_numbers_do_no_harm() {
    let mut data = frame(9, 60, 50).data().to_vec();
    for (i, value) in data.iter_mut().enumerate().step_by(7) {
        *value = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30][i % 4];
    }
    let (bad, good) = (Frame::new(3, 50, 60, data).unwrap(), frame(10, 60, 50));
    let guess = Flow::from_fn(50, 60, |x, y| {
        [
            [f32::NAN, f32::INFINITY, 1e30][x % 3],
            [0.0, f32::NAN, -1e30][y % 3],
        ]
    })
    .unwrap();
    for (a, b) in [(&bad, &good), (&good, &bad), (&bad, &bad)] {
        let known = Guess {
            other: Some(&guess),
            ..before(&guess)
        };
        let got = flow(a, b, &Settings::default(), known).unwrap();
        assert!(got.data().iter().all(|value| value.is_finite()));
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let (a, b) = (frame(1, 20, 30), frame(1, 30, 20));
    let settings = Settings::default();
    assert!(matches!(
        flow(&a, &b, &settings, Default::default()),
        Err(Error::Size {
            got: (30, 20),
            needed: (20, 30),
            ..
        })
    ));
    let guess = Flow::from_fn(20, 30, |_, _| [0.0; 2]).unwrap();
    assert!(matches!(
        flow(&a, &a, &settings, before(&guess)),
        Err(Error::Size { .. })
    ));
    let other = Guess {
        other: Some(&guess),
        before: None,
    };
    assert!(matches!(
        flow(&a, &a, &settings, other),
        Err(Error::Size { .. })
    ));
    let strides = Settings {
        stride: 9,
        ..settings
    };
    assert!(matches!(
        flow(&a, &a, &strides, Default::default()),
        Err(Error::Setting {
            setting: "stride",
            ..
        })
    ));
    let mut endless = settings;
    endless.refinement.relaxation = f32::NAN;
    assert!(matches!(
        both(&a, &a, &endless, Default::default()),
        Err(Error::Setting {
            setting: "relaxation",
            ..
        })
    ));
    assert!(matches!(
        Frame::new(2, 3, 3, vec![0.0; 18]),
        Err(Error::Shape { .. })
    ));
    assert!(matches!(
        Frame::new(3, 0, 3, vec![]),
        Err(Error::Shape { .. })
    ));
    assert!(matches!(
        Frame::new(1, usize::MAX, 2, vec![0.0; 2]),
        Err(Error::Shape { .. })
    ));
    assert!(matches!(
        Flow::new(2, 2, vec![0.0; 7]),
        Err(Error::Shape { .. })
    ));
}

#[test]
fn threads_change_no_bit() {
    let scene = Scene {
        size: (310, 227),
        turn: 0.02,
        growth: 1.02,
        shift: [5.0, -2.0],
        radius: 50.0,
        flight: [-12.0, 6.0],
    };
    let pair = scene.pair(&noise(20), &noise(30));
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            both(
                &pair.first,
                &pair.second,
                &Settings::default(),
                Default::default(),
            )
        })
        .unwrap()
    };
    let one = on(1);
    for threads in [2, 3] {
        for (got, expected) in on(threads).iter().zip(&one) {
            assert_same(&format!("{threads} threads"), got.data(), expected.data());
        }
    }
}

#[test]
fn pyramids_serve_two_pairs_and_both_directions() {
    let texture = noise(40);
    let frames = [0.0, 1.5, 3.0].map(|at| shown(|x, y| texture(x - at, y), 80, 60));
    let [first, second, third] = [0, 1, 2].map(|i| Pyramid::new(&frames[i]));
    let settings = Preset::Medium.settings();
    let [there, back] = both_between(&first, &second, &settings, Default::default()).unwrap();
    assert_eq!(
        there,
        flow(&frames[0], &frames[1], &settings, Default::default()).unwrap()
    );
    assert_eq!(
        back,
        flow(&frames[1], &frames[0], &settings, Default::default()).unwrap()
    );
    assert_eq!(
        flow_between(&second, &third, &settings, before(&there)).unwrap(),
        flow(&frames[1], &frames[2], &settings, before(&there)).unwrap()
    );
}

#[test]
fn the_pair_before_helps_a_small_thing_that_flies_fast() {
    let scene = Scene {
        size: (320, 240),
        turn: 0.0,
        growth: 1.0,
        shift: [0.0, 0.0],
        radius: 9.0,
        flight: [45.0, 0.0],
    };
    let pair = scene.pair(&noise(50), &noise(60));
    let settings = Settings::default();
    let middle = |got: &Flow| end_point_error(&window(got), &window(&pair.truth));
    let alone = middle(&flow(&pair.first, &pair.second, &settings, Default::default()).unwrap());
    let known = Flow::from_fn(240, 320, |x, y| {
        if (x as f32 - 115.0).hypot(y as f32 - 120.0) < 9.0 {
            [45.0, 0.0]
        } else {
            [0.0; 2]
        }
    });
    let helped = middle(
        &flow(
            &pair.first,
            &pair.second,
            &settings,
            before(&known.unwrap()),
        )
        .unwrap(),
    );
    assert!(
        helped < 2.0 && helped <= alone,
        "{helped} with the pair before, {alone} without"
    );
}

/// The pixels around the middle of a flow of 320×240.
fn window(from: &Flow) -> Flow {
    Flow::from_fn(9, 9, |x, y| {
        let i = (116 + y) * 320 + 156 + x;
        [from.u()[i], from.v()[i]]
    })
    .unwrap()
}
