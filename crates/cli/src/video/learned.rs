//! Films that are painted like some of their frames.

use super::frames::Range;
use super::keyframes::{Asked, Key};
use super::shots::Shots;
use super::steadied::{Calm, Steadied};
use super::told;
use crate::args::Progress;
use crate::learning::Preview;
use crate::{interrupt, learning, note, say, words};
use anyhow::{Context, anyhow, bail};
use impasto::encoder::Encoder;
use impasto::keyframes::{
    Following, Guide, Keyframe, KeyframeLearner, KeyframeMethod, KeyframeNetwork, Outline, Spots,
    Turn,
};
use impasto::picture::Filter;
use impasto::video::Painters;
use impasto::{Event, Mask, Outcome, Picture, Stylizer};
use impasto_video::{ReadOptions, Source};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Between two lines that tell how far a film was looked through.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// A film whose keyframes are learned.
pub struct Learning<'a> {
    pub asked: Asked,
    pub film: &'a Path,
    pub read: &'a ReadOptions,
    pub range: Range,
    /// The frames that begin a shot, if that is told.
    pub cuts: Option<BTreeSet<u64>>,
    /// How frames lose their noise.
    pub calm: Calm,
    /// Where the output goes: what is learned lies beside it until it is whole. None for the standard output.
    pub output: Option<&'a Path>,
    pub resume: bool,
    pub progress: Progress,
    /// Where pictures of what is learned so far go.
    pub preview: Option<&'a Path>,
}

/// What is known of a film.
struct Followed {
    guide: Guide,
    spots: BTreeMap<u64, Spots>,
    /// The frames that are keyframes.
    frames: BTreeMap<u64, Picture>,
    /// A frame that is painted and is far from all of them, with its number.
    far: Option<(u64, Picture)>,
}

