//! The file of a checkpoint.
//!
//! ```text
//! bytes       what
//! 8           "impasto" and a zero
//! 4           version of the format, little-endian as all numbers here
//! 8           length n of the header
//! n           the header: JSON, see [`Header`]; it ends with names and shapes of the tensors
//! 4 · Σ size  the tensors in that order, row-major f32
//! 32          SHA-256 of everything before
//! ```
//!
//! A file is written to a temporary name, flushed to the disk and renamed. Reading trusts nothing: the checksum is
//! compared before anything else is looked at, no length is believed that the file itself does not bear out, and
//! no more is allocated than the file is long.

use super::{CheckpointError, Identity};
use crate::picture::flush_folder;
use crate::report::{ScaleReport, Setback, StepReport};
use crate::tiling::Cut;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const MAGIC: [u8; 8] = *b"impasto\0";
const VERSION: u32 = 2;
/// Bytes before the header.
const HEAD: u64 = 20;
/// Bytes of the checksum.
const SUM: u64 = 32;
/// Bytes that are read or written at once.
const BLOCK: usize = 1 << 16;

/// What a checkpoint says of the run, beside its tensors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Header {
    /// What makes the job this one.
    pub(crate) job: Identity,
    /// Where the run was.
    pub(crate) place: Place,
    /// What had happened.
    pub(crate) past: Past,
    /// How each scale is cut.
    pub(crate) cuts: Vec<Cuts>,
    /// The bits of numbers of the run and its optimiser, which JSON would not always keep.
    pub(crate) numbers: BTreeMap<String, u64>,
    /// Names and shapes of the tensors.
    pub(crate) tensors: Vec<(String, Vec<usize>)>,
}

/// How the picture and the styles are cut to be looked at, `None` for as a whole.
pub(crate) type Cuts = [Option<Cut>; 2];

/// A place in a run; later ones are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Place {
    /// Index of the scale.
    pub(crate) scale: usize,
    /// Steps taken at it.
    pub(crate) step: usize,
}

/// The report of a run so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Past {
    pub(crate) scales: Vec<ScaleReport>,
    pub(crate) steps: Vec<StepReport>,
    pub(crate) setbacks: Vec<Setback>,
    /// Seconds since the run began, breaks left out.
    pub(crate) seconds: f64,
    /// Those of them that went into the scale it is at.
    pub(crate) scale_seconds: f64,
}

/// A file that is written and hashed at once.
struct Hashed {
    file: BufWriter<File>,
    hash: Sha256,
    bytes: u64,
}

impl Hashed {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        self.file.write_all(bytes)
    }

    fn put_values(&mut self, values: &[f32]) -> io::Result<()> {
        let mut block = Vec::with_capacity(BLOCK);
        for values in values.chunks(BLOCK / 4) {
            block.clear();
            block.extend(values.iter().flat_map(|value| value.to_le_bytes()));
            self.put(&block)?;
        }
        Ok(())
    }

    /// Adds the checksum and waits until the disk has it all.
    fn finish(mut self) -> io::Result<u64> {
        let sum = self.hash.finalize();
        self.file.write_all(&sum)?;
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        Ok(self.bytes + SUM)
    }
}

/// Writes a checkpoint to `temporary` and renames it to `path`; returns its length. `values` is asked for each tensor
/// of the header in its order, so that only one of them is in memory at a time. Whatever fails, `path` is as it was
/// and the temporary file is gone.
///
/// # Errors
/// [`CheckpointError::Write`] as [`crate::Error::Checkpoint`]; whatever `values` returns.
pub(super) fn write(
    path: &Path,
    temporary: &Path,
    header: &Header,
    values: &mut dyn FnMut(usize) -> crate::Result<Vec<f32>>,
) -> crate::Result<u64> {
    let failed = |source| CheckpointError::Write {
        path: path.into(),
        source,
    };
    let written = (|| {
        let header_bytes = serde_json::to_vec(header).map_err(|error| failed(error.into()))?;
        let mut file = Hashed {
            file: BufWriter::with_capacity(BLOCK, File::create(temporary).map_err(failed)?),
            hash: Sha256::new(),
            bytes: 0,
        };
        let length = header_bytes.len() as u64;
        for bytes in [
            &MAGIC[..],
            &VERSION.to_le_bytes(),
            &length.to_le_bytes(),
            &header_bytes,
        ] {
            file.put(bytes).map_err(failed)?;
        }
        for index in 0..header.tensors.len() {
            file.put_values(&values(index)?).map_err(failed)?;
        }
        let bytes = file.finish().map_err(failed)?;
        fs::rename(temporary, path).map_err(failed)?;
        Ok(bytes)
    })();
    match &written {
        Ok(_) => flush_folder(path),
        // The first error is the one to report.
        Err(_) => drop(fs::remove_file(temporary)),
    }
    written
}

