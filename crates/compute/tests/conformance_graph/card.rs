//! What is the gpu's own: maps that lie in several buffers, memory, and runs that there is none for.

use super::*;
use impasto_compute::Hardware;
use impasto_compute::wgpu::{AdapterChoice, Bounds, GpuDevice, GpuSettings};
use networks::{REFLECT, johnson};

/// A device of its own with stricter bounds, where there is an adapter.
fn bounded(change: impl FnOnce(&mut Bounds)) -> Option<GpuDevice> {
    let open = |bounds| {
        GpuDevice::new(GpuSettings {
            adapter: AdapterChoice::BestOrSoftware,
            bounds,
            ..GpuSettings::default()
        })
    };
    let mut bounds = match open(None) {
        Ok(device) => device.bounds(),
        Err(reason) => {
            impasto_testing::skip(format_args!("on the gpu: {reason}"));
            return None;
        }
    };
    change(&mut bounds);
    Some(open(Some(bounds)).expect("an adapter that opened before"))
}

fn agrees(case: &str, device: &GpuDevice, spec: &GraphSpec, inputs: &[Shape]) -> Result<()> {
    let expected = run(&ReferenceDevice::new(), spec, inputs, None)?;
    let got = run(device, spec, inputs, None)?;
    for (got, expected) in got.iter().zip(&expected) {
        assert_close(case, got, expected, Tolerance::of_greatest(1e-4, expected));
    }
    Ok(())
}

/// With some KiB to a binding and some workgroups to a dimension, maps lie in several buffers and grids are folded.
#[test]
fn large_maps_lie_in_several_buffers() -> Result<()> {
    let Some(device) = bounded(|bounds| {
        bounds.buffer = 32 << 10;
        bounds.groups = 12;
    }) else {
        return Ok(());
    };
    let mut spec = GraphSpec::new();
    let image = spec.input("image", Kind::Map(3));
    let x = spec.push(Filters::square(3, 6, 3, 1, REFLECT).op(1), &[image]);
    let y = spec.push(norm(2, 6), &[x]);
    let z = spec.push(Op::Activation(Activation::Relu), &[y]);
    let sum = spec.push(Op::Add, &[y, z]);
    let all = spec.push(Op::Concat, &[sum, image, sum]);
    let wide = spec.push(
        Op::Pad {
            amount: 1,
            padding: Padding::Reflect,
        },
        &[all],
    );
    let last = spec.push(Filters::square(15, 3, 3, 2, Border::Valid).op(3), &[wide]);
    for value in [wide, last] {
        spec.output(value);
    }
    agrees("in pieces", &device, &spec, &[map(3, 40, 44)])
}

/// What it says that a run takes is what it takes; and maps are let go of, so that a deep network takes no more than a shallow.
#[test]
fn memory_is_what_a_run_takes() -> Result<()> {
    let Some(device) = bounded(|_| ()) else {
        return Ok(());
    };
    let inputs = [map(3, 40, 44)];
    let graph = device.graph(&johnson([6, 8, 12], REFLECT, true))?;
    let image = device.upload(&noise(1, 3 * 40 * 44), &[3, 40, 44])?;
    let before = device.peak_bytes();
    let made = graph.run(&[&image], None)?;
    assert_eq!(device.peak_bytes() - before, graph.memory(&inputs, None)?);
    drop(made);

    let chain = |length: u64| -> Result<usize> {
        let mut spec = GraphSpec::new();
        let mut x = spec.input("image", Kind::Map(3));
        let inputs = [map(3, 64, 64)];
        x = spec.push(Filters::square(3, 8, 3, 1, REFLECT).op(0), &[x]);
        for seed in 1..length {
            x = spec.push(Filters::square(8, 8, 3, 1, REFLECT).op(seed), &[x]);
        }
        spec.output(x);
        GpuDevice::counting(Bounds::default())?
            .graph(&spec)?
            .memory(&inputs, None)
    };
    assert_eq!(chain(12)?, chain(2)?);
    Ok(())
}

/// A run that there is no memory for on the card, the processor takes over, and the card works on.
#[test]
fn what_does_not_fit_runs_on_the_processor() -> Result<()> {
    let Some(device) = bounded(|bounds| bounds.memory = 1 << 20) else {
        return Ok(());
    };
    let mut spec = GraphSpec::new();
    let image = spec.input("image", Kind::Map(3));
    let x = spec.push(Filters::square(3, 64, 3, 1, REFLECT).op(1), &[image]);
    let x = spec.push(Filters::square(64, 3, 3, 1, REFLECT).op(2), &[x]);
    spec.output(x);
    let inputs = [map(3, 100, 90)];
    assert!(device.graph(&spec)?.memory(&inputs, None)? > 1 << 20);
    agrees("elsewhere", &device, &spec, &inputs)?;
    agrees("on the card again", &device, &spec, &[map(3, 9, 8)])
}
