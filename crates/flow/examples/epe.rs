//! Mean end-point error and time (the median of five) of every preset on frames whose flow is known:
//! `cargo run --release -p impasto-flow --example epe -- FIRST.png SECOND.png TRUTH.flo …`

use impasto_flow::{Flow, Frame, Preset, flow, read_flo};
use std::error::Error;
use std::fs::File;
use std::io::BufReader;
use std::time::Instant;

fn frame(path: &str) -> Result<Frame, Box<dyn Error>> {
    let mut reader = png::Decoder::new(BufReader::new(File::open(path)?)).read_info()?;
    let mut bytes = vec![0; reader.output_buffer_size().ok_or("too large")?];
    let info = reader.next_frame(&mut bytes)?;
    if (info.color_type, info.bit_depth) != (png::ColorType::Rgb, png::BitDepth::Eight) {
        return Err(format!("{path} is not red, green and blue of eight bits").into());
    }
    Ok(Frame::from_rgb8(
        info.height as usize,
        info.width as usize,
        &bytes,
    )?)
}

/// Over the pixels whose true motion is known.
fn end_point_error(got: &Flow, truth: &Flow) -> f64 {
    let motions = |flow: &Flow| -> Vec<(f32, f32)> {
        flow.u()
            .iter()
            .copied()
            .zip(flow.v().iter().copied())
            .collect()
    };
    let pairs = motions(got).into_iter().zip(motions(truth));
    let known = pairs.filter(|(_, (u, v))| u.abs() < 1e9 && v.abs() < 1e9);
    let errors: Vec<f64> = known
        .map(|(a, b)| f64::from((a.0 - b.0).hypot(a.1 - b.1)))
        .collect();
    errors.iter().sum::<f64>() / errors.len() as f64
}

fn main() -> Result<(), Box<dyn Error>> {
    let paths: Vec<String> = std::env::args().skip(1).collect();
    for [first, second, truth] in paths.as_chunks::<3>().0 {
        let (a, b) = (frame(first)?, frame(second)?);
        let truth = read_flo(BufReader::new(File::open(truth)?))?;
        for preset in [Preset::Fast, Preset::Medium, Preset::Fine] {
            let once = || {
                let start = Instant::now();
                let got = flow(&a, &b, &preset.settings(), Default::default());
                got.map(|got| (got, start.elapsed().as_secs_f64() * 1e3))
            };
            let (got, _) = once()?;
            let times = (0..5).map(|_| once().map(|(_, time)| time));
            let mut times = times.collect::<Result<Vec<_>, _>>()?;
            times.sort_by(f64::total_cmp);
            let time = times[times.len() / 2];
            let error = end_point_error(&got, &truth);
            println!("{first}  {preset:?}  {error:.3} px  {time:.0} ms");
        }
    }
    Ok(())
}
