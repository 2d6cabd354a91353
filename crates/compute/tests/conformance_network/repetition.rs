//! What changes no bit: threads, filters kept or made again, repetition; and bfloat16, which stays near.

use super::*;
use impasto_compute::cpu::FilterCache;
use impasto_testing::{compare, skip};

#[test]
fn transformed_filters_may_be_kept_or_not() -> Result<()> {
    let case = Case {
        name: "filters".into(),
        spec: small_vgg([16, 32, 48], Padding::Zero, PoolKind::Max, 1.0)?,
        size: (19, 18),
        taps: both([Tap::Layer(11)]),
        repeats: 1,
    };
    let with = |filters| -> Result<Outcome> {
        let device = CpuDevice::new(CpuSettings {
            filters,
            ..CpuSettings::default()
        })?;
        run(&device, &case)
    };
    let (kept, made) = (with(FilterCache::Always)?, with(FilterCache::Never)?);
    same("filters", &made, &kept);
    Ok(())
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() -> Result<()> {
    let cases = [
        ([16, 24, 5], (61, 45), Padding::Reflect),
        ([64, 32, 48], (40, 48), Padding::Zero),
        ([16, 400, 320], (12, 9), Padding::Zero),
    ];
    for (channels, size, padding) in cases {
        let mut spec = small_vgg(channels, padding, PoolKind::Max, 1.0)?;
        spec.heads = vec![head(&mut Numbers(1), 6, channels[1], 8)];
        let case = Case {
            name: format!("{channels:?}"),
            spec,
            size,
            taps: [
                vec![TapRequest::moments(Tap::Layer(1))],
                both([Tap::Layer(3), Tap::Head(0), Tap::Layer(11)]),
            ]
            .concat(),
            repeats: 1,
        };
        for level in Level::ALL.into_iter().filter(|level| level.is_available()) {
            let with = |threads| -> Result<Outcome> {
                let device = CpuDevice::new(CpuSettings {
                    threads: Some(threads),
                    ..settings(level, Precision::Standard)
                })?;
                run(&device, &case)
            };
            let one = with(1)?;
            for threads in [2, 3] {
                let case = format!("{level}, {threads} threads");
                same(&case, &with(threads)?, &one);
            }
        }
    }
    Ok(())
}

/// Rounding to eight bits is far from the reference in single numbers, but not as a whole.
#[test]
fn bfloat16_is_near_and_does_not_depend_on_threads() -> Result<()> {
    let with = |threads| {
        CpuDevice::new(CpuSettings {
            threads: Some(threads),
            precision: Precision::Bf16,
            ..CpuSettings::default()
        })
    };
    let device = with(2)?;
    if device.precision() != Precision::Bf16 {
        skip("this processor does not multiply bfloat16 numbers");
        return Ok(());
    }
    for (channels, padding) in [
        ([64, 48, 80], Padding::Zero),
        ([16, 320, 400], Padding::Reflect),
    ] {
        let case = Case {
            name: format!("bf16 {channels:?}"),
            spec: small_vgg(channels, padding, PoolKind::Average, 1.0)?,
            size: (17, 22),
            taps: [
                both([Tap::Layer(6)]),
                vec![TapRequest::features(Tap::Layer(11))],
            ]
            .concat(),
            repeats: 1,
        };
        let expected = run(&ReferenceDevice::new(), &case)?;
        let got = run(&device, &case)?;
        let pairs = pairs(&case.name, &got, &expected);
        let views = pairs.len() - 1;
        for (index, (case, got, expected)) in pairs.into_iter().enumerate() {
            // That something was rounded is seen in the gradient.
            let range = if index < views { 0.0..0.02 } else { 1e-5..0.2 };
            let error = compare::distance(&case, got, expected);
            assert!(range.contains(&error), "{case} is {error:e} away");
        }
        for threads in [1, 3] {
            let named = format!("{}, {threads} threads", case.name);
            same(&named, &run(&with(threads)?, &case)?, &got);
        }
    }
    Ok(())
}

#[test]
fn repeated_steps_give_the_same_bytes() -> Result<()> {
    let case = Case {
        name: "twice".into(),
        spec: small_vgg([16, 24, 40], Padding::Replicate, PoolKind::Average, 1.0)?,
        size: (30, 26),
        taps: [
            both([Tap::Layer(6)]),
            vec![TapRequest::moments(Tap::Layer(11))],
        ]
        .concat(),
        repeats: 1,
    };
    for device in devices()? {
        let first = run(&*device, &case)?;
        for _ in 0..3 {
            same(&device.describe(), &run(&*device, &case)?, &first);
        }
    }
    Ok(())
}
