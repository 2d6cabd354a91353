//! The keyframes that options name.

use super::Arguments;
use super::eyes::Eyes;
use super::told;
use crate::problems::Problems;
use anyhow::{anyhow, bail};
use impasto::job::Problem;
use impasto::keyframes::KeyframeLesson;
use impasto::picture::Format;
use impasto_video::{ReadOptions, Source};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Frames to either side by which frames may lose their noise: what is further away says nothing.
const MOST_STEADY: usize = 15;

/// How a frame is named.
#[derive(Clone, Copy, Debug, PartialEq)]
enum When {
    /// By its number, from 0.
    Frame(u64),
    /// By a time at which it is seen, in seconds.
    Seconds(f64),
}

impl When {
    /// `45`, `1.5s`, `1:02.5` or `1:00:00`.
    fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let real = |text: &str| text.parse().ok().filter(|time: &f64| *time >= 0.0);
        if let Some(seconds) = text.strip_suffix('s') {
            return real(seconds)
                .filter(|time| time.is_finite())
                .map(Self::Seconds);
        }
        let Some((rest, seconds)) = text.rsplit_once(':') else {
            return text.parse().ok().map(Self::Frame);
        };
        let seconds = real(seconds).filter(|&seconds| seconds < 60.0)?;
        let minutes = rest.split(':').try_fold(0u32, |minutes, part| {
            minutes.checked_mul(60)?.checked_add(part.parse().ok()?)
        })?;
        Some(Self::Seconds(f64::from(minutes) * 60.0 + seconds))
    }
}

/// A keyframe that is asked for.
#[derive(Debug)]
pub struct Key {
    /// As it was named.
    name: String,
    when: When,
    /// None if it is to be painted first.
    pub painting: Option<PathBuf>,
    pub mask: Option<PathBuf>,
}

/// The keyframes that are asked for.
#[derive(Debug, Default)]
pub struct Asked {
    keys: Vec<Key>,
    /// Where the network is kept; without keyframes, the one that paints.
    pub network: Option<PathBuf>,
    pub lesson: KeyframeLesson,
    /// Frames to either side by which frames lose their noise.
    pub steady: usize,
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
            let (name, file) = match text.split_once('=') {
                Some((name, file)) => (name, Some(PathBuf::from(file))),
                None => (&*text, None),
            };
            let named = file
                .as_ref()
                .is_none_or(|file| !file.as_os_str().is_empty());
            match When::read(name).filter(|_| named) {
                Some(when) => asked.add(name, when, file, problems),
                None => problems.usage(format!(
                    "--keyframe is {text}: must be FRAME=FILE such as 45=painted.png, with a time such as 1.5s or 1:02.5 in place of the number, FRAME alone, or a folder of files named by frame"
                )),
            }
        }
        for text in &args.keyframe_masks {
            let text = text.to_string_lossy();
            let given = text.split_once('=');
            let given = given.and_then(|(name, file)| Some((name, When::read(name)?, file)));
            let Some((name, when, file)) = given else {
                problems.usage(format!(
                    "--keyframe-mask is {text}: must be FRAME=FILE, such as 45=mask.png"
                ));
                continue;
            };
            match asked.keys.iter_mut().find(|key| key.when == when) {
                Some(key) => key.mask = Some(file.into()),
                None => problems.usage(format!(
                    "--keyframe-mask is {text}: frame {name} is no keyframe"
                )),
            }
        }
        asked.lesson(args, problems);
        let idle = args.keyframes.is_empty() && args.network.is_none();
        asked.steady = problems.take(&args.steady).unwrap_or(0);
        if asked.steady > MOST_STEADY {
            problems.usage(format!(
                "--steady is {}: must be from 0 to {MOST_STEADY}",
                asked.steady
            ));
        }
        if idle && args.steady.is_some() {
            problems.usage("--steady goes with --keyframe or --network");
        }
        (!idle).then_some(asked)
    }

    fn add(&mut self, name: &str, when: When, painting: Option<PathBuf>, problems: &mut Problems) {
        if self.keys.iter().any(|key| key.when == when) {
            problems.usage(format!("--keyframe names frame {name} twice"));
        }
        self.keys.push(Key {
            name: name.trim().into(),
            when,
            painting,
            mask: None,
        });
    }

    /// How it is learned.
    fn lesson(&mut self, args: &Arguments, problems: &mut Problems) {
        if let Some(steps) = problems.take(&args.learn_steps) {
            self.lesson.steps = steps;
        }
        if let Some(size) = problems.take(&args.network_size) {
            self.lesson.size = size;
        }
        for problem in self.lesson.problems() {
            problems.usage(format!(
                "--learn-{} is {}: {}",
                problem.field, problem.value, problem.allowed
            ));
        }
        let learns = [
            ("--learn-steps", args.learn_steps.is_some()),
            ("--network-size", args.network_size.is_some()),
            // A film that is painted as ever shows its newest frame.
            (
                "--preview",
                args.preview.is_some() && args.network.is_some(),
            ),
        ];
        for (name, _) in learns.iter().filter(|(_, given)| *given) {
            if args.keyframes.is_empty() {
                problems.usage(format!("{name} goes with --keyframe"));
            }
        }
        let format = args.preview.as_deref().map(Format::from_path);
        if let Some(Err(error)) = format {
            problems.gather(|found| found.push(Problem::Failed(error.into())));
        }
    }

    /// Files named by the number of their frame.
    fn folder(&mut self, folder: &Path, problems: &mut Problems) {
        let before = self.keys.len();
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        files.sort();
        for path in files.into_iter().filter(|path| path.is_file()) {
            let stem = path.file_stem().unwrap_or_default();
            let stem = stem.to_string_lossy().into_owned();
            let digits = stem.len()
                - stem
                    .trim_end_matches(|letter: char| letter.is_ascii_digit())
                    .len();
            if let Ok(number) = stem[stem.len() - digits..].parse() {
                self.add(&stem, When::Frame(number), Some(path), problems);
            }
        }
        if self.keys.len() == before {
            problems.usage(format!(
                "--keyframe is {}: no file there is named by the number of a frame, such as 0045.png",
                folder.display()
            ));
        }
    }

    /// Whether nothing is learned.
    pub fn is_learned(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether a style is needed: a keyframe is to be painted first.
    pub fn paints(&self) -> bool {
        self.keys.iter().any(|key| key.painting.is_none())
    }

    /// Files that are read.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let keys = self.keys.iter();
        let files = keys.flat_map(|key| key.painting.iter().chain(&key.mask));
        let network = self.network.iter().filter(|_| self.keys.is_empty());
        files.chain(network).map(PathBuf::as_path)
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
        let keys: Vec<_> = self.keys.iter().map(|key| key.when).collect();
        format!("{keys:?} {files:?} {:?} {}", self.lesson, self.steady)
    }

    /// The keyframes by the number of their frame in a film.
    ///
    /// # Errors
    /// If two are the same one, or the film has none at such a time, or cannot be read.
    pub fn keys(&self, film: &Path, read: &ReadOptions) -> anyhow::Result<BTreeMap<u64, &Key>> {
        let mut keys: BTreeMap<u64, &Key> = BTreeMap::new();
        for key in &self.keys {
            let number = match key.when {
                When::Frame(number) => number,
                When::Seconds(seconds) => at(seconds, film, read)?,
            };
            if let Some(other) = keys.insert(number, key) {
                bail!(
                    "the keyframes {} and {} are both frame {number}: leave one out",
                    other.name,
                    key.name
                );
            }
        }
        Ok(keys)
    }
}

