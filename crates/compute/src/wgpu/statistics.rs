//! Functions of moments: covariance and standard deviation, with their gradients.

use super::GpuDevice;
use super::array::{get, put, same};
use super::context::Context;
use super::kernel::{Kernel, Param, reads, writes};
use super::matrix::Strided;
use super::memory::Array;
use super::moments;
use super::network::Shape;
use super::vector::each;
use crate::device::weighted;
use crate::{Moments, Result, Statistics, Tensor};

const FILE: &str = include_str!("statistics.wgsl");
const COVARIANCE: Kernel = Kernel {
    name: "covariance",
    file: FILE,
    operands: &[reads("mean"), reads("second"), writes("out")],
};
const SCALED: Kernel = Kernel {
    name: "scaled",
    file: FILE,
    operands: &[reads("x"), writes("out")],
};
const DEVIATION: Kernel = Kernel {
    name: "deviation",
    file: FILE,
    operands: &[reads("mean"), reads("second"), writes("out")],
};
const DEVIATION_BACKWARD: Kernel = Kernel {
    name: "deviation_backward",
    file: FILE,
    operands: &[
        reads("mean"),
        reads("deviation"),
        reads("gradient"),
        writes("first"),
        writes("out"),
    ],
};

/// Mean, second raw moment and channels.
fn parts<'a>(
    context: &Context,
    what: &'static str,
    moments: &'a Moments,
) -> Result<(&'a Array, &'a Array, usize)> {
    let c = moments.channels(what)?;
    Ok((
        get(context, what, &moments.mean)?,
        get(context, what, &moments.second)?,
        c,
    ))
}

impl Statistics for GpuDevice {
    fn weighted_moments(&self, features: &Tensor, weights: &Tensor) -> Result<Moments> {
        let (context, what) = (&self.context, "weighted_moments");
        let [channels, h, w] = weighted(what, features, weights)?;
        let size = Shape { channels, h, w };
        let (map, weights) = (get(context, what, features)?, get(context, what, weights)?);
        moments::forward(context, size, &size.window(), map, Some(weights))
    }

    fn covariance(&self, moments: &Moments, ridge: f32) -> Result<Tensor> {
        let context = &self.context;
        let (mean, second, c) = parts(context, "covariance", moments)?;
        let out = context.pool.take(c * c)?;
        let params = [Param::U(c * c), Param::U(c), Param::F(ridge)];
        let operands = [Some(mean), Some(second), Some(&out)];
        each(context, &COVARIANCE, c * c, &operands, &params)?;
        Ok(put(out, &[c, c]))
    }

    fn covariance_backward(&self, moments: &Moments, gradient: &Tensor, k: f32) -> Result<Moments> {
        let context = &self.context;
        let what = "covariance_backward";
        let (mean, _, c) = parts(context, what, moments)?;
        same(what, &moments.second, gradient)?;
        let gradient = get(context, what, gradient)?;
        let second = context.pool.take(c * c)?;
        let params = [Param::U(c * c), Param::F(k)];
        let operands = [Some(gradient), Some(&second)];
        each(context, &SCALED, c * c, &operands, &params)?;
        let first = context.pool.take(c)?;
        Strided::new(&second, c, c).times(context, -2.0, mean, 0.0, &first)?;
        Ok(Moments {
            mean: put(first, &[c]),
            second: put(second, &[c, c]),
        })
    }

    fn standard_deviation(&self, moments: &Moments, epsilon: f32) -> Result<Tensor> {
        let context = &self.context;
        let (mean, second, c) = parts(context, "standard_deviation", moments)?;
        let out = context.pool.take(c)?;
        let operands = [Some(mean), Some(second), Some(&out)];
        let params = [Param::U(c), Param::F(epsilon)];
        each(context, &DEVIATION, c, &operands, &params)?;
        Ok(put(out, &[c]))
    }

    fn standard_deviation_backward(
        &self,
        moments: &Moments,
        deviation: &Tensor,
        gradient: &Tensor,
    ) -> Result<Moments> {
        let context = &self.context;
        let what = "standard_deviation_backward";
        let (mean, _, c) = parts(context, what, moments)?;
        same(what, &moments.mean, deviation)?;
        same(what, deviation, gradient)?;
        let (first, second) = (context.pool.take(c)?, context.pool.take(c * c)?);
        let operands = [
            Some(mean),
            Some(get(context, what, deviation)?),
            Some(get(context, what, gradient)?),
            Some(&first),
            Some(&second),
        ];
        let params = [Param::U(c * c), Param::U(c)];
        each(context, &DEVIATION_BACKWARD, c * c, &operands, &params)?;
        Ok(Moments {
            mean: put(first, &[c]),
            second: put(second, &[c, c]),
        })
    }
}
