//! Networks that paint, each by its own rule, behind one door.

use super::Look;
use super::cascade::{Cascade, CascadeSpec, Passes, StyleStatistics};
use super::transform::Statistic;
use crate::checkpoint::fingerprint;
use crate::picture::{Filter, Picture};
use crate::recipe::{MethodName, MethodSettings, Problem, Recipe, Transform};
use crate::style::Style;
use crate::{Error, Result};
use impasto_compute::{Device, Size};

/// A network that paints, as data.
#[derive(Clone, Debug)]
pub struct PainterSpec {
    /// What it is called, or the file that it was read from.
    pub name: String,
    /// What it is.
    pub network: PainterNetwork,
}

/// What a network that paints consists of.
#[derive(Clone, Debug)]
pub enum PainterNetwork {
    /// The embedded network.
    Paint(CascadeSpec),
    /// Encoders and decoders of universal style transfer.
    Wct(CascadeSpec),
    /// Encoder and decoder of adaptive instance normalisation.
    Adain(CascadeSpec),
}

impl PainterSpec {
    /// The fingerprint of its weights.
    pub fn fingerprint(&self) -> String {
        fingerprint(self.network.numbers())
    }
}

impl PainterNetwork {
    /// The method that paints with it.
    pub fn method(&self) -> MethodName {
        match self {
            PainterNetwork::Paint(_) => MethodName::Paint,
            PainterNetwork::Wct(_) => MethodName::Wct,
            PainterNetwork::Adain(_) => MethodName::Adain,
        }
    }

    /// Everything that it was made from.
    fn numbers(&self) -> Vec<&[f32]> {
        match self {
            PainterNetwork::Paint(spec)
            | PainterNetwork::Wct(spec)
            | PainterNetwork::Adain(spec) => spec.numbers(),
        }
    }
}

/// A network that paints, on a device.
#[derive(Debug)]
pub struct Painter {
    method: MethodName,
    fingerprint: String,
    network: Prepared,
}

#[derive(Debug)]
enum Prepared {
    Cascade(Cascade),
}

/// What a painter knows of the styles of a job.
#[derive(Debug)]
pub(crate) struct Seen {
    /// The sizes at which they were looked at.
    sizes: Vec<(usize, usize)>,
    statistics: Vec<Look<StyleStatistics>>,
}

/// Share of the mean variance that is added to the content's variances before they are transported: of features that
/// decoders have learned to make pictures of, and of the published ones.
const RIDGE: [f64; 2] = [1e-3, 1e-5];
/// How much detail of the content is added to the enlarged picture of the scale before.
const DETAIL: f32 = 0.5;

impl Painter {
    /// Prepares a network.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn new(device: &dyn Device, spec: &PainterSpec) -> Result<Self> {
        let network = match &spec.network {
            PainterNetwork::Paint(spec)
            | PainterNetwork::Wct(spec)
            | PainterNetwork::Adain(spec) => Prepared::Cascade(Cascade::new(device, spec)?),
        };
        Ok(Self {
            method: spec.network.method(),
            fingerprint: spec.fingerprint(),
            network,
        })
    }

    /// The method that it paints by.
    pub fn method(&self) -> MethodName {
        self.method
    }

    /// The fingerprint of its weights.
    pub(crate) fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Everything about settings that it cannot paint by.
    pub(crate) fn problems(&self, settings: &MethodSettings) -> Vec<Problem> {
        let levels = match settings {
            MethodSettings::Paint(settings) => &settings.levels,
            MethodSettings::Wct(settings) => &settings.levels,
            _ => return vec![],
        };
        let Prepared::Cascade(cascade) = &self.network;
        let known: Vec<usize> = cascade.numbers().collect();
        let unknown = levels.iter().filter(|level| !known.contains(level));
        let there: Vec<_> = known.iter().map(ToString::to_string).collect();
        let allowed = format!("the network has the levels {}", there.join(","));
        unknown
            .map(|level| Problem::new("network.levels", level, allowed.clone()))
            .collect()
    }

    /// Looks at styles for a content of some size; what is known of them already is kept.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub(crate) fn look(
        &self,
        device: &dyn Device,
        recipe: &Recipe,
        styles: &[Style],
        size: Size,
        known: Option<Seen>,
    ) -> Result<Seen> {
        let sizes = styles
            .iter()
            .map(|style| recipe.style.size_of(&style.picture, size));
        let sizes: Vec<_> = sizes.collect();
        if let Some(known) = known.filter(|known| known.sizes == sizes) {
            return Ok(known);
        }
        let total: f32 = styles.iter().map(|style| style.weight).sum();
        let Prepared::Cascade(cascade) = &self.network;
        let look = |(style, &(width, height)): (&Style, &(usize, usize))| -> Result<_> {
            let picture = style.picture.resized(width, height, Filter::Bicubic);
            Ok(Look {
                seen: cascade.look(device, &picture)?,
                share: style.weight / total,
            })
        };
        let statistics = styles.iter().zip(&sizes).map(look).collect::<Result<_>>()?;
        Ok(Seen { sizes, statistics })
    }

    /// Paints a content in its own size.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub(crate) fn paint(
        &self,
        device: &dyn Device,
        settings: &MethodSettings,
        content: &Picture,
        seen: &Seen,
    ) -> Result<Picture> {
        let Prepared::Cascade(cascade) = &self.network;
        let styles = seen.statistics.iter();
        let styles: Vec<_> = styles
            .map(|look| Look {
                seen: &look.seen,
                share: look.share,
            })
            .collect();
        match settings {
            MethodSettings::Paint(settings) => {
                let [ridge, _] = RIDGE;
                let passes = Passes {
                    levels: &settings.levels,
                    alpha: settings.alpha,
                    statistic: Statistic::Transport { ridge },
                    clamped: true,
                };
                let paint = |picture: &Picture| cascade.paint(device, picture, &styles, &passes);
                in_scales(content, settings.scales, &paint)
            }
            MethodSettings::Wct(settings) => {
                let [_, ridge] = RIDGE;
                let passes = Passes {
                    levels: &settings.levels,
                    alpha: settings.alpha,
                    statistic: match settings.transform {
                        Transform::Transport => Statistic::Transport { ridge },
                        program => Statistic::Whitening(program),
                    },
                    clamped: settings.transform == Transform::Tf,
                };
                cascade.paint(device, content, &styles, &passes)
            }
            MethodSettings::Adain(strength) => {
                let levels: Vec<_> = cascade.numbers().collect();
                let passes = Passes {
                    levels: &levels,
                    alpha: strength.alpha,
                    statistic: Statistic::Deviation,
                    clamped: false,
                };
                cascade.paint(device, content, &styles, &passes)
            }
            other => Err(Error::Invalid(vec![Problem::new(
                "method",
                crate::named::Named::name(other.name()),
                "is not painted by this network",
            )])),
        }
    }

    /// Bytes that painting at a size takes at most at a time.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub(crate) fn memory(&self, recipe: &Recipe, styles: &[Style], size: Size) -> Result<usize> {
        let Prepared::Cascade(cascade) = &self.network;
        let mut most = cascade.memory(size)?;
        for style in styles {
            let (width, height) = recipe.style.size_of(&style.picture, size);
            most = most.max(cascade.memory(Size { width, height })?);
        }
        Ok(most)
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
