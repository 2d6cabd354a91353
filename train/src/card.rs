//! The model card, written by the program that made the weights.

use crate::job::Job;
use crate::page::{hexadecimal, list, machine, table};
use crate::state::State;
use crate::validation::Explained;
use sha2::{Digest, Sha256};

/// What is known of some weights.
#[derive(Debug)]
pub struct Card<'a> {
    /// What they were made from.
    pub job: &'a Job,
    /// How the training ended.
    pub state: &'a State,
    /// The file.
    pub file: &'a [u8],
    /// Weights and biases in it.
    pub parameters: usize,
    /// R² before the first step.
    pub start: Option<&'a Explained>,
    /// R² of the file.
    pub reached: &'a Explained,
    /// R² of the file on trajectories of its own.
    pub own: &'a [f64],
}

impl Card<'_> {
    /// The page, in Markdown.
    pub fn page(&self) -> String {
        let config = &self.job.config;
        let widths: Vec<String> = config
            .student
            .blocks
            .iter()
            .map(|block| list(block.iter(), ", "))
            .collect();
        let heads = list(
            self.job
                .shape
                .heads
                .iter()
                .map(|(layer, width)| format!("{width} at {layer}")),
            ", ",
        );
        let kept = list(
            self.state
                .targets
                .iter()
                .map(|target| format!("{:.1}", 100.0 * target.kept)),
            ", ",
        );
        let start = match self.job.start {
            Some(_) => {
                "the convolutions of an earlier generation, committed beside the configuration; heads by least squares"
            }
            None => "random weights, heads by least squares",
        };
        let training = &config.training;
        let runs = &config.trajectories;
        let rows = [
            (
                "file",
                format!(
                    "f16, {:.2} MB, sha256 `{}`",
                    self.file.len() as f64 / 1e6,
                    hexadecimal(&Sha256::digest(self.file))
                ),
            ),
            (
                "shape",
                format!(
                    "3×3 convolutions with ReLU: {}, 2×2 max pooling at the bars",
                    widths.join(" \\| ")
                ),
            ),
            (
                "heads",
                format!("linear, behind the student's layer of the same name: {heads} channels, the leading principal components (uncentred) of the teacher's features, which keep {kept} % of their energy, in the teacher's own units"),
            ),
            ("parameters", self.parameters.to_string()),
            (
                "input",
                "RGB in 0..1, minus .45, over .225; replicate padding on the first convolution, zeros on the others".into(),
            ),
            ("teacher", config.teacher.is.clone()),
            (
                "training data",
                format!(
                    "{} photographs ({}) and {} paintings ({}), every {}th held out; crops of {} px at scales {} to {}, half of them mirrored, some with noise, other tones, or smooth fields of colour instead; {:.0} % are crops of pictures that stylization visits, of {} runs with the teacher's eye and {} with the student's own every {} steps",
                    self.job.photos.len(),
                    config.data.photos_are,
                    self.job.paintings.len(),
                    config.data.paintings_are,
                    config.data.hold_out,
                    config.crops.side,
                    config.crops.scales[0],
                    config.crops.scales[1],
                    100.0 * runs.share,
                    runs.teacher_runs,
                    runs.student_runs,
                    runs.every,
                ),
            ),
            (
                "training",
                format!(
                    "{} steps of AdamW, batch {}, step size {} with {} steps of warm-up and a cosine to 0, average of weights {}; starts from {start}; seed {}; training `{}`",
                    training.steps,
                    training.batch,
                    training.learning_rate,
                    training.warm_up,
                    training.averaging,
                    config.seed,
                    &self.job.identity[..16],
                ),
            ),
            (
                "made on",
                format!("{}, in {:.0} minutes", machine(), self.state.seconds / 60.0),
            ),
            ("licence", "MIT OR Apache-2.0, as the project".into()),
        ];
        let mut page = String::from(
            "# `lite`: the embedded encoder\n\nA small VGG-shaped network that predicts VGG-19's features, so that a first picture \
             needs no download.\nThis page is written by `impasto-train encoder`.\n\n",
        );
        page += &table(&rows);
        let layers = self.job.shape.heads.iter().map(|(layer, _)| layer);
        page += &format!(
            "\nExplained variance (R², uncentred) of the teacher's components on pictures that were not trained on:\n\n| | {} |\n|---|{}\n",
            list(layers, " | "),
            "---|".repeat(self.job.shape.heads.len())
        );
        let mut row = |name: &str, values: &[f64]| {
            if !values.is_empty() && values.iter().all(|value| value.is_finite()) {
                page += &format!(
                    "| {name} | {} |\n",
                    list(values.iter().map(|v| format!("{v:.4}")), " | ")
                );
            }
        };
        row("photos and paintings", &self.reached.pictures);
        row(
            "trajectories, half with the teacher's eye, half with that of the start",
            &self.reached.trajectories,
        );
        row("trajectories with its own eye", self.own);
        if let Some(start) = self.start {
            row(
                "before the first step: photos and paintings",
                &start.pictures,
            );
            row("before the first step: trajectories", &start.trajectories);
        }
        page
    }
}
