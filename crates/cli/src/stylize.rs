//! `impasto stylize`: paints each content of a job.

use crate::interrupt;
use crate::job::Job;
use crate::progress::Display;
use crate::settings::{self, STANDARD};
use crate::shard;
use crate::words::{self, Told};
use crate::{Exit, note, print_bytes, say};
use anyhow::{Context, anyhow};
use impasto::checkpoint::{Checkpoint, CheckpointError};
use impasto::job::{Content, Saved, save_elsewhere, save_result};
use impasto::picture::{Format, SaveOptions};
use impasto::{
    Advice, Concern, Error, Event, Observer, Outcome, Page, Picture, Report, Stylized, Stylizer,
};
use std::ops::ControlFlow;
use std::path::Path;

/// Runs a job. A content that fails does not keep the others from being painted.
///
/// # Errors
/// Whatever keeps all of them from being painted.
pub fn run(mut job: Job) -> anyhow::Result<Exit> {
    interrupt::listen();
    let mut display = Display::new(job.progress, job.job.contents.len());
    let mut exit = Exit::Done;
    for problem in std::mem::take(&mut job.job.left_out) {
        say(&format!(
            "{}; the others are painted",
            words::of_problem(&problem, &[])
        ));
        exit = Exit::Failed;
    }
    let contents = std::mem::take(&mut job.job.contents);
    let count = contents.len();
    for (place, content) in contents.into_iter().enumerate() {
        match paint(&mut job, (place, content), &mut display) {
            Ok(()) => {}
            Err(error) => {
                display.clear();
                say(&words::of_error(&error));
                exit = match error.downcast_ref() {
                    Some(Error::Checkpoint(CheckpointError::OtherJob { .. })) => Exit::Usage,
                    _ => Exit::Failed,
                };
            }
        }
        if interrupt::requested() {
            match count - place - 1 {
                0 => {}
                1 => note("1 further content is left out"),
                rest => note(&format!("{rest} further contents are left out")),
            }
            return Ok(Exit::Interrupted);
        }
    }
    Ok(exit)
}

/// Writes a result to its file or to the standard output, or else wherever it can be written; why it is not where it was to
/// go.
fn keep(
    result: &Picture,
    output: Option<&Path>,
    options: &SaveOptions,
) -> anyhow::Result<Option<String>> {
    let spare = settings::cache_folder();
    let (path, error) = match output {
        Some(path) => match save_result(result, path, options, spare.as_deref())? {
            Saved::AsAsked => return Ok(None),
            Saved::Elsewhere { path, error } => (path, error.to_string()),
        },
        None => {
            let bytes = result.encode(Format::Png, options)?;
            let Err(error) = print_bytes(&bytes) else {
                return Ok(None);
            };
            let error = format!("cannot write to the standard output: {error}");
            let other = save_elsewhere(result, Path::new("stdout.png"), options, spare.as_deref());
            (other.ok_or_else(|| anyhow!(error.clone()))?, error)
        }
    };
    Ok(Some(format!(
        "{error}; it is in {} instead",
        path.display()
    )))
}

