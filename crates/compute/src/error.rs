//! What can go wrong on a device.

/// The result of a compute call.
pub type Result<T> = std::result::Result<T, ComputeError>;

/// What can go wrong on a device; variants by what the caller can do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ComputeError {
    /// Two operands, or an operand and its description, do not have the same shape.
    #[error("{what}: the shape is {got:?}, expected {expected:?}")]
    Shape {
        /// The operation or operand.
        what: &'static str,
        /// The shape that was needed.
        expected: Vec<usize>,
        /// The shape that came.
        got: Vec<usize>,
    },
    /// A tensor of one device was handed to another.
    #[error("{what}: the tensor belongs to another device than {device}")]
    ForeignTensor {
        /// The operation.
        what: &'static str,
        /// The device that was asked.
        device: String,
    },
    /// The image is too small for the layers that were asked for.
    #[error(
        "an image of {width}×{height} px is too small: nothing is left of it after pooling layer {layer}; \
         use at least {minimum} px on each side, or shallower layers"
    )]
    TooSmall {
        /// Index of the pooling layer whose result would be empty.
        layer: usize,
        /// Width of the image in pixels.
        width: usize,
        /// Height of the image in pixels.
        height: usize,
        /// The least width and height that work.
        minimum: usize,
    },
    /// The network description contradicts itself.
    #[error("layer {layer} of the network: {problem}")]
    BadNetwork {
        /// Index of the layer (or head) in the description.
        layer: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// A tap that the network does not have, or that was not asked for in the forward pass.
    #[error("{tap} was not computed: {problem}")]
    NoSuchTap {
        /// The tap, printed.
        tap: String,
        /// Why it is not there.
        problem: String,
    },
    /// The device ran out of memory.
    #[error("{device} has no memory left for {what} ({bytes} bytes)")]
    OutOfMemory {
        /// The device.
        device: String,
        /// What was to be stored.
        what: String,
        /// Its size.
        bytes: usize,
    },
    /// The device is not there, or cannot be opened.
    #[error("{device} is not available: {problem}")]
    Unavailable {
        /// The device that was asked for.
        device: String,
        /// Why, and what to do.
        problem: String,
    },
    /// The device went away while it worked.
    #[error(
        "{device} was lost: {problem}; the driver may have been reset or updated, or a step took longer than it allows"
    )]
    Lost {
        /// The device.
        device: String,
        /// What its driver says.
        problem: String,
    },
    /// The device reports an error that should not be.
    #[error("{device} failed: {problem}; this is a defect of the driver or of this program")]
    Failed {
        /// The device.
        device: String,
        /// What it reports.
        problem: String,
    },
    /// An operation that the device does not have, nor anything in its place.
    #[error("{device} does not offer {operation}")]
    Unsupported {
        /// The device.
        device: String,
        /// The operation.
        operation: &'static str,
    },
    /// A setting of the device that cannot be.
    #[error("{0}")]
    BadSetting(String),
}

/// What a user can do about an error. How that is said, and by which option it is done, is the matter of the program that
/// they use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Advice {
    /// Start once more: what happened may not happen again.
    StartAgain,
    /// Work at a smaller size.
    SmallerSize,
    /// Set a limit on memory, so that large pictures are worked on in strips or tiles.
    LimitMemory,
    /// Compute on the cpu.
    Cpu,
}

impl ComputeError {
    /// What can be done about it, one or the other, the most promising first; nothing where the message says it all.
    pub fn advice(&self) -> &'static [Advice] {
        match self {
            ComputeError::OutOfMemory { .. } => &[Advice::SmallerSize, Advice::LimitMemory],
            ComputeError::Lost { .. } => &[Advice::StartAgain, Advice::SmallerSize, Advice::Cpu],
            ComputeError::Failed { .. } => &[Advice::Cpu],
            ComputeError::Unsupported { .. } => &[Advice::Cpu, Advice::SmallerSize],
            ComputeError::Shape { .. }
            | ComputeError::ForeignTensor { .. }
            | ComputeError::TooSmall { .. }
            | ComputeError::BadNetwork { .. }
            | ComputeError::NoSuchTap { .. }
            | ComputeError::Unavailable { .. }
            | ComputeError::BadSetting(_) => &[],
        }
    }
}