/// A checkpoint whose checksum is right.
#[derive(Debug)]
pub(crate) struct Saved {
    pub(crate) path: PathBuf,
    pub(crate) header: Header,
    file: File,
    /// Where the tensors begin.
    start: u64,
}

impl Saved {
    /// Opens a file and checks all of it; `None` if there is none.
    ///
    /// # Errors
    /// [`CheckpointError::Read`], [`CheckpointError::Damaged`].
    pub(super) fn open(path: &Path) -> Result<Option<Self>, CheckpointError> {
        let Some(mut file) = open(path)? else {
            return Ok(None);
        };
        let damaged = |what: &str| CheckpointError::Damaged {
            path: path.into(),
            what: what.into(),
        };
        let read = |source| CheckpointError::read(path, source);
        let length = file.metadata().map_err(read)?.len();
        let header_length = head(&mut file, path, length)?;
        if checksum(&mut file, length).map_err(read)? != stored_checksum(&mut file).map_err(read)? {
            return Err(damaged(
                "its checksum is wrong: it was cut short or changed",
            ));
        }
        let header = header(&mut file, path, header_length)?;
        let start = HEAD + header_length;
        let mut left = length - SUM - start;
        for (name, shape) in &header.tensors {
            let size = size(shape).filter(|size| *size <= left);
            let Some(size) = size else {
                return Err(damaged(&format!("its tensor {name} is longer than itself")));
            };
            left -= size;
        }
        if left > 0 {
            return Err(damaged("it is longer than its header says"));
        }
        Ok(Some(Self {
            path: path.into(),
            header,
            file,
            start,
        }))
    }

    /// The values of the tensor of this index.
    ///
    /// # Errors
    /// [`CheckpointError::Read`], [`CheckpointError::Damaged`].
    pub(crate) fn values(&mut self, index: usize) -> Result<Vec<f32>, CheckpointError> {
        let before = self.header.tensors.iter().take(index);
        let offset: u64 = before.filter_map(|(_, shape)| size(shape)).sum();
        let Some(bytes) = self.header.tensors.get(index).and_then(|(_, s)| size(s)) else {
            return Err(self.damaged(format!("it has no tensor {index}")));
        };
        let read = |source| CheckpointError::read(&self.path, source);
        self.file
            .seek(SeekFrom::Start(self.start + offset))
            .map_err(read)?;
        let mut values = Vec::with_capacity(bytes as usize / 4);
        let mut block = vec![0; BLOCK];
        let mut left = bytes as usize;
        while left > 0 {
            let block = &mut block[..left.min(BLOCK)];
            self.file.read_exact(block).map_err(read)?;
            let (quads, _) = block.as_chunks::<4>();
            values.extend(quads.iter().map(|&quad| f32::from_le_bytes(quad)));
            left -= block.len();
        }
        Ok(values)
    }

    /// Something about it that cannot be.
    pub(crate) fn damaged(&self, what: impl Into<String>) -> CheckpointError {
        CheckpointError::Damaged {
            path: self.path.clone(),
            what: what.into(),
        }
    }
}

