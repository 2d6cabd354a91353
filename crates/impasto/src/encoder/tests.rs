use super::*;
use impasto_compute::PoolKind;
use impasto_weights::WeightTensor;

/// A checkpoint whose tensors have the given names and shapes.
fn checkpoint(tensors: &[(&str, &[usize])]) -> Checkpoint {
    let mut checkpoint = Checkpoint::default();
    for (name, shape) in tensors {
        let length = shape.iter().product();
        let tensor = WeightTensor {
            shape: shape.to_vec(),
            values: (0..length).map(|i| i as f32).collect(),
        };
        checkpoint.tensors.insert((*name).into(), tensor);
    }
    checkpoint
}

fn vgg(name: impl Fn(u8, u8, usize) -> String, blocks: &[u8]) -> Checkpoint {
    let mut tensors = Vec::new();
    let (mut channels, mut number) = (3, 0);
    for (block, &convolutions) in (1u8..).zip(blocks) {
        for index in 1..=convolutions {
            let layer = name(block, index, number);
            tensors.push((format!("{layer}.weight"), vec![4, channels, 3, 3]));
            tensors.push((format!("{layer}.bias"), vec![4]));
            channels = 4;
            number += 2;
        }
        number += 1;
    }
    let tensors: Vec<_> = tensors
        .iter()
        .map(|(name, shape)| (name.as_str(), shape.as_slice()))
        .collect();
    checkpoint(&tensors)
}

fn canonical(block: u8, index: u8, _: usize) -> String {
    format!("conv{block}_{index}")
}

fn torchvision(_: u8, _: u8, number: usize) -> String {
    format!("features.{number}")
}

fn encoder(checkpoint: Checkpoint) -> Result<Encoder, String> {
    Encoder::from_checkpoint("test", checkpoint, None).map_err(|error| error.to_string())
}

fn position(encoder: &Encoder, layer: &str) -> Tap {
    encoder.tap(layer.parse().unwrap()).unwrap()
}

#[test]
fn torchvision_numbers_mean_what_they_mean_there() {
    let vgg19 = encoder(vgg(torchvision, &[2, 2, 4, 4, 4])).unwrap();
    for (layer, number) in [
        ("relu1_1", 1),
        ("pool1", 4),
        ("relu3_1", 11),
        ("conv4_2", 21),
        ("relu5_1", 29),
        ("pool5", 36),
    ] {
        assert_eq!(
            position(&vgg19, layer),
            Tap::Layer(number),
            "VGG-19 {layer}"
        );
        assert_eq!(position(&vgg19, &number.to_string()), Tap::Layer(number));
    }
    let vgg16 = encoder(vgg(torchvision, &[2, 2, 3, 3, 3])).unwrap();
    for (layer, number) in [
        ("relu2_2", 8),
        ("relu3_3", 15),
        ("relu4_3", 22),
        ("pool5", 30),
    ] {
        assert_eq!(
            position(&vgg16, layer),
            Tap::Layer(number),
            "VGG-16 {layer}"
        );
    }
    assert!(vgg16.tap("relu3_4".parse().unwrap()).is_err());
    assert!(vgg16.tap("31".parse().unwrap()).is_err());
    assert_eq!(vgg16.preprocessing(), Preprocessing::Torch);
}

#[test]
fn names_round_trip_through_every_layer() {
    let vgg19 = encoder(vgg(canonical, &[2, 2, 4, 4, 4])).unwrap();
    assert_eq!(vgg19.preprocessing(), Preprocessing::Caffe);
    let rows = vgg19.layers();
    assert_eq!(rows.len(), 36);
    for (number, row) in rows.iter().enumerate() {
        assert_eq!(
            position(&vgg19, &row.layer),
            Tap::Layer(number),
            "{}",
            row.layer
        );
    }
    let field = |layer: &str| {
        rows.iter()
            .find(|row| row.layer == layer)
            .unwrap()
            .receptive_field
    };
    // conv1_1 sees 3 pixels, conv1_2 5; pool1 6; conv2_1 10; relu5_1 156.
    assert_eq!(
        [
            field("relu1_1"),
            field("relu1_2"),
            field("pool1"),
            field("conv2_1"),
            field("relu5_1")
        ],
        [3, 5, 6, 10, 156]
    );
}

