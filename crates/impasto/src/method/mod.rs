//! Methods: algorithms that make a stylized picture.

mod optimize;
mod plan;
mod room;
mod run;
mod start;
mod targets;
mod unit;

pub use optimize::{Inspection, Style, Stylized, Stylizer};
pub use plan::{LEAST_TILE, Limits, Pace, Plan, ScalePlan};
