//! Boxes that are written: the index of a whole film, which stands before its data, and fragments.

use super::movie::{Edit, Sample};
use std::io::Write;

/// A track that is written.
pub struct OutTrack<'a> {
    /// `vide` or `soun`.
    pub handler: &'static [u8; 4],
    pub timescale: u32,
    /// The description of its codec, a box.
    pub entry: &'a [u8],
    pub language: u16,
    /// With durations in ticks of the film.
    pub edits: Vec<Edit>,
    /// As they are shown, in pixels; sound has none.
    pub size: (u32, u32),
    /// Where samples lie is said by `chunks`.
    pub samples: &'a [Sample],
    /// Numbers of samples in each chunk, and where it begins in the file.
    pub chunks: &'a [(u32, u64)],
}

/// A box: its size, its type, what is in it.
pub fn boxed(kind: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut bytes = Vec::with_capacity(length + 8);
    bytes.extend((length as u32 + 8).to_be_bytes());
    bytes.extend(kind);
    parts.iter().for_each(|part| bytes.extend(*part));
    bytes
}

/// Numbers of 32 bits.
fn words(values: &[u32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_be_bytes())
        .collect()
}

const IDENTITY: [u32; 9] = [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000];

pub fn ftyp() -> Vec<u8> {
    boxed(b"ftyp", &[b"isom\0\0\x02\0", b"isomiso2avc1mp41"])
}

/// The index of a film whose tracks begin at 0 of `timescale`; `fragmented`: more comes in fragments.
pub fn moov(timescale: u32, tracks: &[OutTrack], fragmented: bool) -> Vec<u8> {
    let durations: Vec<u64> = tracks
        .iter()
        .map(|track| duration(track, timescale))
        .collect();
    let longest = durations.iter().copied().max().unwrap_or(0);
    let mut header = Vec::new();
    header.extend([1, 0, 0, 0]);
    header.extend([0; 16]);
    header.extend(timescale.to_be_bytes());
    header.extend(longest.to_be_bytes());
    header.extend(words(&[0x1_0000, 0x0100_0000, 0, 0]));
    header.extend(words(&IDENTITY));
    header.extend([0; 24]);
    header.extend((tracks.len() as u32 + 1).to_be_bytes());
    let mut parts = vec![boxed(b"mvhd", &[&header])];
    for (index, track) in tracks.iter().enumerate() {
        parts.push(trak(index as u32 + 1, track, durations[index]));
    }
    if fragmented {
        let defaults: Vec<Vec<u8>> = (1..=tracks.len() as u32)
            .map(|id| boxed(b"trex", &[&words(&[0, id, 1, 0, 0, 0])]))
            .collect();
        let defaults: Vec<&[u8]> = defaults.iter().map(Vec::as_slice).collect();
        parts.push(boxed(b"mvex", &defaults));
    }
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    boxed(b"moov", &parts)
}

/// In ticks of the film.
fn duration(track: &OutTrack, timescale: u32) -> u64 {
    if track.edits.is_empty() {
        let ticks: u64 = track
            .samples
            .iter()
            .map(|sample| u64::from(sample.duration))
            .sum();
        return (u128::from(ticks) * u128::from(timescale) / u128::from(track.timescale)) as u64;
    }
    track.edits.iter().map(|edit| edit.duration).sum()
}

fn trak(id: u32, track: &OutTrack, duration: u64) -> Vec<u8> {
    let sound = track.handler == b"soun";
    let mut header = vec![1, 0, 0, 3];
    header.extend([0; 16]);
    header.extend(words(&[id, 0]));
    header.extend(duration.to_be_bytes());
    header.extend([0; 8]);
    // Layer, group (sounds replace one another), volume.
    header.extend([0, 0, 0, u8::from(sound), u8::from(sound), 0, 0, 0]);
    header.extend(words(&IDENTITY));
    header.extend(words(&[track.size.0 << 16, track.size.1 << 16]));
    let header = boxed(b"tkhd", &[&header]);
    let mut edits = Vec::new();
    if !track.edits.is_empty() {
        let mut list = words(&[0x0100_0000, track.edits.len() as u32]);
        for edit in &track.edits {
            list.extend(edit.duration.to_be_bytes());
            list.extend(edit.start.to_be_bytes());
            list.extend([0, 1, 0, 0]);
        }
        edits = boxed(b"edts", &[&boxed(b"elst", &[&list])]);
    }
    let mut media = vec![1, 0, 0, 0];
    media.extend([0; 16]);
    media.extend(track.timescale.to_be_bytes());
    let ticks: u64 = track
        .samples
        .iter()
        .map(|sample| u64::from(sample.duration))
        .sum();
    media.extend(ticks.to_be_bytes());
    media.extend(track.language.to_be_bytes());
    media.extend([0, 0]);
    let mut handler = vec![0; 8];
    handler.extend(track.handler);
    handler.extend([0; 13]);
    let kind = match sound {
        true => boxed(b"smhd", &[&[0; 8]]),
        false => boxed(b"vmhd", &[&[0, 0, 0, 1], &[0; 8]]),
    };
    let place = boxed(
        b"dref",
        &[&words(&[0, 1]), &boxed(b"url ", &[&words(&[1])])],
    );
    let information = boxed(b"minf", &[&kind, &boxed(b"dinf", &[&place]), &stbl(track)]);
    let media = boxed(
        b"mdia",
        &[
            &boxed(b"mdhd", &[&media]),
            &boxed(b"hdlr", &[&handler]),
            &information,
        ],
    );
    boxed(b"trak", &[&header, &edits, &media])
}

