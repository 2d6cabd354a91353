//! A file of weights of any format: what it holds, and its tensors one by one.

use crate::entry::Entry;
use crate::format::{self, Index};
use crate::problem::{Problem, Read, within};
use crate::source::Source;
use crate::vgg::{Front, Vgg};
use crate::{Checkpoint, Format, Limits, Result, WeightTensor, WeightsError};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

/// What is known of a tensor without reading it.
#[derive(Clone, Copy, Debug)]
pub struct TensorInfo<'f> {
    /// Its name in the file.
    pub name: &'f str,
    /// Its shape as the file has it.
    pub shape: &'f [usize],
    /// How its values are written: `f32`, `f16`, …
    pub dtype: &'f str,
}

/// What is known of a VGG in a file without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VggInfo {
    /// What it is, for people: `vgg19, to conv5_4`.
    pub title: String,
    /// Its convolutions in order, as block and place, both from 1, with the channels that each makes.
    pub convolutions: Vec<((u8, u8), usize)>,
}

/// An open file of weights: its tensors have been found and checked, but not read.
#[derive(Debug)]
pub struct WeightsFile<'a> {
    file: String,
    index: Index<'a>,
    /// Values that may still be read.
    left: Cell<u64>,
    limit: u64,
}

impl WeightsFile<'static> {
    /// Opens a file; its format is recognised by content. Shards of a TensorFlow.js model are looked for beside it.
    ///
    /// # Errors
    /// Any [`WeightsError`].
    pub fn open(path: impl AsRef<Path>, limits: &Limits) -> Result<Self> {
        let path = path.as_ref();
        let io = |error| WeightsError::Io {
            path: path.to_path_buf(),
            error,
        };
        let source = open_source(path).map_err(io)?;
        let beside = |name: &str| {
            let shard = path.with_file_name(name);
            open_source(&shard).map_err(|error| {
                Problem::damaged(format!("its shard {} is missing: {error}", shard.display()))
            })
        };
        Self::index(source, path.display().to_string(), &beside, limits)
    }
}

fn open_source(path: &Path) -> std::io::Result<Source<'static>> {
    let file = File::open(path)?;
    // Opening a folder succeeds on some systems; reading it would fail with a message nobody understands.
    if file.metadata()?.is_dir() {
        return Err(std::io::ErrorKind::IsADirectory.into());
    }
    Source::file(file)
}

impl<'a> WeightsFile<'a> {
    /// Reads the bytes of a file; `file` is its name for messages.
    ///
    /// # Errors
    /// Any [`WeightsError`]; a TensorFlow.js model has shards and cannot be read so.
    pub fn from_bytes(bytes: &'a [u8], file: &str, limits: &Limits) -> Result<Self> {
        Self::with_shards(bytes, &BTreeMap::new(), file, limits)
    }

    /// Like [`WeightsFile::from_bytes`], with the bytes of the files that lie beside it, by name.
    ///
    /// # Errors
    /// Any [`WeightsError`].
    pub fn with_shards(
        bytes: &'a [u8],
        shards: &BTreeMap<String, &'a [u8]>,
        file: &str,
        limits: &Limits,
    ) -> Result<Self> {
        let beside = |name: &str| match shards.get(name) {
            Some(bytes) => Ok(Source::memory(*bytes)),
            None => Err(Problem::damaged(format!("its shard {name} is missing"))),
        };
        Self::index(Source::memory(bytes), file.into(), &beside, limits)
    }

    pub(crate) fn index(
        source: Source<'a>,
        file: String,
        beside: format::Beside<'_, 'a>,
        limits: &Limits,
    ) -> Result<Self> {
        let index = within("the file", source.len(), limits.file_bytes)
            .and_then(|()| format::index(source, beside, limits))
            .map_err(|problem| problem.in_file(&file))?;
        match index {
            Ok(index) => Ok(Self {
                file,
                index,
                left: Cell::new(limits.values),
                limit: limits.values,
            }),
            Err(found) => Err(WeightsError::UnknownFormat { file, found }),
        }
    }

    /// Its format.
    pub fn format(&self) -> Format {
        self.index.format
    }

    /// Its name for messages.
    pub fn name(&self) -> &str {
        &self.file
    }

