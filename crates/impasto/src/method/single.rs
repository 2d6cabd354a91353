//! What methods share that paint in a single pass.

use super::{Outcome, Setup, Stylized};
use crate::Result;
use crate::observer::{Event, Observer, Scale};
use crate::picture::{Filter, Picture, fit_long_side};
use crate::report::{Report, ScaleReport};
use std::time::Instant;

impl Setup {
    /// The only size that a content goes through: that of its result.
    pub(crate) fn only_scale(&self, content: &Picture) -> Scale {
        let long_side = self.long_side(content);
        let (width, height) = fit_long_side(content.width(), content.height(), long_side);
        let steps = 0;
        Scale {
            width,
            height,
            steps,
        }
    }

    /// Paints a content, in the size of its result, in one pass: it cannot be stopped on the way, so that one that is over when it is
    /// told to stop is a whole one.
    ///
    /// # Errors
    /// Those of the pass.
    pub(crate) fn in_one_pass(
        &self,
        content: &Picture,
        observer: &mut dyn Observer,
        pass: impl FnOnce(&Picture) -> Result<Picture>,
    ) -> Result<Stylized> {
        let clock = Instant::now();
        let scale = self.only_scale(content);
        let device = self.device.as_ref();
        let mut report = Report::new(&self.recipe, &self.encoder, device, &self.styles);
        let mut tell = |event: &Event<'_>| {
            let _ = observer.on_event(event);
        };
        tell(&Event::Started { scales: &[scale] });
        tell(&Event::ScaleStarted { index: 0, scale });
        let resized = content.resized(scale.width, scale.height, Filter::Bicubic);
        let picture = pass(&resized)?;
        let seconds = clock.elapsed().as_secs_f64();
        tell(&Event::ScaleFinished {
            index: 0,
            scale,
            seconds,
        });
        report.scales.push(ScaleReport {
            width: scale.width,
            height: scale.height,
            steps: 0,
            seconds,
        });
        report.seconds = seconds;
        Ok(Stylized {
            picture: self.shaped(content, picture, false)?,
            report,
            outcome: Outcome::Finished,
            checkpoint: None,
        })
    }
}