fn stbl(track: &OutTrack) -> Vec<u8> {
    let samples = track.samples;
    let mut parts = vec![boxed(b"stsd", &[&words(&[0, 1]), track.entry])];
    let durations = runs(samples.iter().map(|sample| sample.duration));
    parts.push(boxed(b"stts", &[&words(&[0]), &durations]));
    if samples.iter().any(|sample| sample.shift != 0) {
        let shifts = runs(samples.iter().map(|sample| sample.shift.cast_unsigned()));
        parts.push(boxed(b"ctts", &[&words(&[0]), &shifts]));
    }
    if samples.iter().any(|sample| !sample.key) {
        let keys = (1u32..).zip(samples).filter(|(_, sample)| sample.key);
        let keys: Vec<u32> = keys.map(|(number, _)| number).collect();
        parts.push(boxed(
            b"stss",
            &[&words(&[0, keys.len() as u32]), &words(&keys)],
        ));
    }
    let mut places = Vec::new();
    for (number, (count, _)) in (1u32..).zip(track.chunks) {
        if places
            .last()
            .is_none_or(|last: &[u32; 3]| last[1] != *count)
        {
            places.push([number, *count, 1]);
        }
    }
    parts.push(boxed(
        b"stsc",
        &[
            &words(&[0, places.len() as u32]),
            &words(places.as_flattened()),
        ],
    ));
    let sizes: Vec<u32> = samples.iter().map(|sample| sample.size).collect();
    parts.push(boxed(
        b"stsz",
        &[&words(&[0, 0, sizes.len() as u32]), &words(&sizes)],
    ));
    let count = track.chunks.len() as u32;
    let far = track
        .chunks
        .iter()
        .any(|&(_, offset)| u32::try_from(offset).is_err());
    parts.push(match far {
        false => {
            let offsets: Vec<u32> = track
                .chunks
                .iter()
                .map(|&(_, offset)| offset as u32)
                .collect();
            boxed(b"stco", &[&words(&[0, count]), &words(&offsets)])
        }
        true => {
            let offsets = track
                .chunks
                .iter()
                .flat_map(|(_, offset)| offset.to_be_bytes());
            boxed(
                b"co64",
                &[&words(&[0, count]), &offsets.collect::<Vec<u8>>()],
            )
        }
    });
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    boxed(b"stbl", &parts)
}

/// The number of runs of equal values, then length and value of each.
fn runs(values: impl Iterator<Item = u32>) -> Vec<u8> {
    let mut runs: Vec<[u32; 2]> = Vec::new();
    for value in values {
        match runs.last_mut() {
            Some(run) if run[1] == value => run[0] += 1,
            _ => runs.push([1, value]),
        }
    }
    let mut bytes = words(&[runs.len() as u32]);
    bytes.extend(words(runs.as_flattened()));
    bytes
}

/// A fragment of the one track of a film: its table, then its data.
pub fn fragment(
    output: &mut impl Write,
    number: u32,
    samples: &[Sample],
    data: &[u8],
) -> std::io::Result<()> {
    // Offset, duration, size, flags and shift of each sample.
    let fields = samples.len() * 16;
    let run_size = 8 + 4 + 4 + 4 + fields;
    let table_size = 8 + 16 + 8 + (8 + 8) + (8 + 12) + run_size;
    let mut run = words(&[0x0100_0f01, samples.len() as u32, table_size as u32 + 8]);
    for sample in samples {
        let flags = if sample.key { 0x0200_0000 } else { 0x0101_0000 };
        run.extend(words(&[
            sample.duration,
            sample.size,
            flags,
            sample.shift.cast_unsigned(),
        ]));
    }
    let decoded = samples.first().map_or(0, |sample| sample.decoded);
    let track = boxed(
        b"traf",
        &[
            // Places count from the start of the fragment.
            &boxed(b"tfhd", &[&words(&[0x02_0000, 1])]),
            &boxed(b"tfdt", &[&words(&[0x0100_0000]), &decoded.to_be_bytes()]),
            &boxed(b"trun", &[&run]),
        ],
    );
    output.write_all(&boxed(
        b"moof",
        &[&boxed(b"mfhd", &[&words(&[0, number])]), &track],
    ))?;
    output.write_all(&(data.len() as u32 + 8).to_be_bytes())?;
    output.write_all(b"mdat")?;
    output.write_all(data)
}
