//! What a tape was asked for, and whether a gradient fits that: the same on every device.

use crate::{ComputeError, Cotangent, Result, Tap, TapRequest};

/// One request per tap.
pub(crate) fn merged(taps: &[TapRequest]) -> Vec<TapRequest> {
    let mut merged: Vec<TapRequest> = Vec::with_capacity(taps.len());
    for request in taps {
        match merged.iter_mut().find(|known| known.tap == request.tap) {
            Some(known) => {
                known.features |= request.features;
                known.moments |= request.moments;
                known.replay |= request.replay;
                known.parts |= request.parts;
            }
            None => merged.push(*request),
        }
    }
    merged
}

/// What a gradient of one tap may be towards.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    /// Whether the tape has its features.
    pub(crate) features: bool,
    /// Whether the tape has its moments, or will be shown their gradient without them.
    pub(crate) moments: bool,
    /// Channels, height and width of its features.
    pub(crate) shape: [usize; 3],
}

impl Asked {
    /// Whether a gradient is towards what was asked for, and of its shape.
    pub(crate) fn check(&self, cotangent: &Cotangent) -> Result<()> {
        let fits = |what: &'static str, got: &[usize], expected: &[usize]| {
            if got == expected {
                return Ok(());
            }
            Err(ComputeError::Shape {
                what,
                expected: expected.to_vec(),
                got: got.to_vec(),
            })
        };
        if let Some(features) = &cotangent.features {
            if !self.features {
                return Err(missing(cotangent.tap, "features"));
            }
            fits("a gradient towards features", features.shape(), &self.shape)?;
        }
        if let Some(moments) = &cotangent.moments {
            if !self.moments {
                return Err(missing(cotangent.tap, "moments"));
            }
            let square = [self.shape[0]; 2];
            let what = "a gradient towards moments";
            fits(what, moments.mean.shape(), &square[..1])?;
            fits(what, moments.second.shape(), &square)?;
        }
        Ok(())
    }
}

/// What was not asked for.
pub(crate) fn missing(tap: Tap, view: &str) -> ComputeError {
    ComputeError::NoSuchTap {
        tap: tap.to_string(),
        problem: format!("its {view} were not asked for in the forward pass"),
    }
}
