//! What the styles show: rows of features at their places, from all directions.

use super::Session;
use super::stage::{STEP, Stage};
use crate::Result;
use crate::loss::columns::{Columns, grid};
use crate::loss::nearest::stride;
use crate::method::passes::Layer;
use crate::method::passes::parts::chosen;
use crate::method::passes::sizes::{style_at, style_size};
use crate::random::Random;
use crate::style::Style;
use crate::tiling::{NetworkView, TapValues};
use impasto_compute::{Point, Size, TapRequest, Tensor};

/// Principal components that neighbours are sought by. They are worth it from a third more entries on.
const COMPONENTS: usize = 64;
const WORTH: usize = 96;
/// Directions.
pub(super) const TURNS: usize = 4;

/// The styles of a part of the picture, as they are in a pass.
pub(super) struct StylePlaces<'a> {
    pub(super) session: &'a Session<'a>,
    pub(super) stage: Stage,
    pub(super) network: NetworkView<'a>,
    /// The region that they belong to; `None` for all styles.
    pub(super) region: Option<Option<usize>>,
}

/// A style in a direction.
struct View<'s> {
    style: &'s Style,
    turn: usize,
    /// Its size, turned.
    size: Size,
}

impl StylePlaces<'_> {
    fn views(&self) -> Vec<View<'_>> {
        let (setup, method) = (self.session.setup, self.session.method);
        let turns = if method.settings.turns { TURNS } else { 1 };
        let styles = setup.styles.iter();
        let styles = styles.filter(|style| self.region.is_none_or(|region| style.region == region));
        let view = |style| {
            let Size { width, height } = self.stage.at.of_style(setup, style, method.least());
            (0..turns).map(move |turn| {
                let size = match turn % 2 {
                    0 => Size { width, height },
                    _ => Size {
                        width: height,
                        height: width,
                    },
                };
                View { style, turn, size }
            })
        };
        styles.flat_map(view).collect()
    }

    /// What taps show of a view, and where it is seen, `[h, w]`.
    fn look(
        &self,
        view: &View<'_>,
        requests: &[TapRequest],
    ) -> Result<(Vec<TapValues>, Option<Vec<bool>>)> {
        let device = self.session.device();
        let (setup, least) = (self.session.setup, self.session.method.least());
        let finest = style_size(setup, view.style, self.stage.at.finest, least);
        let (image, seen) = style_at(device, view.style, finest, self.stage.at.halvings)?;
        let Size { width, height } = self.stage.at.of_style(setup, view.style, least);
        let planes = turned(&device.download(&image)?, (width, height), view.turn);
        let image = device.upload(&planes, &[3, view.size.height, view.size.width])?;
        let values = self.network.extract(device, &image, requests)?;
        let seen = seen.map(|seen| turned(&seen, (width, height), view.turn));
        Ok((values, seen))
    }

    /// Rows of hypercolumns `[m, c]`, and the principal components that neighbours are sought by, `[n, c]`, if that is worth
    /// it.
    pub(super) fn columns(&self, columns: &Columns) -> Result<(Tensor, Option<Tensor>)> {
        let (device, settings) = (self.session.device(), &self.session.method.settings);
        let views = self.views();
        let grids: Vec<_> = views
            .iter()
            .map(|view| grid([view.size.height, view.size.width].map(|n| (n / STEP).max(1))))
            .collect();
        let heaviest = views
            .iter()
            .map(|view| view.style.weight)
            .fold(0.0, f32::max);
        let share = |view: &View<'_>| f64::from(view.style.weight / heaviest);
        let wanted = views.iter().zip(&grids);
        let wanted: f64 = wanted
            .map(|(view, grid)| share(view) * grid.len() as f64)
            .sum();
        // The published program has all of them.
        let most = if settings.faithful {
            usize::MAX
        } else {
            settings.samples
        };
        let kept = (most as f64 / wanted.max(1.0)).min(1.0);
        let counts = views.iter().zip(&grids).map(|(view, grid)| {
            let count = share(view) * kept * grid.len() as f64;
            (count.round() as usize).clamp(1, grid.len())
        });
        let counts: Vec<usize> = counts.collect();
        let seeks = !settings.faithful && columns.width() >= WORTH;
        let layers = self.session.method.eye.layers.iter();
        let mut requests = self.session.method.eye.requests();
        if seeks {
            requests.extend(layers.map(|layer| TapRequest::moments(layer.tap)));
        }
        let mut rows = device.zeros(&[counts.iter().sum(), columns.width()])?;
        let mut random =
            Random::new(self.session.setup.recipe.seed ^ self.stage.at.halvings as u64);
        let mut spread = Spread::new(columns);
        let mut first = 0;
        for ((view, grid), count) in views.iter().zip(grids).zip(counts) {
            let (values, visible) = self.look(view, &requests)?;
            let places = seen(grid, visible.as_deref(), view.size);
            let places = chosen(&places, count, &mut random);
            let (features, moments) = values.split_at(columns.parts().len());
            let features: Vec<_> = features
                .iter()
                .filter_map(|value| value.features.as_ref())
                .collect();
            columns.gather(device, &features, &places, &mut rows, first)?;
            first += places.len();
            for (layer, value) in moments.iter().enumerate() {
                if let Some(moments) = &value.moments {
                    let mean = device.download(&moments.mean)?;
                    spread.add(layer, &mean, &device.download(&moments.second)?);
                }
            }
        }
        let basis = match seeks {
            true => Some(spread.basis(device, columns)?),
            false => None,
        };
        Ok((rows, basis))
    }

    /// Rows of features of each layer, at most 64 along each side of a view.
    pub(super) fn layers(&self) -> Result<Vec<Tensor>> {
        let device = self.session.device();
        let layers = &self.session.method.eye.layers;
        let requests = self.session.method.eye.requests();
        let mut rows = vec![Vec::new(); layers.len()];
        for view in self.views() {
            let (values, visible) = self.look(&view, &requests)?;
            for ((layer, value), rows) in layers.iter().zip(values).zip(&mut rows) {
                let Some(features) = value.features else {
                    continue;
                };
                let points = on_map(&features, visible.as_deref(), view.size);
                let mut here = device.zeros(&[points.len(), layer.channels])?;
                device.gather(&features, &points, 1.0, &mut here, [0, 0])?;
                rows.extend(device.download(&here)?);
            }
        }
        let upload = |(rows, layer): (Vec<f32>, &Layer)| {
            let count = rows.len() / layer.channels;
            Ok(device.upload(&rows, &[count, layer.channels])?)
        };
        rows.into_iter().zip(layers).map(upload).collect()
    }
}

