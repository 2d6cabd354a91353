//! Feed-forward networks among the models: several files, kept as they were published.

use super::args::{Fetched, ModelsImport, ModelsPull};
use super::{interruptible, store};
use crate::{Exit, Failure, note, print};
use anyhow::{Context, bail};
use impasto::nets::Model;
use impasto_weights::{
    KnownNetwork, Pull, PullError, PullFrom, Store, network, network_in, networks,
};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Says what was installed, and prints where.
fn report(network: &KnownNetwork, folder: &Path) -> anyhow::Result<()> {
    note(&format!(
        "installed {}: {} files; {}",
        network.name,
        network.files.len(),
        comparison_of(network)
    ));
    note(&format!(
        "licence {}: {}",
        network.licence, network.attribution
    ));
    if let Some(line) = restriction(network) {
        note(line);
    }
    print(&format!("{}\n", folder.display()))
}

/// By what the files of a network are compared with what is known of them.
fn comparison_of(network: &KnownNetwork) -> String {
    let known = network
        .files
        .iter()
        .filter(|(_, origin)| origin.checksum.is_some());
    match (known.count(), network.files.len()) {
        (0, _) => "no hash is known to compare them with".into(),
        (known, all) if known == all => "each compared with its known hash".into(),
        (known, _) => format!("{known} of them compared with a known hash"),
    }
}

/// What the authors of a network allow less than its licence says.
pub fn restriction(network: &KnownNetwork) -> Option<&'static str> {
    network
        .research_only
        .then_some("its authors publish these weights for research only")
}

/// Refuses what is said of convolutions and values: files of networks stay as they are.
fn refuse_shaping(network: &KnownNetwork, fetched: &Fetched) -> anyhow::Result<()> {
    let renamed = fetched
        .install_as
        .as_deref()
        .is_some_and(|name| name != network.name);
    if fetched.to.is_some() || fetched.half || renamed {
        bail!(
            "{} is kept as it was published, under its own name: leave --to, --half and --name out",
            network.name
        );
    }
    Ok(())
}

/// Puts what is installed aside, if it may be replaced.
fn make_way(store: &Store, network: &KnownNetwork, fetched: &Fetched) -> anyhow::Result<()> {
    if store.find_network(network.name).is_some() && !fetched.replace {
        bail!(
            "{} is installed already ({}); let --replace take its place",
            network.name,
            store.network_folder(network).display()
        );
    }
    if fetched.replace {
        store.remove_network(network)?;
    }
    Ok(())
}

/// `impasto models pull`, of a network.
pub fn pull(network: &'static KnownNetwork, args: &ModelsPull) -> Result<Exit, Failure> {
    refuse_shaping(network, &args.fetched)?;
    let store = store(&args.folder)?;
    make_way(&store, network, &args.fetched)?;
    let pull = Pull {
        from: args.from.as_deref().map(PullFrom::parse),
        patience: Duration::from_secs(args.timeout),
        ..Pull::default()
    };
    let pulled = interruptible(|observer| store.pull_network(network, &pull, observer));
    match pulled {
        Ok(folder) => report(network, &folder)?,
        Err(error @ PullError::Stopped { .. }) => return Ok(super::stopped(&error)),
        Err(error) => return Err(error.into()),
    }
    Ok(Exit::Done)
}

/// The network that an import is about: that of a name, or that whose files a folder has. `None` for a file of another model.
///
/// # Errors
/// A folder of no network, and a single file for one of several.
pub fn imported(args: &ModelsImport) -> anyhow::Result<Option<&'static KnownNetwork>> {
    let named = args.fetched.install_as.as_deref().and_then(network);
    match (named, args.file.is_dir()) {
        (Some(network), false) if args.file.is_file() => bail!(
            "{} is a file, and {} has {}: name the folder that they are in",
            args.file.display(),
            network.name,
            network.files.len()
        ),
        (None, true) => {
            let known: Vec<_> = networks().iter().map(|known| known.name).collect();
            let found = network_in(&args.file).with_context(|| {
                format!(
                    "{} is a folder, and has not all files of a network ({}): name the file that is meant",
                    args.file.display(),
                    known.join(", ")
                )
            })?;
            Ok(Some(found))
        }
        (named, _) => Ok(named),
    }
}

/// `impasto models verify`, of a network: its files are compared, and make one.
pub fn verify(store: &Store, network: &KnownNetwork) -> anyhow::Result<()> {
    let folder = store.verify_network(network)?;
    let model = Model::open(&folder).map_err(impasto::Error::from)?;
    print(&format!(
        "{}: {} files, {} ({}, {:.1} M parameters; licence {})\n",
        network.name,
        network.files.len(),
        comparison_of(network),
        model.title(),
        model.parameters() as f64 / 1e6,
        network.licence
    ))
}

/// `impasto models import`, of a folder with the files of a network.
pub fn import(network: &KnownNetwork, args: &ModelsImport) -> anyhow::Result<()> {
    refuse_shaping(network, &args.fetched)?;
    let store = store(&args.folder)?;
    make_way(&store, network, &args.fetched)?;
    let folder = store.import_network(network, &args.file)?;
    report(network, &folder)
}

/// Where an installed network is.
pub fn path(store: &Store, network: &KnownNetwork) -> anyhow::Result<PathBuf> {
    match store.find_network(network.name) {
        Some(folder) => Ok(folder),
        None => bail!(
            "{} is not installed (expected in {}); `impasto models pull {}` fetches it",
            network.name,
            store.network_folder(network).display(),
            network.name
        ),
    }
}
