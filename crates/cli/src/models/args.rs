//! What `impasto models` can be told.

use crate::value::{self, Given};
use clap::{Args, Subcommand, ValueHint};
use impasto::encoder::Preprocessing;
use std::path::PathBuf;

/// Where models are kept.
#[derive(Args, Clone)]
pub struct ModelsFolder {
    /// Folder of installed models [default: IMPASTO_MODELS, else impasto/models in the platform's data folder]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Encoder")]
    pub models_dir: Option<PathBuf>,
}

/// `impasto models`.
#[derive(Subcommand)]
pub enum Models {
    /// Print what there is: what for, sizes, licence, source, and what is installed
    List {
        /// Where models are kept.
        #[command(flatten)]
        folder: ModelsFolder,

        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Fetch a model and install it; an unfinished download is continued
    Pull(ModelsPull),
    /// Install weights from a file, or a network that paints from the folder of its files
    Import(ModelsImport),
    /// Read installed models again and compare them with their hashes
    Verify {
        /// Where models are kept.
        #[command(flatten)]
        folder: ModelsFolder,

        /// The model [default: all]
        #[arg(value_name = "NAME")]
        name: Option<String>,
    },
    /// Remove an installed model, or what is left of a download
    Remove {
        /// Where models are kept.
        #[command(flatten)]
        folder: ModelsFolder,

        /// The model
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Print the folder of models, or the file of one
    Path {
        /// Where models are kept.
        #[command(flatten)]
        folder: ModelsFolder,

        /// The model
        #[arg(value_name = "NAME")]
        name: Option<String>,
    },
}

/// `impasto models pull`.
#[derive(Args)]
pub struct ModelsPull {
    /// The model; `impasto models list` prints which there are
    #[arg(value_name = "NAME")]
    pub model: String,

    /// Take it from a mirror, a file, or a folder with one of its files
    #[arg(long, value_name = "URL|FILE|DIR", value_hint = ValueHint::AnyPath)]
    pub from: Option<String>,

    /// Seconds that a server may be silent, or slower than a kilobyte in a second
    #[arg(long, value_name = "S", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub timeout: u64,

    /// What becomes of it.
    #[command(flatten)]
    pub fetched: Fetched,

    /// Where models are kept.
    #[command(flatten)]
    pub folder: ModelsFolder,
}

/// `impasto models import`.
#[derive(Args)]
pub struct ModelsImport {
    /// The file: safetensors, PyTorch, Keras, NumPy or TensorFlow.js; or the folder with the files of a network that paints
    #[arg(value_name = "FILE|FOLDER", value_hint = ValueHint::AnyPath)]
    pub file: PathBuf,

    /// What it expects of the image [default: told from the file]
    #[arg(long, value_parser = value::preprocessing())]
    pub preprocessing: Option<Given<Preprocessing>>,

    /// What becomes of it.
    #[command(flatten)]
    pub fetched: Fetched,

    /// Where models are kept.
    #[command(flatten)]
    pub folder: ModelsFolder,
}

/// What becomes of weights that are pulled or imported.
#[derive(Args)]
pub struct Fetched {
    /// Name to install it under [default: the known model's, else the file's]
    #[arg(long = "name", value_name = "NAME")]
    pub install_as: Option<String>,

    /// Deepest convolution to keep, such as conv5_1 [default: all]
    #[arg(long, value_name = "LAYER")]
    pub to: Option<String>,

    /// Keep numbers in two bytes instead of four
    #[arg(long)]
    pub half: bool,

    /// Take the place of one that is installed
    #[arg(long)]
    pub replace: bool,
}
