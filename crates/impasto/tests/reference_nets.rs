//! Feed-forward methods against PyTorch in f64: WCT by all its transforms, AdaIN, and a network of Johnson's form.
//!
//! Networks and vectors are in `tests/golden/nets`, with the script that made them.

mod vectors;

use impasto::compute::{Device, TapRequest};
use impasto::nets::{Ghiasi, Model};
use impasto::recipe::{MethodName, MethodSettings, Strength, StyleSize, Transform, Wct};
use impasto::{Ignore, Networks, OutputSize, PainterSpec, Picture, Recipe, Style, Stylizer};
use impasto_testing::{Folder, Tolerance, assert_close};
use impasto_weights::{Limits, WeightsFile};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use vectors::{Vectors, devices};

fn golden(name: &str) -> PathBuf {
    let folder = [env!("CARGO_MANIFEST_DIR"), "tests/golden/nets", name];
    folder.iter().collect()
}

fn vectors() -> Vectors {
    Vectors::open(&golden("vectors.safetensors"))
}

fn picture(vectors: &Vectors, name: &str) -> Picture {
    let (shape, values) = vectors.planes(name);
    Picture::new(shape[2], shape[1], values).unwrap()
}

/// What a network makes of the content in styles that are looked at in their own size.
fn painted(
    device: &Arc<dyn Device>,
    network: &str,
    method: MethodSettings,
    styles: &[(&str, f32)],
) -> Picture {
    let vectors = vectors();
    let painter = PainterSpec::find(method.name(), Some(&golden(network)), None).unwrap();
    let mut recipe = Recipe {
        size: OutputSize::Original,
        method,
        ..Recipe::default()
    };
    recipe.style.size = StyleSize::LongSide(24);
    recipe.style.enlarge = false;
    let networks = Networks {
        encoder: None,
        painter: Some(&painter),
    };
    let style = |&(name, weight): &(&str, f32)| Style::new(name, picture(&vectors, name), weight);
    let styles = styles.iter().map(style).collect();
    let mut stylizer = Stylizer::with_networks(device.clone(), networks, styles, recipe).unwrap();
    let content = picture(&vectors, "content");
    stylizer.stylize(&content, &mut Ignore).unwrap().picture
}

/// The root of the mean squared difference between a picture and a vector, which is clamped as pictures are.
fn distance(made: &Picture, name: &str) -> f64 {
    let vectors = vectors();
    let (shape, expected) = vectors.get(name);
    assert_eq!(*shape, [3, made.height(), made.width()], "{name}");
    let pairs = made.rgb().iter().zip(expected);
    let squares = pairs.map(|(a, b)| f64::from(a - b.clamp(0.0, 1.0)).powi(2));
    (squares.sum::<f64>() / expected.len() as f64).sqrt()
}

/// Holds what a cascade makes on every device against a vector.
fn near(network: &str, method: &MethodSettings, styles: &[(&str, f32)], name: &str, most: f64) {
    for device in devices() {
        let made = painted(&device, network, method.clone(), styles);
        let off = distance(&made, name);
        println!("{name} on {}: RMS {off:e}", device.describe());
        assert!(off < most, "{name} on {}: RMS {off:e}", device.describe());
    }
}

#[test]
fn the_cascade_is_that_of_each_program() {
    for (transform, name) in [
        (Transform::Transport, "wct.transport"),
        (Transform::Lua, "wct.lua"),
        (Transform::Pytorch, "wct.pytorch"),
        (Transform::Tf, "wct.tf"),
        (Transform::Distilled, "wct.distilled"),
    ] {
        let settings = Wct {
            alpha: 0.6,
            levels: vec![3, 2, 1],
            transform,
        };
        let method = MethodSettings::Wct(settings);
        // Factors of a covariance with an eigenvalue near 0, in f32.
        let most = if transform == Transform::Transport {
            2e-3
        } else {
            1e-4
        };
        near("wct", &method, &[("style", 1.0)], name, most);
    }
}

#[test]
fn adaptive_instance_normalisation_is_that_of_the_paper() {
    let two = [("style", 1.0), ("other", 3.0)];
    for (alpha, styles, name) in [
        (1.0, &two[..1], "adain"),
        (0.5, &two[..1], "adain.half"),
        (1.0, &two, "adain.two"),
    ] {
        let method = MethodSettings::Adain(Strength { alpha });
        near("adain", &method, styles, name, 1e-4);
    }
}

#[test]
fn encoders_see_what_pytorch_sees() {
    let vectors = vectors();
    let (shape, content) = vectors.planes("content");
    for (network, device) in ["wct", "adain"]
        .into_iter()
        .flat_map(|network| devices().into_iter().map(move |device| (network, device)))
    {
        let Model::Cascade(cascade) = Model::open(&golden(network)).unwrap() else {
            panic!("another family");
        };
        assert_eq!(cascade.levels.len(), if network == "wct" { 3 } else { 1 });
        let image = device.upload(&content, &shape).unwrap();
        for level in &cascade.levels {
            let encoder = device.network(&cascade.encoders[level.encoder]).unwrap();
            let request = [TapRequest::features(level.tap)];
            let tape = encoder.forward(&image, &request).unwrap();
            let made = device.download(tape.features(level.tap).unwrap()).unwrap();
            let number = level.stride.trailing_zeros() + 1;
            let (_, expected) = vectors.get(&format!("{network}.features{number}"));
            let tolerance = Tolerance::of_greatest(1e-4, expected);
            let case = format!("{network}, {} on {}", level.layer, device.describe());
            assert_close(&case, &made, expected, tolerance);
        }
    }
}

