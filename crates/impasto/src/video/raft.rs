//! RAFT-small at work: what is looked up between its updates.

use crate::nets::RaftSpec;
use crate::{Error, Result};
use impasto_compute::Device;
use impasto_compute::graph::Graph;
use impasto_flow::{Flow, Frame};
use rayon::prelude::*;
use std::sync::Arc;

/// Places of a frame for one of the maps inside, each way.
const EIGHT: usize = 8;
/// The least sides of what the network sees: at an eighth, three times halved, one place is left.
const LEAST: usize = 64;
/// Places on a side of what is looked up around one.
const WINDOW: usize = 2 * RaftSpec::RADIUS + 1;

/// RAFT-small on a device.
#[derive(Debug)]
pub struct Raft {
    device: Arc<dyn Device>,
    features: Box<dyn Graph>,
    context: Box<dyn Graph>,
    update: Box<dyn Graph>,
    updates: usize,
}

/// A frame as RAFT sees it.
#[derive(Clone, Debug)]
pub struct Features {
    /// Width and height of the frame.
    size: (usize, usize),
    /// Rows and columns of the maps inside.
    places: (usize, usize),
    /// Places before the frame's first, by which it is continued: to the left, above.
    before: [usize; 2],
    /// Features place by place, `[h, w, c]`, and the same halved again and again.
    levels: Vec<Level>,
    hidden: Vec<f32>,
    context: Vec<f32>,
}

#[derive(Clone, Debug)]
struct Level {
    height: usize,
    width: usize,
    /// `[h, w, c]`.
    values: Vec<f32>,
}

impl Raft {
    /// Updates by which the published figures were made.
    pub const UPDATES: usize = 12;

    /// Prepares it on a device, with so many updates for each pair of frames.
    ///
    /// # Errors
    /// If the device cannot.
    pub fn new(spec: &RaftSpec, device: Arc<dyn Device>, updates: usize) -> Result<Self> {
        Ok(Self {
            features: device.graph(&spec.features)?,
            context: device.graph(&spec.context)?,
            update: device.graph(&spec.update)?,
            device,
            updates,
        })
    }

    /// Looks at a frame of three channels, RGB in 0..1, or of one.
    ///
    /// # Errors
    /// If the device cannot.
    pub fn look(&self, frame: &Frame) -> Result<Features> {
        let (width, height) = (frame.width(), frame.height());
        let round = |side: usize| side.max(LEAST).next_multiple_of(EIGHT);
        let (wide, high) = (round(width), round(height));
        let before = [(wide - width) / 2, (high - height) / 2];
        let planes = frame.data().chunks_exact((width * height).max(1));
        let mut picture = Vec::with_capacity(3 * wide * high);
        for plane in planes.cycle().take(3) {
            for y in 0..high {
                let row = y.saturating_sub(before[1]).min(height - 1) * width;
                picture.extend((0..wide).map(|x| {
                    let x = x.saturating_sub(before[0]).min(width - 1);
                    2.0 * plane[row + x] - 1.0
                }));
            }
        }
        let picture = self.device.upload(&picture, &[3, high, wide])?;
        let features = self.run(self.features.as_ref(), &[&picture])?;
        let mut context = self.run(self.context.as_ref(), &[&picture])?.into_iter();
        let places = (high / EIGHT, wide / EIGHT);
        let first = features.first().map(Vec::as_slice).unwrap_or_default();
        Ok(Features {
            size: (width, height),
            places,
            before,
            levels: Level::pyramid(first, places),
            hidden: context.next().unwrap_or_default(),
            context: context.next().unwrap_or_default(),
        })
    }

