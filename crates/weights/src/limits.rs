//! How much a file may ask for.

/// Bounds on what a file may ask for. Every reader checks what a file declares against these and against the
/// file's own length before it allocates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Greatest size of the file in bytes.
    pub file_bytes: u64,
    /// Greatest number of tensors.
    pub tensors: usize,
    /// Greatest number of bytes of a header, a pickle or a directory, and of all of them together.
    pub header_bytes: u64,
    /// Greatest number of values in all tensors that are read together.
    pub values: u64,
}

impl Default for Limits {
    /// 2 GiB, 10,000 tensors, 16 MiB of header, 512 Mi values: three times what any VGG file needs.
    fn default() -> Self {
        Self {
            file_bytes: 2 << 30,
            tensors: 10_000,
            header_bytes: 16 << 20,
            values: 512 << 20,
        }
    }
}

/// Dimensions that a tensor may have. Weights have four at most; a bound keeps shapes cheap.
pub(crate) const MAX_RANK: usize = 8;

/// DEFLATE cannot shrink data by more than this factor (RFC 1951: 258 bytes from two bits), so a file that claims
/// more lies.
pub(crate) const MAX_INFLATION: u64 = 1032;

/// The number of values of a shape, unless it overflows or has too many dimensions.
pub(crate) fn count(shape: &[usize]) -> Option<usize> {
    if shape.len() > MAX_RANK {
        return None;
    }
    shape
        .iter()
        .try_fold(1usize, |product, &side| product.checked_mul(side))
}
