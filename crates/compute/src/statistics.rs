//! What style losses see of features.

use crate::Tensor;

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