impl Learning<'_> {
    fn beside(&self, ending: &str) -> Option<PathBuf> {
        // The name of a folder may end in a slash.
        let output: PathBuf = self.output?.components().collect();
        let mut name = output.into_os_string();
        name.push(ending);
        Some(name.into())
    }

    /// Removes what lies beside the output, which is whole.
    pub fn forget(&self) {
        for ending in [".learning", ".network"] {
            let _ = self.beside(ending).map(std::fs::remove_file);
        }
    }

    /// Learns, or reads what was learned: who paints then, and who is told which frame is painted.
    pub fn painters(&self, painters: Painters) -> anyhow::Result<(Painters, Turn)> {
        let turn = Turn::default();
        let mut first = painters.first;
        let (network, spots) = match &self.asked.network {
            Some(path) if self.asked.is_learned() => {
                (KeyframeNetwork::read(path)?, BTreeMap::new())
            }
            _ => self.learned(&mut first)?,
        };
        let device = first.shared_device();
        let method = KeyframeMethod::new(device.as_ref(), network, Arc::new(spots), turn.clone())?;
        let painters = Painters {
            first: first.by_method(Box::new(method)),
            next: None,
        };
        Ok((painters, turn))
    }

    fn learned(
        &self,
        painter: &mut Stylizer,
    ) -> anyhow::Result<(KeyframeNetwork, BTreeMap<u64, Spots>)> {
        let keys = self.asked.keys(self.film, self.read)?;
        // Most files tell at once how many frames they have; of others it is known once they were looked through.
        let film = Source::open(self.film, self.read).map_err(told)?;
        if let Some(count) = film.info().frames {
            self.are_there(&keys, count)?;
        }
        let masks = keys.iter().map(|(number, key)| {
            let mask = key.mask.as_deref().map(mask).transpose()?;
            Ok((*number, mask))
        });
        let masks = masks.collect::<anyhow::Result<BTreeMap<_, _>>>()?;
        let Followed {
            guide,
            spots,
            frames,
            far,
        } = self.follow(masks.clone(), &keys)?;
        let guided = |number: u64, size| {
            let spots = spots.get(&number);
            let guide = spots.map(|spots| guide.picture(spots, size)).transpose();
            guide.map_err(impasto::Error::from)
        };
        let mut keyframes = Vec::with_capacity(frames.len());
        for (number, frame) in frames {
            let painting = self.painting(number, keys.get(&number), &frame, painter)?;
            let size = size(painter, &frame);
            keyframes.push(Keyframe {
                frame: frame.resized(size.0, size.1, Filter::Bicubic),
                painting,
                mask: masks.get(&number).cloned().flatten(),
                guide: guided(number, size)?,
            });
        }
        let preview = match (self.preview, far) {
            (Some(path), Some((number, frame))) => {
                let size = size(painter, &frame);
                let frame = frame.resized(size.0, size.1, Filter::Bicubic);
                Some(Preview::new(path, frame, guided(number, size)?))
            }
            _ => None,
        };
        let lesson = self.asked.lesson.clone();
        let device = painter.shared_device();
        let encoder = Encoder::lite()?;
        let mut learner =
            KeyframeLearner::new(device, &encoder, keyframes, Some(guide.clone()), lesson)?;
        let (kept, state) = (self.beside(".network"), self.beside(".learning"));
        let there = kept.as_deref().filter(|path| self.resume && path.is_file());
        let known = there.map(KeyframeNetwork::read).transpose()?;
        let known = known.filter(|known| known.identity == learner.identity());
        if let Some(known) = known {
            return Ok((known.with_guide(Some(guide)), spots));
        }
        let state = state.as_deref().map(|state| (state, self.resume));
        learning::learn(&mut learner, self.progress, state, preview)?;
        let learned = learner.network()?;
        if let Some(kept) = &kept {
            learned.write(kept)?;
        }
        if let Some((state, _)) = state {
            let _ = std::fs::remove_file(state);
        }
        if let Some(keep) = &self.asked.network {
            learned.write(keep)?;
            say(&format!("wrote {}", keep.display()));
        }
        Ok((learned, spots))
    }

    /// Fails with the first keyframe that a film of so many frames does not have.
    fn are_there(&self, keys: &BTreeMap<u64, &Key>, count: u64) -> anyhow::Result<()> {
        match keys.keys().find(|&&number| number >= count) {
            None => Ok(()),
            Some(missing) => bail!(
                "there is no frame {missing} in {}, which has {count}, counted from 0",
                self.film.display()
            ),
        }
    }

    /// The painting of a keyframe, which is painted now if there is none.
    fn painting(
        &self,
        number: u64,
        key: Option<&&Key>,
        frame: &Picture,
        painter: &mut Stylizer,
    ) -> anyhow::Result<Picture> {
        if let Some(path) = key.and_then(|key| key.painting.as_deref()) {
            let painting = Picture::open(path)?;
            let names = (path.display().to_string(), format!("frame {number}"));
            return Ok(learning::fitted(&painting, frame, (&names.0, &names.1)));
        }
        note(&format!("painting frame {number}, which the others follow"));
        let mut observe = |_: &Event<'_>| match interrupt::requested() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        };
        let painted = painter.stylize(frame, &mut observe)?;
        match painted.outcome {
            Outcome::Diverged { .. } => {
                Err(anyhow!("{}", words::advice(&impasto::Advice::Gentler)))
            }
            _ => Ok(painted.picture),
        }
    }

    /// Follows spots from the keyframes through the film.
    fn follow(
        &self,
        masks: BTreeMap<u64, Option<Mask>>,
        keys: &BTreeMap<u64, &Key>,
    ) -> anyhow::Result<Followed> {
        let (first, last) = (keys.keys().next(), keys.keys().next_back());
        let (&first, &last) = first.zip(last).context("there is no keyframe")?;
        let mut likenesses = Likeness::of_all(keys, self.calm.size)?;
        let range = Range {
            first: first.min(self.range.first),
            last: self.range.last.map(|end| end.max(last)),
            every: 1,
        };
        let mut film = Source::open(self.film, self.read).map_err(told)?;
        film.seek(range.first).map_err(told)?;
        let shots = Shots::new(film, range, self.cuts.clone(), None);
        let mut shots = Steadied::new(shots, self.calm);
        let mut following = Following::new(self.asked.lesson.seed, masks);
        let (mut frames, mut far) = (BTreeMap::new(), None);
        let (mut farthest, mut told) = (0, Instant::now());
        let mut seen = 0;
        while let Some(frame) = shots.next()? {
            let number = frame.number;
            seen = number + 1;
            following.look(number, &frame.content, frame.begins)?;
            let (width, height) = self.calm.size;
            let outline = Outline::of(&frame.content, width as f32 / height as f32);
            likenesses
                .iter_mut()
                .for_each(|one| one.see(number, &outline));
            if self.progress != Progress::None && told.elapsed() > TOLD_EVERY {
                told = Instant::now();
                note(&format!("looked through the film up to frame {number}"));
            }
            if keys.contains_key(&number) {
                frames.insert(number, frame.content);
                continue;
            }
            let near = keys.keys().map(|key| key.abs_diff(number)).min();
            let near = near.filter(|_| self.preview.is_some() && self.range.has(number));
            if let Some(near) = near.filter(|&near| near > farthest) {
                (farthest, far) = (near, Some((number, frame.content)));
            }
        }
        // Up to the last keyframe all was looked at, or else all that there is.
        self.are_there(keys, seen)?;
        likenesses.iter().for_each(Likeness::tell);
        // A film of keyframes alone has none that is far.
        let key = || {
            frames
                .iter()
                .next()
                .map(|(number, frame)| (*number, frame.clone()))
        };
        let far = far.or_else(key);
        let (guide, spots) = following.finish();
        Ok(Followed {
            guide,
            spots,
            frames,
            far,
        })
    }
}

