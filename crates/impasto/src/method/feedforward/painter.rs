//! Networks that paint, each by its own rule, behind one door.

use super::by_regions::stretched;
use super::cascade::{Cascade, Passes, StyleStatistics};
use super::means::Means;
use super::plan::held;
use super::spec::PainterSpec;
use super::steady::Steady;
use super::transform::Statistic;
use super::{Look, only, picture_of, tensor_of};
use crate::named::Named;
use crate::nets::{MicroAst, Model, TransformerSpec};
use crate::picture::{Filter, Picture, fit_long_side};
use crate::recipe::{MethodName, MethodSettings, Problem, Recipe, Transform};
use crate::style::Style;
use crate::{Error, Result};
use impasto_compute::graph::{Graph, Shape};
use impasto_compute::{Device, Size, Tensor};

/// A network that paints, on a device.
#[derive(Debug)]
pub struct Painter {
    spec: PainterSpec,
    pub(super) network: Prepared,
    steady: Steady,
}

#[derive(Debug)]
pub(super) enum Prepared {
    Cascade(Cascade),
    Fast {
        spec: Box<TransformerSpec>,
        graph: Box<dyn Graph>,
    },
    Ghiasi {
        predictor: Box<dyn Graph>,
        /// The least side of what the predictor looks at.
        least: usize,
        transfer: Box<dyn Graph>,
    },
    MicroAst {
        style: Box<dyn Graph>,
        transfer: Box<dyn Graph>,
    },
}

/// What a painter knows of the styles of a job.
#[derive(Debug)]
pub(crate) struct Seen {
    /// The sizes at which they were looked at.
    sizes: Vec<(usize, usize)>,
    styles: Vec<Look<Known>>,
}

/// What a painter knows of a style.
#[derive(Debug)]
enum Known {
    Statistics(StyleStatistics),
    /// Vectors that the network reads; those of several styles are mixed.
    Vectors(Vec<Vec<f32>>),
}

/// Share of the mean variance that is added to the content's variances before they are transported, of published decoders.
const RIDGE: f64 = 1e-5;
/// The levels of WCT that stand in for AdaIN's own.
const STANDING_IN: [usize; 2] = [4, 3];
/// How much detail of the content is added to the enlarged picture of the scale before.
const DETAIL: f32 = 0.5;
/// The long side at which the network of Ghiasi et al. looks at a content, for less strength: that of its training.
const CODED: usize = 256;

