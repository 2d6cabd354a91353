//! `impasto models`: what is installed, what could be, and the way from one to the other.

pub mod args;
mod download;
mod list;
mod networks;

use crate::words::{self, Told};
use crate::{Exit, Failure, interrupt, note, print, say};
use anyhow::{Context, bail};
use args::{Fetched, Models, ModelsFolder, ModelsImport, ModelsPull};
use download::Display;
use impasto::LayerName;
use impasto_weights::{
    Import, Installed, KnownNetwork, Precision, Pull, PullError, PullFrom, PullObserver, Store,
    Verified, model, models, network,
};
use std::ops::ControlFlow;
use std::time::Duration;

/// The store that is meant.
fn store(folder: &ModelsFolder) -> anyhow::Result<Store> {
    Ok(Store::locate(folder.models_dir.as_deref())?)
}

/// `impasto models`.
pub fn run(command: &Models) -> Result<Exit, Failure> {
    match command {
        Models::List { folder, json } => list::list(&store(folder)?, *json)?,
        Models::Pull(args) => return pull(args),
        Models::Import(args) => import(args)?,
        Models::Verify { folder, name } => verify(&store(folder)?, name.as_deref())?,
        Models::Remove { folder, name } => {
            let store = store(folder)?;
            let removed = match network(name) {
                Some(network) => store.remove_network(network)?,
                None => false,
            };
            if !removed {
                store.remove(name)?;
            }
            note(&format!("removed {name}"));
        }
        Models::Path { folder, name } => {
            let store = store(folder)?;
            let path = match name {
                Some(name) => match network(name) {
                    Some(network) => networks::path(&store, network)?,
                    None => store.describe(name)?.path,
                },
                None => store.folder().into(),
            };
            print(&format!("{}\n", path.display()))?;
        }
    }
    Ok(Exit::Done)
}

/// Bytes as people read them.
fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

/// What is in an installed model: `vgg19 to conv5_4 in f32, torch preprocessing`.
fn content(installed: &Installed) -> String {
    let Installed {
        architecture,
        last,
        dtype,
        preprocessing,
        ..
    } = installed;
    format!("{architecture} to {last} in {dtype}, {preprocessing} preprocessing")
}

/// By what an installed model was compared with what its publishers state.
fn comparison(installed: &Installed) -> String {
    match &installed.verified {
        Some(verified) => format!("compared with {verified}"),
        None => "no publisher's hash to compare it with".into(),
    }
}

/// What pulls and imports have in common.
fn shape(fetched: &Fetched) -> anyhow::Result<(Option<(u8, u8)>, Precision)> {
    let last = match &fetched.to {
        None => None,
        Some(layer) => match layer.parse() {
            Ok(LayerName::Conv { block, index } | LayerName::Relu { block, index }) => {
                Some((block, index))
            }
            _ => bail!("--to is {layer}: must be a convolution such as conv5_1"),
        },
    };
    let precision = match fetched.half {
        true => Precision::F16,
        false => Precision::F32,
    };
    Ok((last, precision))
}

fn import(args: &ModelsImport) -> anyhow::Result<()> {
    if let Some(network) = networks::imported(args)? {
        return networks::import(network, args);
    }
    let (last, precision) = shape(&args.fetched)?;
    let preprocessing = args.preprocessing.clone().transpose();
    let preprocessing = preprocessing.map_err(anyhow::Error::msg)?;
    let import = Import {
        name: args.fetched.install_as.clone(),
        preprocessing: preprocessing.map(|preprocessing| preprocessing.name().into()),
        precision,
        last,
        replace: args.fetched.replace,
    };
    let installed = store(&args.folder)?.import(&args.file, &import)?;
    report(&installed)
}

/// Says what was installed, and prints where.
fn report(installed: &Installed) -> anyhow::Result<()> {
    let Installed { name, bytes, .. } = installed;
    note(&format!(
        "installed {name}: {}, {}; {}",
        content(installed),
        size(*bytes),
        comparison(installed)
    ));
    match (&installed.licence, &installed.attribution) {
        (Some(licence), Some(attribution)) => note(&format!("licence {licence}: {attribution}")),
        _ => note("licence unknown: it is not one of the files that impasto knows"),
    }
    print(&format!("{}\n", installed.path.display()))
}

/// Reads a model or a network again, and prints what was found.
fn verify_one(store: &Store, name: &str) -> anyhow::Result<()> {
    if let Some(network) = network(name) {
        return networks::verify(store, network);
    }
    let Verified {
        installed,
        compared,
    } = store.verify(name)?;
    let found = match compared {
        true => "unchanged since it was installed",
        false => {
            "can be read, but carries no hash to compare it with; `impasto models import` writes one"
        }
    };
    print(&format!("{name}: {found} ({})\n", content(&installed)))
}

fn verify(store: &Store, name: Option<&str>) -> anyhow::Result<()> {
    let names: Vec<String> = match name {
        Some(name) => vec![name.into()],
        None => {
            let models = store.list()?.into_iter().map(|(name, _)| name);
            let begun = |network: &&KnownNetwork| store.network_folder(network).is_dir();
            let networks = impasto_weights::networks().iter().filter(begun);
            models
                .chain(networks.map(|known| known.name.into()))
                .collect()
        }
    };
    let mut wrong = 0;
    for name in &names {
        if let Err(error) = verify_one(store, name) {
            say(&words::of_error(&error));
            wrong += 1;
        }
    }
    match wrong {
        0 if names.is_empty() => {
            note("no model is installed; `impasto models list` prints which there are")
        }
        0 => {}
        1 => bail!("a model is not as it was installed"),
        _ => bail!(
            "{wrong} of {} models are not as they were installed",
            names.len()
        ),
    }
    Ok(())
}

/// Runs a download that Ctrl-C ends and a display shows.
fn interruptible<T>(run: impl FnOnce(PullObserver<'_>) -> T) -> T {
    interrupt::listen();
    let mut display = Display::new();
    let pulled = run(&mut |event| {
        display.show(event);
        match interrupt::requested() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    display.clear();
    pulled
}

/// Says that a download was ended.
fn stopped(error: &PullError) -> Exit {
    say(&error.told());
    Exit::Interrupted
}

fn pull(args: &ModelsPull) -> Result<Exit, Failure> {
    if let Some(network) = network(&args.model) {
        return networks::pull(network, args);
    }
    let model = model(&args.model).with_context(|| {
        let networks = impasto_weights::networks().iter().map(|known| known.name);
        let known: Vec<_> = models().iter().map(|model| model.name).chain(networks).collect();
        format!(
            "there is no model {:?}: known are {}; a file of your own comes by `impasto models import`",
            args.model,
            known.join(", ")
        )
    })?;
    let (last, precision) = shape(&args.fetched)?;
    let pull = Pull {
        name: args.fetched.install_as.clone(),
        from: args.from.as_deref().map(PullFrom::parse),
        last,
        precision,
        replace: args.fetched.replace,
        patience: Duration::from_secs(args.timeout),
        ..Pull::default()
    };
    let store = store(&args.folder)?;
    let pulled = interruptible(|observer| store.pull(model, &pull, observer));
    match pulled {
        Ok(installed) => report(&installed)?,
        Err(error @ PullError::Stopped { .. }) => return Ok(stopped(&error)),
        Err(error) => return Err(error.into()),
    }
    Ok(Exit::Done)
}
