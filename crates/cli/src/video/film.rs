//! From the options of `impasto video` to a painted film.

use super::account::Account;
use super::ahead::{self, Ahead};
use super::asked::Asked;
use super::frames;
use super::keyframes;
use super::learned::{self, Learning};
use super::looking::{Before, Looking};
use super::masks::Masks;
use super::memories::Memories;
use super::painter::Painter;
use super::shots::{Shots, Thin};
use super::stages::{self, Passed, Preview, Written};
use super::steadied::{Calm, Steadied};
use super::{Arguments, told};
use crate::args::Progress;
use crate::problems::Problems;
use crate::progress::duration;
use crate::settings::{self, STANDARD};
use crate::stylize::command_line;
use crate::{Exit, Failure, flow, interrupt, leash, note, print, say};
use anyhow::{Context, anyhow};
use impasto::device::Kind;
use impasto::job::{self, Order, Outputs, sha256};
use impasto::keyframes::Turn;
use impasto::picture::{Format, SaveOptions};
use impasto::video::{Animator, Estimator, Painters, Settings};
use impasto::{FilmPage, Picture, free_memory};
use impasto_video::{Frame, Info, Sink, Source, Time, WriteOptions};
use std::path::{Path, PathBuf};

/// Frames of an output that may be lost when it is cut off.
const SEGMENT: usize = 12;
/// The longest side at which flow is sought in films that are painted like keyframes.
const KEYFRAMES_FLOW_SIDE: usize = 384;
/// Bytes of painted frames that may wait to be encoded, which happens a segment at once.
const MOST_WAITING: usize = 200 << 20;
/// Threads that one shot makes good use of, where there are cores for several shots at once.
const THREADS_EACH: usize = 8;
/// Bytes of a pixel of these: the picture, and its memory.
const WAITING_PIXEL: usize = 32;

