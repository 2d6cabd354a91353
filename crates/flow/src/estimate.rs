use crate::Error;
use crate::densify::densify;
use crate::field::Flow;
use crate::frame::{Frame, same_size};
use crate::pyramid::Pyramid;
use crate::refine::refine;
use crate::search::{Grid, Start, search};
use crate::settings::Settings;

/// What may be known of a flow before it is estimated: candidates beside others, none of which has to be right.
#[derive(Debug, Clone, Copy, Default)]
pub struct Guess<'a> {
    /// The flow, in the same direction, of the pair before: what moves on there goes on here.
    pub before: Option<&'a Flow>,
    /// The flow of this pair as another estimator has it.
    pub other: Option<&'a Flow>,
}

/// The flow from frame `a` to frame `b`: where each pixel of `a` is in `b`.
///
/// # Errors
/// [`Error::Size`] if frames or flow differ in size, [`Error::Setting`] if a setting is out of its range.
pub fn flow(a: &Frame, b: &Frame, settings: &Settings, guess: Guess<'_>) -> Result<Flow, Error> {
    flow_between(&Pyramid::new(a), &Pyramid::new(b), settings, guess)
}

/// The flows from `a` to `b` and from `b` to `a`.
///
/// `guesses` are those of each direction.
///
/// # Errors
/// As [`flow`].
pub fn both(
    a: &Frame,
    b: &Frame,
    settings: &Settings,
    guesses: [Guess<'_>; 2],
) -> Result<[Flow; 2], Error> {
    both_between(&Pyramid::new(a), &Pyramid::new(b), settings, guesses)
}

/// [`flow`] of frames whose pyramids are there.
///
/// # Errors
/// As [`flow`].
pub fn flow_between(
    a: &Pyramid,
    b: &Pyramid,
    settings: &Settings,
    guess: Guess<'_>,
) -> Result<Flow, Error> {
    settings.check()?;
    same_size("the second frame", b.size(), a.size())?;
    for (what, known) in [
        ("the flow of the pair before", guess.before),
        ("the other estimator's flow", guess.other),
    ] {
        if let Some(known) = known {
            same_size(what, known.size(), a.size())?;
        }
    }
    Ok(estimate(a, b, settings, guess))
}

/// [`both`] of frames whose pyramids are there.
///
/// # Errors
/// As [`flow`].
pub fn both_between(
    a: &Pyramid,
    b: &Pyramid,
    settings: &Settings,
    guesses: [Guess<'_>; 2],
) -> Result<[Flow; 2], Error> {
    let [there, back] = guesses;
    let forward = flow_between(a, b, settings, there)?;
    let backward = flow_between(b, a, settings, back)?;
    Ok([forward, backward])
}

fn estimate(a: &Pyramid, b: &Pyramid, settings: &Settings, guess: Guess<'_>) -> Flow {
    let coarsest = a.levels.len() - 1;
    let finest = settings.finest.min(coarsest);
    let sized = |flow: &Flow, level: usize| {
        let size = &a.levels[level].luma;
        // Sizes of levels are never zero.
        flow.resized(size.height, size.width)
            .unwrap_or_else(|_| Flow::zero(size.height, size.width))
    };
    let known = [guess.before.map(advanced), guess.other.map(finite)];
    let size = &a.levels[coarsest].luma;
    let mut flow = Flow::zero(size.height, size.width);
    for level in (finest..=coarsest).rev() {
        let (first, second) = (&a.levels[level], &b.levels[level]);
        let coarser = sized(&flow, level);
        let known = known
            .each_ref()
            .map(|known| known.as_ref().map(|known| sized(known, level)));
        let grid = Grid::new(first.luma.width, first.luma.height, settings.stride);
        let start = Start {
            coarser: &coarser,
            known: known.each_ref().map(Option::as_ref),
            wide: level == coarsest,
        };
        let motions = search(first, second, &grid, &start, settings.steps);
        flow = densify(first, second, &grid, &motions);
        let mut refinement = settings.refinement;
        refinement.colors &= a.channels == 3 && b.channels == 3;
        refine(first, second, &mut flow, &refinement);
    }
    sized(&flow, 0)
}

/// A flow without what is no number, and nothing in it longer than the frame.
fn finite(flow: &Flow) -> Flow {
    let (width, height) = flow.size();
    let known = |value: f32, most: usize| match value.is_finite() {
        true => value.clamp(-(most as f32), most as f32),
        false => 0.0,
    };
    let mut flow = flow.clone();
    let (u, v) = flow.both_mut();
    u.iter_mut().for_each(|u| *u = known(*u, width));
    v.iter_mut().for_each(|v| *v = known(*v, height));
    flow
}

/// The flow of the pair before, moved along itself: what moved on there goes on here. Where several things moved to, it is
/// that of the fastest; what nothing moved to keeps its own.
fn advanced(flow: &Flow) -> Flow {
    let (width, height) = flow.size();
    let from = finite(flow);
    let mut to = from.clone();
    let mut fastest = vec![-1.0; width * height];
    let (u, v) = to.both_mut();
    for y in 0..height {
        for x in 0..width {
            let motion = from.motion(y * width + x);
            let speed = motion[0] * motion[0] + motion[1] * motion[1];
            let place = [x as f32 + motion[0] + 0.5, y as f32 + motion[1] + 0.5].map(f32::floor);
            let inside = |place: f32, length: usize| place >= 0.0 && place < length as f32;
            if inside(place[0], width) && inside(place[1], height) {
                let index = place[1] as usize * width + place[0] as usize;
                if speed > fastest[index] {
                    fastest[index] = speed;
                    [u[index], v[index]] = motion;
                }
            }
        }
    }
    to
}
