//! Losses and gradient at one picture.

use super::Session;
use super::targets::StyleCache;
use crate::method::Inspection;
use crate::observer::{Scale, term_values};
use crate::picture::Picture;
use crate::recipe::Problem;
use crate::tiling::NetworkView;
use crate::{Error, Result};

/// Refuses an image that is not as large as the content.
pub(in crate::method) fn check_sizes(content: &Picture, image: &Picture) -> Result<()> {
    let size = |picture: &Picture| (picture.width(), picture.height());
    if size(content) == size(image) {
        return Ok(());
    }
    let ((width, height), (wanted, high)) = (size(image), size(content));
    let allowed = format!("must be as large as the content, {wanted}×{high}");
    let problem = Problem::new("image", format!("{width}×{height}"), allowed);
    Err(Error::Invalid(vec![problem]))
}

impl Session<'_> {
    /// Losses and gradient at an image of the content's size, with styles in the sizes given.
    pub(super) fn inspect(
        &self,
        content: &Picture,
        image: &Picture,
        sizes: &[(usize, usize)],
    ) -> Result<Inspection> {
        let scale = Scale {
            width: content.width(),
            height: content.height(),
            steps: 1,
        };
        let cut = self.cut_network(self.cut_for(content)?.as_ref())?;
        let device = self.device();
        let network = self.view(cut.as_ref());
        let networks = (network, NetworkView::Whole(self.network));
        let cache = &mut StyleCache::default();
        let terms = self.terms_at(content, scale, sizes, networks, cache)?;
        let objective = self.with_extra_terms(terms, scale, network)?;
        let pixels = self.settings.pixels;
        let tensor = device.upload(
            &pixels.encode(image.rgb().to_vec()),
            &[3, image.height(), image.width()],
        )?;
        let evaluation = network.evaluate(device, &objective, &tensor)?;
        Ok(Inspection {
            terms: term_values(&objective, &evaluation.values)?,
            total: objective.total(&evaluation.values)?,
            // By the chain rule, what turns pictures into the recipe's units turns gradients back.
            gradient: pixels.encode(device.download(&evaluation.gradient)?),
        })
    }
}
