//! Fetches a known model: only the bytes that are needed, never the same ones twice.
//!
//! ```text
//! address ─ range request ─▶ header ─▶ Plan (spans) ─ ranges ─▶ NAME.part ─ hash, shapes, numbers ─▶ NAME.safetensors
//! ```
//!
//! A safetensors file says where each tensor lies, so of such a file only the convolutions are fetched; of any other,
//! and from a server that knows no ranges, the whole. What was fetched stays when a download ends early and is
//! continued the next time. An address that fails for good is followed by the model's next one; the error names all
//! of them and says how to go on by hand. Nothing is fetched but by [`Store::pull`].

mod fetch;
mod http;
mod plan;
mod proxy;

use crate::Advice;
use crate::hash::Hashes;
use crate::networks::KnownNetwork;
use crate::registry::{Model, Origin};
use crate::store::{Import, Installed, Provenance, Store};
use crate::vgg::Place;
use crate::{Checksum, Limits, Precision, WeightsError, WeightsFile};
use fetch::{Fetch, Stop};
use plan::Plan;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How a model is fetched.
#[derive(Clone, Debug)]
pub struct Pull {
    /// The name under which it is installed; `None` takes the model's.
    pub name: Option<String>,
    /// Where it is taken from, instead of the model's own addresses.
    pub from: Option<PullFrom>,
    /// The deepest convolution to fetch, as (block, place): (5, 1) is conv5_1.
    pub last: Option<Place>,
    /// How its values are kept.
    pub precision: Precision,
    /// Whether it may take the place of one that is installed.
    pub replace: bool,
    /// How long a server may be silent, or slower than a kilobyte in a second, before it is given up.
    pub patience: Duration,
    /// How often in a row an address may fail without a byte of progress.
    pub attempts: u32,
    /// The wait before the second attempt; it doubles with each.
    pub pause: Duration,
    /// Whether proxies are taken from the environment.
    pub proxy: bool,
}

impl Default for Pull {
    /// From the model's addresses, all of it, in f32; 30 s of patience, four attempts, after 1, 2 and 4 s.
    fn default() -> Self {
        Self {
            name: None,
            from: None,
            last: None,
            precision: Precision::F32,
            replace: false,
            patience: Duration::from_secs(30),
            attempts: 4,
            pause: Duration::from_secs(1),
            proxy: true,
        }
    }
}

/// Another place than a model's own addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PullFrom {
    /// A mirror.
    Url(String),
    /// A file of any known format, or a folder in which one of the model's files lies.
    Path(PathBuf),
}

impl PullFrom {
    /// What a user means: what starts like an address is one, all else is a path.
    pub fn parse(text: &str) -> Self {
        match text.starts_with("http://") || text.starts_with("https://") {
            true => PullFrom::Url(text.into()),
            false => PullFrom::Path(text.into()),
        }
    }
}

/// What happens while a model is fetched.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum PullEvent<'e> {
    /// An address is tried.
    Trying {
        /// The address.
        url: &'e str,
    },
    /// The whole file must be fetched, because the server or the format gives no parts.
    WholeFile {
        /// Its size in bytes, if the server says it.
        bytes: Option<u64>,
    },
    /// Bytes have arrived. Sent often; also at the start, with what was there already.
    Progress {
        /// Bytes that are here.
        done: u64,
        /// Bytes that are needed, if it is known.
        total: Option<u64>,
    },
    /// It failed and will be tried again.
    Retrying {
        /// Why.
        problem: &'e str,
        /// After how long.
        wait: Duration,
    },
    /// An address failed for good.
    Failed {
        /// The address.
        url: &'e str,
        /// Why.
        problem: &'e str,
    },
    /// All is here; it is checked and converted.
    Checking,
}

