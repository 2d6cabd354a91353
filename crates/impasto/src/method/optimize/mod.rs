//! Style transfer by optimisation: the picture itself is what is learned (Gatys, Ecker and Bethge 2016), coarse to
//! fine.
//!
//! ```text
//! for each scale:  resize content and styles ─▶ targets ─▶ Objective
//!                  parameters ← start, or the last scale's average, enlarged
//!                  steps:  Objective { forward, losses, backward } ⇄ Optimizer ─▶ Observer
//! the last scale's average is the stylized picture
//! ```
//!
//! Coarse scales lay out large strokes cheaply, fine ones add what only they can see. A picture so thin that nothing
//! of it is left after the encoder's pools is worked on at the least width that reaches the deepest layer, and
//! brought back to its own shape at the end; of thin ones, and of those that go all around, the networks see a margin ([`margin`]).

mod calibration;
pub(super) mod finish;
pub(super) mod inspect;
mod layers;
mod lesson;
mod margin;
mod pace;
pub(super) mod parameterization;
mod plan;
pub(super) mod pyramid;
pub(super) mod room;
pub(super) mod run;
mod saved;
mod shown;
mod start;
pub(super) mod state;
mod taken;
mod targets;
mod unit;

use super::{Inspection, Method, Outcome, Pace, RunPlan, Setup, Stylized, TermContext};
use crate::checkpoint::{Keeper, RunInputs};
use crate::encoder::{Encoder, Substitution};
use crate::loss::{Objective, Term};
use crate::observer::{Event, Observer, Scale};
use crate::picture::{Filter, Picture, fit_long_side};
use crate::recipe::{Init, Optimize, Problem, Recipe, StyleSize};
use crate::report::Report;
use crate::style::Style;
use crate::tiling::{CutNetwork, NetworkView};
use crate::{Error, Result};
pub use calibration::CalibratedLayer;
use impasto_compute::{Device, Input, NetSpec, Network, Size, StageTime};
use layers::Layers;
pub(crate) use margin::Margin;
use run::{End, Evaluator, Run};
use state::State;
use std::time::Instant;
use targets::{StyleCache, Targets};
use unit::unit_activations;

/// A network that is prepared on the device, the layers that are looked at, and what they show of the styles.
#[derive(Debug)]
pub(crate) struct OptimizeMethod {
    settings: Optimize,
    network: Box<dyn Network>,
    /// The network as the encoder and the recipe's options give it.
    spec: NetSpec,
    layers: Layers,
    cache: StyleCache,
}

/// The method with a job.
#[derive(Clone, Copy)]
struct Session<'a> {
    setup: &'a Setup,
    settings: &'a Optimize,
    network: &'a dyn Network,
    spec: &'a NetSpec,
    layers: &'a Layers,
}

impl OptimizeMethod {
    /// Prepares a network for a job, with the settings of its recipe that are the method's own.
    ///
    /// # Errors
    /// [`Error::Invalid`] with everything that is wrong with recipe, styles and layers; whatever the device reports.
    pub(crate) fn new(setup: &Setup, settings: &Optimize, encoder: &Encoder) -> Result<Self> {
        let recipe = &setup.recipe;
        let mut spec = encoder.spec(&recipe.encoder);
        let mut problems = setup.problems();
        let layers = match Layers::find(settings, recipe, encoder, &spec) {
            Ok(layers) if problems.is_empty() => layers,
            Err(Error::Invalid(more)) => {
                problems.extend(more);
                return Err(Error::Invalid(problems));
            }
            Ok(_) => return Err(Error::Invalid(problems)),
            Err(other) => return Err(other),
        };
        if let Input::Image(norm) = spec.input {
            spec.input = settings.pixels.input(norm).into();
        }
        Ok(Self {
            settings: settings.clone(),
            network: setup.device.network(&spec)?,
            spec,
            layers,
            cache: StyleCache::default(),
        })
    }

    fn session<'a>(&'a self, setup: &'a Setup) -> Session<'a> {
        Session {
            setup,
            settings: &self.settings,
            network: self.network.as_ref(),
            spec: &self.spec,
            layers: &self.layers,
        }
    }

