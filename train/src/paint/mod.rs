//! `impasto-train paint`: decoders of the embedded encoder's features learn to make pictures of them, and then to do so
//! behind the transports by which `paint` gives features a style (`crates/impasto/models/lite-paint.md`).
//!
//! The crops of a step are a function of seed and step alone, made by a thread of their own, a few steps ahead. A training
//! that was cut off at any moment and goes on gives the weights that it would have given.

mod card;
mod config;
mod decoders;
mod eye;
mod material;
mod palette;
mod patterns;
#[cfg(test)]
mod tests;
mod validation;
mod worker;

use crate::data::Folder;
use crate::page::hexadecimal;
use crate::weights::Weights;
use anyhow::{Context, Result, anyhow, bail};
use card::Card;
use config::{Config, Phase};
use impasto::learn::{Descent, Schedule};
use impasto::picture::write_whole;
use impasto_weights::{Checkpoint, Precision, write_safetensors};
use material::Material;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use validation::{HeldOut, Measured};
use worker::{Item, Losses, Worker};

/// Arguments of `impasto-train paint`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The file that defines the training, such as train/lite-paint.toml
    pub config: PathBuf,
    /// Where to write the weights; their card is written beside [default: lite-paint.safetensors in the folder of the work]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Goes on from where the training was cut off
    #[arg(long)]
    pub resume: bool,
    /// Folder of checkpoints, curve and weights so far [default: target/train/ and the configuration's name]
    #[arg(long, value_name = "DIR")]
    pub work: Option<PathBuf>,
    /// Folder of photographs, in place of the configuration's
    #[arg(long, value_name = "DIR")]
    pub photos: Option<PathBuf>,
    /// Folder of paintings, in place of the configuration's
    #[arg(long, value_name = "DIR")]
    pub paintings: Option<PathBuf>,
}

/// A line of the curve.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Point {
    step: usize,
    /// Means over the steps since the last line.
    losses: Losses,
    measured: Measured,
    seconds: f64,
}

const STATE: &str = "state.safetensors";
const CURVE: &str = "curve.jsonl";
/// The weights so far, as they would be written now.
const SO_FAR: &str = "lite-paint.safetensors";

/// Threads that share the crops of a step. A constant, so that sums do not depend on the machine.
const WORKERS: usize = 2;
/// Steps that the crops are ahead of the weights.
const AHEAD: usize = 3;

/// Trains, from the beginning or from where it was cut off.
pub fn run(arguments: &Arguments) -> Result<()> {
    let job = Job::open(arguments)?;
    let folder = match &arguments.work {
        Some(folder) => folder.clone(),
        None => Path::new("target/train").join(arguments.config.file_stem().unwrap_or_default()),
    };
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let state = folder.join(STATE);
    let mut course = match arguments.resume {
        true => Course::resume(&job, &folder)?,
        false if state.exists() => bail!(
            "there is a training in {} already: go on with --resume, or name another folder with --work",
            folder.display()
        ),
        false => Course::begin(&job, &folder)?,
    };
    course.train()?;
    let output = arguments.output.clone();
    course.finish(&output.unwrap_or_else(|| folder.join(SO_FAR)))
}

/// A training that can begin.
#[derive(Debug)]
struct Job {
    config: Config,
    photos: Folder,
    paintings: Folder,
    /// Configuration, pictures and start as one hash.
    identity: String,
}

impl Job {
    fn open(arguments: &Arguments) -> Result<Self> {
        let (mut config, text) = Config::open(&arguments.config)?;
        for (place, given) in [
            (&mut config.data.photos, &arguments.photos),
            (&mut config.data.paintings, &arguments.paintings),
        ] {
            if let Some(given) = given {
                place.clone_from(given);
            }
        }
        config.check()?;
        let hold_out = config.data.hold_out;
        let photos = Folder::open(&config.data.photos, "photos", hold_out)?;
        let paintings = Folder::open(&config.data.paintings, "paintings", hold_out)?;
        let mut hasher = Sha256::new();
        hasher.update(&text);
        hasher.update(photos.digest()?);
        hasher.update(paintings.digest()?);
        for parameter in decoders::start(&config.decoders, config.seed)? {
            let values = parameter.values.iter();
            hasher.update(values.flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>());
        }
        Ok(Self {
            identity: hexadecimal(&hasher.finalize()),
            config,
            photos,
            paintings,
        })
    }

    fn material(&self) -> Material<'_> {
        Material {
            config: &self.config,
            photos: &self.photos,
            paintings: &self.paintings,
        }
    }

    /// How the numbers of a phase are stepped.
    fn descent(&self, phase: &Phase) -> Descent {
        let training = &self.config.training;
        let [first, last] = phase.learning_rates;
        Descent {
            schedule: Schedule {
                first,
                last,
                steps: phase.steps,
                warm_up: training.warm_up,
            },
            beta2: training.beta2,
            averaging: training.averaging,
            decay: training.weight_decay,
            clip: training.clip,
        }
    }

    fn steps(&self) -> usize {
        self.config.phases.iter().map(|phase| phase.steps).sum()
    }
}

