//! What adapters can take.

/// What an adapter can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of all buffers together; `u64::MAX` where the driver does not tell, or lends the memory of the system.
    pub memory: u64,
    /// Bytes of one buffer, and of what a kernel sees of it.
    pub buffer: u64,
    /// Workgroups along one dimension.
    pub groups: u32,
    /// Buffers that a kernel can see.
    pub buffers: u32,
    /// Bytes that a workgroup shares.
    pub shared: u32,
    /// Invocations of a workgroup.
    pub invocations: u32,
}

impl Default for Bounds {
    /// What every adapter has to offer.
    fn default() -> Self {
        Self::of(&wgpu::Limits::default())
    }
}

impl Bounds {
    pub(super) fn of(limits: &wgpu::Limits) -> Self {
        Self {
            memory: u64::MAX,
            buffer: limits
                .max_storage_buffer_binding_size
                .min(limits.max_buffer_size),
            groups: limits.max_compute_workgroups_per_dimension,
            buffers: limits.max_storage_buffers_per_shader_stage,
            shared: limits.max_compute_workgroup_storage_size,
            invocations: limits.max_compute_invocations_per_workgroup,
        }
    }

    /// Both at their strictest.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            memory: self.memory.min(other.memory),
            buffer: self.buffer.min(other.buffer),
            groups: self.groups.min(other.groups),
            buffers: self.buffers.min(other.buffers),
            shared: self.shared.min(other.shared),
            invocations: self.invocations.min(other.invocations),
        }
    }
}
