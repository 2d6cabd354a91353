//! What can be relied on.

use crate::scenes::{Scene, Texture, end_point_errors, noise, photo, png};
use impasto_flow::{Error, Flow, Mask, Rule, Settings, both, reliable};
use impasto_testing::{Failures, shared};

/// Motions of ground and front: turns, growth, shifts; small and large.
const SCENES: [([f32; 2], f32, f32, [f32; 2]); 5] = [
    // Shift, turn, growth, flight.
    ([1.5, -0.7], 0.0, 1.0, [6.0, 3.0]),
    ([0.0, 0.0], 0.03, 1.0, [-8.0, 2.0]),
    ([-2.0, 1.0], 0.0, 1.05, [9.0, -4.0]),
    ([4.0, 2.0], -0.02, 0.97, [-5.0, -9.0]),
    ([-9.0, 0.0], 0.01, 1.0, [11.0, 0.0]),
];

fn check(
    name: &str,
    ground: &Texture,
    front: &Texture,
    size: (usize, usize),
    failures: &mut Failures,
) {
    for (shift, turn, growth, flight) in SCENES {
        let radius = 0.2 * size.1 as f32;
        let pair = Scene {
            size,
            turn,
            growth,
            shift,
            radius,
            flight,
        }
        .pair(ground, front);
        let [there, back] = both(
            &pair.first,
            &pair.second,
            &Settings::default(),
            Default::default(),
        )
        .unwrap();
        let mask = reliable(&there, &back, &Rule::default()).unwrap();
        let errors = end_point_errors(&there, &pair.truth);
        let count =
            |of: &dyn Fn(usize) -> bool| (0..errors.len()).filter(|&i| of(i)).count() as f64;
        let kept = |i: usize| mask.data()[i];
        let seen = |i: usize| pair.seen.data()[i];
        let kept_of_seen = count(&|i| kept(i) && seen(i)) / count(&seen);
        let wrong =
            count(&|i| kept(i) && errors[i].is_some_and(|error| error > 3.0)) / count(&kept);
        let hidden = count(&|i| kept(i) && !seen(i)) / count(&|i| !seen(i));
        let said = format!(
            "{name}, {shift:?} {turn} {growth} {flight:?}: {kept_of_seen:.3} kept of what is seen, {hidden:.3} of \
                            what is not, {wrong:.4} of what is kept wrong"
        );
        failures.check(if kept_of_seen >= 0.92 && wrong <= 0.01 && hidden <= 0.25 {
            Ok(())
        } else {
            Err(said)
        });
    }
}

#[test]
fn what_becomes_hidden_is_not_relied_on() {
    let mut failures = Failures::new();
    check("noise", &noise(70), &noise(80), (256, 192), &mut failures);
    failures.assert_none();
}

#[test]
fn nor_is_it_in_photos() {
    let Some(folder) = shared("video") else {
        return;
    };
    let texture = |path: &str| photo(png(&folder.join(path)));
    let (ground, front) = (
        texture("middlebury/Grove2/frame10.png"),
        texture("middlebury/RubberWhale/frame10.png"),
    );
    let mut failures = Failures::new();
    check("photos", &ground, &front, (448, 384), &mut failures);
    failures.assert_none();
}

#[test]
fn the_rule_is_ruders() {
    // One row: goes 10 to the right and comes back by what is said.
    let there = Flow::from_fn(1, 32, |_, _| [10.0, 0.0]).unwrap();
    let back = |u: f32| Flow::from_fn(1, 32, |_, _| [u, 0.0]).unwrap();
    let rule = Rule {
        dilation: 0,
        ..Rule::default()
    };
    let kept = |u: f32, rule: &Rule| reliable(&there, &back(u), rule).unwrap().data()[5];
    // Off by d: d² < .01 (100 + (10 − d)²) + .5, which d = 1.4 is and d = 1.5 is not.
    assert!(kept(-10.0, &rule) && kept(-8.6, &rule) && !kept(-8.5, &rule));
    assert!(!kept(f32::NAN, &rule));
    let strict = Rule {
        relative: 0.0,
        absolute: 0.0,
        ..rule
    };
    assert!(!kept(-10.0, &strict));
    // The last ten leave the picture; growth by two takes two more.
    let counts =
        |dilation: usize| reliable(&there, &back(-10.0), &Rule { dilation, ..rule }).unwrap();
    assert_eq!(counts(0).data().iter().filter(|&&kept| kept).count(), 22);
    assert_eq!(counts(2).data().iter().filter(|&&kept| kept).count(), 20);
    assert!(matches!(
        reliable(
            &there,
            &Flow::from_fn(32, 1, |_, _| [0.0; 2]).unwrap(),
            &rule
        ),
        Err(Error::Size { .. })
    ));
}

#[test]
fn edges_of_motion_are_left_out_on_demand() {
    let there = Flow::from_fn(8, 8, |x, _| [if x < 4 { 0.0 } else { 0.3 }, 0.0]).unwrap();
    let back = Flow::from_fn(8, 8, |x, _| [if x < 4 { 0.0 } else { -0.3 }, 0.0]).unwrap();
    let rule = Rule {
        dilation: 0,
        ..Rule::default()
    };
    let row = |edges: bool| {
        reliable(&there, &back, &Rule { edges, ..rule })
            .unwrap()
            .data()[..7]
            .to_vec()
    };
    assert_eq!(row(false), [true; 7]);
    assert_eq!(row(true), [true, true, true, false, false, true, true]);
}

#[test]
fn masks_are_eroded_counted_and_joined() {
    let mut data = vec![true; 35];
    data[2 * 7 + 3] = false;
    let mask = Mask::new(5, 7, data).unwrap();
    let eroded = mask.eroded(1);
    for y in 0..5 {
        for x in 0..7 {
            let near = (1..=3).contains(&y) && (2..=4).contains(&x);
            assert_eq!(eroded.data()[y * 7 + x], !near, "{x}, {y}");
        }
    }
    assert_eq!(mask.eroded(0), mask);
    assert_eq!(mask.eroded(usize::MAX).share(), 0.0);
    assert_eq!(eroded.share(), 26.0 / 35.0);
    assert_eq!(mask.and(&eroded).unwrap(), eroded);
    assert_eq!(mask.inverted().share(), 1.0 / 35.0);
    assert_eq!(mask.weights()[17], 0.0);
    assert!(matches!(
        mask.and(&Mask::new(7, 5, vec![true; 35]).unwrap()),
        Err(Error::Size { .. })
    ));
    assert!(matches!(
        Mask::new(5, 7, vec![true; 34]),
        Err(Error::Shape { .. })
    ));
}
