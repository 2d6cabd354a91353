//! What can be done about an error, in the words and options of this program.

use impasto::Error;
use impasto::compute::{Advice, ComputeError};

/// The error in one line, with what can be done about it.
pub fn told(error: &anyhow::Error) -> String {
    let advice: Vec<&str> = of_compute(error)
        .map_or(&[][..], ComputeError::advice)
        .iter()
        .filter_map(|&advice| words(advice))
        .collect();
    match &advice[..] {
        [] => format!("{error:#}"),
        [only] => format!("{error:#}: {only}"),
        [first @ .., last] => format!("{error:#}: {}, or {last}", first.join(", ")),
    }
}

/// What the device has reported, if that is the error.
fn of_compute(error: &anyhow::Error) -> Option<&ComputeError> {
    match error.downcast_ref() {
        Some(Error::Compute(error)) => Some(error),
        _ => error.downcast_ref(),
    }
}

fn words(advice: Advice) -> Option<&'static str> {
    Some(match advice {
        Advice::StartAgain => "start again",
        Advice::SmallerSize => "use a smaller size (--size)",
        Advice::LimitMemory => "work in strips or tiles (--memory)",
        Advice::Cpu => "compute on the cpu (--device cpu)",
        // What this program knows no words for.
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn an_error_is_told_with_what_can_be_done() {
        let full = || ComputeError::OutOfMemory {
            device: "gpu".into(),
            what: "a map".into(),
            bytes: 5,
        };
        let line = "gpu has no memory left for a map (5 bytes): \
                    use a smaller size (--size), or work in strips or tiles (--memory)";
        assert_eq!(told(&full().into()), line);
        let error = Err::<(), _>(Error::Compute(full())).context("a.jpg");
        assert_eq!(
            error.map_err(|error| told(&error)),
            Err(format!("a.jpg: {line}"))
        );
        assert_eq!(told(&anyhow::anyhow!("no such file")), "no such file");
    }
}
