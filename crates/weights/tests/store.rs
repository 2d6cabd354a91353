//! Importing, listing, checking and removing models; and that every tradition's file becomes the same one.

use impasto_weights::{
    Advice, Checkpoint, Import, Limits, Precision, Store, WeightTensor, WeightsFile, model,
    write_safetensors,
};
use std::path::{Path, PathBuf};

fn fixture(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/fixtures", name]
        .iter()
        .collect()
}

fn store() -> (impasto_testing::Folder, Store) {
    let folder = impasto_testing::Folder::new();
    // A folder that does not exist yet.
    let store = Store::at(folder.path().join("a").join("models"));
    (folder, store)
}

fn named(name: &str) -> Import {
    Import {
        name: Some(name.into()),
        ..Import::default()
    }
}

#[test]
fn every_tradition_becomes_the_same_canonical_file() {
    let reference = Checkpoint::open(fixture("f32.safetensors")).unwrap();
    let (_folder, store) = store();
    for (n, (file, preprocessing)) in [
        ("f16.safetensors", "caffe"),
        ("torch_zip_f32.pth", "torch"),
        ("torch_zip_rich.pth", "torch"),
        ("torch_legacy_f16.pth", "torch"),
        ("torch_legacy_rich.pth", "torch"),
        ("keras1.h5", "caffe"),
        ("keras2.h5", "caffe"),
        ("keras2_latest.h5", "caffe"),
        ("keras3.h5", "caffe"),
        ("keras3.keras", "caffe"),
        ("model.json", "caffe"),
        ("fortran.npz", "caffe"),
        ("adain.pth", "caffe"),
        ("wct.pth", "caffe"),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("m{n}");
        let installed = store.import(&fixture(file), &named(&name)).unwrap();
        assert_eq!(installed.preprocessing, preprocessing, "{file}");
        assert_eq!(installed.architecture, "vgg", "{file}");
        assert_eq!(installed.last, "conv2_1", "{file}");
        assert_eq!(installed.parameters, 482, "{file}");
        assert_eq!(installed.origin.as_deref(), Some(file));
        let read = Checkpoint::open(&installed.path).unwrap();
        assert_eq!(read.tensors, reference.tensors, "{file}");
        let verified = store.verify(&name).unwrap();
        assert_eq!(
            (verified.installed, verified.compared),
            (installed.clone(), true)
        );
        assert_eq!(installed.dtype, "f32", "{file}");
        let half = Import {
            precision: Precision::F16,
            replace: true,
            ..named(&name)
        };
        let halved = store.import(&fixture(file), &half).unwrap();
        assert!(halved.bytes < installed.bytes);
        assert_eq!(halved.dtype, "f16", "{file}");
        let read = Checkpoint::open(&halved.path).unwrap();
        assert_eq!(read.tensors, reference.tensors, "{file}");
    }
    let listed = store.list().unwrap();
    assert_eq!(listed.len(), 14);
    assert!(listed.iter().all(|(_, installed)| installed.is_ok()));
}

#[test]
fn an_import_can_be_told_what_it_is_and_where_to_stop() {
    let (_folder, store) = store();
    let import = Import {
        preprocessing: Some("caffe".into()),
        last: Some((1, 2)),
        ..Import::default()
    };
    let installed = store
        .import(&fixture("torch_zip_f32.pth"), &import)
        .unwrap();
    assert_eq!(installed.name, "torch_zip_f32");
    assert_eq!(installed.preprocessing, "caffe");
    assert_eq!(installed.last, "conv1_2");
    let too_deep = Import {
        last: Some((4, 1)),
        ..named("deep")
    };
    let message = store
        .import(&fixture("torch_zip_f32.pth"), &too_deep)
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("no conv4_1") && message.contains("conv2_1"),
        "{message}"
    );
}

/// The first layer of the published networks, under torchvision's names.
fn first_layer(path: &Path) {
    let tensor = |shape: &[usize]| WeightTensor {
        shape: shape.to_vec(),
        values: vec![0.25; shape.iter().product()],
    };
    let checkpoint = Checkpoint {
        tensors: [
            ("features.0.weight".to_string(), tensor(&[64, 3, 3, 3])),
            ("features.0.bias".to_string(), tensor(&[64])),
        ]
        .into(),
        ..Checkpoint::default()
    };
    write_safetensors(path, &checkpoint, Precision::F32).unwrap();
}

#[test]
fn a_file_with_a_known_name_gets_what_belongs_to_it() {
    let (folder, store) = store();
    // The converter's weights have torchvision's names but not its preprocessing.
    let file = folder.path().join("vgg19-d01eb7cb.pth");
    first_layer(&file);
    let installed = store.import(&file, &Import::default()).unwrap();
    assert_eq!(installed.name, "vgg19-caffe");
    assert_eq!(installed.architecture, "vgg19");
    assert_eq!(installed.preprocessing, "caffe");
    assert_eq!(installed.licence.as_deref(), Some("CC BY 4.0"));
    // It is not that file, and nobody says that it is.
    assert_eq!(installed.verified, None);
    assert_eq!(installed.origin_sha256.unwrap().len(), 64);
    // What both networks begin with may be either.
    assert!(store.import(&file, &named("vgg16")).is_ok());
}

