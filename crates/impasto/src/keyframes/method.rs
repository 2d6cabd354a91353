//! Painting by what was learned: a method like any other, in parts with the bits of the whole.

use super::network::STRIDE;
use super::{KeyframeNetwork, Spots};
use crate::method::{Method, Pace, RunPlan, ScalePlan, Setup, Stylized};
use crate::nets;
use crate::observer::{Observer, Scale};
use crate::picture::{Filter, Picture, fit_long_side};
use crate::{Error, Result};
use impasto_compute::graph::Graph;
use impasto_compute::{ComputeError, Device, Size, Window};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// The side of a part of a picture.
const PART: usize = 768;
/// The least side of a part: what is halved twice has some places left.
const LEAST: usize = 16;
/// The long side at which it is timed.
const TIMED: usize = 256;

/// Which frame comes next; shared with whoever knows.
#[derive(Clone, Debug, Default)]
pub struct Turn(Arc<AtomicU64>);

impl Turn {
    /// The frame of a number is painted next.
    pub fn set(&self, frame: u64) {
        self.0.store(frame, Ordering::Relaxed);
    }
}

/// Paints what a network has learned from keyframes.
pub struct KeyframeMethod {
    network: KeyframeNetwork,
    graph: Box<dyn Graph>,
    spots: Arc<BTreeMap<u64, Spots>>,
    turn: Turn,
}

impl fmt::Debug for KeyframeMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyframeMethod({:?})", self.network.lesson)
    }
}

impl KeyframeMethod {
    /// Prepares a network on a device; with the spots of the frames of a film, of which `turn` says which comes next.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn new(
        device: &dyn Device,
        network: KeyframeNetwork,
        spots: Arc<BTreeMap<u64, Spots>>,
        turn: Turn,
    ) -> Result<Self> {
        let graph = device.graph(&network.graph()?)?;
        Ok(Self {
            network,
            graph,
            spots,
            turn,
        })
    }

    /// The guide of the frame whose turn it is, if it has spots.
    fn guide(&self, size: (usize, usize)) -> Result<Option<Picture>> {
        let turn = self.turn.0.load(Ordering::Relaxed);
        let spots = self.network.guide.as_ref().zip(self.spots.get(&turn));
        let guide = spots.map(|(guide, spots)| guide.picture(spots, size));
        Ok(guide.transpose()?)
    }

    /// What becomes of a picture in its own size.
    fn paint(&self, device: &dyn Device, content: &Picture) -> Result<Picture> {
        let guide = self.guide((content.width(), content.height()))?;
        let reach = self.network.lesson.size.reach();
        paint(
            device,
            (self.graph.as_ref(), reach),
            content,
            guide.as_ref(),
        )
    }
}

/// What a graph, which reads so far around a pixel, makes of a picture and its guide, black without.
pub(super) fn paint(
    device: &dyn Device,
    (graph, around): (&dyn Graph, usize),
    content: &Picture,
    guide: Option<&Picture>,
) -> Result<Picture> {
    let (width, height) = (content.width(), content.height());
    let black = Picture::new(width, height, vec![0.0; 3 * width * height])?;
    let guide = guide.unwrap_or(&black);
    let mut planes = vec![0.0f32; 3 * width * height];
    for top in (0..height).step_by(PART) {
        for left in (0..width).step_by(PART) {
            let size = Size {
                width: PART.min(width - left),
                height: PART.min(height - top),
            };
            let columns = (left, size.width, width);
            let part = Part::around(around, columns, (top, size.height, height));
            let shape = [3, part.height, part.width];
            let [frame, guide] = [content, guide]
                .map(|picture| Ok::<_, Error>(device.upload(&part.of(picture)?, &shape)?));
            let (frame, guide) = (frame?, guide?);
            let made = graph.run(&[&frame, &guide], None)?;
            let made = made.first().ok_or(ComputeError::Shape {
                what: "a picture that was made",
                expected: shape.to_vec(),
                got: vec![],
            })?;
            let made = device.download(made)?;
            for channel in 0..3 {
                for y in 0..size.height {
                    let row = channel * part.height + y + top - part.top;
                    let from = row * part.width + left - part.left;
                    let to = (channel * height + top + y) * width + left;
                    let row = &made[from..][..size.width];
                    for (to, value) in planes[to..][..size.width].iter_mut().zip(row) {
                        *to = match value.is_nan() {
                            true => 0.0,
                            false => value.clamp(0.0, 1.0),
                        };
                    }
                }
            }
        }
    }
    Ok(Picture::new(width, height, planes)?)
}

/// A part of a picture with what lies around it.
struct Part {
    left: usize,
    top: usize,
    width: usize,
    height: usize,
}

impl Part {
    /// So much around so many columns and rows from one on, of so many in all.
    fn around(around: usize, columns: (usize, usize, usize), rows: (usize, usize, usize)) -> Self {
        let span = |(from, count, all): (usize, usize, usize)| {
            let first = from.saturating_sub(around);
            let end = (from + count + around).min(all);
            (first, (end - first).max(LEAST).next_multiple_of(STRIDE))
        };
        let ((left, width), (top, height)) = (span(columns), span(rows));
        Self {
            left,
            top,
            width,
            height,
        }
    }

    /// Its planes; beyond the border lies the mirror image.
    fn of(&self, picture: &Picture) -> Result<Vec<f32>> {
        let inside = Window {
            top: self.top,
            left: self.left,
            height: self.height.min(picture.height() - self.top),
            width: self.width.min(picture.width() - self.left),
        };
        let to = Size {
            width: self.width,
            height: self.height,
        };
        let inside = picture.cropped(&inside)?;
        Ok(nets::continued(inside.rgb(), inside.size(), to))
    }
}

impl Method for KeyframeMethod {
    fn scales(&self, setup: &Setup, content: &Picture) -> Vec<Scale> {
        vec![setup.only_scale(content)]
    }

    fn plan(&self, setup: &Setup, content: &Picture) -> Result<RunPlan> {
        let Scale {
            width,
            height,
            steps,
        } = setup.only_scale(content);
        let network = self.network.lesson.size;
        let side = |n: usize| n.min(PART) + 2 * network.reach();
        let bytes = network.bytes() * side(width) * side(height) + 48 * width * height;
        let limit = setup.limits.memory;
        if let Some(limit) = limit.filter(|&limit| bytes as u64 > limit) {
            return Err(Error::TooLarge {
                width,
                height,
                needed: crate::method::surroundings::amount(bytes as u64),
                limit: crate::method::surroundings::amount(limit),
                fits: None,
            });
        }
        let scale = ScalePlan {
            width,
            height,
            steps,
            cut: None,
            tile_count: width.div_ceil(PART) * height.div_ceil(PART),
            style_cut: None,
            bytes: bytes as u64,
            work: (width * height) as f64,
        };
        Ok(RunPlan {
            scales: vec![scale],
            limit,
        })
    }

    fn pace(&self, setup: &Setup, content: &Picture) -> Result<Pace> {
        let (width, height) = fit_long_side(content.width(), content.height(), TIMED);
        let content = content.resized(width, height, Filter::Bicubic);
        let clock = Instant::now();
        self.paint(setup.device.as_ref(), &content)?;
        Ok(Pace {
            constant: 0.0,
            per_pixel: clock.elapsed().as_secs_f64() / (width * height) as f64,
        })
    }

    fn run(
        &mut self,
        setup: &Setup,
        content: &Picture,
        observer: &mut dyn Observer,
    ) -> Result<Stylized> {
        let device = setup.device.as_ref();
        setup.in_one_pass(content, observer, |content| self.paint(device, content))
    }
}
