//! `impasto devices`: what this program and machine offer to compute on.

use crate::{Exit, print};
use impasto::compute::Hardware;
use impasto::compute::cpu::{CpuDevice, CpuSettings};
use impasto::device::{Choice, Gpu, gpus, open};
use std::fmt::Write;

/// Lists the devices.
///
/// # Errors
/// If they cannot be printed.
pub fn list() -> anyhow::Result<Exit> {
    let mut text = String::new();
    let cpu = CpuDevice::new(CpuSettings::default())?;
    row(&mut text, "cpu", cpu.describe().trim_start_matches("cpu: "));
    match gpus() {
        Ok(gpus) if gpus.is_empty() => row(
            &mut text,
            "gpu",
            "none: no driver offers one; docs/gpu.md says what a machine needs",
        ),
        Ok(gpus) => gpus.iter().for_each(|gpu| describe(&mut text, gpu)),
        Err(error) => row(&mut text, "gpu", &error.to_string()),
    }
    row(&mut text, "reference", "naive loops in f64, slow and right");
    let auto = open(&Choice::default())?;
    row(&mut text, "auto", &format!("takes {}", auto.describe()));
    print(&text)?;
    Ok(Exit::Done)
}

fn row(text: &mut String, name: &str, about: &str) {
    let _ = writeln!(text, "{name:<10} {about}");
}

fn describe(text: &mut String, gpu: &Gpu) {
    let advice = match gpu.software {
        true => "; never taken unless named, the cpu is faster",
        false => "",
    };
    row(
        text,
        &format!("gpu:{}", gpu.index),
        &format!("{} ({}){advice}", gpu.name, gpu.kind),
    );
    let driver = match gpu.driver.as_str() {
        "" => String::new(),
        driver => format!("driver {driver}, "),
    };
    let precision = match (gpu.half, gpu.matrices) {
        (false, _) => "f32, no f16".into(),
        (true, None) => "f32 or f16, no small matrices of f16".into(),
        (true, Some(size)) => {
            format!("f32 or f16, by matrices of {size}×{size} where that is faster")
        }
    };
    let memory = match gpu.memory {
        Some(bytes) => format!("{:.1} GB of memory, ", bytes as f64 / 1e9),
        None => String::new(),
    };
    let buffer = gpu.largest_buffer >> 20;
    row(
        text,
        "",
        &format!(
            "{driver}{precision}, {memory}buffers of {buffer} MB at most: larger maps lie in several"
        ),
    );
}
