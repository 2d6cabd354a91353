//! Cascades: a picture is encoded, its features get the statistics of the style's, and a decoder makes a picture of them
//! again; level after level, deepest first, each from the picture of the one before (Li et al. 2017, arXiv 1705.08086).

use super::means::{Means, Need};
use super::steady::Steady;
use super::transform::{Affine, Gaussian, Statistic};
use super::{Look, picture_of, tensor_of};
use crate::Result;
use crate::encoder::LayerName;
use crate::nets::{self, padded};
use crate::picture::Picture;
use crate::region::{Border, Region};
use impasto_compute::graph::{Graph, Shape};
use impasto_compute::{Device, Network, Size, Tap, TapRequest, Tape, Tensor};

/// How a cascade is run.
#[derive(Clone, Debug)]
pub(super) struct Passes<'a> {
    /// The levels that are run, by their numbers.
    pub(super) levels: &'a [usize],
    /// `α·T(f) + (1 − α)·f`.
    pub(super) alpha: f32,
    /// What is brought to the style's.
    pub(super) statistic: Statistic,
    /// Whether pictures between levels are clamped to 0..1.
    pub(super) clamped: bool,
    /// What is kept of contents, if they are frames of a shot.
    pub(super) steady: &'a Steady,
}

/// A cascade that is prepared on a device.
#[derive(Debug)]
pub(super) struct Cascade {
    encoders: Vec<Box<dyn Network>>,
    levels: Vec<Level>,
    /// Sides of pictures are made multiples of this.
    multiple: usize,
}

#[derive(Debug)]
struct Level {
    /// What it is called by: 5 for relu5_1.
    number: usize,
    encoder: usize,
    tap: Tap,
    decoder: Box<dyn Graph>,
}

/// What a style looks like at the levels of a cascade, in their order.
pub(super) type StyleStatistics = Vec<Gaussian>;

impl Cascade {
    /// Prepares a cascade.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub(super) fn new(device: &dyn Device, spec: &nets::Cascade) -> Result<Self> {
        let encoders = spec.encoders.iter().map(|spec| device.network(spec));
        let encoders = encoders.collect::<Result<_, _>>()?;
        let level = |level: &nets::Level| -> Result<Level> {
            Ok(Level {
                number: number(level.layer),
                encoder: level.encoder,
                tap: level.tap,
                decoder: device.graph(&level.decoder)?,
            })
        };
        let levels = spec.levels.iter().map(level).collect::<Result<_>>()?;
        Ok(Self {
            encoders,
            levels,
            multiple: spec.multiple(),
        })
    }

    /// The numbers of its levels.
    pub(super) fn numbers(&self) -> impl Iterator<Item = usize> {
        self.levels.iter().map(|level| level.number)
    }

    /// What a style looks like, in the size that it has; `exact` if it will be whitened. What is hidden of one with
    /// transparency does not count: its places have the weights of a [`Region`].
    ///
    /// # Errors
    /// Whatever the device reports.
    pub(super) fn look(
        &self,
        means: Means<'_>,
        style: &Picture,
        exact: bool,
    ) -> Result<StyleStatistics> {
        let device = means.device;
        let region = style.is_partly_hidden().then(|| self.region(style));
        let image = match &region {
            Some(_) => tensor_of(device, &style.filled(), self.multiple)?,
            None => tensor_of(device, style, self.multiple)?,
        };
        let from_features = exact || region.is_some();
        let mut seen: Vec<Option<Gaussian>> = vec![None; self.levels.len()];
        for (index, encoder) in self.encoders.iter().enumerate() {
            let here = self.levels.iter().enumerate();
            let here: Vec<_> = here.filter(|(_, level)| level.encoder == index).collect();
            let taps: Vec<_> = here
                .iter()
                .map(|(_, level)| match from_features {
                    true => TapRequest::features(level.tap),
                    false => TapRequest::moments(level.tap),
                })
                .collect();
            if taps.is_empty() {
                continue;
            }
            let tape = encode(means, encoder.as_ref(), &image, &taps)?;
            for (place, level) in here {
                let places = places(encoder.as_ref(), level.tap, image.shape())?;
                let weights = match &region {
                    Some(region) => {
                        Some(region.weights(encoder.spec(), level.tap, Border::LeftOut)?)
                    }
                    None => None,
                };
                // Where no place belongs to what is seen, all count.
                let weights = weights.map(|some| some.unwrap_or_else(|| equal(places)));
                let view = View {
                    tape: tape.as_ref(),
                    tap: level.tap,
                    places,
                };
                seen[place] = Some(view.gaussian(device, exact, weights.as_deref())?);
            }
        }
        Ok(seen.into_iter().flatten().collect())
    }

    /// What is to be seen of a picture, in the size in which it is shown to encoders.
    fn region(&self, picture: &Picture) -> Region {
        self.shown(picture.alpha().unwrap_or_default(), picture.size())
    }

    fn shown(&self, share: &[f32], size: Size) -> Region {
        let (share, size) = padded(share, size, self.multiple);
        Region::new(&share, size)
    }

    /// Paints a content in the size that it has. Of its statistics each pixel has a part as large as `counts` says, 0..1, all
    /// the same if there is none.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub(super) fn paint(
        &self,
        means: Means<'_>,
        (content, counts): (&Picture, Option<&[f32]>),
        styles: &[Look<&StyleStatistics>],
        passes: &Passes<'_>,
    ) -> Result<Picture> {
        let device = means.device;
        let region = counts.map(|counts| self.shown(counts, content.size()));
        let mut image = tensor_of(device, content, self.multiple)?;
        let alpha = f64::from(passes.alpha);
        let levels = self.levels.iter().enumerate();
        let mut left = passes.levels.len();
        for (index, level) in levels.filter(|(_, level)| passes.levels.contains(&level.number)) {
            let encoder = self.encoders[level.encoder].as_ref();
            let exact = matches!(passes.statistic, Statistic::Whitening(_));
            let mut taps = vec![TapRequest::features(level.tap)];
            if !exact && region.is_none() {
                taps.push(TapRequest::moments(level.tap));
            }
            let tape = encode(means, encoder, &image, &taps)?;
            let view = View {
                tape: tape.as_ref(),
                tap: level.tap,
                places: places(encoder, level.tap, image.shape())?,
            };
            let weights = match &region {
                Some(region) => Some(region.weights(encoder.spec(), level.tap, Border::Shared)?),
                None => None,
            };
            // Where nothing counts, as in a region that is hidden, all does.
            let weights = weights.map(|some| some.unwrap_or_else(|| equal(view.places)));
            let place = (content.size().pixels(), level.number);
            let taken = || view.gaussian(device, exact, weights.as_deref());
            let seen = passes.steady.gaussian(place, taken)?;
            let mut map = Affine::identity(seen.mean.len()).scaled(1.0 - alpha);
            for style in styles {
                let own = Affine::between(device, &seen, &style.seen[index], passes.statistic)?;
                map.add(alpha * f64::from(style.share), &own);
            }
            let features = map.apply(device, tape.features(level.tap)?)?;
            drop(tape);
            let way = level.decoding(means, features.shape())?;
            let made = level.decoder.run(&[&features], way.strips.as_ref())?;
            image = super::only(made)?;
            left -= 1;
            if passes.clamped && left > 0 {
                device.clamp(&mut image, 0.0, 1.0)?;
            }
        }
        self.encoders.iter().for_each(|encoder| encoder.forget());
        picture_of(device, &image, content)
    }

    /// How passes that paint at a size are run, and what they take.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub(super) fn need(&self, means: Means<'_>, size: Size) -> Result<Need> {
        let size = Size {
            width: size.width.next_multiple_of(self.multiple),
            height: size.height.next_multiple_of(self.multiple),
        };
        let mut need = Need::default();
        for level in &self.levels {
            let encoder = self.encoders[level.encoder].as_ref();
            let taps = [
                TapRequest::features(level.tap),
                TapRequest::moments(level.tap),
            ];
            let shape = encoder.spec().shape_at(level.tap, size)?;
            // Before and after they are mapped.
            let mapping = Need {
                bytes: 2 * bytes(&shape),
                ..Need::default()
            };
            let encoding = means.encoder(encoder, size, &taps)?;
            need = need
                .and(encoding)
                .and(mapping)
                .and(level.decoding(means, &shape)?);
        }
        Ok(need)
    }
}