    /// The flow from one frame to another of the same size.
    ///
    /// # Errors
    /// If they differ in size, or the device cannot.
    pub fn flow(&self, a: &Features, b: &Features) -> Result<Flow> {
        if a.size != b.size {
            return Err(Error::Flow(impasto_flow::Error::Size {
                what: "the second frame",
                got: b.size,
                needed: a.size,
            }));
        }
        let (height, width) = a.places;
        let count = height * width;
        let shaped = |channels: usize| [channels, height, width];
        let channels = a.hidden.len() / count.max(1);
        let mut hidden = self.device.upload(&a.hidden, &shaped(channels))?;
        let channels = a.context.len() / count.max(1);
        let context = self.device.upload(&a.context, &shaped(channels))?;
        let mut flow = vec![0.0f32; 2 * count];
        let mut seen = vec![0.0f32; RaftSpec::SEEN * count];
        for _ in 0..self.updates {
            correlations(a, b, &flow, &mut seen);
            let correlations = self.device.upload(&seen, &shaped(RaftSpec::SEEN))?;
            let known = self.device.upload(&flow, &shaped(2))?;
            let read = [&hidden, &context, &correlations, &known];
            let mut made = self.update.run(&read, None)?.into_iter();
            let (Some(next), Some(change)) = (made.next(), made.next()) else {
                break;
            };
            hidden = next;
            let change = self.device.download(&change)?;
            flow.iter_mut()
                .zip(change)
                .for_each(|(flow, change)| *flow += change);
        }
        Ok(a.enlarged(&flow)?)
    }

    /// What a graph makes, on the host.
    fn run(&self, graph: &dyn Graph, read: &[&impasto_compute::Tensor]) -> Result<Vec<Vec<f32>>> {
        let made = graph.run(read, None)?;
        let made = made.iter().map(|tensor| self.device.download(tensor));
        Ok(made.collect::<impasto_compute::Result<_>>()?)
    }
}

impl Level {
    /// Planes `[c, h, w]` place by place, and the means of two by two places, again and again. Correlations with means are
    /// means of correlations, so that nobody needs those of all places with all.
    fn pyramid(planes: &[f32], (height, width): (usize, usize)) -> Vec<Self> {
        let count = (height * width).max(1);
        let channels = planes.len() / count;
        let mut values = vec![0.0; planes.len()];
        for (channel, plane) in planes.chunks_exact(count).enumerate() {
            for (place, value) in plane.iter().enumerate() {
                values[place * channels + channel] = *value;
            }
        }
        let mut levels = vec![Self {
            height,
            width,
            values,
        }];
        for _ in 1..RaftSpec::LEVELS {
            let half = levels.last().map(Self::half);
            levels.extend(half);
        }
        levels
    }

    fn half(&self) -> Self {
        let (height, width) = (self.height / 2, self.width / 2);
        let channels = self.values.len() / (self.height * self.width).max(1);
        let mut values = Vec::with_capacity(height * width * channels);
        for y in 0..height {
            for x in 0..width {
                let corner = 2 * y * self.width + 2 * x;
                let of = [
                    corner,
                    corner + 1,
                    corner + self.width,
                    corner + self.width + 1,
                ];
                let of = of.map(|place| &self.values[place * channels..][..channels]);
                values.extend(
                    (0..channels).map(|c| 0.25 * ((of[0][c] + of[1][c]) + (of[2][c] + of[3][c]))),
                );
            }
        }
        Self {
            height,
            width,
            values,
        }
    }

    /// The features of a place; none beyond the border.
    fn at(&self, x: isize, y: isize, channels: usize) -> Option<&[f32]> {
        let inside = |at: isize, most: usize| usize::try_from(at).ok().filter(|&at| at < most);
        let (x, y) = (inside(x, self.width)?, inside(y, self.height)?);
        self.values
            .get((y * self.width + x) * channels..)?
            .get(..channels)
    }
}

