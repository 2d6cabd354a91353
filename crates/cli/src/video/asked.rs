//! What the options of `impasto video` say beside the run.

use super::Arguments;
use super::eyes::Eyes;
use super::frames::{self, Range};
use crate::interrupt;
use crate::problems::Problems;
use crate::settings::STANDARD;
use impasto::Quality;
use impasto::job;
use impasto_video::{ReadOptions, TimeBase, Waits};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What the options say beside the run.
pub struct Asked {
    pub consistency: f32,
    pub range: Range,
    pub cuts: Option<BTreeSet<u64>>,
    pub output: PathBuf,
    pub read: ReadOptions,
    /// Frames a second at most.
    pub rate: Option<f32>,
    pub eyes: Eyes,
    /// How often each frame is gone over.
    pub passes: usize,
    /// How many shots are painted at once.
    pub workers: Option<usize>,
}

impl Asked {
    /// Reads them; what is wrong is noted.
    pub fn read(args: &Arguments, problems: &mut Problems) -> Self {
        let consistency = problems.take(&args.consistency).unwrap_or(0.5);
        if !(0.0..=1.0).contains(&consistency) {
            problems.usage(format!(
                "--consistency is {consistency}: must be between 0 and 1"
            ));
        }
        let fine = matches!(args.run.quality, Some(Ok(Quality::Fine)));
        let can = args.stereo.is_none() && args.keyframes.is_empty() && args.network.is_none();
        let passes = problems.take(&args.passes);
        match passes {
            None | Some(1) => {}
            Some(2) if !can => problems.usage(
                "--passes 2 goes with neither --stereo nor keyframes: one pass is what these have",
            ),
            Some(2) => {}
            Some(passes) => problems.usage(format!("--passes is {passes}: must be 1 or 2")),
        }
        let passes = passes.unwrap_or(if fine && can { 2 } else { 1 });
        let workers = problems.take(&args.workers);
        if let Some(workers) = workers.filter(|workers| !(1..=64).contains(workers)) {
            problems.usage(format!("--workers is {workers}: must be from 1 to 64"));
        }
        let range = Range::read(args.frames.as_deref(), problems.take(&args.every));
        let range = range.unwrap_or_else(|line| {
            problems.usage(line);
            Range {
                first: 0,
                last: None,
                every: 1,
            }
        });
        let cuts = args.cuts.as_deref().map(frames::cuts).transpose();
        let cuts = cuts.unwrap_or_else(|error| {
            problems.file(error);
            None
        });
        if args.watch && !Path::new(&args.film).is_dir() {
            problems.usage("--watch needs a folder, into which pictures come");
        }
        // Whether a shot begins is known a few frames later, for which nobody waits who watches.
        let cuts = cuts.or_else(|| args.watch.then(BTreeSet::new));
        if let Some(quantizer) = problems.take(&args.quantizer).filter(|&given| given > 51) {
            problems.usage(format!("--quantizer is {quantizer}: must be from 0 to 51"));
        }
        let fps = problems.take(&args.fps);
        if let Some(fps) = fps.filter(|fps| !(0.01..=1000.0).contains(fps)) {
            problems.usage(format!("--fps is {fps}: must be between 0.01 and 1000"));
        }
        let usual = ReadOptions::default();
        let tick = fps.and_then(|fps| TimeBase::new(1000, (1000.0 * fps).round() as u32));
        let mut output = args.output.clone().unwrap_or_else(|| output(&args.film));
        // A name without an ending is that of a folder.
        if output.extension().is_none() && output.as_os_str() != STANDARD && !output.is_file() {
            output.push("");
        }
        if output.exists() && !output.is_dir() && !args.overwrite && !args.plan {
            problems.usage(format!(
                "{} exists: --overwrite replaces it",
                output.display()
            ));
        }
        let mut part = output.clone().into_os_string();
        part.push(".part");
        let begun = Path::new(&part).exists();
        if begun && !args.resume && !args.overwrite && !args.plan {
            problems.usage(format!(
                "{} is what a run has finished that was cut off: --resume goes on, --overwrite begins anew",
                Path::new(&part).display()
            ));
        }
        Self {
            consistency,
            range,
            cuts,
            output,
            read: ReadOptions {
                backend: args.backend,
                ffmpeg: args.ffmpeg.clone(),
                decode: Some(Arc::new(frames::decode)),
                picture_duration: tick.unwrap_or(usual.picture_duration),
                stills: args.stereo.is_some(),
                waits: args
                    .watch
                    .then(|| Arc::new(|| !interrupt::requested()) as Waits),
            },
            rate: fps,
            eyes: args.stereo.into(),
            passes,
            workers,
        }
    }

