//! Networks as data: what a device is given to prepare.
//!
//! A network is a sequence of 3×3 convolutions, ReLUs and 2×2 pools, as the VGG family has them (Simonyan and
//! Zisserman, arXiv 1409.1556), plus *heads*: linear 1×1 side branches that nothing else reads. Other kinds of
//! layer become further variants of [`Layer`]; strides, dilation and groups are refused by having no place here.

use crate::{ComputeError, Geometry, Head, Layer, Param, Result, Size, Tap, TapRequest, Window};

/// What happens to an image in 0..1 before the first layer: `(x − mean) · scale`, channel by channel.
/// Padding is applied after it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InputNorm {
    /// Subtracted.
    pub mean: [f32; 3],
    /// Multiplied.
    pub scale: [f32; 3],
}

/// What a network reads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Input {
    /// An image `[3, h, w]` in 0..1, prepared like this.
    Image(InputNorm),
    /// Features `[c, h, w]` of this many channels, as they are: the rest of a network behind one of its layers.
    Features(usize),
}

impl Input {
    /// Channels that are read.
    pub fn channels(&self) -> usize {
        match self {
            Input::Image(_) => 3,
            Input::Features(channels) => *channels,
        }
    }
}

impl From<InputNorm> for Input {
    fn from(norm: InputNorm) -> Self {
        Input::Image(norm)
    }
}

/// A network as data.
#[derive(Clone, Debug)]
pub struct NetSpec {
    /// What it reads. Below, "image" stands for either.
    pub input: Input,
    /// The sequence; the first layer is a convolution of as many channels as are read.
    pub layers: Vec<Layer>,
    /// Side branches, each behind one of the layers.
    pub heads: Vec<Head>,
}

impl NetSpec {
    /// Checks that channels and lengths fit from the image to the last layer and head.
    ///
    /// # Errors
    /// [`ComputeError::BadNetwork`] names the first layer that does not fit.
    pub fn validate(&self) -> Result<()> {
        let mut channels = self.input.channels();
        let mut after = Vec::with_capacity(self.layers.len());
        let bad = |layer, problem: String| Err(ComputeError::BadNetwork { layer, problem });
        match self.layers.first() {
            None => return bad(0, "there are no layers".into()),
            Some(first) if !first.begins() => {
                return bad(0, "a network starts with a convolution".into());
            }
            Some(_) => {}
        }
        for (index, layer) in self.layers.iter().enumerate() {
            layer.validate(index, channels)?;
            channels = layer.channels(channels);
            after.push(channels);
        }
        for (index, head) in self.heads.iter().enumerate() {
            match after.get(head.after) {
                Some(&channels) => head.validate(channels)?,
                None => {
                    let problem =
                        format!("the head reads layer {}, which does not exist", head.after);
                    return bad(index, problem);
                }
            }
        }
        Ok(())
    }

