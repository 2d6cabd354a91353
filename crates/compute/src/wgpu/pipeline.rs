//! Kernels, made ready to run when they are first needed.

use super::context::{Context, Gpu};
use super::fault::now;
use super::kernel::{Launch, bindings};
use super::memory::Array;
use crate::{ComputeError, Result};
use std::sync::{Arc, PoisonError};

/// A kernel, ready to run.
#[derive(Debug)]
pub(super) struct Pipeline {
    pub(super) layout: wgpu::BindGroupLayout,
    pub(super) pipeline: wgpu::ComputePipeline,
}

impl Context {
    /// The pipeline of a kernel, made when it is first needed.
    pub(super) fn pipeline(&self, gpu: &Gpu, launch: &Launch<'_>) -> Result<Arc<Pipeline>> {
        let mut pipelines = self
            .pipelines
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let key = launch.key();
        if let Some(pipeline) = pipelines.get(&key) {
            return Ok(Arc::clone(pipeline));
        }
        let mut entries = vec![wgpu::BindGroupLayoutEntry {
            binding: 0,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty: wgpu::BufferBindingType::Uniform,
                has_dynamic_offset: true,
                min_binding_size: None,
            },
            count: None,
        }];
        for (slot, array) in bindings(launch) {
            for _ in array.map_or(&[][..], Array::pieces) {
                entries.push(wgpu::BindGroupLayoutEntry {
                    binding: entries.len() as u32,
                    visibility: wgpu::ShaderStages::COMPUTE,
                    ty: wgpu::BindingType::Buffer {
                        ty: wgpu::BufferBindingType::Storage {
                            read_only: slot.read_only(),
                        },
                        has_dynamic_offset: false,
                        min_binding_size: None,
                    },
                    count: None,
                });
            }
        }
        if entries.len() - 1 > self.bounds.buffers as usize {
            return Err(ComputeError::OutOfMemory {
                device: self.name.clone(),
                what: format!("{}, whose maps lie in too many buffers", launch.kernel.name),
                bytes: (entries.len() - 1) * (4 << self.pool.shift()),
            });
        }
        let scope = gpu.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let layout = gpu
            .device
            .create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
                label: None,
                entries: &entries,
            });
        let pipeline_layout = gpu
            .device
            .create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label: None,
                bind_group_layouts: &[Some(&layout)],
                immediate_size: 0,
            });
        let module = gpu
            .device
            .create_shader_module(wgpu::ShaderModuleDescriptor {
                label: Some(launch.kernel.name),
                source: wgpu::ShaderSource::Wgsl(launch.source(self.pool.shift()).into()),
            });
        let options = wgpu::PipelineCompilationOptions {
            // Every kernel writes what it shares before it reads it.
            zero_initialize_workgroup_memory: false,
            ..Default::default()
        };
        let pipeline = gpu
            .device
            .create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(launch.kernel.name),
                layout: Some(&pipeline_layout),
                module: &module,
                entry_point: Some("main"),
                compilation_options: options,
                cache: None,
            });
        if let Some(Some(error)) = now(scope.pop()) {
            return Err(self.failed(format!("it refuses {}: {error}", launch.kernel.name)));
        }
        let pipeline = Arc::new(Pipeline { layout, pipeline });
        pipelines.insert(key, Arc::clone(&pipeline));
        Ok(pipeline)
    }
}
