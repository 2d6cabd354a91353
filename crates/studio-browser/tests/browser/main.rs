//! The studio in Chromium.
//!
//! With `IMPASTO_SCREENSHOTS=DIR` the tests leave what they have seen there; with `IMPASTO_AXE=axe.min.js` they have the page
//! looked at by axe-core.

mod attacks;
mod films;
mod journey;
mod more;
mod page;
