//! `impasto models`, against a hub on this machine.

use crate::hub::{Hub, Reply};
use crate::workshop::{Said, Workshop, tiny};
use impasto_weights::{Checkpoint, Precision, WeightTensor, write_safetensors};
use std::process::Command;
use std::sync::Arc;

/// A file with the first block of VGG-19, 154 kB of it, and as much again of something else.
fn first_block() -> Arc<Vec<u8>> {
    let tensor = |shape: &[usize]| {
        let count = shape.iter().product::<usize>();
        WeightTensor {
            shape: shape.to_vec(),
            values: (0..count).map(|i| (i % 97) as f32 / 512.0 - 0.09).collect(),
        }
    };
    let mut checkpoint = Checkpoint::default();
    for (name, shape) in [
        ("features.0.weight", &[64, 3, 3, 3][..]),
        ("features.0.bias", &[64]),
        ("features.2.weight", &[64, 64, 3, 3]),
        ("features.2.bias", &[64]),
        ("head.fc.weight", &[200, 200]),
    ] {
        checkpoint.tensors.insert(name.into(), tensor(shape));
    }
    let folder = impasto_testing::Folder::new();
    let file = folder.join("w");
    write_safetensors(&file, &checkpoint, Precision::F32).unwrap();
    Arc::new(std::fs::read(file).unwrap())
}

/// A run that sees no proxy of this machine.
fn offline(shop: &Workshop, arguments: &str) -> Command {
    let mut program = shop.program();
    program.args(arguments.split_whitespace());
    for name in ["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"] {
        program.env_remove(name).env_remove(name.to_lowercase());
    }
    program
}

fn said(mut command: Command) -> Said {
    command.output().unwrap().into()
}

#[test]
fn the_list_says_what_there_is() {
    let shop = Workshop::new();
    let list = shop.run("models list");
    assert_eq!(list.status, Some(0), "{list:?}");
    let lines: Vec<Vec<&str>> = list
        .stdout
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    for row in [
        "name installed parameters download on disk licence",
        "lite built in 0.5 M - - MIT OR Apache-2.0",
        "vgg19 no 20.0 M 80.1 MB 80.1 MB BSD-3-Clause",
        "vgg16-caffe no 14.7 M 58.9 MB 58.9 MB CC BY 4.0",
        "from huggingface.co/timm/vgg19.tv_in1k, and one more place",
    ] {
        assert!(
            lines.iter().any(|line| line.join(" ") == row),
            "{row}: {}",
            list.stdout
        );
    }
    // Columns are aligned, whatever stands in them.
    let ends: Vec<_> = list
        .stdout
        .lines()
        .filter(|line| line.starts_with("vgg"))
        .map(|line| line.find(" MB").unwrap())
        .collect();
    assert_eq!(ends, [ends[0]; 5], "{}", list.stdout);
    assert!(list.stdout.lines().all(|line| line.chars().count() <= 100));
    let json: serde_json::Value =
        serde_json::from_str(&shop.run("models list --json").stdout).unwrap();
    assert_eq!(json["known"][0]["name"], "vgg19");
    assert_eq!(json["installed"].as_array().unwrap().len(), 0);
}

#[test]
fn a_file_is_imported_used_checked_and_removed() {
    let shop = Workshop::new();
    let file = tiny().display().to_string();
    let imported = shop.run(&format!(
        "models import {file} --name mine --preprocessing torch"
    ));
    assert_eq!(imported.status, Some(0), "{imported:?}");
    assert_eq!(
        imported.stdout.trim(),
        shop.path("mine.safetensors").display().to_string()
    );
    assert!(
        imported.stderr.contains("torch preprocessing"),
        "{imported:?}"
    );
    let list = shop.run("models list").stdout;
    let row = list.lines().find(|line| line.starts_with("mine ")).unwrap();
    assert!(row.contains("yes") && row.contains("unknown"), "{row}");
    assert!(
        list.contains("in f32, torch preprocessing\n    from tiny.safetensors;"),
        "{list}"
    );
    let inspected = shop.run("inspect encoder mine");
    assert!(
        inspected.stdout.contains("torch preprocessing"),
        "{inspected:?}"
    );
    let elsewhere = shop.run("inspect encoder mine --models-dir nowhere");
    assert!(
        elsewhere.stderr.contains("there is no encoder \"mine\""),
        "{elsewhere:?}"
    );
    assert_eq!(
        shop.run("models path").stdout.trim(),
        shop.path("").display().to_string().trim_end_matches('/')
    );

    let again = shop.run(&format!("models import {file} --name mine"));
    assert_eq!(again.status, Some(1));
    assert!(again.stderr.contains("installed already"), "{again:?}");
    assert_eq!(
        shop.run(&format!(
            "models import {file} --name mine --half --replace"
        ))
        .status,
        Some(0)
    );
    let verified = shop.run("models verify");
    assert!(
        verified.stdout.starts_with("mine: unchanged"),
        "{verified:?}"
    );
    std::fs::copy(tiny(), shop.path("by-hand.safetensors")).unwrap();
    let verified = shop.run("models verify by-hand");
    assert!(verified.stdout.contains("carries no hash"), "{verified:?}");
    let mut bytes = shop.bytes("mine.safetensors");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(shop.path("mine.safetensors"), bytes).unwrap();
    let verified = shop.run("models verify mine");
    assert_eq!(verified.status, Some(1));
    assert!(verified.stderr.contains("has changed"), "{verified:?}");
    assert_eq!(shop.run("models remove mine").status, Some(0));
    assert_eq!(shop.run("models remove mine").status, Some(1));
}

