//! PNG files named by the numbers of their frames.

use super::{WriteOptions, Writer};
use crate::error::{Error, Result};
use crate::frame::Frame;
use crate::source::{Pattern, write_png};
use std::path::Path;

pub struct PicturesWriter {
    pattern: Pattern,
    kept: u64,
}

impl PicturesWriter {
    /// The folder is made if it is not there. Files that are there are kept if a run is resumed: each is whole, as it got its
    /// name when it was; whether they are this run's, their caller knows.
    pub fn create(pattern: Pattern, options: &WriteOptions) -> Result<Self> {
        let folder = pattern.folder();
        if !folder.as_os_str().is_empty() {
            std::fs::create_dir_all(folder).map_err(Error::write(folder))?;
        }
        let there = |&number: &u64| Path::exists(&pattern.path(number));
        let kept = match options.resume {
            true => (options.first..).take_while(there).count() as u64,
            false => 0,
        };
        Ok(PicturesWriter { pattern, kept })
    }
}

impl Writer for PicturesWriter {
    fn kept(&self) -> u64 {
        self.kept
    }

    fn write(&mut self, frame: &Frame) -> Result<()> {
        write_png(&self.pattern.path(frame.number), &frame.picture)
    }

    fn finish(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}
