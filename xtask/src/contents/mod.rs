//! The example contents, one file each.

pub mod city;
pub mod lake;
pub mod still_life;
