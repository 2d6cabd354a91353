//! What is seen at once: a network paints it small, while everything else is still to be prepared.

use super::Easel;
use crate::order::{Told, ToldStyle};
use crate::pictures::{Reference, jpeg};
use impasto::job::Run;
use impasto::{Picture, Recipe, Style, Stylizer};
use std::sync::Arc;

/// A network that paints at once, kept from picture to picture.
pub(super) struct Quick {
    recipe: Recipe,
    stylizer: Stylizer,
}

impl Easel {
    /// Prepares the network that paints at once, so that the first picture does not wait for it.
    pub(super) fn warm_up(&mut self) {
        let told = Told {
            content: "@lake".into(),
            styles: vec![ToldStyle {
                picture: "@swirls".into(),
                weight: 1.0,
            }],
            ..Told::default()
        };
        // Without it, the first picture waits.
        let _ = self.quickly(&told);
    }

    /// Shows what a network paints of it, small, while everything else is still to be prepared.
    pub(super) fn paint_at_once(&mut self, told: &Told) -> Option<()> {
        let painted = self.quickly(told)?;
        self.world.events.show(jpeg(&painted).ok()?);
        self.control.wishes().present = Some(Arc::new(painted));
        Some(())
    }

    /// What a network paints of an order, small.
    fn quickly(&mut self, told: &Told) -> Option<Picture> {
        let recipe = told.at_once(&told.recipe().ok()?.0)?;
        let small = |picture: &str| self.world.pictures.small(&Reference::read(picture)?);
        let content = small(&told.content)?;
        let styles = told.styles.iter().map(|style| {
            let picture = small(&style.picture)?;
            Some(Style::new("", (*picture).clone(), style.weight))
        });
        let styles = styles.collect::<Option<Vec<_>>>()?;
        let kept = self.quick.take().filter(|quick| quick.recipe == recipe);
        let quick = match kept {
            Some(mut quick) => {
                quick.stylizer.set_styles(styles).ok()?;
                quick
            }
            None => {
                let run = Run {
                    recipe: recipe.clone(),
                    ..(*self.world.run).clone()
                };
                let mut problems = Vec::new();
                let checked = run.check(&mut problems);
                let stylizer = checked.stylizer(styles).ok()?;
                Quick { recipe, stylizer }
            }
        };
        let quick = self.quick.insert(quick);
        let painted = quick
            .stylizer
            .stylize(&content, &mut impasto::Ignore)
            .ok()?;
        Some(painted.picture)
    }
}
