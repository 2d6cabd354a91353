//! Feed-forward networks among the models: several files, kept as they were published.

use super::args::{Fetched, ModelsImport, ModelsPull};
use super::{comparison_of, interruptible, store};
use crate::{Exit, Failure, note, print};
use anyhow::bail;
use impasto_weights::{KnownNetwork, Pull, PullError, PullFrom, Store};
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
    if network.research_only {
        note("its authors publish these weights for research only");
    }
    print(&format!("{}\n", folder.display()))
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
