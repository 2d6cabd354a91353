//! Files of state: what a computation needs to go on, bit for bit.
//!
//! A file of state is a safetensors file of `f32` tensors that may hold any values, NaN included. Its last tensor is
//! `sha256`: 32 bytes of type `U8` at the end of the file, the SHA-256 of everything before them, header included.
//! [`StateWriter`] needs one tensor in memory at a time, [`StateFile`] reads one at a time.

use crate::encoding::Encoding;
use crate::entry::{Entry, Place};
use crate::format::{self, Index};
use crate::problem::{Problem, Read};
use crate::save::{self, Declared};
use crate::source::Source;
use crate::{Limits, Result, TensorInfo};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// Name of the last tensor.
const SHA256: &str = "sha256";
/// Its bytes.
const DIGEST: u64 = 32;
/// Bytes that are read or written at once.
const BLOCK: usize = 1 << 16;

/// State is as large as the computation; whatever is allocated, the file is at least as long.
const LIMITS: Limits = Limits {
    file_bytes: u64::MAX,
    tensors: 10_000,
    header_bytes: 1 << 30,
    values: u64::MAX,
};

/// Writes a file of state, tensor by tensor.
#[derive(Debug)]
pub struct StateWriter<W> {
    out: W,
    hash: Sha256,
    bytes: u64,
    /// Values of the tensors that have not been written yet.
    expected: VecDeque<usize>,
}

impl<W: Write> StateWriter<W> {
    /// Writes the header of a file with these tensors (names and shapes) in this order, and metadata.
    ///
    /// # Errors
    /// What the writer reports; [`io::ErrorKind::InvalidInput`] if two tensors have one name, or one is called `sha256`.
    pub fn new(
        out: W,
        tensors: &[(String, Vec<usize>)],
        metadata: &BTreeMap<String, String>,
    ) -> io::Result<Self> {
        let mut names: Vec<_> = tensors.iter().map(|(name, _)| name.as_str()).collect();
        names.push(SHA256);
        names.sort_unstable();
        if let Some([name, _]) = names.array_windows().find(|[one, next]| one == next) {
            return Err(invalid(format!("two tensors are called {name}")));
        }
        let digest = Declared {
            name: SHA256,
            dtype: "U8",
            shape: &[DIGEST as usize],
            width: 1,
        };
        let values = tensors.iter().map(|(name, shape)| Declared {
            name,
            dtype: "F32",
            shape,
            width: 4,
        });
        let header = save::header(values.chain([digest]), metadata);
        let mut writer = Self {
            out,
            hash: Sha256::new(),
            bytes: 0,
            expected: tensors
                .iter()
                .map(|(_, shape)| shape.iter().product())
                .collect(),
        };
        writer.put_bytes(&header)?;
        Ok(writer)
    }

    /// Writes the values of the next tensor, row-major.
    ///
    /// # Errors
    /// What the writer reports; [`io::ErrorKind::InvalidInput`] if there are more or fewer than its shape says.
    pub fn put(&mut self, values: &[f32]) -> io::Result<()> {
        if self.expected.pop_front() != Some(values.len()) {
            return Err(invalid("a tensor has not the values that its shape says"));
        }
        let mut block = Vec::with_capacity(BLOCK);
        for values in values.chunks(BLOCK / 4) {
            block.clear();
            block.extend(values.iter().flat_map(|value| value.to_le_bytes()));
            self.put_bytes(&block)?;
        }
        Ok(())
    }

    /// Writes the checksum; returns the writer, flushed, and the number of bytes written.
    ///
    /// # Errors
    /// What the writer reports; [`io::ErrorKind::InvalidInput`] if a tensor is missing.
    pub fn finish(mut self) -> io::Result<(W, u64)> {
        if !self.expected.is_empty() {
            return Err(invalid("a tensor is missing"));
        }
        self.out.write_all(&self.hash.finalize())?;
        self.out.flush()?;
        Ok((self.out, self.bytes + DIGEST))
    }

    fn put_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        self.out.write_all(bytes)
    }
}

fn invalid(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what.into())
}

/// An open file of state. No size that it declares is believed before it was compared with the file's own length.
#[derive(Debug)]
pub struct StateFile {
    name: String,
    index: Index<'static>,
}

impl StateFile {
    /// Reads the header of a file; whether the file is whole, [`StateFile::verify`] says. `path` is for messages.
    ///
    /// # Errors
    /// Any [`WeightsError`](crate::WeightsError).
    pub fn open(file: File, path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let index = Source::file(file)
            .map_err(Problem::Io)
            .and_then(index)
            .map_err(|problem| problem.in_file(&name))?;
        Ok(Self { name, index })
    }

