//! Feed-forward networks: graphs of the files that people have.
//!
//! ```text
//! files ── Tensors ── told by names and shapes ──▶ Model ── GraphSpec, NetSpec ──▶ Device
//! ```
//!
//! | model | files | module |
//! |---|---|---|
//! | [`Model::Transformer`] | Johnson's and Dumoulin's networks in six forms | `forms`, `transformer` |
//! | [`Model::Ghiasi`] | Magenta's style predictors and transfer network | `ghiasi`, `predictor` |
//! | [`Model::MicroAst`] | its encoders, modulator and decoder | `microast` |
//! | [`Model::Cascade`] | encoders and decoders of WCT and AdaIN | `wct` |
//! | [`Model::Paint`] | decoders of `lite`; part of the program | `paint` |
//!
//! One that paints nothing is here as well: [`RaftSpec`] says how things move from one frame to the next.
//!
//! A network is told by the tensors of its files, not by what these are called; parts of one may lie in one file or in
//! several of a folder. What is read of a file is what its network needs, each tensor checked for its shape and refused by
//! name. All networks read RGB in 0..1, and what they make is that, about: the caller clamps. How far their results agree
//! with those of others is what the tests say.

mod build;
mod cascade;
mod error;
mod fit;
mod forms;
mod ghiasi;
mod microast;
mod paint;
mod predictor;
mod raft;
mod search;
mod tensors;
mod transformer;
mod wct;

pub use cascade::{Cascade, Level};
pub use error::NetError;
pub use fit::{continued, cropped, multiples, padded};
pub use ghiasi::{Ghiasi, mixed};
pub use microast::MicroAst;
pub use raft::RaftSpec;
pub use search::Family;
pub use transformer::{Colours, End, Filters, Layer, Norm, Stage, TransformerSpec};

use impasto_compute::NetSpec;
use impasto_compute::graph::GraphSpec;
use impasto_weights::{Limits, Store, WeightsError, WeightsFile, networks};
use search::{Meant, Search};
use std::path::Path;

/// The network that is part of the program, by name.
pub const EMBEDDED: &str = "paint";

/// The encoder that decoders of WCT and AdaIN read, by its name in a store.
const NORMALISED: &str = "vgg19-normalised";

/// A feed-forward network.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Model {
    /// A picture in, a picture out, in the network's own style or styles.
    Transformer(TransformerSpec),
    /// Any style, by a code that a predictor makes of its picture.
    Ghiasi(Box<Ghiasi>),
    /// Any style, by means, deviations and modulation.
    MicroAst(Box<MicroAst>),
    /// Any style, by moments of an encoder's features: WCT, and AdaIN where there is relu4_1.
    Cascade(Cascade),
    /// The same with the embedded encoder.
    Paint(Cascade),
}

impl Model {
    /// The network that is part of the program.
    ///
    /// # Errors
    /// None that a released program can meet; the type is shared with [`Model::open`].
    pub fn embedded() -> Result<Self, NetError> {
        let limits = Limits::default();
        let file = WeightsFile::from_bytes(paint::EMBEDDED, "the embedded network", &limits)?;
        Self::read("the embedded network", &[file])
    }

    /// The network of a name: `paint`, an installed one, or the path of a file or a folder. Installed ones are looked for
    /// in the usual folder of models.
    ///
    /// # Errors
    /// [`NetError`].
    pub fn find(name: &str) -> Result<Self, NetError> {
        Self::find_in(name, None, Store::locate(None).ok().as_ref())
    }

    /// Like [`Model::find`], with the models of a store; among files of several networks that of a family is meant, if one is
    /// given.
    ///
    /// # Errors
    /// [`NetError`].
    pub fn find_in(
        name: &str,
        family: Option<Family>,
        store: Option<&Store>,
    ) -> Result<Self, NetError> {
        let meant = family.map_or(Meant::Any, Meant::Rather);
        let path = Path::new(name);
        if name == EMBEDDED && !path.exists() {
            return Self::embedded();
        }
        if path.exists() {
            return open(path, meant, store);
        }
        let installed = |store: &Store| store.find_network(name).or_else(|| store.find(name));
        match store.and_then(installed) {
            Some(path) => open(&path, meant, store),
            None if impasto_weights::network(name).is_some() => {
                Err(NetError::NotInstalled { name: name.into() })
            }
            None => Err(NetError::Unknown {
                name: name.into(),
                known: known(store),
            }),
        }
    }

    /// Reads a network from a file, or from the files of a folder. Where a file is a part of a network, the other parts are
    /// looked for beside it.
    ///
    /// # Errors
    /// [`NetError`].
    pub fn open(path: &Path) -> Result<Self, NetError> {
        open(path, Meant::Any, None)
    }

