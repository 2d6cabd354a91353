//! The boundary between style transfer and the hardware.

use crate::{ComputeError, NetSpec, Result, Scalar, Tensor};
use std::fmt;
use std::ops::Range;

/// A place in a network that a loss looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tap {
    /// The result of the layer of this index: before its ReLU if it is a convolution, after it if it is the ReLU.
    Layer(usize),
    /// The result of the head of this index.
    Head(usize),
}

impl fmt::Display for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Tap::Layer(index) => write!(f, "layer {index}"),
            Tap::Head(index) => write!(f, "head {index}"),
        }
    }
}

/// A tap, and what is wanted of it. Asking for less is faster: moments never need the features to be kept in full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TapRequest {
    /// Where.
    pub tap: Tap,
    /// Whether [`Tape::features`] will be asked.
    pub features: bool,
    /// Whether [`Tape::moments`] will be asked.
    pub moments: bool,
    /// Whether a gradient towards moments will be given that need not be computed: those that an earlier pass over
    /// the same image has seen.
    pub replay: bool,
    /// Of a picture that runs strip by strip: whether its features will be shown part by part on the way back
    /// ([`Tape::backward_in_parts`]), so that they need not exist as a whole.
    pub parts: bool,
}

impl TapRequest {
    /// Asks for the features of a tap.
    pub fn features(tap: Tap) -> Self {
        Self {
            tap,
            features: true,
            moments: false,
            replay: false,
            parts: false,
        }
    }

    /// Asks for the moments of a tap.
    pub fn moments(tap: Tap) -> Self {
        Self {
            tap,
            features: false,
            moments: true,
            replay: false,
            parts: false,
        }
    }

    /// Announces a gradient towards moments that are known already.
    pub fn replay(tap: Tap) -> Self {
        Self {
            tap,
            features: false,
            moments: false,
            replay: true,
            parts: false,
        }
    }

    /// Asks for the features of a tap, part by part on the way back.
    pub fn parts(tap: Tap) -> Self {
        Self {
            tap,
            features: false,
            moments: false,
            replay: false,
            parts: true,
        }
    }
}

/// How a picture runs through a network in strips of full width: whatever its height, of most maps only some rows
/// exist at a time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Strips {
    /// Rows of the image at a time, at most about; `None` for as many as the device likes.
    pub rows: Option<usize>,
    /// Layers whose maps are kept for the way back; what else is needed there is made again from these.
    pub kept: Vec<usize>,
}

/// A way to run a picture in strips, and what it takes.
#[derive(Clone, Debug, PartialEq)]
pub struct StripsPlan {
    /// What is kept.
    pub strips: Strips,
    /// What a pass needs; nothing stays prepared.
    pub memory: Memory,
    /// Products per product of a pass over the whole picture, forward and backward.
    pub work: f64,
}

/// Some rows of the features of a tap, shown on the way back.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// Where.
    pub tap: Tap,
    /// Which part of the map `[c, h, w]`.
    pub place: Window,
    /// The features, `[c, place.height, place.width]`.
    pub features: &'a Tensor,
}

/// Says the gradient towards a part of features, of its shape, if it has one.
pub type Answer<'a> = dyn FnMut(&Part<'_>) -> Result<Option<Tensor>> + Send + 'a;

/// A rectangle of pixels of an image or of places of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// The first row.
    pub top: usize,
    /// The first column.
    pub left: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl Window {
    /// All of `height`×`width`.
    pub fn whole(height: usize, width: usize) -> Self {
        Self {
            top: 0,
            left: 0,
            height,
            width,
        }
    }

    /// The row behind the last.
    pub fn bottom(&self) -> usize {
        self.top + self.height
    }

    /// The column behind the last.
    pub fn right(&self) -> usize {
        self.left + self.width
    }

    /// Pixels.
    pub fn pixels(&self) -> usize {
        self.height * self.width
    }

    /// The same rectangle where a place stands for `stride`×`stride` of these; its far ends are rounded down, as
    /// pools do.
    pub fn at_stride(&self, stride: usize) -> Self {
        let (top, left) = (self.top / stride, self.left / stride);
        Self {
            top,
            left,
            height: (self.bottom() / stride).saturating_sub(top),
            width: (self.right() / stride).saturating_sub(left),
        }
    }

    /// What two rectangles share; of no pixels if there is nothing.
    pub fn shared(&self, other: &Window) -> Self {
        let (top, left) = (self.top.max(other.top), self.left.max(other.left));
        Self {
            top,
            left,
            height: self.bottom().min(other.bottom()).saturating_sub(top),
            width: self.right().min(other.right()).saturating_sub(left),
        }
    }

    /// The same rectangle, its places counted from the first of another one, which contains it.
    pub fn within(&self, other: &Window) -> Self {
        Self {
            top: self.top - other.top,
            left: self.left - other.left,
            ..*self
        }
    }
}