    /// Compares the checksum with all bytes before it.
    ///
    /// # Errors
    /// [`Damaged`](crate::WeightsError::Damaged) if a byte was changed; [`Io`](crate::WeightsError::Io).
    pub fn verify(&self) -> Result<()> {
        verify(&self.index.source).map_err(|problem| problem.in_file(&self.name))
    }

    /// What the writer said of the file.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.index.metadata
    }

    /// Its tensors by name, without the checksum.
    pub fn tensors(&self) -> impl Iterator<Item = TensorInfo<'_>> {
        self.entries().map(Entry::info)
    }

    /// The values of a tensor, row-major, with the bits that were written.
    ///
    /// # Errors
    /// [`Damaged`](crate::WeightsError::Damaged) if there is no such tensor; [`Io`](crate::WeightsError::Io).
    pub fn read(&self, tensor: &str) -> Result<Vec<f32>> {
        let entry = self.entries().find(|entry| entry.name == tensor);
        entry
            .ok_or_else(|| Problem::damaged(format!("it has no tensor {tensor}")))
            .and_then(|entry| entry.stored_values(&self.index.source))
            .map_err(|problem| problem.in_file(&self.name))
    }

    fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.index
            .entries
            .iter()
            .filter(|entry| entry.name != SHA256)
    }
}

