//! What everything on the device shares: recording kernels, submitting them, and waiting for results.
//!
//! Kernels are recorded and submitted in batches, so that the host runs ahead of the device; it waits only where somebody
//! wants numbers, and before it would run ahead by more than [`AHEAD`] submissions. Without a device nothing is
//! recorded: memory is counted, and sums are 1.

use super::bounds::Bounds;
use super::fault::{Fault, now};
use super::kernel::Launch;
use super::memory::{Array, Pool};
use super::pipeline::Pipeline;
use super::scalar::Batch;
use super::tuning::Tuning;
use crate::{ComputeError, Result};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Kernels that are submitted together at most.
const BATCH: usize = 64;
/// Multiply-adds after which kernels are submitted, so that a slow adapter is not taken for one that hangs: drivers end
/// a submission that takes seconds.
const WORK: u64 = 100_000_000_000;
/// Submissions by which the host may be ahead of the device.
const AHEAD: usize = 24;
/// Bytes of parameters of one kernel; no adapter asks for a greater alignment.
const STRIDE: usize = 256;
/// Bytes of them that a kernel can see.
const PARAMS: u64 = 128;
/// Sums that can wait on the device.
const RING: usize = 1 << 14;

/// A device that records.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) gpu: Option<Gpu>,
    /// What messages call it.
    pub(super) name: String,
    pub(super) bounds: Bounds,
    pub(super) pool: Arc<Pool>,
    pub(super) tuning: Tuning,
    /// A ring of sums that nobody has asked for yet.
    pub(super) sums: Array,
    pub(super) pipelines: Mutex<HashMap<String, Arc<Pipeline>>>,
    recorder: Mutex<Recorder>,
    /// Without a device: the text of every kernel that would have run.
    #[cfg(test)]
    pub(super) shaders: Mutex<std::collections::BTreeMap<String, String>>,
}

/// The interface to the hardware.
#[derive(Debug)]
pub(super) struct Gpu {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    fault: Arc<Fault>,
    /// Parameters of the kernels of a batch.
    params: wgpu::Buffer,
}

/// Work that is not submitted yet.
#[derive(Debug, Default)]
struct Recorder {
    encoder: Option<wgpu::CommandEncoder>,
    pass: Option<wgpu::ComputePass<'static>>,
    params: Vec<u8>,
    kernels: usize,
    /// Multiply-adds of them, as far as they count.
    work: u64,
    /// Sums so far, and those whose values are already on their way.
    sums: u64,
    batch: Option<Arc<Batch>>,
    submitted: VecDeque<wgpu::SubmissionIndex>,
}

impl Gpu {
    pub(super) fn new(device: wgpu::Device, queue: wgpu::Queue) -> Self {
        let fault = Fault::of(&device);
        let params = device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: (BATCH * STRIDE) as u64,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        Self {
            device,
            queue,
            fault,
            params,
        }
    }
}

impl Context {
    pub(super) fn new(
        gpu: Option<Gpu>,
        name: &str,
        bounds: Bounds,
        tuning: Tuning,
    ) -> Result<Self> {
        let device = gpu.as_ref().map(|gpu| gpu.device.clone());
        let pool = Arc::new(Pool::new(device, name, &bounds));
        // In one piece, so that values that follow each other lie next to each other.
        let sums = pool.take(RING.min(1 << pool.shift()))?;
        Ok(Self {
            gpu,
            name: name.into(),
            bounds,
            pool,
            tuning,
            sums,
            pipelines: Mutex::default(),
            recorder: Mutex::default(),
            #[cfg(test)]
            shaders: Mutex::default(),
        })
    }

    fn recorder(&self) -> MutexGuard<'_, Recorder> {
        self.recorder.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a kernel.
    pub(super) fn run(&self, launch: &Launch<'_>) -> Result<()> {
        match &self.gpu {
            Some(gpu) if launch.groups * launch.batches > 0 => {
                self.record(gpu, &mut self.recorder(), launch)
            }
            Some(_) => Ok(()),
            None => {
                #[cfg(test)]
                self.shaders
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .entry(launch.key())
                    .or_insert_with(|| launch.source(self.pool.shift()));
                Ok(())
            }
        }
    }

    /// Notes how many multiply-adds the last kernel takes.
    pub(super) fn worked(&self, count: u64) -> Result<()> {
        let Some(gpu) = &self.gpu else { return Ok(()) };
        let mut recorder = self.recorder();
        recorder.work += count;
        if recorder.work >= WORK {
            self.submit(gpu, &mut recorder)?;
        }
        Ok(())
    }

    /// The error of the device, if something went wrong.
    pub(super) fn check(&self) -> Result<()> {
        let gpu = self.gpu.as_ref();
        gpu.map_or(Ok(()), |gpu| self.heard(gpu))
    }

    /// What went wrong on a device so far.
    fn heard(&self, gpu: &Gpu) -> Result<()> {
        let heard = gpu.fault.check(&self.name);
        if !matches!(heard, Err(ComputeError::Failed { .. })) {
            return heard;
        }
        // What fails on a device that was lost, may be heard of before the loss, which is told when the device is idle.
        let _ = gpu.device.poll(wgpu::PollType::wait_indefinitely());
        gpu.fault.check(&self.name)
    }

