//! Runs of methods that optimise a picture in passes of their own: each has its size, its start, its terms and how steps are
//! taken. What happens in a pass, who is told, what is saved and when it ends is that of [`optimize`](super::optimize).

mod eye;
pub(super) mod parts;
mod plan;
pub(super) mod sizes;

pub(super) use eye::{Eye, Layer};
pub(super) use plan::{Demand, plan};

use super::optimize::parameterization::Parameterization;
use super::optimize::room;
use super::optimize::run::{End, Evaluator, Run};
use super::optimize::state::State;
use super::optimize::{Margin, inspect};
use super::{Inspection, Outcome, Pace, RunPlan, Setup, Stylized, TermContext};
use crate::checkpoint::{Keeper, RunInputs};
use crate::loss::{Objective, Term};
use crate::observer::{Event, Observer, Scale, term_values};
use crate::picture::Picture;
use crate::recipe::{Optimize, Pixels, Problem};
use crate::report::Report;
use crate::tiling::{CutNetwork, NetworkView};
use crate::{Error, Result};
use impasto_compute::Network;
use std::sync::Arc;
use std::time::Instant;

/// Steps that are timed at a size.
const TIMED: usize = 3;

/// The networks that look at the picture and at the styles, cut as each needs it.
pub(super) type Views<'a> = (NetworkView<'a>, NetworkView<'a>);

/// The passes of a method with a job.
pub(super) trait Passes {
    /// The job.
    fn setup(&self) -> &Setup;

    /// The photo.
    fn content(&self) -> &Picture;

    /// The network that looks at pictures.
    fn network(&self) -> &dyn Network;

    /// What each pass would ask for in a picture of some long side, in order.
    fn demands(&self, long_side: usize) -> Vec<Demand>;

    /// How steps of a pass are taken.
    fn steps(&self, index: usize) -> Optimize;

    /// What is optimised in a pass.
    fn parameterization(&self, index: usize) -> Arc<dyn Parameterization>;

    /// The planes `[3, h·w]` in 0..1 that a pass starts from, after the one before it.
    fn start(&self, index: usize, before: Option<&State>) -> Result<Vec<f32>>;

