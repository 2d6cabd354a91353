//! Pictures, flows and masks moved along flow.

use crate::scenes::{noise, shown};
use impasto_flow::{Error, Flow, Frame, Interpolation, Mask, compose, warp, warp_maps};
use impasto_testing::{Tolerance, assert_close, assert_same};

const BOTH: [Interpolation; 2] = [Interpolation::Bilinear, Interpolation::Cubic];

fn constant(width: usize, height: usize, motion: [f32; 2]) -> Flow {
    Flow::from_fn(height, width, |_, _| motion).unwrap()
}

#[test]
fn whole_steps_copy_pixels_and_edges_go_on() {
    let frame = Frame::new(
        1,
        2,
        4,
        [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]
            .map(|value| value / 10.0)
            .to_vec(),
    )
    .unwrap();
    for by in BOTH {
        let got = warp(&frame, &constant(4, 2, [2.0, 0.0]), by).unwrap();
        assert_same(
            "to the right",
            got.data(),
            &[0.3, 0.4, 0.4, 0.4, 0.7, 0.8, 0.8, 0.8],
        );
        let got = warp(&frame, &constant(4, 2, [0.0, -1.0]), by).unwrap();
        assert_same("up", got.data(), &[0.1, 0.2, 0.3, 0.4, 0.1, 0.2, 0.3, 0.4]);
        assert_same(
            "still",
            warp(&frame, &constant(4, 2, [0.0; 2]), by).unwrap().data(),
            frame.data(),
        );
    }
}

#[test]
fn between_pixels_is_what_the_formulas_say() {
    let maps = [0.0, 1.0, 4.0, 9.0, 16.0, 25.0];
    let at_half = constant(6, 1, [0.5, 0.0]);
    let bilinear = warp_maps(&maps, 1, &at_half, Interpolation::Bilinear).unwrap();
    let tolerance = Tolerance {
        absolute: 1e-5,
        relative: 0.0,
    };
    assert_close(
        "bilinear",
        &bilinear,
        &[0.5, 2.5, 6.5, 12.5, 20.5, 25.0],
        tolerance,
    );
    // A parabola comes out as it is, away from the edges.
    let cubic = warp_maps(&maps, 1, &at_half, Interpolation::Cubic).unwrap();
    assert_close("cubic", &cubic[1..4], &[2.25, 6.25, 12.25], tolerance);
    // Weights −1/16, 9/16, 9/16, −1/16 of 0, 0, 1, 4.
    assert_close("cubic at the edge", &cubic[..1], &[0.3125], tolerance);
}

#[test]
fn cubic_stays_sharper() {
    let texture = noise(5);
    let frame = shown(&texture, 60, 60);
    let error = |by: Interpolation| {
        let mut moved = frame.clone();
        for step in 0..8 {
            let motion = if step % 2 == 0 { 0.5 } else { -0.5 };
            moved = warp(&moved, &constant(60, 60, [motion, motion]), by).unwrap();
        }
        moved
            .data()
            .iter()
            .zip(frame.data())
            .map(|(a, b)| f64::from((a - b) * (a - b)))
            .sum::<f64>()
    };
    let (bilinear, cubic) = (error(Interpolation::Bilinear), error(Interpolation::Cubic));
    assert!(cubic < 0.25 * bilinear, "{cubic} against {bilinear}");
}

#[test]
fn wild_flow_and_wrong_sizes_do_no_harm() {
    let frame = shown(noise(1), 9, 7);
    let wild = Flow::from_fn(7, 9, |x, y| {
        [
            [f32::NAN, f32::INFINITY, -1e30][x % 3],
            [f32::NEG_INFINITY, f32::NAN, 1e30][y % 3],
        ]
    });
    let wild = wild.unwrap();
    for by in BOTH {
        assert!(
            warp(&frame, &wild, by)
                .unwrap()
                .data()
                .iter()
                .all(|value| value.is_finite())
        );
    }
    let (_, valid) = compose(&wild, &wild).unwrap();
    assert_eq!(valid.share(), 0.0);
    assert!(matches!(
        warp(&frame, &constant(7, 9, [0.0; 2]), Interpolation::Cubic),
        Err(Error::Size { .. })
    ));
    assert!(matches!(
        warp_maps(frame.data(), 2, &wild, Interpolation::Cubic),
        Err(Error::Shape { .. })
    ));
    assert!(matches!(
        warp_maps(&[], usize::MAX, &wild, Interpolation::Cubic),
        Err(Error::Shape { .. })
    ));
    assert!(matches!(
        compose(&wild, &constant(7, 9, [0.0; 2])),
        Err(Error::Size { .. })
    ));
}

#[test]
fn flows_add_up_along_the_way() {
    // The first shifts by 3, the second stretches around the left edge: x + 3 goes to 1.5 (x + 3).
    let first = constant(20, 5, [3.0, 0.0]);
    let second = Flow::from_fn(5, 20, |x, _| [0.5 * x as f32, 0.0]).unwrap();
    let (got, valid) = compose(&first, &second).unwrap();
    for x in 0..20 {
        let to = 1.5 * (x as f32 + 3.0);
        assert_eq!(valid.data()[x], to <= 19.5, "{x}");
        if valid.data()[x] {
            assert_close(
                "u",
                &[got.u()[x]],
                &[to - x as f32],
                Tolerance {
                    absolute: 1e-5,
                    relative: 0.0,
                },
            );
            assert_eq!(got.v()[x], 0.0);
        }
    }
    let (same, all) = compose(&constant(20, 5, [0.0; 2]), &second).unwrap();
    assert_same("nothing, then the second", same.u(), second.u());
    assert!(all.data()[13]);
    assert!(!all.data()[14]);
}

#[test]
fn sizes_of_flows_change_by_their_true_ratio() {
    // A stretch by a tenth is the same in every size.
    let stretch = |width: usize, height: usize| {
        Flow::from_fn(height, width, |x, y| {
            [0.1 * (x as f32 + 0.5), -0.2 * (y as f32 + 0.5)]
        })
        .unwrap()
    };
    let got = stretch(21, 13).resized(27, 40).unwrap();
    assert_eq!(got.size(), (40, 27));
    let expected = stretch(40, 27);
    for y in 2..25 {
        let row = y * 40 + 2..y * 40 + 38;
        let tolerance = Tolerance {
            absolute: 1e-4,
            relative: 0.0,
        };
        assert_close(
            "u",
            &got.u()[row.clone()],
            &expected.u()[row.clone()],
            tolerance,
        );
        assert_close("v", &got.v()[row.clone()], &expected.v()[row], tolerance);
    }
    let flow = stretch(21, 13);
    assert_eq!(flow.resized(13, 21).unwrap(), flow);
    assert!(matches!(flow.resized(0, 3), Err(Error::Shape { .. })));
}

#[test]
fn masks_of_two_steps_are_one() {
    let mask = |kept: [u8; 6]| Mask::new(1, 6, kept.map(|kept| kept == 1).to_vec()).unwrap();
    let (first, next) = (mask([1, 1, 1, 0, 1, 1]), mask([1, 1, 0, 1, 1, 1]));
    let got = first.then(&constant(6, 1, [1.0, 0.0]), &next).unwrap();
    // What goes to the third is lost, so is what left.
    assert_eq!(got, mask([1, 0, 1, 0, 1, 0]));
    let between = first.then(&constant(6, 1, [0.5, 0.0]), &next).unwrap();
    assert_eq!(between, mask([1, 0, 0, 0, 1, 1]));
    assert!(matches!(
        first.then(&constant(5, 1, [0.0; 2]), &next),
        Err(Error::Size { .. })
    ));
}