    /// Records a kernel that writes a sum to the place it is given, and returns that and the batch in which its value will
    /// come.
    pub(super) fn run_sum(
        &self,
        gpu: &Gpu,
        kernel: impl FnOnce(usize, &mut dyn FnMut(&Launch<'_>) -> Result<()>) -> Result<()>,
    ) -> Result<(Arc<Batch>, u64)> {
        let mut recorder = self.recorder();
        let ring = self.sums.len() as u64;
        if recorder.sums.is_multiple_of(ring) {
            // Values of one batch lie next to each other.
            self.submit(gpu, &mut recorder)?;
        }
        let place = recorder.sums;
        recorder.sums += 1;
        let batch = recorder
            .batch
            .get_or_insert_with(|| Arc::new(Batch::new(place)));
        let batch = Arc::clone(batch);
        kernel((place % ring) as usize, &mut |launch| {
            self.record(gpu, &mut recorder, launch)
        })?;
        Ok((batch, place))
    }

    fn record(&self, gpu: &Gpu, recorder: &mut Recorder, launch: &Launch<'_>) -> Result<()> {
        let pipeline = self.pipeline(gpu, launch)?;
        let [x, y] = self.grid(launch)?;
        let mut entries = vec![wgpu::BindGroupEntry {
            binding: 0,
            resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                buffer: &gpu.params,
                offset: 0,
                size: wgpu::BufferSize::new(PARAMS),
            }),
        }];
        let arrays = launch.operands.iter().copied().flatten();
        for buffer in arrays
            .flat_map(Array::pieces)
            .filter_map(|piece| piece.buffer())
        {
            entries.push(wgpu::BindGroupEntry {
                binding: entries.len() as u32,
                resource: buffer.as_entire_binding(),
            });
        }
        let bind_group = gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.layout,
            entries: &entries,
        });
        let offset = recorder.params.len();
        let params = launch.params.iter();
        recorder
            .params
            .extend(params.flat_map(|param| param.bits().to_le_bytes()));
        recorder.params.resize(offset + STRIDE, 0);
        let pass = recorder.pass(gpu);
        pass.set_pipeline(&pipeline.pipeline);
        pass.set_bind_group(0, &bind_group, &[offset as u32]);
        pass.dispatch_workgroups(x, y, launch.batches as u32);
        recorder.kernels += 1;
        if recorder.kernels == BATCH {
            self.submit(gpu, recorder)?;
        }
        Ok(())
    }

    /// Rows and columns of workgroups.
    fn grid(&self, launch: &Launch<'_>) -> Result<[u32; 2]> {
        let longest = self.bounds.groups as usize;
        let x = launch.groups.min(longest);
        let y = launch.groups.div_ceil(x);
        if y > longest || launch.batches > longest {
            return Err(self.failed(format!(
                "{} workgroups of {} are too many for it",
                launch.groups, launch.kernel.name
            )));
        }
        Ok([x as u32, y as u32])
    }

    /// Copies an array whole; both have the same length.
    pub(super) fn copy(&self, from: &Array, to: &Array) {
        let Some(gpu) = &self.gpu else { return };
        let mut recorder = self.recorder();
        let encoder = recorder.encoder(gpu);
        for ((from, range), (to, _)) in from.buffers().zip(to.buffers()) {
            if !range.is_empty() {
                encoder.copy_buffer_to_buffer(from, 0, to, 0, range.len() as u64 * 4);
            }
        }
    }

    /// Fills an array with zeros.
    pub(super) fn clear(&self, array: &Array) {
        let Some(gpu) = &self.gpu else { return };
        let mut recorder = self.recorder();
        let encoder = recorder.encoder(gpu);
        for (buffer, _) in array.buffers() {
            encoder.clear_buffer(buffer, 0, None);
        }
    }

    /// Writes an array whole.
    pub(super) fn write(&self, array: &Array, bytes: &[u8]) -> Result<()> {
        let Some(gpu) = &self.gpu else { return Ok(()) };
        // What is written now is seen by everything that is submitted from now on: recorded work must be on its way.
        self.flush()?;
        for (buffer, range) in array.buffers() {
            if !range.is_empty() {
                gpu.queue
                    .write_buffer(buffer, 0, &bytes[range.start * 4..range.end * 4]);
            }
        }
        self.heard(gpu)
    }

    /// Reads an array whole; waits for the device.
    pub(super) fn read(&self, array: &Array) -> Result<Vec<f32>> {
        let Some(gpu) = &self.gpu else {
            return Ok(vec![0.0; array.len()]);
        };
        let mut values = Vec::with_capacity(array.len());
        for (buffer, range) in array.buffers().filter(|(_, range)| !range.is_empty()) {
            let size = range.len() as u64 * 4;
            let staging = self.staging(gpu, size)?;
            let mut recorder = self.recorder();
            recorder
                .encoder(gpu)
                .copy_buffer_to_buffer(buffer, 0, &staging, 0, size);
            self.submit(gpu, &mut recorder)?;
            drop(recorder);
            staging.map_async(wgpu::MapMode::Read, .., |_| {});
            self.wait(gpu, wgpu::PollType::wait_indefinitely())?;
            values.extend(floats(&staging).ok_or_else(|| self.failed(UNREADABLE.into()))?);
        }
        Ok(values)
    }

    /// A buffer that the host can read.
    fn staging(&self, gpu: &Gpu, size: u64) -> Result<wgpu::Buffer> {
        let scope = gpu.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let staging = gpu.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        match now(scope.pop()) {
            Some(None) => Ok(staging),
            _ => Err(ComputeError::OutOfMemory {
                device: self.name.clone(),
                what: "a copy for the host".into(),
                bytes: size as usize,
            }),
        }
    }

    /// Waits for the device.
    pub(super) fn wait(&self, gpu: &Gpu, how: wgpu::PollType) -> Result<()> {
        let done = gpu.device.poll(how);
        self.heard(gpu)?;
        match done {
            Ok(_) => Ok(()),
            Err(error) => Err(self.failed(format!("waiting for it failed: {error}"))),
        }
    }

    /// Waits until everything is done.
    pub(super) fn settle(&self) -> Result<()> {
        self.flush()?;
        match &self.gpu {
            Some(gpu) => self.wait(gpu, wgpu::PollType::wait_indefinitely()),
            None => Ok(()),
        }
    }

    /// Submits what is recorded.
    pub(super) fn flush(&self) -> Result<()> {
        let Some(gpu) = &self.gpu else { return Ok(()) };
        self.submit(gpu, &mut self.recorder())
    }

    /// How many sums there have been.
    pub(super) fn counted(&self) -> u64 {
        self.recorder().sums
    }

    fn submit(&self, gpu: &Gpu, recorder: &mut Recorder) -> Result<()> {
        if recorder.encoder.is_none() {
            return self.heard(gpu);
        }
        recorder.pass = None;
        let batch = match recorder.batch.take() {
            None => None,
            Some(batch) => {
                let count = recorder.sums - batch.first();
                let staging = self.staging(gpu, count * 4)?;
                let from = batch.first() % self.sums.len() as u64 * 4;
                for (sums, _) in self.sums.buffers() {
                    let encoder = recorder.encoder(gpu);
                    encoder.copy_buffer_to_buffer(sums, from, &staging, 0, count * 4);
                }
                Some((batch, staging))
            }
        };
        let Some(encoder) = recorder.encoder.take() else {
            return Ok(());
        };
        gpu.queue.write_buffer(&gpu.params, 0, &recorder.params);
        recorder.params.clear();
        (recorder.kernels, recorder.work) = (0, 0);
        let index = gpu.queue.submit([encoder.finish()]);
        if let Some((batch, staging)) = batch {
            batch.submitted(index.clone());
            let read = staging.clone();
            staging.map_async(wgpu::MapMode::Read, .., move |mapped| {
                batch.arrived(mapped.ok().and_then(|()| floats(&read)));
            });
        }
        recorder.submitted.push_back(index);
        if recorder.submitted.len() > AHEAD
            && let Some(index) = recorder.submitted.pop_front()
        {
            return self.wait(gpu, wait_for(index));
        }
        // Runs the callbacks of what has arrived.
        self.wait(gpu, wgpu::PollType::Poll)
    }

    /// An error of this device.
    pub(super) fn failed(&self, problem: String) -> ComputeError {
        ComputeError::Failed {
            device: self.name.clone(),
            problem,
        }
    }
}

