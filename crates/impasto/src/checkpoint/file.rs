//! The file of a checkpoint: a safetensors file with a checksum ([`StateFile`]).
//!
//! | part | what |
//! |---|---|
//! | metadata `format`, `version` | `impasto checkpoint` and the version of what follows |
//! | metadata `run` | what is said of the run, as JSON: [`Header`] |
//! | tensors of `f32` | image, optimiser's state and whatever else the run keeps, by name |
//! | tensor `sha256` | the checksum of everything before it |
//!
//! A file is written to a temporary name, flushed to the disk and renamed. Reading trusts nothing: no length is believed
//! that the file itself does not bear out, and the checksum is compared before anything of the run is looked at.

use super::{CheckpointError, Identity};
use crate::picture::flush_folder;
use crate::report::{Concern, ScaleReport, Setback, StepReport};
use crate::tiling::Cut;
use impasto_weights::{StateFile, StateWriter, WeightsError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, ErrorKind, Read};
use std::path::{Path, PathBuf};

const FORMAT: &str = "impasto checkpoint";
/// Files of versions 1 and 2 were in a container of their own, which began with [`OLD_FILES`].
const VERSION: &str = "3";
const OLD_FILES: [u8; 8] = *b"impasto\0";

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
    /// Names and shapes of the tensors, which the container tells.
    #[serde(skip)]
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
    pub(crate) concerns: Vec<Concern>,
    /// Seconds since the run began, breaks left out.
    pub(crate) seconds: f64,
    /// Those of them that went into the scale it is at.
    pub(crate) scale_seconds: f64,
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
        let run = serde_json::to_string(header).map_err(|error| failed(error.into()))?;
        let metadata = [("format", FORMAT), ("version", VERSION), ("run", &run)]
            .map(|(key, text)| (key.to_string(), text.to_string()))
            .into();
        let file = BufWriter::new(File::create(temporary).map_err(failed)?);
        let mut file = StateWriter::new(file, &header.tensors, &metadata).map_err(failed)?;
        for index in 0..header.tensors.len() {
            file.put(&values(index)?).map_err(failed)?;
        }
        let (file, bytes) = file.finish().map_err(failed)?;
        file.get_ref().sync_all().map_err(failed)?;
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
    state: StateFile,
}

impl Saved {
    /// Opens a file and checks all of it; `None` if there is none.
    ///
    /// # Errors
    /// [`CheckpointError::Read`], [`CheckpointError::OtherVersion`], [`CheckpointError::Damaged`].
    pub(super) fn open(path: &Path) -> Result<Option<Self>, CheckpointError> {
        let Some(state) = open(path)? else {
            return Ok(None);
        };
        state.verify().map_err(|error| unusable(path, error))?;
        Ok(Some(Self {
            path: path.into(),
            header: header(&state, path)?,
            state,
        }))
    }

    /// The values of the tensor of this index.
    ///
    /// # Errors
    /// [`CheckpointError::Read`], [`CheckpointError::Damaged`].
    pub(crate) fn values(&self, index: usize) -> Result<Vec<f32>, CheckpointError> {
        match self.header.tensors.get(index) {
            Some((name, _)) => self.state.read(name),
            None => return Err(self.damaged(format!("it has no tensor {index}"))),
        }
        .map_err(|error| unusable(&self.path, error))
    }

    /// Something about it that cannot be.
    pub(crate) fn damaged(&self, what: impl Into<String>) -> CheckpointError {
        damaged(&self.path, what)
    }
}

/// What job a file says it is of, unchecked.
pub(super) fn peek(path: &Path) -> Result<Option<Identity>, CheckpointError> {
    match open(path)? {
        Some(state) => Ok(Some(header(&state, path)?.job)),
        None => Ok(None),
    }
}