/// Which part of one tensor `[c, h, w]` goes to which part of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patch {
    /// Read.
    pub from: Window,
    /// First row and column written.
    pub to: (usize, usize),
}

impl Patch {
    /// Checks that both rectangles lie inside, and that channels agree.
    pub(crate) fn check(&self, x: &[usize], y: &[usize]) -> Result<()> {
        let Window { height, width, .. } = self.from;
        let fits = |shape: &[usize], top: usize, left: usize| match *shape {
            [_, h, w] => top + height <= h && left + width <= w,
            _ => false,
        };
        let good = fits(x, self.from.top, self.from.left) && fits(y, self.to.0, self.to.1);
        if good && x[0] == y[0] {
            return Ok(());
        }
        Err(ComputeError::Shape {
            what: "a patch of a tensor",
            expected: vec![
                x.first().copied().unwrap_or(0),
                self.to.0 + height,
                self.to.1 + width,
            ],
            got: y.to_vec(),
        })
    }

    /// Row by row, where it lies in row-major tensors `[c, h, w]` of these shapes, which were checked.
    pub(crate) fn rows(
        &self,
        x: &[usize],
        y: &[usize],
        mut visit: impl FnMut(Range<usize>, Range<usize>),
    ) {
        let Window { height, width, .. } = self.from;
        for channel in 0..x[0] {
            for row in 0..height {
                let source = (channel * x[1] + self.from.top + row) * x[2] + self.from.left;
                let target = (channel * y[1] + self.to.0 + row) * y[2] + self.to.1;
                visit(source..source + width, target..target + width);
            }
        }
    }
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

/// The statistics of one layer's features `F` `[c, h·w]` on which style losses stand.
///
/// Moments are sums over pixels, so those of a large picture are the weighted mean of those of its tiles.
/// The same struct carries a loss's gradient towards them; there `second` is taken entry by entry, as if the
/// entries were independent (a loss of a symmetric matrix has a symmetric gradient).
#[derive(Debug)]
pub struct Moments {
    /// Mean of each channel, `[c]`.
    pub mean: Tensor,
    /// Second raw moment `F·Fᵀ/(h·w)`, `[c, c]`.
    pub second: Tensor,
}

/// The gradient of a loss towards what it saw of one tap.
#[derive(Debug)]
pub struct Cotangent {
    /// Where.
    pub tap: Tap,
    /// dL/d features, `[c, h, w]`.
    pub features: Option<Tensor>,
    /// dL/d moments.
    pub moments: Option<Moments>,
}

impl Cotangent {
    /// A gradient towards features.
    pub fn features(tap: Tap, features: Tensor) -> Self {
        Self {
            tap,
            features: Some(features),
            moments: None,
        }
    }

    /// A gradient towards moments.
    pub fn moments(tap: Tap, moments: Moments) -> Self {
        Self {
            tap,
            features: None,
            moments: Some(moments),
        }
    }
}

/// Which differences between neighbours total variation looks at, and how.
///
/// With `D` the mean over all such differences of all channels (or their sum, see [`Reduction`]):
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TotalVariation {
    /// `D|Δx| + D|Δy|`.
    L1,
    /// `D Δx² + D Δy²`.
    L2,
    /// Nine-point stencil, the energy of the 9-point Laplacian, on the image continued by one pixel of its border
    /// on each side: `⅔·(D Δx² + D Δy²) + ⅙·(D Δ╲² + D Δ╱²)`. Differences to the right and downwards are taken at
    /// each of the `h·w` pixels, diagonal ones at each of the `(h+1)·(w+1)` corners
    /// (crowsonkb/style-transfer-pytorch).
    #[default]
    NinePoint,
}

/// Whether a loss is a mean or a sum over what it compares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Reduction {
    /// The mean.
    #[default]
    Mean,
    /// The sum.
    Sum,
}

