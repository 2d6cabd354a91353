//! Crops of photos, each decided by its number alone.

use super::Lesson;
use crate::picture::{Filter, Picture};
use crate::random::StepSeed;
use impasto_compute::Size;

/// Photos, and what decides the crops of them.
#[derive(Debug)]
pub(super) struct Crops {
    contents: Vec<Picture>,
    side: usize,
    long_side: usize,
    seed: u64,
}

impl Crops {
    /// Crops of photos that are looked at with a long side of at most `long_side`, down to half of that.
    pub(super) fn new(contents: Vec<Picture>, lesson: &Lesson, long_side: usize) -> Self {
        // None is looked at larger than that: photos of a camera are not kept.
        let fitted = contents.into_iter().map(|picture| {
            let factor = factor(picture.size(), lesson.side, long_side as f32);
            resized(&picture.visible(), factor)
        });
        Self {
            contents: fitted.collect(),
            side: lesson.side,
            long_side,
            seed: lesson.seed,
        }
    }

    /// The photos.
    pub(super) fn contents(&self) -> &[Picture] {
        &self.contents
    }

    /// The crop of a number: some part of some photo at some size, or its mirror image.
    pub(super) fn of(&self, number: usize) -> Picture {
        let seed = StepSeed {
            seed: self.seed,
            scale: 0,
            step: number,
            term: "crop",
        };
        let mut random = seed.random();
        let content = &self.contents[random.below(self.contents.len())];
        let long_side = self.long_side as f32 * (0.5 + 0.5 * random.uniform());
        let content = resized(content, factor(content.size(), self.side, long_side));
        let left = random.below(content.width() - self.side + 1);
        let top = random.below(content.height() - self.side + 1);
        let mirrored = random.below(2) == 1;
        let (side, width) = (self.side, content.width());
        let planes = content.rgb().chunks_exact(width * content.height());
        let mut crop = Vec::with_capacity(3 * side * side);
        for plane in planes {
            for row in plane.chunks_exact(width).skip(top).take(side) {
                let row = &row[left..][..side];
                match mirrored {
                    true => crop.extend(row.iter().rev()),
                    false => crop.extend_from_slice(row),
                }
            }
        }
        Picture::new(side, side, crop).unwrap_or(content)
    }
}

/// By what a picture is resized so that its long side is as asked for, and its short one at least a crop's.
fn factor(size: Size, side: usize, long_side: f32) -> f32 {
    let (long, short) = (
        size.width.max(size.height) as f32,
        size.width.min(size.height).max(1) as f32,
    );
    (long_side / long).max(side as f32 / short)
}

fn resized(picture: &Picture, factor: f32) -> Picture {
    let scaled = |n: usize| ((n as f32 * factor).round() as usize).max(1);
    let (width, height) = (scaled(picture.width()), scaled(picture.height()));
    picture.resized(width, height, Filter::Bicubic)
}
