//! Everything else, decoded by ffmpeg: frames through a pipe, times from ffprobe.

use super::{Reader, checked_size};
use crate::error::{Error, Result};
use crate::ffmpeg::{Ffmpeg, Running, argument};
use crate::frame::{Channels, Frame, Picture, Samples};
use crate::info::{Info, Rotation};
use crate::mp4::{Movie, Sound};
use crate::time::{Time, TimeBase};
use serde_json::Value;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Stdio};

/// HDR to what screens show, by Hable's curve.
const TONE_MAP: &str = "zscale=t=linear:npl=100,format=gbrpf32le,zscale=p=bt709,\
    tonemap=tonemap=hable:desat=0,zscale=t=bt709:m=bt709:r=tv,format=yuv444p";

pub struct FfmpegReader {
    path: PathBuf,
    tool: Ffmpeg,
    info: Info,
    channels: Channels,
    sixteen: bool,
    filter: Option<String>,
    running: Option<(Running, ChildStdout)>,
    next: u64,
}

impl FfmpegReader {
    pub fn open(path: &Path, tool: Ffmpeg) -> Result<Self> {
        if path.as_os_str() != "-" && !path.exists() {
            let missing = std::io::ErrorKind::NotFound.into();
            return Err(Error::read(path)(missing));
        }
        let found = tool.probe(&["-show_streams", "-show_format"], path)?;
        let streams = found["streams"].as_array().cloned().unwrap_or_default();
        let of_kind = |kind: &str| streams.iter().find(|stream| stream["codec_type"] == *kind);
        let Some(video) = of_kind("video") else {
            return Err(Error::Empty {
                path: path.to_owned(),
            });
        };
        let rotation = rotation(video);
        let number = |value: &Value| value.as_u64().unwrap_or(0);
        let size = (number(&video["width"]), number(&video["height"]));
        let turned = matches!(rotation, Rotation::Quarter | Rotation::ThreeQuarters);
        let size = if turned { (size.1, size.0) } else { size };
        let (width, height) = checked_size(path, size.0, size.1)?;
        let codec = video["codec_name"].as_str().unwrap_or("unknown");
        let mut info = Info::of_size(width, height, &format!("ffmpeg ({codec})"));
        info.rotation = rotation;
        info.sound = of_kind("audio").is_some();
        let aspect = ratio(&video["sample_aspect_ratio"], ':').filter(|&(x, y)| x > 0 && y > 0);
        info.pixel_aspect = match aspect.unwrap_or((1, 1)) {
            (x, y) if turned => (y, x),
            aspect => aspect,
        };
        let base = ratio(&video["time_base"], '/').and_then(|(up, down)| TimeBase::new(up, down));
        let base = base.unwrap_or(TimeBase::MILLISECONDS);
        let begin = found["format"]["start_time"]
            .as_str()
            .and_then(|text| text.parse::<f64>().ok());
        let begin = (begin.unwrap_or(0.0) / base.seconds(1)).round() as i64;
        let index = video["index"].as_u64().unwrap_or(0).to_string();
        let times = times(&tool, path, &index, begin)?;
        if times.is_empty() {
            return Err(Error::Empty {
                path: path.to_owned(),
            });
        }
        let mut info = info.with_times(base, times);
        let (filter, notes) = filter(video);
        info.notes = notes;
        let format = video["pix_fmt"].as_str().unwrap_or("");
        let opaque = ![
            "yuva", "rgba", "argb", "bgra", "abgr", "gbrap", "pal8", "ya8", "ya16",
        ]
        .iter()
        .any(|kind| format.starts_with(kind));
        Ok(FfmpegReader {
            path: path.to_owned(),
            tool,
            info,
            channels: if opaque {
                Channels::Rgb
            } else {
                Channels::Rgba
            },
            sixteen: is_deep(format),
            filter,
            running: None,
            next: 0,
        })
    }