/// Paints a film.
///
/// # Errors
/// What keeps it from being painted.
pub fn run(args: &Arguments, quiet: bool) -> Result<Exit, Failure> {
    let mut problems = Problems::default();
    if args.leash {
        leash::follow()?;
    }
    let asked = Asked::read(args, &mut problems);
    let mut run = settings::run(&args.run, args.run.recipe.as_deref(), &mut problems);
    let keyframes = keyframes::Asked::read(args, &mut problems);
    if let Some(asked_for) = &keyframes {
        let conflict = keyframes::conflict(args, asked.eyes, run.recipe.wrap);
        if let Some(conflict) = conflict {
            problems.usage(conflict);
        }
        // Paintings that are there need no style, and their network no recipe.
        if let (false, Some(settings)) = (asked_for.paints(), run.recipe.optimize_mut()) {
            settings.style.weight = 0.0;
        }
    }
    let styles = settings::styles(&args.run, &run.recipe, &mut problems);
    let progress = crate::job::progress(&args.run, quiet, &mut problems);
    if progress == Progress::Json && asked.output.as_os_str() == STANDARD {
        problems.usage("-o - and --progress json both write to the standard output: choose one");
    }
    let read = keyframes.iter().flat_map(keyframes::Asked::files);
    asked.check_output(args, &run, &styles, read, &mut problems);
    if args.leash && args.film == STANDARD {
        problems
            .usage("--leash and a film from the standard input both read from there: choose one");
    }
    if !problems.is_empty() {
        return Err(problems.into());
    }
    let mut source = Source::open(Path::new(&args.film), &asked.read).map_err(told)?;
    source.info().notes.iter().for_each(|line| note(line));
    source.seek(asked.range.first).map_err(told)?;
    let first = source.next_frame().map_err(told)?;
    let first = first.context("the film ends before the first frame that is asked for")?;
    let masks = Masks::find(&mut run.regions, asked.range.first, &asked.read)?;
    let name = Path::new(&args.film).file_name().unwrap_or(&args.film);
    let png = frames::picture(&first.picture)?.encode(Format::Png, &SaveOptions::default())?;
    let content = job::Source::Bytes {
        name: name.to_string_lossy().into_owned(),
        bytes: png.into(),
    };
    let digests = styles.iter().map(|(source, weight)| {
        let digest = source.digest()?;
        Ok(format!("{digest}:{weight}"))
    });
    let digests = digests.collect::<impasto::Result<Vec<_>>>()?;
    let alone = !masks.is_empty() || keyframes.is_some() || asked.alone(args);
    if let (true, Some(2..)) = (alone, asked.workers) {
        problems.usage(
            "--workers goes with films alone: without --watch, --stereo, --report, --fps, keyframes, masks that move, and pipes",
        );
    }
    // Graphics cards paint one after the other, and a build that knows them may take one by itself.
    let on_cpu = match run.device.kind {
        Kind::Cpu => true,
        Kind::Auto => !cfg!(feature = "gpu"),
        _ => false,
    };
    let threads = run.device.threads.unwrap_or_else(available);
    let workers = match (alone, asked.workers) {
        (true, _) => 1,
        (_, Some(workers)) => workers,
        // Beyond some threads another shot gains more than more threads for one.
        (_, None) if on_cpu => (threads / THREADS_EACH).max(1),
        (_, None) => 1,
    };
    if workers > 1 {
        // Each has its share.
        if on_cpu {
            run.device.threads = Some(threads.div_ceil(workers));
        }
        let memory = run.limits.memory;
        let memory = memory.or_else(|| free_memory().map(|free| free / 10 * 9));
        run.limits.memory = memory.map(|bytes| bytes / workers as u64);
    }
    let threads = run.device.threads;
    let order = Order {
        contents: vec![content],
        styles,
        run,
        outputs: Outputs::Caller,
        page: None,
        recipe: None,
        strict: true,
        record: None,
    };
    let used = crate::job::used(&args.run);
    let again = order.clone();
    let mut draft = order.check();
    problems.job(&draft.problems(), &used);
    if !problems.is_empty() {
        return Err(problems.into());
    }
    let fingerprint = draft.run().fingerprint()?;
    let learned = keyframes.as_ref().map(keyframes::Asked::described);
    let described = format!(
        "{} {} {learned:?}",
        asked.described(args),
        masks.described()
    );
    let estimator = flow::estimator(args.flow_model.as_deref(), threads)?;
    let run = sha256(format!("{fingerprint} {digests:?} {described}").as_bytes());
    let painters = draft.prepare_film().map_err(|more| {
        problems.job(&more, &used);
        problems
    })?;
    let calm = Calm {
        reach: keyframes.as_ref().map_or(0, |keyframes| keyframes.steady),
        size: learned::size(&painters.first, &frames::picture(&first.picture)?),
    };
    let output = asked.output.clone();
    let (film_path, read) = (PathBuf::from(&args.film), asked.read.clone());
    let learning = keyframes.map(|asked_for| Learning {
        asked: asked_for,
        film: &film_path,
        read: &read,
        range: asked.range,
        cuts: asked.cuts.clone(),
        calm,
        output: Some(output.as_path()).filter(|path| path.as_os_str() != STANDARD),
        resume: args.resume,
        progress,
        preview: args.preview.as_deref(),
    });
    let (painters, turn) = match &learning {
        Some(learning) if !args.plan => {
            let (painters, turn) = learning.painters(painters)?;
            (painters, Some(turn))
        }
        _ => (painters, None),
    };
    let film = Film {
        args,
        asked,
        run,
        progress,
        source,
        masks,
        estimator,
        turn,
        workers,
        order: again,
        calm,
    };
    let exit = film.paint(painters, first)?;
    if let (Some(learning), Exit::Done) = (&learning, &exit) {
        learning.forget();
    }
    Ok(exit)
}

/// Further painters of a film.
fn further_painters(order: &Order) -> anyhow::Result<Painters> {
    let made = order.clone().check().prepare_film();
    made.map_err(|problems| anyhow!("no further painter can be made: {problems:?}"))
}

/// Threads that this program may have.
fn available() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// A film that is painted.
struct Film<'a> {
    args: &'a Arguments,
    asked: Asked,
    /// What identifies the run.
    run: String,
    progress: Progress,
    source: Source,
    masks: Masks,
    estimator: Estimator,
    /// How many paint, this program's own film among them.
    workers: usize,
    /// Of which further painters are made.
    order: Order,
    /// Who is told which frame is painted.
    turn: Option<Turn>,
    calm: Calm,
}

