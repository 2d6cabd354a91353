//! `impasto-train encoder`: distillation (Hinton et al., arXiv 1503.02531, of features as in FitNets, arXiv 1412.6550).
//!
//! ```text
//! crops of photos, paintings, trajectories ─▶ Teacher (impasto's device) ─▶ targets ─┐
//!                                      └────▶ student (a graph) ─▶ Σ mean (y − t)² ──┴─▶ AdamW
//! every so often: stylize with the student as it is ─▶ more trajectories
//! at the end: f16 weights, measured as they are in the file, and their model card
//! ```
//!
//! The crops of a step are a function of seed and step alone. They are made by a thread of their own, a few steps ahead.
//! A training that was cut off at any moment and goes on gives the weights that it would have given.

use crate::card::Card;
use crate::data::Sampler;
use crate::heads;
use crate::job::{Job, Places};
use crate::random::{Purpose, Random};
use crate::state::State;
use crate::student::{self, Batch, Student};
use crate::teacher::{self, Target, Teacher};
use crate::trajectories::{self, Runs, Snapshot};
use crate::validation::{self, Explained, HeldOut};
use crate::weights::Weights;
use anyhow::{Context, Result, anyhow, bail};
use impasto::Encoder;
use impasto::picture::write_whole;
use impasto_weights::{Precision, write_safetensors};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Arguments of `impasto-train encoder`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The file that defines the training, such as train/lite.toml
    pub config: PathBuf,
    /// Goes on from where the training was cut off
    #[arg(long)]
    pub resume: bool,
    /// Folder of checkpoints, curve and result [default: target/train/ and the configuration's name]
    #[arg(long, value_name = "DIR")]
    pub work: Option<PathBuf>,
    #[command(flatten)]
    pub places: Places,
}

/// A line of the validation curve.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Point {
    step: usize,
    /// Mean loss of each head on what was trained on since the last line.
    losses: Vec<f64>,
    r2: Explained,
    learning_rate: f32,
    seconds: f64,
}

const STATE: &str = "state.safetensors";
const CURVE: &str = "curve.jsonl";
const HELD_OUT: &str = "held-out.safetensors";

/// Steps that the crops are ahead of the weights.
const AHEAD: usize = 2;

/// Trains, from the beginning or from where it was cut off.
pub fn run(arguments: &Arguments) -> Result<()> {
    let job = Job::open(&arguments.config, &arguments.places)?;
    let folder = match &arguments.work {
        Some(folder) => folder.clone(),
        None => Path::new("target/train").join(arguments.config.file_stem().unwrap_or_default()),
    };
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let state = folder.join(STATE);
    let mut course = match arguments.resume {
        true => Course::resume(
            &job,
            &folder,
            State::read(
                &state,
                &job.identity,
                &job.shape,
                job.config.training.descent(),
            )?,
        )?,
        false if state.exists() => bail!(
            "there is a training in {} already: go on with --resume, or name another folder with --work",
            folder.display()
        ),
        false => Course::begin(&job, &folder)?,
    };
    course.train()?;
    course.finish()
}

/// A training under way.
struct Course<'a> {
    job: &'a Job,
    folder: &'a Path,
    teacher: Teacher,
    held_out: HeldOut,
    pool: Vec<Snapshot>,
    state: State,
    curve: Vec<Point>,
    clock: Instant,
}

