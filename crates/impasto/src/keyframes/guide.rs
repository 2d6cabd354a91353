//! The guide: spots on the keyframes that move with the film, and say where a place comes from.
//!
//! ```text
//! g(p) = Σ_k w_k(p)·c_k / max(Σ_k w_k(p), ½)        w_k(p) = s_k·exp(−‖p − x_k‖² / σ²), 0 beyond 3σ
//! ```
//!
//! `x_k` lie at least σ apart on a keyframe (Poisson disks) and are moved by flow from frame to frame; `c_k` are random colours that
//! stay; `w_k` is less, and at last nothing, of a spot that flow has lost for some frames. Where spots were hidden or have left, the
//! guide is black. Source: Texler et al. 2020, section 3.3; the sum is divided by its weights here, so that crowds of spots are no
//! brighter than single ones, and a spot goes in steps, as what goes at once flickers.

use super::follow::Way;
use crate::picture::{Picture, PictureError};
use crate::random::Random;
use crate::{Mask, Result};
use impasto_compute::Size;

/// The radius σ of a spot, as a share of the long side.
const RADIUS: f32 = 1.0 / 48.0;
/// How many places are tried for a spot for each one that there may be.
const TRIES: usize = 12;
/// What a spot loses, or gets back, of its strength from frame to frame.
const FADES: f32 = 0.25;

/// A spot on a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Spot {
    /// Which it is.
    number: u32,
    /// Where it lies, in shares of width and height.
    place: [f32; 2],
    /// 1; less once flow has lost it.
    strength: f32,
}

/// Spots on one frame.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spots(Vec<Spot>);

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

    /// Adds spots where a frame of some width and height has none, and its mask, if there is one, is white.
    pub fn fill(
        &mut self,
        spots: &mut Spots,
        (width, height): (usize, usize),
        mask: Option<&Mask>,
    ) {
        let mut crowd = Crowd::of(spots, (width, height));
        let mask = mask.map(|mask| mask.stretched(Size { width, height }));
        for _ in 0..TRIES * crowd.cells.len() {
            let place = [self.random.uniform(), self.random.uniform()];
            let [x, y] = [(place[0], width), (place[1], height)]
                .map(|(share, n)| ((share * n as f32) as usize).min(n.saturating_sub(1)));
            let asked = mask.as_ref().is_none_or(|mask| mask[y * width + x] > 0.5);
            if asked && crowd.takes(place) {
                let number = self.colors.len() as u32;
                let color = [0; 3].map(|_| self.random.uniform());
                self.colors.push(color);
                spots.0.push(Spot {
                    number,
                    place,
                    strength: 1.0,
                });
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
        for spot in &spots.0 {
            let [x, y] = spot.place;
            let (x, y) = (x * width as f32 - 0.5, y * height as f32 - 0.5);
            let color = self.colors[spot.number as usize % self.colors.len().max(1)];
            let span = |at: f32, n: usize| {
                let middle = at.round() as isize;
                let from = (middle - reach).clamp(0, n as isize) as usize;
                from..(middle + reach + 1).clamp(0, n as isize) as usize
            };
            for row in span(y, height) {
                for column in span(x, width) {
                    let apart = distance([column as f32, row as f32], [x, y]);
                    let weight = spot.strength * (-apart / (radius * radius)).exp();
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
    /// Moves them to another frame. Those that leave it are gone, those that flow has lost fade.
    pub(super) fn moved(&self, way: &Way) -> Self {
        let moved = self.0.iter().filter_map(|spot| {
            let (to, known) = way.from(spot.place);
            let strength = match known {
                true => (spot.strength + FADES).min(1.0),
                false => spot.strength - FADES,
            };
            let inside = to.iter().all(|at| (0.0..1.0).contains(at));
            (inside && strength > 0.0).then_some(Spot {
                place: to,
                strength,
                ..*spot
            })
        });
        Self(moved.collect())
    }

    /// Takes in spots of another way to the same frame, of some width and height, where there are none.
    pub(super) fn join(&mut self, other: &Self, size: (usize, usize)) {
        let mut known: Vec<u32> = self.0.iter().map(|spot| spot.number).collect();
        known.sort_unstable();
        let mut crowd = Crowd::of(self, size);
        for spot in &other.0 {
            if known.binary_search(&spot.number).is_err() && crowd.takes(spot.place) {
                self.0.push(*spot);
            }
        }
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

/// Where spots are, to find out whether there is room for one more.
struct Crowd {
    size: [f32; 2],
    radius: f32,
    across: usize,
    down: usize,
    cells: Vec<Vec<[f32; 2]>>,
}

impl Crowd {
    fn of(spots: &Spots, (width, height): (usize, usize)) -> Self {
        let radius = radius(width, height);
        let [across, down] = [width, height].map(|n| (n as f32 / radius).ceil() as usize + 1);
        let mut crowd = Self {
            size: [width as f32, height as f32],
            radius,
            across,
            down,
            cells: vec![Vec::new(); across * down],
        };
        for spot in &spots.0 {
            let (at, [column, row]) = crowd.cell(spot.place);
            crowd.cells[row * across + column].push(at);
        }
        crowd
    }

    /// A place in pixels, and column and row of its cell.
    fn cell(&self, [x, y]: [f32; 2]) -> ([f32; 2], [usize; 2]) {
        let at = [x * self.size[0], y * self.size[1]];
        let cell = |at: f32, cells: usize| ((at / self.radius) as usize).min(cells - 1);
        (at, [cell(at[0], self.across), cell(at[1], self.down)])
    }

    /// Puts a spot somewhere, unless there is one within a radius.
    fn takes(&mut self, place: [f32; 2]) -> bool {
        let (at, [column, row]) = self.cell(place);
        let near = |cell: usize, cells: usize| cell.saturating_sub(1)..(cell + 2).min(cells);
        let crowded = near(row, self.down).any(|row| {
            near(column, self.across).any(|column| {
                let others = &self.cells[row * self.across + column];
                let near = |other: &[f32; 2]| distance(*other, at) < self.radius * self.radius;
                others.iter().any(near)
            })
        });
        if !crowded {
            self.cells[row * self.across + column].push(at);
        }
        !crowded
    }
}

fn radius(width: usize, height: usize) -> f32 {
    (width.max(height) as f32 * RADIUS).max(1.0)
}

/// The square of a distance.
fn distance(one: [f32; 2], other: [f32; 2]) -> f32 {
    (one[0] - other[0]).powi(2) + (one[1] - other[1]).powi(2)
}