    /// Whether its shots have to be painted one after the other.
    pub fn alone(&self, args: &Arguments) -> bool {
        let pipes = [args.film.as_os_str(), self.output.as_os_str()].contains(&STANDARD.as_ref());
        let frames = args.stereo.is_some() || args.fps.is_some();
        pipes || frames || args.watch || args.report.is_some() || args.network.is_some()
    }

    /// Notes an output that would take the place of what is read, or of frames that are there.
    pub fn check_output<'a>(
        &self,
        args: &'a Arguments,
        run: &job::Run,
        styles: &[(job::Source, f32)],
        more: impl Iterator<Item = &'a Path>,
        problems: &mut Problems,
    ) {
        if args.plan {
            return;
        }
        let mut files = job::Files::default();
        let film = Path::new(&args.film);
        files.read_pictures(styles.iter().map(|(source, _)| source));
        files.read_run(run);
        let cuts = args.cuts.as_deref().map(Path::new);
        for path in [Some(film), cuts].into_iter().flatten().chain(more) {
            files.read(path, job::Input::Picture);
        }
        if let Some(model) = &args.flow_model {
            files.read(model, job::Input::Weights);
        }
        let source = frames_of(film).map(|(folder, _)| folder);
        let frames = source
            .iter()
            .filter_map(|folder| std::fs::read_dir(folder).ok());
        for frame in frames.flatten().flatten() {
            files.read(&frame.path(), job::Input::Picture);
        }
        // Without keyframes the network is read.
        let network = args.network.as_deref();
        let network = network.filter(|_| !args.keyframes.is_empty());
        let replaces = network.filter(|path| files.is_free(path) && path.exists());
        if let Some(path) = replaces.filter(|_| !args.overwrite && !args.resume) {
            let path = path.display();
            problems.usage(format!("{path} exists: --overwrite replaces it"));
        }
        let preview = args.preview.as_deref();
        for path in args
            .report
            .as_deref()
            .into_iter()
            .chain(network)
            .chain(preview)
        {
            problems.gather(|found| files.write(path, found));
        }
        if self.output.as_os_str() == STANDARD {
            return;
        }
        let Some((folder, names)) = frames_of(&self.output) else {
            return problems.gather(|found| files.write(&self.output, found));
        };
        let whole = |path: &Path| std::fs::canonicalize(path).ok();
        let source = source.unwrap_or_else(|| film.into());
        if whole(&folder).is_some() && whole(&folder) == whole(&source) {
            return problems.usage(format!(
                "{} has the frames that are read: name another folder",
                folder.display()
            ));
        }
        let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        let there = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let [before, after] = &names;
        let mut there = there.filter(|name| name.starts_with(before) && name.ends_with(after));
        if let (Some(name), false) = (there.next(), args.overwrite || args.resume) {
            problems.usage(format!(
                "{} exists: --overwrite replaces such frames",
                folder.join(name).display()
            ));
        }
    }

    /// What frames depend on beside the run itself.
    pub fn described(&self, args: &Arguments) -> String {
        let file = std::fs::metadata(&args.film).ok();
        let told = |file: std::fs::Metadata| (file.len(), file.modified().ok());
        let file = file.map(told);
        let model = args.flow_model.as_ref();
        let model = model
            .and_then(|path| std::fs::metadata(path).ok())
            .map(told);
        let model = model.map(|model| format!(" {model:?}")).unwrap_or_default();
        format!(
            "{:?} {file:?}{model} {} {:?} {:?} {:?} {:?}",
            args.film,
            self.consistency,
            self.range,
            self.cuts,
            self.read.picture_duration,
            self.eyes
        ) + &match self.passes {
            1 => String::new(),
            passes => format!(" {passes}"),
        }
    }
}

/// The folder of frames that are pictures, and how their names begin and end; none if it is a file.
fn frames_of(output: &Path) -> Option<(PathBuf, [String; 2])> {
    let text = output.to_string_lossy();
    if output.is_dir() || text.ends_with('/') {
        return Some((output.into(), [String::new(), ".png".into()]));
    }
    let name = output.file_name()?.to_string_lossy().into_owned();
    let (before, rest) = name.split_once('%')?;
    let (_, after) = rest.split_once('d')?;
    let folder = output
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    Some((folder.into(), [before.into(), after.into()]))
}

/// `FILM-painted.mp4`.
fn output(film: &std::ffi::OsStr) -> PathBuf {
    let stem = Path::new(film).file_stem().unwrap_or(film).to_os_string();
    let mut name = stem;
    name.push("-painted.mp4");
    name.into()
}