#[test]
fn a_file_that_stops_early_is_a_smaller_encoder() {
    let short = encoder(vgg(canonical, &[2, 2, 3])).unwrap();
    assert_eq!(short.taps().last().unwrap().to_string(), "relu3_3");
    assert_eq!(short.default_layers().content, ["relu3_3".parse().unwrap()]);
    let message = short
        .tap("relu4_2".parse().unwrap())
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("relu4_2") && message.contains("relu3_2, relu3_3"),
        "{message}"
    );
    let tiny = encoder(vgg(canonical, &[1, 1])).unwrap();
    assert_eq!(tiny.default_layers().content, ["relu2_1".parse().unwrap()]);
    assert_eq!(tiny.default_layers().style.len(), 2);
}

#[test]
fn the_red_filter_of_caffe_weights_is_their_third() {
    let caffe = encoder(vgg(canonical, &[1])).unwrap();
    let NetSpec { layers, .. } = caffe.spec(&EncoderOptions::default());
    let Layer::Conv(conv) = &layers[0] else {
        panic!("the first layer is a convolution")
    };
    assert_eq!(conv.weight[..3], [18.0, 19.0, 20.0]);
    assert_eq!(conv.weight[18..21], [0.0, 1.0, 2.0]);
}

#[test]
fn files_of_other_networks_say_what_is_wrong() {
    let cases = [
        (
            checkpoint(&[("layer1.0.conv1.weight", &[64, 3, 7, 7])]),
            "layer1.0.conv1.weight",
        ),
        (
            checkpoint(&[("conv1_1.weight", &[4, 3, 5, 5]), ("conv1_1.bias", &[4])]),
            "expected [out, in, 3, 3]",
        ),
        (
            checkpoint(&[("conv1_1.weight", &[4, 1, 3, 3]), ("conv1_1.bias", &[4])]),
            "3 channels reach it",
        ),
        (
            checkpoint(&[("conv1_1.weight", &[4, 3, 3, 3])]),
            "conv1_1.bias is missing",
        ),
        (
            checkpoint(&[("conv1_1.weight", &[4, 3, 3, 3]), ("conv1_1.bias", &[5])]),
            "expected [4]",
        ),
        (
            checkpoint(&[("conv1_1.weight", &[0, 3, 3, 3]), ("conv1_1.bias", &[0])]),
            "[0, 3, 3, 3]",
        ),
        (
            checkpoint(&[
                ("conv1_1.weight", &[4, 3, 3, 3]),
                ("conv1_1.bias", &[4]),
                ("conv3_1.weight", &[4, 4, 3, 3]),
            ]),
            "conv3_1",
        ),
    ];
    for (checkpoint, expected) in cases {
        let message = encoder(checkpoint).unwrap_err();
        assert!(message.contains(expected), "{expected}: {message}");
    }
}

#[test]
fn heads_take_over_the_names_of_the_layers_they_imitate() {
    let lite = Encoder::lite().unwrap();
    assert_eq!(position(&lite, "relu3_1"), Tap::Head(2));
    assert!(lite.tap("relu3_2".parse().unwrap()).is_err());
    assert_eq!(lite.preprocessing(), Preprocessing::Plain);
    lite.spec(&EncoderOptions::default()).validate().unwrap();
    assert_eq!(lite.parameters(), 468_704);
    assert_eq!(lite.default_layers().style.len(), 4);
}

#[test]
fn pools_keep_the_mean_activation_unless_they_are_plain() {
    let encoder = encoder(vgg(canonical, &[1, 1])).unwrap();
    let factor = |pooling, plain_pooling| {
        let options = EncoderOptions {
            pooling,
            plain_pooling,
            ..EncoderOptions::default()
        };
        let Layer::Pool(pool) = encoder.spec(&options).layers[2] else {
            panic!("layer 2 is a pool")
        };
        pool.factor
    };
    assert_eq!(
        [
            factor(PoolKind::Max, false),
            factor(PoolKind::Average, false),
            factor(PoolKind::L2, false)
        ],
        [1.0, 2.0, 0.78]
    );
    assert_eq!(factor(PoolKind::Average, true), 1.0);
}
