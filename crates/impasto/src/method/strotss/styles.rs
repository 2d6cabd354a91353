//! What the styles show: hypercolumns at places that are spread evenly, and their mean colour.

use super::{Session, Stage};
use crate::Result;
use crate::method::passes::parts::chosen;
use crate::method::passes::sizes::{style_at, style_size};
use crate::random::Random;
use crate::tiling::NetworkView;
use impasto_compute::{Device, Point, Tensor};

/// Draws of the published program, and how many places each has.
const DRAWS: usize = 5;

impl Session<'_> {
    /// Hypercolumns of the styles of a region, `[m, c]`, at places spread evenly, of each as many as its weight says.
    pub(super) fn style_rows(
        &self,
        stage: Stage,
        region: Option<Option<usize>>,
        network: NetworkView<'_>,
    ) -> Result<Tensor> {
        let (device, setup) = (self.device(), self.setup);
        let belongs = |style: &&crate::style::Style| region.is_none_or(|it| style.region == it);
        let total: f32 = setup
            .styles
            .iter()
            .filter(belongs)
            .map(|style| style.weight)
            .sum();
        let mut random = Random::new(setup.recipe.seed ^ stage.at.halvings as u64);
        let (columns, mut parts) = (self.columns(), Vec::new());
        for style in setup.styles.iter().filter(belongs) {
            let (width, least) = (
                stage.at.of_style(setup, style, self.method.eye.least).width,
                self.method.eye.least,
            );
            let finest = style_size(setup, style, stage.at.finest, least);
            let (image, seen) = style_at(device, style, finest, stage.at.halvings)?;
            let pixels = image.len() / 3;
            let mut places: Vec<usize> = (0..pixels).collect();
            if let Some(seen) = seen.filter(|seen| seen.contains(&true)) {
                places.retain(|&place| seen[place]);
            }
            let settings = &self.method.settings;
            let count = settings.samples as f32 * style.weight / total;
            let chosen = match settings.faithful {
                true => drawn(&places, count.round() as usize, &mut random),
                false => {
                    let count = (count.round() as usize).clamp(1, places.len());
                    chosen(&places, count, &mut random)
                }
            };
            let point = |place: usize| Point {
                y: (place / width) as f32,
                x: (place % width) as f32,
            };
            let (count, chosen) = (chosen.len(), chosen.into_iter().map(point));
            let chosen: Vec<_> = chosen.collect();
            let features = self.look(image, network)?;
            let features: Vec<_> = features.iter().collect();
            let mut rows = device.zeros(&[count, columns.width()])?;
            columns.gather(device, &features, &chosen, &mut rows, 0)?;
            parts.push(device.download(&rows)?);
        }
        let rows = parts.concat();
        let count = rows.len() / columns.width();
        Ok(device.upload(&rows, &[count, columns.width()])?)
    }

    /// The mean colour of the styles by their weights.
    pub(super) fn mean_colour(&self) -> [f32; 3] {
        let total: f32 = self.setup.styles.iter().map(|style| style.weight).sum();
        let mut mean = [0.0; 3];
        for style in &self.setup.styles {
            let picture = &style.picture;
            let pixels = picture.width() * picture.height();
            for (mean, plane) in mean.iter_mut().zip(picture.rgb().chunks_exact(pixels)) {
                let sum: f64 = plane.iter().map(|&value| f64::from(value)).sum();
                *mean += style.weight / total * (sum / pixels as f64) as f32;
            }
        }
        mean
    }
}

/// So many places in five draws, each without any of them twice: some are in several.
fn drawn(places: &[usize], count: usize, random: &mut Random) -> Vec<usize> {
    let each = (count / DRAWS).clamp(1, places.len());
    let mut drawn = Vec::with_capacity(DRAWS * each);
    let (mut places, all) = (places.to_vec(), places.len());
    for _ in 0..DRAWS {
        for at in 0..each {
            places.swap(at, at + random.below(all - at));
        }
        drawn.extend(&places[..each]);
    }
    drawn
}

/// The first columns of a matrix.
pub(super) fn first_columns(device: &dyn Device, rows: &Tensor, count: usize) -> Result<Tensor> {
    let values = device.download(rows)?;
    let width = rows.shape().last().copied().unwrap_or(1).max(1);
    let first: Vec<f32> = values
        .chunks_exact(width)
        .flat_map(|row| row[..count].iter().copied())
        .collect();
    Ok(device.upload(&first, &[values.len() / width, count])?)
}
