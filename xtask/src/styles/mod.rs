//! The example styles, one file each.

pub mod geometry;
pub mod glass;
pub mod swirls;
pub mod waves;
