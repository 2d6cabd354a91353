//! By which power of two an objective is multiplied before an optimiser sees it.
//!
//! Only the ratios of an objective's weights matter, but gradients are numbers of 32 bits, optimisers have constants of their
//! own size (ε of Adam, the first step and the tolerances of L-BFGS), and squares of gradients overflow. Where the first
//! gradient of a run is out of the range in which these mean what they are meant to, the objective is multiplied by a power
//! of two, which changes no bit of a number but its exponent. Within the range that power is 1.
//!
//! An ε of more than 10⁻⁶ is a choice of its recipe (TensorFlow's tutorials): there, small gradients stay as small as they
//! are.

use super::Parameters;
use crate::recipe::OptimizerSettings;
use impasto_compute::{Device, Result};

/// L-BFGS: the least L1 norm, and the norm that gradients below it are brought to.
const LEAST_NORM: (f64, i32) = (64.0, 10);
/// L-BFGS, whose dots are sums of squares in 32 bits: the exponent of the greatest entry, and that of what greater ones are
/// brought to.
const GREATEST_LBFGS: (i32, i32) = (40, 20);
/// The same of Adam, which squares single entries.
const GREATEST_ADAM: (i32, i32) = (60, 30);
/// The greatest ε that stands for nothing but the division by zero that it prevents.
const PLAIN_EPSILON: f64 = 1e-6;
/// How many times such an ε the greatest entry of a gradient is at least.
const TIMES_EPSILON: f64 = 16.0;
/// Where nothing can be told of a gradient, because it is 0 or not a number, the exponent by which it is tried anew.
const TRIAL: i32 = 30;

/// What to do about a gradient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Advised {
    /// Nothing.
    Keep,
    /// Multiply the objective by 2 to this power.
    Multiply(i32),
    /// The same, and look again: the gradient was 0 or not a number.
    Try(i32),
}

/// What to do about the first gradient of a run. Waits for the device.
///
/// # Errors
/// Whatever the device reports.
pub(crate) fn advise(
    device: &dyn Device,
    optimizer: &OptimizerSettings,
    gradient: &Parameters,
) -> Result<Advised> {
    let greatest = gradient.max_abs(device)?;
    if !greatest.is_finite() {
        return Ok(Advised::Try(-TRIAL));
    }
    if greatest == 0.0 {
        return Ok(Advised::Try(TRIAL));
    }
    let exponent = |value: f64| value.log2().floor() as i32;
    let too_great = |(limit, target): (i32, i32)| match exponent(greatest) {
        found if found >= limit => Advised::Multiply(target - found),
        _ => Advised::Keep,
    };
    Ok(match optimizer {
        OptimizerSettings::Lbfgs(_) => {
            let norm = gradient.sum_abs(device)?;
            match norm < LEAST_NORM.0 {
                true => Advised::Multiply(LEAST_NORM.1 - exponent(norm)),
                false => too_great(GREATEST_LBFGS),
            }
        }
        OptimizerSettings::Adam(adam) => {
            let epsilon = f64::from(adam.epsilon);
            match epsilon <= PLAIN_EPSILON && greatest < TIMES_EPSILON * epsilon {
                true => Advised::Multiply(-exponent(greatest)),
                false => too_great(GREATEST_ADAM),
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::{AdamSettings, LbfgsSettings};
    use impasto_compute::prelude::*;
    use impasto_compute::reference::ReferenceDevice;

    #[test]
    fn gradients_out_of_range_are_told_and_others_kept() {
        let device = ReferenceDevice::new();
        let plain = OptimizerSettings::Adam(AdamSettings::default());
        let large = OptimizerSettings::Adam(AdamSettings {
            epsilon: 0.1,
            ..AdamSettings::default()
        });
        let lbfgs = OptimizerSettings::Lbfgs(LbfgsSettings::default());
        for (optimizer, entry, expected) in [
            (plain, 1e-3, Advised::Keep),
            (plain, 2f32.powi(-30), Advised::Multiply(30)),
            (plain, 2f32.powi(61), Advised::Multiply(-31)),
            (plain, 0.0, Advised::Try(TRIAL)),
            (plain, f32::INFINITY, Advised::Try(-TRIAL)),
            (large, 2f32.powi(-30), Advised::Keep),
            (large, 2f32.powi(61), Advised::Multiply(-31)),
            (lbfgs, 32.0, Advised::Keep),
            (lbfgs, 2f32.powi(-11), Advised::Multiply(20)),
            (lbfgs, 2f32.powi(41), Advised::Multiply(-21)),
        ] {
            let gradient = Parameters::from(device.upload(&[entry, -entry], &[2]).unwrap());
            let got = advise(&device, &optimizer, &gradient).unwrap();
            assert_eq!(got, expected, "{} at {entry}", optimizer.name());
        }
    }
}