impl Painter {
    /// Prepares a network.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn new(device: &dyn Device, spec: &PainterSpec) -> Result<Self> {
        let network = match &spec.model {
            Model::Paint(cascade) | Model::Cascade(cascade) => {
                Prepared::Cascade(Cascade::new(device, cascade)?)
            }
            Model::Transformer(spec) => Prepared::Fast {
                graph: device.graph(&spec.graph())?,
                spec: Box::new(spec.clone()),
            },
            Model::Ghiasi(ghiasi) => Prepared::Ghiasi {
                predictor: device.graph(&ghiasi.predictor)?,
                least: ghiasi.least,
                transfer: device.graph(&ghiasi.transfer.graph())?,
            },
            Model::MicroAst(micro) => Prepared::MicroAst {
                style: device.graph(&micro.style)?,
                transfer: device.graph(&micro.transfer)?,
            },
        };
        Ok(Self {
            spec: spec.clone(),
            network,
            steady: Steady::default(),
        })
    }

    /// The pictures to come are frames of a shot, painted by the statistics of the first; or not, each by its own.
    pub(crate) fn begin_shot(&self, keeps: bool) {
        self.steady.begin(keeps);
    }

    /// The method that it paints by.
    pub fn method(&self) -> MethodName {
        self.spec.method
    }

    /// What it was made of; its numbers are shared with what is on the device.
    pub(crate) fn spec(&self) -> &PainterSpec {
        &self.spec
    }

    /// Everything about settings that it cannot paint by.
    pub(crate) fn problems(&self, settings: &MethodSettings) -> Vec<Problem> {
        let (field, chosen, allowed, known): (_, &[usize], _, Vec<usize>) =
            match (settings, &self.network) {
                (MethodSettings::Paint(it), Prepared::Cascade(cascade)) => {
                    let known: Vec<_> = cascade.numbers().collect();
                    ("network.levels", &it.levels, "levels", known)
                }
                (MethodSettings::Wct(it), Prepared::Cascade(cascade)) => {
                    let known: Vec<_> = cascade.numbers().collect();
                    ("network.levels", &it.levels, "levels", known)
                }
                (MethodSettings::Fast(it), Prepared::Fast { spec, .. }) => {
                    let known = (1..=spec.styles()).collect();
                    ("network.styles", &it.styles, "styles", known)
                }
                _ => return vec![],
            };
        let unknown = chosen.iter().filter(|number| !known.contains(number));
        let there: Vec<_> = known.iter().map(ToString::to_string).collect();
        let allowed = format!("the network has the {allowed} {}", there.join(","));
        let mut problems: Vec<_> = unknown
            .map(|number| Problem::new(field, number, allowed.clone()))
            .collect();
        let goes_down = chosen.windows(2).all(|pair| pair[0] > pair[1]);
        if field == "network.levels" && !goes_down {
            let given: Vec<_> = chosen.iter().map(ToString::to_string).collect();
            let allowed = "must go from the deepest level to the shallowest, each once";
            problems.push(Problem::new(field, given.join(","), allowed));
        }
        problems
    }

    /// Looks at styles for a content of some size; what is known of them already is kept.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub(crate) fn look(
        &self,
        means: Means<'_>,
        recipe: &Recipe,
        styles: &[Style],
        size: Size,
        known: Option<Seen>,
    ) -> Result<Seen> {
        let sizes = styles.iter();
        let sizes: Vec<_> = sizes
            .map(|style| recipe.style.size_of(style, size))
            .collect();
        if let Some(known) = known.filter(|known| known.sizes == sizes) {
            return Ok(known);
        }
        let total: f32 = styles.iter().map(|style| style.weight).sum();
        let exact = recipe.method.whitens();
        let look = |(style, &(width, height)): (&Style, &(usize, usize))| -> Result<_> {
            let picture = style.picture.resized(width, height, Filter::Bicubic);
            Ok(Look {
                seen: self.know(means, &picture, exact)?,
                share: style.weight / total,
            })
        };
        let styles = styles.iter().zip(&sizes).map(look).collect::<Result<_>>()?;
        Ok(Seen { sizes, styles })
    }

    /// What is known of a style in its own size. Networks that look at it whole are shown the part that is to be seen.
    fn know(&self, means: Means<'_>, style: &Picture, exact: bool) -> Result<Known> {
        let means = means.beside(held(style.size()));
        match &self.network {
            Prepared::Cascade(cascade) => Ok(Known::Statistics(cascade.look(means, style, exact)?)),
            Prepared::Fast { .. } => Ok(Known::Vectors(vec![])),
            Prepared::Ghiasi {
                predictor, least, ..
            } => {
                let style = at_least(style.visible(), *least);
                Ok(Known::Vectors(vectors(means, predictor.as_ref(), &style)?))
            }
            Prepared::MicroAst { style: graph, .. } => {
                let style = style.visible();
                Ok(Known::Vectors(vectors(means, graph.as_ref(), &style)?))
            }
        }
    }

    /// Paints a content in its own size.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub(crate) fn paint(
        &self,
        means: Means<'_>,
        settings: &MethodSettings,
        (content, counts): (&Picture, Option<&[f32]>),
        seen: &Seen,
    ) -> Result<Picture> {
        let hidden = content.alpha().filter(|_| content.is_partly_hidden());
        let seen_of_it = hidden.map(|alpha| {
            let counts = match counts {
                Some(counts) => alpha.iter().zip(counts).map(|(a, b)| a * b).collect(),
                None => alpha.to_vec(),
            };
            (content.filled(), counts)
        });
        let (content, counts) = match &seen_of_it {
            Some((filled, counts)) => (filled, Some(&counts[..])),
            None => (content, counts),
        };
        let device = means.device;
        let means = means.beside(held(content.size()));
        match (&self.network, settings) {
            (Prepared::Cascade(cascade), settings) => paint_by_levels(
                means,
                (cascade, &self.steady),
                settings,
                (content, counts),
                seen,
            ),
            (Prepared::Fast { spec, graph }, MethodSettings::Fast(settings)) => {
                let chosen = match settings.styles.as_slice() {
                    [] => &[1],
                    chosen => chosen,
                };
                let share = 1.0 / chosen.len() as f32;
                let mixture: Vec<_> = chosen.iter().map(|number| (number - 1, share)).collect();
                let style = spec.style(&mixture)?;
                let image = tensor_of(device, content, 1)?;
                let picture = self.run(means, graph.as_ref(), image, &style, content)?;
                match settings.strength.alpha {
                    1.0 => Ok(picture),
                    alpha => mixed(&picture, content, alpha),
                }
            }
            (
                Prepared::Ghiasi {
                    predictor,
                    least,
                    transfer,
                },
                MethodSettings::Ghiasi(strength),
            ) => {
                let mut code = seen.mixed(strength.alpha);
                if strength.alpha < 1.0 {
                    let (w, h) = fit_long_side(content.width(), content.height(), CODED);
                    let small = content.resized(w.max(*least), h.max(*least), Filter::Bicubic);
                    let own = vectors(means, predictor.as_ref(), &small)?;
                    add(&mut code, 1.0 - strength.alpha, &own);
                }
                let image = tensor_of(device, content, 1)?;
                self.run(means, transfer.as_ref(), image, &code, content)
            }
            (Prepared::MicroAst { transfer, .. }, MethodSettings::Microast(strength)) => {
                let mut style = seen.mixed(1.0);
                style.push(vec![strength.alpha]);
                let image = tensor_of(device, content, MicroAst::MULTIPLE)?;
                self.run(means, transfer.as_ref(), image, &style, content)
            }
            _ => Err(self.refuse(settings)),
        }
    }

    /// The picture that a graph makes of an image and vectors, in the size of the content.
    fn run(
        &self,
        means: Means<'_>,
        graph: &dyn Graph,
        image: Tensor,
        vectors: &[Vec<f32>],
        content: &Picture,
    ) -> Result<Picture> {
        let vectors = vectors
            .iter()
            .map(|vector| means.device.upload(vector, &[vector.len()]));
        let vectors = vectors.collect::<Result<Vec<_>, _>>()?;
        let inputs: Vec<&Tensor> = [&image].into_iter().chain(&vectors).collect();
        let run = |graph: &dyn Graph| pass(means, graph, &inputs);
        let made = only(self.steady.run(means.device, graph, run, run)?)?;
        drop(image);
        picture_of(means.device, &made, content)
    }

    /// That settings are of another method.
    fn refuse(&self, settings: &MethodSettings) -> Error {
        let allowed = format!("the network paints by {}", self.spec.method.name());
        let problem = Problem::new("method", settings.name().name(), allowed);
        Error::Invalid(vec![problem])
    }
}