/// Reads a mask that is white somewhere.
fn mask(path: &Path) -> anyhow::Result<Mask> {
    let mask = Mask::of(&Picture::open(path)?);
    if mask.shares().iter().any(|share| *share > 0.5) {
        return Ok(mask);
    }
    bail!(
        "{} is white nowhere: as the mask of a keyframe it leaves nothing to learn",
        path.display()
    )
}

/// Which frame of a film a painting looks like.
struct Likeness<'a> {
    path: &'a Path,
    outline: Outline,
    /// The frame whose it is said to be, and how far it agrees.
    said: (u64, f64),
    /// The frame that agrees most.
    best: (u64, f64),
}

impl<'a> Likeness<'a> {
    /// Of all that are painted already, in the shape of frames of some width and height.
    fn of_all(
        keys: &BTreeMap<u64, &'a Key>,
        (width, height): (usize, usize),
    ) -> anyhow::Result<Vec<Self>> {
        let paintings = keys.iter();
        let paintings =
            paintings.filter_map(|(number, key)| Some((*number, key.painting.as_deref()?)));
        let likenesses = paintings.map(|(number, path)| {
            Ok(Self {
                path,
                outline: Outline::of(&Picture::open(path)?, width as f32 / height as f32),
                said: (number, 0.0),
                best: (number, 0.0),
            })
        });
        likenesses.collect()
    }

    fn see(&mut self, number: u64, outline: &Outline) {
        let agreement = self.outline.agreement(outline);
        if number == self.said.0 {
            self.said.1 = agreement;
        }
        if agreement > self.best.1 {
            self.best = (number, agreement);
        }
    }

    fn tell(&self) {
        let (name, said) = (self.path.display(), self.said.0);
        if Outline::is_of_other(self.said.1, self.best.1) {
            let best = self.best.0;
            note(&format!(
                "{name} looks more like frame {best} than like frame {said}: is it the painting of that one?"
            ));
        } else if Outline::is_of_none(self.said.1) {
            note(&format!(
                "{name} has hardly an edge in common with frame {said}: is it a painting of it?"
            ));
        }
    }
}

/// The size in which a frame is painted.
pub fn size(painter: &Stylizer, frame: &Picture) -> (usize, usize) {
    let scales = painter.scales(frame);
    let size = scales.last().map(|scale| (scale.width, scale.height));
    size.unwrap_or((frame.width(), frame.height()))
}
