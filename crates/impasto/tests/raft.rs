//! RAFT-small against an independent implementation in PyTorch, and what its flow is good for.
//!
//! The recorded numbers and the script that made them are in `tests/golden/raft/`.

use impasto::device::{Choice, Kind, open};
use impasto::nets::RaftSpec;
use impasto::video::{Estimator, Raft};
use impasto_flow::Frame;
use impasto_testing::{Folder, Tolerance, assert_close};
use impasto_weights::{Checkpoint, Precision, write_safetensors};
use std::path::PathBuf;
use std::sync::Arc;

fn golden(file: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/golden/raft", file]
        .iter()
        .collect()
}

fn recorded() -> Checkpoint {
    Checkpoint::open(golden("frames.safetensors")).unwrap()
}

fn frame(of: &Checkpoint, name: &str) -> Frame {
    let tensor = &of.tensors[name];
    Frame::new(3, tensor.shape[1], tensor.shape[2], tensor.values.clone()).unwrap()
}

fn raft(kind: Kind) -> Raft {
    let spec = RaftSpec::open(&golden("network.safetensors")).unwrap();
    let device = open(&Choice {
        kind,
        ..Choice::default()
    });
    Raft::new(&spec, Arc::from(device.unwrap()), 3).unwrap()
}

#[test]
fn flow_is_that_of_pytorch() {
    let recorded = recorded();
    let expected = &recorded.tensors["flow"].values;
    for kind in [Kind::Cpu, Kind::Reference] {
        let raft = raft(kind);
        let [a, b] = ["a", "b"].map(|name| raft.look(&frame(&recorded, name)).unwrap());
        let flow = raft.flow(&a, &b).unwrap();
        let tolerance = Tolerance::absolute(2e-3);
        assert_close(&format!("{kind:?}"), flow.data(), expected, tolerance);
    }
}

#[test]
fn frames_of_any_size_have_a_flow() {
    let raft = raft(Kind::Cpu);
    for (height, width) in [(1, 1), (3, 7), (1, 200), (64, 65), (129, 70)] {
        let frame = Frame::new(1, height, width, vec![0.3; height * width]).unwrap();
        let seen = raft.look(&frame).unwrap();
        let flow = raft.flow(&seen, &seen).unwrap();
        assert_eq!(flow.size(), (width, height));
        assert!(flow.data().iter().all(|value| value.is_finite()));
    }
    let of = |side: usize| raft.look(&Frame::new(1, side, 9, vec![0.0; 9 * side]).unwrap());
    assert!(raft.flow(&of(8).unwrap(), &of(9).unwrap()).is_err());
}

#[test]
fn a_bad_guess_does_no_harm() {
    let recorded = recorded();
    let device = open(&Choice::default()).unwrap();
    // Numbers that are made up lead anywhere.
    let learned = Estimator::learned(&golden("network.safetensors"), Arc::from(device)).unwrap();
    let alone = Estimator::default();
    let [a, b] = [&learned, &alone].map(|estimator| {
        let [a, b] = ["a", "b"].map(|name| estimator.look(&frame(&recorded, name)).unwrap());
        let [there, _] = estimator.both(&a, &b, None).unwrap();
        there
    });
    // The frames are one picture, cut out 5 px further left and 3 px further down.
    let (width, height) = a.size();
    for (name, flow) in [("with", a), ("without", b)] {
        let inside = |place: &usize| {
            let (x, y) = (place % width, place / width);
            (16..width - 16).contains(&x) && (16..height - 16).contains(&y)
        };
        let places: Vec<usize> = (0..width * height).filter(inside).collect();
        let errors = places
            .iter()
            .map(|&place| (flow.u()[place] - 5.0).hypot(flow.v()[place] + 3.0));
        let mean = errors.sum::<f32>() / places.len() as f32;
        assert!(mean < 0.5, "{name}: {mean} px from the truth");
    }
}

#[test]
fn other_networks_are_refused_by_name() {
    let mut file = Checkpoint::open(golden("network.safetensors")).unwrap();
    let folder = Folder::new();
    let refused = |file: &Checkpoint| {
        let path = folder.path().join("other.safetensors");
        write_safetensors(&path, file, Precision::F32).unwrap();
        RaftSpec::open(&path).unwrap_err().to_string()
    };
    let gate = file.tensors.remove("module.update_block.gru.convq.weight");
    let told = refused(&file);
    assert!(
        told.contains("RAFT-small") && told.contains("gru.convq.weight"),
        "{told}"
    );
    let mut gate = gate.unwrap();
    gate.shape = vec![gate.values.len(), 1, 1, 1];
    file.tensors
        .insert("module.update_block.gru.convq.weight".into(), gate);
    let told = refused(&file);
    assert!(told.contains("gru.convq"), "{told}");
    let told = RaftSpec::open(&golden("frames.safetensors"))
        .unwrap_err()
        .to_string();
    assert!(told.contains("RAFT-small"), "{told}");
}
