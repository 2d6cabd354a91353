//! `impasto-train encoder` from outside.

use crate::workshop::{CONFIGURATION, Workshop};
use impasto::Encoder;
use std::fs;
use std::path::Path;

#[test]
fn a_training_explains_more_than_its_start_and_survives_being_killed() {
    let workshop = Workshop::new();
    let output = workshop.train("whole", &[]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let whole = workshop.path("whole");
    let points = workshop.curve("whole");
    assert_eq!(points.len(), 5, "{said}");
    let explained =
        |point: &serde_json::Value, head: usize| point["r2"]["pictures"][head].as_f64().unwrap();
    assert!(
        explained(&points[4], 1) > explained(&points[0], 1) + 0.002,
        "{points:?}"
    );

    let encoder = Encoder::open(&whole.join("lite.safetensors"), None).unwrap();
    let taps: Vec<_> = encoder.taps().iter().map(ToString::to_string).collect();
    assert_eq!(taps, ["relu1_1", "relu2_1"]);
    let card = fs::read_to_string(whole.join("lite.md")).unwrap();
    for part in ["a random network", "generated too", "40 steps", "sha256 `"] {
        assert!(card.contains(part), "{part}: {card}");
    }

    // Once soon after it began, once later: in training, while pictures are made, or between.
    for lines in [1, 3] {
        let work = format!("killed-{lines}");
        workshop.cut_off(workshop.command(&work, &[]), &work, lines);
        let output = workshop.train(&work, &["--resume"]);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert_eq!(workshop.curve(&work), points);
        let work = workshop.path(&work);
        let weights = |work: &Path| fs::read(work.join("lite.safetensors")).unwrap();
        assert!(
            weights(&work) == weights(&whole),
            "the weights differ after {lines} lines"
        );
    }

    let said = workshop.refusal("whole", &[]);
    assert!(said.contains("--resume"), "{said}");
    workshop.configure(&CONFIGURATION.replace("seed = 1", "seed = 2"));
    let said = workshop.refusal("whole", &["--resume"]);
    assert!(said.contains("another training"), "{said}");
}

#[test]
fn what_cannot_be_trained_is_said_at_once() {
    let workshop = Workshop::new();
    fs::create_dir(workshop.path("empty")).unwrap();
    for (wrong, needed) in [
        (["--photos", "nowhere"], ["nowhere", "--photos"]),
        (["--paintings", "empty"], ["0 pictures", "--paintings"]),
        (["--teacher", "photos/0.png"], ["0.png", "--teacher"]),
        (["--teacher", "missing.pth"], ["missing.pth", "--teacher"]),
        (["--work", "tiny.toml/x"], ["tiny.toml/x", "folder"]),
    ] {
        let said = match wrong[0] {
            "--work" => workshop.refusal(wrong[1], &[]),
            _ => workshop.refusal("never", &wrong),
        };
        assert!(
            needed.iter().all(|part| said.contains(part)),
            "{wrong:?}: {said}"
        );
    }
    let said = workshop.refusal("never", &["--resume"]);
    assert!(said.contains("nothing to go on from"), "{said}");
    for (right, wrong, needed) in [
        ("side = 16", "side = 15", "crops.side"),
        ("relu2_1", "relu4_1", "taps"),
        ("components = 6", "components = 60", "60 components"),
        ("warm-up", "warmup", "warmup"),
        ("share = 0.4", "share = 1.4", "0..1"),
    ] {
        workshop.configure(&CONFIGURATION.replace(right, wrong));
        let said = workshop.refusal("never", &[]);
        assert!(said.contains(needed), "{wrong}: {said}");
    }
}