impl Film<'_> {
    fn paint(self, painters: Painters, first: Frame) -> Result<Exit, Failure> {
        let eyes = self.asked.eyes;
        let whole = frames::picture(&first.picture)?;
        let read = (whole.width(), whole.height());
        let mut views = eyes.split(whole)?.into_iter();
        let content = views.next().context("a frame has no picture")?;
        let mut settings = Settings {
            consistency: self.asked.consistency,
            backward: self.asked.passes > 1,
            ..Settings::default()
        };
        // Who has learned from keyframes paints alike what frames before did not show: the last one says enough, by a coarser flow,
        // in half the time.
        if self.turn.is_some() {
            settings.reach = vec![1];
            settings.flow_side = KEYFRAMES_FLOW_SIDE;
        }
        let plan = painters.first.plan(&content)?;
        let times = self.times();
        let count = match times.is_empty() {
            true => self
                .source
                .info()
                .frames
                .map(|frames| self.asked.range.count(frames)),
            false => Some(times.len() as u64),
        };
        let animator = Animator::new(painters, eyes.count(), settings.clone());
        let one = animator.size(&content);
        let size = eyes.both(one);
        if self.args.plan {
            return self.show_plan(animator.painters(), &content, size, count);
        }
        log::info!("memory: {} MB", plan.bytes() / 1_000_000);
        let mut sink = self.sink(size, times)?;
        if self.progress != Progress::None {
            let frames = count.map_or("an unknown number of".into(), |count| count.to_string());
            say(&format!(
                "{frames} frames, {}×{} px painted at {}×{} px, {}",
                read.0,
                read.1,
                size.0,
                size.1,
                self.source.info().reader
            ));
        }
        sink.notes().iter().for_each(|line| note(line));
        let queue = MOST_WAITING / (WAITING_PIXEL * size.0 * size.1).max(1);
        let queue = queue.clamp(1, SEGMENT);
        let reach = Settings::default().reach.iter().copied().max();
        let reach = reach.unwrap_or(1) as u64;
        let stretch = match animator.goes_back() {
            true => SEGMENT as u64,
            false => 1,
        };
        let most = reach + stretch + (SEGMENT + queue) as u64;
        let memories = Memories::new(&self.asked.output, most);
        let keeps = self.asked.output.as_os_str() != STANDARD && self.asked.consistency > 0.0;
        let folder = memories.clone();
        let memories = keeps.then_some(memories);
        let kept = sink.kept();
        // Where nothing depends on them, frames are passed over without.
        let known = memories.as_ref().map_or(kept, |memories| {
            memories.latest(kept, reach, eyes.count(), stretch)
        });
        if kept > 0 {
            note(&format!("going on after {kept} frames"));
        }
        if known < kept - kept % stretch {
            let more = kept - known;
            note(&format!(
                "what the next frames depend on is not there any more: {more} frames are painted once more"
            ));
        }
        interrupt::listen();
        let ahead = (self.workers > 1).then(|| {
            if kept == 0 {
                // What another run may have left.
                folder.remove();
            }
            let film = ahead::Film {
                path: PathBuf::from(&self.args.film),
                read: self.asked.read.clone(),
                range: self.asked.range,
                cuts: self.asked.cuts.clone(),
                settings: settings.clone(),
                estimator: self.estimator.clone(),
                size: one,
                stretch,
                memories: folder.clone(),
            };
            let order = self.order.clone();
            Ahead::start(film, self.workers - 1, known, move || {
                further_painters(&order)
            })
        });
        let range = self.asked.range;
        let zero = if range.every == 1 {
            0
        } else {
            first.time.start
        };
        let thin = self.thin();
        let mut shots = Shots::new(self.source, range, self.asked.cuts, thin);
        shots.take(first)?;
        let looking = Looking {
            shots: Steadied::new(shots, self.calm),
            watcher: animator.watcher(&content).with_estimator(self.estimator),
            eyes,
            masks: self.masks,
            before: Before {
                frames: known,
                memories: memories.clone(),
                reach,
            },
            place: 0,
            ahead: ahead.clone(),
            elsewhere: None,
        };
        // With keyframes it has been shown while it learned.
        let learns = !self.args.keyframes.is_empty();
        let shown = self.args.preview.as_deref().filter(|_| !learns);
        let mut painter = Painter {
            animator,
            turn: self.turn,
            keeps,
            done: 0,
            waiting: Vec::new(),
            stretch,
            ahead: ahead.clone(),
        };
        let written = Written {
            sink: &mut sink,
            memories: (keeps || ahead.is_some()).then(|| folder.clone()),
            eyes,
            size: one,
            range,
            count,
            progress: self.progress,
            queue,
            zero,
            account: self.args.report.as_ref().map(|_| Account::new(size)),
            preview: shown.map(Preview::new),
        };
        let passed = stages::run(looking, &mut painter, written);
        if let Some(ahead) = &ahead {
            ahead.end();
        }
        let passed = passed?;
        let Passed { exit, frames, .. } = passed;
        let output = self.asked.output.display();
        let watched = self.args.watch && frames > 0;
        let cut_short = leash::finishes() && frames > 0;
        let ends = watched || cut_short || matches!(exit, Exit::Done | Exit::Failed);
        if !ends {
            note(&format!(
                "stopped after {frames} frames; the same command with --resume goes on: {output} is not finished"
            ));
            return Ok(exit);
        }
        sink.finish().map_err(told)?;
        if memories.is_some() || ahead.is_some() {
            folder.remove();
        }
        if let (Some(path), Some(account)) = (&self.args.report, &passed.account) {
            let name = Path::new(&self.args.film).file_name();
            let stylizer = &painter.animator.painters().first;
            let page = FilmPage {
                name: &name.unwrap_or(&self.args.film).to_string_lossy(),
                frames: &account.frames,
                strip: &account.strip,
                size: account.size,
                seconds: account.began.elapsed().as_secs_f64(),
                styles: stylizer.styles(),
                recipe: stylizer.recipe(),
                encoder: stylizer.encoder(),
                device: &stylizer.device().describe(),
                command: Some(&command_line()),
            };
            page.save(path)?;
        }
        if self.progress != Progress::None {
            say(&format!("wrote {output}: {frames} frames"));
        }
        Ok(exit)
    }

    /// What leaves out frames of a film that has too many a second. Pictures of folders have as many as is said.
    fn thin(&self) -> Option<Thin> {
        let info = self.source.info();
        let rate = self.asked.rate.filter(|_| info.reader != "pictures");
        rate.map(|rate| Thin::new(rate, info.time_base))
    }

    /// When the frames are seen that will be painted, as far as the film says.
    fn times(&self) -> Vec<Time> {
        let (range, mut thin) = (self.asked.range, self.thin());
        let times = (0..).zip(self.source.info().times.iter());
        let times = times.filter(|(number, _)| range.has(*number));
        let times = times.filter_map(|(_, &time)| match &mut thin {
            Some(thin) => thin.take(time),
            None => Some(time),
        });
        let long = |time: Time| Time {
            duration: time.duration * range.every,
            ..time
        };
        times.map(long).collect()
    }

    fn sink(&self, (width, height): (usize, usize), times: Vec<Time>) -> anyhow::Result<Sink> {
        let info = Info {
            width,
            height,
            frames: Some(times.len() as u64).filter(|&frames| frames > 0),
            times,
            ..self.source.info().clone()
        };
        let usual = WriteOptions::default();
        let whole = self.asked.range.every == 1;
        let sound = match self.args.no_sound {
            true => None,
            false => self.source.sound().map_err(told)?,
        };
        let options = WriteOptions {
            backend: self.args.backend,
            ffmpeg: self.args.ffmpeg.clone(),
            resume: self.args.resume,
            run: self.run.clone(),
            first: if whole { self.asked.range.first } else { 0 },
            sound,
            quantizer: match &self.args.quantizer {
                Some(Ok(given)) => *given,
                _ => usual.quantizer,
            },
            segment: SEGMENT,
        };
        Sink::create(&self.asked.output, &info, &options).map_err(told)
    }

    fn show_plan(
        &self,
        painters: &Painters,
        content: &Picture,
        (width, height): (usize, usize),
        count: Option<u64>,
    ) -> Result<Exit, Failure> {
        let seconds = |stylizer: &impasto::Stylizer| -> impasto::Result<f64> {
            let (plan, pace) = (stylizer.plan(content)?, stylizer.pace(content)?);
            Ok(plan.scales.iter().map(|scale| pace.scale(scale)).sum())
        };
        let first = seconds(&painters.first)?;
        let others = match &painters.next {
            Some(next) if self.asked.consistency > 0.0 => seconds(next)?,
            _ => first,
        };
        let bytes = painters.first.plan(content)?.bytes();
        let frames = count.map_or("unknown".into(), |count| count.to_string());
        let all = count.map(|count| duration(first + others * count.saturating_sub(1) as f64));
        print(&format!(
            "film    {}\nframes  {frames}\nsize    {width}×{height} px\nmemory  {} MB\ntime    {} for the first frame of a shot, {} for others, and flow; {} in all\n",
            Path::new(&self.args.film).display(),
            bytes / 1_000_000,
            duration(first),
            duration(others),
            all.unwrap_or_else(|| "unknown".into()),
        ))?;
        Ok(Exit::Done)
    }
}