/// The places of a map that are matched with, those that are seen if any is.
fn on_map(features: &Tensor, visible: Option<&[bool]>, size: Size) -> Vec<Point> {
    let (height, width) = match *features.shape() {
        [_, height, width] => (height, width),
        _ => (0, 0),
    };
    let step = stride([height, width]);
    let all = (0..height).step_by(step);
    let all = all.flat_map(|y| (0..width).step_by(step).map(move |x| (y, x)));
    let is_seen = |&(y, x): &(usize, usize)| {
        let pixel = (y * size.height / height) * size.width + x * size.width / width;
        visible.is_none_or(|visible| visible[pixel])
    };
    let mut places: Vec<_> = all.clone().filter(is_seen).collect();
    if places.is_empty() {
        places = all.collect();
    }
    let point = |(y, x)| Point {
        y: y as f32,
        x: x as f32,
    };
    places.into_iter().map(point).collect()
}

/// Planes turned by quarters, counter-clockwise.
fn turned<T: Copy>(planes: &[T], (mut width, mut height): (usize, usize), turns: usize) -> Vec<T> {
    let mut planes = planes.to_vec();
    for _ in 0..turns {
        let mut turned = Vec::with_capacity(planes.len());
        for plane in planes.chunks_exact((width * height).max(1)) {
            for y in 0..width {
                turned.extend((0..height).map(|x| plane[x * width + width - 1 - y]));
            }
        }
        planes = turned;
        (width, height) = (height, width);
    }
    planes
}

/// Those of some places that are seen; all of them if none is.
fn seen(places: Vec<Point>, visible: Option<&[bool]>, size: Size) -> Vec<Point> {
    let Some(visible) = visible else {
        return places;
    };
    let near = |share: f32, n: usize| (share * n.saturating_sub(1) as f32).round() as usize;
    let is_seen = |place: &&Point| {
        visible[near(place.y, size.height) * size.width + near(place.x, size.width)]
    };
    let seen: Vec<_> = places.iter().filter(is_seen).copied().collect();
    if seen.is_empty() { places } else { seen }
}

/// Covariances of the layers of hypercolumns, summed over views.
struct Spread {
    /// By layer: channels, factor, covariance.
    layers: Vec<(usize, f64, Vec<f64>)>,
}

impl Spread {
    fn new(columns: &Columns) -> Self {
        let layers = columns.parts().iter().map(|part| {
            let c = part.channels;
            (c, f64::from(part.factor), vec![0.0; c * c])
        });
        Self {
            layers: layers.collect(),
        }
    }

    fn add(&mut self, layer: usize, mean: &[f32], second: &[f32]) {
        let (c, factor, sum) = &mut self.layers[layer];
        for (k, sum) in sum.iter_mut().enumerate() {
            let mean = f64::from(mean[k / *c]) * f64::from(mean[k % *c]);
            *sum += *factor * *factor * (f64::from(second[k]) - mean);
        }
    }

    /// The components of greatest variance over all layers, as rows.
    fn basis(&self, device: &dyn impasto_compute::Device, columns: &Columns) -> Result<Tensor> {
        let width = columns.width();
        let mut all: Vec<(f64, usize, Vec<f64>)> = Vec::new();
        let mut first = 0;
        for (c, _, covariance) in &self.layers {
            // Numbers of f32 hold any size.
            let greatest = (0..*c)
                .map(|i| covariance[i * c + i])
                .fold(f64::MIN_POSITIVE, f64::max);
            let single: Vec<f32> = covariance.iter().map(|v| (v / greatest) as f32).collect();
            let eigen = device.eigen(&device.upload(&single, &[*c, *c])?)?;
            let vectors = eigen.vectors.chunks_exact(*c);
            for (value, vector) in eigen.values.iter().zip(vectors) {
                all.push((value * greatest, first, vector.to_vec()));
            }
            first += c;
        }
        all.sort_by(|a, b| b.0.total_cmp(&a.0));
        all.truncate(COMPONENTS);
        let mut rows = vec![0.0; all.len() * width];
        for ((_, first, vector), row) in all.iter().zip(rows.chunks_exact_mut(width)) {
            let pairs = row[*first..].iter_mut().zip(vector);
            pairs.for_each(|(entry, value)| *entry = *value as f32);
        }
        Ok(device.upload(&rows, &[all.len(), width])?)
    }
}
