//! What the student is shown: crops of photos and paintings at several scales, mirrored, with noise and other tones, and
//! smooth fields of colour.
//!
//! Stylized pictures are neither photos nor paintings: their colours leave what cameras see, their flat areas carry the
//! optimiser's noise. The disturbances stand for that; what stylization really visits is [`crate::trajectories`].
//!
//! A crop is planar RGB `[3, side, side]`, sRGB-coded in 0..1.

use crate::config::Crops;
use crate::random::Random;
use anyhow::{Context, Result, bail};
use impasto::Picture;
use impasto::picture::{Filter, resize_planes};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// The pictures of a folder: those that are trained on, and those that are not.
#[derive(Clone, Debug, Default)]
pub struct Folder {
    /// Trained on.
    pub trained: Vec<PathBuf>,
    /// Held out.
    pub held_out: Vec<PathBuf>,
}

impl Folder {
    /// Lists the pictures of a folder, in the order of their names; every `hold_out`-th is held out.
    pub fn open(path: &Path, what: &str, hold_out: usize) -> Result<Self> {
        let advice = format!("name a folder of {what} in the configuration or with --{what}");
        let entries = std::fs::read_dir(path)
            .with_context(|| format!("cannot read {}: {advice}", path.display()))?;
        let mut pictures = Vec::new();
        for entry in entries {
            let path = entry
                .with_context(|| format!("cannot read {}", path.display()))?
                .path();
            let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
            if ["jpg", "jpeg", "png", "webp"]
                .iter()
                .any(|known| extension == *known)
            {
                pictures.push(path);
            }
        }
        pictures.sort();
        if pictures.len() < hold_out {
            bail!(
                "there are {} pictures in {}, and every {hold_out}th is to be held out: {advice}",
                pictures.len(),
                path.display()
            );
        }
        // The first one is looked at now, so that a folder of something else is noticed before anything is computed.
        Picture::open(&pictures[0])?;
        let mut folder = Self::default();
        for (index, picture) in pictures.into_iter().enumerate() {
            if index % hold_out == hold_out - 1 {
                folder.held_out.push(picture);
            } else {
                folder.trained.push(picture);
            }
        }
        Ok(folder)
    }

    /// How many pictures there are.
    pub fn len(&self) -> usize {
        self.trained.len() + self.held_out.len()
    }

    /// Names and content of all pictures as one number.
    pub fn digest(&self) -> Result<[u8; 32]> {
        let mut hasher = Sha256::new();
        for path in self.trained.iter().chain(&self.held_out) {
            let bytes =
                std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
            hasher.update(path.file_name().unwrap_or_default().as_encoded_bytes());
            hasher.update((bytes.len() as u64).to_le_bytes());
            hasher.update(bytes);
        }
        Ok(hasher.finalize().into())
    }
}

/// Cuts crops.
#[derive(Clone, Copy, Debug)]
pub struct Sampler<'a> {
    /// Photographs.
    pub photos: &'a [PathBuf],
    /// Paintings.
    pub paintings: &'a [PathBuf],
    /// How.
    pub crops: &'a Crops,
}

impl Sampler<'_> {
    /// The next crop of a stream, disturbed.
    pub fn crop(&self, random: &mut Random) -> Result<Vec<f32>> {
        if random.chance(self.crops.fields) {
            let mut field = field(self.crops.side, random);
            disturb(&mut field, self.crops, random);
            return Ok(field);
        }
        let painting = random.chance(self.crops.paintings);
        let mut crop = self.plain(painting, random)?;
        disturb(&mut crop, self.crops, random);
        Ok(crop)
    }

    /// The next crop of a photo or painting, as it is.
    pub fn plain(&self, painting: bool, random: &mut Random) -> Result<Vec<f32>> {
        let paths = if painting {
            self.paintings
        } else {
            self.photos
        };
        let path = random.pick(paths);
        let picture = Picture::open(path)?;
        let (width, height) = (picture.width(), picture.height());
        let side = self.crops.side;
        let scale = random.between(self.crops.scales[0], self.crops.scales[1]);
        // Small pictures are enlarged as far as need be.
        let cut = ((side as f32 / scale).round() as usize).clamp(1, width.min(height));
        let (left, top) = (
            random.below(width - cut + 1),
            random.below(height - cut + 1),
        );
        let window = window(
            picture.rgb(),
            (height, width),
            (top, left),
            cut,
            random.chance(0.5),
        );
        let mut crop = resize_planes(&window, 3, (cut, cut), (side, side), Filter::Bicubic);
        crop.iter_mut().for_each(|v| *v = v.clamp(0.0, 1.0));
        Ok(crop)
    }
}

