//! What looks at pictures in passes: a network, and some of its layers.

use crate::encoder::{Encoder, LayerName, WeightedLayer};
use crate::method::Setup;
use crate::recipe::Problem;
use crate::tiling::NetworkView;
use crate::{Error, Result};
use impasto_compute::{Device, NetSpec, Network, Size, Tap, TapRequest, Tensor};

/// The deepest layer that is looked at unless others are named: block, and layer of it.
const DEEPEST: (u8, u8) = (4, 3);

/// A layer that is looked at.
#[derive(Clone, Copy, Debug)]
pub(in crate::method) struct Layer {
    pub(in crate::method) name: LayerName,
    pub(in crate::method) tap: Tap,
    pub(in crate::method) channels: usize,
    /// Pixels of the picture from one place of it to the next.
    pub(in crate::method) stride: usize,
    /// What its features are multiplied by.
    pub(in crate::method) share: f32,
}

/// A network that is prepared on the device, and the layers that are looked at.
#[derive(Debug)]
pub(in crate::method) struct Eye {
    pub(in crate::method) network: Box<dyn Network>,
    pub(in crate::method) layers: Vec<Layer>,
    /// The least side of a picture that reaches every layer.
    pub(in crate::method) least: usize,
}

impl Eye {
    /// Prepares a network for a job, and finds the layers that a setting names, by its path, or else those of the encoder up
    /// to relu4_3.
    ///
    /// # Errors
    /// [`Error::Invalid`] with everything that is wrong with recipe, styles and layers; whatever the device reports.
    pub(in crate::method) fn new(
        named: (&str, &[WeightedLayer]),
        setup: &Setup,
        encoder: &Encoder,
    ) -> Result<Self> {
        let spec = encoder.spec(&setup.recipe.encoder);
        let mut problems = setup.problems();
        match find_layers(named, encoder, &spec) {
            Ok((layers, least)) if problems.is_empty() => Ok(Self {
                network: setup.device.network(&spec)?,
                layers,
                least,
            }),
            Err(Error::Invalid(more)) => {
                problems.extend(more);
                Err(Error::Invalid(problems))
            }
            Ok(_) => Err(Error::Invalid(problems)),
            Err(other) => Err(other),
        }
    }

    /// The features of all layers.
    pub(in crate::method) fn requests(&self) -> Vec<TapRequest> {
        let layers = self.layers.iter();
        layers
            .map(|layer| TapRequest::features(layer.tap))
            .collect()
    }

    /// Channels of all layers.
    pub(in crate::method) fn channels(&self) -> usize {
        self.layers.iter().map(|layer| layer.channels).sum()
    }

    /// What the layers show of an image `[3, h, w]`.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub(in crate::method) fn look(
        &self,
        device: &dyn Device,
        image: &Tensor,
        network: NetworkView<'_>,
    ) -> Result<Vec<Tensor>> {
        let values = network.extract(device, image, &self.requests())?;
        let features = values.into_iter().filter_map(|value| value.features);
        Ok(features.collect())
    }
}

/// The layers that a setting names, by its path, or else those of the encoder up to relu4_3; and the least side of a picture
/// that reaches all of them.
///
/// # Errors
/// [`Error::Invalid`] with every layer that the encoder cannot look at.
fn find_layers(
    (field, named): (&str, &[WeightedLayer]),
    encoder: &Encoder,
    spec: &NetSpec,
) -> Result<(Vec<Layer>, usize)> {
    let shallow = |layer: &LayerName| match *layer {
        LayerName::Relu { block, index } => (block, index) <= DEEPEST,
        _ => false,
    };
    let named = match named {
        [] => {
            let taps = encoder.taps().into_iter().filter(shallow);
            taps.map(WeightedLayer::one).collect()
        }
        layers => layers.to_vec(),
    };
    let (mut found, mut problems, mut least) = (Vec::new(), Vec::new(), 1);
    for WeightedLayer { layer, weight } in named {
        match encoder.tap(layer) {
            Ok(tap) => {
                least = least.max(spec.minimum_side(tap)?);
                found.push((layer, tap, weight));
            }
            Err(error) => problems.push(Problem::new(field, layer, error.to_string())),
        }
    }
    if !problems.is_empty() {
        return Err(Error::Invalid(problems));
    }
    let (width, height) = (least, least);
    let layer = |(name, tap, share)| -> Result<Layer> {
        let [channels, _, _] = spec.shape_at(tap, Size { width, height })?;
        Ok(Layer {
            name,
            tap,
            channels,
            stride: spec.stride(spec.layer_of(tap)?),
            share,
        })
    };
    let layers = found.into_iter().map(layer).collect::<Result<_>>()?;
    Ok((layers, least))
}
