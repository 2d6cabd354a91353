//! The optimisation as the last pass of another method: towards the styles' moments, from what that method has painted.
//!
//! A method of places puts strokes where they belong, and what it leaves, colours and textures that are nowhere in the styles, is
//! what moments tell best. Few steps do, at the final size alone.

use super::Session;
use super::layers::Layers;
use super::margin::Margin;
use super::parameterization::Parameterization;
use super::targets::StyleCache;
use crate::encoder::Encoder;
use crate::loss::Term;
use crate::method::Setup;
use crate::method::passes::Views;
use crate::observer::Scale;
use crate::picture::Picture;
use crate::recipe::{AdamSettings, Optimize, OptimizerSettings};
use crate::{Result, recipe};
use impasto_compute::{NetSpec, Network, TapRequest};
use std::sync::Arc;

/// Size of a step, and decay of the average of them that is the result.
const LEARNING_RATE: f32 = 0.02;
const AVERAGING: f32 = 0.95;

/// The optimisation on a method's own network.
#[derive(Debug)]
pub(in crate::method) struct Finish {
    settings: Optimize,
    layers: Layers,
}

impl Finish {
    /// With the layers that the encoder suggests.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) for an encoder that lacks them.
    pub(in crate::method) fn new(setup: &Setup, encoder: &Encoder, spec: &NetSpec) -> Result<Self> {
        let adam = AdamSettings {
            learning_rate: LEARNING_RATE,
            averaging: AVERAGING,
            ..AdamSettings::default()
        };
        let mut settings = Optimize {
            optimizer: OptimizerSettings::Adam(adam),
            ..Optimize::default()
        };
        settings.content.weight = recipe::LIGHTER;
        let layers = Layers::find(&settings, &setup.recipe, encoder, spec)?;
        Ok(Self { settings, layers })
    }

    /// How steps are taken.
    pub(in crate::method) fn settings(&self) -> &Optimize {
        &self.settings
    }

    /// The least side of a picture that reaches every layer.
    pub(in crate::method) fn least(&self) -> usize {
        self.layers.minimum_side
    }

    /// What a step asks of the network, and what is asked of styles.
    pub(in crate::method) fn requests(&self, setup: &Setup) -> Vec<TapRequest> {
        self.layers
            .requests(&self.settings, !setup.regions.is_whole())
    }

    fn session<'a>(&'a self, setup: &'a Setup, network: &'a dyn Network) -> Session<'a> {
        Session {
            setup,
            settings: &self.settings,
            network,
            spec: network.spec(),
            layers: &self.layers,
        }
    }

    /// What networks see beyond the border of a picture.
    pub(in crate::method) fn margin(
        &self,
        setup: &Setup,
        network: &dyn Network,
        scale: Scale,
    ) -> Margin {
        self.session(setup, network).margin(scale)
    }

    /// What is optimised.
    pub(in crate::method) fn parameterization(
        &self,
        setup: &Setup,
        network: &dyn Network,
        scale: Scale,
    ) -> Arc<dyn Parameterization> {
        self.session(setup, network).parameterization(scale)
    }

    /// The terms of a content at the final size.
    pub(in crate::method) fn terms(
        &self,
        setup: &Setup,
        network: &dyn Network,
        (content, scale): (&Picture, Scale),
        views: Views<'_>,
    ) -> Result<Vec<Term>> {
        let session = self.session(setup, network);
        session.terms(content, scale, views, &mut StyleCache::default())
    }
}
