//! What a tape was asked for, and whether a gradient fits that: the same on every device.

use crate::{ComputeError, Cotangent, Result, Tap, TapRequest, Want};

/// All that is wanted of one tap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) tap: Tap,
    pub(crate) features: bool,
    pub(crate) in_parts: bool,
    pub(crate) moments: bool,
    pub(crate) replay: bool,
}

impl Wanted {
    fn nothing(tap: Tap) -> Self {
        Self {
            tap,
            features: false,
            in_parts: false,
            moments: false,
            replay: false,
        }
    }

    /// Whether a gradient towards moments may come.
    pub(crate) fn towards_moments(&self) -> bool {
        self.moments || self.replay
    }
}

/// What is wanted, tap by tap, in the order in which taps are named first.
pub(crate) fn merged(requests: &[TapRequest]) -> Vec<Wanted> {
    let mut merged: Vec<Wanted> = Vec::with_capacity(requests.len());
    for request in requests {
        let known = merged.iter().position(|known| known.tap == request.tap);
        let place = known.unwrap_or(merged.len());
        if known.is_none() {
            merged.push(Wanted::nothing(request.tap));
        }
        let here = &mut merged[place];
        *match request.want {
            Want::Features => &mut here.features,
            Want::InParts => &mut here.in_parts,
            Want::Moments => &mut here.moments,
            Want::Replay => &mut here.replay,
        } = true;
    }
    merged
}

/// The same for a pass that shows nothing in parts.
pub(crate) fn merged_whole(requests: &[TapRequest]) -> Result<Vec<Wanted>> {
    let merged = merged(requests);
    match merged.iter().find(|wanted| wanted.in_parts) {
        None => Ok(merged),
        Some(wanted) => Err(ComputeError::BadSetting(format!(
            "features are shown in parts by passes in strips only, and those of {} were asked of another one",
            wanted.tap
        ))),
    }
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
