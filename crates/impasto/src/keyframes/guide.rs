//! The guide: spots on the keyframes that move with the film, and say where a place comes from.
//!
//! ```text
//! g(p) = Σ_k w_k(p)·c_k / max(Σ_k w_k(p), ½)        w_k(p) = exp(−‖p − x_k‖² / σ²), 0 beyond 3σ
//! ```
//!
//! `x_k` lie at least σ apart on a keyframe (Poisson disks) and are moved by flow from frame to frame; `c_k` are random colours that
//! stay. Where spots were hidden or have left, the guide is black. Source: Texler et al. 2020, section 3.3; the sum is divided by
//! its weights here, so that crowds of spots are no brighter than single ones.

use crate::Result;
use crate::picture::{Picture, PictureError};
use crate::random::Random;
use impasto_flow::{Flow, Rule};

/// The radius σ of a spot, as a share of the long side.
const RADIUS: f32 = 1.0 / 48.0;
/// How many places are tried for a spot for each one that there may be.
const TRIES: usize = 12;

/// Spots on one frame: the number of each, and where it is, in shares of width and height.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spots(Vec<(u32, [f32; 2])>);

/// The spots of a film.
#[derive(Clone, Debug)]
pub struct Guide {
    colors: Vec<[f32; 3]>,
    random: Random,
}

impl Guide {
    /// No spots yet.
    pub fn new(seed: u64) -> Self {
        Self {
            colors: Vec::new(),
            random: Random::new(seed),
        }
    }

    /// Adds spots where a frame of some width and height has none.
    pub fn fill(&mut self, spots: &mut Spots, (width, height): (usize, usize)) {
        let radius = radius(width, height);
        let (w, h) = (width as f32, height as f32);
        let cell = radius;
        let (across, down) = (
            (w / cell).ceil() as usize + 1,
            (h / cell).ceil() as usize + 1,
        );
        let mut cells: Vec<Vec<[f32; 2]>> = vec![Vec::new(); across * down];
        let place = |[x, y]: [f32; 2]| {
            let column = ((x / cell) as usize).min(across - 1);
            (column, ((y / cell) as usize).min(down - 1))
        };
        for (_, [x, y]) in &spots.0 {
            let at = [x * w, y * h];
            let (column, row) = place(at);
            cells[row * across + column].push(at);
        }
        for _ in 0..TRIES * across * down {
            let at = [self.random.uniform() * w, self.random.uniform() * h];
            let (column, row) = place(at);
            let near = |r: usize| (r.saturating_sub(1), (r + 2));
            let ((left, right), (top, bottom)) = (near(column), near(row));
            let crowded = (top..bottom.min(down)).any(|row| {
                (left..right.min(across)).any(|column| {
                    let others = cells[row * across + column].iter();
                    others
                        .into_iter()
                        .any(|other| distance(*other, at) < radius * radius)
                })
            });
            if !crowded {
                cells[row * across + column].push(at);
                let number = self.colors.len() as u32;
                let color = [0; 3].map(|_| self.random.uniform());
                self.colors.push(color);
                spots.0.push((number, [at[0] / w, at[1] / h]));
            }
        }
    }

    /// The guide of a frame in some size.
    ///
    /// # Errors
    /// If the size is none.
    pub fn picture(
        &self,
        spots: &Spots,
        (width, height): (usize, usize),
    ) -> Result<Picture, PictureError> {
        let radius = radius(width, height);
        let reach = (3.0 * radius).ceil() as isize;
        let places = width * height;
        let mut sums = vec![0.0f32; 3 * places];
        let mut weights = vec![0.0f32; places];
        for (number, [x, y]) in &spots.0 {
            let (x, y) = (x * width as f32 - 0.5, y * height as f32 - 0.5);
            let color = self.colors[*number as usize % self.colors.len().max(1)];
            let span = |at: f32, n: usize| {
                let middle = at.round() as isize;
                let from = (middle - reach).clamp(0, n as isize) as usize;
                from..(middle + reach + 1).clamp(0, n as isize) as usize
            };
            for row in span(y, height) {
                for column in span(x, width) {
                    let apart = distance([column as f32, row as f32], [x, y]);
                    let weight = (-apart / (radius * radius)).exp();
                    let place = row * width + column;
                    weights[place] += weight;
                    for (channel, value) in color.iter().enumerate() {
                        sums[channel * places + place] += weight * value;
                    }
                }
            }
        }
        for (at, sum) in sums.iter_mut().enumerate() {
            *sum /= weights[at % places.max(1)].max(0.5);
        }
        Picture::new(width, height, sums)
    }
}

impl Spots {
    /// Moves them to another frame, by the flow there and the flow back; those that do not come back are gone.
    ///
    /// # Errors
    /// If the flows differ in size.
    pub fn moved(&self, there: &Flow, back: &Flow) -> Result<Self> {
        let believed = impasto_flow::reliable(there, back, &Rule::default())?;
        let (width, height) = there.size();
        let (w, h) = (width as f32, height as f32);
        let moved = self.0.iter().filter_map(|&(number, [x, y])| {
            let column = ((x * w) as usize).min(width.saturating_sub(1));
            let row = ((y * h) as usize).min(height.saturating_sub(1));
            let at = row * width + column;
            let to = [x + there.u()[at] / w, y + there.v()[at] / h];
            let inside = to.iter().all(|&at| (0.0..1.0).contains(&at));
            (believed.data()[at] && inside).then_some((number, to))
        });
        Ok(Self(moved.collect()))
    }

    /// Takes in the spots of another way to the same frame that are not there.
    pub fn join(&mut self, other: &Self) {
        let mut known: Vec<u32> = self.0.iter().map(|(number, _)| *number).collect();
        known.sort_unstable();
        let more = other.0.iter();
        let more = more.filter(|(number, _)| known.binary_search(number).is_err());
        let more: Vec<_> = more.copied().collect();
        self.0.extend(more);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn radius(width: usize, height: usize) -> f32 {
    (width.max(height) as f32 * RADIUS).max(1.0)
}

/// The square of a distance.
fn distance(one: [f32; 2], other: [f32; 2]) -> f32 {
    (one[0] - other[0]).powi(2) + (one[1] - other[1]).powi(2)
}
