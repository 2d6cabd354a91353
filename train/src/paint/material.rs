//! What a step looks at: a function of the configuration's seed and of the step alone.

use super::config::{Config, Phase};
use super::palette::recolour;
use super::patterns::pattern;
use super::worker::Item;
use crate::config::Crops;
use crate::data::{Folder, Sampler};
use crate::random::{Purpose, Random};
use anyhow::Result;

/// Where crops come from.
#[derive(Clone, Copy, Debug)]
pub struct Material<'a> {
    /// What is known of the training.
    pub config: &'a Config,
    /// Photos.
    pub photos: &'a Folder,
    /// Paintings.
    pub paintings: &'a Folder,
}

impl Material<'_> {
    /// The crops of a step of a phase.
    pub fn of(&self, phase: usize, step: usize) -> Result<Vec<Item>> {
        let config = self.config;
        let phase_of = &config.phases[phase];
        let items = (0..phase_of.batch).map(|place| {
            let index = [(phase as u64) << 32 | step as u64, place as u64];
            let mut random = Random::of(config.seed, Purpose::Step, index);
            self.item(phase_of, place, &mut random)
        });
        items.collect()
    }

    fn item(&self, phase: &Phase, place: usize, random: &mut Random) -> Result<Item> {
        let [side, style_side] = phase.sides;
        let crops = Crops {
            side,
            ..self.config.crops.clone()
        };
        let content = self.sampler(&crops).crop(random)?;
        let same = random.chance(phase.same);
        let style = match place < phase.painted {
            true => {
                let style = match same {
                    true => content.clone(),
                    false => self.style(style_side, random)?,
                };
                let [least, greatest] = phase.strength;
                Some((style, random.between(least, greatest)))
            }
            false => None,
        };
        Ok(Item {
            content,
            same: same && style.is_some(),
            style,
            reproduced: place < phase.reproduced,
        })
    }

    fn style(&self, side: usize, random: &mut Random) -> Result<Vec<f32>> {
        let styles = &self.config.styles;
        let crops = Crops {
            side,
            scales: styles.scales,
            ..self.config.crops.clone()
        };
        let sampler = self.sampler(&crops);
        let kind = random.uniform();
        let mut style = match kind {
            kind if kind < styles.patterns => pattern(side, random),
            kind if kind < styles.patterns + styles.photos => sampler.plain(false, random)?,
            _ => sampler.plain(true, random)?,
        };
        if random.chance(styles.recoloured) {
            let painting = random.chance(0.5);
            let other = sampler.plain(painting, random)?;
            recolour(&mut style, Some(&other), random);
        }
        Ok(style)
    }

    fn sampler<'c>(&'c self, crops: &'c Crops) -> Sampler<'c> {
        Sampler {
            photos: &self.photos.trained,
            paintings: &self.paintings.trained,
            crops,
        }
    }
}
