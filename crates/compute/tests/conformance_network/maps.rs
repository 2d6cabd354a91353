//! What networks compute, held against the reference: paddings, pools, sizes, channels, taps and heads.

use super::*;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

#[test]
fn every_padding_and_pool_at_every_size() -> Result<()> {
    let sizes = [(4, 4), (5, 7), (7, 5), (8, 9), (17, 16), (15, 33)];
    for padding in [Padding::Zero, Padding::Replicate, Padding::Reflect] {
        for (kind, factor) in [
            (PoolKind::Max, 1.0),
            (PoolKind::Average, 2.0),
            (PoolKind::L2, 0.78),
        ] {
            let spec = small_vgg([16, 24, 5], padding, kind, factor)?;
            for size in sizes {
                conform(&Case {
                    name: format!("{padding:?} {kind:?} {size:?}"),
                    spec: spec.clone(),
                    size,
                    taps: vec![
                        TapRequest::moments(Tap::Layer(1)),
                        TapRequest::features(Tap::Layer(6)),
                        TapRequest::moments(Tap::Layer(11)),
                    ],
                    repeats: 1,
                })?;
            }
        }
    }
    Ok(())
}

#[test]
fn the_smallest_images() -> Result<()> {
    for padding in [Padding::Zero, Padding::Replicate, Padding::Reflect] {
        let mut n = Numbers(3);
        let spec = spec(
            vec![
                conv(&mut n, 3, 5, padding)?,
                Layer::Relu,
                conv(&mut n, 5, 17, padding)?,
                conv(&mut n, 17, 3, padding)?,
            ],
            vec![],
        );
        for size in [(1, 1), (1, 2), (2, 1), (2, 3), (3, 2), (3, 3), (1, 9)] {
            conform(&Case {
                name: format!("{padding:?} {size:?}"),
                spec: spec.clone(),
                size,
                taps: both([1, 3].map(Tap::Layer)),
                repeats: 1,
            })?;
        }
    }
    Ok(())
}

#[test]
fn every_layer_can_be_tapped() -> Result<()> {
    for kind in [PoolKind::Max, PoolKind::Average, PoolKind::L2] {
        let spec = small_vgg([5, 16, 24], Padding::Zero, kind, 1.25)?;
        for layer in 0..spec.layers.len() {
            conform(&Case {
                name: format!("{kind:?}, layer {layer}"),
                spec: spec.clone(),
                size: (11, 14),
                taps: both([Tap::Layer(layer)]),
                repeats: 1,
            })?;
        }
        conform(&Case {
            name: format!("{kind:?}, all layers"),
            size: (11, 14),
            taps: both((0..spec.layers.len()).map(Tap::Layer)),
            spec,
            repeats: 2,
        })?;
    }
    Ok(())
}

#[test]
fn layers_in_any_order() -> Result<()> {
    let mut n = Numbers(21);
    let spec = spec(
        vec![
            conv(&mut n, 3, 16, Padding::Reflect)?,
            pool(PoolKind::Max, 1.0),
            Layer::Relu,
            pool(PoolKind::L2, 0.5),
            conv(&mut n, 16, 20, Padding::Zero)?,
            pool(PoolKind::Average, 2.0),
            Layer::Relu,
            Layer::Relu,
            conv(&mut n, 20, 16, Padding::Replicate)?,
            Layer::Relu,
            pool(PoolKind::Max, 0.5),
            pool(PoolKind::Max, 1.0),
        ],
        vec![],
    );
    conform(&Case {
        name: "odd order".into(),
        spec,
        size: (67, 41),
        taps: [
            vec![TapRequest::moments(Tap::Layer(2))],
            both([Tap::Layer(5)]),
            vec![TapRequest::features(Tap::Layer(11))],
        ]
        .concat(),
        repeats: 1,
    })
}

#[test]
fn larger_maps_and_more_channels() -> Result<()> {
    for (channels, size) in [
        ([3, 5, 16], (97, 131)),
        ([64, 64, 64], (17, 21)),
        ([16, 400, 320], (9, 10)),
    ] {
        let spec = small_vgg(channels, Padding::Zero, PoolKind::Max, 1.0)?;
        conform(&Case {
            name: format!("{channels:?} {size:?}"),
            spec,
            size,
            taps: vec![
                TapRequest::moments(Tap::Layer(3)),
                TapRequest::features(Tap::Layer(8)),
                TapRequest::moments(Tap::Layer(11)),
            ],
            repeats: 1,
        })?;
    }
    Ok(())
}