/// Paints a content, the one at this place.
fn paint(
    job: &mut Job,
    (place, content): (usize, Content),
    display: &mut Display,
) -> anyhow::Result<()> {
    let Content {
        source,
        picture,
        output,
        finished,
    } = content;
    if let (true, Some(output)) = (finished, &output) {
        note(&format!(
            "{} is finished already: {}",
            source.name(),
            output.display()
        ));
        return Ok(());
    }
    let picture = picture.map_or_else(|| source.open(), Ok)?;
    let options = SaveOptions {
        settings: Some(job.job.settings.clone()),
        ..SaveOptions::default()
    };
    crate::plan::log(&mut job.job.stylizer, &picture)?;
    display.begin(&source.name());
    let previews = job.save_every.zip(output.as_deref());
    let previews = previews.map(|(every, output)| Previews {
        every,
        output,
        options: &options,
        failed: false,
    });
    let shown = output.as_deref().unwrap_or(Path::new(STANDARD));
    let Stylized {
        picture: result,
        report,
        outcome,
        checkpoint,
    } = watched(&mut job.job.stylizer, &picture, display, previews)?;
    if let Some(problem) = divergence(outcome) {
        // Without a step there is no picture but the one that it started from.
        let last_good = (!report.steps.is_empty()).then_some(&result);
        return Err(astray(problem, last_good, output.as_deref(), &options));
    }
    let elsewhere = match (&mut job.shared, &output) {
        // What is not finished is nobody's.
        (Some(_), _) if report.stopped => {
            display.clear();
            return Ok(());
        }
        (Some((ledger, identities)), Some(path)) => {
            let identity = identities.get(place).map_or("", String::as_str);
            let bytes = result.encode(Format::Png, &options)?;
            let kept = shard::keep(ledger, path, identity, &bytes, &report);
            let kept = kept.with_context(|| format!("cannot write {}", path.display()));
            kept.map(|()| None)
        }
        _ => keep(&result, output.as_deref(), &options),
    };
    let elsewhere = elsewhere.map_err(|error| match checkpoint {
        Some(_) => anyhow!("{error}; {RESUME} its last checkpoint"),
        None => error,
    })?;
    match &elsewhere {
        None => {
            let summary = summary(&result, &report, shown, checkpoint.as_ref());
            display.end(&summary, shown, &report);
        }
        Some(_) => display.clear(),
    }
    if let (Some(checkpoint), false) = (checkpoint, report.stopped)
        && let Err(error) = checkpoint.remove()
    {
        note(&error.told());
    }
    if let (Some(output), None, false) = (&output, &elsewhere, report.stopped) {
        job.job.finish(output);
    }
    if let Some(path) = &job.job.page {
        let page = Page {
            report: &report,
            content: (&source.name(), &picture),
            styles: job.job.stylizer.styles(),
            result: &result,
            command: Some(&command_line()),
        };
        page.save(path)?;
    }
    for concern in &report.concerns {
        match concern {
            // Told at the end, and by the exit code.
            Concern::Saturated { .. } => {}
            other => note(&other.to_string()),
        }
    }
    match elsewhere.or_else(|| saturation(&report)) {
        Some(line) => Err(anyhow!(line)),
        None => Ok(()),
    }
}

/// What is said of a run that went astray, whose last good picture is kept.
fn astray(
    problem: String,
    last_good: Option<&Picture>,
    output: Option<&Path>,
    options: &SaveOptions,
) -> anyhow::Error {
    let shown = output.unwrap_or(Path::new(STANDARD));
    match last_good.map(|picture| keep(picture, output, options)) {
        None => anyhow!(problem),
        Some(Ok(None)) => anyhow!("{problem}; the last good picture is in {}", shown.display()),
        Some(Ok(Some(line))) => anyhow!("{problem}; the last good picture: {line}"),
        Some(Err(unsaved)) => anyhow!("{problem}; {unsaved}"),
    }
}

/// How a run goes on.
const RESUME: &str = "the same command with --resume goes on from";

/// What is wrong with a run that diverged, and what to do about it; nothing for one that did not.
fn divergence(outcome: Outcome) -> Option<String> {
    match outcome {
        Outcome::Finished | Outcome::Stopped => None,
        Outcome::Diverged {
            width,
            height,
            step,
        } => Some(format!(
            "the run went astray at {width}×{height} px, step {step}: loss or gradient is not a number; {}",
            words::advice(&Advice::Gentler)
        )),
    }
}

/// What is wrong with a picture that came out as noise.
fn saturation(report: &Report) -> Option<String> {
    let saturated = |concern: &&Concern| matches!(concern, Concern::Saturated { .. });
    let concern = report.concerns.iter().find(saturated)?;
    let advice = words::advice(&Advice::Gentler);
    Some(format!("{concern}: this is no painting; {advice}"))
}

