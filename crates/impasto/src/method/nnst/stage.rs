//! The passes of a run: their sizes, what they start from, and their terms.

use super::Session;
use super::search::Search;
use super::styles::{StylePlaces, TURNS};
use crate::Result;
use crate::loss::columns::grid;
use crate::loss::matched::{AT_ONCE, MatchedLoss};
use crate::loss::nearest::NearestLoss;
use crate::loss::{Loss, Scaling, Term};
use crate::method::TermContext;
use crate::method::optimize::Margin;
use crate::method::passes::sizes::{detail, halved, halved_size, sizes, style_size};
use crate::method::passes::{Demand, Layer};
use crate::observer::Scale;
use crate::picture::Picture;
use crate::recipe::{Nnst, Pixels};
use crate::region::Region;
use crate::regions::Shares;
use crate::tiling::NetworkView;
use impasto_compute::{Point, Reduction, Size, TapRequest, Tensor};

/// Pixels from one place that is matched to the next.
pub(super) const STEP: usize = 4;
/// Copies of vectors while neighbours are sought: as they are, less their mean, and by components.
const COPIES: usize = 3;

/// A pass.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stage {
    /// Size and steps.
    pub(super) scale: Scale,
    /// The size of the finest pass, and how often photo and styles are halved for this one.
    pub(super) finest: Size,
    pub(super) halvings: usize,
    /// Whether it is the first one, before which nothing was painted.
    pub(super) first: bool,
    /// Whether it is the last one, in which layers are matched by themselves.
    pub(super) splitting: bool,
}

impl Stage {
    /// A pass at a width and height of its own.
    pub(super) fn alone((width, height): (usize, usize), splitting: bool) -> Self {
        Self {
            scale: Scale {
                width,
                height,
                steps: 1,
            },
            finest: Size { width, height },
            halvings: 0,
            first: false,
            splitting,
        }
    }

    fn size(&self) -> Size {
        Size {
            width: self.scale.width,
            height: self.scale.height,
        }
    }
}

/// The passes of a picture in a content's shape.
pub(super) fn stages(
    settings: &Nnst,
    content: &Picture,
    long_side: usize,
    least: usize,
) -> Vec<Stage> {
    let (finest, most) = sizes(content, long_side, least);
    // The published program draws its picture anew from before its last step.
    let lost = usize::from(settings.faithful && settings.steps > 1);
    let stage = |halvings: usize, steps: usize, splitting: bool| {
        let Size { width, height } = halved_size(finest, halvings);
        Stage {
            scale: Scale {
                width,
                height,
                steps,
            },
            finest,
            halvings,
            first: halvings == most && !splitting,
            splitting,
        }
    };
    let coarse_to_fine = (0..=most).rev();
    let mut stages: Vec<_> = coarse_to_fine
        .map(|halvings| stage(halvings, settings.steps - lost, false))
        .collect();
    if settings.splitting > 0 {
        stages.push(stage(0, settings.splitting, true));
    }
    stages
}

/// A part of the picture and the styles that it is painted in.
struct Share {
    name: String,
    /// The region of its styles.
    region: Option<Option<usize>>,
    /// How much each pixel counts, `[h, w]`; `None` if all count alike.
    drawn: Option<Vec<f32>>,
    strength: f32,
}