/// The number of the frame that is seen at a time.
fn at(seconds: f64, film: &Path, read: &ReadOptions) -> anyhow::Result<u64> {
    let mut source = Source::open(film, read).map_err(told)?;
    let base = source.info().time_base;
    let mut times = source.info().times.clone();
    if times.is_empty() {
        while let Some(frame) = source.next_frame().map_err(told)? {
            times.push(frame.time);
        }
    }
    let zero = times.first().map_or(0, |time| time.start);
    let since = |ticks: i64| base.seconds(ticks - zero);
    let end = times.last().map_or(0.0, |time| since(time.end()));
    // Times of frames are rounded.
    let begun = times
        .iter()
        .take_while(|time| since(time.start) <= seconds + 5e-4);
    match begun.count().checked_sub(1) {
        Some(number) if seconds < end => Ok(number as u64),
        _ => Err(anyhow!(
            "there is no frame at {seconds} s in {}, which is {end:.2} s long",
            film.display()
        )),
    }
}

/// Why keyframes do not go with something else that is asked for.
pub fn conflict(args: &Arguments, eyes: Eyes, wrap: bool) -> Option<String> {
    let name = match args.keyframes.is_empty() {
        true => "--network",
        false => "--keyframe",
    };
    let others = [
        ("--wrap", wrap),
        ("--stereo", eyes != Eyes::One),
        ("--watch", args.watch),
    ];
    let other = others.iter().find(|(_, given)| *given);
    match other {
        Some((other, _)) => Some(format!("{name} does not go with {other}")),
        None if args.plan => {
            Some("--plan does not know how long keyframes are learned: leave it out".into())
        }
        None if args.film == "-" && !args.keyframes.is_empty() => Some(
            "--keyframe needs a film that can be read twice: for a pipe, learn first and use --network".into(),
        ),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_have_numbers_or_times() {
        for (text, when) in [
            ("45", When::Frame(45)),
            (" 0 ", When::Frame(0)),
            ("1.5s", When::Seconds(1.5)),
            ("0s", When::Seconds(0.0)),
            ("1:02.5", When::Seconds(62.5)),
            ("1:00:00", When::Seconds(3600.0)),
        ] {
            assert_eq!(When::read(text), Some(when), "{text}");
        }
        for text in [
            "",
            "-1",
            "1.5",
            "s",
            "-1s",
            "infs",
            "NaNs",
            "1:60",
            ":1",
            "1::2",
            "a:1",
            "9999999:0:0:0",
        ] {
            assert_eq!(When::read(text), None, "{text}");
        }
    }
}
