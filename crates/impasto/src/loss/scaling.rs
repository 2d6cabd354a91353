//! How terms are made comparable: means or sums, free of their target's size, divided by their gradient's norm.

use impasto_compute::Reduction;

/// How a term is made free of scale, so that its weight means the same for every encoder, size and style.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Normalize {
    /// It is not.
    None,
    /// It is divided by the size of its target: the variance of the content's features, the mean square of the
    /// style's Gram matrix, the mean variance `tr Σ̂/c` of the style's features.
    Target,
    /// It is divided by the L1 norm of its own gradient towards what it looks at (features, moments, pixels), a
    /// norm that counts as a constant. (crowsonkb/style_transfer)
    Gradient,
}

/// The settings by which a term's raw value and gradient are scaled; its weight comes on top.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scaling {
    /// What makes it free of scale.
    pub normalize: Normalize,
    /// Mean or sum.
    pub reduction: Reduction,
    /// A constant on the value.
    pub factor: f64,
}

/// What a loss's raw value is a sum over, from which its mean follows, and its value free of its target's size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Extent {
    /// Entries that are summed over.
    pub entries: usize,
    /// What the mean over as many entries is of the target itself; 0 without a target, or of one without any size.
    pub target: f64,
}

impl Extent {
    /// Of a loss whose raw value is final, and that has no target.
    pub const ONE: Extent = Extent {
        entries: 1,
        target: 0.0,
    };
}

impl Scaling {
    /// Nothing is changed about the raw value.
    pub const NONE: Scaling = Scaling {
        normalize: Normalize::None,
        reduction: Reduction::Sum,
        factor: 1.0,
    };

    /// What a raw value is multiplied by: `1/entries` for a mean and 1 for a sum; `1/(entries·target)`, the same for
    /// both, if the target normalises. All this times the constant.
    pub(super) fn factor(self, extent: Extent) -> f64 {
        let (count, size) = (extent.entries as f64, extent.target);
        let factor = match (self.normalize, self.reduction) {
            (Normalize::Target, _) if size > 0.0 => 1.0 / (count * size),
            (_, Reduction::Mean) | (Normalize::Target, _) => 1.0 / count,
            (_, Reduction::Sum) => 1.0,
        };
        self.factor * factor
    }
}

/// What a loss multiplies its gradient by, while its kernels write it: no pass over memory is spent on weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GradientScale {
    pub(super) weight: f32,
    pub(super) factor: f64,
}

impl GradientScale {
    /// The gradient of the raw value.
    pub const ONE: GradientScale = GradientScale {
        weight: 1.0,
        factor: 1.0,
    };

    /// The factor for a kernel whose own gradient is the raw one over `own`: 2 where it gives `k·(x − t)` of a raw
    /// value `Σ (x − t)²`.
    pub fn times(self, own: f64) -> f32 {
        (f64::from(self.weight) * (own * self.factor)) as f32
    }
}