impl<'a> Course<'a> {
    fn begin(job: &'a Job, folder: &'a Path) -> Result<Self> {
        let clock = Instant::now();
        let (config, sampler) = (&job.config, sampler(job));
        eprintln!(
            "{} photos and {} paintings, every {}th held out; {}",
            job.photos.len(),
            job.paintings.len(),
            config.data.hold_out,
            teacher::device(None)?.describe()
        );
        let mut crops = Vec::new();
        for index in 0..config.teacher.crops as u64 {
            let mut random = Random::of(config.seed, Purpose::Components, [index, 0]);
            crops.push(sampler.crop(&mut random)?);
        }
        let side = config.crops.side;
        let targets = teacher::find_targets(&job.teacher, &config.teacher.taps, &crops, side)?;
        for target in &targets {
            eprintln!(
                "{}: {} of {} components keep {:.1} % of the energy",
                target.layer,
                target.components,
                target.channels,
                100.0 * target.kept
            );
        }
        let teacher = Teacher::new(&job.teacher, targets.clone(), teacher::device(None)?)?;
        let mut parameters = job.shape.random(config.seed);
        if let Some(start) = &job.start {
            job.shape.start_from(&mut parameters, start)?;
        }
        heads::fit(&job.shape, &mut parameters, &teacher, &crops, side)?;
        let student = student::encoder(&parameters)?;
        let snapshots = held_out_runs(job, &[&job.teacher, &student], 0)?;
        let snapshots = trajectories::keep(&folder.join(HELD_OUT), &snapshots)?;
        let mut course = Self {
            job,
            folder,
            teacher,
            held_out: HeldOut::cut(config, (&job.photos, &job.paintings), &snapshots)?,
            pool: vec![],
            state: State {
                weights: Weights::new(&parameters, config.training.descent())?,
                targets,
                losses: (vec![0.0; job.shape.heads.len()], 0),
                seconds: 0.0,
            },
            curve: vec![],
            clock,
        };
        course.grow_pool()?;
        course.measure()?;
        course.save()?;
        Ok(course)
    }

    fn resume(job: &'a Job, folder: &'a Path, state: State) -> Result<Self> {
        let clock = Instant::now();
        let device = teacher::device(None)?;
        let teacher = Teacher::new(&job.teacher, state.targets.clone(), device)?;
        let snapshots = trajectories::read(&folder.join(HELD_OUT))?;
        let step = state.weights.steps();
        let mut pool = Vec::new();
        if uses_pool(job) {
            // Those of this very step are made once more: they may be half written.
            for generation in 0..=step.saturating_sub(1) / job.config.trajectories.every {
                pool.extend(trajectories::read(&generation_file(folder, generation))?);
            }
        }
        let curve = folder.join(CURVE);
        let text = std::fs::read_to_string(&curve)
            .with_context(|| format!("cannot read {}", curve.display()))?;
        // What was measured after the checkpoint will be measured again.
        let points = text
            .lines()
            .filter_map(|line| serde_json::from_str::<Point>(line).ok());
        let curve = points.filter(|point| point.step <= step).collect();
        eprintln!("going on from step {step}");
        Ok(Self {
            job,
            folder,
            teacher,
            held_out: HeldOut::cut(&job.config, (&job.photos, &job.paintings), &snapshots)?,
            pool,
            state,
            curve,
            clock,
        })
    }

    fn train(&mut self) -> Result<()> {
        let steps = self.job.config.training.steps;
        while self.state.weights.steps() < steps {
            let step = self.state.weights.steps();
            let every = match uses_pool(self.job) {
                true => self.job.config.trajectories.every,
                false => steps,
            };
            if step > 0 && step.is_multiple_of(every) {
                self.save()?;
                self.grow_pool()?;
            }
            let pool = std::mem::take(&mut self.pool);
            let done = self.stretch(&pool, steps.min((step / every + 1) * every));
            self.pool = pool;
            done?;
        }
        Ok(())
    }

    /// Trains on one pool of trajectories up to a step.
    fn stretch(&mut self, pool: &[Snapshot], end: usize) -> Result<()> {
        let (job, first) = (self.job, self.state.weights.steps());
        let device = teacher::device(Some(1))?;
        let teacher = Teacher::new(&job.teacher, self.state.targets.clone(), device)?;
        let mut student = Student::new(&job.shape, &job.shape.random(job.config.seed))?;
        std::thread::scope(|scope| {
            let (sender, receiver) = mpsc::sync_channel(AHEAD);
            scope.spawn(move || {
                for step in first..end {
                    let batch = batch(job, &teacher, pool, step);
                    let last = batch.is_err();
                    // Nobody listens any more if the training has failed.
                    if sender.send(batch).is_err() || last {
                        return;
                    }
                }
            });
            let (begun, mut told) = (Instant::now(), Instant::now());
            for step in first..end {
                let batch = receiver
                    .recv()
                    .map_err(|_| anyhow!("no crops arrive any more"))??;
                self.step(&mut student, &batch)?;
                if told.elapsed() > Duration::from_secs(15) {
                    told = Instant::now();
                    self.tell(begun.elapsed().as_secs_f64() / (step + 1 - first) as f64);
                }
            }
            Ok(())
        })
    }

