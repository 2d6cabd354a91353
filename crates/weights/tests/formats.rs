//! Files written by PyTorch, Keras, h5py, NumPy, safetensors and in TensorFlow.js' layout all read to the same
//! numbers. `fixtures/make.py` wrote them and says what they hold.

use impasto_weights::{Checkpoint, Format, Limits, WeightTensor, WeightsFile};
use std::collections::BTreeMap;
use std::path::PathBuf;

fn fixture(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/fixtures", name]
        .iter()
        .collect()
}

/// Value number i of tensor number t, as `make.py` defines it.
fn value(t: usize, i: usize) -> f32 {
    ((7 * i + 13 * t) % 257) as f32 / 32.0 - 4.0
}

const SHAPES: [[usize; 4]; 3] = [[4, 3, 3, 3], [4, 4, 3, 3], [6, 4, 3, 3]];

/// Tensor number `t`: filters of convolution t/2, or its bias.
fn expected(t: usize) -> WeightTensor {
    let shape = match t % 2 {
        0 => SHAPES[t / 2].to_vec(),
        _ => vec![SHAPES[t / 2][0]],
    };
    let count = shape.iter().product();
    WeightTensor {
        shape,
        values: (0..count).map(|i| value(t, i)).collect(),
    }
}

/// The same filters with the channels last: [3, 3, in, out].
fn channels_last(filters: &WeightTensor) -> WeightTensor {
    let [out, input, ..] = filters.shape[..] else {
        return filters.clone();
    };
    let mut values = Vec::new();
    for tap in 0..9 {
        for i in 0..input {
            values.extend((0..out).map(|o| filters.values[(o * input + i) * 9 + tap]));
        }
    }
    WeightTensor {
        shape: vec![3, 3, input, out],
        values,
    }
}