const UNREADABLE: &str = "its results cannot be read";

/// Waits until a submission is done.
pub(super) fn wait_for(index: wgpu::SubmissionIndex) -> wgpu::PollType {
    wgpu::PollType::Wait {
        submission_index: Some(index),
        timeout: None,
    }
}

/// The numbers in a mapped buffer, which is unmapped.
fn floats(staging: &wgpu::Buffer) -> Option<Vec<f32>> {
    let values = {
        let view = staging.slice(..).get_mapped_range().ok()?;
        let (numbers, _) = view.as_chunks::<4>();
        numbers
            .iter()
            .map(|bytes| f32::from_le_bytes(*bytes))
            .collect()
    };
    staging.unmap();
    Some(values)
}

impl Recorder {
    /// The encoder, with no pass open.
    fn encoder(&mut self, gpu: &Gpu) -> &mut wgpu::CommandEncoder {
        self.pass = None;
        self.encoder.get_or_insert_with(|| {
            gpu.device
                .create_command_encoder(&wgpu::CommandEncoderDescriptor::default())
        })
    }

    /// A pass to record kernels into.
    fn pass(&mut self, gpu: &Gpu) -> &mut wgpu::ComputePass<'static> {
        let encoder = self.encoder.get_or_insert_with(|| {
            gpu.device
                .create_command_encoder(&wgpu::CommandEncoderDescriptor::default())
        });
        self.pass.get_or_insert_with(|| {
            encoder
                .begin_compute_pass(&wgpu::ComputePassDescriptor::default())
                .forget_lifetime()
        })
    }
}