    fn step(&mut self, student: &mut Student, batch: &Batch) -> Result<()> {
        let training = &self.job.config.training;
        let State {
            weights, losses, ..
        } = &mut self.state;
        student.set(&weights.values()?)?;
        let slope = student.slope(batch)?;
        let finite = slope.gradients.iter().flatten().all(|it| it.is_finite());
        if !(finite && slope.losses.iter().all(|loss| loss.is_finite())) {
            bail!(
                "the loss is not a number at step {}: use a smaller training.learning-rate",
                weights.steps()
            );
        }
        weights.step(&slope.gradients)?;
        let sums = losses.0.iter_mut().zip(&slope.losses);
        sums.for_each(|(sum, loss)| *sum += loss);
        losses.1 += 1;
        let (step, last) = (weights.steps(), weights.steps() == training.steps);
        if last || step.is_multiple_of(self.job.config.validation.every) {
            self.measure()?;
        }
        if last || step.is_multiple_of(training.checkpoint) {
            self.save()?;
        }
        Ok(())
    }

    /// Adds pictures from runs with the student as it is.
    fn grow_pool(&mut self) -> Result<()> {
        if !uses_pool(self.job) {
            return Ok(());
        }
        let settings = &self.job.config.trajectories;
        let generation = self.state.weights.steps() / settings.every;
        let student = student::encoder(&self.state.weights.average()?)?;
        let mut runs = vec![(&student, settings.student_runs)];
        if generation == 0 {
            runs.push((&self.job.teacher, settings.teacher_runs));
        }
        let mut snapshots = Vec::new();
        for (place, (encoder, count)) in (0..).zip(runs) {
            let runs = Runs {
                encoder,
                photos: &self.job.photos.trained,
                paintings: &self.job.paintings.trained,
                settings,
                stream: (
                    self.job.config.seed,
                    Purpose::Trajectory,
                    2 * generation as u64 + place,
                ),
                count,
            };
            snapshots.extend(runs.make()?);
        }
        let file = generation_file(self.folder, generation);
        self.pool.extend(trajectories::keep(&file, &snapshots)?);
        eprintln!("{} pictures of runs", self.pool.len());
        Ok(())
    }

    /// Measures the averaged student and adds a line to the curve.
    fn measure(&mut self) -> Result<()> {
        let step = self.state.weights.steps();
        let student = student::encoder(&self.state.weights.average()?)?;
        let r2 = self.held_out.measure(&student, &self.teacher)?;
        let (sums, count) = &mut self.state.losses;
        let losses = sums
            .iter()
            .map(|sum| sum / (*count).max(1) as f64)
            .collect();
        sums.iter_mut().for_each(|sum| *sum = 0.0);
        *count = 0;
        self.tick();
        self.curve.push(Point {
            step,
            losses,
            r2: r2.clone(),
            learning_rate: self.job.config.training.descent().schedule.at(step),
            seconds: self.state.seconds,
        });
        eprintln!(
            "step {step}: R² {} on pictures, {} on trajectories",
            rounded(&r2.pictures),
            rounded(&r2.trajectories)
        );
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
        self.state
            .write(&self.folder.join(STATE), &self.job.identity)
    }

    /// Adds the time since the last tick.
    fn tick(&mut self) {
        self.state.seconds += self.clock.elapsed().as_secs_f64();
        self.clock = Instant::now();
    }

    fn tell(&self, seconds: f64) {
        let (step, steps) = (self.state.weights.steps(), self.job.config.training.steps);
        let (sums, count) = &self.state.losses;
        let losses: Vec<_> = sums
            .iter()
            .map(|sum| sum / (*count).max(1) as f64)
            .collect();
        eprintln!(
            "step {step} of {steps}, loss {}, {:.2} s a step, {:.0} min left",
            rounded(&losses),
            seconds,
            seconds * (steps - step) as f64 / 60.0
        );
    }

