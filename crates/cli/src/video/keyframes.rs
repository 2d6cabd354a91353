//! Films that are painted like some of their frames.

use super::eyes::Eyes;
use super::frames::{self, Range};
use super::{Arguments, told};
use crate::args::Progress;
use crate::problems::Problems;
use crate::{interrupt, learning, note, say, words};
use anyhow::{Context, anyhow};
use impasto::encoder::Encoder;
use impasto::keyframes::{
    Guide, Keyframe, KeyframeLearner, KeyframeLesson, KeyframeMethod, KeyframeNetwork, Spots, Turn,
    Width,
};
use impasto::picture::{Filter, fit_long_side};
use impasto::video::Painters;
use impasto::{Event, Mask, Outcome, Picture};
use impasto_flow::{Flow, Pyramid};
use impasto_video::{ReadOptions, Source};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The long side at which spots are moved.
const FLOW_SIDE: usize = 192;

/// The keyframes that are asked for.
#[derive(Debug, Default)]
pub struct Asked {
    /// By the number of the frame: its painting, or none if it is to be painted first.
    paintings: BTreeMap<u64, Option<PathBuf>>,
    masks: BTreeMap<u64, PathBuf>,
    network: Option<PathBuf>,
    lesson: KeyframeLesson,
}

impl Asked {
    /// What the options say; none if there are no keyframes.
    pub fn read(args: &Arguments, problems: &mut Problems) -> Option<Self> {
        let mut asked = Self {
            network: args.network.clone(),
            ..Self::default()
        };
        for text in &args.keyframes {
            let path = Path::new(text);
            if path.is_dir() {
                asked.folder(path, problems);
                continue;
            }
            let text = text.to_string_lossy();
            let (number, file) = match text.split_once('=') {
                Some((number, file)) => (number, Some(PathBuf::from(file))),
                None => (&*text, None),
            };
            match number.trim().parse() {
                Ok(number) => {
                    asked.paintings.insert(number, file);
                }
                Err(_) => problems.usage(format!(
                    "--keyframe is {text}: must be FRAME=FILE such as 45=painted.png, FRAME alone, or a folder of files named by frame"
                )),
            }
        }
        for text in &args.keyframe_masks {
            let text = text.to_string_lossy();
            let given = text.split_once('=').and_then(|(number, file)| {
                Some((number.trim().parse::<u64>().ok()?, PathBuf::from(file)))
            });
            match given {
                Some((number, file)) if asked.paintings.contains_key(&number) => {
                    asked.masks.insert(number, file);
                }
                Some((number, _)) => problems.usage(format!(
                    "--keyframe-mask is {text}: frame {number} is no keyframe"
                )),
                None => problems.usage(format!(
                    "--keyframe-mask is {text}: must be FRAME=FILE, such as 45=mask.png"
                )),
            }
        }
        let idle = args.keyframes.is_empty() && args.network.is_none();
        if let Some(steps) = problems.take(&args.learn_steps) {
            asked.lesson.steps = steps;
        }
        if args.lean {
            asked.lesson.width = Width::Lean;
        }
        for problem in asked.lesson.problems() {
            problems.usage(format!(
                "--learn-{} is {}: {}",
                problem.field, problem.value, problem.allowed
            ));
        }
        if idle && (args.lean || args.learn_steps.is_some()) {
            problems.usage("--lean and --learn-steps go with --keyframe");
        }
        (!idle).then_some(asked)
    }

    /// Files named by the number of their frame.
    fn folder(&mut self, folder: &Path, problems: &mut Problems) {
        let before = self.paintings.len();
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let stem = path
                .file_stem()
                .map(|stem| stem.to_string_lossy().into_owned());
            let digits: String = stem
                .unwrap_or_default()
                .chars()
                .rev()
                .take_while(char::is_ascii_digit)
                .collect();
            let number: String = digits.chars().rev().collect();
            if let Ok(number) = number.parse() {
                self.paintings.insert(number, Some(path));
            }
        }
        if self.paintings.len() == before {
            problems.usage(format!(
                "--keyframe is {}: no file there is named by the number of a frame, such as 0045.png",
                folder.display()
            ));
        }
    }

    /// Whether a style is needed: a keyframe is to be painted first.
    pub fn paints(&self) -> bool {
        self.paintings.values().any(Option::is_none)
    }

    /// Files that are read.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let paintings = self.paintings.values().flatten();
        let network = self.network.iter().filter(|_| self.paintings.is_empty());
        paintings
            .chain(self.masks.values())
            .chain(network)
            .map(PathBuf::as_path)
    }

    /// What frames depend on of them.
    pub fn described(&self) -> String {
        let state = |path: &Path| {
            let file = std::fs::metadata(path).ok();
            (
                path.to_owned(),
                file.map(|file| (file.len(), file.modified().ok())),
            )
        };
        let files: Vec<_> = self.files().map(state).collect();
        format!("{:?} {files:?} {:?}", self.paintings.keys(), self.lesson)
    }
}