/// The buffers of one Adam step, all of the image's shape.
#[derive(Debug)]
pub struct AdamBuffers<'a> {
    /// The image; updated.
    pub image: &'a mut Tensor,
    /// dL/d image.
    pub gradient: &'a Tensor,
    /// Running mean of gradients; updated.
    pub first: &'a mut Tensor,
    /// Running mean of squared gradients; updated.
    pub second: &'a mut Tensor,
    /// Running mean of images, without bias correction; updated.
    pub average: &'a mut Tensor,
}

/// The numbers of one Adam step (Kingma and Ba, arXiv 1412.6980, algorithm 1).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamStep {
    /// Step size.
    pub learning_rate: f32,
    /// Decay of `first`.
    pub beta1: f32,
    /// Decay of `second`.
    pub beta2: f32,
    /// Added to the corrected root: `lr · m̂ / (√v̂ + ε)`.
    pub epsilon: f32,
    /// `1 − β₁ᵗ`, with t counted from 1.
    pub correction1: f32,
    /// `1 − β₂ᵗ`.
    pub correction2: f32,
    /// Range into which the image is clamped after the step.
    pub clamp: Option<(f32, f32)>,
    /// Decay of `average`: `a ← d·a + (1−d)·x` after the clamp.
    pub average_decay: f32,
}

/// Where tensors live and networks run.
///
/// Operations are named for what they compute and documented by their formula; every device gives the same
/// answer up to rounding, and the [`reference`](crate::reference) device says which. All operands of a call
/// belong to the device that is called, and have the same layout (images with images, features with features of
/// the same tap and size).
///
/// # Errors
/// Every operation returns [`ComputeError::Shape`](crate::ComputeError::Shape) for operands that do not fit,
/// [`ComputeError::ForeignTensor`](crate::ComputeError::ForeignTensor) for tensors of another device, and
/// whatever the hardware may report.
pub trait Device: Send + Sync + fmt::Debug {
    /// The name by which it is chosen, such as `cpu`.
    fn name(&self) -> &str;

    /// One line for people: instruction set or adapter, threads, precision.
    fn describe(&self) -> String;

    /// What the last bits of its results depend on, in one line: two devices of one machine that say the same give the
    /// same bits. `None` if its tensors hold more than what is downloaded of them, so that work which went by way of
    /// the disk would differ in the last bits.
    fn arithmetic(&self) -> Option<String> {
        Some(self.describe())
    }

    /// Copies row-major values onto the device.
    fn upload(&self, values: &[f32], shape: &[usize]) -> Result<Tensor>;

    /// Copies a tensor back, row-major.
    fn download(&self, tensor: &Tensor) -> Result<Vec<f32>>;

    /// Prepares a network: filters are transformed once, here.
    fn network(&self, spec: &NetSpec) -> Result<Box<dyn Network>>;

    /// Bytes that it can still take of a memory of its own; `None` for a device that lives in that of the system, or does not
    /// know.
    fn free_memory(&self) -> Option<u64> {
        None
    }

    /// Tries whether there is room for so many more bytes, by taking them and giving them back. A device whose memory is that
    /// of the system does nothing.
    fn reserve(&self, bytes: usize) -> Result<()> {
        let _ = bytes;
        Ok(())
    }

    /// A second tensor with the same content.
    fn copy(&self, x: &Tensor) -> Result<Tensor>;

    /// A tensor of zeros.
    fn zeros(&self, shape: &[usize]) -> Result<Tensor> {
        self.upload(&vec![0.0; shape.iter().product()], shape)
    }