    /// Prepares the network anew if its weights depend on the pictures; styles in the sizes given.
    fn measure_activations(
        &mut self,
        setup: &Setup,
        content: &Picture,
        sizes: &[(usize, usize)],
    ) -> Result<()> {
        if !setup.recipe.encoder.unit_activations {
            return Ok(());
        }
        let styles = setup.styles.iter().zip(sizes);
        let pictures: Vec<_> = styles
            .map(|(style, &(width, height))| style.picture.resized(width, height, Filter::Bicubic))
            .chain([content.clone()])
            .collect();
        let spec = unit_activations(
            setup.device.as_ref(),
            &self.spec,
            self.layers.deepest,
            self.settings.pixels,
            &pictures,
        )?;
        self.network = setup.device.network(&spec)?;
        self.cache = StyleCache::default();
        Ok(())
    }
}

impl Method for OptimizeMethod {
    fn scales(&self, setup: &Setup, content: &Picture) -> Vec<Scale> {
        self.session(setup).scales(content)
    }

    fn plan(&self, setup: &Setup, content: &Picture) -> Result<RunPlan> {
        self.session(setup).plan(content)
    }

    fn pace(&self, setup: &Setup, content: &Picture) -> Result<Pace> {
        self.session(setup).pace(content)
    }

    fn run(
        &mut self,
        setup: &Setup,
        content: &Picture,
        observer: &mut dyn Observer,
    ) -> Result<Stylized> {
        if self.settings.init == Init::Picture && setup.start.is_none() {
            let problem = Problem::new("init", "picture", "needs a picture to start from");
            return Err(Error::Invalid(vec![problem]));
        }
        if setup.checkpoints.is_some() && setup.device.arithmetic().is_none() {
            return Err(Error::Invalid(vec![Problem::new(
                "checkpoints",
                setup.device.name(),
                "this device computes with more digits than can be saved; use another device, or no checkpoints",
            )]));
        }
        let clock = Instant::now();
        let scales = self.scales(setup, content);
        let plan = self.plan(setup, content)?;
        if let Some(&coarsest) = scales.first() {
            let Scale { width, height, .. } = coarsest;
            let sizes = self.session(setup).style_sizes((width, height));
            let content = content.resized(width, height, Filter::Bicubic);
            self.measure_activations(setup, &content, &sizes)?;
        }
        room::check(setup.device.as_ref(), &plan)?;
        let mut cache = std::mem::take(&mut self.cache);
        let session = self.session(setup);
        let stylized = session.paint(content, (&scales, plan), clock, observer, &mut cache);
        self.cache = cache;
        stylized
    }

    fn inspect(&mut self, setup: &Setup, content: &Picture, image: &Picture) -> Result<Inspection> {
        inspect::check_sizes(content, image)?;
        let styles = setup.styles.iter().map(|style| &style.picture);
        let sizes: Vec<_> = styles
            .map(|style| (style.width(), style.height()))
            .collect();
        self.measure_activations(setup, content, &sizes)?;
        self.session(setup).inspect(content, image, &sizes)
    }

    fn styles_changed(&mut self) {
        self.cache = StyleCache::default();
    }

    fn substitutions(&self) -> &[Substitution] {
        &self.layers.substitutions
    }

    fn calibration(&self) -> Option<&[CalibratedLayer]> {
        self.layers.calibration.as_deref()
    }

    fn times(&self) -> Vec<StageTime> {
        self.network.times()
    }
}

/// What the weights of a recipe become on an encoder, layer by layer; `None` where they are taken as they are.
///
/// # Errors
/// [`Error::Invalid`] with every layer that the encoder cannot look at.
pub fn calibration(recipe: &Recipe, encoder: &Encoder) -> Result<Option<Vec<CalibratedLayer>>> {
    let spec = encoder.spec(&recipe.encoder);
    let Some(settings) = recipe.optimize() else {
        return Ok(None);
    };
    Ok(Layers::find(settings, recipe, encoder, &spec)?.calibration)
}

