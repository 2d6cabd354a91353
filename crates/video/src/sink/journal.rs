//! Frames of an output that can be put together only when all are there: kept one by one, each with its checksum, so that a run
//! that is cut off loses none.

use super::{WriteOptions, open_part, part_of};
use crate::bytes::Bytes;
use crate::error::{Error, Result};
use crate::time::Time;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const MAGIC: &[u8] = b"impasto video journal 1\n";

pub struct Journal {
    part: PathBuf,
    file: File,
    /// Where the first record stands.
    start: u64,
    kept: u64,
}

/// A frame that was encoded.
pub struct Record {
    pub time: Time,
    pub bytes: Vec<u8>,
}

impl Journal {
    /// Begins the journal of an output, or goes on with it. `layout` is what all frames share.
    pub fn open(path: &Path, layout: &str, options: &WriteOptions) -> Result<Journal> {
        let part = part_of(path);
        let mut head = MAGIC.to_vec();
        for text in [layout, &options.run, &options.first.to_string()] {
            head.extend((text.len() as u32).to_be_bytes());
            head.extend(text.as_bytes());
        }
        let mut journal = Journal {
            file: open_part(&part, options)?,
            part,
            start: head.len() as u64,
            kept: 0,
        };
        let part = journal.part.clone();
        let failed = Error::write(&part);
        let length = journal.file.metadata().map_err(&failed)?.len();
        if length < journal.start {
            // Nothing is there yet, or not even all of the head.
            journal.file.set_len(0).map_err(&failed)?;
            journal.file.write_all(&head).map_err(&failed)?;
            return Ok(journal);
        }
        let mut found = vec![0; head.len()];
        journal.file.read_exact(&mut found).map_err(&failed)?;
        if found != head {
            return Err(Error::OtherRun { part: journal.part });
        }
        let mut end = journal.start;
        journal.walk(|_, size| {
            end += size;
            Ok(())
        })?;
        journal.file.set_len(end).map_err(&failed)?;
        journal.file.seek(SeekFrom::Start(end)).map_err(&failed)?;
        Ok(journal)
    }

    pub fn kept(&self) -> u64 {
        self.kept
    }

    pub fn append(&mut self, record: &Record) -> Result<()> {
        let mut bytes = Vec::with_capacity(record.bytes.len() + 24);
        bytes.extend((record.bytes.len() as u32).to_be_bytes());
        bytes.extend(record.time.start.to_be_bytes());
        bytes.extend(record.time.duration.to_be_bytes());
        bytes.extend(&record.bytes);
        bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
        self.file
            .write_all(&bytes)
            .map_err(Error::write(&self.part))
    }

    /// Calls `each` with every record that is whole, in order, and its size in the file.
    fn walk(&mut self, mut each: impl FnMut(Record, u64) -> Result<()>) -> Result<()> {
        let failed = Error::read(&self.part);
        self.file
            .seek(SeekFrom::Start(self.start))
            .map_err(&failed)?;
        let mut input = BufReader::new(&self.file);
        self.kept = 0;
        loop {
            let mut head = [0; 20];
            if input.read_exact(&mut head).is_err() {
                return Ok(());
            }
            let mut fields = Bytes(&head);
            let length = fields.u32().unwrap_or(0);
            let start = fields.u64().unwrap_or(0).cast_signed();
            let duration = fields.u64().unwrap_or(0);
            let mut bytes = Vec::new();
            let wanted = u64::from(length) + 4;
            (&mut input)
                .take(wanted)
                .read_to_end(&mut bytes)
                .map_err(&failed)?;
            if bytes.len() as u64 != wanted {
                return Ok(());
            }
            let sum = bytes.split_off(length as usize);
            let mut hasher = crc32fast::Hasher::new();
            hasher.update(&head);
            hasher.update(&bytes);
            if sum != hasher.finalize().to_be_bytes() {
                return Ok(());
            }
            self.kept += 1;
            let time = Time { start, duration };
            each(Record { time, bytes }, 20 + wanted)?;
        }
    }

    /// All records in order; the journal stays as it is.
    pub fn read(&mut self, mut each: impl FnMut(Record) -> Result<()>) -> Result<()> {
        self.walk(|record, _| each(record))
    }

    /// How many records there are.
    pub fn count(&mut self) -> Result<u64> {
        self.walk(|_, _| Ok(()))?;
        Ok(self.kept)
    }

    /// Removes the journal, which has served.
    pub fn remove(self) -> Result<()> {
        drop(self.file);
        std::fs::remove_file(&self.part).map_err(Error::write(&self.part))
    }
}
