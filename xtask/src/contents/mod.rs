//! The example contents, one file each.

pub mod still_life;
