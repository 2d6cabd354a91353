//! What the program refuses: each with its exit status, one line that says what to do, and no file written.

use crate::workshop::{Running, Said, Workshop, tiny};
use std::fs;

/// Checks that a call of `stylize` is refused like this and leaves the folder as it was.
fn refused(shop: &Workshop, arguments: &str, status: i32, lines: &[&str]) {
    let before = shop.files();
    let said = shop.stylize(arguments);
    said.refused(status, lines);
    assert_eq!(shop.files(), before, "{arguments}");
}

#[test]
fn files_that_are_no_pictures() {
    let shop = Workshop::new();
    let png = shop.bytes("photo.png");
    fs::write(
        shop.path("text.jpg"),
        "Dear diary, today I painted nothing.\n",
    )
    .unwrap();
    fs::write(shop.path("empty.png"), "").unwrap();
    fs::write(shop.path("cut.png"), &png[..png.len() / 2]).unwrap();
    fs::write(shop.path("bomb.png"), bomb(&png)).unwrap();
    fs::create_dir(shop.path("folder.png")).unwrap();
    for (name, words) in [
        (
            "missing.png",
            "cannot read missing.png: there is no such file",
        ),
        ("text.jpg", "cannot read text.jpg"),
        ("empty.png", "cannot read empty.png: the file is empty"),
        ("cut.png", "cannot read cut.png"),
        ("bomb.png", "cannot read bomb.png"),
        ("folder.png", "cannot read folder.png: it is a folder"),
    ] {
        refused(&shop, &format!("{name} --style painting.png"), 1, &[words]);
        refused(&shop, &format!("photo.png --style {name}"), 1, &[words]);
        if name != "missing.png" {
            let call = format!("photo.png --style painting.png --init {name}");
            refused(&shop, &call, 1, &[words]);
        }
    }
    refused(
        &shop,
        "missing.png --style missing.png",
        1,
        &["missing.png"],
    );
    refused(&shop, "@swirl --style painting.png", 2, &["@swirls"]);
}

/// A PNG whose header promises 60000×60000 pixels.
fn bomb(png: &[u8]) -> Vec<u8> {
    let mut bytes = png.to_vec();
    bytes[16..20].copy_from_slice(&60_000u32.to_be_bytes());
    bytes[20..24].copy_from_slice(&60_000u32.to_be_bytes());
    let crc = !bytes[12..29].iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg())
        })
    });
    bytes[29..33].copy_from_slice(&crc.to_be_bytes());
    bytes
}

#[test]
fn outputs_that_cannot_be_written() {
    let shop = Workshop::new();
    fs::write(shop.path("file"), "").unwrap();
    fs::create_dir(shop.path("folder.png")).unwrap();
    let photo = shop.bytes("photo.png");
    let call = |more: &str| format!("photo.png --style painting.png {more}");
    for (more, status, words) in [
        ("-o nowhere/out.png", 1, "nowhere"),
        ("-o file/out.png", 1, "a part of the path is a file"),
        ("--out-dir nowhere", 1, "create the folder first"),
        ("--out-dir file", 1, "file"),
        ("-o folder.png", 1, "it is a folder"),
        ("-o out.gif", 2, "use .png, .jpg, .webp or .tif"),
        ("-o out", 2, "name has no extension"),
        ("--report nowhere/page.html", 1, "create the folder first"),
        (
            "--report page.pdf",
            2,
            "--report is page.pdf: must end in .html",
        ),
        ("-o photo.png", 2, "choose another name"),
        ("-o ./painting.png", 2, "choose another name"),
    ] {
        refused(&shop, &call(more), status, &[words]);
    }
    assert_eq!(shop.bytes("photo.png"), photo);
}

#[cfg(unix)]
#[test]
fn folders_without_permission() {
    use std::os::unix::fs::PermissionsExt;
    let shop = Workshop::new();
    let folder = shop.path("locked");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o555)).unwrap();
    if fs::write(folder.join("trial"), "").is_ok() {
        impasto_testing::skip("this user may write everywhere");
        return;
    }
    refused(
        &shop,
        "photo.png --style painting.png --out-dir locked",
        1,
        &["that you may write to"],
    );
}