/// How each place of the first frame looks like what lies around where the flow leads it, at all sizes, `[SEEN, h, w]`:
/// `⟨f, g⟩ / √c`, between places bilinear, zero beyond the border. The window lies as the authors' has it: its first index
/// runs along x.
fn correlations(a: &Features, b: &Features, flow: &[f32], seen: &mut [f32]) {
    let (height, width) = a.places;
    let count = height * width;
    let Some(own) = a.levels.first() else {
        return;
    };
    let channels = own.values.len() / count.max(1);
    let scale = 1.0 / (channels as f32).sqrt();
    let mut by_place = vec![0.0f32; seen.len()];
    by_place
        .par_chunks_mut(RaftSpec::SEEN)
        .enumerate()
        .for_each(|(place, seen)| {
            let feature = &own.values[place * channels..][..channels];
            let x = (place % width) as f32 + flow[place];
            let y = (place / width) as f32 + flow[count + place];
            let windows = seen.chunks_exact_mut(WINDOW * WINDOW);
            for (level, (other, window)) in b.levels.iter().zip(windows).enumerate() {
                let shrink = 1.0 / (1 << level) as f32;
                look_up(other, feature, [x * shrink, y * shrink], scale, window);
            }
        });
    for (place, values) in by_place.chunks_exact(RaftSpec::SEEN).enumerate() {
        for (channel, value) in values.iter().enumerate() {
            seen[channel * count + place] = *value;
        }
    }
}

fn look_up(level: &Level, feature: &[f32], at: [f32; 2], scale: f32, window: &mut [f32]) {
    const SIDE: usize = WINDOW + 1;
    // Where a flow that is no number leads, nothing is.
    if !at.iter().all(|at| at.is_finite()) {
        return window.fill(0.0);
    }
    let [left, top] = at.map(|at| at.floor() as isize - RaftSpec::RADIUS as isize);
    let [right, below] = at.map(|at| at - at.floor());
    let mut whole = [0.0f32; SIDE * SIDE];
    for row in 0..SIDE {
        for column in 0..SIDE {
            let there = level.at(left + column as isize, top + row as isize, feature.len());
            whole[row * SIDE + column] = there.map_or(0.0, |there| scale * product(feature, there));
        }
    }
    for column in 0..WINDOW {
        for row in 0..WINDOW {
            let corner = row * SIDE + column;
            let upper = whole[corner] + right * (whole[corner + 1] - whole[corner]);
            let corner = corner + SIDE;
            let lower = whole[corner] + right * (whole[corner + 1] - whole[corner]);
            window[column * WINDOW + row] = upper + below * (lower - upper);
        }
    }
}

/// `⟨a, b⟩`, in sixteen lanes.
fn product(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 16;
    let mut sums = [0.0f32; LANES];
    let (mut of_a, mut of_b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    for (a, b) in of_a.by_ref().zip(of_b.by_ref()) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest = of_a.remainder().iter().zip(of_b.remainder());
    sums.iter().sum::<f32>() + rest.map(|(a, b)| a * b).sum::<f32>()
}

impl Features {
    /// A flow at an eighth in the size of the frame: bilinear with corners that meet, eight times as long.
    fn enlarged(&self, flow: &[f32]) -> std::result::Result<Flow, impasto_flow::Error> {
        let (height, width) = self.places;
        let count = height * width;
        let along = |place: usize, most: usize| {
            let at = place as f32 * (most - 1) as f32 / (EIGHT * most - 1) as f32;
            let low = (at as usize).min(most - 1);
            (low, (low + 1).min(most - 1), at - low as f32)
        };
        Flow::from_fn(self.size.1, self.size.0, |x, y| {
            let (left, right, u) = along(x + self.before[0], width);
            let (top, bottom, v) = along(y + self.before[1], height);
            [0, count].map(|channel| {
                let at = |row: usize, column: usize| flow[channel + row * width + column];
                let upper = at(top, left) + u * (at(top, right) - at(top, left));
                let lower = at(bottom, left) + u * (at(bottom, right) - at(bottom, left));
                EIGHT as f32 * (upper + v * (lower - upper))
            })
        })
    }
}
