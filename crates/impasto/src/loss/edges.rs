//! Edges: what the photo has of them in its luminance stays.
//!
//! ```text
//! Y = .299 R + .587 G + .114 B       D = Y(x−d, y) + Y(x+d, y) + Y(x, y−d) + Y(x, y+d) − 4·Y(x, y)
//! L = mean (D − D̂)²                  dL/dY = 2/N · Dᵀ(D − D̂)
//! ```
//!
//! `D̂` is that of the photo. A term that is missing beyond the border takes its part of `4·Y` with it, so that flat
//! pictures have no edges. Source: Li, Xu, Nie and Yin 2017 (Laplacian-Steered Neural Style Transfer), who average over
//! squares before; here the distance `d` makes it coarse. Normalised by its target it is divided by the mean square of `D̂`.

use super::{Extent, Gradient, GradientScale, Loss, LossValue, Seen, View};
use impasto_compute::{Device, Patch, Result, Tensor, Window};

/// Y of R, G and B.
const LUMINANCE: [f32; 3] = [0.299, 0.587, 0.114];

/// The loss of edges towards those of a photo.
#[derive(Debug)]
pub struct EdgesLoss {
    /// `D̂`, `[1, h, w]`.
    target: Tensor,
    /// `[h, w]`: how many of its four neighbours each pixel has, negative.
    own: Tensor,
    /// The matrix from colours to luminance, and back.
    luminance: [Tensor; 2],
    nothing: [Tensor; 2],
    distance: usize,
    /// The mean square of the target.
    size: f64,
}

impl EdgesLoss {
    /// The loss towards the edges of a photo `[3, h, w]` in the units of the image, of pixels `distance` apart, at least 1.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn new(device: &dyn Device, photo: &Tensor, distance: usize) -> Result<Self> {
        let (h, w) = match *photo.shape() {
            [_, h, w] => (h, w),
            _ => (0, 0),
        };
        let distance = distance.max(1);
        let count = |place: usize, n: usize| {
            usize::from(place >= distance) + usize::from(place + distance < n)
        };
        let own: Vec<f32> = (0..h * w)
            .map(|at| -((count(at / w, h) + count(at % w, w)) as f32))
            .collect();
        let mut loss = Self {
            target: device.zeros(&[1, h, w])?,
            own: device.upload(&own, &[h, w])?,
            luminance: [
                device.upload(&LUMINANCE, &[1, 3])?,
                device.upload(&LUMINANCE, &[3, 1])?,
            ],
            nothing: [device.zeros(&[1])?, device.zeros(&[3])?],
            distance,
            size: 0.0,
        };
        loss.target = loss.edges(device, &loss.luminance_of(device, photo)?)?;
        let square = device.dot(&loss.target, &loss.target)?.value()?;
        loss.size = square / (h * w).max(1) as f64;
        Ok(loss)
    }

    fn luminance_of(&self, device: &dyn Device, image: &Tensor) -> Result<Tensor> {
        device.mix_channels(image, &self.luminance[0], &self.nothing[0])
    }

    /// `D` of a plane `[1, h, w]`. It is symmetric: its adjoint as well.
    fn edges(&self, device: &dyn Device, plane: &Tensor) -> Result<Tensor> {
        let mut edges = device.copy(plane)?;
        device.scale_places(&mut edges, &self.own)?;
        let (h, w, d) = (plane.shape()[1], plane.shape()[2], self.distance);
        let mut add = |top: usize, left: usize, height: usize, width: usize, to: (usize, usize)| {
            let from = Window {
                top,
                left,
                height,
                width,
            };
            match height * width {
                0 => Ok(()),
                _ => device.paste(plane, &Patch { from, to }, 1.0, &mut edges),
            }
        };
        let (tall, wide) = (h.saturating_sub(d), w.saturating_sub(d));
        add(0, 0, tall, w, (h - tall, 0))?;
        add(h - tall, 0, tall, w, (0, 0))?;
        add(0, 0, h, wide, (0, w - wide))?;
        add(0, w - wide, h, wide, (0, 0))?;
        Ok(edges)
    }
}

impl Loss for EdgesLoss {
    fn views(&self) -> &[View] {
        &[View::Image]
    }

    fn extent(&self) -> Extent {
        Extent {
            entries: self.target.len(),
            target: self.size,
        }
    }

    fn evaluate(
        &self,
        device: &dyn Device,
        seen: &[Seen<'_>],
        scale: GradientScale,
    ) -> Result<(LossValue, Vec<Gradient>)> {
        let image = Seen::only(seen)?.tensor()?;
        let edges = self.edges(device, &self.luminance_of(device, image)?)?;
        let (sum, towards) = device.squared_error(&edges, &self.target, scale.times(2.0))?;
        let towards = self.edges(device, &towards)?;
        let gradient = device.mix_channels(&towards, &self.luminance[1], &self.nothing[1])?;
        Ok((LossValue::of(1.0, sum), vec![Gradient::Tensor(gradient)]))
    }
}