/// A picture whose sides are long enough for a network that has no borders.
fn at_least(picture: Picture, least: usize) -> Picture {
    let Size { width, height } = picture.size();
    match width.min(height) < least {
        true => picture.resized(width.max(least), height.max(least), Filter::Bicubic),
        false => picture,
    }
}

impl Seen {
    /// The vectors of all styles, mixed by their shares, times a factor.
    fn mixed(&self, factor: f32) -> Vec<Vec<f32>> {
        let mut sum = Vec::new();
        for look in &self.styles {
            if let Known::Vectors(vectors) = &look.seen {
                add(&mut sum, factor * look.share, vectors);
            }
        }
        sum
    }
}

/// `sum += factor · vectors`, where a sum of nothing is of zeros.
fn add(sum: &mut Vec<Vec<f32>>, factor: f32, vectors: &[Vec<f32>]) {
    for (place, vector) in vectors.iter().enumerate() {
        if sum.len() <= place {
            sum.push(vec![0.0; vector.len()]);
        }
        let pairs = sum[place].iter_mut().zip(vector);
        pairs.for_each(|(sum, value)| *sum += factor * value);
    }
}

/// The vectors that a graph makes of a picture.
fn vectors(means: Means<'_>, graph: &dyn Graph, picture: &Picture) -> Result<Vec<Vec<f32>>> {
    let image = tensor_of(means.device, picture, 1)?;
    let made = pass(means, graph, &[&image])?;
    let made = made.iter().map(|vector| means.device.download(vector));
    Ok(made.collect::<Result<_, _>>()?)
}