    /// The terms of a pass from its start; without for a run that goes on, whose losses are given back what they kept.
    fn terms(&self, index: usize, start: Option<&[f32]>, views: Views<'_>) -> Result<Vec<Term>>;

    /// What networks see beyond the border of the picture in a pass.
    fn margin(&self, index: usize) -> Margin {
        let _ = index;
        Margin::NONE
    }

    /// The result, of what the last pass has painted.
    fn finished(&self, picture: Picture) -> Picture {
        picture
    }
}

/// Sizes and steps of all passes.
pub(super) fn scales(passes: &dyn Passes) -> Vec<Scale> {
    let demands = passes.demands(passes.setup().long_side(passes.content()));
    demands.into_iter().map(|demand| demand.scale).collect()
}

/// A run, from its plan to its result.
///
/// # Errors
/// As [`Method::run`](super::Method::run).
pub(super) fn run(passes: &dyn Passes, observer: &mut dyn Observer) -> Result<Stylized> {
    check(passes.setup())?;
    let clock = Instant::now();
    let plan = plan(passes)?;
    room::check(passes.setup().device.as_ref(), &plan)?;
    paint(passes, plan, clock, observer)
}

/// Refuses to save what cannot be saved to the last bit.
fn check(setup: &Setup) -> Result<()> {
    if setup.checkpoints.is_none() || setup.device.arithmetic().is_some() {
        return Ok(());
    }
    let allowed = "this device computes with more digits than can be saved; use another device, or no checkpoints";
    let problem = Problem::new("checkpoints", setup.device.name(), allowed);
    Err(Error::Invalid(vec![problem]))
}

/// All passes of a run, from the first or from where a checkpoint left it.
///
/// # Errors
/// As [`Method::run`](super::Method::run).
fn paint(
    passes: &dyn Passes,
    mut plan: RunPlan,
    clock: Instant,
    observer: &mut dyn Observer,
) -> Result<Stylized> {
    let (setup, content, network) = (passes.setup(), passes.content(), passes.network());
    let device = setup.device.as_ref();
    let scales = scales(passes);
    let mut keeper = keeper(setup, content, network);
    let (saved, notices) = match &mut keeper {
        Some(keeper) => keeper.find()?,
        None => (None, vec![]),
    };
    if let Some(saved) = &saved {
        plan.adopt(saved, setup.limits, network.spec())?;
    }
    let report = Report::new(&setup.recipe, &setup.encoder, device, &setup.styles);
    let mut run = Run::new(&scales, clock, report, keeper, observer);
    run.cuts = plan.cuts();
    run.notify(&Event::Started { scales: &scales });
    run.notify_of_checkpoints(&notices);
    let mut resumed = match saved {
        Some(saved) => {
            let index = saved.header.place.scale;
            let parameters = |_| passes.parameterization(index);
            Some(run.resume(device, &passes.steps(index), &parameters, saved)?)
        }
        None => None,
    };
    let first = resumed.as_ref().map_or(0, |state| state.index);
    let (mut state, mut end) = (None::<State>, End::Complete);
    for (index, &scale) in scales.iter().enumerate().skip(first) {
        if run.is_stopped() && state.is_some() {
            break;
        }
        let started = Instant::now();
        run.notify(&Event::ScaleStarted { index, scale });
        let planned = plan.scales.get(index);
        let cut = planned.and_then(|plan| plan.cut.as_ref());
        let cut = CutNetwork::new(device, network, cut)?;
        let style_cut = planned.and_then(|plan| plan.style_cut.as_ref());
        let style_cut = CutNetwork::new(device, network, style_cut)?;
        let view = |cut| NetworkView::new(network, cut);
        let views = (view(cut.as_ref()), view(style_cut.as_ref()));
        let (mut here, objective) = match resumed.take() {
            Some(resumed) => (resumed, objective(passes, (index, scale), None, views)?),
            None => {
                let planes = passes.start(index, state.take().as_ref())?;
                let objective = objective(passes, (index, scale), Some(&planes), views)?;
                (fresh(passes, index, scale, planes)?, objective)
            }
        };
        let mut evaluator = Evaluator {
            device,
            network: views.0,
            objective,
            seed: setup.recipe.seed,
        };
        evaluator.objective.recall(&here.memories)?;
        end = run.scale(started, &mut evaluator, &mut here)?;
        state = Some(here);
        if end != End::Complete {
            break;
        }
    }
    let Some(state) = state else {
        let problem = Problem::new("steps", 0, "needs at least one size");
        return Err(Error::Invalid(vec![problem]));
    };
    if plan.scales.iter().any(|scale| scale.cut.is_some()) {
        // The picture is finished in memory that the passes do not need any more.
        network.forget();
    }
    let Scale { width, height, .. } = state.scale;
    let picture = Picture::new(width, height, state.result(device)?)?;
    let others = setup.styles.iter().map(|style| &style.picture);
    run.look_at_result(&picture, None::<fn() -> Vec<f32>>, others.chain([content]));
    let (report, keeper) = run.finish(&state);
    Ok(Stylized {
        picture: setup.shaped(content, passes.finished(picture), report.stopped)?,
        outcome: match end {
            End::Diverged { step } => Outcome::Diverged {
                width,
                height,
                step,
            },
            End::Complete if report.stopped => Outcome::Stopped,
            End::Complete => Outcome::Finished,
        },
        report,
        checkpoint: keeper.and_then(|keeper| keeper.checkpoint()),
    })
}

/// The objective of a pass: its terms and those of the caller.
fn objective(
    passes: &dyn Passes,
    (index, scale): (usize, Scale),
    start: Option<&[f32]>,
    views: Views<'_>,
) -> Result<Objective> {
    let mut terms = passes.terms(index, start, views)?;
    if let Some(extra) = &passes.setup().extra_terms {
        terms.extend(extra.make(&TermContext {
            device: passes.setup().device.as_ref(),
            scale,
            pixels: Pixels::Unit,
            margin: passes.margin(index),
        })?);
    }
    Ok(Objective::new(terms))
}

/// What some terms come to at an image as large as the content; `make` is given the network.
///
/// # Errors
/// [`Error::Invalid`] if it is not as large; whatever the device reports.
pub(super) fn inspect(
    passes: &dyn Passes,
    image: &Picture,
    make: &dyn Fn(Views<'_>) -> Result<Vec<Term>>,
) -> Result<Inspection> {
    inspect::check_sizes(passes.content(), image)?;
    let (device, network) = (passes.setup().device.as_ref(), passes.network());
    let network = NetworkView::Whole(network);
    let mut objective = Objective::new(make((network, network))?);
    objective.prepare(device, passes.setup().recipe.seed, 0, 1)?;
    let tensor = device.upload(image.rgb(), &[3, image.height(), image.width()])?;
    let evaluation = network.evaluate(device, &objective, &tensor)?;
    Ok(Inspection {
        terms: term_values(&objective, &evaluation.values)?,
        total: objective.total(&evaluation.values)?,
        gradient: device.download(&evaluation.gradient)?,
    })
}

/// The state before the first step of a pass.
fn fresh(passes: &dyn Passes, index: usize, scale: Scale, planes: Vec<f32>) -> Result<State> {
    let device = passes.setup().device.as_ref();
    let (parameters, steps) = (passes.parameterization(index), passes.steps(index));
    let fresh = State::new(device, &steps, parameters, planes, scale, false)?;
    Ok(State { index, ..fresh })
}

/// Who saves a run on a content, if anybody does.
fn keeper<'a>(
    setup: &'a Setup,
    content: &'a Picture,
    network: &'a dyn Network,
) -> Option<Keeper<'a>> {
    let inputs = RunInputs {
        content,
        styles: &setup.styles,
        start: setup.start.as_ref(),
        regions: &setup.regions,
        painter: setup
            .painter
            .as_deref()
            .map(|painter| &painter.spec().model),
        encoder: &setup.encoder,
        spec: network.spec(),
        device: setup.device.as_ref(),
        recipe: &setup.recipe,
        extra_terms: setup.extra_terms.as_ref().map(|terms| terms.identity()),
    };
    let settings = setup.checkpoints.as_ref()?;
    Some(Keeper::new(settings, move || inputs.identity()))
}