/// The first two convolutions run in strips of rows; these are tall enough for several.
#[test]
fn tall_images() -> Result<()> {
    let first = TapRequest::moments(Tap::Layer(1));
    let deep = TapRequest::moments(Tap::Layer(6));
    for (padding, second) in [
        (Padding::Zero, Padding::Zero),
        (Padding::Replicate, Padding::Zero),
        (Padding::Reflect, Padding::Reflect),
    ] {
        let mut spec = small_vgg([16, 17, 5], second, PoolKind::Max, 1.0)?;
        spec.layers[0] = conv(&mut Numbers(4), 3, 16, padding)?;
        spec.heads = vec![head(&mut Numbers(1), 1, 16, 6)];
        for (name, height, taps) in [
            ("both", 131, vec![first, deep]),
            ("first", 130, vec![first, TapRequest::moments(Tap::Head(0))]),
            ("deep", 129, vec![deep]),
            (
                "second",
                193,
                vec![first, TapRequest::features(Tap::Layer(2))],
            ),
        ] {
            conform(&Case {
                name: format!("{padding:?} {second:?} {name}"),
                spec: spec.clone(),
                size: (height, 10),
                taps,
                repeats: 1,
            })?;
        }
    }
    Ok(())
}

#[test]
fn heads_give_features_and_moments() -> Result<()> {
    let mut n = Numbers(5);
    for padding in [Padding::Zero, Padding::Replicate] {
        let mut spec = small_vgg([16, 24, 40], padding, PoolKind::Max, 1.0)?;
        spec.heads = vec![
            head(&mut n, 3, 16, 7),
            head(&mut n, 6, 24, 33),
            head(&mut n, 6, 24, 3),
            head(&mut n, 9, 24, 16),
            head(&mut n, 11, 40, 20),
        ];
        for taps in [
            both((0..5).map(Tap::Head)),
            (0..5).map(|h| TapRequest::moments(Tap::Head(h))).collect(),
            (1..3).map(|h| TapRequest::features(Tap::Head(h))).collect(),
            [
                both([Tap::Head(1), Tap::Layer(6)]),
                vec![TapRequest::moments(Tap::Head(4))],
            ]
            .concat(),
        ] {
            conform(&Case {
                name: format!("{padding:?} {taps:?}"),
                spec: spec.clone(),
                size: (13, 19),
                taps,
                repeats: 1,
            })?;
        }
    }
    Ok(())
}

fn any_case() -> impl Strategy<Value = Case> {
    let channels = prop::array::uniform3(1usize..40);
    let padding = prop_oneof![
        Just(Padding::Zero),
        Just(Padding::Replicate),
        Just(Padding::Reflect)
    ];
    let kind = prop_oneof![
        Just(PoolKind::Max),
        Just(PoolKind::Average),
        Just(PoolKind::L2)
    ];
    let taps = prop::collection::vec((0usize..12, any::<bool>(), any::<bool>()), 1..4);
    (
        channels,
        padding,
        kind,
        (4usize..24, 4usize..24),
        taps,
        0usize..3,
    )
        .prop_map(|(channels, padding, kind, size, taps, repeats)| Case {
            name: format!("{channels:?} {padding:?} {kind:?} {size:?} {taps:?}"),
            spec: small_vgg(channels, padding, kind, 1.0).unwrap_or_else(|error| panic!("{error}")),
            size,
            taps: taps
                .into_iter()
                .flat_map(|(layer, features, moments)| {
                    let tap = Tap::Layer(layer);
                    match (features, moments) {
                        (true, true) => both([tap]),
                        (true, false) => vec![TapRequest::features(tap)],
                        (false, true) => vec![TapRequest::moments(tap)],
                        (false, false) => vec![TapRequest::replay(tap)],
                    }
                })
                .collect(),
            repeats,
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

    #[test]
    fn random_networks_conform(case in any_case()) {
        conform(&case).map_err(|error| TestCaseError::fail(error.to_string()))?;
    }
}