#[test]
fn a_model_is_pulled_from_a_mirror_with_lines_of_progress() {
    let shop = Workshop::new();
    let hub = Hub::always(Reply::File(first_block()));
    let pull = format!("models pull vgg19 --from {}/model", hub.url);
    let pulled = said(offline(&shop, &pull));
    assert_eq!(pulled.status, Some(0), "{pulled:?}");
    for text in ["s left", "installed vgg19", "licence BSD-3-Clause"] {
        assert!(pulled.stderr.contains(text), "{text}: {pulled:?}");
    }
    assert_eq!(
        pulled.stdout.trim(),
        shop.path("vgg19.safetensors").display().to_string()
    );
    let quiet = said(offline(&shop, &format!("{pull} --replace --quiet")));
    assert_eq!((quiet.status, quiet.stderr.as_str()), (Some(0), ""));
}

#[test]
fn what_cannot_be_pulled_says_what_to_do() {
    let shop = Workshop::new();
    let hub = Hub::always(Reply::Status(404));
    let refused = said(offline(
        &shop,
        &format!("models pull vgg19 --from {}/x", hub.url),
    ));
    assert_eq!(refused.status, Some(1));
    for text in [
        "status 404",
        "models import FILE --name vgg19",
        "HTTPS_PROXY",
    ] {
        assert!(refused.stderr.contains(text), "{text}: {refused:?}");
    }
    let unknown = shop.run("models pull vgg18");
    assert_eq!(unknown.status, Some(1));
    assert!(unknown.stderr.contains("known are vgg19"), "{unknown:?}");
    let layer = shop.run("models pull vgg19 --to pool3");
    assert!(layer.stderr.contains("--to is pool3"), "{layer:?}");
    let used = shop.run("inspect encoder vgg19");
    assert!(used.stderr.contains("models pull vgg19"), "{used:?}");
}

#[test]
fn another_network_is_not_installed_as_the_one_that_was_asked_for() {
    let shop = Workshop::new();
    let refused = shop.run(&format!("models pull vgg19 --from {}", tiny().display()));
    refused.refused(1, &["not vgg19"]);
    shop.run("models import missing.pth")
        .refused(1, &["there is no such file; check"]);
    let refused = shop.run(&format!("models import {} --name vgg16", tiny().display()));
    refused.refused(1, &["not vgg16"]);
    assert!(
        shop.run("models path vgg19")
            .stderr
            .contains("models pull vgg19")
    );
}

/// A limit on the size of files stands in for a full disk.
#[cfg(unix)]
#[test]
fn a_disk_that_is_full_is_named_and_the_download_goes_on_later() {
    let shop = Workshop::new();
    let hub = Hub::always(Reply::File(first_block()));
    let pull = format!("models pull vgg19 --from {}/model", hub.url);
    let program = offline(&shop, &pull);
    let mut limited = Command::new("sh");
    limited
        .args(["-c", "trap '' XFSZ; ulimit -f 100; exec \"$0\" \"$@\""])
        .arg(program.get_program())
        .args(program.get_args())
        .current_dir(program.get_current_dir().unwrap());
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    let refused = said(limited);
    assert_eq!(refused.status, Some(1), "{refused:?}");
    for text in ["cannot write", "make room", "--models-dir", "is kept"] {
        assert!(refused.stderr.contains(text), "{text}: {refused:?}");
    }
    let list = shop.run("models list").stdout;
    assert!(
        list.contains("kB are fetched; `impasto models pull vgg19` goes on"),
        "{list}"
    );
    let before = hub.log().len();
    let pulled = said(offline(&shop, &pull));
    assert_eq!(pulled.status, Some(0), "{pulled:?}");
    // It goes on behind what was written before the disk was full.
    let range = hub.log()[before].range.clone().unwrap();
    assert!(range.start > 30_000, "{range:?}");
    shop.run("models verify vgg19").done();
}

#[test]
fn a_proxy_is_taken_from_the_environment() {
    let shop = Workshop::new();
    // A proxy that lets nobody through; that it was asked is what counts.
    let proxy = Hub::always(Reply::Status(403));
    let mut program = offline(
        &shop,
        "models pull vgg19 --from http://models.invalid/model",
    );
    program.env("HTTP_PROXY", &proxy.url);
    let refused = said(program);
    assert_eq!(refused.status, Some(1), "{refused:?}");
    let asked = proxy.log();
    assert!(
        !asked.is_empty() && asked[0].path.contains("models.invalid"),
        "{asked:?} {refused:?}"
    );
}