/// What job a file says it is of, unchecked.
pub(super) fn peek(path: &Path) -> Result<Option<Identity>, CheckpointError> {
    let Some(mut file) = open(path)? else {
        return Ok(None);
    };
    let length = file
        .metadata()
        .map_err(|source| CheckpointError::read(path, source))?
        .len();
    let header_length = head(&mut file, path, length)?;
    Ok(Some(header(&mut file, path, header_length)?.job))
}

fn open(path: &Path) -> Result<Option<File>, CheckpointError> {
    match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        opened => opened
            .map(Some)
            .map_err(|source| CheckpointError::read(path, source)),
    }
}

/// Reads what stands before the header, and returns the header's length.
fn head(file: &mut File, path: &Path, length: u64) -> Result<u64, CheckpointError> {
    let damaged = |what: String| CheckpointError::Damaged {
        path: path.into(),
        what,
    };
    if length < HEAD + SUM {
        return Err(damaged(format!("it ends after {length} bytes")));
    }
    let mut head = [0; HEAD as usize];
    file.read_exact(&mut head)
        .map_err(|source| CheckpointError::read(path, source))?;
    let [m0, m1, m2, m3, m4, m5, m6, m7, v0, v1, v2, v3, size @ ..] = head;
    if [m0, m1, m2, m3, m4, m5, m6, m7] != MAGIC {
        return Err(damaged("it does not begin as a checkpoint does".into()));
    }
    let version = u32::from_le_bytes([v0, v1, v2, v3]);
    if version != VERSION {
        return Err(damaged(format!(
            "its format is version {version}, and this program reads version {VERSION}"
        )));
    }
    let size = u64::from_le_bytes(size);
    if size > length - HEAD - SUM {
        return Err(damaged(
            "it ends within its header: it was cut short".into(),
        ));
    }
    Ok(size)
}

/// The checksum that a file of this length should have.
fn checksum(file: &mut File, length: u64) -> io::Result<[u8; SUM as usize]> {
    file.seek(SeekFrom::Start(0))?;
    let mut hash = Sha256::new();
    let mut block = vec![0; BLOCK];
    let mut left = length - SUM;
    while left > 0 {
        let block = &mut block[..left.min(BLOCK as u64) as usize];
        file.read_exact(block)?;
        hash.update(&*block);
        left -= block.len() as u64;
    }
    Ok(hash.finalize().into())
}

fn stored_checksum(file: &mut File) -> io::Result<[u8; SUM as usize]> {
    let mut sum = [0; SUM as usize];
    file.seek(SeekFrom::End(-(SUM as i64)))?;
    file.read_exact(&mut sum)?;
    Ok(sum)
}

fn header(file: &mut File, path: &Path, length: u64) -> Result<Header, CheckpointError> {
    let read = |source| CheckpointError::read(path, source);
    file.seek(SeekFrom::Start(HEAD)).map_err(read)?;
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes).map_err(read)?;
    serde_json::from_slice(&bytes).map_err(|error| CheckpointError::Damaged {
        path: path.into(),
        what: format!("its header cannot be read ({error})"),
    })
}