/// Sees what happens, and may end it.
pub type PullObserver<'o> = &'o mut dyn FnMut(&PullEvent<'_>) -> ControlFlow<()>;

/// Why a model was not fetched. What had arrived is kept unless it was wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PullError {
    /// The file that was named, or the store, is at fault.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// No address worked.
    #[error("{name} was not fetched\n{}", list(failures))]
    Failed {
        /// The name that it was to have.
        name: String,
        /// Each address and what happened there.
        failures: Failures,
        /// The model.
        model: &'static Model,
        /// Whether what was fetched is kept.
        kept: bool,
    },
    /// The server cannot serve what is asked for.
    #[error("{name} was not fetched: {problem}")]
    Refused {
        /// The name that it was to have.
        name: String,
        /// What happened.
        problem: String,
    },
    /// The folder cannot take what arrives.
    #[error("cannot write to {}: {error}. What was fetched is kept, the next pull goes on from there", folder.display())]
    Disk {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// None of the model's files is in the folder that was named.
    #[error("{} has none of the files of {name} ({}); name the file itself", folder.display(), expected.join(", "))]
    NothingIn {
        /// The folder.
        folder: PathBuf,
        /// The model.
        name: String,
        /// The names that were looked for.
        expected: Vec<String>,
    },
    /// The model is being fetched by another program.
    #[error("{name} is being fetched by another program; wait for it, or end it")]
    Busy {
        /// The model.
        name: String,
    },
    /// The observer ended it.
    #[error("stopped")]
    Stopped {
        /// The model.
        name: String,
    },
}

/// Addresses, and what happened at each.
type Failures = Vec<(String, String)>;

fn list(failures: &[(String, String)]) -> String {
    let lines: Vec<_> = failures
        .iter()
        .map(|(url, problem)| format!("  {url}: {problem}"))
        .collect();
    lines.join("\n")
}

impl PullError {
    /// What the user can do, where that is up to the program that is used. Everything else is part of the message.
    pub fn advice(&self) -> Option<Advice> {
        Some(match self {
            PullError::Weights(error) => return error.advice(),
            PullError::Failed {
                name, model, kept, ..
            } => Advice::ByHand {
                model,
                name: name.clone(),
                kept: *kept,
            },
            PullError::Disk { error, .. } => Advice::of_folder(error),
            PullError::Stopped { name } => Advice::PullOn {
                model: name.clone(),
            },
            PullError::Refused { .. } | PullError::NothingIn { .. } | PullError::Busy { .. } => {
                return None;
            }
        })
    }
}

impl Store {
    /// Fetches a model and installs it.
    ///
    /// # Errors
    /// [`PullError`]; [`WeightsError::Exists`] if it is installed already.
    pub fn pull(
        &self,
        model: &'static Model,
        pull: &Pull,
        observer: PullObserver<'_>,
    ) -> Result<Installed, PullError> {
        let name = pull.name.as_deref().unwrap_or(model.name);
        let import = Import {
            name: Some(name.into()),
            preprocessing: None,
            precision: pull.precision,
            last: pull.last,
            replace: pull.replace,
        };
        self.check_free(name, &import)?;
        let mirror;
        let origins: Vec<(&str, Option<&'static Origin>)> = match &pull.from {
            Some(PullFrom::Path(path)) => return self.pull_from_path(model, path, &import),
            Some(PullFrom::Url(url)) => {
                mirror = url.clone();
                vec![(mirror.as_str(), None)]
            }
            None => model
                .origins
                .iter()
                .map(|origin| (origin.url, Some(origin)))
                .collect(),
        };
        self.create_folder()?;
        let (part, journal) = (self.part(name), self.journal(name));
        let mut fetch = Fetch::new(pull, &part, &journal, observer)
            .map_err(|stop| self.pull_error(name, stop))?;
        let pulled = self.pull_from(model, &origins, &mut fetch, &import);
        let cleaned = fetch.clean();
        let installed = pulled.map_err(|stop| self.pull_error(name, stop))?;
        cleaned.map_err(|stop| self.pull_error(name, stop))?;
        installed.map_err(|failures| PullError::Failed {
            name: name.into(),
            failures,
            model,
            kept: self.unfinished(name).is_some(),
        })
    }

    /// Fetches the files of a feed-forward network that are not there yet, and installs them as they are. Of how it is to be
    /// fetched, name, precision and last convolution mean nothing here.
    ///
    /// # Errors
    /// [`PullError`].
    pub fn pull_network(
        &self,
        network: &'static KnownNetwork,
        pull: &Pull,
        observer: PullObserver<'_>,
    ) -> Result<PathBuf, PullError> {
        match &pull.from {
            Some(PullFrom::Path(path)) => return Ok(self.import_network(network, path)?),
            Some(PullFrom::Url(url)) => {
                return Err(PullError::Refused {
                    name: network.name.into(),
                    problem: format!(
                        "it has {} files, and {url} is one; fetch them into a folder and name that",
                        network.files.len()
                    ),
                });
            }
            None => {}
        }
        let folder = self.network_folder(network);
        std::fs::create_dir_all(&folder).map_err(|error| WeightsError::Write {
            path: folder.clone(),
            error,
        })?;
        for (name, origin) in network.files {
            if folder.join(name).is_file() {
                continue;
            }
            let part = folder.join(format!("{name}.download"));
            let journal = folder.join(format!("{name}.download.json"));
            let stop = |stop| self.pull_error(network.name, stop);
            let mut fetch = Fetch::new(pull, &part, &journal, &mut *observer).map_err(stop)?;
            fetch
                .tell(PullEvent::Trying { url: origin.url })
                .and_then(|()| fetch.run(origin.url, Some(origin)))
                .and_then(|_| fetch.tell(PullEvent::Checking))
                .map_err(stop)?;
            // It is read by name, which a lock may forbid.
            drop(fetch);
            let taken = self.take_file(network, name, origin, &part);
            // What is wrong must not be continued the next time; what is right is in its place.
            for path in [&part, &journal] {
                let _ = std::fs::remove_file(path);
            }
            taken.map_err(|error| match error {
                error @ (WeightsError::Io { .. } | WeightsError::Write { .. }) => error.into(),
                error => PullError::Refused {
                    name: network.name.into(),
                    problem: format!("{}: {error}", origin.url),
                },
            })?;
        }
        Ok(folder)
    }

    /// Tries one address after the other. The inner error is what happened at each.
    fn pull_from(
        &self,
        model: &'static Model,
        origins: &[(&str, Option<&'static Origin>)],
        fetch: &mut Fetch<'_, '_>,
        import: &Import,
    ) -> Result<Result<Installed, Failures>, Stop> {
        let mut failures = Failures::new();
        for (url, origin) in origins {
            fetch.tell(PullEvent::Trying { url })?;
            let fetched = fetch
                .run(url, *origin)
                .and_then(|plan| self.take_in(model, *origin, fetch, &plan, import));
            match fetched {
                Ok(installed) => return Ok(Ok(installed)),
                Err(Stop::Lasting(problem)) => {
                    fetch.tell(PullEvent::Failed {
                        url,
                        problem: &problem,
                    })?;
                    failures.push((url.to_string(), problem));
                }
                Err(stop) => return Err(stop),
            }
        }
        Ok(Err(failures))
    }

    fn pull_error(&self, name: &str, stop: Stop) -> PullError {
        match stop {
            Stop::Disk(error) => PullError::Disk {
                folder: self.folder().into(),
                error,
            },
            Stop::Busy => PullError::Busy { name: name.into() },
            Stop::Ended => PullError::Stopped { name: name.into() },
            Stop::Weights(error) => error.into(),
            Stop::Lasting(problem) => PullError::Refused {
                name: name.into(),
                problem,
            },
        }
    }

    /// Checks what was fetched and installs it.
    fn take_in(
        &self,
        model: &'static Model,
        origin: Option<&Origin>,
        fetch: &mut Fetch<'_, '_>,
        plan: &Plan,
        import: &Import,
    ) -> Result<Installed, Stop> {
        fetch.tell(PullEvent::Checking)?;
        let name = import.name.as_deref().unwrap_or(model.name);
        let checked = check(model, origin, plan, fetch).and_then(|(sha256, verified)| {
            let nothing = |_: &str| {
                Err(crate::problem::Problem::unsupported(
                    "it has shards; fetch all its files by hand into one folder and import its model.json",
                ))
            };
            let source = plan.source(fetch.reader()?);
            let file = WeightsFile::index(source, plan.url.clone(), &nothing, &Limits::default());
            let provenance = Provenance {
                model: Some(model),
                origin: plan.url.clone(),
                sha256,
                verified,
            };
            let installed = file.and_then(|file| self.install(&file, name, import, provenance));
            installed.map_err(|error| match error {
                // The file is right, the folder is not.
                WeightsError::Io { .. }
                | WeightsError::Write { .. }
                | WeightsError::Exists { .. } => Stop::Weights(error),
                other => Stop::Lasting(other.to_string()),
            })
        });
        match &checked {
            // What is wrong must not be continued the next time.
            Ok(_) | Err(Stop::Lasting(_)) => fetch.restart()?,
            Err(_) => {}
        }
        checked
    }

    /// Installs a model from a file, or from a folder in which one of its files lies.
    fn pull_from_path(
        &self,
        model: &'static Model,
        path: &Path,
        import: &Import,
    ) -> Result<Installed, PullError> {
        let file = match path.is_dir() {
            false => path.to_path_buf(),
            true => {
                let mut expected = vec![format!("{}.safetensors", model.name)];
                expected.extend(model.origins.iter().map(|origin| origin.file_name().into()));
                let found = expected
                    .iter()
                    .map(|name| path.join(name))
                    .find(|file| file.is_file());
                found.ok_or_else(|| PullError::NothingIn {
                    folder: path.into(),
                    name: model.name.into(),
                    expected,
                })?
            }
        };
        Ok(self.import_known(&file, import, Some(model))?)
    }
}

/// The hash of what was fetched, and by what it was found right. Wrong bytes are an error.
fn check(
    model: &Model,
    origin: Option<&Origin>,
    plan: &Plan,
    fetch: &Fetch<'_, '_>,
) -> Result<(Option<String>, Option<String>), Stop> {
    let stated = origin.and_then(|origin| origin.checksum);
    if !plan.is_whole() {
        // That the two agree was seen before anything was fetched.
        return Ok(match (stated, &plan.sha256) {
            (Some(checksum @ Checksum::Sha256(_)), Some(_)) => (
                None,
                Some(format!(
                    "{checksum}, by the word of the server, which sent parts only"
                )),
            ),
            _ => (None, None),
        });
    }
    let hashes = Hashes::of(fetch.reader()?).map_err(Stop::Disk)?;
    // A mirror may have any of the model's files.
    let known = model.origins.iter().filter_map(|origin| origin.checksum);
    let fits = known.into_iter().find(|known| known.fits(&hashes));
    match (stated, fits) {
        (Some(stated), _) if !stated.fits(&hashes) => Err(Stop::Lasting(format!(
            "the file is wrong: its {} is {}, it should be {}",
            stated.name(),
            stated.counterpart(&hashes),
            stated.digits()
        ))),
        (_, fits) => Ok((
            Some(hashes.sha256),
            fits.map(|checksum| checksum.to_string()),
        )),
    }
}
