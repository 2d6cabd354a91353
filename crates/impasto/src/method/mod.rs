//! Methods: algorithms that make a stylized picture.

mod optimize;
mod run;
mod start;
mod targets;

pub use optimize::{Inspection, Style, Stylized, Stylizer};