#[test]
fn the_name_of_a_network_is_not_given_to_another() {
    let (folder, store) = store();
    let file = folder.path().join("vgg16-397923af.pth");
    std::fs::copy(fixture("torch_legacy_f32.pth"), &file).unwrap();
    // The name of the file alone gives it neither name nor licence.
    let installed = store.import(&file, &Import::default()).unwrap();
    assert_eq!(installed.name, "vgg16-397923af");
    assert_eq!(installed.licence, None);
    let message = store
        .import(&file, &named("vgg16"))
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("other widths") && message.contains("not vgg16"),
        "{message}"
    );
    assert!(store.find("vgg16").is_none());
}

#[test]
fn installed_models_are_neither_overwritten_nor_trusted() {
    let (_folder, store) = store();
    assert!(store.list().unwrap().is_empty());
    assert!(store.find("mine").is_none());
    let file = fixture("keras2.h5");
    let installed = store.import(&file, &named("mine")).unwrap();
    assert_eq!(store.find("mine").unwrap(), installed.path);
    let message = store.import(&file, &named("mine")).unwrap_err().to_string();
    assert!(message.contains("installed already"), "{message}");

    let mut bytes = std::fs::read(&installed.path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&installed.path, &bytes).unwrap();
    let message = store.verify("mine").unwrap_err().to_string();
    assert!(message.contains("has changed"), "{message}");
    std::fs::write(&installed.path, &bytes[..100]).unwrap();
    assert!(store.verify("mine").is_err());
    // A damaged file does not hide the others.
    store.import(&file, &named("other")).unwrap();
    let listed = store.list().unwrap();
    assert!(listed[0].1.is_err() && listed[1].1.is_ok());

    store.remove("mine").unwrap();
    for error in [store.remove("mine"), store.verify("mine").map(drop)] {
        let advice = error.unwrap_err().advice().unwrap();
        assert!(
            matches!(&advice, Advice::Import { name, .. } if name == "mine"),
            "{advice}"
        );
    }
    let advice = store.verify("vgg19").unwrap_err().advice();
    let model = "vgg19".into();
    assert_eq!(advice, Some(Advice::Pull { model }));
}

#[test]
fn a_file_that_was_put_there_by_hand_is_used_but_not_called_unchanged() {
    let (_folder, store) = store();
    std::fs::create_dir_all(store.folder()).unwrap();
    std::fs::copy(fixture("f16.safetensors"), store.path("by-hand").unwrap()).unwrap();
    let verified = store.verify("by-hand").unwrap();
    assert!(!verified.compared);
    assert_eq!(verified.installed.dtype, "f16");
    assert_eq!(verified.installed.licence, None);
}

#[test]
fn names_that_are_no_names_are_refused() {
    let (_folder, store) = store();
    for name in [
        "",
        "../x",
        "a/b",
        "a\\b",
        ".x",
        "-x",
        "X",
        "lite",
        "con",
        "nul.txt",
        "com1",
        "ä",
        &"x".repeat(65),
    ] {
        assert!(store.path(name).is_err(), "{name:?}");
        assert!(store.import(&fixture("keras2.h5"), &named(name)).is_err());
        assert!(store.remove(name).is_err());
        assert!(store.find(name).is_none());
    }
    assert!(!store.folder().exists());
}

#[test]
fn other_networks_are_refused_with_a_reason() {
    let read = |bytes: &[u8]| {
        let file = WeightsFile::from_bytes(bytes, "w", &Limits::default()).unwrap();
        file.read_vgg().unwrap_err().to_string()
    };
    let file = |tensors: &[(&str, &str, usize)]| {
        let (mut at, mut header) = (0, vec![]);
        for (name, shape, count) in tensors {
            let end = at + 4 * count;
            header.push(format!(
                r#""{name}":{{"dtype":"F32","shape":{shape},"data_offsets":[{at},{end}]}}"#
            ));
            at = end;
        }
        let header = format!("{{{}}}", header.join(","));
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.resize(bytes.len() + at, 0);
        bytes
    };
    for (tensors, expected) in [
        (vec![("layer1.weight", "[4]", 4)], "layer1.weight"),
        (
            vec![
                ("features.0.weight", "[4,3,3,3]", 108),
                ("features.0.bias", "[4]", 4),
                ("features.1.running_mean", "[4]", 4),
            ],
            "batch normalisation",
        ),
        (
            vec![
                ("block1_conv1/kernel", "[4,3,3,3]", 108),
                ("block1_conv1/bias", "[4]", 4),
            ],
            "Theano",
        ),
        (
            vec![
                ("0.weight", "[3,3,1,1]", 9),
                ("0.bias", "[3]", 3),
                ("2.weight", "[4,3,3,3]", 108),
                ("2.bias", "[4]", 4),
            ],
            "1×1 convolution in front",
        ),
    ] {
        let message = read(&file(&tensors));
        assert!(message.contains(expected), "{expected}: {message}");
    }
}

#[test]
fn the_usual_folder_can_be_overridden() {
    let given = Store::locate(Some(Path::new("/x/y"))).unwrap();
    assert_eq!(given.folder(), Path::new("/x/y"));
    assert!(model("vgg19").is_some() && model("vgg18").is_none());
}
