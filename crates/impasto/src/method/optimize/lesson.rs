//! What networks learn by: the losses of optimisation, at crops of photos.

use super::OptimizeMethod;
use crate::Result;
use crate::loss::{Evaluation, Objective};
use crate::method::Setup;
use crate::observer::Scale;
use crate::picture::Picture;
use crate::tiling::NetworkView;
use impasto_compute::Tensor;

impl OptimizeMethod {
    /// The objective of a crop of a photo, whose features are its content, with styles looked at in the sizes given.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub(crate) fn of_crop(
        &mut self,
        setup: &Setup,
        crop: &Picture,
        sizes: &[(usize, usize)],
    ) -> Result<Objective> {
        let mut cache = std::mem::take(&mut self.cache);
        let scale = Scale {
            width: crop.width(),
            height: crop.height(),
            steps: 1,
        };
        let whole = NetworkView::Whole(self.network.as_ref());
        let session = self.session(setup);
        let terms = session.terms_at(crop, scale, sizes, (whole, whole), &mut cache);
        let objective = terms.and_then(|terms| session.with_extra_terms(terms, scale, whole));
        self.cache = cache;
        objective
    }

    /// Values and gradient of an objective at an image `[3, h, w]`, RGB in 0..1.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub(crate) fn evaluate(
        &self,
        setup: &Setup,
        objective: &Objective,
        image: &Tensor,
    ) -> Result<Evaluation> {
        let device = setup.device.as_ref();
        Ok(objective.evaluate(device, self.network.as_ref(), None, image)?)
    }
}