/// A training under way.
struct Course<'a> {
    job: &'a Job,
    folder: &'a Path,
    held_out: HeldOut,
    workers: Vec<Worker>,
    phase: usize,
    weights: Weights,
    /// Sums since the last line of the curve, and over how many steps.
    losses: (Losses, usize),
    curve: Vec<Point>,
    seconds: f64,
    clock: Instant,
}

impl<'a> Course<'a> {
    fn begin(job: &'a Job, folder: &'a Path) -> Result<Self> {
        let start = decoders::start(&job.config.decoders, job.config.seed)?;
        let weights = Weights::new(&start, job.descent(&job.config.phases[0]))?;
        eprintln!(
            "{} photos and {} paintings, every {}th held out; {} steps",
            job.photos.len(),
            job.paintings.len(),
            job.config.data.hold_out,
            job.steps(),
        );
        let mut course = Self::with(job, folder, weights)?;
        course.measure()?;
        course.save()?;
        Ok(course)
    }

    /// A training with weights, at the first phase.
    fn with(job: &'a Job, folder: &'a Path, weights: Weights) -> Result<Self> {
        let file = folder.join(SO_FAR);
        decoders::write(&file, &weights.average()?, Precision::F16)?;
        let cascade = decoders::read(&file)?;
        let workers = (0..WORKERS).map(|_| Worker::new(&cascade));
        Ok(Self {
            held_out: HeldOut::open(&job.config, &job.photos, &job.paintings)?,
            workers: workers.collect::<Result<_>>()?,
            job,
            folder,
            phase: 0,
            weights,
            losses: (Losses::default(), 0),
            curve: vec![],
            seconds: 0.0,
            clock: Instant::now(),
        })
    }

    fn resume(job: &'a Job, folder: &'a Path) -> Result<Self> {
        let path = folder.join(STATE);
        let file = Checkpoint::open(&path).with_context(|| {
            format!(
                "there is nothing to go on from in {}: begin without --resume",
                path.display()
            )
        })?;
        let said = |key: &str| {
            let value = file.metadata.get(key);
            value.with_context(|| format!("the checkpoint does not say its {key}"))
        };
        if *said("training")? != job.identity {
            bail!(
                "{} is of another training: configuration, pictures and start must be the same; \
                 begin without --resume in another folder",
                path.display()
            );
        }
        let phase: usize = said("phase")?.parse()?;
        let of_phase = job.config.phases.get(phase);
        let of_phase = of_phase.context("the checkpoint is of a phase that there is not")?;
        let names = decoders::names(&job.config.decoders);
        let weights = Weights::read(&file, names, job.descent(of_phase))?;
        let mut course = Self::with(job, folder, weights)?;
        course.phase = phase;
        course.losses = serde_json::from_str(said("losses")?)?;
        course.seconds = said("seconds")?.parse()?;
        let curve = folder.join(CURVE);
        let text = std::fs::read_to_string(&curve)
            .with_context(|| format!("cannot read {}", curve.display()))?;
        // What was measured after the checkpoint will be measured again.
        let points = text
            .lines()
            .filter_map(|line| serde_json::from_str::<Point>(line).ok());
        course.curve = points
            .filter(|point| point.step <= course.steps_taken())
            .collect();
        eprintln!("going on from step {}", course.steps_taken());
        Ok(course)
    }