impl Session<'_> {
    /// The planes of the content in a pass.
    pub(super) fn content_at(&self, stage: Stage) -> Result<Vec<f32>> {
        Ok(self.device().download(&self.content_of(stage)?)?)
    }

    fn content_of(&self, stage: Stage) -> Result<Tensor> {
        halved(self.device(), self.content, stage.finest, stage.halvings)
    }

    /// What a pass asks for.
    pub(super) fn demand(&self, stage: Stage) -> Demand {
        let (method, setup) = (self.method, self.setup);
        let turns = if method.settings.turns { TURNS } else { 1 };
        let of_style = |style| {
            let size = style_size(setup, style, stage.finest, method.least);
            std::iter::repeat_n(halved_size(size, stage.halvings), turns)
        };
        let styles: Vec<Size> = setup.styles.iter().flat_map(of_style).collect();
        let cells = |size: &Size| size.pixels() / (STEP * STEP) + 1;
        let mut places = styles.iter().map(cells).sum::<usize>();
        if !method.settings.faithful {
            places = places.min(method.settings.samples);
        }
        let row = size_of::<f32>()
            * method
                .layers
                .iter()
                .map(|layer| layer.channels)
                .sum::<usize>();
        let own = AT_ONCE.min(cells(&stage.size()));
        Demand {
            scale: stage.scale,
            styles,
            rows: row * (COPIES * places + COPIES * own),
        }
    }

    /// The terms of a pass from a picture so far; of a run that goes on, which is given back what was matched, without it.
    pub(super) fn terms_of(
        &self,
        stage: Stage,
        current: Option<&[f32]>,
        (network, style_network): (NetworkView<'_>, NetworkView<'_>),
    ) -> Result<Vec<Term>> {
        let mut terms = Vec::new();
        let shares = self.setup.shares(stage.size());
        let query = match current {
            Some(current) if !stage.splitting => Some(self.query(stage, current, network)?),
            _ => None,
        };
        for share in self.parts(shares.as_ref()) {
            let styles = StylePlaces {
                session: self,
                stage,
                network: style_network,
                region: share.region,
            };
            match stage.splitting {
                true => {
                    for (layer, candidates) in self.method.layers.iter().zip(styles.layers()?) {
                        terms.push(self.split_term(stage, layer, &share, candidates)?);
                    }
                }
                false => terms.extend(self.match_term(stage, &share, &styles, query.as_deref())?),
            }
        }
        if let Some(extra) = &self.setup.extra_terms {
            terms.extend(extra.make(&TermContext {
                device: self.device(),
                scale: stage.scale,
                pixels: Pixels::Unit,
                margin: Margin::NONE,
            })?);
        }
        Ok(terms)
    }

    /// The parts of the picture: all of it, or those of regions.
    fn parts(&self, shares: Option<&Shares>) -> Vec<Share> {
        let Some(shares) = shares else {
            return vec![Share {
                name: String::new(),
                region: None,
                drawn: None,
                strength: 1.0,
            }];
        };
        let part = |part: &crate::regions::Part| Share {
            name: match part.region {
                Some(region) => format!(", region {}", region + 1),
                None => String::new(),
            },
            region: Some(part.region),
            drawn: Some(shares.drawn(part).0),
            strength: part.strength(&self.setup.styles),
        };
        shares.parts.iter().map(part).collect()
    }

    /// The features of what is matched.
    fn query(
        &self,
        stage: Stage,
        current: &[f32],
        network: NetworkView<'_>,
    ) -> Result<Vec<Tensor>> {
        let device = self.device();
        let (height, width) = (stage.scale.height, stage.scale.width);
        let content = self.content_of(stage)?;
        let query = match stage.first {
            // The picture so far is the photo.
            true => content,
            false => {
                let mut query = device.upload(current, &[3, height, width])?;
                let alpha = self.method.settings.alpha;
                device.axpby(1.0, &detail(device, &content)?, 1.0, &mut query)?;
                device.axpby(alpha, &content, 1.0 - alpha, &mut query)?;
                query
            }
        };
        let layers = self.method.layers.iter();
        let requests: Vec<_> = layers
            .map(|layer| TapRequest::features(layer.tap))
            .collect();
        let values = network.extract(device, &query, &requests)?;
        Ok(values
            .into_iter()
            .filter_map(|value| value.features)
            .collect())
    }

    /// Hypercolumns towards those that they are matched with.
    fn match_term(
        &self,
        stage: Stage,
        share: &Share,
        styles: &StylePlaces<'_>,
        query: Option<&[Tensor]>,
    ) -> Result<Option<Term>> {
        let device = self.device();
        let mut places = grid([stage.scale.height, stage.scale.width].map(|n| (n / STEP).max(1)));
        let weights = share.drawn.as_ref().map(|drawn| {
            let weights: Vec<f32> = places
                .iter()
                .map(|place| share.strength * at(drawn, stage.size(), *place))
                .collect();
            let mut counted = weights.iter();
            places.retain(|_| counted.next().is_some_and(|weight| *weight > 0.0));
            weights.into_iter().filter(|weight| *weight > 0.0).collect()
        });
        if places.is_empty() {
            return Ok(None);
        }
        let columns = self.columns();
        let (candidates, basis) = styles.columns(&columns)?;
        let matches = match query {
            Some(query) => {
                let search = Search {
                    device,
                    columns: &columns,
                    candidates: &candidates,
                    basis: basis.as_ref(),
                };
                let features: Vec<_> = query.iter().collect();
                search.matches(&features, &places)?
            }
            None => vec![],
        };
        Ok(Some(Term {
            name: format!("match{}", share.name),
            weight: 1.0,
            scaling: Scaling {
                reduction: Reduction::Mean,
                ..Scaling::NONE
            },
            loss: Box::new(MatchedLoss::new(
                columns, places, weights, candidates, matches,
            )),
        }))
    }

    /// A layer towards what it is most like of the rows of the styles.
    fn split_term(
        &self,
        stage: Stage,
        layer: &Layer,
        share: &Share,
        candidates: Tensor,
    ) -> Result<Term> {
        let device = self.device();
        let weights = match &share.drawn {
            Some(drawn) => {
                let region = Region::new(drawn, stage.size());
                let mut weights = region.shares(self.method.network.spec(), layer.tap)?;
                weights
                    .iter_mut()
                    .for_each(|weight| *weight *= share.strength);
                Some(weights)
            }
            None => None,
        };
        let refresh = match self.method.settings.faithful {
            true => 1,
            false => self.method.settings.refresh,
        };
        let loss: Box<dyn Loss> = Box::new(NearestLoss::new(
            device, layer.tap, candidates, weights, refresh,
        )?);
        Ok(Term {
            name: format!("nearest:{}{}", layer.name, share.name),
            weight: layer.share,
            scaling: Scaling::NONE,
            loss,
        })
    }
}

/// What a plane has at a place, each from 0 to 1.
fn at(plane: &[f32], size: Size, place: Point) -> f32 {
    let near = |share: f32, n: usize| (share * n.saturating_sub(1) as f32).round() as usize;
    let (y, x) = (near(place.y, size.height), near(place.x, size.width));
    plane.get(y * size.width + x).copied().unwrap_or(0.0)
}
