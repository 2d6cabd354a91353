//! What is kept of painted frames beside an output that is not finished, so that it goes on.

use impasto::video::Memory;
use std::fs;
use std::path::{Path, PathBuf};

/// The folder of a run's memories.
#[derive(Debug)]
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

    fn file(&self, frame: u64) -> PathBuf {
        self.folder.join(format!("{frame}.safetensors"))
    }

    /// Keeps that of a frame, and no longer that of one long before.
    pub fn keep(&self, frame: u64, memory: &Memory) -> impasto::Result<()> {
        // Where the folder cannot be made, the file cannot either, which says why.
        let _ = fs::create_dir_all(&self.folder);
        memory.write(&self.file(frame))?;
        if let Some(old) = frame.checked_sub(self.most) {
            let _ = fs::remove_file(self.file(old));
        }
        Ok(())
    }

    /// Those of frames `first..=last`, the oldest first; none if one is missing.
    pub fn read(&self, first: u64, last: u64) -> Option<Vec<Memory>> {
        let frames = (first..=last).map(|frame| Memory::read(&self.file(frame)).ok());
        frames.collect()
    }

    /// Removes them all.
    pub fn remove(&self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
