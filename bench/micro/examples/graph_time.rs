//! Times one network of `benches/graphs.rs` by the clock and by the time of its threads, which alone compares on a machine that
//! others use too: `cargo run --release --manifest-path bench/micro/Cargo.toml --example graph_time -- predictor_mobilenet 256 256 15`.
//! With `--features gpu` and a last argument `gpu`, on the best card, until what it made has been fetched.

use impasto_micro::graphs::{johnson, microast, predictor};
use impasto_micro::{card, device, median, tensor, threads};
use std::error::Error;
use std::time::Instant;

const USAGE: &str = "NAME WIDTH HEIGHT COUNT [gpu]";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let ([name, width, height, count], rest) = arguments.split_first_chunk().ok_or(USAGE)?;
    let device = match rest {
        [] => device()?,
        [gpu] if gpu == "gpu" => card()?,
        _ => return Err(USAGE.into()),
    };
    let spec = match &name[..] {
        "johnson_4_8_16" => johnson([4, 8, 16], 5),
        "johnson_8_16_32" => johnson([8, 16, 32], 5),
        "johnson_32_64_128" => johnson([32, 64, 128], 5),
        "microast_content" => microast(),
        "predictor_mobilenet" => predictor(),
        other => return Err(format!("there is no network {other}").into()),
    };
    let graph = device.graph(&spec)?;
    let image = tensor(&*device, &[3, height.parse()?, width.parse()?])?;
    let run = || {
        let made = graph.run(&[&image], None)?;
        match rest {
            [] => Ok(()),
            // A card is at work still.
            _ => device.download(&made[0]).map(drop),
        }
    };
    run()?;
    let (mut clock, mut processor) = (Vec::new(), Vec::new());
    for _ in 0..count.parse()? {
        let start = (Instant::now(), threads());
        run()?;
        clock.push(start.0.elapsed().as_secs_f64());
        processor.push(threads() - start.1);
    }
    println!(
        "impasto {name} {width}x{height} on {}: {:.1} ms, of processors {:.1} ms",
        device.describe(),
        1e3 * median(clock),
        1e3 * median(processor)
    );
    Ok(())
}
