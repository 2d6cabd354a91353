//! Learning what becomes of pictures from some that are painted already.

use crate::args::Progress;
use crate::problems::Problems;
use crate::value::{self, Given};
use crate::{interrupt, note, print};
use anyhow::anyhow;
use clap::{Args, ValueHint};
use impasto::encoder::Encoder;
use impasto::keyframes::{Keyframe, KeyframeLearner, KeyframeLesson, KeyframeMethod, Turn, shift};
use impasto::learn::LearnerState;
use impasto::picture::{Filter, SaveOptions};
use impasto::{Picture, Stylizer};
use serde_json::json;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Between two savings, and between two lines of progress.
const SAVED_EVERY: Duration = Duration::from_secs(10);
const TOLD_EVERY: Duration = Duration::from_secs(5);

/// Pictures that show how others are painted.
#[derive(Args)]
pub struct Like {
    /// Paint the photos as this one was painted, by hand or by any means; may be given several times
    #[arg(
        long = "like",
        value_name = "PHOTO=PAINTING",
        value_hint = ValueHint::AnyPath,
        help_heading = "Picture"
    )]
    pub pairs: Vec<OsString>,

    /// Steps of learning from --like [default: 650]
    #[arg(long, value_name = "N", value_parser = value::whole::<usize>(), help_heading = "Picture")]
    pub learn_steps: Option<Given<usize>>,
}

impl Like {
    /// Learns, if there is something to learn from, and paints by that from now on.
    ///
    /// # Errors
    /// If a picture cannot be read.
    pub fn teach(
        &self,
        stylizer: Stylizer,
        progress: Progress,
        problems: &mut Problems,
    ) -> anyhow::Result<Stylizer> {
        if self.pairs.is_empty() {
            return Ok(stylizer);
        }
        let mut lesson = KeyframeLesson::default();
        if let Some(steps) = problems.take(&self.learn_steps) {
            lesson.steps = steps;
        }
        let mut keyframes = Vec::with_capacity(self.pairs.len());
        for text in &self.pairs {
            let Some((photo, painting)) = pair(text) else {
                return Err(anyhow!(
                    "--like is {}: must be PHOTO=PAINTING, such as a.jpg=a-painted.png",
                    text.to_string_lossy()
                ));
            };
            let [one, other] = [&photo, &painting].map(|name| Picture::open(Path::new(name)));
            let frame = one?;
            let painted = fitted(&other?, &frame, (&painting, &photo));
            let scales = stylizer.scales(&frame);
            let size = scales.last().map(|scale| (scale.width, scale.height));
            let (width, height) = size.unwrap_or((frame.width(), frame.height()));
            keyframes.push(Keyframe {
                frame: frame.resized(width, height, Filter::Bicubic),
                painting: painted,
                mask: None,
                guide: None,
            });
        }
        let device = stylizer.shared_device();
        let encoder = Encoder::lite()?;
        let mut learner = KeyframeLearner::new(device.clone(), &encoder, keyframes, None, lesson)?;
        learn(&mut learner, progress, None, None)?;
        let network = learner.network()?;
        let spots = Arc::new(BTreeMap::new());
        let method = KeyframeMethod::new(device.as_ref(), network, spots, Turn::default())?;
        Ok(stylizer.by_method(Box::new(method)))
    }
}

/// `PHOTO=PAINTING`: names may hold `=`, so that both are to be there, or else the first one counts.
fn pair(text: &OsStr) -> Option<(String, String)> {
    let text = text.to_string_lossy();
    let cuts = || {
        text.match_indices('=')
            .map(|(at, _)| (&text[..at], &text[at + 1..]))
    };
    let there = |(photo, painting): &(&str, &str)| {
        Path::new(photo).exists() && Path::new(painting).exists()
    };
    let (photo, painting) = cuts().find(there).or_else(|| cuts().next())?;
    let named = !photo.is_empty() && !painting.is_empty();
    named.then(|| (photo.into(), painting.into()))
}

/// Pictures of what is learned so far.
pub struct Preview<'a> {
    path: &'a Path,
    frame: Picture,
    guide: Option<Picture>,
    /// Whether one could not be written, which is told once.
    failed: bool,
}

