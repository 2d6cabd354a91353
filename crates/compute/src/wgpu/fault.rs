//! What goes wrong on a device behind the host's back.
//!
//! The graphics interface reports errors where nobody waits for them, and panics if nobody listens. Here somebody does:
//! the first error is kept, or that the device was lost, and every call that follows returns it.

use crate::{ComputeError, Result};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// The first thing that went wrong on a device.
#[derive(Debug, Default)]
pub(super) struct Fault {
    said: Mutex<Option<FirstFault>>,
}

#[derive(Clone, Debug)]
struct FirstFault {
    problem: String,
    lost: bool,
}

impl Fault {
    /// Listens to a device.
    pub(super) fn of(device: &wgpu::Device) -> Arc<Self> {
        let fault = Arc::new(Self::default());
        let listener = Arc::clone(&fault);
        device.on_uncaptured_error(Arc::new(move |error| {
            listener.note(error.to_string(), false);
        }));
        let listener = Arc::clone(&fault);
        device.set_device_lost_callback(move |_, message| {
            let problem = match message.as_str() {
                "" => "no reason is given".into(),
                _ => message,
            };
            listener.note(problem, true);
        });
        fault
    }

    /// Keeps what went wrong, if it is the first; but a loss is kept before all else.
    pub(super) fn note(&self, problem: String, lost: bool) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        log::debug!("the graphics interface reports: {problem}");
        // A loss is the cause of whatever else is reported.
        let known = said.as_ref().is_some_and(|said| said.lost || !lost);
        if !known {
            *said = Some(FirstFault { problem, lost });
        }
    }

    /// The error, if something went wrong.
    pub(super) fn check(&self, device: &str) -> Result<()> {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        match said.clone() {
            None => Ok(()),
            Some(FirstFault {
                problem,
                lost: true,
            }) => Err(ComputeError::Lost {
                device: device.into(),
                problem,
            }),
            Some(FirstFault { problem, .. }) => Err(ComputeError::Failed {
                device: device.into(),
                problem,
            }),
        }
    }
}

/// What a future of the graphics interface has ready; everywhere but in a browser that is everything.
pub(super) fn now<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;
    use crate::wgpu::{AdapterChoice, GpuDevice, GpuSettings};
    use crate::{Advice, Scalar, Tensor};

    #[test]
    fn a_loss_is_told_before_all_else() {
        let fault = Fault::default();
        assert!(fault.check("gpu").is_ok());
        fault.note("something".into(), false);
        fault.note("the cable is out".into(), true);
        fault.note("another".into(), false);
        let told = fault.check("gpu").map_err(|error| error.to_string());
        assert!(told.is_err_and(|told| told.contains("the cable is out") && told.contains("gpu")));
    }

    /// On an adapter, if there is one: whatever is asked first of a device that is gone, and ever after, the answer is that it
    /// was lost, and what to do.
    #[test]
    fn a_device_that_is_gone_is_told_as_lost() -> Result<()> {
        type Question = fn(&GpuDevice, &Tensor, &Scalar) -> Result<()>;
        let questions: [(&str, Question); 4] = [
            ("a download", |device, x, _| device.download(x).map(drop)),
            ("a sum from before", |_, _, sum| sum.value().map(drop)),
            ("an upload", |device, _, _| {
                let x = device.upload(&[1.0; 4096], &[4096])?;
                device.download(&x).map(drop)
            }),
            ("a kernel that is new", |device, x, _| {
                device.sum_abs(x)?.value().map(drop)
            }),
        ];
        for first in 0..questions.len() {
            let adapter = AdapterChoice::BestOrSoftware;
            let Ok(device) = GpuDevice::new(GpuSettings {
                adapter,
                ..GpuSettings::default()
            }) else {
                return Ok(());
            };
            let x = device.upload(&[1.0; 9], &[9])?;
            let sum = device.dot(&x, &x)?;
            if let Some(gpu) = &device.context.gpu {
                gpu.device.destroy();
            }
            let order = questions[first..].iter().chain(&questions[..first]);
            for (what, ask) in order {
                let error = match ask(&device, &x, &sum) {
                    Err(error @ ComputeError::Lost { .. }) => error,
                    other => panic!("{what}: {other:?}"),
                };
                let told = error.to_string();
                let helps = told.starts_with("gpu was lost: ") && !told.contains(": ;");
                assert!(helps, "{what}: {told}");
                assert!(error.advice().contains(&Advice::StartAgain), "{what}");
            }
        }
        Ok(())
    }
}
