//! Whether a device with a memory of its own has room for a run: tried before the first step, not found out at the last
//! scale. What the system's memory has room for is the plan's matter.

use crate::Result;
use crate::method::RunPlan;
use impasto_compute::{ComputeError, Device};

/// Tries whether there is room for the largest scale.
///
/// # Errors
/// [`ComputeError::OutOfMemory`] if there is not; whatever else the device reports.
pub(in crate::method) fn check(device: &dyn Device, plan: &RunPlan) -> Result<()> {
    let Some(scale) = plan.scales.iter().max_by_key(|scale| scale.bytes) else {
        return Ok(());
    };
    let bytes = scale.bytes as usize;
    device.reserve(bytes).map_err(|error| match error {
        ComputeError::OutOfMemory { device, .. } => ComputeError::OutOfMemory {
            device,
            what: format!("a run at {}×{} px", scale.width, scale.height),
            bytes,
        },
        other => other,
    })?;
    Ok(())
}
