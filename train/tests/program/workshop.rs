//! Generated pictures, random networks, and the program among them.

use impasto::Picture;
use impasto::picture::SaveOptions;
use impasto_weights::{Checkpoint, Precision, WeightTensor, write_safetensors};
use std::fs;
use std::path::PathBuf;
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
pub struct Workshop(TempDir);

impl Workshop {
    pub fn new() -> Self {
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
        let convolutions = [("conv1_1", 6, 3), ("conv1_2", 8, 6), ("conv2_1", 10, 8)];
        workshop.weights("teacher.safetensors", &convolutions);
        workshop.configure(CONFIGURATION);
        workshop
    }

    /// Writes a network of convolutions: name, channels out, channels in.
    pub fn weights(&self, file: &str, convolutions: &[(&str, usize, usize)]) {
        let mut weights = Checkpoint::default();
        let mut number = numbers(5);
        for &(name, out, from) in convolutions {
            let scale = (24.0 / (9 * from) as f32).sqrt();
            let mut tensor = |part: &str, shape: &[usize], scale: f32| {
                let values = (0..shape.iter().product()).map(|_| scale * (number() - 0.5));
                let tensor = WeightTensor {
                    shape: shape.to_vec(),
                    values: values.collect(),
                };
                weights.tensors.insert(format!("{name}.{part}"), tensor);
            };
            tensor("weight", &[out, from, 3, 3], scale);
            tensor("bias", &[out], 0.1);
        }
        weights
            .metadata
            .insert("preprocessing".into(), "plain".into());
        write_safetensors(&self.path(file), &weights, Precision::F32).unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn configure(&self, text: &str) {
        fs::write(self.path("tiny.toml"), text).unwrap();
    }

    /// The program, in the workshop's folder.
    pub fn program(&self) -> Command {
        let mut program = Command::new(env!("CARGO_BIN_EXE_impasto-train"));
        program.current_dir(self.0.path());
        program
    }

    pub fn command(&self, work: &str, more: &[&str]) -> Command {
        self.training("encoder", work, more)
    }

    /// A training of something.
    pub fn training(&self, what: &str, work: &str, more: &[&str]) -> Command {
        let mut command = self.program();
        command
            .arg(what)
            .arg(self.path("tiny.toml"))
            .arg("--work")
            .arg(self.path(work))
            .args(more);
        command
    }

    /// Kills a training once it has written a state and so many lines of its curve.
    pub fn cut_off(&self, mut command: Command, work: &str, lines: usize) {
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        let curve = self.path(work).join("curve.jsonl");
        let begun = Instant::now();
        while fs::read_to_string(&curve).map_or(0, |text| text.lines().count()) < lines
            || !self.path(work).join("state.safetensors").exists()
        {
            assert!(
                begun.elapsed() < Duration::from_secs(120),
                "nothing happens"
            );
            std::thread::sleep(Duration::from_millis(2));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// The curve of a training without its times.
    pub fn curve(&self, work: &str) -> Vec<serde_json::Value> {
        let text = fs::read_to_string(self.path(work).join("curve.jsonl")).unwrap();
        let lines = text.lines().map(|line| {
            let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
            line.as_object_mut().unwrap().remove("seconds");
            line
        });
        lines.collect()
    }

    pub fn train(&self, work: &str, more: &[&str]) -> Output {
        self.command(work, more).output().unwrap()
    }

    /// What a training that must fail says.
    pub fn refusal(&self, work: &str, more: &[&str]) -> String {
        let output = self.train(work, more);
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    }
}

pub const CONFIGURATION: &str = r#"
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
