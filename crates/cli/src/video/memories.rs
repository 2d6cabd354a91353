//! What is kept of painted frames beside an output that is not finished, so that it goes on.

use impasto::Picture;
use impasto::picture::SaveOptions;
use impasto::video::Memory;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The folder of a run's memories.
#[derive(Clone, Debug)]
pub struct Memories {
    folder: PathBuf,
    /// How many frames are kept.
    most: u64,
}

impl Memories {
    /// Beside an output; those of the last `most` frames are kept.
    pub fn new(output: &Path, most: u64) -> Self {
        let mut name = output.as_os_str().to_owned();
        name.push(".frames");
        Self {
            folder: name.into(),
            most,
        }
    }

    /// The file of a view of a frame.
    fn file(&self, frame: u64, view: usize) -> PathBuf {
        self.folder.join(match view {
            0 => format!("{frame}.safetensors"),
            _ => format!("{frame}-{view}.safetensors"),
        })
    }

    /// Keeps those of a frame, one for each view.
    pub fn keep(&self, frame: u64, views: &[Memory]) -> impasto::Result<()> {
        // Where the folder cannot be made, the files cannot either, which says why.
        let _ = fs::create_dir_all(&self.folder);
        for (view, memory) in views.iter().enumerate() {
            memory.write(&self.file(frame, view))?;
        }
        Ok(())
    }

    /// A frame is written: its picture is no longer kept, nor the memories of one long before.
    pub fn passed(&self, frame: u64, views: usize) {
        let _ = fs::remove_file(self.picture(frame));
        if let Some(old) = frame.checked_sub(self.most) {
            for view in 0..views {
                let _ = fs::remove_file(self.file(old, view));
            }
        }
    }

    /// The file of a frame that is painted before its turn.
    pub fn picture(&self, frame: u64) -> PathBuf {
        self.folder.join(format!("{frame}.png"))
    }

    /// Keeps a frame until its turn.
    pub fn keep_picture(&self, frame: u64, picture: &Picture) -> impasto::Result<()> {
        picture.save(&self.picture(frame), &SaveOptions::default())?;
        Ok(())
    }

    /// Whether pictures and memories of all these frames are there, of films of one view.
    pub fn has(&self, frames: Range<u64>) -> bool {
        let there = |frame| self.picture(frame).is_file() && self.file(frame, 0).is_file();
        frames.into_iter().all(there)
    }

    /// How many of `kept` frames are passed over: up to the last of which all memories are there that reach so far back.
    /// It is a multiple of `stretch`, as many frames as depend on each other.
    pub fn latest(&self, kept: u64, reach: u64, views: usize, stretch: u64) -> u64 {
        let there = |end: &u64| {
            let mut frames = end.saturating_sub(reach)..*end;
            frames.all(|frame| (0..views).all(|view| self.file(frame, view).is_file()))
        };
        let mut ends = (0..=kept)
            .rev()
            .filter(|end| end.is_multiple_of(stretch.max(1)));
        ends.find(there).unwrap_or(0)
    }

    /// Those of frames `first..=last`, the oldest first, one for each view.
    ///
    /// # Errors
    /// If one cannot be read.
    pub fn read(&self, first: u64, last: u64, views: usize) -> impasto::Result<Vec<Vec<Memory>>> {
        let of = |frame| (0..views).map(move |view| Memory::read(&self.file(frame, view)));
        (first..=last).map(|frame| of(frame).collect()).collect()
    }

    /// Removes them all.
    pub fn remove(&self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