#[test]
fn numbers_that_cannot_be() {
    let shop = Workshop::new();
    for (more, words) in [
        (
            "--size 0",
            "--size is 0: must be between 16 and 32768 pixels",
        ),
        (
            "--size 1",
            "--size is 1: must be between 16 and 32768 pixels",
        ),
        (
            "--size 100000",
            "--size is 100000: must be between 16 and 32768 pixels",
        ),
        (
            "--size -5",
            "--size is -5: must be a whole number of pixels, or original",
        ),
        (
            "--size huge",
            "--size is huge: must be a whole number of pixels, or original",
        ),
        (
            "--style-weight nan",
            "--style-weight is NaN: must be a number of at least 0",
        ),
        ("--style-weight -1", "--style-weight is -1: must be"),
        ("--content-weight inf", "--content-weight is inf: must be"),
        ("--tv-weight much", "--tv-weight is much: must be a number"),
        ("--style-scale 0", "--style-scale is 0: must be between"),
        ("--style-size 3", "--style-size is 3: must be between"),
        ("--steps 0", "--steps is 0: must be"),
        ("--steps 1,,2", "--steps is 1,,2: must be"),
        (
            "--size 16 --steps 1,2",
            "--steps has 2 numbers, but photo.png goes through 1 scale",
        ),
        ("--scales 32,16", "--scales is 32,16: must be ascending"),
        ("--learning-rate 0", "--learning-rate is 0: must be"),
        ("--averaging 1", "--averaging is 1: must be"),
        ("--seed -1", "--seed is -1: must be a whole number"),
        ("--threads 0", "0 threads: choose 1 to 1024"),
        ("--save-every 0", "--save-every is 0: must be"),
        (
            "--quality finest",
            "--quality is finest: must be one of instant, draft, normal, fine, best",
        ),
        (
            "--pooling min",
            "--pooling is min: must be one of max, average, l2",
        ),
        (
            "--init nothing",
            "--init is nothing: must be content, noise, mixed, style, or a picture",
        ),
        (
            "--style painting.png:0",
            "the weight of --style painting.png is 0: must be",
        ),
        (
            "--style painting.png:-1",
            "the weight of --style painting.png is -1: must be",
        ),
        (
            "--style painting.png:nan",
            "the weight of --style painting.png is nan: must be",
        ),
        (
            "--style painting.png:a",
            "the weight of --style painting.png is a: must be",
        ),
        ("--content-layer relu9_9", "--content-layer: "),
        ("--style-layers relu1_1,sky", "names no layer"),
        (
            "--style-layers relu1_1:0",
            "the weight of a layer must be greater than 0",
        ),
        (
            "--style-layers relu1_1,relu1_1",
            "a layer can be named only once",
        ),
    ] {
        refused(
            &shop,
            &format!("photo.png --style painting.png {more}"),
            2,
            &[words],
        );
    }
}

#[test]
fn options_that_contradict_each_other() {
    let shop = Workshop::new();
    shop.picture("other.png", 16, 16);
    for (more, words) in [
        (
            "--style-size 32 --style-scale 2",
            "--style-size and --style-scale are both given",
        ),
        (
            "--gram-norm hw --style-loss wasserstein",
            "--gram-norm is hw: goes with the gram loss only",
        ),
        (
            "--scales 16,32 --size 64",
            "--scales and --size are both given",
        ),
        ("-o out.png --out-dir .", "-o and --out-dir are both given"),
        (
            "other.png --report page.html",
            "--report is about one content, but there are 2",
        ),
        (
            "other.png -o out.png",
            "-o names one file, but there are 2 contents",
        ),
        ("--quiet --verbose", "--quiet and --verbose are both given"),
        (
            "--quiet --progress bar",
            "--quiet and --progress are both given",
        ),
        (
            "--device reference --threads 2",
            "--threads goes with --device cpu only",
        ),
        (
            "--device reference --precision f32",
            "--precision goes with the cpu and the gpu only",
        ),
        (
            "--device cpu --precision f16",
            "f16 products are the gpu's: choose bf16 here",
        ),
        ("--precision half", "must be one of strict, f32, bf16, f16"),
        (
            "--content-weight 0 --style-weight 0 --tv-weight 0",
            "one of them must be greater than 0",
        ),
    ] {
        refused(
            &shop,
            &format!("photo.png --style painting.png {more}"),
            2,
            &[words],
        );
    }
    let said = shop.run("stylize photo.png --style painting.png --preprocessing caffe");
    said.refused(2, &["--preprocessing goes with a file of weights only"]);
}