impl<'a> Session<'a> {
    fn device(&self) -> &'a dyn Device {
        self.setup.device.as_ref()
    }

    /// The scales that a content goes through.
    fn scales(&self, content: &Picture) -> Vec<Scale> {
        let long_side = self.setup.long_side(content);
        let plan = self.settings.schedule.plan(long_side);
        let scale = |(side, steps)| {
            let (width, height) = self.working_size(content, side);
            Scale {
                width,
                height,
                steps,
            }
        };
        plan.into_iter().map(scale).collect()
    }

    /// Width and height of a picture at a long side, at least what the deepest layer needs.
    fn working_size(&self, picture: &Picture, long_side: usize) -> (usize, usize) {
        let (width, height) = fit_long_side(picture.width(), picture.height(), long_side);
        let least = self.layers.minimum_side;
        (width.max(least), height.max(least))
    }

    /// Width and height at which a style is looked at, for a picture of some size.
    fn style_size(&self, style: &Style, size: (usize, usize)) -> (usize, usize) {
        let (width, height) = size;
        let resize = &self.setup.recipe.style;
        if resize.size == StyleSize::Content && style.scale == 1.0 {
            return size;
        }
        let (width, height) = resize.size_of(style, Size { width, height });
        self.working_size(&style.picture, width.max(height))
    }

    fn style_sizes(&self, size: (usize, usize)) -> Vec<(usize, usize)> {
        let styles = self.setup.styles.iter();
        styles.map(|style| self.style_size(style, size)).collect()
    }

    /// The objective of a content at a scale, which one network looks at, and another one at the styles.
    fn objective(
        &self,
        content: &Picture,
        scale: Scale,
        networks: (NetworkView<'_>, NetworkView<'_>),
        cache: &mut StyleCache,
    ) -> Result<Objective> {
        let terms = self.terms(content, scale, networks, cache)?;
        self.with_extra_terms(terms, scale, networks.0)
    }

    /// Its terms, but for those of the caller.
    fn terms(
        &self,
        content: &Picture,
        scale: Scale,
        networks: (NetworkView<'_>, NetworkView<'_>),
        cache: &mut StyleCache,
    ) -> Result<Vec<Term>> {
        let (width, height) = (scale.width, scale.height);
        let sizes = self.style_sizes((width, height));
        let content = content.resized(width, height, Filter::Bicubic);
        let content = self.margin(scale).continued(content)?;
        self.terms_at(&content, scale, &sizes, networks, cache)
    }

    /// The same for a content as the networks see it at the scale, and styles in the sizes given.
    fn terms_at(
        &self,
        content: &Picture,
        scale: Scale,
        sizes: &[(usize, usize)],
        (network, styles): (NetworkView<'_>, NetworkView<'_>),
        cache: &mut StyleCache,
    ) -> Result<Vec<Term>> {
        let (shares, content_share) = (self.shares(scale), self.content_share(scale));
        let targets = Targets {
            device: self.device(),
            network,
            styles,
            settings: self.settings,
            layers: self.layers,
            shares: shares.as_ref(),
            content_share: content_share.as_ref(),
        };
        targets.terms(content, &self.setup.styles, sizes, cache)
    }

    /// The objective of some terms and those of the caller.
    fn with_extra_terms(
        &self,
        mut terms: Vec<Term>,
        scale: Scale,
        network: NetworkView<'_>,
    ) -> Result<Objective> {
        if let Some(extra) = &self.setup.extra_terms {
            terms.extend(extra.make(&TermContext {
                device: self.device(),
                scale,
                pixels: self.settings.pixels,
                margin: self.margin(scale),
            })?);
        }
        let objective = Objective::new(terms);
        match network {
            NetworkView::Tiles(_) => in_parts(objective),
            _ => Ok(objective),
        }
    }

    /// All scales of a run, from the first or from where a checkpoint left it.
    fn paint(
        &self,
        content: &Picture,
        (scales, mut plan): (&[Scale], RunPlan),
        clock: Instant,
        observer: &mut dyn Observer,
        cache: &mut StyleCache,
    ) -> Result<Stylized> {
        let (device, setup) = (self.device(), self.setup);
        let mut keeper = self.keeper(content);
        let (saved, notices) = match &mut keeper {
            Some(keeper) => keeper.find()?,
            None => (None, vec![]),
        };
        if let Some(saved) = &saved {
            plan.adopt(saved, setup.limits, self.spec)?;
        }
        let report = Report::new(&setup.recipe, &setup.encoder, device, &setup.styles);
        let mut run = Run::new(scales, clock, report, keeper, observer);
        run.cuts = plan.cuts();
        run.notify(&Event::Started { scales });
        run.notify_of_checkpoints(&notices);
        let mut resumed = match saved {
            Some(saved) => {
                let parameters = |scale| self.parameterization(scale);
                Some(run.resume(device, self.settings, &parameters, saved)?)
            }
            None => None,
        };
        let first = resumed.as_ref().map_or(0, |state| state.index);
        let painted = match &resumed {
            Some(_) => None,
            None => self.painted(content, scales)?,
        };
        let (mut state, mut end) = (None::<State>, End::Complete);
        for (index, &scale) in scales.iter().enumerate().skip(first) {
            if run.is_stopped() && state.is_some() {
                break;
            }
            let started = Instant::now();
            run.notify(&Event::ScaleStarted { index, scale });
            let planned = plan.scales.get(index);
            let cut = self.cut_network(planned.and_then(|plan| plan.cut.as_ref()))?;
            let network = self.view(cut.as_ref());
            let objective = {
                let cut = self.cut_network(planned.and_then(|plan| plan.style_cut.as_ref()))?;
                self.objective(content, scale, (network, self.view(cut.as_ref())), cache)?
            };
            let mut here = match (resumed.take(), state.take()) {
                (Some(resumed), _) => resumed,
                (None, Some(coarser)) => coarser.enlarged(device, scale)?,
                (None, None) => self.begin(content, scale, painted.as_ref())?,
            };
            here.parameterization = self.parameterization(scale);
            let seed = setup.recipe.seed;
            let mut evaluator = Evaluator {
                device,
                network,
                objective,
                seed,
            };
            evaluator.objective.recall(&here.memories)?;
            end = run.scale(started, &mut evaluator, &mut here)?;
            state = Some(here);
            if end != End::Complete {
                break;
            }
        }
        let Some(state) = state else {
            return Err(Error::Invalid(vec![Problem::new(
                "schedule",
                "empty",
                "needs at least one scale",
            )]));
        };
        if plan.scales.iter().any(|scale| scale.cut.is_some()) {
            // The picture is encoded in memory that the passes do not need any more.
            self.network.forget();
        }
        let Scale { width, height, .. } = state.scale;
        let picture = Picture::new(width, height, state.result(device)?)?;
        let first = match scales {
            // What a network has painted before the run was cut off is not painted again for this.
            [only] if self.settings.init.method().is_none() || painted.is_some() => {
                Some(|| self.start_planes(content, *only, painted.as_ref()))
            }
            _ => None,
        };
        let others = setup.styles.iter().map(|style| &style.picture);
        run.look_at_result(&picture, first, others.chain([content]));
        let (report, keeper) = run.finish(&state);
        // Scales that were given say the size of the result, whatever the recipe's is.
        let at_its_size = report.stopped || !self.settings.schedule.scales.is_empty();
        Ok(Stylized {
            picture: setup.shaped(content, picture, at_its_size)?,
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

    /// Who saves a run on a content, if anybody does.
    fn keeper(&self, content: &'a Picture) -> Option<Keeper<'a>> {
        let setup = self.setup;
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
            spec: self.spec,
            device: self.device(),
            recipe: &setup.recipe,
            extra_terms: setup.extra_terms.as_ref().map(|terms| terms.identity()),
        };
        let settings = setup.checkpoints.as_ref()?;
        Some(Keeper::new(settings, move || inputs.identity()))
    }

    /// The network for pictures that are cut or not.
    fn view<'v>(&'v self, cut: Option<&'v CutNetwork>) -> NetworkView<'v> {
        NetworkView::new(self.network, cut)
    }
}

/// An objective that can be worked on tile by tile.
fn in_parts(objective: Objective) -> Result<Objective> {
    let whole = objective
        .terms()
        .iter()
        .filter(|term| term.needs_whole_features());
    let problem = |term: &Term| {
        let allowed = "needs all features at once, and so cannot be worked on tile by tile: \
                       give it more memory, or choose a smaller size";
        Problem::new("loss", &term.name, allowed)
    };
    let problems: Vec<_> = whole.map(problem).collect();
    match problems.is_empty() {
        true => Ok(objective),
        false => Err(Error::Invalid(problems)),
    }
}