/// How long steps take: those of the first passes of a job at two small sizes, each of so long a side.
///
/// # Errors
/// Whatever the device reports.
pub(super) fn pace(both: [(usize, &dyn Passes); 2]) -> Result<Pace> {
    let mut timed = Vec::new();
    for (side, passes) in both {
        let demands = passes.demands(side);
        let Some(scale) = demands.first().map(|demand| demand.scale) else {
            continue;
        };
        let device = passes.setup().device.as_ref();
        let network = NetworkView::Whole(passes.network());
        let planes = passes.start(0, None)?;
        let objective = objective(passes, (0, scale), Some(&planes), (network, network))?;
        let mut state = fresh(passes, 0, scale, planes)?;
        let mut evaluator = Evaluator {
            device,
            network,
            objective,
            seed: passes.setup().recipe.seed,
        };
        let mut seconds = f64::INFINITY;
        for _ in 0..TIMED {
            let clock = Instant::now();
            let taken = state.step(&mut evaluator)?;
            evaluator.objective.total(&taken.values)?;
            seconds = seconds.min(clock.elapsed().as_secs_f64());
        }
        timed.push(((scale.width * scale.height) as f64, seconds));
    }
    let (&(small, quick), &(large, slow)) = match (timed.first(), timed.last()) {
        (Some(small), Some(large)) => (small, large),
        _ => {
            return Ok(Pace {
                constant: 0.0,
                per_pixel: 0.0,
            });
        }
    };
    let per_pixel = match large > small {
        true => ((slow - quick) / (large - small)).max(0.5 * slow / large),
        false => slow / large,
    };
    Ok(Pace {
        constant: (slow - per_pixel * large).max(0.0),
        per_pixel,
    })
}