    /// All numbers that the network was made from: those of the layers in their order, then those of heads.
    pub fn params(&self) -> impl Iterator<Item = Param<'_>> {
        let layers = self.layers.iter().flat_map(Layer::params);
        layers.chain(self.heads.iter().flat_map(Head::params))
    }

    /// The layer behind which a tap sits.
    ///
    /// # Errors
    /// [`ComputeError::NoSuchTap`].
    pub fn layer_of(&self, tap: Tap) -> Result<usize> {
        let layer = match tap {
            Tap::Layer(layer) => layer,
            Tap::Head(head) => match self.heads.get(head) {
                Some(head) => head.after,
                None => {
                    return Err(ComputeError::NoSuchTap {
                        tap: tap.to_string(),
                        problem: format!("the network has {} heads", self.heads.len()),
                    });
                }
            },
        };
        if layer >= self.layers.len() {
            return Err(ComputeError::NoSuchTap {
                tap: tap.to_string(),
                problem: format!("the network has {} layers", self.layers.len()),
            });
        }
        Ok(layer)
    }

    /// The shape `[c, h, w]` of what a tap sees of an image of some size.
    ///
    /// # Errors
    /// [`ComputeError::NoSuchTap`], and [`ComputeError::TooSmall`] where nothing would be left.
    pub fn shape_at(&self, tap: Tap, size: Size) -> Result<[usize; 3]> {
        let last = self.layer_of(tap)?;
        let (mut c, mut here) = (self.input.channels(), size);
        for (index, layer) in self.layers[..=last].iter().enumerate() {
            c = layer.channels(c);
            here = here.at_stride(layer.geometry().stride);
            if here.height == 0 || here.width == 0 {
                return Err(ComputeError::TooSmall {
                    layer: index,
                    width: size.width,
                    height: size.height,
                    minimum: self.minimum_side(tap)?,
                });
            }
        }
        if let Tap::Head(head) = tap {
            c = self.heads[head].out_channels;
        }
        Ok([c, here.height, here.width])
    }

    /// The least width and height of an image for which a tap still sees something.
    ///
    /// # Errors
    /// [`ComputeError::NoSuchTap`].
    pub fn minimum_side(&self, tap: Tap) -> Result<usize> {
        Ok(self.stride(self.layer_of(tap)?))
    }

    /// The size of an image `[c, h, w]`.
    pub(crate) fn size_of(&self, shape: &[usize]) -> Result<Size> {
        match *shape {
            [c, height, width] if c == self.input.channels() => Ok(Size { width, height }),
            _ => Err(ComputeError::Shape {
                what: "what a network reads",
                expected: vec![self.input.channels(), 0, 0],
                got: shape.to_vec(),
            }),
        }
    }

    /// Checks that a window lies in an image, and that every tap whose moments are asked sees something of it.
    pub(crate) fn check_window(
        &self,
        window: &Window,
        size: Size,
        taps: &[TapRequest],
    ) -> Result<()> {
        let mut good = window.bottom() <= size.height && window.right() <= size.width;
        for request in taps.iter().filter(|tap| tap.want.is_of_moments()) {
            let stride = self.stride(self.layer_of(request.tap)?);
            good &= window.at_stride(stride).pixels() > 0;
        }
        if good {
            return Ok(());
        }
        Err(ComputeError::Shape {
            what: "the window of a tile",
            expected: vec![size.height, size.width],
            got: vec![window.top, window.left, window.bottom(), window.right()],
        })
    }

    /// Pixels of the image from one place of a layer's result to the next.
    pub fn stride(&self, layer: usize) -> usize {
        let layers = self.layers.iter().take(layer + 1);
        layers.map(|layer| layer.geometry().stride).product()
    }

    /// How far beyond a rectangle of the image, whose corners are multiples of the layer's stride, the image is looked
    /// at for a layer's result inside it.
    pub fn reach(&self, layer: usize) -> usize {
        self.sum_over(layer, |geometry| geometry.reach())
    }

    /// Pixels of the image, each way, on which one place of a layer's result depends.
    pub fn receptive_field(&self, layer: usize) -> usize {
        1 + self.sum_over(layer, |geometry| geometry.kernel - 1)
    }

    /// A sum of places over the layers up to one, in pixels of the image.
    fn sum_over(&self, last: usize, places: impl Fn(Geometry) -> usize) -> usize {
        let (mut stride, mut sum) = (1, 0);
        for layer in self.layers.iter().take(last + 1) {
            let geometry = layer.geometry();
            sum += stride * places(geometry);
            stride *= geometry.stride;
        }
        sum
    }

    /// Cuts a network in two behind a layer: the back reads what that layer makes.
    ///
    /// # Errors
    /// [`ComputeError::BadNetwork`] if nothing would be left behind the layer, or not a convolution first.
    pub fn split(&self, last: usize) -> Result<Halves> {
        if !self.layers.get(last + 1).is_some_and(Layer::begins) {
            return Err(ComputeError::BadNetwork {
                layer: last,
                problem: "a network is cut in front of a convolution only".into(),
            });
        }
        let [channels, ..] = self.shape_at(Tap::Layer(last), Size::square(usize::MAX))?;
        let (front, back): (Vec<_>, Vec<_>) =
            (0..self.heads.len()).partition(|&head| self.heads[head].after <= last);
        let heads = |indices: &[usize], skipped: usize| {
            let heads = indices.iter().map(|&head| Head {
                after: self.heads[head].after - skipped,
                ..self.heads[head].clone()
            });
            heads.collect()
        };
        Ok(Halves {
            last,
            front: NetSpec {
                input: self.input,
                layers: self.layers[..=last].to_vec(),
                heads: heads(&front, 0),
            },
            back: NetSpec {
                input: Input::Features(channels),
                layers: self.layers[last + 1..].to_vec(),
                heads: heads(&back, last + 1),
            },
            heads: [front, back],
        })
    }
}

/// A network cut in two.
#[derive(Clone, Debug)]
pub struct Halves {
    /// The layer behind which it is cut.
    pub last: usize,
    /// Up to that layer.
    pub front: NetSpec,
    /// The rest.
    pub back: NetSpec,
    /// Which heads each half has, by their index in the whole.
    heads: [Vec<usize>; 2],
}

impl Halves {
    /// The tap of a half that is a tap of the whole network, and whether that half is the back.
    pub fn tap(&self, tap: Tap) -> Option<(bool, Tap)> {
        match tap {
            Tap::Layer(layer) if layer <= self.last => Some((false, tap)),
            Tap::Layer(layer) => Some((true, Tap::Layer(layer - self.last - 1))),
            Tap::Head(head) => [false, true].into_iter().find_map(|back| {
                let heads = &self.heads[usize::from(back)];
                let place = heads.iter().position(|&other| other == head)?;
                Some((back, Tap::Head(place)))
            }),
        }
    }
}