/// The tensors of a file, if it is one of state: `f32` tensors and, at the end, the checksum.
fn index(source: Source<'static>) -> Read<Index<'static>> {
    if source.len() <= DIGEST {
        let length = source.len();
        return Err(Problem::damaged(format!("it ends after {length} bytes")));
    }
    let index = format::safetensors::index(source, &LIMITS)?;
    let mut checksum = None;
    for entry in &index.entries {
        match (&entry.encoding, entry.name.as_str()) {
            (Encoding::F32, _) => {}
            (Encoding::Other(dtype), SHA256) if dtype == "U8" => checksum = Some(entry),
            (other, name) => {
                let problem = format!("tensor {name} is of type {}, not f32", other.name());
                return Err(Problem::damaged(problem));
            }
        }
    }
    let last = index.source.len() - DIGEST;
    match checksum {
        Some(Entry {
            place: Place::Stored(begin),
            shape,
            ..
        }) if *begin == last && shape[..] == [DIGEST as usize] => Ok(index),
        _ => Err(Problem::damaged("it does not end with its checksum")),
    }
}

fn verify(source: &Source<'_>) -> Read<()> {
    let mut hash = Sha256::new();
    let mut block = vec![0; BLOCK];
    let (mut at, end) = (0, source.len() - DIGEST);
    while at < end {
        let count = (end - at).min(BLOCK as u64);
        let block = &mut block[..count as usize];
        source.read_at(at, block)?;
        hash.update(&*block);
        at += count;
    }
    let mut stated = [0; DIGEST as usize];
    source.read_at(end, &mut stated)?;
    match stated[..] == hash.finalize()[..] {
        true => Ok(()),
        false => Err(Problem::damaged(
            "its checksum is wrong: it was cut short or changed",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use impasto_testing::Folder;
    use proptest::prelude::*;
    use std::fs;
    use std::path::PathBuf;

    /// Names and shapes of tensors, and their values.
    type Tensors = (Vec<(String, Vec<usize>)>, Vec<Vec<f32>>);

    fn tensors() -> Tensors {
        let odd = vec![
            0.0,
            -0.0,
            f32::from_bits(0x7fc0_1234),
            f32::NEG_INFINITY,
            f32::from_bits(1),
            0.1,
        ];
        let shapes = [
            ("none", vec![2, 0]),
            ("odd", vec![3, 1, 2]),
            ("one", vec![]),
        ];
        let shapes = shapes
            .map(|(name, shape)| (name.to_string(), shape))
            .to_vec();
        (shapes, vec![vec![], odd, vec![7.0]])
    }

    fn metadata() -> BTreeMap<String, String> {
        [("by".to_string(), "a \"test\"".to_string())].into()
    }

    fn bytes() -> Vec<u8> {
        let (shapes, values) = tensors();
        let mut writer = StateWriter::new(Vec::new(), &shapes, &metadata()).unwrap();
        values.iter().for_each(|values| writer.put(values).unwrap());
        let (bytes, length) = writer.finish().unwrap();
        assert_eq!(bytes.len() as u64, length);
        bytes
    }

    fn place() -> (Folder, PathBuf) {
        let folder = Folder::new();
        let path = folder.join("state");
        (folder, path)
    }

    /// A file of these bytes, opened and compared with its checksum.
    fn open(path: &Path, bytes: &[u8]) -> Result<StateFile> {
        fs::write(path, bytes).unwrap();
        let state = StateFile::open(File::open(path).unwrap(), path)?;
        state.verify()?;
        Ok(state)
    }

    #[test]
    fn what_is_read_is_what_was_written_bit_for_bit() {
        let (_folder, path) = place();
        let state = open(&path, &bytes()).unwrap();
        let (shapes, values) = tensors();
        assert_eq!(*state.metadata(), metadata());
        let found = state
            .tensors()
            .map(|t| (t.name.to_string(), t.shape.to_vec()));
        assert_eq!(found.collect::<Vec<_>>(), shapes);
        for ((name, _), values) in shapes.iter().zip(&values) {
            let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&state.read(name).unwrap()), bits(values), "{name}");
        }
        for missing in ["other", SHA256] {
            let error = state.read(missing).unwrap_err().to_string();
            assert!(
                error.contains(&format!("it has no tensor {missing}")),
                "{error}"
            );
        }
    }

    #[test]
    fn others_read_it_as_safetensors() {
        let (_folder, path) = place();
        fs::write(&path, bytes()).unwrap();
        let file = crate::WeightsFile::open(&path, &Limits::default()).unwrap();
        assert_eq!(file.format(), crate::Format::Safetensors);
        assert_eq!(file.read("one").unwrap().values, [7.0]);
        let types: Vec<_> = file.tensors().map(|tensor| tensor.dtype).collect();
        assert_eq!(types, ["f32", "f32", "f32", "U8"]);
    }

    #[test]
    fn a_file_that_is_cut_or_changed_anywhere_is_refused() {
        let (_folder, path) = place();
        let bytes = bytes();
        let refused = |bytes: &[u8], case: String| match open(&path, bytes) {
            Err(error) => assert!(error.to_string().contains("state are damaged"), "{error}"),
            Ok(_) => panic!("{case}"),
        };
        for length in 0..bytes.len() {
            refused(&bytes[..length], format!("{length} bytes"));
        }
        refused(&[&bytes[..], &[0]].concat(), "a byte more".into());
        for bit in 0..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            // A flipped bit may make a type or length that no reader knows.
            assert!(open(&path, &bytes).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn tensors_that_are_not_as_declared_are_not_written() {
        let writer =
            || StateWriter::new(Vec::new(), &[("a".into(), vec![2])], &BTreeMap::new()).unwrap();
        assert!(writer().put(&[1.0]).is_err());
        assert!(writer().finish().is_err());
        let mut whole = writer();
        whole.put(&[1.0, 2.0]).unwrap();
        assert!(whole.put(&[]).is_err());
        for names in [["a", "a"], ["a", SHA256]] {
            let tensors = names.map(|name| (name.to_string(), vec![1]));
            assert!(StateWriter::new(Vec::new(), &tensors, &BTreeMap::new()).is_err());
        }
    }

    /// A file of any JSON header and body that ends with the right checksum.
    fn forged(header: &str, body: &[u8]) -> Vec<u8> {
        let length = (header.len() as u64).to_le_bytes();
        let mut bytes = [&length[..], header.as_bytes(), body].concat();
        let sum = Sha256::digest(&bytes);
        bytes.extend(sum);
        bytes
    }

    #[test]
    fn headers_that_lie_are_refused_whatever_the_checksum() {
        let (_folder, path) = place();
        let sum = |begin: u64| {
            format!(
                r#""sha256":{{"dtype":"U8","shape":[32],"data_offsets":[{begin},{}]}}"#,
                begin + 32
            )
        };
        let tensor = |dtype: &str, shape: &str, end: u64| {
            format!(
                r#"{{"a":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[0,{end}]}},{}}}"#,
                sum(end)
            )
        };
        open(&path, &forged(&tensor("F32", "[2]", 8), &[0; 8])).unwrap();
        for (header, problem) in [
            (tensor("F32", "[2]", 4), "does not fit its place"),
            (
                tensor("F32", "[18446744073709551615]", 8),
                "does not fit its place",
            ),
            (tensor("F32", "[4294967296,4294967296]", 8), "overflows"),
            (tensor("F32", "[4]", 16), "ends at byte"),
            (tensor("F16", "[4]", 8), "not f32"),
            (tensor("U8", "[8]", 8), "not f32"),
            (format!("{{{}}}", sum(0)), "does not end with its checksum"),
            ("{}".into(), "does not end with its checksum"),
            ("[]".into(), "its header"),
        ] {
            let error = open(&path, &forged(&header, &[0; 8]))
                .unwrap_err()
                .to_string();
            assert!(error.contains(problem), "{header}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_hostile(header in ".{0,40}", body in proptest::collection::vec(any::<u8>(), 0..80)) {
            let (_folder, path) = place();
            prop_assert!(open(&path, &forged(&header, &body)).is_err());
            prop_assert!(open(&path, &body).is_err());
        }
    }
}
