//! `impasto-train encoder` from outside, on generated pictures and a random teacher of three convolutions.

use impasto::picture::SaveOptions;
use impasto::{Encoder, Picture};
use impasto_weights::{Checkpoint, Precision, WeightTensor, write_safetensors};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Numbers without pattern, in 0..1.
fn numbers(seed: u64) -> impl FnMut() -> f32 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 24) as f32
    }
}

/// A folder with everything that a training of a few steps needs.
struct Workshop(TempDir);

impl Workshop {
    fn new() -> Self {
        let workshop = Self(tempfile::tempdir().unwrap());
        for (folder, count) in [("photos", 6), ("paintings", 4)] {
            fs::create_dir(workshop.path(folder)).unwrap();
            for index in 0..count {
                let (width, height) = (40, 33 + index);
                let mut number = numbers((folder.len() * 100 + index) as u64);
                let knots: Vec<f32> = (0..3 * 5 * 5).map(|_| number()).collect();
                let knots = Picture::new(5, 5, knots).unwrap();
                let picture = knots.resized(width, height, impasto::picture::Filter::Bicubic);
                let path = workshop.path(folder).join(format!("{index}.png"));
                picture.save(&path, &SaveOptions::default()).unwrap();
            }
        }
        let mut teacher = Checkpoint::default();
        let mut number = numbers(5);
        for (name, out, from) in [("conv1_1", 6, 3), ("conv1_2", 8, 6), ("conv2_1", 10, 8)] {
            let scale = (24.0 / (9 * from) as f32).sqrt();
            let mut tensor = |part: &str, shape: &[usize], scale: f32| {
                let values = (0..shape.iter().product()).map(|_| scale * (number() - 0.5));
                let tensor = WeightTensor {
                    shape: shape.to_vec(),
                    values: values.collect(),
                };
                teacher.tensors.insert(format!("{name}.{part}"), tensor);
            };
            tensor("weight", &[out, from, 3, 3], scale);
            tensor("bias", &[out], 0.1);
        }
        teacher
            .metadata
            .insert("preprocessing".into(), "plain".into());
        write_safetensors(
            &workshop.path("teacher.safetensors"),
            &teacher,
            Precision::F32,
        )
        .unwrap();
        workshop.configure(CONFIGURATION);
        workshop
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn configure(&self, text: &str) {
        fs::write(self.path("tiny.toml"), text).unwrap();
    }

    fn command(&self, work: &str, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_impasto-train"));
        command
            .arg("encoder")
            .arg(self.path("tiny.toml"))
            .arg("--work")
            .arg(self.path(work))
            .args(more)
            .current_dir(self.0.path());
        command
    }

    fn train(&self, work: &str, more: &[&str]) -> Output {
        self.command(work, more).output().unwrap()
    }

    /// What a training that must fail says.
    fn refusal(&self, work: &str, more: &[&str]) -> String {
        let output = self.train(work, more);
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    }
}

const CONFIGURATION: &str = r#"
seed = 1
[data]
photos = "photos"
paintings = "paintings"
hold-out = 2
photos-are = "generated"
paintings-are = "generated too"
[teacher]
weights = "teacher.safetensors"
is = "a random network"
crops = 6
taps = [{ layer = "relu1_1", components = 4 }, { layer = "relu2_1", components = 6 }]
[student]
blocks = [[4, 4], [8]]
[crops]
side = 16
scales = [0.5, 1.0]
paintings = 0.5
noise = [0.2, 0.1]
tones = 0.2
fields = 0.1
[training]
steps = 40
batch = 2
learning-rate = 0.01
warm-up = 4
weight-decay = 1e-4
clip = 1.0
averaging = 0.9
checkpoint = 5
[trajectories]
share = 0.4
side = 20
steps = 6
kept = 2
teacher-runs = 2
student-runs = 2
every = 15
[validation]
every = 10
crops = 3
side = 16
runs = 1
"#;

/// The curve without its times.
fn curve(work: &Path) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(work.join("curve.jsonl")).unwrap();
    let lines = text.lines().map(|line| {
        let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
        line.as_object_mut().unwrap().remove("seconds");
        line
    });
    lines.collect()
}

#[test]
fn a_training_explains_more_than_its_start_and_survives_being_killed() {
    let workshop = Workshop::new();
    let output = workshop.train("whole", &[]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let whole = workshop.path("whole");
    let points = curve(&whole);
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
        let mut child = workshop
            .command(&work, &[])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let curve_file = workshop.path(&work).join("curve.jsonl");
        let begun = Instant::now();
        while fs::read_to_string(&curve_file).map_or(0, |text| text.lines().count()) < lines
            || !workshop.path(&work).join("state.safetensors").exists()
        {
            assert!(
                begun.elapsed() < Duration::from_secs(120),
                "nothing happens"
            );
            std::thread::sleep(Duration::from_millis(2));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let output = workshop.train(&work, &["--resume"]);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let work = workshop.path(&work);
        assert_eq!(curve(&work), points);
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