/// Runs a graph, in strips if it does not fit.
fn pass(means: Means<'_>, graph: &dyn Graph, inputs: &[&Tensor]) -> Result<Vec<Tensor>> {
    let shapes = inputs.iter().filter_map(|tensor| Shape::of(tensor.shape()));
    let need = means.graph(graph, &shapes.collect::<Vec<_>>())?;
    Ok(graph.run(inputs, need.strips.as_ref())?)
}

/// Paints by a cascade.
fn paint_by_levels(
    means: Means<'_>,
    (cascade, steady): (&Cascade, &Steady),
    settings: &MethodSettings,
    (content, counts): (&Picture, Option<&[f32]>),
    seen: &Seen,
) -> Result<Picture> {
    let styles = seen.styles.iter().filter_map(|look| match &look.seen {
        Known::Statistics(seen) => Some(Look {
            seen,
            share: look.share,
        }),
        Known::Vectors(_) => None,
    });
    let styles: Vec<_> = styles.collect();
    // A decoder that was trained for means and deviations stands alone; of others, two do it together. With the
    // shallower ones there is too much contrast, where a photo's channels go together more than a painting's.
    let deep = cascade
        .numbers()
        .filter(|number| STANDING_IN.contains(number));
    let deep: Vec<usize> = deep.collect();
    let passes = match settings {
        MethodSettings::Paint(settings) => Passes {
            levels: &settings.levels,
            alpha: settings.alpha,
            statistic: Statistic::LEARNED,
            clamped: true,
            steady,
        },
        MethodSettings::Wct(settings) => Passes {
            levels: &settings.levels,
            alpha: settings.alpha,
            statistic: match settings.transform {
                Transform::Transport => Statistic::Transport { ridge: RIDGE },
                program => Statistic::Whitening(program),
            },
            clamped: settings.transform == Transform::Tf,
            steady,
        },
        other => Passes {
            levels: &deep,
            alpha: other.alpha().unwrap_or(1.0),
            statistic: Statistic::Deviation,
            clamped: false,
            steady,
        },
    };
    let paint = |picture: &Picture| {
        let counts = counts.map(|counts| stretched(counts, content.size(), picture.size()));
        cascade.paint(means, (picture, counts.as_deref()), &styles, &passes)
    };
    match settings {
        MethodSettings::Paint(settings) => in_scales(content, settings.scales, &paint),
        _ => paint(content),
    }
}

/// Paints at several sizes, each twice the last: what was painted, enlarged, with some of the content's detail, is what
/// is painted next.
fn in_scales(
    content: &Picture,
    scales: usize,
    paint: &dyn Fn(&Picture) -> Result<Picture>,
) -> Result<Picture> {
    let mut coarser: Option<Picture> = None;
    for scale in (0..scales.max(1)).rev() {
        let side = |side: usize| (side >> scale).max(1);
        let (width, height) = (side(content.width()), side(content.height()));
        let here = content.resized(width, height, Filter::Bicubic);
        let start = match &coarser {
            None => here,
            Some(coarser) => with_detail(coarser, &here)?,
        };
        coarser = Some(paint(&start)?);
    }
    Ok(coarser.unwrap_or_else(|| content.clone()))
}

/// A smaller picture in the size of a content, with a part of the detail that the content loses when it is made as small.
fn with_detail(picture: &Picture, content: &Picture) -> Result<Picture> {
    let (width, height) = (content.width(), content.height());
    let enlarge = |picture: &Picture| picture.resized(width, height, Filter::Bicubic);
    let blurred = content.resized(picture.width(), picture.height(), Filter::Bicubic);
    let (large, blurred) = (enlarge(picture), enlarge(&blurred));
    let detail = content.rgb().iter().zip(blurred.rgb());
    let values = large.rgb().iter().zip(detail);
    let values =
        values.map(|(v, (sharp, blurred))| (v + DETAIL * (sharp - blurred)).clamp(0.0, 1.0));
    Ok(Picture::new(width, height, values.collect())?)
}

/// `α·picture + (1 − α)·content`.
fn mixed(picture: &Picture, content: &Picture, alpha: f32) -> Result<Picture> {
    let values = picture.rgb().iter().zip(content.rgb());
    let values = values.map(|(y, x)| alpha * y + (1.0 - alpha) * x);
    Ok(Picture::new(
        content.width(),
        content.height(),
        values.collect(),
    )?)
}
