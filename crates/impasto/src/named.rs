//! Settings that are one of a few names: one table each, read by recipes, the command line and messages alike.

use impasto_compute::{Padding, PoolKind, Reduction, TotalVariation};

/// A setting with a name for each of its values.
pub trait Named: Copy + PartialEq + 'static {
    /// Every value with its name, the default first where there is one.
    const NAMES: &'static [(&'static str, Self)];

    /// The name of this value.
    fn name(self) -> &'static str {
        Self::NAMES
            .iter()
            .find(|(_, value)| *value == self)
            .map_or("", |(name, _)| name)
    }

    /// The value of a name.
    ///
    /// # Errors
    /// A message that lists the names there are.
    fn from_name(text: &str) -> Result<Self, String> {
        match Self::NAMES.iter().find(|(name, _)| *name == text) {
            Some((_, value)) => Ok(*value),
            None => {
                let names: Vec<_> = Self::NAMES.iter().map(|(name, _)| *name).collect();
                Err(format!("{text:?} is none of {}", names.join(", ")))
            }
        }
    }
}

impl Named for PoolKind {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("max", PoolKind::Max),
        ("average", PoolKind::Average),
        ("l2", PoolKind::L2),
    ];
}

impl Named for Padding {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("zero", Padding::Zero),
        ("replicate", Padding::Replicate),
        ("reflect", Padding::Reflect),
    ];
}

impl Named for TotalVariation {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("l1", TotalVariation::L1),
        ("l2", TotalVariation::L2),
        ("9-point", TotalVariation::NinePoint),
    ];
}

impl Named for Reduction {
    const NAMES: &'static [(&'static str, Self)] =
        &[("mean", Reduction::Mean), ("sum", Reduction::Sum)];
}