    /// What it says of itself.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.index.metadata
    }

    /// The operations of the network, each once, by the names that the format has for them. Empty for formats that hold
    /// tensors alone.
    pub fn operations(&self) -> &[String] {
        &self.index.operations
    }

    /// Its tensors, in the order of the file's own list.
    pub fn tensors(&self) -> impl Iterator<Item = TensorInfo<'_>> {
        self.index.entries.iter().map(Entry::info)
    }

    /// Reads one tensor.
    ///
    /// # Errors
    /// Any [`WeightsError`], also if there is no such tensor, or if all that were read together are too large.
    pub fn read(&self, name: &str) -> Result<WeightTensor> {
        let entry = self.index.entries.iter().find(|entry| entry.name == name);
        entry
            .ok_or_else(|| Problem::damaged(format!("it has no tensor {name}")))
            .and_then(|entry| self.read_entry(entry))
            .map_err(|problem| problem.in_file(&self.file))
    }

    /// Reads the tensors that `keep` wants. Those of whole numbers, such as counters, are left out.
    ///
    /// # Errors
    /// Any [`WeightsError`].
    pub fn read_all(&self, keep: impl Fn(TensorInfo<'_>) -> bool) -> Result<Checkpoint> {
        let mut checkpoint = Checkpoint {
            tensors: BTreeMap::new(),
            metadata: self.index.metadata.clone(),
        };
        for (entry, info) in self.index.entries.iter().zip(self.tensors()) {
            if entry.encoding.width().is_some() && keep(info) {
                let tensor = self
                    .read_entry(entry)
                    .map_err(|problem| problem.in_file(&self.file))?;
                checkpoint.tensors.insert(entry.name.clone(), tensor);
            }
        }
        Ok(checkpoint)
    }

    /// The VGG that is in it, and nothing else: under canonical names and in the canonical layout (`conv4_2.weight`
    /// `[out, in, 3, 3]`). The metadata get `architecture` and `preprocessing` if the file does not state them.
    ///
    /// # Errors
    /// [`WeightsError::NotVgg`] if there is none, and all others.
    pub fn read_vgg(&self) -> Result<Checkpoint> {
        self.take_vgg(&self.find_vgg()?)
    }

    /// Like [`WeightsFile::read_vgg`], with the 1×1 convolution in front as it is, whatever it does, if there is one: whoever
    /// takes it applies it.
    ///
    /// # Errors
    /// As [`WeightsFile::read_vgg`].
    pub fn read_vgg_with_front(&self) -> Result<(Checkpoint, Option<Front>)> {
        let vgg = self.find_vgg()?;
        let front = vgg.take_front(|name| self.read(name))?;
        let checkpoint = Checkpoint {
            tensors: vgg.take_layers(|name| self.read(name))?,
            metadata: vgg.describe(self.index.metadata.clone()),
        };
        Ok((checkpoint, front))
    }

    /// What VGG is in it, told by names and shapes alone: no values are read.
    ///
    /// # Errors
    /// [`WeightsError::NotVgg`].
    pub fn vgg(&self) -> Result<VggInfo> {
        let vgg = self.find_vgg()?;
        Ok(VggInfo {
            title: vgg.title(),
            convolutions: vgg.convolutions().collect(),
        })
    }

    /// A sentence about how little of the file is used, where that is less than half of its tensors: it may be another network
    /// than it is taken for.
    pub fn doubt(&self) -> Option<String> {
        self.find_vgg().ok()?.doubt(self.index.entries.len())
    }

    pub(crate) fn find_vgg(&self) -> Result<Vgg> {
        let shapes = self.tensors().map(|tensor| (tensor.name, tensor.shape));
        Vgg::find(&shapes.collect()).map_err(|problem| WeightsError::NotVgg {
            file: self.file.clone(),
            problem,
        })
    }

    pub(crate) fn take_vgg(&self, vgg: &Vgg) -> Result<Checkpoint> {
        Ok(Checkpoint {
            tensors: vgg.take(&self.file, |name| self.read(name))?,
            metadata: vgg.describe(self.index.metadata.clone()),
        })
    }

    /// The tensors as the readers found them.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.index.entries
    }

    fn read_entry(&self, entry: &Entry) -> Read<WeightTensor> {
        // Strided tensors are read with their gaps.
        let values = (entry.order.span(&entry.shape) as u64).max(entry.count());
        let used = (self.limit - self.left.get()).saturating_add(values);
        within("the number of values", used, self.limit)?;
        self.left.set(self.limit - used);
        entry.read(&self.index.source)
    }
}
