//! Masks that move: films beside the film, frame for frame.

use super::{frames, told};
use anyhow::Context;
use impasto::job::{Place, RegionOrder, Source};
use impasto::picture::{Format, SaveOptions};
use impasto::{Mask, MaskUse};
use impasto_video::{self as video, ReadOptions};
use std::path::{Path, PathBuf};

/// A mask that is a film.
struct Moving {
    of: MaskUse,
    path: PathBuf,
    film: video::Source,
    /// The last frame that was read, and its number; when the film ends, it stays.
    last: (u64, Mask),
    ended: bool,
}

/// All masks that are films.
#[derive(Default)]
pub struct Masks(Vec<Moving>);

impl Masks {
    /// Finds them among the masks of an order, which gets a frame of each in their place: that of a number.
    pub fn find(order: &mut RegionOrder, number: u64, read: &ReadOptions) -> anyhow::Result<Self> {
        let mut masks = Self::default();
        let wholes = [
            (MaskUse::Whole, &mut order.mask),
            (MaskUse::Strength, &mut order.strength),
            (MaskUse::Content, &mut order.content),
        ];
        for (of, source) in wholes {
            if let Some(source) = source {
                masks.take(of, source, number, read)?;
            }
        }
        let mut places: Vec<Place> = Vec::new();
        for style in &mut order.styles {
            let known = places.iter().position(|place| *place == style.place);
            let region = known.unwrap_or(places.len());
            if known.is_none() {
                places.push(style.place.clone());
            }
            if let Place::Mask(source) = &mut style.place {
                masks.take(MaskUse::Region(region), source, number, read)?;
            }
        }
        Ok(masks)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn take(
        &mut self,
        of: MaskUse,
        source: &mut Source,
        number: u64,
        read: &ReadOptions,
    ) -> anyhow::Result<()> {
        let Some(path) = source.file().map(Path::to_owned) else {
            return Ok(());
        };
        // What is no film is a picture, or nothing: whoever opens it says so.
        let Ok(mut film) = video::Source::open(&path, read) else {
            return Ok(());
        };
        film.seek(number).map_err(told)?;
        let frame = film.next_frame().map_err(told)?;
        let missing = || format!("{} ends before frame {number}", path.display());
        let picture = frames::picture(&frame.with_context(missing)?.picture)?;
        *source = Source::Bytes {
            name: source.name(),
            bytes: picture.encode(Format::Png, &SaveOptions::default())?.into(),
        };
        let mask = Mask::of(&picture).named(source.name());
        self.0.push(Moving {
            of,
            path,
            film,
            last: (number, mask),
            ended: false,
        });
        Ok(())
    }

    /// What frames depend on of them.
    pub fn described(&self) -> String {
        let file = |mask: &Moving| {
            let file = std::fs::metadata(&mask.path).ok();
            let file = file.map(|file| (file.len(), file.modified().ok()));
            format!("{:?} {:?} {file:?}", mask.of, mask.path)
        };
        self.0.iter().map(file).collect::<Vec<_>>().join(", ")
    }

    /// Those of a frame; its number never falls.
    pub fn at(&mut self, number: u64) -> anyhow::Result<Vec<(MaskUse, Mask)>> {
        for mask in &mut self.0 {
            while mask.last.0 < number && !mask.ended {
                match mask.film.next_frame().map_err(told)? {
                    Some(frame) => {
                        let picture = frames::picture(&frame.picture)?;
                        let name = mask.last.1.name().to_string();
                        mask.last = (frame.number, Mask::of(&picture).named(name));
                    }
                    None => mask.ended = true,
                }
            }
        }
        let masks = self.0.iter();
        Ok(masks.map(|mask| (mask.of, mask.last.1.clone())).collect())
    }
}
