//! Neural style transfer: paints a photograph in the style of a painting.
//!
//! ```text
//! pictures ─▶ Stylizer { Device, Styles, Recipe, Method } ─▶ per scale: targets ─▶ Objective ⇄ Optimizer
//!                                     │                                            └─▶ Observer
//!                                     └─▶ Stylized { Picture, Report, Outcome }
//! ```
//!
//! The library never prints and never installs handlers; what happens is told to an [`Observer`], and what goes
//! wrong is an [`Error`] that says what to do next.
//!
//! # Example
//!
//! ```
//! use impasto::{Encoder, Event, OutputSize, Picture, Recipe, Style, Stylizer};
//! use std::ops::ControlFlow;
//! # fn main() -> impasto::Result<()> {
//! # let (photo, painting) = (Picture::new(24, 16, vec![0.5; 3 * 24 * 16])?, Picture::new(16, 16, vec![0.25; 768])?);
//! // let photo = Picture::open("photo.jpg".as_ref())?; …
//! let device = impasto::device::open(&impasto::device::Choice::default())?;
//! let mut recipe = Recipe { size: OutputSize::LongSide(24), ..Recipe::default() };
//! if let Some(settings) = recipe.optimize_mut() {
//!     settings.schedule.steps = vec![2];
//! }
//! let styles = vec![Style::new("painting", painting, 1.0)];
//! let mut stylizer = Stylizer::new(device, &Encoder::lite()?, styles, recipe)?;
//! let stylized = stylizer.stylize(&photo, &mut |event: &Event<'_>| {
//!     if let Event::Step(step) = event {
//!         println!("{:3.0} %", 100.0 * step.progress);
//!     }
//!     ControlFlow::Continue(())
//! })?;
//! assert_eq!((stylized.picture.width(), stylized.picture.height()), (24, 16));
//! # Ok(())
//! # }
//! ```

mod advice;
pub mod checkpoint;
pub mod device;
pub mod encoder;
mod error;
pub mod examples;
pub mod job;
pub mod keyframes;
pub mod learn;
pub mod loss;
mod mask;
mod method;
pub mod metrics;
pub mod named;
pub mod nets;
mod observer;
pub mod optim;
pub mod picture;
mod random;
pub mod recipe;
mod region;
mod regions;
mod report;
pub mod sheet;
mod strokes;
mod style;
mod stylizer;
mod text;
mod tiling;
pub mod video;

pub use advice::Advice;
pub use encoder::{Encoder, LayerName, WeightedLayer};
pub use error::{Error, Result};
pub use impasto_compute as compute;
pub use mask::Mask;
pub use method::{
    CalibratedLayer, ExtraTerms, Inspection, LEAST_TILE, Method, Outcome, Pace, Painter,
    PainterSpec, RunLimits, RunPlan, ScalePlan, Setup, Stylized, TermContext, calibration,
    transform,
};
pub use observer::{Event, Ignore, Observer, Scale, Step, TermValue};
pub use picture::Picture;
pub use random::{Random, StepSeed};
pub use recipe::{OutputSize, Problem, Quality, Recipe};
pub use regions::{Guide, MaskUse, Regions};
pub use report::{
    Cause, Cell, Comparison, Concern, Contender, FilmFrame, FilmPage, Gallery, Page, Plate, Report,
    ScaleReport, Setback, Shown, StepReport,
};
pub use style::Style;
pub use stylizer::{Networks, Stylizer};
pub use tiling::{Cut, StripPlan, TilePlan, free_memory};
