//! Everything that a training needs, opened and checked before it begins.

use crate::config::Config;
use crate::data::Folder;
use crate::page::hexadecimal;
use crate::student::Shape;
use anyhow::{Context, Result};
use impasto::Encoder;
use impasto_weights::Checkpoint;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// Where things are, if not where the configuration says.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Places {
    /// Folder of photographs, in place of the configuration's
    #[arg(long, value_name = "DIR")]
    pub photos: Option<PathBuf>,
    /// Folder of paintings, in place of the configuration's
    #[arg(long, value_name = "DIR")]
    pub paintings: Option<PathBuf>,
    /// Weights of the teacher, in place of the configuration's
    #[arg(long, value_name = "FILE")]
    pub teacher: Option<PathBuf>,
}

/// A training that can begin.
#[derive(Debug)]
pub struct Job {
    /// Its numbers.
    pub config: Config,
    /// Photographs.
    pub photos: Folder,
    /// Paintings.
    pub paintings: Folder,
    /// The teacher.
    pub teacher: Encoder,
    /// Weights to start from.
    pub start: Option<Checkpoint>,
    /// The student's widths and heads.
    pub shape: Shape,
    /// Configuration, pictures, teacher and start as one hash.
    pub identity: String,
}

impl Job {
    /// Opens everything that a configuration names.
    pub fn open(path: &Path, places: &Places) -> Result<Self> {
        let (mut config, text) = Config::open(path)?;
        for (place, given) in [
            (&mut config.data.photos, &places.photos),
            (&mut config.data.paintings, &places.paintings),
            (&mut config.teacher.weights, &places.teacher),
        ] {
            if let Some(given) = given {
                place.clone_from(given);
            }
        }
        config.check()?;
        let hold_out = config.data.hold_out;
        let photos = Folder::open(&config.data.photos, "photos", hold_out)?;
        let paintings = Folder::open(&config.data.paintings, "paintings", hold_out)?;
        let teacher = Encoder::open(&config.teacher.weights, None).with_context(|| {
            format!(
                "{} cannot teach: name weights of a VGG network in the configuration or with --teacher",
                config.teacher.weights.display()
            )
        })?;
        for tap in &config.teacher.taps {
            teacher.tap(tap.layer)?;
        }
        let shape = Shape {
            blocks: config.student.blocks.clone(),
            heads: config
                .teacher
                .taps
                .iter()
                .map(|tap| (tap.layer, tap.components))
                .collect(),
        };
        let start = match &config.student.start {
            Some(path) => Some(Checkpoint::open(path).context("student.start cannot be read")?),
            None => None,
        };
        let mut hasher = Sha256::new();
        hasher.update(&text);
        hasher.update(photos.digest()?);
        hasher.update(paintings.digest()?);
        hasher.update(teacher.digest());
        if let Some(start) = &start {
            shape.start_from(&mut shape.random(config.seed), start)?;
            for (name, tensor) in &start.tensors {
                hasher.update(name);
                let bytes: Vec<u8> = tensor.values.iter().flat_map(|v| v.to_le_bytes()).collect();
                hasher.update(bytes);
            }
        }
        Ok(Self {
            identity: hexadecimal(&hasher.finalize()),
            config,
            photos,
            paintings,
            teacher,
            start,
            shape,
        })
    }
}
