//! Networks are told by their tensors, and refused by name. The numbers are made up.

use super::*;
use impasto_compute::Size;
use impasto_compute::graph::Shape;
use impasto_testing::{Folder, Numbers};
use impasto_weights::{Checkpoint, Precision, WeightTensor, write_safetensors};
use std::path::PathBuf;

/// Named tensors of a file.
#[derive(Clone, Default)]
struct File(Checkpoint);

impl File {
    fn with(mut self, name: &str, shape: &[usize]) -> Self {
        let mut numbers = Numbers(self.0.tensors.len() as u64);
        let tensor = WeightTensor {
            shape: shape.to_vec(),
            values: numbers.many(shape.iter().product()),
        };
        self.0.tensors.insert(name.into(), tensor);
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.0.tensors.remove(name).expect(name);
        self
    }

    fn write(&self, folder: &Folder, name: &str) -> PathBuf {
        let path = folder.path().join(name);
        write_safetensors(&path, &self.0, Precision::F32).unwrap();
        path
    }
}

/// The state dict of pytorch/examples, narrow, with two residual blocks.
fn pytorch(prefix: &str) -> File {
    let mut file = File::default();
    let conv = |file: File, name: &str, norm: &str, shape: [usize; 4]| {
        let mut file = file
            .with(&format!("{prefix}{name}.conv2d.weight"), &shape)
            .with(&format!("{prefix}{name}.conv2d.bias"), &shape[..1]);
        for part in ["weight", "bias", "running_mean"] {
            if !norm.is_empty() {
                file = file.with(&format!("{prefix}{norm}.{part}"), &shape[..1]);
            }
        }
        file
    };
    for (name, norm, shape) in [
        ("conv1", "in1", [2, 3, 9, 9]),
        ("conv2", "in2", [3, 2, 3, 3]),
        ("conv3", "in3", [4, 3, 3, 3]),
        ("res1.conv1", "res1.in1", [4, 4, 3, 3]),
        ("res1.conv2", "res1.in2", [4, 4, 3, 3]),
        ("res2.conv1", "res2.in1", [4, 4, 3, 3]),
        ("res2.conv2", "res2.in2", [4, 4, 3, 3]),
        ("deconv1", "in4", [3, 4, 3, 3]),
        ("deconv2", "in5", [2, 3, 3, 3]),
        ("deconv3", "", [3, 2, 9, 9]),
    ] {
        file = conv(file, name, norm, shape);
    }
    file
}

/// A network whose variables are counted.
fn counted(width: usize) -> File {
    let (twice, last) = (2 * width, 4 * width);
    let layers = [
        [9, 9, 3, width],
        [3, 3, width, twice],
        [3, 3, twice, last],
        [3, 3, last, last],
        [3, 3, last, last],
        [3, 3, twice, last],
        [3, 3, width, twice],
        [9, 9, width, 3],
    ];
    let mut file = File::default();
    for (number, shape) in layers.iter().enumerate() {
        // Filters of transposed convolutions have what they make before what they read.
        let outputs = if (5..7).contains(&number) {
            shape[2]
        } else {
            shape[3]
        };
        for (part, shape) in [&shape[..], &[outputs], &[outputs]].into_iter().enumerate() {
            let name = match 3 * number + part {
                0 => "Variable:0".into(),
                count => format!("Variable_{count}:0"),
            };
            file = file.with(&name, shape);
        }
    }
    file
}

fn micro_encoder(prefix: &str) -> File {
    let mut file = File::default();
    for (name, shape) in [
        ("enc1.0", [2, 3, 9, 9]),
        ("enc1.2", [4, 1, 3, 3]),
        ("enc1.4", [4, 4, 1, 1]),
        ("enc1.6", [8, 1, 3, 3]),
        ("enc1.8", [8, 8, 1, 1]),
        ("enc1.10.conv1", [8, 8, 3, 3]),
        ("enc1.10.conv2", [8, 8, 3, 3]),
        ("enc2.0.conv1", [8, 8, 3, 3]),
        ("enc2.0.conv2", [8, 8, 3, 3]),
    ] {
        file = micro_conv(file, &format!("{prefix}{name}"), &shape);
    }
    file
}

fn micro_conv(file: File, name: &str, shape: &[usize]) -> File {
    file.with(&format!("{name}.conv_layer.weight"), shape)
        .with(&format!("{name}.conv_layer.bias"), &shape[..1])
}

fn micro_modulator() -> File {
    let names = ["weight1.0", "bias1.0", "weight2.0", "bias2.0"];
    let conv = |file, name: &&str| micro_conv(file, name, &[8, 1, 3, 3]);
    names.iter().fold(File::default(), conv)
}

