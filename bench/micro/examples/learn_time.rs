//! Times a step of learning by the clock and by the time of its threads, which alone compares on a machine that others use too:
//! `cargo run --release --manifest-path bench/micro/Cargo.toml --example learn_time -- lite 80 8 9`.
//!
//! `lite` learns all its numbers, `johnson` scales and shifts of its norms alone, as networks of many styles do. The same in
//! PyTorch: `bench/peers/learning.py`.

use impasto_compute::graph::{Op, Wanted};
use impasto_compute::{Device, Tensor};
use impasto_micro::graphs::{johnson, lite};
use impasto_micro::{device, median, tensor, threads};
use std::error::Error;
use std::time::Instant;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// The medians of what a closure takes, by the clock and of processors, in milliseconds.
fn time(count: usize, mut run: impl FnMut() -> Outcome<()>) -> Outcome<(f64, f64)> {
    run()?;
    let (mut clock, mut processor) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let start = (Instant::now(), threads());
        run()?;
        clock.push(1e3 * start.0.elapsed().as_secs_f64());
        processor.push(1e3 * (threads() - start.1));
    }
    Ok((median(clock), median(processor)))
}

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, side, batch, count] = &arguments[..] else {
        return Err("NAME SIDE BATCH COUNT".into());
    };
    let (side, batch, count) = (side.parse()?, batch.parse::<usize>()?, count.parse()?);
    let (spec, wanted) = match &name[..] {
        "lite" => {
            let spec = lite();
            let wanted = Wanted::numbers(&spec, |_| true);
            (spec, wanted)
        }
        "johnson" => {
            let spec = johnson([32, 64, 128], 5);
            let norms = |op: &Op| matches!(op, Op::InstanceNorm(_));
            let wanted = Wanted::numbers(&spec, norms);
            (spec, wanted)
        }
        other => return Err(format!("there is no network {other}").into()),
    };
    let device = device()?;
    let device: &dyn Device = &*device;
    let graph = device.graph(&spec)?;
    let mut learner = device.learner(&spec, &wanted)?;
    let picture = tensor(device, &[3, side, side])?;
    let forward = time(count, || {
        for _ in 0..batch {
            drop(graph.run(&[&picture], None)?);
        }
        Ok(())
    })?;
    let mut numbers = learner.numbers()?;
    let step = time(count, || {
        let mut gradients = learner.gradients()?;
        for _ in 0..batch {
            let tape = learner.forward(&[&picture])?;
            let outputs = tape.outputs().iter();
            let towards = outputs.map(|output| tensor(device, output.shape()));
            let towards = towards.collect::<impasto_compute::Result<Vec<Tensor>>>()?;
            let towards: Vec<_> = towards.iter().map(Some).collect();
            tape.backward(&towards, &mut gradients)?;
        }
        for (numbers, gradient) in numbers.iter_mut().zip(&gradients.numbers) {
            device.axpby(-1e-9, gradient, 1.0, numbers)?;
        }
        Ok(learner.set(&numbers)?)
    })?;
    println!(
        "impasto {name} {batch} × {side}²: a step {:.1} ms, of processors {:.1} ms; forward alone {:.1} ms, of processors {:.1} ms",
        step.0, step.1, forward.0, forward.1
    );
    Ok(())
}
