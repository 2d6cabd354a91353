//! From a run that was looked at to what paints.

use super::{CheckedRun, Problem};
use crate::recipe::Recipe;
use crate::stylizer::Networks;
use crate::video::{Painters, following};
use crate::{Error, Style, Stylizer};
use impasto_compute::Device;
use std::sync::Arc;

impl CheckedRun {
    /// Prepares the run with these styles.
    ///
    /// # Errors
    /// What only shows when everything comes together, and once more what a part that is missing was not opened for.
    pub fn stylizer(self, styles: Vec<Style>) -> Result<Stylizer, Vec<Problem>> {
        Ok(self.stylizers(styles, |_| None)?.0)
    }

    /// Prepares the run for a film: who paints the first frame of a shot, and who the others.
    ///
    /// # Errors
    /// As [`CheckedRun::stylizer`].
    pub fn painters(self, styles: Vec<Style>) -> Result<Painters, Vec<Problem>> {
        let (first, next) = self.stylizers(styles, following)?;
        Ok(Painters { first, next })
    }

    /// The run, and perhaps another one on the same device by a recipe that follows from its own.
    fn stylizers(
        self,
        styles: Vec<Style>,
        other: impl FnOnce(&Recipe) -> Option<Recipe>,
    ) -> Result<(Stylizer, Option<Stylizer>), Vec<Problem>> {
        let needs_painter = self.ordered.recipe.painter().is_some();
        let is_open = self.encoder.is_some() || !self.ordered.recipe.looks();
        let (Some(device), true) = (
            self.device,
            is_open && self.painter.is_some() == needs_painter,
        ) else {
            let mut problems = Vec::new();
            self.ordered.check(&mut problems);
            return Err(problems);
        };
        log::info!("device: {}", device.describe());
        if let Some(encoder) = &self.encoder {
            let (name, parameters) = (encoder.name(), encoder.parameters());
            log::info!("encoder: {name}, {parameters} parameters");
        }
        if let Some(painter) = &self.painter {
            log::info!("network that paints: {}", painter.name);
        }
        let (regions, styles) = self.regions.with(styles)?;
        let device: Arc<dyn Device> = device.into();
        let made = |recipe: Recipe| -> Result<Stylizer, Vec<Problem>> {
            let networks = Networks {
                encoder: self.encoder.as_ref(),
                painter: self.painter.as_ref().filter(|_| recipe.painter().is_some()),
            };
            let stylizer =
                Stylizer::with_networks(device.clone(), networks, styles.clone(), recipe);
            let stylizer = stylizer.and_then(|stylizer| stylizer.in_regions(regions.clone()));
            let mut stylizer = stylizer.map_err(Problem::all_of)?;
            stylizer.set_start(self.start.clone());
            let stylizer = match &self.palette {
                Some(picture) => stylizer.colors_of(picture.clone()),
                None => stylizer,
            };
            let limited = stylizer.with_limits(self.ordered.limits);
            limited.map_err(|error| match error {
                Error::Invalid(problems) => problems.into_iter().map(Problem::Setting).collect(),
                error => vec![Problem::Limits(error)],
            })
        };
        let other = other(&self.ordered.recipe).map(made).transpose()?;
        Ok((made(self.ordered.recipe.clone())?, other))
    }
}