#[test]
fn a_network_of_johnsons_form_is_that_of_pytorch() {
    let vectors = vectors();
    let (_, expected) = vectors.get("johnson");
    let expected: Vec<f32> = expected.iter().map(|v| v.clamp(0.0, 1.0)).collect();
    for device in devices() {
        let method = MethodSettings::of(MethodName::Fast);
        let made = painted(&device, "johnson.safetensors", method, &[]);
        let case = format!("johnson on {}", device.describe());
        assert_close(&case, made.rgb(), &expected, Tolerance::absolute(1e-4));
    }
}

#[test]
fn the_arbitrary_network_is_that_of_its_paper_with_either_predictor() {
    let vectors = vectors();
    for (network, least) in [("inception", 43), ("mobile", 1)] {
        let folder = golden(&format!("ghiasi-{network}"));
        let Model::Ghiasi(net) = Model::open(&folder).unwrap() else {
            panic!("another family");
        };
        assert_eq!((net.code, net.least), (5, least));
        for device in devices() {
            let (shape, style) = vectors.planes("ghiasi.style");
            let style = device.upload(&style, &shape).unwrap();
            let predictor = device.graph(&net.predictor).unwrap();
            let code = &predictor.run(&[&style], None).unwrap()[0];
            let (_, expected) = vectors.get(&format!("ghiasi.{network}.code"));
            let case = format!("{network} on {}", device.describe());
            let made = device.download(code).unwrap();
            assert_close(
                &case,
                &made,
                expected,
                Tolerance::of_greatest(1e-4, expected),
            );
            // From the code of PyTorch on.
            let code = device.upload(expected, &[net.code]).unwrap();
            let (shape, content) = vectors.planes("content");
            let content = device.upload(&content, &shape).unwrap();
            let transfer = device.graph(&net.transfer.graph()).unwrap();
            let made = &transfer.run(&[&content, &code], None).unwrap()[0];
            let (shape, expected) = vectors.get(&format!("ghiasi.{network}"));
            assert_eq!(made.shape(), shape.as_slice());
            let made = device.download(made).unwrap();
            assert_close(&case, &made, expected, Tolerance::absolute(1e-4));
        }
    }
}

#[test]
fn a_predictor_without_borders_sees_small_pictures_enlarged() {
    let device = &devices()[0];
    let strength = Strength { alpha: 0.5 };
    for network in ["ghiasi-inception", "ghiasi-mobile"] {
        let method = MethodSettings::Ghiasi(strength);
        // Styles are shown 24 pixels long here.
        let made = painted(device, network, method, &[("style", 1.0), ("other", 1.0)]);
        assert_eq!((made.width(), made.height()), (24, 16));
        assert!(made.rgb().iter().all(|value| (0.0..=1.0).contains(value)));
    }
}

/// A network of one file as TensorFlow.js has it: names and shapes as JSON, numbers in files beside it.
fn as_tensorflow_js(file: &Path, folder: &Folder, name: &str) {
    let limits = Limits::default();
    let file = WeightsFile::open(file, &limits).unwrap();
    let (mut weights, mut shard) = (Vec::new(), Vec::new());
    for tensor in file.tensors() {
        let read = file.read(tensor.name).unwrap();
        let bytes = read.values.iter().flat_map(|value| value.to_le_bytes());
        shard.extend(bytes);
        weights.push(json!({"name": tensor.name, "shape": read.shape, "dtype": "float32"}));
    }
    let shards = [format!("{name}-shard1of2"), format!("{name}-shard2of2")];
    let (first, second) = shard.split_at(4 * (shard.len() / 8));
    folder.write(&shards[0], first);
    folder.write(&shards[1], second);
    let manifest = json!({"weightsManifest": [{"paths": shards, "weights": weights}]});
    folder.write(format!("{name}.json"), manifest.to_string());
}

#[test]
fn both_networks_are_read_from_files_of_tensorflow_js() {
    let folder = Folder::new();
    for part in ["predictor", "transfer"] {
        let file = golden("ghiasi-inception").join(format!("{part}.safetensors"));
        as_tensorflow_js(&file, &folder, part);
    }
    let open = |path: &Path| match Model::open(path).unwrap() {
        Model::Ghiasi(net) => net,
        other => panic!("it is {}", other.title()),
    };
    let (made, plain) = (open(folder.path()), open(&golden("ghiasi-inception")));
    let numbers = |net: &Ghiasi| -> Vec<f32> {
        let nodes = net.predictor.nodes.iter();
        nodes
            .flat_map(|node| node.op.numbers())
            .flatten()
            .copied()
            .collect()
    };
    assert!(numbers(&made).len() > 1000);
    assert_eq!(numbers(&made), numbers(&plain));
    assert_eq!(made.transfer.outline(), plain.transfer.outline());
}