impl<'a> Preview<'a> {
    /// Of a frame with its guide, both in the size in which they are painted.
    pub fn new(path: &'a Path, frame: Picture, guide: Option<Picture>) -> Self {
        Self {
            path,
            frame,
            guide,
            failed: false,
        }
    }

    fn write(&mut self, learner: &KeyframeLearner) -> impasto::Result<()> {
        let picture = learner.preview(&self.frame, self.guide.as_ref())?;
        let saved = picture.save(self.path, &SaveOptions::default());
        if let (Err(error), false) = (saved, std::mem::replace(&mut self.failed, true)) {
            note(&format!("no preview: {error}; it goes on"));
        }
        Ok(())
    }
}

/// Takes steps until everything is learned, or somebody has had enough: what was learned is used then. The state is kept in a file,
/// and taken from there if the run goes on; as often a preview is written, if one is asked for.
///
/// # Errors
/// If the loss is no number any more, or the state cannot be kept or read.
pub fn learn(
    learner: &mut KeyframeLearner,
    progress: Progress,
    state: Option<(&Path, bool)>,
    mut preview: Option<Preview<'_>>,
) -> anyhow::Result<()> {
    if let Some((path, true)) = state.filter(|(path, _)| path.is_file()) {
        learner.resume(LearnerState::read(path)?)?;
        note(&format!(
            "going on after {} steps of learning",
            learner.steps_taken()
        ));
    }
    interrupt::listen();
    let (began, mut saved, mut last) = (Instant::now(), Instant::now(), Instant::now());
    let before = learner.steps_taken();
    let steps = learner.lesson().steps;
    while !learner.is_finished() {
        if interrupt::take() {
            note(&format!(
                "what was learned in {} of {steps} steps is used",
                learner.steps_taken()
            ));
            break;
        }
        let step = learner.step()?;
        if progress == Progress::Json {
            let line = json!({"event": "learn", "step": step.step, "steps": steps, "pixels": step.pixels, "features": step.features});
            print(&format!("{line}\n"))?;
        } else if last.elapsed() > TOLD_EVERY && progress != Progress::None {
            last = Instant::now();
            let pace = began.elapsed().as_secs_f64() / (step.step - before) as f64;
            note(&format!(
                "learned {} of {steps} steps, {:.3} from what was painted, {} left",
                step.step,
                step.pixels,
                crate::progress::duration(pace * (steps - step.step) as f64)
            ));
        }
        if saved.elapsed() > SAVED_EVERY {
            saved = Instant::now();
            if let Some((path, _)) = state {
                learner.state()?.write(path)?;
            }
            if let Some(preview) = &mut preview {
                preview.write(learner)?;
            }
        }
    }
    preview.map_or(Ok(()), |mut preview| Ok(preview.write(learner)?))
}

/// A painting in the size of its photo and where that lies; what did not fit is told by their names.
pub fn fitted(painting: &Picture, photo: &Picture, (name, of): (&str, &str)) -> Picture {
    let (width, height) = (photo.width(), photo.height());
    if (painting.width(), painting.height()) != (width, height) {
        note(&format!(
            "{name} has {}×{} px and {of} {width}×{height} px: it is fitted",
            painting.width(),
            painting.height()
        ));
    }
    let painting = painting.resized(width, height, Filter::Bicubic);
    let [right, down] = shift(photo, &painting);
    if [right, down] == [0, 0] {
        return painting;
    }
    let ways = [(right, "left", "right"), (down, "up", "down")].map(|(pixels, back, on)| {
        let way = if pixels < 0 { back } else { on };
        (pixels != 0).then(|| format!("{} px {way}", pixels.abs()))
    });
    let ways: Vec<String> = ways.into_iter().flatten().collect();
    note(&format!(
        "{name} is shifted against {of}, {}: it is moved back",
        ways.join(" and ")
    ));
    let source = |at: isize, n: usize| at.clamp(0, n as isize - 1) as usize;
    let mut rgb = Vec::with_capacity(painting.rgb().len());
    for plane in painting.rgb().chunks_exact(width * height) {
        for y in 0..height as isize {
            let row = &plane[source(y + down, height) * width..][..width];
            rgb.extend((0..width as isize).map(|x| row[source(x + right, width)]));
        }
    }
    Picture::new(width, height, rgb).unwrap_or(painting)
}
