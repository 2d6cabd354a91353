//! How a file writes one number, and how it becomes an `f32`.

use half::{bf16, f16};
use std::sync::Arc;

/// Whole numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whole {
    U8,
    I8,
    I32,
}

impl Whole {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Whole::U8 => "uint8",
            Whole::I8 => "int8",
            Whole::I32 => "int32",
        }
    }
}

/// TensorFlow Lite's quantised weights: `scale·(q − zero)`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Affine {
    /// What `q` is.
    pub(crate) whole: Whole,
    /// A scale for all, or one for each slice of a dimension.
    pub(crate) scales: Arc<[f32]>,
    /// As many zeros.
    pub(crate) zeros: Arc<[f32]>,
    /// Values in a row that are of one slice.
    pub(crate) run: usize,
}

impl Affine {
    /// Appends the values written in `bytes`; those before are there already.
    fn decode(&self, bytes: &[u8], values: &mut Vec<f32>) {
        let width = match self.whole {
            Whole::U8 | Whole::I8 => 1,
            Whole::I32 => 4,
        };
        for number in bytes.chunks_exact(width) {
            let q = match (self.whole, number) {
                (Whole::U8, &[byte]) => f32::from(byte),
                (Whole::I8, &[byte]) => f32::from(byte.cast_signed()),
                // What is exact in f32 is known of 24 bits; a bias is not told from its neighbour beyond them.
                (_, number) => number
                    .first_chunk()
                    .map_or(0.0, |four| i32::from_le_bytes(*four) as f32),
            };
            let slice = values.len() / self.run.max(1) % self.scales.len().max(1);
            let scale = self.scales.get(slice).copied().unwrap_or(0.0);
            let zero = self.zeros.get(slice).copied().unwrap_or(0.0);
            values.push(scale * (q - zero));
        }
    }
}

/// How a file writes one number. All formats are little-endian here; big-endian files are refused by name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Encoding {
    F16,
    Bf16,
    F32,
    F64,
    /// TensorFlow.js' quantised weights: `scale·q + min` of an unsigned whole number of one or two bytes.
    Quantised {
        width: usize,
        scale: f32,
        min: f32,
    },
    Affine(Affine),
    /// A type that holds no weights, by its name in the file.
    Other(String),
}

impl Encoding {
    /// Bytes per value; `None` for a type that is not read.
    pub(crate) fn width(&self) -> Option<usize> {
        match self {
            Encoding::F16 | Encoding::Bf16 => Some(2),
            Encoding::F32 => Some(4),
            Encoding::F64 => Some(8),
            Encoding::Quantised { width, .. } => Some(*width),
            Encoding::Affine(Affine {
                whole: Whole::I32, ..
            }) => Some(4),
            Encoding::Affine(_) => Some(1),
            Encoding::Other(_) => None,
        }
    }

    /// Its name for people.
    pub(crate) fn name(&self) -> &str {
        match self {
            Encoding::F16 => "f16",
            Encoding::Bf16 => "bf16",
            Encoding::F32 => "f32",
            Encoding::F64 => "f64",
            Encoding::Quantised { width: 1, .. } => "8-bit quantised",
            Encoding::Quantised { .. } => "16-bit quantised",
            Encoding::Affine(affine) => affine.whole.name(),
            Encoding::Other(name) => name,
        }
    }

    /// Appends the values written in `bytes`, a whole number of them.
    pub(crate) fn decode(&self, bytes: &[u8], values: &mut Vec<f32>) {
        match self {
            Encoding::F16 => values.extend(words(bytes).map(|b| f16::from_le_bytes(b).to_f32())),
            Encoding::Bf16 => values.extend(words(bytes).map(|b| bf16::from_le_bytes(b).to_f32())),
            Encoding::F32 => values.extend(words(bytes).map(f32::from_le_bytes)),
            Encoding::F64 => values.extend(words(bytes).map(|b| f64::from_le_bytes(b) as f32)),
            Encoding::Quantised { width, scale, min } => {
                let value = |q: u16| scale * f32::from(q) + min;
                match width {
                    1 => values.extend(bytes.iter().map(|&b| value(b.into()))),
                    _ => values.extend(words(bytes).map(|b| value(u16::from_le_bytes(b)))),
                }
            }
            Encoding::Affine(affine) => affine.decode(bytes, values),
            Encoding::Other(_) => {}
        }
    }
}

fn words<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> {
    bytes.as_chunks::<N>().0.iter().copied()
}
