//! `cargo xtask paint`: the list of example pictures, and how they get into `crates/impasto/pictures/` or are compared with it.

use crate::canvas::Canvas;
use crate::{contents, styles};
use image::codecs::jpeg::JpegEncoder;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// One example picture.
struct Painting {
    /// Folder in `crates/impasto/pictures/`.
    kind: &'static str,
    name: &'static str,
    /// Published width in pixels.
    width: usize,
    /// JPEG quality, chosen with the width to keep the file between 60 and 160 KB.
    quality: u8,
    /// Paints at about twice the published size.
    paint: fn() -> Canvas,
}

const fn style(name: &'static str, width: usize, quality: u8, paint: fn() -> Canvas) -> Painting {
    Painting {
        kind: "styles",
        name,
        width,
        quality,
        paint,
    }
}

const fn content(name: &'static str, width: usize, quality: u8, paint: fn() -> Canvas) -> Painting {
    Painting {
        kind: "contents",
        name,
        width,
        quality,
        paint,
    }
}

const PAINTINGS: &[Painting] = &[
    content("city", 768, 89, contents::city::paint),
    content("lake", 768, 89, contents::lake::paint),
    content("still-life", 720, 89, contents::still_life::paint),
    style("dots", 640, 82, styles::dots::paint),
    style("geometry", 656, 86, styles::geometry::paint),
    style("glass", 512, 86, styles::glass::paint),
    style("ink", 576, 89, styles::ink::paint),
    style("oils", 640, 83, styles::oils::paint),
    style("swirls", 640, 85, styles::swirls::paint),
    style("waves", 704, 88, styles::waves::paint),
];

/// The largest mean difference per channel, of 255, at which two pictures count as the same: mathematical functions
/// differ in their last bits between platforms, and a brush stroke here and there may come out otherwise.
const TOLERANCE: f64 = 1.5;

/// Paints the named pictures, or all; with `check`, compares them with the files instead of writing.
pub fn run(names: &[&str], check: bool) -> Result<(), String> {
    if let Some(unknown) = names
        .iter()
        .find(|name| PAINTINGS.iter().all(|p| p.name != **name))
    {
        let known: Vec<_> = PAINTINGS.iter().map(|p| p.name).collect();
        return Err(format!(
            "there is no painting `{unknown}`; there are {}",
            known.join(", ")
        ));
    }
    let mut different = Vec::new();
    for painting in PAINTINGS
        .iter()
        .filter(|p| names.is_empty() || names.contains(&p.name))
    {
        let start = Instant::now();
        let jpeg = painting.jpeg()?;
        let path = painting.path();
        let took = start.elapsed().as_secs_f32();
        if check {
            let far = difference(&path, &jpeg)?;
            println!(
                "{:28} differs by {far:.3} of 255 ({took:.1} s)",
                path.display()
            );
            if far > TOLERANCE {
                different.push(painting.name);
            }
        } else {
            write(&path, &jpeg)?;
            println!(
                "{:28} {:4} KB ({took:.1} s)",
                path.display(),
                jpeg.len() / 1000
            );
        }
    }
    match different.is_empty() {
        true => Ok(()),
        false => Err(format!(
            "{} in crates/impasto/pictures/ is not what the code paints; run `cargo xtask paint` and commit the result",
            different.join(", ")
        )),
    }
}

impl Painting {
    fn path(&self) -> PathBuf {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .unwrap_or(Path::new("."));
        root.join("crates/impasto/pictures")
            .join(self.kind)
            .join(format!("{}.jpg", self.name))
    }

    fn jpeg(&self) -> Result<Vec<u8>, String> {
        let mut canvas = (self.paint)().shrink(self.width);
        canvas.calm_hues();
        let mut bytes = Vec::new();
        JpegEncoder::new_with_quality(&mut bytes, self.quality)
            .encode_image(&canvas.to_image())
            .map_err(|e| format!("cannot encode {}: {e}", self.name))?;
        Ok(bytes)
    }
}

/// Writes to a temporary name in the same folder, then renames.
fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    let temporary = path.with_extension("jpg.part");
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&temporary, bytes))
        .and_then(|()| std::fs::rename(&temporary, path))
        .map_err(|e| format!("cannot write {}: {e}", path.display()))
}

/// The mean difference per channel, of 255, between a picture file and a JPEG in memory.
fn difference(path: &Path, jpeg: &[u8]) -> Result<f64, String> {
    let old = std::fs::read(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    let open = |bytes: &[u8]| {
        image::load_from_memory(bytes)
            .map(|i| i.to_rgb8())
            .map_err(|e| format!("{} is damaged: {e}", path.display()))
    };
    let (old, new) = (open(&old)?, open(jpeg)?);
    if old.dimensions() != new.dimensions() {
        return Ok(255.0);
    }
    let sum: u64 = old
        .as_raw()
        .iter()
        .zip(new.as_raw())
        .map(|(a, b)| u64::from(a.abs_diff(*b)))
        .sum();
    Ok(sum as f64 / old.as_raw().len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let error = run(&["swirl"], true).unwrap_err();
        assert!(
            error.contains("`swirl`") && error.contains("swirls"),
            "{error}"
        );
    }
}
