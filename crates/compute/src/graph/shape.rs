//! What flows through a graph.

use crate::Size;
use std::fmt;

/// What a value is, whatever its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A picture or features `[c, h, w]` of so many channels.
    Map(usize),
    /// So many numbers `[n]`.
    Vector(usize),
}

impl Kind {
    /// Channels of a map, numbers of a vector.
    pub fn width(self) -> usize {
        match self {
            Kind::Map(n) | Kind::Vector(n) => n,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Map(channels) => write!(f, "a map of {channels} channels"),
            Kind::Vector(len) => write!(f, "a vector of {len} numbers"),
        }
    }
}

/// What a value is, with its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shape {
    /// A picture or features `[c, h, w]`.
    Map {
        /// Channels.
        channels: usize,
        /// Height and width.
        size: Size,
    },
    /// So many numbers `[n]`.
    Vector(usize),
}

impl Shape {
    /// The shape of a tensor: `[c, h, w]` or `[n]`; `None` for any other rank.
    pub fn of(shape: &[usize]) -> Option<Self> {
        match *shape {
            [channels, height, width] => Some(Shape::Map {
                channels,
                size: Size { width, height },
            }),
            [n] => Some(Shape::Vector(n)),
            _ => None,
        }
    }

    /// What it is, whatever its size.
    pub fn kind(self) -> Kind {
        match self {
            Shape::Map { channels, .. } => Kind::Map(channels),
            Shape::Vector(n) => Kind::Vector(n),
        }
    }

    /// The shape of its tensor.
    pub fn dims(self) -> Vec<usize> {
        match self {
            Shape::Map { channels, size } => vec![channels, size.height, size.width],
            Shape::Vector(n) => vec![n],
        }
    }
}
