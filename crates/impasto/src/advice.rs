//! What a user can do when something went wrong, as data: each program says it in the words of its own surface.

use crate::Error;
use crate::checkpoint::CheckpointError;
use crate::encoder::EncoderError;
use crate::nets::NetError;
use std::fmt;
use std::io;

/// What a user can do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Advice {
    /// About files of weights and the folder of models.
    Weights(impasto_weights::Advice),
    /// Install the full network, which has the layer.
    FullNetwork,
    /// Use the file as the encoder, not as the network that paints.
    AsEncoder,
    /// Make a smaller picture: of this long side in pixels, if any fits.
    Size(Option<usize>),
    /// Look at styles in a smaller size.
    StyleSize,
    /// Take smaller steps, or give the terms smaller weights.
    Gentler,
    /// Free some space, or save checkpoints on another disk.
    CheckpointDisk,
    /// Save checkpoints in a folder that may be written to.
    CheckpointFolder,
    /// Ask for the job that was saved, or begin this one anew.
    BeginAnew,
}

impl Error {
    /// What the user can do, where that is up to the program that is used. Everything else is part of the message.
    pub fn advice(&self) -> Option<Advice> {
        match self {
            Error::Encoder(error) => error.advice(),
            Error::Net(error) => error.advice(),
            Error::TooLarge { fits, .. } => Some(Advice::Size(*fits)),
            Error::StyleTooLarge { .. } => Some(Advice::StyleSize),
            Error::Checkpoint(error) => error.advice(),
            _ => None,
        }
    }
}

impl EncoderError {
    /// What the user can do, where that is up to the program that is used.
    pub fn advice(&self) -> Option<Advice> {
        match self {
            EncoderError::Weights(error) => error.advice().map(Advice::Weights),
            _ => None,
        }
    }
}

impl NetError {
    /// What the user can do, where that is up to the program that is used.
    pub fn advice(&self) -> Option<Advice> {
        match self {
            NetError::Weights(error) => error.advice().map(Advice::Weights),
            NetError::Encoder(error) => error.advice(),
            NetError::IsEncoder { .. } => Some(Advice::AsEncoder),
            NetError::NotInstalled { name } => {
                let model = name.clone();
                Some(Advice::Weights(impasto_weights::Advice::Pull { model }))
            }
            _ => None,
        }
    }
}

impl CheckpointError {
    /// What the user can do, where that is up to the program that is used.
    pub fn advice(&self) -> Option<Advice> {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        match self {
            CheckpointError::Write { source, .. } => Some(match source.kind() {
                StorageFull | QuotaExceeded | FileTooLarge => Advice::CheckpointDisk,
                _ => Advice::CheckpointFolder,
            }),
            CheckpointError::OtherJob { .. } => Some(Advice::BeginAnew),
            _ => None,
        }
    }
}

/// In words that belong to no program.
impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Advice::Weights(advice) => write!(f, "{advice}"),
            Advice::FullNetwork => f.write_str("install the full network, vgg19"),
            Advice::AsEncoder => f.write_str("use it as the encoder"),
            Advice::Size(Some(side)) => write!(f, "a long side of {side} px would fit"),
            Advice::Size(None) => f.write_str("no size would fit"),
            Advice::StyleSize => f.write_str("look at styles in a smaller size"),
            Advice::Gentler => f.write_str("use a smaller learning rate or smaller weights"),
            Advice::CheckpointDisk => f.write_str("free some space, or save on another disk"),
            Advice::CheckpointFolder => f.write_str("choose a folder that you may write to"),
            Advice::BeginAnew => f.write_str("ask for that job, or begin anew"),
        }
    }
}