/// A square of a picture `[3, h, w]`, mirrored or not.
pub fn window(
    rgb: &[f32],
    (height, width): (usize, usize),
    (top, left): (usize, usize),
    side: usize,
    mirrored: bool,
) -> Vec<f32> {
    let mut square = Vec::with_capacity(3 * side * side);
    for plane in rgb.chunks_exact(height * width) {
        for row in plane.chunks_exact(width).skip(top).take(side) {
            let row = &row[left..left + side];
            if mirrored {
                square.extend(row.iter().rev());
            } else {
                square.extend(row);
            }
        }
    }
    square
}

/// A few colours that run into each other.
fn field(side: usize, random: &mut Random) -> Vec<f32> {
    let (rows, columns) = (2 + random.below(4), 2 + random.below(4));
    let knots: Vec<f32> = (0..3 * rows * columns).map(|_| random.uniform()).collect();
    let mut field = resize_planes(&knots, 3, (rows, columns), (side, side), Filter::Bicubic);
    field.iter_mut().for_each(|v| *v = v.clamp(0.0, 1.0));
    field
}

/// Noise and other tones, each on its share of crops.
fn disturb(crop: &mut [f32], crops: &Crops, random: &mut Random) {
    if random.chance(crops.tones) {
        let (contrast, brightness) = (random.between(0.6, 1.5), random.between(-0.15, 0.15));
        let plane = crop.len() / 3;
        for plane in crop.chunks_exact_mut(plane) {
            let (gain, shift) = (random.between(0.85, 1.15), random.between(-0.1, 0.1));
            let mean = plane.iter().sum::<f32>() / plane.len() as f32;
            let shift = shift + brightness;
            plane
                .iter_mut()
                .for_each(|v| *v = mean + (*v - mean) * contrast * gain + shift);
        }
    }
    if random.chance(crops.noise[0]) {
        let deviation = random.between(0.0, crops.noise[1]);
        crop.iter_mut()
            .for_each(|v| *v += deviation * random.normal());
    }
    crop.iter_mut().for_each(|v| *v = v.clamp(0.0, 1.0));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Purpose;
    use impasto::picture::SaveOptions;

    fn crops() -> Crops {
        Crops {
            side: 12,
            scales: [0.4, 1.0],
            paintings: 0.5,
            noise: [0.5, 0.1],
            tones: 0.5,
            fields: 0.2,
        }
    }

    #[test]
    fn the_same_stream_gives_the_same_crop_and_others_do_not() {
        let folder = tempfile::tempdir().unwrap();
        let paths: Vec<PathBuf> = (0..3)
            .map(|index| {
                let path = folder.path().join(format!("{index}.png"));
                let rgb = (0..3 * 20 * 17).map(|i| ((i * (index + 3)) % 97) as f32 / 97.0);
                let picture = Picture::new(20, 17, rgb.collect()).unwrap();
                picture.save(&path, &SaveOptions::default()).unwrap();
                path
            })
            .collect();
        let crops = crops();
        let sampler = Sampler {
            photos: &paths[..2],
            paintings: &paths[2..],
            crops: &crops,
        };
        let crop = |index| {
            let mut random = Random::of(3, Purpose::Step, [index, 0]);
            sampler.crop(&mut random).unwrap()
        };
        for index in 0..20 {
            let one = crop(index);
            assert_eq!(one.len(), 3 * 12 * 12);
            assert!(one.iter().all(|v| (0.0..=1.0).contains(v)));
            assert_eq!(one, crop(index));
            assert_ne!(one, crop(index + 1));
        }
    }

    #[test]
    fn a_mirrored_window_is_the_window_from_right_to_left() {
        let rgb: Vec<f32> = (0..3 * 4 * 5).map(|i| i as f32).collect();
        let plain = window(&rgb, (4, 5), (1, 2), 2, false);
        assert_eq!(plain[..4], [7.0, 8.0, 12.0, 13.0]);
        let mirrored = window(&rgb, (4, 5), (1, 2), 2, true);
        assert_eq!(mirrored[..4], [8.0, 7.0, 13.0, 12.0]);
        assert_eq!(mirrored.len(), 12);
    }

    #[test]
    fn folders_that_cannot_be_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("nowhere");
        let error = format!("{:#}", Folder::open(&missing, "photos", 2).unwrap_err());
        assert!(
            error.contains("nowhere") && error.contains("--photos"),
            "{error}"
        );
        let error = format!(
            "{:#}",
            Folder::open(folder.path(), "paintings", 2).unwrap_err()
        );
        assert!(
            error.contains("0 pictures") && error.contains("--paintings"),
            "{error}"
        );
        for name in ["a.png", "b.png"] {
            std::fs::write(folder.path().join(name), "no picture").unwrap();
        }
        let error = format!(
            "{:#}",
            Folder::open(folder.path(), "photos", 2).unwrap_err()
        );
        assert!(error.contains("a.png"), "{error}");
    }
}
