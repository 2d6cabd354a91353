//! How long steps take: extrapolated from some that are taken at two small sizes.
//!
//! ```text
//! seconds = steps · (constant + per pixel · pixels · work)
//! ```

use super::Session;
use super::run::Evaluator;
use super::targets::StyleCache;
use crate::Result;
use crate::method::Pace;
use crate::observer::Scale;
use crate::picture::Picture;
use crate::tiling::NetworkView;
use std::time::Instant;

/// Long sides at which steps are timed.
const TIMED: [usize; 2] = [160, 400];

impl Session<'_> {
    /// Takes steps at two small sizes and times them.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub(super) fn pace(&self, content: &Picture) -> Result<Pace> {
        let mut timed = Vec::new();
        let mut cache = StyleCache::default();
        for side in TIMED {
            let (width, height) = self.working_size(content, side);
            let steps = 2;
            let scale = Scale {
                width,
                height,
                steps,
            };
            let network = NetworkView::Whole(self.network);
            let mut evaluator = Evaluator {
                device: self.device(),
                network,
                objective: self.objective(content, scale, (network, network), &mut cache)?,
                seed: self.setup.recipe.seed,
            };
            let mut state = self.begin(content, scale, None)?;
            let mut seconds = f64::INFINITY;
            for _ in 0..=steps {
                let clock = Instant::now();
                let taken = state.step(&mut evaluator)?;
                evaluator.objective.total(&taken.values)?;
                seconds = seconds.min(clock.elapsed().as_secs_f64());
            }
            timed.push((self.seen(scale).pixels() as f64, seconds));
        }
        let [(small, quick), (large, slow)] = [timed[0], timed[1]];
        let per_pixel = if large > small {
            ((slow - quick) / (large - small)).max(0.5 * slow / large)
        } else {
            slow / large
        };
        Ok(Pace {
            constant: (slow - per_pixel * large).max(0.0),
            per_pixel,
        })
    }
}