/// What an encoder shows at a tap.
struct View<'a> {
    tape: &'a dyn Tape,
    tap: Tap,
    places: usize,
}

impl View<'_> {
    /// Mean and covariance, `exact` if features will be whitened, or of places that count by weights which add up to 1.
    fn gaussian(
        &self,
        device: &dyn Device,
        exact: bool,
        weights: Option<&[f32]>,
    ) -> Result<Gaussian> {
        let Self { tape, tap, places } = *self;
        match weights {
            None if exact => Gaussian::exact(device, tape.features(tap)?, &equal(places)),
            None => Gaussian::of(device, tape.moments(tap)?, places as f64),
            Some(weights) if exact => Gaussian::exact(device, tape.features(tap)?, weights),
            Some(weights) => Gaussian::weighted(device, tape.features(tap)?, weights),
        }
    }
}

/// The weights of places that count alike.
fn equal(places: usize) -> Vec<f32> {
    vec![1.0 / places as f32; places]
}

impl Level {
    /// How features of some shape are decoded, which are held meanwhile.
    fn decoding(&self, means: Means<'_>, shape: &[usize]) -> Result<Need> {
        let held = bytes(shape);
        let reads = Shape::of(shape).into_iter().collect::<Vec<_>>();
        let need = means.beside(held).graph(self.decoder.as_ref(), &reads)?;
        Ok(need.beside(held))
    }
}

/// Bytes of features of some shape, whose channels devices may fill up to blocks.
fn bytes(shape: &[usize]) -> usize {
    /// Channels of a block.
    const BLOCK: usize = 16;
    match *shape {
        [channels, height, width] => {
            size_of::<f32>() * channels.next_multiple_of(BLOCK) * height * width
        }
        _ => 0,
    }
}

/// Looks at an image, in strips if it does not fit.
fn encode<'a>(
    means: Means<'_>,
    encoder: &'a dyn Network,
    image: &'a Tensor,
    taps: &[TapRequest],
) -> Result<Box<dyn Tape + 'a>> {
    let need = match Shape::of(image.shape()) {
        Some(Shape::Map { size, .. }) => means.encoder(encoder, size, taps)?,
        Some(Shape::Vector(_)) | None => Need::default(),
    };
    Ok(match &need.strips {
        Some(strips) => encoder.forward_strips(image, strips, taps)?,
        None => encoder.forward(image, taps)?,
    })
}

/// Places of a tap on an image of some shape.
fn places(network: &dyn Network, tap: Tap, shape: &[usize]) -> Result<usize> {
    let &[_, height, width] = shape else {
        return Ok(0);
    };
    let [_, h, w] = network.spec().shape_at(tap, Size { width, height })?;
    Ok(h * w)
}

/// What a level is called by: the block of its layer.
fn number(layer: LayerName) -> usize {
    match layer {
        LayerName::Conv { block, .. }
        | LayerName::Relu { block, .. }
        | LayerName::Pool { block } => block.into(),
        LayerName::Number(number) => number.into(),
    }
}
