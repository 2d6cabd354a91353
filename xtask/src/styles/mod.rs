//! The example styles, one file each.

pub mod dots;
pub mod geometry;
pub mod glass;
pub mod ink;
pub mod oils;
pub mod swirls;
pub mod waves;
