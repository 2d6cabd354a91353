//! What a user can do when something went wrong, as data: each program says it in the words of its own surface.

use crate::{Model, network};
use std::fmt;
use std::io;

/// What a user can do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Advice {
    /// Name a folder for models.
    NameFolder,
    /// Make room in the folder of models, or name another.
    MakeRoom,
    /// Name a folder that may be written to.
    WritableFolder,
    /// Look at the folder of models, or name another.
    LookAtFolder,
    /// Let the model take the place of the one that is there, or choose another name.
    Replace,
    /// Import the file under a name of its own.
    ImportUnderOwnName,
    /// Pull a model that the registry knows, or import a file of it; of a [network](crate::network), its files.
    Pull {
        /// The model or network.
        model: String,
    },
    /// Import a file under this name; the registry knows no model of it.
    Import {
        /// The name.
        name: String,
        /// The names that the registry knows.
        known: Vec<&'static str>,
    },
    /// Pull once more: it goes on where it was, if the server lets it.
    PullOn {
        /// The model.
        model: String,
    },
    /// Try again later, name a proxy or another address, or fetch a file by hand and import it.
    ByHand {
        /// The model.
        model: &'static Model,
        /// The name that it was to have.
        name: String,
        /// Whether what was fetched is kept.
        kept: bool,
    },
}

impl Advice {
    /// What to do about a folder that does not take a file.
    pub(crate) fn of_folder(error: &io::Error) -> Self {
        use io::ErrorKind::{
            FileTooLarge, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull,
        };
        match error.kind() {
            StorageFull | QuotaExceeded | FileTooLarge => Advice::MakeRoom,
            PermissionDenied | ReadOnlyFilesystem => Advice::WritableFolder,
            _ => Advice::LookAtFolder,
        }
    }
}

/// In words that belong to no program.
impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Advice::NameFolder => f.write_str("name a folder for models"),
            Advice::MakeRoom => f.write_str("make room there, or name another folder for models"),
            Advice::WritableFolder => f.write_str("name a folder that you may write to"),
            Advice::LookAtFolder => f.write_str("look at that folder, or name another for models"),
            Advice::Replace => f.write_str("replace it, or choose another name"),
            Advice::ImportUnderOwnName => f.write_str("import it under a name of its own"),
            Advice::Pull { model } => match network(model) {
                Some(_) => write!(f, "pull {model}, or import the folder of its files"),
                None => write!(f, "pull {model}, or import a file of it"),
            },
            Advice::Import { name, known } => write!(
                f,
                "known are {}; import a file under the name {name}",
                known.join(", ")
            ),
            Advice::PullOn { model } => write!(
                f,
                "the next pull of {model} goes on where it was, if the server lets it"
            ),
            Advice::ByHand { model, name, kept } => {
                let kept = if *kept {
                    "; what was fetched is kept"
                } else {
                    ""
                };
                let url = model.origins.first().map_or("the file", |o| o.url);
                write!(
                    f,
                    "try again later{kept}; behind a proxy, name it in HTTPS_PROXY; or fetch {url} by hand and import it \
                     under the name {name}; or name a mirror, file or folder"
                )
            }
        }
    }
}