fn micro_decoder() -> File {
    let mut file = File::default();
    for (name, shape) in [
        ("dec1.conv1", [8, 8, 3, 3]),
        ("dec1.conv2", [8, 8, 3, 3]),
        ("dec2.conv1", [8, 8, 3, 3]),
        ("dec2.conv2", [8, 8, 3, 3]),
        ("dec3.1", [4, 2, 3, 3]),
        ("dec3.3", [4, 4, 1, 1]),
        ("dec3.6", [2, 2, 3, 3]),
        ("dec3.8", [2, 2, 1, 1]),
        ("dec3.10", [3, 2, 9, 9]),
    ] {
        file = micro_conv(file, name, &shape);
    }
    file
}

fn problem(path: &Path) -> String {
    Model::open(path).expect_err("another file").to_string()
}

/// The size of what a graph makes of a picture, its other inputs being vectors.
fn size_made(graph: &GraphSpec, width: usize, height: usize) -> Size {
    let size = Size { width, height };
    let inputs: Vec<_> = graph
        .inputs
        .iter()
        .map(|port| match port.kind {
            impasto_compute::graph::Kind::Map(channels) => Shape::Map { channels, size },
            impasto_compute::graph::Kind::Vector(n) => Shape::Vector(n),
        })
        .collect();
    match graph.shapes(&inputs).unwrap().last() {
        Some(Shape::Map { channels: 3, size }) => *size,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_state_dict_is_a_transformer_network_whatever_stands_before_its_names() {
    let folder = Folder::new();
    for prefix in ["", "module.", "state_dict."] {
        let path = pytorch(prefix).write(&folder, "mosaic.safetensors");
        let Model::Transformer(spec) = Model::open(&path).unwrap() else {
            panic!("another family");
        };
        assert_eq!(spec.stages.len(), 3 + 2 + 3);
        assert_eq!((spec.styles(), spec.code()), (1, None));
        assert_eq!(spec.style(&[(0, 1.0)]).unwrap(), Vec::<Vec<f32>>::new());
        assert_eq!(spec.input, Colours::BYTES);
        for (n, made) in [(8, 8), (9, 12), (5, 8), (1, 4)] {
            let size = size_made(&spec.graph(), n, 16);
            assert_eq!((size.width, size.height), (made, 16));
        }
    }
}

#[test]
fn what_a_transformer_network_lacks_is_named() {
    let folder = Folder::new();
    let whole = pytorch("");
    let path = whole
        .clone()
        .without("in2.bias")
        .write(&folder, "a.safetensors");
    let said = problem(&path);
    assert!(said.contains("no tensor in2.bias"), "{said}");
    let path = whole
        .clone()
        .with("conv2.conv2d.weight", &[3, 5, 3, 3])
        .write(&folder, "a.safetensors");
    let said = problem(&path);
    assert!(
        said.contains("conv2.conv2d.weight has the shape [3, 5, 3, 3]"),
        "{said}"
    );
    let mut nan = whole;
    let tensor = nan.0.tensors.get_mut("res1.conv1.conv2d.weight").unwrap();
    tensor.values[7] = f32::NAN;
    let said = problem(&nan.write(&folder, "a.safetensors"));
    assert!(
        said.contains("res1.conv1.conv2d.weight holds NaN at position 7"),
        "{said}"
    );
    let path = pytorch("").write(&folder, "a.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    assert!(problem(&path).contains("damaged"));
}

#[test]
fn counted_variables_are_lengstroms_or_of_vangogh_crazy_world() {
    let folder = Folder::new();
    for (width, name, border) in [
        (32, "lengstrom", impasto_compute::Padding::Zero),
        (4, "Vangogh", impasto_compute::Padding::Reflect),
    ] {
        let path = counted(width).write(&folder, "wave.safetensors");
        let Model::Transformer(spec) = Model::open(&path).unwrap() else {
            panic!("another family");
        };
        assert!(spec.name.contains(name), "{}", spec.name);
        assert_eq!(spec.stages.len(), 3 + 1 + 3);
        let Some(Stage::Layer(Layer {
            filters: Filters::Convolution { convolution, .. },
            ..
        })) = spec.stages.first()
        else {
            panic!("not a convolution");
        };
        assert_eq!(convolution.border.padding(), border);
        assert_eq!(
            size_made(&spec.graph(), 8, 12),
            Size {
                width: 8,
                height: 12
            }
        );
    }
}

#[test]
fn styles_are_mixed_row_by_row() {
    let folder = Folder::new();
    let mut file = File::default();
    for (name, shape) in [
        ("contract/conv1", [9, 9, 3, 2]),
        ("contract/conv2", [3, 3, 2, 3]),
        ("contract/conv3", [3, 3, 3, 4]),
        ("residual/residual1/conv1", [3, 3, 4, 4]),
        ("residual/residual1/conv2", [3, 3, 4, 4]),
        ("expand/conv1/conv", [3, 3, 4, 2]),
        ("expand/conv2/conv", [3, 3, 2, 2]),
        ("expand/conv3/conv", [9, 9, 2, 3]),
    ] {
        file = file.with(&format!("transformer/{name}/weights"), &shape);
        for part in ["gamma", "beta"] {
            let name = format!("transformer/{name}/InstanceNorm/{part}");
            file = file.with(&name, &[5, shape[3]]);
        }
    }
    let path = file.write(&folder, "styles.safetensors");
    let Model::Transformer(spec) = Model::open(&path).unwrap() else {
        panic!("another family");
    };
    assert_eq!(spec.styles(), 5);
    let style = |mixture: &[(usize, f32)]| spec.style(mixture).unwrap();
    let (first, last) = (style(&[(0, 1.0)]), style(&[(4, 1.0)]));
    let mixed = style(&[(0, 0.25), (4, 0.75)]);
    assert_eq!(mixed.len(), 2 * 8);
    for (mixed, (first, last)) in mixed.iter().zip(first.iter().zip(&last)) {
        let expected: Vec<_> = first
            .iter()
            .zip(last)
            .map(|(a, b)| 0.25 * a + 0.75 * b)
            .collect();
        impasto_testing::assert_same("a mixture", mixed, &expected);
    }
    let graph = spec.graph();
    graph.validate().unwrap();
    assert_eq!(graph.inputs.len(), 1 + 2 * 8);
    let said = spec.style(&[(5, 1.0)]).unwrap_err().to_string();
    assert!(said.contains("no style 5; it has 5"), "{said}");
}

#[test]
fn microast_is_put_together_from_a_folder_or_from_any_of_its_files() {
    let folder = Folder::new();
    micro_encoder("").write(&folder, "content_encoder.safetensors");
    micro_encoder("").write(&folder, "style_encoder.safetensors");
    micro_modulator().write(&folder, "modulator.safetensors");
    let decoder = micro_decoder().write(&folder, "decoder.safetensors");
    std::fs::write(folder.path().join("README.md"), "no weights").unwrap();
    for path in [folder.path(), &decoder] {
        let Model::MicroAst(net) = Model::open(path).unwrap() else {
            panic!("another family");
        };
        assert_eq!(net.channels, 8);
        assert_eq!(net.style.outputs.len(), 8);
        assert_eq!(net.transfer.inputs.len(), 10);
        assert_eq!(
            size_made(&net.transfer, 9, 8),
            Size {
                width: 12,
                height: 8
            }
        );
    }
    std::fs::remove_file(folder.path().join("modulator.safetensors")).unwrap();
    let said = problem(folder.path());
    assert!(said.contains("but not the modulator"), "{said}");
    // Two encoders that are called alike cannot be told apart.
    micro_modulator().write(&folder, "modulator.safetensors");
    for (from, to) in [("content", "a"), ("style", "b")] {
        let name = |stem: &str| folder.path().join(format!("{stem}_encoder.safetensors"));
        std::fs::rename(name(from), name(to)).unwrap();
    }
    let said = problem(folder.path());
    assert!(said.contains("cannot be told"), "{said}");
}

#[test]
fn encoders_go_with_the_decoders_of_their_level() {
    let folder = Folder::new();
    let conv = |file: File, name: &str, shape: [usize; 4]| {
        file.with(&format!("{name}.weight"), &shape)
            .with(&format!("{name}.bias"), &shape[..1])
    };
    let mut encoder = File::default();
    for (name, shape) in [
        ("conv1_1", [4, 3, 3, 3]),
        ("conv1_2", [4, 4, 3, 3]),
        ("conv2_1", [6, 4, 3, 3]),
    ] {
        encoder = conv(encoder, name, shape);
    }
    let encoder = encoder.write(&folder, "encoder2.safetensors");
    let said = problem(&encoder);
    assert!(said.contains("is an encoder"), "{said}");
    let mut decoder = File::default();
    for (name, shape) in [
        ("conv21", [4, 6, 3, 3]),
        ("conv12", [4, 4, 3, 3]),
        ("conv11", [3, 4, 3, 3]),
    ] {
        decoder = conv(decoder, name, shape);
    }
    let path = decoder.write(&folder, "decoder2.safetensors");
    // The encoder lies beside it.
    let Model::Cascade(cascade) = Model::open(&path).unwrap() else {
        panic!("another family");
    };
    assert_eq!((cascade.levels.len(), cascade.multiple()), (1, 2));
    let level = &cascade.levels[0];
    assert_eq!(level.layer.to_string(), "relu2_1");
    cascade.encoders[0].validate().unwrap();
    let size = Size {
        width: 7,
        height: 4,
    };
    assert_eq!(
        cascade.encoders[0].shape_at(level.tap, size).unwrap(),
        [6, 2, 3]
    );
    assert_eq!(
        size_made(&level.decoder, 3, 2),
        Size {
            width: 6,
            height: 4
        }
    );
    // The same in sequence, as AdaIN's is: padding, convolution, ReLU, enlargement count.
    let mut sequence = File::default();
    for (name, shape) in [
        ("1", [4, 6, 3, 3]),
        ("5", [4, 4, 3, 3]),
        ("8", [3, 4, 3, 3]),
    ] {
        sequence = conv(sequence, name, shape);
    }
    let other = sequence.write(&folder, "other.safetensors");
    std::fs::remove_file(&path).unwrap();
    let Model::Cascade(cascade) = Model::open(&other).unwrap() else {
        panic!("another family");
    };
    // Nothing is behind its last convolution; a ReLU is behind that of a small one by name.
    let nodes = |cascade: &Cascade| cascade.levels[0].decoder.nodes.len();
    assert_eq!(nodes(&cascade), 3 + 1 + 2);
    std::fs::remove_file(other).unwrap();
    let path = decoder.write(&folder, "decoder2.safetensors");
    assert_eq!(
        Model::open(&path)
            .map(|model| match model {
                Model::Cascade(cascade) => nodes(&cascade),
                _ => 0,
            })
            .unwrap(),
        3 + 1 + 3
    );
    std::fs::remove_file(encoder).unwrap();
    let said = problem(&path);
    assert!(
        said.contains("the decoder of relu2_1") && said.contains("not an encoder"),
        "{said}"
    );
}

#[test]
fn the_embedded_network_is_whole() {
    let Model::Paint(cascade) = Model::embedded().unwrap() else {
        panic!("another family");
    };
    let layers: Vec<_> = cascade
        .levels
        .iter()
        .map(|level| level.layer.to_string())
        .collect();
    assert_eq!(layers, ["relu3_3", "relu2_1", "relu1_1"]);
    for level in &cascade.levels {
        let net = &cascade.encoders[level.encoder];
        net.validate().unwrap();
        let [channels, height, width] = net.shape_at(level.tap, Size::square(32)).unwrap();
        assert_eq!(channels, level.channels);
        assert_eq!(size_made(&level.decoder, width, height), Size::square(32));
    }
    assert!(matches!(
        Model::find_in("paint", None, None),
        Ok(Model::Paint(_))
    ));
}

#[test]
fn what_is_no_network_is_said() {
    let folder = Folder::new();
    assert!(problem(folder.path()).contains("no file of weights"));
    let path = File::default()
        .with("wte.weight", &[4, 4])
        .write(&folder, "gpt.safetensors");
    let said = problem(&path);
    assert!(
        said.contains("wte.weight") && said.contains("known are"),
        "{said}"
    );
    let said = Model::find_in("nothing", None, None);
    let said = said.unwrap_err().to_string();
    assert!(
        said.contains("neither a file, nor a folder, nor one of paint"),
        "{said}"
    );
    pytorch("").write(&folder, "a.safetensors");
    pytorch("").write(&folder, "b.safetensors");
    let said = problem(folder.path());
    assert!(said.contains("2 transformer networks"), "{said}");
}

#[test]
fn of_several_networks_in_a_folder_the_kind_that_is_meant_is_taken() {
    let folder = Folder::new();
    let mosaic = pytorch("").write(&folder, "mosaic.safetensors");
    for (file, name) in [
        (micro_encoder(""), "content.safetensors"),
        (micro_encoder(""), "style.safetensors"),
        (micro_modulator(), "modulator.safetensors"),
        (micro_decoder(), "decoder.safetensors"),
    ] {
        file.write(&folder, name);
    }
    let name = folder.path().display().to_string();
    let of = |family| Model::find_in(&name, family, None);
    assert!(matches!(of(Some(Family::MicroAst)), Ok(Model::MicroAst(_))));
    let found = of(Some(Family::Transformer));
    assert!(matches!(found, Ok(Model::Transformer(_))), "{found:?}");
    // A kind that is not there does not choose, and the only one needs not be chosen.
    for family in [None, Some(Family::Ghiasi)] {
        let said = of(family).unwrap_err().to_string();
        assert!(said.contains("several networks"), "{said}");
    }
    std::fs::remove_file(mosaic).unwrap();
    assert!(matches!(of(Some(Family::Ghiasi)), Ok(Model::MicroAst(_))));
}
