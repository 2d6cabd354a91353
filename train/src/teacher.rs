//! The teacher: a large network on impasto's own device, whose features are projected on their leading principal
//! components.
//!
//! With `S = E[f·fᵀ]` the second moment of a layer's features over training crops (uncentred, as Gram matrices are) and
//! `V` its leading eigenvectors as rows, the target is `t = V·f / s`, where `s²` is the mean of the kept eigenvalues: a
//! target has mean square 1. As `V` is orthonormal, distances between Gram matrices and between moments of targets are
//! those of the layer, up to the scale and to what the other components hold. The projection is put into the network as
//! heads, so that one forward pass yields the targets.

use crate::config::TapConfig;
use crate::eigen;
use anyhow::{Context, Result, bail};
use impasto::compute::{Device, Head, Network, Padding, Tap, TapRequest};
use impasto::encoder::EncoderOptions;
use impasto::{Encoder, LayerName};

/// A layer of the teacher that is predicted.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// The layer.
    pub layer: LayerName,
    /// Its channels.
    pub channels: usize,
    /// Components that are predicted.
    pub components: usize,
    /// The projection `V / s`, `[components, channels]`.
    pub projection: Vec<f32>,
    /// Share of the layer's energy that the components hold, 0..1.
    pub kept: f64,
    /// The scale `s`.
    pub scale: f64,
}

impl Target {
    /// The same components in the teacher's own units: `V·f`.
    pub fn in_own_units(&self) -> Self {
        let projection = self.projection.iter().map(|v| v * self.scale as f32);
        Self {
            projection: projection.collect(),
            scale: 1.0,
            ..self.clone()
        }
    }
}

/// The teacher, ready to be asked.
#[derive(Debug)]
pub struct Teacher {
    device: Box<dyn Device>,
    network: Box<dyn Network>,
    /// What it is asked for.
    pub targets: Vec<Target>,
}

/// The encoder's options under which teacher and student look: those of impasto's own recipes.
pub fn options() -> EncoderOptions {
    EncoderOptions {
        padding: Padding::Replicate,
        ..EncoderOptions::default()
    }
}

/// A device of a number of threads; all processors' if none is said.
pub fn device(threads: Option<usize>) -> Result<Box<dyn Device>> {
    let choice = impasto::device::Choice {
        threads,
        ..Default::default()
    };
    Ok(impasto::device::open(&choice)?)
}

/// The index of the layer behind which a tap of an encoder sits; one of heads has none.
fn position(encoder: &Encoder, layer: LayerName) -> Result<usize> {
    match encoder.tap(layer)? {
        Tap::Layer(position) => Ok(position),
        Tap::Head(_) => bail!(
            "{} cannot teach: it is a student itself, with heads in place of layers",
            encoder.name()
        ),
    }
}

/// Finds the targets on crops `[3, side, side]`.
pub fn find_targets(
    encoder: &Encoder,
    taps: &[TapConfig],
    crops: &[Vec<f32>],
    side: usize,
) -> Result<Vec<Target>> {
    let device = device(None)?;
    let network = device.network(&encoder.spec(&options()))?;
    let mut places = Vec::with_capacity(taps.len());
    for tap in taps {
        places.push(Tap::Layer(position(encoder, tap.layer)?));
    }
    let requests: Vec<_> = places.iter().copied().map(TapRequest::moments).collect();
    let mut sums: Vec<Vec<f64>> = vec![vec![]; taps.len()];
    for crop in crops {
        let tape = network.forward(&device.upload(crop, &[3, side, side])?, &requests)?;
        for (&place, sum) in places.iter().zip(&mut sums) {
            let second = device.download(&tape.moments(place)?.second)?;
            sum.resize(second.len(), 0.0);
            sum.iter_mut()
                .zip(second)
                .for_each(|(sum, v)| *sum += f64::from(v));
        }
    }
    let pairs = taps.iter().zip(sums);
    pairs
        .map(|(tap, mut second)| {
            second.iter_mut().for_each(|v| *v /= crops.len() as f64);
            let channels = second.len().isqrt();
            if tap.components > channels {
                bail!(
                    "{} of {} has {channels} channels, and {} components are asked for",
                    tap.layer,
                    encoder.name(),
                    tap.components
                );
            }
            let (values, vectors) = eigen::symmetric(&second, channels);
            let (all, leading): (f64, f64) =
                (values.iter().sum(), values[..tap.components].iter().sum());
            if !(leading.is_finite() && leading > 0.0) {
                bail!(
                    "{} of {} sees nothing in the training data",
                    tap.layer,
                    encoder.name()
                );
            }
            let scale = (leading / tap.components as f64).sqrt();
            let rows = vectors[..tap.components * channels].iter();
            Ok(Target {
                layer: tap.layer,
                channels,
                components: tap.components,
                projection: rows.map(|v| (v / scale) as f32).collect(),
                kept: leading / all,
                scale,
            })
        })
        .collect()
}

