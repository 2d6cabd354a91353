//! Methods: algorithms that make a stylized picture.

mod optimize;
mod run;
mod start;
mod targets;
mod unit;

pub use optimize::{Inspection, Style, Stylized, Stylizer};
