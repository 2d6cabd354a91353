use super::*;

const LOOSE: Tolerance = Tolerance {
    absolute: 1e30,
    relative: 1e30,
};

type Comparison = fn(&[f64], &[f64]) -> bool;

fn passes(compare: impl Fn() + std::panic::UnwindSafe) -> bool {
    std::panic::catch_unwind(compare).is_ok()
}

/// Whether each of the comparisons takes these values, at the widest tolerance it can have.
const ALL: [(&str, Comparison); 7] = [
    ("close", |a, b| close("", a, b, LOOSE).is_ok()),
    ("same", |a, b| same("", a, b).is_ok()),
    ("assert_close", |a, b| {
        passes(|| assert_close("", a, b, LOOSE))
    }),
    ("assert_same", |a, b| passes(|| assert_same("", a, b))),
    ("distance", |a, b| {
        passes(|| assert!(distance("", a, b) < f64::INFINITY))
    }),
    ("cosine", |a, b| {
        passes(|| assert!((-1.1..=1.1).contains(&cosine("", a, b))))
    }),
    ("decibels", |a, b| {
        passes(|| assert!(decibels("", a, b) > f64::NEG_INFINITY))
    }),
];

#[test]
fn what_agrees_passes() {
    for (name, takes) in ALL {
        assert!(takes(&[1.0, -2.0], &[1.0, -2.0]), "{name}");
    }
}

#[test]
fn what_is_not_finite_fails_on_either_side_and_on_both() {
    for strange in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for place in 0..3 {
            let good = vec![1.0, -2.0, 0.5];
            let mut bad = good.clone();
            bad[place] = strange;
            for (name, takes) in ALL {
                assert!(!takes(&bad, &good), "{name}: {strange} came at {place}");
                assert!(!takes(&good, &bad), "{name}: {strange} expected at {place}");
                assert!(!takes(&bad, &bad), "{name}: {strange} on both sides");
            }
        }
    }
}

#[test]
fn another_number_of_values_fails() {
    let values = [1.0, 2.0, 3.0];
    for (name, takes) in ALL {
        assert!(!takes(&values[..2], &values), "{name}: too few");
        assert!(!takes(&values, &values[..2]), "{name}: too many");
        assert!(!takes(&[], &values), "{name}: none");
        assert!(!takes(&values, &[]), "{name}: none expected");
    }
}

#[test]
fn nothing_at_all_fails() {
    for (name, takes) in ALL {
        assert!(!takes(&[], &[]), "{name}");
    }
}

#[test]
fn one_ulp_beyond_the_tolerance_fails() {
    let half = Tolerance::absolute(0.5);
    let eighth = Tolerance::relative(0.125);
    for (expected, last, tolerance) in [
        (1.0_f64, 1.5_f64, half),
        (-1.0, -1.5, half),
        (0.0, 0.5, half),
        (4.0, 4.5, eighth),
        (-4.0, -4.5, eighth),
        (0.0, 0.0, eighth),
        (0.0, 0.0, Tolerance::absolute(0.0)),
    ] {
        let case = format!("{last} for {expected}");
        assert_near(&case, last, expected, tolerance);
        let beyond = match last {
            0.0 => f64::from_bits(1),
            _ if last > 0.0 => last.next_up(),
            _ => last.next_down(),
        };
        assert!(near(&case, beyond, expected, tolerance).is_err(), "{case}");
    }
    // And of the numbers that results have.
    assert_near("f32", 1.5_f32, 1.0_f32, half);
    assert!(near("f32", 1.5_f32.next_up(), 1.0_f32, half).is_err());
    assert!(near("f32", 0.5_f32.next_down(), 1.0_f32, half).is_err());
}

#[test]
fn bits_are_compared() {
    assert!(same("", &[0.0_f32], &[-0.0]).is_err());
    assert!(same("", &[1.0_f32], &[1.0_f32.next_up()]).is_err());
    assert!(same("", &[1.0_f64], &[1.0_f64.next_down()]).is_err());
}

#[test]
fn the_worst_place_is_named() {
    let (got, expected) = ([1.0, 12.0, 3.0, 101.0], [1.0, 10.0, 4.0, 100.0]);
    let told = close("a case", &got, &expected, Tolerance::relative(0.125)).unwrap_err();
    assert_eq!(
        told,
        "a case: value 2 of 4 is 3e0 instead of 4e0, 2.00 times the 5e-1 allowed; 2 values are off"
    );
    let told = close("a case", &[f64::NAN, 2.0], &[0.0, 2.0], LOOSE).unwrap_err();
    assert_eq!(
        told,
        "a case: value 0 of 2 is NaN instead of 0; 1 places are not finite"
    );
    let told = same("a case", &[0.5_f32, 2.0, 3.0], &[0.5, 1.0, 1.0]).unwrap_err();
    assert_eq!(
        told,
        "a case: 2 of 3 values have other bits, first value 1: 2.0 instead of 1.0"
    );
}

#[test]
fn measures_are_what_they_are_called() {
    let exact = Tolerance::absolute(1e-12);
    assert_near(
        "distance",
        distance("", &[3.0, 5.0], &[3.0, 4.0]),
        0.2,
        exact,
    );
    assert_near(
        "cosine",
        cosine("", &[1.0, 1.0], &[2.0, 0.0]),
        0.5_f64.sqrt(),
        exact,
    );
    assert_near("opposite", cosine("", &[-1.0], &[2.0]), -1.0, exact);
    assert_near(
        "decibels",
        decibels("", &[0.5, 0.6], &[0.6, 0.5]),
        20.0,
        exact,
    );
    assert_eq!(decibels("", &[0.5], &[0.5]), f64::INFINITY);
    assert_eq!(
        differences("", &[1.0_f32, 2.0], &[0.5_f64, 4.0]),
        [0.5, -2.0]
    );
    assert!(!passes(|| assert!(distance("", &[0.0], &[0.0]) < 1.0)));
    assert!(!passes(|| assert!(cosine("", &[0.0], &[1.0]) < 2.0)));
}

#[test]
fn the_greatest_magnitude_does_not_lose_what_is_no_number() {
    assert_eq!(greatest::<f32>(&[]), 0.0);
    assert_eq!(greatest(&[1.0_f32, -3.0, 2.0]), 3.0);
    assert_eq!(greatest(&[1.0, f64::NEG_INFINITY]), f64::INFINITY);
    for place in 0..3 {
        let mut values = [1.0, -3.0, 2.0];
        values[place] = f64::NAN;
        assert!(greatest(&values).is_nan(), "{place}");
        // A tolerance of what is no number lets nothing pass.
        let tolerance = Tolerance::of_greatest(1.0, &values);
        assert!(near("", 1.0, 1.0, tolerance).is_err());
    }
    assert_eq!(
        Tolerance::of_greatest(0.5, &[-4.0]),
        Tolerance::absolute(2.0)
    );
}

#[test]
fn failures_are_all_told_and_none_without_checks_are_no_success() {
    assert!(!passes(|| Failures::new().assert_none()));
    let mut good = Failures::new();
    assert!(good.check(Ok::<_, String>(())));
    good.assert_none();
    let mut mixed = Failures::new();
    for result in [Err("one"), Ok(()), Err("two")] {
        assert_eq!(mixed.check(result), result.is_ok());
    }
    let told = std::panic::catch_unwind(|| mixed.assert_none()).unwrap_err();
    let told = told.downcast::<String>().unwrap();
    assert_eq!(*told, "2 of 3 checks failed:\none\ntwo");
}
