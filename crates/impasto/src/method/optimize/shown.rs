//! What pictures show at the taps of a network: moments of what is to be seen of them.
//!
//! What is transparent is hidden: its colours, whatever the file has there, show nothing. They are continued from what is
//! seen ([`Picture::filled`]), and places that mostly look at them do not count ([`Region`]).

use crate::Result;
use crate::picture::Picture;
use crate::recipe::Pixels;
use crate::region::{Border, Region};
use crate::tiling::NetworkView;
use impasto_compute::{Device, Moments, Size, Tap, TapRequest, Tensor};

/// A network that pictures are shown to.
#[derive(Clone, Copy)]
pub(super) struct Viewer<'a> {
    pub(super) device: &'a dyn Device,
    pub(super) network: NetworkView<'a>,
    /// The units of pixels that it reads.
    pub(super) pixels: Pixels,
}

/// What is asked of a network to see the moments of taps, of pictures with hidden parts or without.
pub(super) fn requests(taps: impl Iterator<Item = Tap>, has_hidden: bool) -> Vec<TapRequest> {
    let request = match has_hidden {
        true => TapRequest::features,
        false => TapRequest::moments,
    };
    taps.map(request).collect()
}

impl Viewer<'_> {
    /// A picture on the device.
    pub(super) fn upload(&self, picture: &Picture) -> Result<Tensor> {
        let values = self.pixels.encode(picture.rgb().to_vec());
        let shape = [3, picture.height(), picture.width()];
        Ok(self.device.upload(&values, &shape)?)
    }

    /// The moments of what is to be seen of a picture, tap by tap; of one that is hidden altogether, those of all of it.
    pub(super) fn moments(&self, picture: &Picture, taps: &[Tap]) -> Result<Vec<Moments>> {
        let hidden = picture.is_partly_hidden();
        let image = match hidden {
            true => self.upload(&picture.filled())?,
            false => self.upload(picture)?,
        };
        let requests = requests(taps.iter().copied(), hidden);
        let shown = self.network.extract(self.device, &image, &requests)?;
        drop(image);
        let size = Size {
            width: picture.width(),
            height: picture.height(),
        };
        let region = picture.alpha().filter(|_| hidden);
        let region = region.map(|alpha| Region::new(alpha, size));
        let mut moments = Vec::with_capacity(taps.len());
        for (tap, shown) in taps.iter().zip(shown) {
            moments.push(match (shown.moments, shown.features, &region) {
                (Some(moments), _, _) => moments,
                (None, Some(features), Some(region)) => self.in_region(region, *tap, &features)?,
                _ => continue,
            });
        }
        Ok(moments)
    }

    /// The moments of features in a region; those of all of them if no place is in it.
    fn in_region(&self, region: &Region, tap: Tap, features: &Tensor) -> Result<Moments> {
        let spec = self.network.spec();
        let [_, h, w] = spec.shape_at(tap, region.size())?;
        let weights = region.weights(spec, tap, Border::LeftOut)?;
        let weights = weights.unwrap_or_else(|| vec![1.0 / (h * w) as f32; h * w]);
        let weights = self.device.upload(&weights, &[h, w])?;
        Ok(self.device.weighted_moments(features, &weights)?)
    }
}
