//! A network on a device: what runs, whole, tile by tile or in strips, and what it takes.

use crate::{ComputeError, Hardware, NetSpec, Result, Size, Tap, TapRequest, Tape, Tensor, Window};
use std::fmt;

/// A device that runs networks.
pub trait Networks: Hardware {
    /// Prepares a network: filters are transformed once, here.
    fn network(&self, spec: &NetSpec) -> Result<Box<dyn Network>>;
}

/// What a pass through a network needs, in bytes, its input not included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Most at a time in the forward pass.
    pub forward: usize,
    /// What the tape keeps from then on, once [`Tape::release`] was called.
    pub kept: usize,
    /// Most at a time in the backward pass, what is kept included, and the gradient.
    pub backward: usize,
    /// What stays from one pass over a whole image of this size to the next, until [`Network::forget`]; of tiles,
    /// nothing.
    pub prepared: usize,
}

/// How a picture runs through a network, or a [graph](crate::graph), in strips of full width: whatever its height, of most
/// maps only some rows exist at a time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Strips {
    /// Rows of the image at a time, at most about; `None` for as many as the device likes.
    pub rows: Option<usize>,
    /// Layers whose maps are kept for the way back, nodes of a graph whose maps are kept for later passes; what else is
    /// needed there is made again from these.
    pub kept: Vec<usize>,
}

/// A way to run a picture in strips, and what it takes.
#[derive(Clone, Debug, PartialEq)]
pub struct StripsPlan {
    /// What is kept.
    pub strips: Strips,
    /// What a pass needs; nothing stays prepared. Graphs have a forward pass alone.
    pub memory: Memory,
    /// Products per product of a pass over the whole picture, forward and, of networks, backward.
    pub work: f64,
}

/// How long a part of a network took in the last pass through it, losses on its features not included.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StageTime {
    /// The last layer of the part; it begins behind the last layer of the part before.
    pub last_layer: usize,
    /// Seconds forward, moments included.
    pub forward: f64,
    /// Seconds backward.
    pub backward: f64,
}

/// A network prepared on a device.
pub trait Network: Send + Sync + fmt::Debug {
    /// What it was made from.
    fn spec(&self) -> &NetSpec;

    /// Runs an image `[3, h, w]` in 0..1, or the features `[c, h, w]` that the network reads, as deep as the deepest tap asks.
    ///
    /// # Errors
    /// [`ComputeError::TooSmall`](crate::ComputeError::TooSmall),
    /// [`ComputeError::NoSuchTap`](crate::ComputeError::NoSuchTap).
    fn forward<'a>(&'a self, image: &Tensor, taps: &[TapRequest]) -> Result<Box<dyn Tape + 'a>>;

    /// Whether it runs tiles of larger pictures ([`Network::forward_tile`]).
    fn has_tiles(&self) -> bool {
        false
    }

    /// Runs a tile of a larger picture: like [`Network::forward`], but moments are those of the part of each map that
    /// lies in a window of the image ([`Window::at_stride`]), which a tap that sees nothing of it must not be asked
    /// for. Features are those of the whole tile. The image is given away, so that it need not outlive its use.
    ///
    /// # Errors
    /// As [`Network::forward`]; [`ComputeError::Unsupported`](crate::ComputeError::Unsupported) if the device has no
    /// tiles.
    fn forward_tile<'a>(
        &'a self,
        image: Tensor,
        window: &Window,
        taps: &[TapRequest],
    ) -> Result<Box<dyn Tape + 'a>> {
        let _ = (image, window, taps);
        Err(ComputeError::Unsupported {
            device: "this device".into(),
            operation: "to work tile by tile",
        })
    }

    /// Whether it runs whole pictures in strips of full width, with these taps ([`Network::forward_strips`]).
    fn has_strips(&self, taps: &[TapRequest]) -> bool {
        let _ = taps;
        false
    }

    /// Runs an image like [`Network::forward`], in strips: the same values to the last bit, in less memory, and parts of
    /// the work done once more for the gradient.
    ///
    /// # Errors
    /// As [`Network::forward`]; [`ComputeError::Unsupported`](crate::ComputeError::Unsupported) if it
    /// [has none](Network::has_strips).
    fn forward_strips<'a>(
        &'a self,
        image: &'a Tensor,
        strips: &Strips,
        taps: &[TapRequest],
    ) -> Result<Box<dyn Tape + 'a>> {
        let _ = (image, strips, taps);
        Err(ComputeError::Unsupported {
            device: "this device".into(),
            operation: "to work strip by strip",
        })
    }

    /// The ways to run an image of some size in strips of some rows, if it [has them](Network::has_strips): from
    /// the one that takes least memory to the one that takes least work.
    ///
    /// # Errors
    /// As [`Network::forward`].
    fn strips(
        &self,
        size: Size,
        rows: Option<usize>,
        taps: &[TapRequest],
    ) -> Result<Vec<StripsPlan>> {
        let _ = (size, rows, taps);
        Ok(vec![])
    }

    /// What a pass over an image of some size needs, whole or as a tile; an estimate, from above where the
    /// device does not know better: every map in f32, and two more.
    ///
    /// # Errors
    /// As [`Network::forward`].
    fn memory(&self, size: Size, taps: &[TapRequest]) -> Result<Memory> {
        let spec = self.spec();
        let mut layers = Vec::with_capacity(taps.len());
        for request in taps {
            layers.push(spec.layer_of(request.tap)?);
        }
        let Some(deepest) = layers.into_iter().max() else {
            return Ok(Memory::default());
        };
        let (mut kept, mut largest) = (0, 0);
        for layer in 0..=deepest {
            let shape = spec.shape_at(Tap::Layer(layer), size)?;
            let bytes = size_of::<f32>() * shape.iter().product::<usize>();
            (kept, largest) = (kept + bytes, bytes.max(largest));
        }
        Ok(Memory {
            forward: kept,
            kept,
            backward: kept + 2 * largest,
            prepared: 0,
        })
    }

    /// Lets go of what is kept from pass to pass for speed, when other networks will run or memory is wanted elsewhere.
    fn forget(&self) {}

    /// Where the time of the last forward and backward pass went, from the image to the deepest layer; empty if the
    /// device does not know.
    fn times(&self) -> Vec<StageTime> {
        Vec::new()
    }
}