    fn phase(&self) -> &'a Phase {
        &self.job.config.phases[self.phase]
    }

    /// Steps of all phases.
    fn steps_taken(&self) -> usize {
        let before = self.job.config.phases[..self.phase].iter();
        before.map(|phase| phase.steps).sum::<usize>() + self.weights.steps()
    }

    fn train(&mut self) -> Result<()> {
        loop {
            self.work_through_phase()?;
            if self.phase + 1 == self.job.config.phases.len() {
                return Ok(());
            }
            self.phase += 1;
            let descent = self.job.descent(self.phase());
            self.weights = Weights::new(&self.weights.average()?, descent)?;
            self.save()?;
        }
    }

    fn work_through_phase(&mut self) -> Result<()> {
        let (phase, first, end) = (self.phase, self.weights.steps(), self.phase().steps);
        let material = self.job.material();
        for worker in &mut self.workers {
            worker.set(&self.weights.values()?)?;
        }
        std::thread::scope(|scope| {
            let (sender, receiver) = mpsc::sync_channel(AHEAD);
            scope.spawn(move || {
                for step in first..end {
                    let items = material.of(phase, step);
                    let last = items.is_err();
                    // Nobody listens any more if the training has failed.
                    if sender.send(items).is_err() || last {
                        return;
                    }
                }
            });
            let (begun, mut told) = (Instant::now(), Instant::now());
            for step in first..end {
                let items = receiver
                    .recv()
                    .map_err(|_| anyhow!("no crops arrive any more"))??;
                self.step(&items)?;
                if told.elapsed() > Duration::from_secs(15) {
                    told = Instant::now();
                    self.tell(begun.elapsed().as_secs_f64() / (step + 1 - first) as f64);
                }
            }
            Ok(())
        })
    }

    fn step(&mut self, items: &[Item]) -> Result<()> {
        let (losses, gradients) = worker::slopes(&self.workers, items, self.phase())?;
        let finite = gradients.iter().flatten().all(|slope| slope.is_finite());
        if !(losses.total.is_finite() && finite) {
            bail!(
                "the loss is not a number at step {}: use smaller phases.learning-rates",
                self.steps_taken()
            );
        }
        self.weights.step(&gradients)?;
        let values = self.weights.values()?;
        for worker in &mut self.workers {
            worker.set(&values)?;
        }
        self.losses.0.add(1.0, &losses);
        self.losses.1 += 1;
        let (step, last) = (
            self.steps_taken(),
            self.weights.steps() == self.phase().steps,
        );
        if last || step.is_multiple_of(self.job.config.validation.every) {
            self.measure()?;
        }
        if last || step.is_multiple_of(self.job.config.training.checkpoint) {
            self.save()?;
        }
        Ok(())
    }

    /// Mean losses since the last line of the curve.
    fn mean_losses(&self) -> Losses {
        let (sums, count) = &self.losses;
        let mut mean = Losses::default();
        mean.add(1.0 / (*count).max(1) as f64, sums);
        mean
    }

    /// Writes the averaged weights and their card, measures them, and adds a line to the curve.
    fn measure(&mut self) -> Result<()> {
        let file = self.folder.join(SO_FAR);
        decoders::write(&file, &self.weights.average()?, Precision::F16)?;
        let measured = self.held_out.measure(&file)?;
        let losses = self.mean_losses();
        self.losses = (Losses::default(), 0);
        self.tick();
        let step = self.steps_taken();
        eprintln!(
            "step {step}: total loss {:.4}, style {:.4}, content {:.3}; reproduction {} dB",
            measured.total,
            measured.style,
            measured.content,
            decibels(&measured),
        );
        self.write_card(&file, &measured)?;
        self.curve.push(Point {
            step,
            losses,
            measured,
            seconds: self.seconds,
        });
        let mut text = String::new();
        for point in &self.curve {
            text += &(serde_json::to_string(point)? + "\n");
        }
        let file = self.folder.join(CURVE);
        write_whole(&file, text.as_bytes())
            .with_context(|| format!("cannot write {}", file.display()))
    }

    fn save(&mut self) -> Result<()> {
        self.tick();
        let mut file = Checkpoint::default();
        self.weights.write(&mut file)?;
        for (key, value) in [
            ("training", self.job.identity.clone()),
            ("phase", self.phase.to_string()),
            ("losses", serde_json::to_string(&self.losses)?),
            ("seconds", self.seconds.to_string()),
        ] {
            file.metadata.insert(key.into(), value);
        }
        Ok(write_safetensors(
            &self.folder.join(STATE),
            &file,
            Precision::F32,
        )?)
    }

    /// Adds the time since the last tick.
    fn tick(&mut self) {
        self.seconds += self.clock.elapsed().as_secs_f64();
        self.clock = Instant::now();
    }

    fn tell(&self, seconds: f64) {
        let Losses {
            total,
            style,
            content,
            pixels,
        } = self.mean_losses();
        let left = self.phase().steps - self.weights.steps();
        eprintln!(
            "step {} of {}: loss {total:.4}, style {style:.4}, content {content:.3}, pixels {pixels:.4}; {seconds:.2} s a step, \
             {:.0} min left of phase {} of {}",
            self.steps_taken(),
            self.job.steps(),
            seconds * left as f64 / 60.0,
            self.phase + 1,
            self.job.config.phases.len(),
        );
    }

    /// Writes the weights and their card.
    fn finish(&mut self, output: &Path) -> Result<()> {
        decoders::write(output, &self.weights.average()?, Precision::F16)?;
        let measured = self.held_out.measure(output)?;
        self.tick();
        let page = self.write_card(output, &measured)?;
        eprintln!("wrote {} and {}", output.display(), page.display());
        Ok(())
    }

    /// Writes the card of a file of weights beside it.
    fn write_card(&self, weights: &Path, measured: &Measured) -> Result<PathBuf> {
        let file = std::fs::read(weights)?;
        let card = Card {
            config: &self.job.config,
            pictures: [self.job.photos.len(), self.job.paintings.len()],
            identity: &self.job.identity,
            file: &file,
            steps: [self.steps_taken(), self.job.steps()],
            start: self.curve.first().map(|point| &point.measured),
            reached: measured,
            seconds: self.seconds,
        };
        let page = weights.with_extension("md");
        write_whole(&page, card.page().as_bytes())
            .with_context(|| format!("cannot write {}", page.display()))?;
        Ok(page)
    }
}

/// Signal to noise of all decoders.
fn decibels(measured: &Measured) -> String {
    let values = measured.reproduction.map(|value| format!("{value:.1}"));
    values.join(" ")
}
