//! Feed-forward networks from published weights give the pictures that others made of them.
//!
//! Weights and vectors are not part of the repository: without `../shared` beside it the tests are left out and say so. The
//! vectors are LiteRT's (Magenta's networks) and NumPy's (all others).

mod vectors;

use impasto::compute::TapRequest;
use impasto::compute::graph::GraphSpec;
use impasto::compute::prelude::*;
use impasto::nets::{Cascade, Level, Model};
use impasto_testing::shared;
use vectors::{Array, Vectors, devices};

/// A file of the shared vectors.
fn vectors(name: &str) -> Option<Vectors> {
    let path = shared(&format!("feedforward-vectors/{name}"))?;
    Some(Vectors::open(&path))
}

fn vector(values: &[f32]) -> Array {
    (vec![values.len()], values.to_vec())
}

/// Runs a graph.
fn run(device: &dyn Device, spec: &GraphSpec, inputs: &[&Array]) -> Vec<Array> {
    let graph = device.graph(spec).unwrap();
    let inputs: Vec<_> = inputs
        .iter()
        .map(|(shape, values)| device.upload(values, shape).unwrap())
        .collect();
    let inputs: Vec<_> = inputs.iter().collect();
    let made = graph.run(&inputs, None).unwrap();
    made.iter()
        .map(|tensor| (tensor.shape().to_vec(), device.download(tensor).unwrap()))
        .collect()
}

/// The greatest difference, over the greatest value of what was expected.
fn difference(got: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(got.len(), expected.len());
    let greatest = expected.iter().fold(0.0_f32, |most, v| most.max(v.abs()));
    let differences = got.iter().zip(expected).map(|(a, b)| (a - b).abs());
    let most = differences.fold(0.0_f32, |most, d| if d.is_nan() { d } else { most.max(d) });
    most / greatest.max(1e-30)
}

fn rms(got: &[f32], expected: &[f32]) -> f64 {
    let squares = got
        .iter()
        .zip(expected)
        .map(|(a, b)| f64::from(a - b).powi(2));
    (squares.sum::<f64>() / got.len() as f64).sqrt()
}

#[test]
fn magentas_styles_are_those_of_numpy() {
    let (Some(file), Some(vectors)) = (
        shared("weights/magenta/stylize26_dequant.safetensors"),
        vectors("stylize26-vector.safetensors"),
    ) else {
        return;
    };
    let Model::Transformer(spec) = Model::open(&file).unwrap() else {
        panic!("another family");
    };
    assert_eq!((spec.styles(), spec.code()), (26, None));
    let content = vectors.planes("content_u8_hwc");
    for device in devices() {
        for index in [0, 7, 25] {
            let style = spec.style(&[(index, 1.0)]).unwrap();
            assert_eq!(style.iter().map(Vec::len).sum::<usize>(), 990);
            let style: Vec<Array> = style.iter().map(|row| vector(row)).collect();
            let inputs: Vec<&Array> = std::iter::once(&content).chain(&style).collect();
            let made = run(&*device, &spec.graph(), &inputs);
            let expected = vectors.planes(&format!("style{index}"));
            assert_eq!(made[0].0, expected.0);
            let off = difference(&made[0].1, &expected.1);
            eprintln!("{}: style {index}: {off:e}", device.describe());
            assert!(off < 1e-4, "style {index}: {off}");
        }
    }
}

#[test]
fn the_arbitrary_network_is_that_of_litert() {
    let (Some(file), Some(vectors)) = (
        shared("weights/magenta/transfer_v2_fp16_f32.safetensors"),
        vectors("magenta-vector.safetensors"),
    ) else {
        return;
    };
    // The predictor is found beside the transfer network, and the 26 styles are another network.
    let Model::Ghiasi(net) = Model::open(&file).unwrap() else {
        panic!("another family");
    };
    assert_eq!(net.code, 100);
    for device in devices() {
        let style = vectors.planes("style_u8_hwc");
        let code = &run(&*device, &net.predictor, &[&style])[0];
        let quantised = &vectors.get("code_litert_int8").1;
        let dot = |a: &[f32], b: &[f32]| -> f64 {
            a.iter()
                .zip(b)
                .map(|(a, b)| f64::from(*a) * f64::from(*b))
                .sum()
        };
        let cosine =
            dot(&code.1, quantised) / (dot(&code.1, &code.1) * dot(quantised, quantised)).sqrt();
        eprintln!(
            "{}: cosine {cosine} rms {}",
            device.describe(),
            rms(&code.1, quantised)
        );
        assert!(cosine >= 0.9998, "{cosine}");
        assert!(rms(&code.1, quantised) <= 0.015);

        let content = vectors.planes("content_u8_hwc");
        let made = &run(
            &*device,
            &net.transfer.graph(),
            &[&content, &vector(quantised)],
        )[0];
        assert_eq!(made.0, [3, 384, 384]);
        let places = (0..3 * 96 * 96).map(|i| (i / 9216, i / 96 % 96, i % 96));
        let every: Vec<f32> = places
            .map(|(c, y, x)| made.1[(c * 384 + 4 * y) * 384 + 4 * x])
            .collect();
        let expected = vectors.planes("out_litert_fp16_every4th");
        let off = difference(&every, &expected.1);
        eprintln!("{}: transfer {off:e}", device.describe());
        assert!(off < 1e-4, "{off}");
    }
}