/// How a tradition calls the filters and biases of three convolutions, and whether its channels come last.
struct Names([&'static str; 6], bool);

const TORCHVISION: Names = Names(
    [
        "features.0.weight",
        "features.0.bias",
        "features.2.weight",
        "features.2.bias",
        "features.5.weight",
        "features.5.bias",
    ],
    false,
);
const CAFFE: Names = Names(
    [
        "conv1_1.weight",
        "conv1_1.bias",
        "conv1_2.weight",
        "conv1_2.bias",
        "conv2_1.weight",
        "conv2_1.bias",
    ],
    false,
);
const KERAS1: Names = Names(
    [
        "block1_conv1/block1_conv1_W_1:0",
        "block1_conv1/block1_conv1_b_1:0",
        "block1_conv2/block1_conv2_W_1:0",
        "block1_conv2/block1_conv2_b_1:0",
        "block2_conv1/block2_conv1_W_1:0",
        "block2_conv1/block2_conv1_b_1:0",
    ],
    true,
);
const KERAS2: Names = Names(
    [
        "block1_conv1/block1_conv1/kernel:0",
        "block1_conv1/block1_conv1/bias:0",
        "block1_conv2/block1_conv2/kernel:0",
        "block1_conv2/block1_conv2/bias:0",
        "block2_conv1/block2_conv1/kernel:0",
        "block2_conv1/block2_conv1/bias:0",
    ],
    true,
);
const KERAS3: Names = Names(
    [
        "layers/conv2d/vars/0",
        "layers/conv2d/vars/1",
        "layers/conv2d_1/vars/0",
        "layers/conv2d_1/vars/1",
        "layers/conv2d_2/vars/0",
        "layers/conv2d_2/vars/1",
    ],
    true,
);
const TFJS: Names = Names(
    [
        "block1_conv1/kernel",
        "block1_conv1/bias",
        "block1_conv2/kernel",
        "block1_conv2/bias",
        "block2_conv1/kernel",
        "block2_conv1/bias",
    ],
    true,
);

#[test]
fn every_writer_gives_the_same_numbers() {
    use Format::*;
    let files: [(&str, Format, Names); 23] = [
        ("torch_zip_f32.pth", PytorchZip, TORCHVISION),
        ("torch_zip_f16.pth", PytorchZip, TORCHVISION),
        ("torch_zip_bf16.pth", PytorchZip, TORCHVISION),
        ("torch_zip_f64.pth", PytorchZip, TORCHVISION),
        ("torch_zip_nocrc.pth", PytorchZip, TORCHVISION),
        ("torch_legacy_f32.pth", PytorchLegacy, TORCHVISION),
        ("torch_legacy_f16.pth", PytorchLegacy, TORCHVISION),
        ("torch_legacy_bf16.pth", PytorchLegacy, TORCHVISION),
        ("torch_legacy_f64.pth", PytorchLegacy, TORCHVISION),
        ("f32.safetensors", Safetensors, CAFFE),
        ("f16.safetensors", Safetensors, CAFFE),
        ("bf16.safetensors", Safetensors, CAFFE),
        ("f64.safetensors", Safetensors, CAFFE),
        ("stored.npz", Npz, CAFFE),
        ("deflated.npz", Npz, CAFFE),
        ("f16.npz", Npz, CAFFE),
        ("f64.npz", Npz, CAFFE),
        ("fortran.npz", Npz, CAFFE),
        ("keras1.h5", Hdf5, KERAS1),
        ("keras2.h5", Hdf5, KERAS2),
        ("keras2_latest.h5", Hdf5, KERAS2),
        ("keras3.keras", Hdf5, KERAS3),
        ("model.json", Tfjs, TFJS),
    ];
    for (file, format, names) in files {
        let open = WeightsFile::open(fixture(file), &Limits::default()).unwrap();
        assert_eq!(open.format(), format, "{file}");
        let checkpoint = open.read_all(|_| true).unwrap();
        assert_eq!(checkpoint.tensors.len(), 6, "{file}");
        for (t, name) in names.0.into_iter().enumerate() {
            let mut wanted = expected(t);
            if names.1 {
                wanted = channels_last(&wanted);
            }
            assert_eq!(checkpoint.tensors[name], wanted, "{file}: {name}");
            assert_eq!(open.read(name).unwrap(), wanted, "{file}: {name}");
        }
    }
    let metadata = Checkpoint::open(fixture("f32.safetensors"))
        .unwrap()
        .metadata;
    assert_eq!(metadata["origin"], "make.py");
}

#[test]
fn a_rich_state_dict_is_read_through_its_views() {
    for file in ["torch_zip_rich.pth", "torch_legacy_rich.pth"] {
        let tensors = Checkpoint::open(fixture(file)).unwrap().tensors;
        for (t, name) in TORCHVISION.0.into_iter().enumerate() {
            let name = format!("state_dict.{name}");
            assert_eq!(tensors[&name], expected(t), "{file}: {name}");
        }
        assert_eq!(
            tensors["state_dict.classifier.0.tied"],
            tensors["state_dict.classifier.0.weight"]
        );
        // The counter is a whole number and left out.
        assert_eq!(tensors.len(), 8, "{file}");
        let file = WeightsFile::open(fixture(file), &Limits::default()).unwrap();
        let error = file.read("state_dict.num_batches_tracked").unwrap_err();
        assert!(error.to_string().contains("i64"), "{error}");
    }
}

#[test]
fn every_kind_of_hdf5_dataset_is_read() {
    let file = WeightsFile::open(fixture("kinds.h5"), &Limits::default()).unwrap();
    let wanted = WeightTensor {
        shape: vec![7, 5, 3],
        values: (0..105).map(|i| value(0, i)).collect(),
    };
    for name in ["plain", "gzip", "all", "f16", "f64", "soft/real"] {
        assert_eq!(file.read(name).unwrap(), wanted, "{name}");
    }
    assert_eq!(file.read("empty").unwrap().shape, [0, 3]);
    let error = file.read("big").unwrap_err().to_string();
    assert!(error.contains("big-endian"), "{error}");
    let all = file.read_all(|_| true).unwrap();
    assert_eq!(all.tensors.len(), 7, "{:?}", all.tensors.keys());
}

#[test]
fn quantised_weights_of_tensorflow_js_are_widened() {
    let tensors = Checkpoint::open(fixture("quantised.json")).unwrap().tensors;
    let wanted: Vec<f32> = (0..12).map(|q| q as f32 * 0.5 - 2.0).collect();
    for name in ["byte", "word"] {
        assert_eq!(tensors[name].values, wanted);
        assert_eq!(tensors[name].shape, [3, 4]);
    }
}

#[test]
fn a_whole_module_is_refused_with_a_way_out() {
    let message = Checkpoint::open(fixture("torch_zip_module.pth"))
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("torch.nn.modules") && message.contains("state_dict()"),
        "{message}"
    );
}

#[test]
fn only_what_is_wanted_is_read() {
    let file = WeightsFile::open(fixture("torch_zip_f32.pth"), &Limits::default()).unwrap();
    let checkpoint = file
        .read_all(|tensor| tensor.shape.len() == 1 && tensor.name.starts_with("features.2"))
        .unwrap();
    assert_eq!(
        checkpoint.tensors.keys().collect::<Vec<_>>(),
        ["features.2.bias"]
    );
    assert!(file.read("nothing").is_err());
}

/// A file of these tensors, all of zeros.
fn made_of(tensors: &[(String, Vec<usize>)]) -> Vec<u8> {
    let (mut header, mut end) = (String::new(), 0);
    for (name, shape) in tensors {
        let start = end;
        end += 4 * shape.iter().product::<usize>();
        header += &format!(
            r#"{}"{name}":{{"dtype":"F32","shape":{shape:?},"data_offsets":[{start},{end}]}}"#,
            if header.is_empty() { "{" } else { "," },
        );
    }
    header.push('}');
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.bytes());
    bytes.resize(bytes.len() + end, 0);
    bytes
}