    /// `y[to] ← x[from] + b·y[to]`, for a rectangle of two tensors `[c, h, w]` of as many channels; nothing of `y` is
    /// read if `b` is 0.
    fn paste(&self, x: &Tensor, patch: &Patch, b: f32, y: &mut Tensor) -> Result<()> {
        patch.check(x.shape(), y.shape())?;
        let (from, mut to) = (self.download(x)?, self.download(y)?);
        patch.rows(x.shape(), y.shape(), |source, target| {
            let pairs = to[target].iter_mut().zip(&from[source]);
            pairs.for_each(|(to, from)| *to = if b == 0.0 { *from } else { from + b * *to });
        });
        *y = self.upload(&to, y.shape())?;
        Ok(())
    }

    /// `y ← a·x + b·y`.
    fn axpby(&self, a: f32, x: &Tensor, b: f32, y: &mut Tensor) -> Result<()>;

    /// `Σ xᵢ·yᵢ`.
    fn dot(&self, x: &Tensor, y: &Tensor) -> Result<Scalar>;

    /// `Σ |xᵢ|`.
    fn sum_abs(&self, x: &Tensor) -> Result<Scalar>;

    /// `max |xᵢ|`; 0 of nothing, and not a number if any is not.
    ///
    /// A device without its own version fetches the tensor.
    fn max_abs(&self, x: &Tensor) -> Result<Scalar> {
        let values = self.download(x)?;
        Ok(Scalar::Ready(greatest(
            values.into_iter().map(|v| f64::from(v).abs()),
        )))
    }

    /// `x ← min(max(x, low), high)`.
    ///
    /// A device without its own version fetches the tensor.
    fn clamp(&self, x: &mut Tensor, low: f32, high: f32) -> Result<()> {
        let mut values = self.download(x)?;
        values.iter_mut().for_each(|v| *v = v.max(low).min(high));
        *x = self.upload(&values, x.shape())?;
        Ok(())
    }

    /// `Σ (xᵢ − tᵢ)²` and `k·(x − t)`, in one pass.
    fn squared_error(&self, x: &Tensor, t: &Tensor, k: f32) -> Result<(Scalar, Tensor)>;

    /// `x ← k·x / Σ d`, where the divisor is a sum of scalars of this device; a divisor of 0 leaves zeros.
    fn scale_over(&self, x: &mut Tensor, k: f32, divisor: &[Scalar]) -> Result<()>;

