//! Flow as files and as pictures, as Middlebury's evaluation has both (Baker et al. 2011).

use crate::Error;
use crate::field::Flow;
use std::io::{Read, Write};

/// The first four bytes: the number 202021.25.
const MAGIC: &[u8; 4] = b"PIEH";

/// Longest side that a file may say.
const LONGEST: u32 = 99_999;

/// Motions larger than this are unknown.
const UNKNOWN: f32 = 1e9;

/// Reads a `.flo` file: "PIEH", width, height (32 bits each), then u and v of each pixel row by row (f32), all little-endian.
/// Motions beyond 1e9 are what the format calls unknown, and are handed on as they are.
///
/// # Errors
/// [`Error::Flo`] if it is no such file, if it is cut off or goes on after its end; [`Error::Io`].
pub fn read_flo(mut from: impl Read) -> Result<Flow, Error> {
    let refuse = |why: String| Err(Error::Flo(why));
    let mut header = Vec::new();
    from.by_ref().take(12).read_to_end(&mut header)?;
    let Some((magic, sizes)) = header.split_first_chunk::<4>() else {
        return refuse("it ends within its first four bytes".into());
    };
    if magic != MAGIC {
        return refuse("it does not begin with PIEH".into());
    }
    let (&[a, b, c, d], Some(&[e, f, g, h])) = (
        sizes.first_chunk().unwrap_or(&[0; 4]),
        sizes.get(4..).and_then(<[u8]>::first_chunk),
    ) else {
        return refuse("it ends before its size".into());
    };
    let (width, height) = (
        u32::from_le_bytes([a, b, c, d]),
        u32::from_le_bytes([e, f, g, h]),
    );
    if !(1..=LONGEST).contains(&width) || !(1..=LONGEST).contains(&height) {
        return refuse(format!(
            "a size of {width}×{height} is not within 1 to {LONGEST}"
        ));
    }
    // Read before memory is set aside: a small file may claim any size.
    let needed = u64::from(width) * u64::from(height) * 8;
    let mut bytes = Vec::new();
    from.take(needed + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != needed {
        let how = if (bytes.len() as u64) < needed {
            "ends too soon"
        } else {
            "goes on"
        };
        return refuse(format!(
            "{width}×{height} pixels take {needed} bytes, and it {how}"
        ));
    }
    let (pairs, _) = bytes.as_chunks::<8>();
    let u = pairs
        .iter()
        .map(|&[a, b, c, d, ..]| f32::from_le_bytes([a, b, c, d]));
    let v = pairs
        .iter()
        .map(|&[.., a, b, c, d]| f32::from_le_bytes([a, b, c, d]));
    Flow::new(height as usize, width as usize, u.chain(v).collect())
}

/// Writes a `.flo` file.
///
/// # Errors
/// [`Error::Flo`] if a side is longer than the format allows, 99 999; [`Error::Io`].
pub fn write_flo(flow: &Flow, mut to: impl Write) -> Result<(), Error> {
    let side = |length: usize| {
        u32::try_from(length)
            .ok()
            .filter(|&length| length <= LONGEST)
    };
    let (Some(width), Some(height)) = (side(flow.width), side(flow.height)) else {
        return Err(Error::Flo(format!(
            "a flow of {}×{} is too large for one",
            flow.width, flow.height
        )));
    };
    let mut bytes = Vec::with_capacity(12 + 4 * flow.data.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&width.to_le_bytes());
    bytes.extend_from_slice(&height.to_le_bytes());
    for (u, v) in flow.u().iter().zip(flow.v()) {
        bytes.extend_from_slice(&u.to_le_bytes());
        bytes.extend_from_slice(&v.to_le_bytes());
    }
    to.write_all(&bytes)?;
    Ok(to.flush()?)
}

/// How many colours lie from each of six to the next: red, yellow, green, cyan, blue, magenta, red.
const ARCS: [usize; 6] = [15, 6, 4, 11, 13, 6];

/// Flow as a picture, bytes `[h, w, 3]` of red, green and blue: direction is hue, speed is saturation. Stillness is white, and
/// what moves faster than `fastest` pixels is darker. `None` is the fastest there is. Unknown is black.
pub fn flow_colors(flow: &Flow, fastest: Option<f32>) -> Vec<u8> {
    let known = |u: f32, v: f32| u.abs() <= UNKNOWN && v.abs() <= UNKNOWN;
    let speeds = flow
        .u()
        .iter()
        .zip(flow.v())
        .filter(|(u, v)| known(**u, **v))
        .map(|(u, v)| u.hypot(*v));
    let fastest = fastest
        .filter(|fastest| *fastest > 0.0)
        .unwrap_or_else(|| speeds.fold(0.0, f32::max));
    let scale = if fastest > 0.0 { 1.0 / fastest } else { 0.0 };
    let wheel = wheel();
    let pixels = flow.u().iter().zip(flow.v());
    pixels
        .flat_map(|(&u, &v)| {
            if known(u, v) {
                color(&wheel, u * scale, v * scale)
            } else {
                [0; 3]
            }
        })
        .collect()
}

/// All colours, 0..1.
fn wheel() -> Vec<[f32; 3]> {
    // In each arc one channel rises or falls and the others stay.
    let ends = [
        [1, 0, 0],
        [1, 1, 0],
        [0, 1, 0],
        [0, 1, 1],
        [0, 0, 1],
        [1, 0, 1],
        [1, 0, 0],
    ];
    let mut wheel = Vec::new();
    for (arc, &count) in ARCS.iter().enumerate() {
        for step in 0..count {
            let share = step as f32 / count as f32;
            wheel
                .push([0, 1, 2].map(|c| {
                    ends[arc][c] as f32 * (1.0 - share) + ends[arc + 1][c] as f32 * share
                }));
        }
    }
    wheel
}

fn color(wheel: &[[f32; 3]], u: f32, v: f32) -> [u8; 3] {
    let speed = u.hypot(v);
    let turn = (-v).atan2(-u) / std::f32::consts::PI;
    let place = (turn + 1.0) / 2.0 * (wheel.len() - 1) as f32;
    let first = (place as usize).min(wheel.len() - 1);
    let share = place - first as f32;
    let (one, next) = (wheel[first], wheel[(first + 1) % wheel.len()]);
    [0, 1, 2].map(|c| {
        let hue = (1.0 - share) * one[c] + share * next[c];
        let value = if speed <= 1.0 {
            1.0 - speed * (1.0 - hue)
        } else {
            hue * 0.75
        };
        (255.0 * value) as u8
    })
}