/// Convolutions under torchvision's or the canonical names, by number or place and width.
fn convolutions(names: &[(&str, usize)]) -> Vec<(String, Vec<usize>)> {
    let (mut tensors, mut channels) = (Vec::new(), 3);
    for &(name, width) in names {
        tensors.push((format!("{name}.weight"), vec![width, channels, 3, 3]));
        tensors.push((format!("{name}.bias"), vec![width]));
        channels = width;
    }
    tensors
}

#[test]
fn other_networks_and_gaps_are_refused_with_a_sentence() {
    let read = |tensors: &[(String, Vec<usize>)]| {
        let bytes = made_of(tensors);
        let file = WeightsFile::from_bytes(&bytes, "it", &Limits::default()).unwrap();
        let doubt = file.doubt();
        file.read_vgg()
            .map(|_| doubt)
            .map_err(|error| error.to_string())
    };
    // SqueezeNet begins as a VGG does, and goes on by other names.
    let mut squeeze = convolutions(&[("features.0", 64)]);
    squeeze.push(("features.3.squeeze.weight".into(), vec![16, 64, 1, 1]));
    // VGG-13 in torchvision's sequence: a convolution is where VGG-16 has none.
    let thirteen = [0, 2, 5, 7, 10, 12, 15, 17].map(|number| format!("features.{number}"));
    let widths = [4, 4, 4, 4, 4, 4, 4, 4];
    let thirteen: Vec<_> = thirteen.iter().map(String::as_str).zip(widths).collect();
    // VGG-19 without the last convolution of its third block.
    let places = [
        "1_1", "1_2", "2_1", "2_2", "3_1", "3_2", "3_3", "4_1", "4_2", "4_3", "4_4",
    ];
    let wide = [64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512];
    let places = places.map(|place| format!("conv{place}"));
    let gap: Vec<_> = places.iter().map(String::as_str).zip(wide).collect();
    let numbered = [("features.0", 4), ("features.2", 4), ("features.7", 4)];
    for (tensors, words) in [
        (squeeze, "features.3.squeeze.weight, which no VGG has"),
        (convolutions(&thirteen), "features.14"),
        (convolutions(&gap), "has no conv3_4, and goes on to conv4_4"),
        (
            convolutions(&numbered),
            "it has features.7.weight but not features.5.weight",
        ),
    ] {
        let error = read(&tensors).unwrap_err();
        assert!(error.contains(words), "{error}");
    }
    // Of another width, blocks may have any number of layers.
    let narrow: Vec<_> = gap.iter().map(|&(name, _)| (name, 5)).collect();
    assert_eq!(read(&convolutions(&narrow)), Ok(None));
    let mut mostly_other = convolutions(&[("conv1_1", 8), ("conv1_2", 8)]);
    mostly_other.extend((0..9).map(|n| (format!("layer{n}.weight"), vec![2])));
    let doubt = read(&mostly_other).unwrap().unwrap();
    assert!(
        doubt.contains("only 4 of its 13 tensors are used"),
        "{doubt}"
    );
}

