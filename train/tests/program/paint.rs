//! `impasto-train paint` from outside.

use crate::workshop::Workshop;
use impasto::nets::Model;
use std::fs;

/// Decoders of a few channels, which learn to reproduce and then to paint.
const CONFIGURATION: &str = r#"
seed = 1
[data]
photos = "photos"
paintings = "paintings"
hold-out = 2
photos-are = "generated"
paintings-are = "generated too"
[decoders]
widths = [[8, 8, 8, 8, 8, 8, 3], [8, 8, 8, 3], [8, 3]]
[crops]
side = 32
scales = [0.8, 1.0]
paintings = 0.5
noise = [0.2, 0.1]
tones = 0.2
fields = 0.1
[styles]
photos = 0.2
patterns = 0.4
recoloured = 0.5
scales = [0.8, 1.0]
[training]
beta2 = 0.99
warm-up = 2
weight-decay = 1e-4
clip = 1.0
averaging = 0.5
checkpoint = 3
[[phases]]
steps = 20
batch = 2
sides = [32, 32]
learning-rates = [1e-2, 1e-2]
painted = 0
reproduced = 2
same = 0.0
strength = [1.0, 1.0]
weights = { style = 0.0, content = 0.0, variation = 0.0, beyond = 10.0, pixels = 10.0, features = 0.5 }
[[phases]]
steps = 10
batch = 3
sides = [32, 48]
learning-rates = [1e-3, 1e-4]
painted = 2
reproduced = 3
same = 0.3
strength = [0.5, 1.0]
weights = { style = 1.0, content = 0.1, variation = 0.1, beyond = 10.0, pixels = 2.5, features = 0.0 }
[validation]
every = 10
pairs = 2
side = 40
"#;

#[test]
fn decoders_learn_to_reproduce_and_survive_being_killed() {
    let workshop = Workshop::new();
    workshop.configure(CONFIGURATION);
    let train = |work: &str, more: &[&str]| {
        let output = workshop.training("paint", work, more).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
    };
    let file = workshop.path("decoders.safetensors");
    train("whole", &["-o", file.to_str().unwrap()]);
    let points = workshop.curve("whole");
    assert_eq!(points.len(), 4);
    let reproduction = |point: &serde_json::Value| {
        let values = point["measured"]["reproduction"].as_array().unwrap();
        values
            .iter()
            .map(|value| value.as_f64().unwrap())
            .sum::<f64>()
    };
    let (start, learned) = (reproduction(&points[0]), reproduction(&points[2]));
    assert!(learned > start + 3.0, "{start} dB, {learned} dB");
    assert!(matches!(Model::open(&file).unwrap(), Model::Paint(_)));
    let card = fs::read_to_string(workshop.path("decoders.md")).unwrap();
    for part in ["random weights", "generated too", "20 steps", "sha256 `"] {
        assert!(card.contains(part), "{part}: {card}");
    }

    // In the first phase, and in the second.
    for lines in [2, 3] {
        let work = format!("killed-{lines}");
        workshop.cut_off(workshop.training("paint", &work, &[]), &work, lines);
        train(&work, &["--resume"]);
        assert_eq!(workshop.curve(&work), points);
        let weights = fs::read(workshop.path(&work).join("lite-paint.safetensors")).unwrap();
        assert!(
            weights == fs::read(&file).unwrap(),
            "the weights differ after {lines} lines"
        );
    }
}

#[test]
fn trainings_that_cannot_be_are_refused() {
    let workshop = Workshop::new();
    for (right, wrong, needed) in [
        ("8, 3]]", "8, 4]]", "decoders.widths"),
        ("sides = [32, 48]", "sides = [30, 48]", "phases.sides"),
        ("painted = 2", "painted = 4", ".painted"),
        ("same = 0.3", "same = 1.3", "0..1"),
        (
            "[crops]",
            "start = \"photos/0.png\"\n[crops]",
            "decoders.start",
        ),
        ("averaging", "average", "average"),
    ] {
        assert!(CONFIGURATION.contains(right));
        workshop.configure(&CONFIGURATION.replace(right, wrong));
        let output = workshop.training("paint", "never", &[]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(needed), "{said}");
    }
}