    /// Reads a network from open files. `place` is where they are, for messages.
    ///
    /// # Errors
    /// [`NetError`].
    pub fn read(place: &str, files: &[WeightsFile<'_>]) -> Result<Self, NetError> {
        Search::of(files).model(place, Meant::Any)
    }

    /// What it is, for people.
    pub fn title(&self) -> &'static str {
        match self {
            Model::Transformer(spec) => spec.name,
            Model::Ghiasi(_) => "Magenta's arbitrary style network",
            Model::MicroAst(_) => "MicroAST",
            Model::Cascade(cascade) | Model::Paint(cascade) => cascade.name,
        }
    }

    /// The numbers that it was made from.
    pub(crate) fn numbers(&self) -> Vec<&[f32]> {
        fn of(graph: &GraphSpec) -> impl Iterator<Item = &[f32]> {
            graph.nodes.iter().flat_map(|node| node.op.numbers())
        }
        match self {
            Model::Transformer(spec) => spec.numbers(),
            Model::Ghiasi(ghiasi) => of(&ghiasi.predictor)
                .chain(ghiasi.transfer.numbers())
                .collect(),
            Model::MicroAst(micro) => of(&micro.style).chain(of(&micro.transfer)).collect(),
            Model::Cascade(cascade) | Model::Paint(cascade) => {
                let encoders = cascade.encoders.iter().flat_map(NetSpec::params);
                let encoders = encoders.map(|param| param.values);
                let decoders = cascade.levels.iter().flat_map(|level| of(&level.decoder));
                encoders.chain(decoders).collect()
            }
        }
    }

    /// How many numbers it was made from.
    pub fn parameters(&self) -> usize {
        self.numbers().iter().map(|numbers| numbers.len()).sum()
    }
}

/// The names of networks that there are.
fn known(store: Option<&Store>) -> String {
    let mut known = vec![EMBEDDED.to_string()];
    known.extend(networks().iter().map(|network| network.name.to_string()));
    let installed = store.and_then(|store| store.list().ok());
    known.extend(
        installed
            .unwrap_or_default()
            .into_iter()
            .map(|(name, _)| name),
    );
    known.join(", ")
}

fn open(path: &Path, meant: Meant, store: Option<&Store>) -> Result<Model, NetError> {
    let place = path.display().to_string();
    if path.is_dir() {
        let files = in_folder(path, None)?;
        if files.is_empty() {
            return Err(NetError::Empty { folder: place });
        }
        return with_encoder(&place, files, meant, store);
    }
    let file = WeightsFile::open(path, &Limits::default())?;
    let problem = match Search::of(std::slice::from_ref(&file)).model(&place, meant) {
        Err(problem) => problem,
        found => return found,
    };
    let Some(family) = Family::incomplete(&problem) else {
        return Err(problem);
    };
    // What cannot be read beside it is no part of it.
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut files = vec![file];
    files.extend(in_folder(folder, Some(path)).unwrap_or_default());
    with_encoder(&place, files, Meant::Only(family), store)
}

/// Reads a network from files, and, if decoders lack their encoder, with the one that is installed.
fn with_encoder(
    place: &str,
    mut files: Vec<WeightsFile<'static>>,
    meant: Meant,
    store: Option<&Store>,
) -> Result<Model, NetError> {
    let found = Search::of(&files).model(place, meant);
    let problem = match found {
        Err(problem) => problem,
        found => return found,
    };
    let encoder = match Family::incomplete(&problem) {
        Some(Family::Cascade) => store.and_then(|store| store.find(NORMALISED)),
        _ => None,
    };
    let Some(encoder) = encoder else {
        return Err(problem);
    };
    files.push(WeightsFile::open(encoder, &Limits::default())?);
    Search::of(&files).model(place, Meant::Only(Family::Cascade))
}

/// The files of weights in a folder, by name, without one of them. Files of other kinds are left out; damaged ones are refused.
fn in_folder(folder: &Path, but: Option<&Path>) -> Result<Vec<WeightsFile<'static>>, NetError> {
    let io = |error| WeightsError::Io {
        path: folder.into(),
        error,
    };
    // The folder of a name without one is the current one.
    let listed = match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(listed).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let other = but.and_then(Path::file_name) != path.file_name();
        if path.is_file() && other {
            paths.push(path);
        }
    }
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        match WeightsFile::open(&path, &Limits::default()) {
            Ok(file) => files.push(file),
            Err(WeightsError::UnknownFormat { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests;