/// Opens the container, whose checksum is not compared yet; `None` if there is no file.
fn open(path: &Path) -> Result<Option<StateFile>, CheckpointError> {
    let read = |source| CheckpointError::read(path, source);
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(read)?,
    };
    let mut start = Vec::new();
    (&file)
        .take(OLD_FILES.len() as u64)
        .read_to_end(&mut start)
        .map_err(read)?;
    if start == OLD_FILES {
        return Err(CheckpointError::OtherVersion { path: path.into() });
    }
    let opened = StateFile::open(file, path);
    opened.map(Some).map_err(|error| unusable(path, error))
}

/// What the container says of the run.
fn header(state: &StateFile, path: &Path) -> Result<Header, CheckpointError> {
    let said = |key| state.metadata().get(key).map_or("", String::as_str);
    if said("format") != FORMAT {
        return Err(damaged(path, "it does not say that it is a checkpoint"));
    }
    if said("version") != VERSION {
        return Err(CheckpointError::OtherVersion { path: path.into() });
    }
    let mut header: Header = serde_json::from_str(said("run"))
        .map_err(|error| damaged(path, format!("what it says of the run: {error}")))?;
    let tensors = state.tensors();
    header.tensors = tensors
        .map(|tensor| (tensor.name.to_string(), tensor.shape.to_vec()))
        .collect();
    Ok(header)
}

/// What is wrong with a container, told of a checkpoint.
fn unusable(path: &Path, error: WeightsError) -> CheckpointError {
    match error {
        WeightsError::Io { error, .. } => CheckpointError::read(path, error),
        WeightsError::Damaged { problem, .. } => damaged(path, problem),
        WeightsError::TooLarge {
            what, size, limit, ..
        } => damaged(path, format!("{what} is {size}, the limit is {limit}")),
        other => damaged(path, other.to_string()),
    }
}

fn damaged(path: &Path, what: impl Into<String>) -> CheckpointError {
    CheckpointError::Damaged {
        path: path.into(),
        what: what.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let saved = Saved::open(&path).unwrap().unwrap();
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
        let refused = |bytes: &[u8], case: &str| {
            fs::write(&path, bytes).unwrap();
            let error = Saved::open(&path).map(|_| case).unwrap_err().to_string();
            assert!(error.contains("a.checkpoint is damaged"), "{case}: {error}");
        };
        for bit in 0..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            refused(&bytes, &format!("bit {bit}"));
        }
        refused(&[&bytes[..], &[0]].concat(), "a byte more");
    }

    /// A file without tensors and with a right checksum that says this.
    fn forge(path: &Path, metadata: &[(&str, &str)]) {
        let metadata = metadata.iter();
        let metadata = metadata.map(|&(key, text)| (key.into(), text.into()));
        let writer = StateWriter::new(vec![], &[], &metadata.collect()).unwrap();
        fs::write(path, writer.finish().unwrap().0).unwrap();
    }

    #[test]
    fn what_is_no_checkpoint_or_of_another_version_is_told_apart() {
        let folder = impasto_testing::Folder::new();
        let path = folder.path().join("forged");
        let check = |problem: &str| {
            for error in [Saved::open(&path).err(), peek(&path).err()] {
                let error = error.unwrap().to_string();
                assert!(error.contains(problem), "{error}");
            }
        };
        let run = serde_json::to_string(&small().0).unwrap();
        let run = ("run", run.as_str());
        let (format, version) = (("format", FORMAT), ("version", VERSION));
        forge(&path, &[format, version, run]);
        assert_eq!(peek(&path).unwrap(), Some(small().0.job));
        assert_eq!(Saved::open(&path).unwrap().unwrap().header.tensors, []);
        for (metadata, problem) in [
            (&[][..], "it does not say that it is a checkpoint"),
            (&[("format", "pt"), version, run], "it does not say"),
            (&[format, version], "what it says of the run: EOF"),
            (&[format, version, ("run", "{}")], "missing field"),
            (&[format, run], "by another version of impasto"),
            (
                &[format, ("version", "4"), ("run", "")],
                "by another version",
            ),
        ] {
            forge(&path, metadata);
            check(problem);
        }
        fs::write(&path, b"impasto\0\x02\0\0\0").unwrap();
        check("finish the run with that version, or remove the file");
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