    /// One step of Adam with clamping and iterate averaging, in one pass.
    fn adam(&self, buffers: AdamBuffers<'_>, step: &AdamStep) -> Result<()>;

    /// Total variation of an image `[c, h, w]` and `k` times its gradient, of the same shape.
    fn total_variation(
        &self,
        image: &Tensor,
        kind: TotalVariation,
        reduction: Reduction,
        k: f32,
    ) -> Result<(Scalar, Tensor)>;

    /// Covariance `S − μ·μᵀ + ridge·I`, `[c, c]`.
    fn covariance(&self, moments: &Moments, ridge: f32) -> Result<Tensor>;

    /// Sum of the diagonal of a square matrix.
    fn trace(&self, matrix: &Tensor) -> Result<Scalar>;

    /// The gradient towards moments from a symmetric gradient `D` towards their covariance:
    /// `dS = k·D`, `dμ = −2k·D·μ`.
    fn covariance_backward(&self, moments: &Moments, gradient: &Tensor, k: f32) -> Result<Moments>;

    /// A factor of a covariance, `L·Lᵀ = Σ`, lower triangular up to the order of its rows, for
    /// [`Device::fidelity`]. What is left of a channel's variance below a floor is rounding and raised to it, so a
    /// singular matrix has a factor too.
    fn cholesky(&self, covariance: &Tensor) -> Result<Tensor>;

    /// Fidelity of two covariances, `tr (Σ̂^½ Σ Σ̂^½)^½`, from `Σ` and a factor of `Σ̂`, and its gradient
    /// `½·Σ̂^½ (Σ̂^½ Σ Σ̂^½)^−½ Σ̂^½` towards `Σ`, `[c, c]`, symmetric.
    ///
    /// Equal to the nuclear norm of `LᵀL̂` for any factors `L·Lᵀ = Σ`, `L̂·L̂ᵀ = Σ̂`.
    fn fidelity(&self, covariance: &Tensor, target_factor: &Tensor) -> Result<(Scalar, Tensor)>;

    /// Standard deviation of each channel, `√(S_cc − μ_c² + ε)`, `[c]`.
    fn standard_deviation(&self, moments: &Moments, epsilon: f32) -> Result<Tensor>;

    /// The gradient towards moments from a gradient `d` `[c]` towards the standard deviation `deviation`:
    /// `dS_cc = d_c / (2σ_c)`, `dμ_c = −d_c·μ_c / σ_c`.
    fn standard_deviation_backward(
        &self,
        moments: &Moments,
        deviation: &Tensor,
        gradient: &Tensor,
    ) -> Result<Moments>;
}

/// The greatest of some numbers of at least 0; not a number if any is not.
pub(crate) fn greatest(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, |greatest, value| match value.is_nan() {
        true => value,
        false if value > greatest => value,
        false => greatest,
    })
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
    /// As [`Network::forward`]; [`ComputeError::BadSetting`](crate::ComputeError::BadSetting) if the device has no
    /// tiles.
    fn forward_tile<'a>(
        &'a self,
        image: Tensor,
        window: &Window,
        taps: &[TapRequest],
    ) -> Result<Box<dyn Tape + 'a>> {
        let _ = (image, window, taps);
        Err(ComputeError::BadSetting(
            "this device does not work tile by tile: use --device cpu, or a smaller size".into(),
        ))
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
    /// As [`Network::forward`]; [`ComputeError::BadSetting`](crate::ComputeError::BadSetting) if it
    /// [has none](Network::has_strips).
    fn forward_strips<'a>(
        &'a self,
        image: &'a Tensor,
        strips: &Strips,
        taps: &[TapRequest],
    ) -> Result<Box<dyn Tape + 'a>> {
        let _ = (image, strips, taps);
        Err(ComputeError::BadSetting(
            "this device does not work strip by strip: use --device cpu, or a smaller size".into(),
        ))
    }

    /// The ways to run an image of `height`×`width` in strips of some rows, if it [has them](Network::has_strips): from
    /// the one that takes least memory to the one that takes least work.
    ///
    /// # Errors
    /// As [`Network::forward`].
    fn strips(
        &self,
        height: usize,
        width: usize,
        rows: Option<usize>,
        taps: &[TapRequest],
    ) -> Result<Vec<StripsPlan>> {
        let _ = (height, width, rows, taps);
        Ok(vec![])
    }

    /// What a pass over an image of `height`×`width` needs, whole or as a tile; an estimate, from above where the
    /// device does not know better: every map in f32, and two more.
    ///
    /// # Errors
    /// As [`Network::forward`].
    fn memory(&self, height: usize, width: usize, taps: &[TapRequest]) -> Result<Memory> {
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
            let shape = spec.shape_at(Tap::Layer(layer), height, width)?;
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

/// One forward pass, kept until its gradient is asked for.
pub trait Tape {
    /// Features of a tap that was asked for, `[c, h, w]`, in the device's own layout.
    ///
    /// # Errors
    /// [`ComputeError::NoSuchTap`](crate::ComputeError::NoSuchTap) if the forward pass was not asked for them.
    fn features(&self, tap: Tap) -> Result<&Tensor>;

    /// Moments of a tap that was asked for.
    ///
    /// # Errors
    /// As [`Tape::features`].
    fn moments(&self, tap: Tap) -> Result<&Moments>;

    /// Lets go of what only [`Tape::features`] needs, which fails from now on; gradients towards features can still be
    /// given.
    fn release(&mut self) {}

    /// dL/d image `[c, h, w]` from the gradients towards what the losses saw. Several cotangents of one tap add up.
    ///
    /// # Errors
    /// [`ComputeError::NoSuchTap`](crate::ComputeError::NoSuchTap) for a tap, or a view of it, that was not asked for.
    fn backward(self: Box<Self>, cotangents: Vec<Cotangent>) -> Result<Tensor>;

    /// The same, where features that were asked for [in parts](TapRequest::parts) are shown part by part, each once, and
    /// the gradient towards them is answered.
    ///
    /// # Errors
    /// As [`Tape::backward`], and whatever `answer` says.
    fn backward_in_parts(
        self: Box<Self>,
        cotangents: Vec<Cotangent>,
        answer: &mut Answer<'_>,
    ) -> Result<Tensor> {
        let _ = answer;
        self.backward(cotangents)
    }
}
