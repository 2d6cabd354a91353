//! `impasto stylize`: paints each content of a job.

use crate::interrupt;
use crate::job::{Content, Job};
use crate::progress::Display;
use crate::{Exit, say};
use impasto::picture::SaveOptions;
use impasto::{Event, Observer, Report, Stylized};
use std::ops::ControlFlow;
use std::path::Path;

/// Runs a job. A content that fails does not keep the others from being painted.
///
/// # Errors
/// Whatever keeps all of them from being painted.
pub fn run(mut job: Job) -> anyhow::Result<Exit> {
    interrupt::listen()?;
    let mut display = Display::new(job.progress, job.contents.len());
    let mut exit = Exit::Done;
    let contents = std::mem::take(&mut job.contents);
    let count = contents.len();
    for (place, content) in contents.into_iter().enumerate() {
        match paint(&mut job, content, &mut display) {
            Ok(()) => {}
            Err(error) => {
                display.clear();
                say(&format!("{error:#}"));
                exit = Exit::Failed;
            }
        }
        if interrupt::requested() {
            match count - place - 1 {
                0 => {}
                1 => display.note("1 further content is left out"),
                rest => display.note(&format!("{rest} further contents are left out")),
            }
            return Ok(Exit::Interrupted);
        }
    }
    Ok(exit)
}

fn paint(job: &mut Job, content: Content, display: &mut Display) -> anyhow::Result<()> {
    let Content {
        source,
        picture,
        output,
    } = content;
    let picture = match picture {
        Some(picture) => picture,
        None => source.open()?,
    };
    let options = SaveOptions {
        settings: Some(job.settings.clone()),
        ..SaveOptions::default()
    };
    display.begin(&source.name());
    let mut watch = Watch {
        display,
        output: &output,
        options: &options,
        save_every: job.save_every,
        taken: 0,
        failure: None,
    };
    let stylized = job.stylizer.stylize(&picture, &mut watch)?;
    let failure = watch.failure.take();
    if let Some(failure) = failure {
        return Err(failure.into());
    }
    let Stylized { picture, report } = stylized;
    picture.save(&output, &options)?;
    display.end(&summary(&picture, &report, &output), &output, &report);
    Ok(())
}

/// One line that says what became of a content.
fn summary(picture: &impasto::Picture, report: &Report, output: &Path) -> String {
    let (width, height) = (picture.width(), picture.height());
    let (steps, output) = (report.steps.len(), output.display());
    if report.stopped {
        format!(
            "stopped by Ctrl-C after {steps} steps; the picture so far, {width}×{height} px, is in {output}"
        )
    } else {
        let time = crate::progress::duration(report.seconds);
        format!("wrote {output}: {width}×{height} px, {steps} steps in {time}")
    }
}

/// Shows progress, writes previews, and stops on Ctrl-C.
struct Watch<'a> {
    display: &'a mut Display,
    output: &'a Path,
    options: &'a SaveOptions,
    save_every: Option<usize>,
    /// Steps so far, over all scales.
    taken: usize,
    failure: Option<impasto::Error>,
}

impl Watch<'_> {
    fn look(&mut self, event: &Event<'_>) -> impasto::Result<()> {
        self.display.show(event)?;
        if let Event::Step(step) = event {
            self.taken += 1;
            let due = self
                .save_every
                .is_some_and(|every| self.taken.is_multiple_of(every));
            if due {
                step.preview()?.save(self.output, self.options)?;
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