    fn start(&mut self) -> Result<(Running, ChildStdout)> {
        let mut command = self.tool.command();
        command
            .arg("-i")
            .arg(argument(&self.path))
            .args(["-map", "0:v:0"]);
        let mut filters: Vec<String> = self.filter.iter().cloned().collect();
        if self.next > 0 {
            filters.push(format!("select=gte(n\\,{})", self.next));
        }
        if !filters.is_empty() {
            command.args(["-vf", &filters.join(",")]);
        }
        let format = match (self.channels, self.sixteen) {
            (Channels::Rgb, false) => "rgb24",
            (Channels::Rgba, false) => "rgba",
            (Channels::Rgb, true) => "rgb48le",
            (Channels::Rgba, true) => "rgba64le",
        };
        let flags = "bicubic+accurate_rnd+full_chroma_int";
        command.args(["-fps_mode", "passthrough", "-sws_flags", flags]);
        command.args(["-pix_fmt", format, "-f", "rawvideo", "-"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut running = Running::start(command)?;
        let output = running.child.stdout.take().ok_or_else(|| Error::Ffmpeg {
            what: "it has no output".to_owned(),
        })?;
        Ok((running, output))
    }
}

/// Whether a format of pixels has more than 8 bits.
fn is_deep(format: &str) -> bool {
    let little = format.trim_end_matches("le").trim_end_matches("be");
    ["9", "10", "12", "14", "16", "48", "64", "f32"]
        .iter()
        .any(|depth| little.ends_with(depth))
        && !little.ends_with("nv16")
}

/// Two numbers with a sign between them.
fn ratio(value: &Value, sign: char) -> Option<(u32, u32)> {
    let (up, down) = value.as_str()?.split_once(sign)?;
    Some((up.parse().ok()?, down.parse().ok()?))
}

fn rotation(video: &Value) -> Rotation {
    let data = video["side_data_list"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let degrees = data.iter().find_map(|entry| entry["rotation"].as_i64());
    // ffprobe counts counter-clockwise.
    match degrees.map(|degrees| degrees.rem_euclid(360)) {
        Some(270) => Rotation::Quarter,
        Some(180) => Rotation::Half,
        Some(90) => Rotation::ThreeQuarters,
        _ => Rotation::None,
    }
}

/// What has to be done before frames are as they should be, and what there is to say about it.
fn filter(video: &Value) -> (Option<String>, Vec<String>) {
    let mut filters = Vec::new();
    let mut notes = Vec::new();
    if matches!(
        video["field_order"].as_str(),
        Some("tt" | "bb" | "tb" | "bt")
    ) {
        filters.push("bwdif=mode=send_frame:deint=interlaced");
        notes.push("it is interlaced; every two fields were made one frame".to_owned());
    }
    if matches!(
        video["color_transfer"].as_str(),
        Some("smpte2084" | "arib-std-b67")
    ) {
        filters.push(TONE_MAP);
        notes.push("it is HDR; its brightness was mapped to what all screens show".to_owned());
    }
    ((!filters.is_empty()).then(|| filters.join(",")), notes)
}

/// Times of frames, from packets, which need no decoding.
fn times(tool: &Ffmpeg, path: &Path, index: &str, begin: i64) -> Result<Vec<Time>> {
    let wanted = "packet=pts,dts,duration,flags";
    let found = tool.probe(&["-select_streams", index, "-show_entries", wanted], path)?;
    let packets = found["packets"].as_array().cloned().unwrap_or_default();
    let mut times: Vec<Time> = packets
        .iter()
        .filter(|packet| !packet["flags"].as_str().unwrap_or("").contains('D'))
        .enumerate()
        .map(|(number, packet)| {
            let start = packet["pts"].as_i64().or(packet["dts"].as_i64());
            Time {
                start: start.map_or(number as i64, |start| start.saturating_sub(begin)),
                duration: packet["duration"].as_u64().unwrap_or(1),
            }
        })
        .collect();
    times.sort_by_key(|time| time.start);
    for index in 1..times.len() {
        let next = times[index].start;
        let before = &mut times[index - 1];
        before.duration = next.saturating_sub(before.start).max(0) as u64;
    }
    Ok(times)
}

impl Reader for FfmpegReader {
    fn info(&self) -> &Info {
        &self.info
    }

    fn next(&mut self) -> Result<Option<Frame>> {
        let number = self.next;
        let Some(&time) = self.info.times.get(number as usize) else {
            return Ok(None);
        };
        let (mut running, mut output) = match self.running.take() {
            Some(running) => running,
            None => self.start()?,
        };
        let (width, height) = (self.info.width, self.info.height);
        let count = width * height * self.channels.count() * if self.sixteen { 2 } else { 1 };
        let mut bytes = Vec::with_capacity(count);
        let mut piece = output.by_ref().take(count as u64);
        piece
            .read_to_end(&mut bytes)
            .map_err(Error::read(&self.path))?;
        if bytes.len() != count {
            running.finish()?;
            // Fewer frames than packets: hidden ones, or a last that is not whole.
            return match number {
                0 => Err(Error::damaged(&self.path, "ffmpeg finds no frame in it")),
                _ => Ok(None),
            };
        }
        self.running = Some((running, output));
        self.next += 1;
        let samples = match self.sixteen {
            false => Samples::Eight(bytes),
            true => {
                let pairs = bytes.chunks_exact(2);
                Samples::Sixteen(
                    pairs
                        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
                        .collect(),
                )
            }
        };
        Ok(Some(Frame {
            number,
            time,
            picture: Picture {
                width,
                height,
                channels: self.channels,
                samples,
            },
        }))
    }

    fn seek(&mut self, number: u64) -> Result<bool> {
        self.running = None;
        self.next = number;
        Ok(true)
    }

    fn sound(&self) -> Result<Option<Sound>> {
        if !self.info.sound {
            return Ok(None);
        }
        let failed = |error: std::io::Error| Error::write(&std::env::temp_dir())(error);
        let target = tempfile::Builder::new()
            .suffix(".mp4")
            .tempfile()
            .map_err(failed)?
            .into_temp_path();
        let mut command = self.tool.command();
        command.arg("-i").arg(argument(&self.path));
        command
            .args(["-map", "0:a", "-c", "copy", "-f", "mp4"])
            .arg(argument(&target));
        command.stdin(Stdio::null()).stdout(Stdio::null());
        // What MP4 cannot hold is left out, as it is where this crate reads by itself.
        if Running::start(command)?.finish().is_err() {
            return Ok(None);
        }
        let path = target.to_path_buf();
        let mut file = File::open(&path).map_err(Error::read(&path))?;
        let movie = Movie::read(&path, &mut file)?;
        Ok(Sound::of(&path, movie, Some(target)))
    }
}