/// Bytes of a tensor, if there can be that many.
fn size(shape: &[usize]) -> Option<u64> {
    let entries = shape
        .iter()
        .try_fold(1u64, |product, &side| product.checked_mul(side as u64))?;
    entries.checked_mul(4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn small() -> (Header, Vec<Vec<f32>>) {
        let header = Header {
            job: Identity::of([("content", "2×1 px".to_string())]),
            place: Place { scale: 1, step: 7 },
            past: Past {
                seconds: 0.1 + 0.2,
                ..Past::default()
            },
            cuts: vec![[None, None]],
            numbers: [("steps".to_string(), f64::NAN.to_bits())].into(),
            tensors: vec![("image".into(), vec![3, 1, 2]), ("none".into(), vec![0])],
        };
        let image = vec![0.0, -0.0, f32::MIN_POSITIVE, f32::NAN, 0.1, f32::INFINITY];
        (header, vec![image, vec![]])
    }

    fn write_to(path: &Path, header: &Header, tensors: &[Vec<f32>]) -> crate::Result<u64> {
        let temporary = path.with_extension("tmp");
        write(path, &temporary, header, &mut |index| {
            Ok(tensors[index].clone())
        })
    }

    fn file() -> (impasto_testing::Folder, PathBuf, Vec<u8>) {
        let folder = impasto_testing::Folder::new();
        let path = folder.path().join("a.checkpoint");
        let (header, tensors) = small();
        let length = write_to(&path, &header, &tensors).unwrap();
        let bytes = fs::read(&path).unwrap();
        assert_eq!(bytes.len() as u64, length);
        (folder, path, bytes)
    }

    #[test]
    fn what_is_read_is_what_was_written_bit_for_bit() {
        let (folder, path, _) = file();
        let mut saved = Saved::open(&path).unwrap().unwrap();
        let (header, tensors) = small();
        assert_eq!(saved.header, header);
        for (index, tensor) in tensors.iter().enumerate() {
            let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&saved.values(index).unwrap()), bits(tensor));
        }
        assert!(saved.values(2).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(Saved::open(&folder.path().join("b")).unwrap().is_none());
    }

    #[test]
    fn a_file_that_is_cut_anywhere_is_refused() {
        let (_folder, path, bytes) = file();
        for length in 0..bytes.len() {
            fs::write(&path, &bytes[..length]).unwrap();
            let error = Saved::open(&path).unwrap_err().to_string();
            assert!(error.contains("a.checkpoint is damaged"), "{error}");
        }
    }

    #[test]
    fn a_file_that_is_changed_anywhere_is_refused() {
        let (_folder, path, bytes) = file();
        for place in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[place] ^= 1 << (place % 8);
            fs::write(&path, &bytes).unwrap();
            assert!(Saved::open(&path).is_err(), "byte {place}");
        }
        fs::write(&path, [&bytes[..], &[0]].concat()).unwrap();
        assert!(Saved::open(&path).is_err(), "a byte more");
    }

    /// A file with a right checksum around any header and body.
    fn forge(path: &Path, header_length: u64, rest: &[u8]) {
        let mut bytes = [
            &MAGIC[..],
            &VERSION.to_le_bytes(),
            &header_length.to_le_bytes(),
            rest,
        ]
        .concat();
        let sum = Sha256::digest(&bytes);
        bytes.extend(sum);
        fs::write(path, bytes).unwrap();
    }

    #[test]
    fn headers_that_promise_too_much_are_refused() {
        let folder = impasto_testing::Folder::new();
        let path = folder.path().join("forged");
        for shape in [vec![usize::MAX], vec![1 << 32, 1 << 32], vec![3], vec![]] {
            let (mut header, _) = small();
            header.tensors = vec![("image".into(), shape.clone())];
            let header = serde_json::to_vec(&header).unwrap();
            forge(&path, header.len() as u64, &header);
            assert!(Saved::open(&path).is_err(), "{shape:?}");
        }
        forge(&path, u64::MAX, b"{}");
        assert!(Saved::open(&path).is_err());
        forge(&path, 2, b"{}");
        assert!(Saved::open(&path).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_hostile(length in 0u64..80, rest in proptest::collection::vec(any::<u8>(), 0..80)) {
            let folder = impasto_testing::Folder::new();
            let path = folder.path().join("forged");
            forge(&path, length, &rest);
            prop_assert!(Saved::open(&path).is_err());
            fs::write(&path, &rest).unwrap();
            prop_assert!(Saved::open(&path).is_err());
        }
    }

    #[test]
    fn what_cannot_be_written_leaves_the_old_file() {
        let (folder, path, bytes) = file();
        let (header, _) = small();
        let temporary = folder.path().join("new");
        let result = write(&path, &temporary, &header, &mut |_| {
            Err(crate::Error::Invalid(vec![]))
        });
        assert!(matches!(result, Err(crate::Error::Invalid(_))));
        let missing = folder.path().join("missing").join("new");
        let result = write(&path, &missing, &header, &mut |_| Ok(vec![]));
        assert!(
            result
                .unwrap_err()
                .to_string()
                .contains("cannot save the checkpoint")
        );
        assert_eq!(fs::read(&path).unwrap(), bytes);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
