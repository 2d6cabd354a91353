//! A VGG-19 of full size, written by PyTorch, h5py, NumPy and safetensors, is the same encoder from every file.
//!
//! The files have 40 to 80 MB each and are made on the fly by `weights/make.py`, with the Python that
//! `IMPASTO_PYTHON` names, or `python3`; without torch and h5py the test is left out and says so.

use impasto::compute::TapRequest;
use impasto::compute::cpu::{CpuDevice, CpuSettings};
use impasto::compute::prelude::*;
use impasto::encoder::{EncoderOptions, Preprocessing};
use impasto::{Encoder, LayerName};
use impasto_testing::{Folder, assert_same, skip};
use std::path::Path;
use std::process::Command;

/// Features of the layers that style looks at, of a small image.
fn features(path: &Path) -> Vec<Vec<f32>> {
    let encoder = Encoder::open(path, Some(Preprocessing::Torch)).unwrap();
    assert_eq!(encoder.parameters(), 20_024_384, "{}", path.display());
    let taps = [1, 2, 3, 4, 5].map(|block| {
        let tap = encoder.tap(LayerName::Relu { block, index: 1 });
        TapRequest::features(tap.unwrap())
    });
    let device = CpuDevice::new(CpuSettings::default()).unwrap();
    let network = device
        .network(&encoder.spec(&EncoderOptions::default()))
        .unwrap();
    let side = 48;
    let image: Vec<f32> = (0..3 * side * side)
        .map(|i| (i * 37 % 101) as f32 / 101.0)
        .collect();
    let image = device.upload(&image, &[3, side, side]).unwrap();
    let tape = network.forward(&image, &taps).unwrap();
    let download = |request: TapRequest| {
        let features = tape.features(request.tap).unwrap();
        device.download(features).unwrap()
    };
    taps.map(download).to_vec()
}

#[test]
fn every_format_gives_the_same_features() {
    let python = std::env::var("IMPASTO_PYTHON").unwrap_or("python3".into());
    let there = Command::new(&python)
        .args(["-c", "import torch, h5py, numpy, safetensors"])
        .output();
    if !there.is_ok_and(|output| output.status.success()) {
        skip(format_args!(
            "{python} has no torch, h5py, numpy and safetensors"
        ));
        return;
    }
    let folder = Folder::new();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/weights/make.py");
    let made = Command::new(&python)
        .arg(script)
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let wanted = features(&folder.path().join("f32.safetensors"));
    assert!(wanted[4].iter().any(|feature| *feature > 0.0));
    for name in [
        "f16.safetensors",
        "zip.pth",
        "legacy.pth",
        "keras.h5",
        "f16.npz",
        "model.json",
    ] {
        let got = features(&folder.join(name));
        assert_eq!(got.len(), wanted.len(), "{name}");
        for (block, (got, wanted)) in got.iter().zip(&wanted).enumerate() {
            assert_same(&format!("{name}, block {}", block + 1), got, wanted);
        }
    }
}
