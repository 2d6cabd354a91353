//! The passes of a run: their sizes, what they start from, and their terms.

use super::Session;
use super::search::Search;
use super::styles::{StylePlaces, TURNS};
use crate::Result;
use crate::loss::columns::grid;
use crate::loss::matched::{AT_ONCE, MatchedLoss};
use crate::loss::nearest::NearestLoss;
use crate::loss::{Loss, Scaling, Term};
use crate::method::passes::parts::{Share, shares};
use crate::method::passes::sizes::{Halved, detail, sizes};
use crate::method::passes::{Demand, Layer, Views};
use crate::observer::Scale;
use crate::picture::Picture;
use crate::recipe::Nnst;
use crate::region::Region;
use crate::tiling::NetworkView;
use impasto_compute::{Point, Reduction, Size, Tensor};

/// Pixels from one place that is matched to the next.
pub(super) const STEP: usize = 4;
/// Copies of vectors while neighbours are sought: as they are, less their mean, and by components.
const COPIES: usize = 3;

/// What a pass is towards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    /// Each place's hypercolumn towards that it was matched with.
    #[default]
    Matching,
    /// Each layer by itself towards what is nearest.
    Splitting,
    /// The styles' moments.
    Finishing,
}

/// A pass.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stage {
    pub(super) at: Halved,
    /// Whether it is the first one, before which nothing was painted.
    pub(super) first: bool,
    pub(super) kind: Kind,
}

impl Stage {
    /// A pass at a width and height of its own.
    pub(super) fn alone((width, height): (usize, usize), kind: Kind) -> Self {
        Self {
            at: Halved::new(Size { width, height }, 0, 1),
            first: false,
            kind,
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
    let coarse_to_fine = (0..=most).rev();
    let mut stages: Vec<_> = coarse_to_fine
        .map(|halvings| Stage {
            at: Halved::new(finest, halvings, settings.steps - lost),
            first: halvings == most,
            kind: Kind::Matching,
        })
        .collect();
    for (kind, steps) in [
        (Kind::Splitting, settings.splitting),
        (Kind::Finishing, settings.finish),
    ] {
        if steps > 0 {
            stages.push(Stage {
                at: Halved::new(finest, 0, steps),
                first: false,
                kind,
            });
        }
    }
    stages
}

impl Session<'_> {
    /// The planes of the content in a pass.
    pub(super) fn content_at(&self, stage: Stage) -> Result<Vec<f32>> {
        let device = self.device();
        Ok(device.download(&stage.at.image(device, self.content)?)?)
    }

    /// What a pass asks for.
    pub(super) fn demand(&self, stage: Stage) -> Demand {
        let (method, setup) = (self.method, self.setup);
        if let (Kind::Finishing, Some(finish)) = (stage.kind, &method.finish) {
            let of_style = |style| stage.at.of_style(setup, style, method.least());
            return Demand {
                scale: stage.at.scale,
                requests: finish.requests(setup),
                styles: setup.styles.iter().map(of_style).collect(),
                rows: 0,
            };
        }
        let turns = if method.settings.turns { TURNS } else { 1 };
        let of_style = |style| {
            let size = stage.at.of_style(setup, style, method.least());
            std::iter::repeat_n(size, turns)
        };
        let styles: Vec<Size> = setup.styles.iter().flat_map(of_style).collect();
        let cells = |size: &Size| size.pixels() / (STEP * STEP) + 1;
        let mut places = styles.iter().map(cells).sum::<usize>();
        if !method.settings.faithful {
            places = places.min(method.settings.samples);
        }
        let row = size_of::<f32>() * method.eye.channels();
        let own = AT_ONCE.min(cells(&stage.at.size()));
        Demand {
            scale: stage.at.scale,
            requests: method.eye.requests(),
            styles,
            rows: row * (COPIES * places + COPIES * own),
        }
    }

    /// The terms of a pass from a picture so far; of a run that goes on, which is given back what was matched, without it.
    pub(super) fn terms_of(
        &self,
        stage: Stage,
        current: Option<&[f32]>,
        (network, style_network): Views<'_>,
    ) -> Result<Vec<Term>> {
        if let (Kind::Finishing, Some(finish)) = (stage.kind, &self.method.finish) {
            let content = (self.content, stage.at.scale);
            let own = self.method.eye.network.as_ref();
            return finish.terms(self.setup, own, content, (network, style_network));
        }
        let mut terms = Vec::new();
        let query = match (stage.kind, current) {
            (Kind::Matching, Some(current)) => Some(self.query(stage, current, network)?),
            _ => None,
        };
        for share in shares(self.setup, stage.at.size()) {
            let styles = StylePlaces {
                session: self,
                stage,
                network: style_network,
                region: share.region,
            };
            if stage.kind == Kind::Matching {
                terms.extend(self.match_term(stage, &share, &styles, query.as_deref())?);
                continue;
            }
            for (layer, candidates) in self.method.eye.layers.iter().zip(styles.layers()?) {
                terms.push(self.split_term(stage, layer, &share, candidates)?);
            }
        }
        Ok(terms)
    }

    /// The features of what is matched.
    fn query(
        &self,
        stage: Stage,
        current: &[f32],
        network: NetworkView<'_>,
    ) -> Result<Vec<Tensor>> {
        let device = self.device();
        let Scale { width, height, .. } = stage.at.scale;
        let content = stage.at.image(device, self.content)?;
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
        self.method.eye.look(device, &query, network)
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
        let mut places =
            grid([stage.at.scale.height, stage.at.scale.width].map(|n| (n / STEP).max(1)));
        let weights = share.drawn.as_ref().map(|drawn| {
            let weights: Vec<f32> = places
                .iter()
                .map(|place| share.strength * at(drawn, stage.at.size(), *place))
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
                let region = Region::new(drawn, stage.at.size());
                let mut weights = region.shares(self.method.eye.network.spec(), layer.tap)?;
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
