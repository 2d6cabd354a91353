//! Encoders of H.264: frames of a segment in, samples of MP4 out. Every segment begins anew, so that what was cut off can go on.

use crate::color::{Matrix, Yuv420};
use crate::error::{Error, Result};
use crate::ffmpeg::{Ffmpeg, Running, argument};
use crate::mp4::write::boxed;
use crate::mp4::{Movie, boxes, child, read_sample};
use std::fs::File;
use std::io::Write;
use std::process::Stdio;

/// A frame that was encoded.
pub struct Encoded {
    /// Units with their lengths before them.
    pub bytes: Vec<u8>,
    pub key: bool,
    /// Its place among the frames of the segment as they are seen.
    pub shown: usize,
}

/// A segment that was encoded, in order of decoding, and the configuration (`avcC`) that all segments share.
pub struct Segment {
    pub frames: Vec<Encoded>,
    pub configuration: Vec<u8>,
}

/// What an encoder has to know.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Even.
    pub width: usize,
    /// Even.
    pub height: usize,
    pub quantizer: u8,
    pub aspect: (u32, u32),
    pub matrix: Matrix,
}

impl Shape {
    /// Code points of ITU-T H.273: primaries, transfer, matrix.
    pub fn colors(&self) -> [u8; 3] {
        match self.matrix {
            Matrix::Bt601 => [6; 3],
            _ => [1; 3],
        }
    }
}

pub trait SegmentEncoder: Send {
    fn encode(&mut self, frames: Vec<Yuv420>) -> Result<Segment>;
}

/// Units of a stream with start codes.
#[cfg(feature = "h264")]
fn split(stream: &[u8]) -> Vec<&[u8]> {
    let mut starts = Vec::new();
    for (index, window) in stream.windows(3).enumerate() {
        if window == [0, 0, 1] {
            starts.push(index + 3);
        }
    }
    let ends = starts
        .iter()
        .skip(1)
        .map(|next| next - 3)
        .chain([stream.len()]);
    let units = starts.iter().zip(ends.collect::<Vec<_>>());
    units
        .map(|(&start, end)| {
            let unit = &stream[start..end];
            // A start code may have another zero before it; a unit ends with none.
            let length = unit
                .iter()
                .rposition(|&byte| byte != 0)
                .map_or(0, |last| last + 1);
            &unit[..length]
        })
        .filter(|unit| !unit.is_empty())
        .collect()
}

/// The encoder of `rusty_h264`.
#[cfg(feature = "h264")]
pub struct NativeEncoder {
    shape: Shape,
}

#[cfg(feature = "h264")]
impl NativeEncoder {
    pub fn new(shape: Shape) -> Self {
        NativeEncoder { shape }
    }
}

#[cfg(feature = "h264")]
impl SegmentEncoder for NativeEncoder {
    fn encode(&mut self, frames: Vec<Yuv420>) -> Result<Segment> {
        use rusty_h264::{Encoder, EncoderConfig, Preset, YuvFrame};
        let Shape { width, height, .. } = self.shape;
        let mut config = EncoderConfig::new(width, height);
        config.preset = Preset::Balanced;
        config.qp = self.shape.quantizer.min(51);
        config.gop_size = frames.len().max(2) as u32;
        config.scenecut = 0;
        let frames: Vec<YuvFrame> = frames
            .into_iter()
            .map(|Yuv420 { y, u, v }| YuvFrame {
                width,
                height,
                y,
                u,
                v,
            })
            .collect();
        let units = crate::guard::guarded("encoder of H.264", || {
            let encoder = Encoder::new(config).and_then(|encoder| encoder.encode_all(&frames));
            encoder.map_err(|error| Error::CannotWrite {
                what: format!("H.264 cannot have this size ({error:?})"),
            })
        })?;
        let mut segment = Segment {
            frames: Vec::new(),
            configuration: Vec::new(),
        };
        let (mut sequence, mut picture) = (Vec::new(), Vec::new());
        for (shown, stream) in units.iter().enumerate() {
            let mut encoded = Encoded {
                bytes: Vec::new(),
                key: false,
                shown,
            };
            for unit in split(stream) {
                match unit[0] & 31 {
                    7 => {
                        sequence = super::described::with_colors(unit, &self.shape)
                            .unwrap_or_else(|| unit.to_vec())
                    }
                    8 => picture = unit.to_vec(),
                    kind => {
                        encoded.key |= kind == 5;
                        encoded.bytes.extend((unit.len() as u32).to_be_bytes());
                        encoded.bytes.extend(unit);
                    }
                }
            }
            segment.frames.push(encoded);
        }
        segment.configuration = configuration(&sequence, &picture)?;
        Ok(segment)
    }
}

/// `avcC` of one set of each kind (ISO/IEC 14496-15 5.3.3.1), 8 bits and 4:2:0.
#[cfg(feature = "h264")]
fn configuration(sequence: &[u8], picture: &[u8]) -> Result<Vec<u8>> {
    let Some(&[profile, compatible, level]) = sequence.get(1..4) else {
        return Err(Error::Fault {
            codec: "encoder of H.264",
            what: "it describes nothing".to_owned(),
        });
    };
    let mut bytes = vec![1, profile, compatible, level, 0xff, 0xe1];
    bytes.extend((sequence.len() as u16).to_be_bytes());
    bytes.extend(sequence);
    bytes.push(1);
    bytes.extend((picture.len() as u16).to_be_bytes());
    bytes.extend(picture);
    if matches!(profile, 100 | 110 | 122 | 144) {
        bytes.extend([0xfd, 0xf8, 0xf8, 0]);
    }
    Ok(bytes)
}