#[test]
fn microast_is_that_of_numpy() {
    let (Some(folder), Some(vectors)) = (
        shared("weights/microast"),
        vectors("microast-vector.safetensors"),
    ) else {
        return;
    };
    let Model::MicroAst(net) = Model::open(&folder).unwrap() else {
        panic!("another family");
    };
    for device in devices() {
        let style = run(&*device, &net.style, &[&vectors.planes("style_u8_hwc")]);
        let content = vectors.planes("content_u8_hwc");
        for alpha in [1.0, 0.5] {
            let alpha_input = vector(&[alpha]);
            let mut inputs = vec![&content];
            inputs.extend(&style);
            inputs.push(&alpha_input);
            let made = run(&*device, &net.transfer, &inputs);
            let expected = vectors.get(&format!("out_alpha{alpha}"));
            let off = difference(&made[0].1, &expected.1);
            eprintln!("{}: alpha {alpha}: {off:e}", device.describe());
            assert!(off < 1e-4, "alpha {alpha}: {off}");
        }
    }
}

/// Features of a level.
fn features(device: &dyn Device, cascade: &Cascade, level: &Level, image: &Array) -> Array {
    let network = device.network(&cascade.encoders[level.encoder]).unwrap();
    let image = device.upload(&image.1, &image.0).unwrap();
    let tape = network
        .forward(&image, &[TapRequest::features(level.tap)])
        .unwrap();
    let made = tape.features(level.tap).unwrap();
    (made.shape().to_vec(), device.download(made).unwrap())
}

#[test]
fn encoders_and_decoders_of_wct_are_those_of_numpy() {
    let (Some(folder), Some(vectors)) = (
        shared("weights/vgg19-16x"),
        vectors("wct16x-vector.safetensors"),
    ) else {
        return;
    };
    let Model::Cascade(cascade) = Model::open(&folder).unwrap() else {
        panic!("another family");
    };
    assert_eq!(cascade.levels.len(), 5);
    assert_eq!(cascade.multiple(), 16);
    let content = vectors.planes("content_u8_hwc");
    for device in devices() {
        for level in &cascade.levels {
            let number = level.stride.trailing_zeros() + 1;
            let made = features(&*device, &cascade, level, &content);
            let (shape, expected) = vectors.get(&format!("encoder{number}_content"));
            assert_eq!(made.0[0], shape[0]);
            let step = made.0[1] / shape[1];
            let (h, w) = (made.0[1], made.0[2]);
            let places = (0..expected.len()).map(|i| {
                let (c, y, x) = (
                    i / (shape[1] * shape[2]),
                    i / shape[2] % shape[1],
                    i % shape[2],
                );
                made.1[(c * h + step * y) * w + step * x]
            });
            let off = difference(&places.collect::<Vec<_>>(), expected);
            eprintln!("{}: encoder {number}: {off:e}", device.describe());
            assert!(off < 1e-4, "encoder {number}: {off}");
            if number % 2 == 1 {
                let picture = &run(&*device, &level.decoder, &[&made])[0];
                let expected = vectors.get(&format!("decoder{number}_of_encoder{number}_content"));
                assert_eq!(picture.0, expected.0);
                let off = difference(&picture.1, &expected.1);
                eprintln!("{}: decoder {number}: {off:e}", device.describe());
                assert!(off < 1e-4, "decoder {number}: {off}");
            }
        }
    }
}

#[test]
fn the_embedded_decoders_give_a_photo_back() {
    let Some(vectors) = vectors("wct16x-vector.safetensors") else {
        return;
    };
    let Model::Paint(cascade) = Model::embedded().unwrap() else {
        panic!("another family");
    };
    let content = vectors.planes("content_u8_hwc");
    for device in devices() {
        for (level, least) in cascade.levels.iter().zip([19.0, 25.0, 33.0]) {
            let made = features(&*device, &cascade, level, &content);
            let picture = &run(&*device, &level.decoder, &[&made])[0];
            let decibels = -20.0 * rms(&picture.1, &content.1).log10();
            eprintln!("{}: {}: {decibels} dB", device.describe(), level.layer);
            assert!(decibels > least, "{}: {decibels} dB", level.layer);
        }
    }
}