impl Teacher {
    /// The teacher on a device, with targets that were found.
    pub fn new(encoder: &Encoder, targets: Vec<Target>, device: Box<dyn Device>) -> Result<Self> {
        let mut spec = encoder.spec(&options());
        spec.heads.clear();
        for target in &targets {
            spec.heads.push(Head {
                after: position(encoder, target.layer)?,
                out_channels: target.components,
                weight: target.projection.clone().into(),
                bias: vec![0.0; target.components].into(),
            });
        }
        let network = device
            .network(&spec)
            .context("the teacher's network cannot be prepared")?;
        Ok(Self {
            device,
            network,
            targets,
        })
    }

    /// The targets `[components, h, w]` of a picture `[3, height, width]`.
    pub fn look(&self, rgb: &[f32], (height, width): (usize, usize)) -> Result<Vec<Vec<f32>>> {
        heads(
            self.device.as_ref(),
            self.network.as_ref(),
            rgb,
            (height, width),
        )
    }
}

/// What all heads of a network see of a picture `[3, height, width]`.
pub fn heads(
    device: &dyn Device,
    network: &dyn Network,
    rgb: &[f32],
    (height, width): (usize, usize),
) -> Result<Vec<Vec<f32>>> {
    let taps: Vec<_> = (0..network.spec().heads.len()).map(Tap::Head).collect();
    let requests: Vec<_> = taps.iter().copied().map(TapRequest::features).collect();
    let tape = network.forward(&device.upload(rgb, &[3, height, width])?, &requests)?;
    let mut seen = Vec::with_capacity(taps.len());
    for tap in taps {
        seen.push(device.download(tape.features(tap)?)?);
    }
    Ok(seen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, Random};
    use crate::testing;

    #[test]
    fn targets_have_mean_square_one_and_keep_what_they_say() {
        let encoder = testing::teacher(5);
        let crops: Vec<Vec<f32>> = (0..6)
            .map(|index| {
                let mut random = Random::of(1, Purpose::Components, [index, 0]);
                (0..3 * 16 * 16).map(|_| random.uniform()).collect()
            })
            .collect();
        let taps = testing::taps(&[("relu1_1", 3), ("relu2_1", 6)]);
        let targets = find_targets(&encoder, &taps, &crops, 16).unwrap();
        let teacher = Teacher::new(&encoder, targets, device(Some(1)).unwrap()).unwrap();
        let mut squares = [0.0f64; 2];
        for crop in &crops {
            for (square, target) in squares
                .iter_mut()
                .zip(teacher.look(crop, (16, 16)).unwrap())
            {
                let sum: f64 = target.iter().map(|&v| f64::from(v).powi(2)).sum();
                *square += sum / (target.len() * crops.len()) as f64;
            }
        }
        for square in squares {
            assert!((square - 1.0).abs() < 1e-3, "{squares:?}");
        }
        assert!(
            teacher
                .targets
                .iter()
                .all(|target| target.kept > 0.3 && target.kept <= 1.0 + 1e-9)
        );
    }

    #[test]
    fn a_student_cannot_teach_and_a_layer_has_no_more_components_than_channels() {
        let crops = [vec![0.5; 3 * 64]];
        let student = Encoder::lite().unwrap();
        let taps = testing::taps(&[("relu1_1", 3)]);
        let error = find_targets(&student, &taps, &crops, 8).unwrap_err();
        assert!(error.to_string().contains("cannot teach"), "{error}");
        let taps = testing::taps(&[("relu1_1", 300)]);
        let error = find_targets(&testing::teacher(1), &taps, &crops, 8).unwrap_err();
        assert!(error.to_string().contains("300 components"), "{error}");
    }
}