/// x264, by ffmpeg: a process for each segment, whose file is read by our own reader.
pub struct FfmpegEncoder {
    tool: Ffmpeg,
    shape: Shape,
}

impl FfmpegEncoder {
    pub fn new(tool: Ffmpeg, shape: Shape) -> Self {
        FfmpegEncoder { tool, shape }
    }

    fn arguments(&self) -> Vec<String> {
        let Shape {
            width,
            height,
            quantizer,
            aspect,
            matrix,
        } = self.shape;
        let colors = if matrix == Matrix::Bt601 {
            "smpte170m"
        } else {
            "bt709"
        };
        let text = format!(
            "-f rawvideo -pix_fmt yuv420p -video_size {width}x{height} -framerate 25 -color_range tv \
             -colorspace {colors} -i - -vf setsar={}/{} -c:v libx264 -preset medium -crf {quantizer} -pix_fmt yuv420p \
             -threads 2 -x264-params keyint=infinite:scenecut=0 -color_range tv -colorspace {colors} \
             -color_trc {colors} -color_primaries {colors} -bitexact -f mp4",
            aspect.0, aspect.1
        );
        text.split_whitespace().map(str::to_owned).collect()
    }
}

impl SegmentEncoder for FfmpegEncoder {
    fn encode(&mut self, frames: Vec<Yuv420>) -> Result<Segment> {
        let failed = |error: std::io::Error| Error::Ffmpeg {
            what: error.to_string(),
        };
        let target = tempfile::Builder::new()
            .suffix(".mp4")
            .tempfile()
            .map_err(failed)?
            .into_temp_path();
        let mut command = self.tool.command();
        command.args(self.arguments()).arg(argument(&target));
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        let mut running = Running::start(command)?;
        if let Some(mut input) = running.child.stdin.take() {
            for Yuv420 { y, u, v } in &frames {
                // Where it has ended early, what it said says more than a broken pipe.
                let written = [y, u, v]
                    .into_iter()
                    .try_for_each(|plane| input.write_all(plane));
                if written.is_err() {
                    break;
                }
            }
        }
        running.finish()?;
        read_segment(&target, frames.len())
    }
}

fn read_segment(path: &std::path::Path, count: usize) -> Result<Segment> {
    let mut file = File::open(path).map_err(Error::read(path))?;
    let length = file.metadata().map_err(Error::read(path))?.len();
    let movie = Movie::read(path, &mut file)?;
    let wrong = || Error::Ffmpeg {
        what: "it wrote other frames than it was given".to_owned(),
    };
    let track = movie.tracks.first().ok_or_else(wrong)?;
    let configuration = boxes(&track.entry)
        .next()
        .and_then(|(_, inner)| child(inner.get(78..)?, b"avcC"))
        .ok_or_else(wrong)?
        .to_vec();
    let shown_at =
        |index: usize| track.samples[index].decoded + i64::from(track.samples[index].shift);
    let mut order: Vec<usize> = (0..track.samples.len()).collect();
    order.sort_by_key(|&index| shown_at(index));
    if order.len() != count {
        return Err(wrong());
    }
    let mut places = vec![0; count];
    for (place, &index) in order.iter().enumerate() {
        places[index] = place;
    }
    let mut frames = Vec::new();
    for (sample, shown) in track.samples.iter().zip(places) {
        let mut bytes = Vec::new();
        read_sample(path, &mut file, length, sample, &mut bytes)?;
        frames.push(Encoded {
            bytes,
            key: sample.key,
            shown,
        });
    }
    Ok(Segment {
        frames,
        configuration,
    })
}

/// The description of the track: a box `avc1` (ISO/IEC 14496-12 12.1.3, 14496-15 5.4.2).
pub fn entry(configuration: &[u8], shape: &Shape) -> Vec<u8> {
    let mut head = vec![0, 0, 0, 0, 0, 0, 0, 1];
    head.extend([0; 16]);
    head.extend((shape.width as u16).to_be_bytes());
    head.extend((shape.height as u16).to_be_bytes());
    head.extend([0, 0x48, 0, 0, 0, 0x48, 0, 0, 0, 0, 0, 0, 0, 1]);
    head.extend([0; 32]);
    head.extend([0, 0x18, 0xff, 0xff]);
    let [primaries, transfer, matrix] = shape.colors();
    let colors = [
        b'n', b'c', b'l', b'x', 0, primaries, 0, transfer, 0, matrix, 0,
    ];
    let aspect = [shape.aspect.0.to_be_bytes(), shape.aspect.1.to_be_bytes()];
    let parts = [
        head,
        boxed(b"avcC", &[configuration]),
        boxed(b"colr", &[&colors]),
        boxed(b"pasp", &[aspect.as_flattened()]),
    ];
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    boxed(b"avc1", &parts)
}