#[test]
fn encoders_that_are_none() {
    let shop = Workshop::new();
    let before = shop.files();
    let run = |encoder: &str| -> Said {
        shop.run(&format!(
            "stylize photo.png --style painting.png --encoder {encoder}"
        ))
    };
    run("vgg99").refused(2, &["neither a file nor one of lite, vgg19"]);
    run("vgg19").refused(1, &["not installed"]);
    assert_eq!(shop.files(), before);

    let weights = fs::read(tiny()).unwrap();
    fs::write(shop.path("cut.safetensors"), &weights[..weights.len() / 2]).unwrap();
    run("cut.safetensors").refused(1, &["cut.safetensors"]);
    run("photo.png").refused(1, &["photo.png"]);

    let text = |tensors: &str, data: &[u8]| {
        let mut bytes = (tensors.len() as u64).to_le_bytes().to_vec();
        bytes.extend(tensors.as_bytes());
        bytes.extend(data);
        bytes
    };
    let other = r#"{"wte.weight":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
    fs::write(shop.path("other.safetensors"), text(other, &[0; 8])).unwrap();
    run("other.safetensors").refused(1, &["other.safetensors does not hold a VGG-shaped encoder"]);

    // The first tensor's first value becomes NaN.
    let header = u64::from_le_bytes(weights[..8].try_into().unwrap()) as usize;
    let mut broken = weights;
    broken[8 + header..12 + header].copy_from_slice(&f32::NAN.to_le_bytes());
    fs::write(shop.path("nan.safetensors"), broken).unwrap();
    run("nan.safetensors").refused(1, &["NaN"]);
}

#[test]
fn everything_that_is_wrong_is_said_at_once_and_once() {
    let shop = Workshop::new();
    refused(
        &shop,
        "missing.png missing.png --style nowhere.png --style painting.png:0 --size 3 --tv-weight nan --steps x \
         --style-layers relu7_1 --threads 0 -o out.bmp",
        2,
        &[
            "--steps is x",
            "the weight of --style painting.png is 0",
            "--size is 3",
            "--tv-weight is NaN",
            "has no layer relu7_1",
            "0 threads",
            "cannot read missing.png",
            "cannot read nowhere.png",
            "-o names one file, but there are 2 contents",
            "cannot write out.bmp",
        ],
    );
}

#[test]
fn words_that_are_no_options() {
    let shop = Workshop::new();
    for (call, words) in [
        (
            "stylize photo.png --style painting.png --colour red",
            "unexpected argument '--colour'",
        ),
        ("stylize photo.png", "--style"),
        ("paint photo.png", "unrecognized subcommand 'paint'"),
    ] {
        let said = shop.run(call);
        assert_eq!(said.status, Some(2), "{said:?}");
        let first = said.stderr.lines().next().unwrap();
        assert!(first.starts_with("impasto: "), "{first}");
        assert!(said.stderr.contains(words), "{said:?}");
    }
}

#[test]
fn a_content_that_vanishes_costs_only_itself() {
    let shop = Workshop::new();
    fs::create_dir(shop.path("out")).unwrap();
    shop.picture("late.png", 16, 16);
    let call =
        "photo.png late.png painting.png --style painting.png --size 16 --steps 100 --out-dir out";
    let mut running = Running::start(&shop, call);
    running.wait_for("step");
    fs::remove_file(shop.path("late.png")).unwrap();
    let said = running.finish();
    assert_eq!(said.status, Some(1), "{said:?}");
    let complaint = "impasto: cannot read late.png: there is no such file";
    assert!(said.stderr.contains(complaint), "{said:?}");
    assert!(shop.path("out/photo-painting.png").exists());
    assert!(shop.path("out/painting-painting.png").exists());
    assert!(!shop.path("out/late-painting.png").exists());
}