    /// Writes the weights and measures them as they are in the file.
    fn finish(&mut self) -> Result<()> {
        let parameters = self.state.weights.average()?;
        let parameters = student::scaled(&parameters, &self.state.targets);
        let path = self.folder.join("lite.safetensors");
        write_safetensors(&path, &student::checkpoint(&parameters), Precision::F16)?;
        let student = Encoder::open(&path, None)?;
        let targets = self.state.targets.iter().map(Target::in_own_units);
        let device = teacher::device(None)?;
        let teacher = Teacher::new(&self.job.teacher, targets.collect(), device)?;
        let r2 = self.held_out.measure(&student, &teacher)?;
        let own = held_out_runs(self.job, &[&student], 2)?;
        let side = self.held_out.side;
        let cut = |(index, snapshot): (usize, &Snapshot)| {
            let mut random = Random::of(self.job.config.seed, Purpose::Window, [index as u64, 2]);
            validation::cut(snapshot, side, &mut random)
        };
        let crops: Vec<_> = own.iter().enumerate().filter_map(cut).collect();
        let own = validation::explained(&student, &teacher, &crops, side)?;
        self.tick();
        let bytes = std::fs::read(&path)?;
        let start = self.curve.first().map(|point| point.r2.clone());
        let card = Card {
            job: self.job,
            state: &self.state,
            file: &bytes,
            parameters: student.parameters(),
            start: start.as_ref(),
            reached: &r2,
            own: &own,
        };
        let page = self.folder.join("lite.md");
        write_whole(&page, card.page().as_bytes())
            .with_context(|| format!("cannot write {}", page.display()))?;
        eprintln!(
            "R² {} on pictures, {} on trajectories, {} on its own; wrote {} and {}",
            rounded(&r2.pictures),
            rounded(&r2.trajectories),
            rounded(&own),
            path.display(),
            page.display()
        );
        Ok(())
    }
}

fn uses_pool(job: &Job) -> bool {
    job.config.trajectories.share > 0.0
}

fn sampler(job: &Job) -> Sampler<'_> {
    Sampler {
        photos: &job.photos.trained,
        paintings: &job.paintings.trained,
        crops: &job.config.crops,
    }
}

fn generation_file(folder: &Path, generation: usize) -> PathBuf {
    folder.join(format!("trajectories-{generation}.safetensors"))
}

/// Runs on held-out pictures, with each of some eyes.
fn held_out_runs(job: &Job, encoders: &[&Encoder], first: u64) -> Result<Vec<Snapshot>> {
    let mut snapshots = Vec::new();
    for (place, encoder) in (first..).zip(encoders) {
        let runs = Runs {
            encoder,
            photos: &job.photos.held_out,
            paintings: &job.paintings.held_out,
            settings: &job.config.trajectories,
            stream: (job.config.seed, Purpose::HeldOutTrajectory, place),
            count: job.config.validation.runs,
        };
        snapshots.extend(runs.make()?);
    }
    Ok(snapshots)
}

/// The crops of a step and their targets.
fn batch(job: &Job, teacher: &Teacher, pool: &[Snapshot], step: usize) -> Result<Batch> {
    let (config, sampler) = (&job.config, sampler(job));
    let side = config.crops.side;
    let mut batch = Batch {
        side,
        crops: vec![],
        targets: vec![],
    };
    for place in 0..config.training.batch {
        let index = [step as u64, place as u64];
        let mut random = Random::of(config.seed, Purpose::Step, index);
        let visited = match random.chance(config.trajectories.share) && !pool.is_empty() {
            true => validation::cut(random.pick(pool), side, &mut random),
            false => None,
        };
        let crop = match visited {
            Some(crop) => crop,
            None => sampler.crop(&mut random)?,
        };
        batch.targets.push(teacher.look(&crop, (side, side))?);
        batch.crops.push(crop);
    }
    Ok(batch)
}

fn rounded(values: &[f64]) -> String {
    let values: Vec<_> = values.iter().map(|value| format!("{value:.4}")).collect();
    values.join(" ")
}
