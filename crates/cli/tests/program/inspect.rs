//! What `inspect` prints is what the library computes.

use crate::workshop::{Workshop, tiny};
use impasto::compute::Device;
use impasto::compute::reference::ReferenceDevice;
use impasto::recipe::StyleLoss;
use impasto::{Encoder, Recipe, Style, Stylizer};
use impasto_testing::{Tolerance, assert_near, assert_same};
use serde_json::Value;

const PICTURES: &str =
    "--content photo.png --image image.png --style painting.png --style second.png:3";

fn shop() -> Workshop {
    let shop = Workshop::new();
    shop.picture("image.png", 24, 16);
    shop.picture("second.png", 13, 17);
    shop
}

fn loss(shop: &Workshop, options: &str) -> crate::workshop::Said {
    let mut program = shop.program();
    program.args(["inspect", "loss", "--encoder"]).arg(tiny());
    program
        .args(PICTURES.split_whitespace())
        .args(options.split_whitespace());
    program.output().unwrap().into()
}

#[test]
fn losses_and_gradient_are_those_of_the_library() {
    let shop = shop();
    let options = "--device reference --style-loss gram --style-layers relu1_1,conv2_2:2 --content-layer pool2 \
                   --tv l2 --tv-weight 3 --pooling average --padding reflect --gradient gradient.npy --json";
    let said = loss(&shop, options).done();
    let printed: Value = serde_json::from_str(&said.stdout).unwrap();

    let mut recipe = Recipe::default();
    let settings = recipe.optimize_mut().unwrap();
    settings.style.loss = StyleLoss::Gram;
    settings.style.layers = vec!["relu1_1".parse().unwrap(), "conv2_2:2".parse().unwrap()];
    settings.content.layers = vec!["pool2".parse().unwrap()];
    settings.variation.kind = impasto::compute::TotalVariation::L2;
    settings.variation.weight = 3.0;
    recipe.encoder.pooling = impasto::compute::PoolKind::Average;
    recipe.encoder.padding = impasto::compute::Padding::Reflect;
    let device: Box<dyn Device> = Box::new(ReferenceDevice::new());
    let encoder = Encoder::open(&tiny(), None).unwrap();
    let styles = vec![
        Style::new("painting", shop.open("painting.png"), 1.0),
        Style::new("second", shop.open("second.png"), 3.0),
    ];
    let mut stylizer = Stylizer::new(device, &encoder, styles, recipe).unwrap();
    let expected = stylizer
        .inspect(&shop.open("photo.png"), &shop.open("image.png"))
        .unwrap();

    // Reading a printed f64 back may be off by its last bit.
    let same = |case: &str, printed: &Value, expected: f64| {
        let tolerance = Tolerance::relative(1e-15);
        assert_near(case, printed.as_f64().unwrap(), expected, tolerance);
    };
    same("total", &printed["total"], expected.total);
    let terms = printed["terms"].as_array().unwrap();
    assert_eq!(terms.len(), expected.terms.len());
    for (printed, expected) in terms.iter().zip(&expected.terms) {
        assert_eq!(printed["name"], expected.name.as_str());
        for (key, value) in [
            ("value", expected.value),
            ("weight", expected.weight),
            ("weighted", expected.weighted),
        ] {
            same(&format!("{} {key}", expected.name), &printed[key], value);
        }
    }
    let names: Vec<_> = terms
        .iter()
        .map(|term| term["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        ["content:pool2", "style:relu1_1", "style:conv2_2", "tv"]
    );

    let file = shop.bytes("gradient.npy");
    let data = &file[file.len() - 4 * 3 * 16 * 24..];
    assert!(String::from_utf8_lossy(&file).contains("'shape': (3, 16, 24, )"));
    let gradient: Vec<f32> = data
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
        .collect();
    assert_same("gradient", &gradient, &expected.gradient);
}

#[test]
fn the_table_names_every_term() {
    let said = loss(&shop(), "").done();
    for name in ["content:relu3_3", "style:relu1_1", "tv", "total"] {
        assert!(
            said.stdout.lines().any(|line| line.starts_with(name)),
            "{said:?}"
        );
    }
}

#[test]
fn pictures_of_different_sizes_are_refused_with_everything_else() {
    let shop = shop();
    shop.picture("image.png", 25, 16);
    loss(&shop, "--tv-weight nan --gradient nowhere/g.npy").refused(
        2,
        &[
            "--tv-weight is NaN",
            "--image is 25×16 px: must be as large as the content, 24×16 px",
            "create the folder first",
        ],
    );
    assert!(!shop.files().iter().any(|name| name.ends_with("npy")));
}

#[test]
fn encoders_are_described_for_people_and_programs() {
    let shop = Workshop::new();
    let said = shop.run("inspect encoder lite").done();
    assert!(said.stdout.starts_with("lite: "), "{said:?}");
    assert!(said.stdout.contains("conv3_2"), "{said:?}");
    let mut program = shop.program();
    program.args(["inspect", "encoder", "--json"]).arg(tiny());
    let said = crate::workshop::Said::from(program.output().unwrap()).done();
    let printed: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(printed["parameters"], 19789);
    assert_eq!(printed["preprocessing"], "caffe");
    assert_eq!(printed["content_layers"][0], "relu3_3");
    assert_eq!(
        printed["layers"][0]["weights"],
        serde_json::json!([8, 3, 3, 3])
    );
    shop.run("inspect encoder photo.png")
        .refused(1, &["photo.png"]);
    shop.run("inspect encoder vgg99").refused(2, &["vgg99"]);
}
