//! Films in fragments: `moof` boxes, each with the table of the samples behind it.

use super::movie::{Sample, Track, boxes, child};
use crate::bytes::Bytes;

/// What samples are where a fragment does not say so.
#[derive(Clone, Copy, Default)]
struct Defaults {
    duration: u32,
    size: u32,
    flags: u32,
}

/// Adds the samples of a fragment to the tracks; `None` if its tables are damaged. `defaults` is what is in `mvex`, `start`
/// where the fragment begins, `length` that of the file.
pub fn add(
    tracks: &mut [Track],
    fragment: &[u8],
    defaults: &[u8],
    start: u64,
    length: u64,
) -> Option<()> {
    // Where data goes on if a run does not say where it lies.
    let mut next = start;
    for (kind, inner) in boxes(fragment) {
        if &kind != b"traf" {
            continue;
        }
        let mut header = Bytes(child(inner, b"tfhd")?);
        let flags = header.u32()? & 0xff_ffff;
        let id = header.u32()?;
        let Some(track) = tracks.iter_mut().find(|track| track.id == id) else {
            continue;
        };
        let mut values = extended(defaults, id);
        let base = match flags & 1 {
            1 => header.u64()?,
            _ => start,
        };
        if flags & 2 != 0 {
            header.u32()?;
        }
        for (bit, value) in [
            (8, &mut values.duration),
            (0x10, &mut values.size),
            (0x20, &mut values.flags),
        ] {
            if flags & bit != 0 {
                *value = header.u32()?;
            }
        }
        let end = track.samples.last();
        let mut decoded = end.map_or(0, |last| {
            last.decoded.saturating_add(i64::from(last.duration))
        });
        if let Some(inner) = child(inner, b"tfdt") {
            let mut inner = Bytes(inner);
            let version = inner.u8()?;
            inner.take(3)?;
            decoded = inner.wide(version)?.cast_signed();
        }
        for (kind, run) in boxes(inner) {
            if &kind == b"trun" {
                let place = Place {
                    base,
                    next: &mut next,
                    decoded: &mut decoded,
                    length,
                };
                add_run(&mut track.samples, run, values, place)?;
            }
        }
    }
    Some(())
}

fn extended(defaults: &[u8], id: u32) -> Defaults {
    let entry = |inner: &[u8]| {
        let mut inner = Bytes(inner.get(4..)?);
        let found = inner.u32()?;
        inner.u32()?;
        let (duration, size, flags) = (inner.u32()?, inner.u32()?, inner.u32()?);
        (found == id).then_some(Defaults {
            duration,
            size,
            flags,
        })
    };
    boxes(defaults)
        .filter(|(kind, _)| kind == b"trex")
        .find_map(|(_, inner)| entry(inner))
        .unwrap_or_default()
}

struct Place<'a> {
    base: u64,
    next: &'a mut u64,
    decoded: &'a mut i64,
    length: u64,
}

fn add_run(samples: &mut Vec<Sample>, run: &[u8], defaults: Defaults, place: Place) -> Option<()> {
    let mut bytes = Bytes(run);
    let flags = bytes.u32()? & 0xff_ffff;
    let count = bytes.u32()?;
    let mut offset = *place.next;
    if flags & 1 != 0 {
        offset = place.base.checked_add_signed(i64::from(bytes.i32()?))?;
    }
    let first_flags = match flags & 4 {
        0 => None,
        _ => Some(bytes.u32()?),
    };
    let fields = (flags & 0xf00).count_ones() as usize;
    // Samples that say nothing of themselves take no room in the table: then their bytes limit how many there can be.
    let believable = match fields {
        0 => u64::from(count) * u64::from(defaults.size.max(1)) <= place.length,
        _ => count as usize <= bytes.0.len() / (4 * fields),
    };
    if !believable {
        return None;
    }
    for index in 0..count {
        let mut field = |bit: u32, otherwise: u32| match flags & bit {
            0 => Some(otherwise),
            _ => bytes.u32(),
        };
        let duration = field(0x100, defaults.duration)?;
        let size = field(0x200, defaults.size)?;
        let own = match first_flags {
            Some(flags) if index == 0 => flags,
            _ => defaults.flags,
        };
        let own = field(0x400, own)?;
        let shift = field(0x800, 0)?.cast_signed();
        samples.push(Sample {
            offset,
            size,
            decoded: *place.decoded,
            duration,
            shift,
            // Bit 16: the sample is no sync sample.
            key: own >> 16 & 1 == 0,
        });
        offset = offset.saturating_add(u64::from(size));
        *place.decoded = place.decoded.saturating_add(i64::from(duration));
    }
    *place.next = offset;
    Some(())
}
