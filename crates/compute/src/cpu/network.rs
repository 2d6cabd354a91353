//! A network prepared on the processor.

use super::Context;
use crate::{NetSpec, Network, Result, TapRequest, Tape, Tensor};
use std::sync::Arc;

#[derive(Debug)]
pub(super) struct CpuNetwork {
    context: Arc<Context>,
    inner: Box<dyn Network>,
}

impl CpuNetwork {
    pub(super) fn new(context: Arc<Context>, spec: NetSpec) -> Result<Self> {
        use crate::Device;
        let inner = crate::reference::ReferenceDevice::new().network(&spec)?;
        Ok(Self { context, inner })
    }
}

impl Network for CpuNetwork {
    fn spec(&self) -> &NetSpec {
        self.inner.spec()
    }

    fn forward<'a>(&'a self, image: &Tensor, taps: &[TapRequest]) -> Result<Box<dyn Tape + 'a>> {
        self.context.pool.next_pass();
        self.inner.forward(image, taps)
    }
}
