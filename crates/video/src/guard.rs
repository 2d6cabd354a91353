//! Codecs of other crates, whose panics become errors.

use crate::error::{Error, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs a codec. After a panic it must not be used again: whoever calls this drops it with the error.
pub fn guarded<T>(codec: &'static str, run: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let said = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied());
        Err(Error::Fault {
            codec,
            what: said.unwrap_or("it gave no reason").to_owned(),
        })
    })
}