/// Why a picture is none, if it is not.
pub fn noise(stylized: &Stylized) -> Option<String> {
    divergence(stylized.outcome).or_else(|| saturation(&stylized.report))
}

/// The call of the program as a shell would read it.
pub fn command_line() -> String {
    let words = crate::CALL.get().into_iter().flatten();
    let words = words.skip(1).map(|word| quoted(&word.to_string_lossy()));
    std::iter::once("impasto".into())
        .chain(words)
        .collect::<Vec<_>>()
        .join(" ")
}

/// A word in the single quotes of a POSIX shell, if it needs any.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// One line that says what became of a content.
pub fn summary(
    picture: &Picture,
    report: &Report,
    output: &Path,
    checkpoint: Option<&Checkpoint>,
) -> String {
    let (width, height) = (picture.width(), picture.height());
    let (steps, output) = (report.steps.len(), output.display());
    if report.stopped {
        let further = checkpoint.map(|_| format!("; {RESUME} there"));
        format!(
            "stopped by {} after {steps} steps; the picture so far, {width}×{height} px, is in {output}{}",
            interrupt::name(),
            further.unwrap_or_default()
        )
    } else {
        let time = crate::progress::duration(report.seconds);
        let steps = match steps {
            0 => String::new(),
            steps => format!(" {steps} steps"),
        };
        format!("wrote {output}: {width}×{height} px,{steps} in {time}")
    }
}

/// Paints a content, showing progress and writing previews, until it is done or Ctrl-C is pressed.
///
/// # Errors
/// What keeps it from being painted, shown or written.
pub fn watched(
    stylizer: &mut Stylizer,
    content: &Picture,
    display: &mut Display,
    previews: Option<Previews<'_>>,
) -> anyhow::Result<Stylized> {
    let mut watch = Watch {
        display,
        previews,
        taken: 0,
        failure: None,
    };
    let stylized = stylizer.stylize(content, &mut watch)?;
    match watch.failure {
        Some(failure) => Err(failure.into()),
        None => Ok(stylized),
    }
}

/// The picture so far, written now and then.
pub struct Previews<'a> {
    /// Steps from one to the next.
    every: usize,
    output: &'a Path,
    options: &'a SaveOptions,
    /// Whether one could not be written, which is told once.
    failed: bool,
}

struct Watch<'a> {
    display: &'a mut Display,
    previews: Option<Previews<'a>>,
    /// Steps so far, over all scales.
    taken: usize,
    failure: Option<Error>,
}

impl Watch<'_> {
    fn look(&mut self, event: &Event<'_>) -> impasto::Result<()> {
        self.display.show(event)?;
        if let Event::Step(step) = event {
            self.taken += 1;
            if let Some(previews) = &mut self.previews
                && self.taken.is_multiple_of(previews.every)
            {
                let saved = step.preview()?.save(previews.output, previews.options);
                if let Err(error) = saved
                    && !std::mem::replace(&mut previews.failed, true)
                {
                    note(&format!("no preview: {error}; the run goes on"));
                }
            }
        }
        Ok(())
    }
}

impl Observer for Watch<'_> {
    fn on_event(&mut self, event: &Event<'_>) -> ControlFlow<()> {
        if let Err(error) = self.look(event) {
            self.failure = Some(error);
            return ControlFlow::Break(());
        }
        match interrupt::requested() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn words_are_quoted_where_a_shell_would_split_or_change_them() {
        for (word, text) in [
            ("@lake", "@lake"),
            ("a/b-c.jpg:0.5", "a/b-c.jpg:0.5"),
            ("my photo.jpg", "'my photo.jpg'"),
            ("it's", r"'it'\''s'"),
            ("$HOME", "'$HOME'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(word), text);
        }
    }
}