/// The same three convolutions in whole graphs, as `make_graphs.py` wrote them.
#[test]
fn graphs_give_their_weights_and_operations() {
    for (file, format, operations) in [
        ("raw.onnx", Format::Onnx, &["Conv", "Relu"][..]),
        ("floats.onnx", Format::Onnx, &["Conv", "Relu"]),
        (
            "constants.onnx",
            Format::Onnx,
            &["Constant", "Conv", "Relu"],
        ),
        ("f32.tflite", Format::Tflite, &["CONV_2D", "MIRROR_PAD"]),
        ("f16.tflite", Format::Tflite, &["CONV_2D", "DEQUANTIZE"]),
    ] {
        let open = WeightsFile::open(fixture(file), &Limits::default()).unwrap();
        assert_eq!(open.format(), format, "{file}");
        assert_eq!(open.operations(), operations, "{file}");
        let checkpoint = open.read_all(|_| true).unwrap();
        assert_eq!(checkpoint.tensors.len(), 6, "{file}");
        for t in 0..6 {
            let part = ["weight", "bias"][t % 2];
            let name = format!("conv{}.{part}", t / 2);
            assert_eq!(checkpoint.tensors[&name], expected(t), "{file}: {name}");
        }
    }
}

#[test]
fn whole_numbers_of_tensorflow_lite_are_scaled_slice_by_slice() {
    let open = WeightsFile::open(fixture("quantised.tflite"), &Limits::default()).unwrap();
    // Numbers without a scale are no weights.
    let tensors = open.read_all(|_| true).unwrap().tensors;
    assert_eq!(tensors.len(), 2);
    let filters = &tensors["filters"];
    assert_eq!(filters.shape, [2, 3, 4]);
    for (i, value) in filters.values.iter().enumerate() {
        let (scale, zero) = [(0.5, 0), (0.25, 1), (2.0, -2)][i / 4 % 3];
        assert_eq!(*value, scale * (i as i32 - 12 - zero) as f32, "{i}");
    }
    assert_eq!(tensors["bias"].values, [-0.375, 0.0, 125.0]);
}

#[test]
fn tensors_of_deeplearn_js_have_a_file_each() {
    let json = br#"{"Variable": {"filename": "a", "shape": [1, 2]}, "Variable_1": {"filename": "b", "shape": [1]}}"#;
    let bytes = [1.0_f32, -2.0, 0.5].map(f32::to_le_bytes).concat();
    let shards = BTreeMap::from([
        ("a".to_string(), &bytes[..8]),
        ("b".to_string(), &bytes[8..]),
    ]);
    let file =
        WeightsFile::with_shards(json, &shards, "manifest.json", &Limits::default()).unwrap();
    let tensors = file.read_all(|_| true).unwrap().tensors;
    assert_eq!(tensors["Variable"].values, [1.0, -2.0]);
    assert_eq!(tensors["Variable_1"].values, [0.5]);
}