/// A film whose keyframes are learned.
pub struct Learning<'a> {
    pub asked: Asked,
    pub film: &'a Path,
    pub read: &'a ReadOptions,
    pub range: Range,
    /// Where the output goes: what is learned lies beside it until it is whole.
    pub output: &'a Path,
    pub resume: bool,
    pub progress: Progress,
    /// Where the network is kept.
    pub keep: Option<PathBuf>,
}

impl Learning<'_> {
    fn beside(&self, ending: &str) -> PathBuf {
        let mut name = self.output.as_os_str().to_owned();
        name.push(ending);
        name.into()
    }

    /// Removes what lies beside the output, which is whole.
    pub fn forget(&self) {
        for ending in [".learning", ".network"] {
            let _ = std::fs::remove_file(self.beside(ending));
        }
    }

    /// Learns, or reads what was learned: who paints then, and who is told which frame is painted.
    pub fn painters(&self, painters: Painters) -> anyhow::Result<(Painters, Turn)> {
        let turn = Turn::default();
        let mut first = painters.first;
        let (network, spots) = match &self.asked.network {
            Some(path) if self.asked.paintings.is_empty() => {
                (KeyframeNetwork::read(path)?, BTreeMap::new())
            }
            _ => self.learned(&mut first)?,
        };
        let device = first.shared_device();
        let method = KeyframeMethod::new(device.as_ref(), network, Arc::new(spots), turn.clone())?;
        let painters = Painters {
            first: first.by_method(Box::new(method)),
            next: None,
        };
        Ok((painters, turn))
    }

    fn learned(
        &self,
        painter: &mut impasto::Stylizer,
    ) -> anyhow::Result<(KeyframeNetwork, BTreeMap<u64, Spots>)> {
        let numbers: Vec<u64> = self.asked.paintings.keys().copied().collect();
        let mut guide = Guide::new(self.asked.lesson.seed);
        let (spots, frames) = self.follow(&numbers, &mut guide)?;
        let mut keyframes = Vec::with_capacity(frames.len());
        for (number, frame) in frames {
            keyframes.push(self.keyframe(number, frame, painter, (&guide, &spots))?);
        }
        let network = self.beside(".network");
        if self.resume && network.is_file() {
            let known = KeyframeNetwork::read(&network)?;
            if known.lesson == self.asked.lesson {
                return Ok((known.with_guide(Some(guide)), spots));
            }
        }
        let lesson = self.asked.lesson.clone();
        let device = painter.shared_device();
        let mut learner =
            KeyframeLearner::new(device, &Encoder::lite()?, keyframes, Some(guide), lesson)?;
        let state = self.beside(".learning");
        learning::learn(&mut learner, self.progress, Some((&state, self.resume)))?;
        let learned = learner.network()?;
        learned.write(&network)?;
        let _ = std::fs::remove_file(self.beside(".learning"));
        if let Some(keep) = &self.keep {
            learned.write(keep)?;
            say(&format!("wrote {}", keep.display()));
        }
        Ok((learned, spots))
    }

    /// A keyframe and its painting, which is painted now if there is none.
    fn keyframe(
        &self,
        number: u64,
        frame: Picture,
        painter: &mut impasto::Stylizer,
        (guide, spots): (&Guide, &BTreeMap<u64, Spots>),
    ) -> anyhow::Result<Keyframe> {
        let scales = painter.scales(&frame);
        let size = scales.last().map(|scale| (scale.width, scale.height));
        let (width, height) = size.unwrap_or((frame.width(), frame.height()));
        let painting = match self.asked.paintings.get(&number).cloned().flatten() {
            Some(path) => {
                let painting = Picture::open(&path)?;
                let names = (path.display().to_string(), format!("frame {number}"));
                learning::fitted(&painting, &frame, (&names.0, &names.1))
            }
            None => {
                note(&format!("painting frame {number}, which the others follow"));
                let mut observe = |_: &Event<'_>| match interrupt::requested() {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                };
                let painted = painter.stylize(&frame, &mut observe)?;
                if matches!(painted.outcome, Outcome::Diverged { .. }) {
                    return Err(anyhow!("{}", words::advice(&impasto::Advice::Gentler)));
                }
                painted.picture
            }
        };
        let mask = self.asked.masks.get(&number);
        let mask = mask.map(|path| Ok::<_, impasto::Error>(Mask::of(&Picture::open(path)?)));
        let frame = frame.resized(width, height, Filter::Bicubic);
        let guide = spots
            .get(&number)
            .map(|spots| guide.picture(spots, (width, height)));
        Ok(Keyframe {
            painting,
            guide: guide.transpose().map_err(impasto::Error::from)?,
            mask: mask.transpose()?,
            frame,
        })
    }

    /// Follows spots from the keyframes through the film; the keyframes' frames as well.
    fn follow(
        &self,
        keyframes: &[u64],
        guide: &mut Guide,
    ) -> anyhow::Result<(BTreeMap<u64, Spots>, BTreeMap<u64, Picture>)> {
        let mut film = Source::open(self.film, self.read).map_err(told)?;
        let key = *keyframes.first().context("there is no keyframe")?;
        let from = key.min(self.range.first);
        let last = *keyframes.last().unwrap_or(&key);
        film.seek(from).map_err(told)?;
        let (mut spots, mut frames) = (BTreeMap::new(), BTreeMap::new());
        let mut before: Option<(Pyramid, Option<[Flow; 2]>)> = None;
        // From each frame before the first keyframe: to the next, and back.
        let mut flows: Vec<[Flow; 2]> = Vec::new();
        while let Some(frame) = film.next_frame().map_err(told)? {
            let number = frame.number;
            if number > last && self.range.is_over(number) {
                break;
            }
            let picture = frames::picture(&frame.picture)?;
            let side = FLOW_SIDE.min(picture.width().max(picture.height()));
            let (width, height) = fit_long_side(picture.width(), picture.height(), side);
            let small = picture.resized(width, height, Filter::Bicubic);
            let seen = impasto_flow::Frame::new(3, height, width, small.rgb().to_vec())?;
            let seen = Pyramid::new(&seen);
            let motion = match &before {
                None => None,
                Some((last, known)) => {
                    let guess = |way: usize| impasto_flow::Guess {
                        before: known.as_ref().map(|known: &[Flow; 2]| &known[way]),
                        other: None,
                    };
                    let guesses = [guess(0), guess(1)];
                    let settings = impasto_flow::Settings::default();
                    Some(impasto_flow::both_between(last, &seen, &settings, guesses)?)
                }
            };
            match &motion {
                Some(motion) if number <= key => flows.push(motion.clone()),
                Some([there, back]) => {
                    let known: Option<&Spots> = spots.get(&(number - 1));
                    let moved = known.map(|known| known.moved(there, back)).transpose()?;
                    spots.insert(number, moved.unwrap_or_default());
                }
                None => {}
            }
            if keyframes.contains(&number) {
                guide.fill(spots.entry(number).or_default(), (width, height));
                frames.insert(number, picture);
            }
            before = Some((seen, motion));
        }
        if let Some(missing) = keyframes.iter().find(|number| !frames.contains_key(number)) {
            return Err(anyhow!(
                "there is no frame {missing} in {}",
                self.film.display()
            ));
        }
        for (place, [there, back]) in flows.iter().enumerate().rev() {
            let number = from + place as u64;
            let known: Option<&Spots> = spots.get(&(number + 1));
            let moved = known.map(|known| known.moved(back, there)).transpose()?;
            spots.insert(number, moved.unwrap_or_default());
        }
        Ok((spots, frames))
    }
}

/// Why keyframes do not go with something else that is asked for.
pub fn conflict(args: &Arguments, eyes: Eyes, wrap: bool) -> Option<&'static str> {
    match () {
        () if args.plan => {
            Some("--plan does not know how long keyframes are learned: leave it out")
        }
        () if wrap => Some("--keyframe does not go with --wrap"),
        () if eyes != Eyes::One => Some("--keyframe does not go with --stereo"),
        () if args.watch => Some("--keyframe does not go with --watch"),
        () if args.film == "-" && !args.keyframes.is_empty() => Some(
            "--keyframe needs a film that can be read twice: for a pipe, learn first and use --network",
        ),
        () => None,
    }
}
