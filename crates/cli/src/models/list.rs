//! `impasto models list`.

use super::networks::restriction;
use super::{comparison, content, size};
use crate::print;
use impasto::Encoder;
use impasto_weights::{Installed, KnownNetwork, Model, Store, model, models, networks};
use serde_json::json;
use std::fmt::Write;

/// Prints what there is.
pub fn list(store: &Store, as_json: bool) -> anyhow::Result<()> {
    let installed = store.list()?;
    match as_json {
        true => print(&format!("{}\n", as_data(store, &installed))),
        false => print(&as_table(store, &installed)?),
    }
}

/// What the store says of the models in it.
type Listed = [(String, impasto_weights::Result<Installed>)];

fn find<'l>(listed: &'l Listed, name: &str) -> Option<&'l impasto_weights::Result<Installed>> {
    let found = listed.iter().find(|(other, _)| other == name);
    found.map(|(_, installed)| installed)
}

fn as_data(store: &Store, listed: &Listed) -> serde_json::Value {
    let known = models().iter().map(|model| {
        json!({
            "name": model.name,
            "purpose": model.purpose,
            "architecture": model.architecture,
            "parameters": model.parameters,
            "preprocessing": model.preprocessing,
            "licence": model.licence,
            "attribution": model.attribution,
            "bytes": model.installed_bytes(),
            "download_bytes": model.download_bytes(),
            "sources": model.origins.iter().map(|origin| json!({
                "url": origin.url,
                "bytes": origin.size,
                "checksum": origin.checksum.map(|checksum| checksum.to_string()),
            })).collect::<Vec<_>>(),
            "installed": find(listed, model.name).is_some(),
            "unfinished_bytes": store.unfinished(model.name),
        })
    });
    let there = listed.iter().map(|(name, installed)| match installed {
        Ok(installed) => json!({
            "name": name,
            "path": installed.path.display().to_string(),
            "bytes": installed.bytes,
            "parameters": installed.parameters,
            "architecture": installed.architecture,
            "preprocessing": installed.preprocessing,
            "dtype": installed.dtype,
            "last_layer": installed.last,
            "origin": installed.origin,
            "origin_sha256": installed.origin_sha256,
            "licence": installed.licence,
            "attribution": installed.attribution,
            "verified": installed.verified,
        }),
        Err(error) => json!({"name": name, "error": error.to_string()}),
    });
    let networks = networks().iter().map(|network| {
        json!({
            "name": network.name,
            "purpose": network.purpose,
            "licence": network.licence,
            "research_only": network.research_only,
            "attribution": network.attribution,
            "bytes": network.bytes(),
            "files": network.files.iter().map(|(file, origin)| json!({
                "file": file,
                "url": origin.url,
                "bytes": origin.size,
                "checksum": origin.checksum.map(|checksum| checksum.to_string()),
            })).collect::<Vec<_>>(),
            "installed": store.find_network(network.name).is_some(),
        })
    });
    let networks = networks.collect::<Vec<_>>();
    json!({
        "networks": networks,
        "folder": store.folder().display().to_string(),
        "known": known.collect::<Vec<_>>(),
        "installed": there.collect::<Vec<_>>(),
    })
}

/// A model in the table, and lines below it.
struct Row {
    name: String,
    installed: &'static str,
    parameters: Option<u64>,
    download: Option<u64>,
    on_disk: Option<u64>,
    licence: String,
    notes: Vec<String>,
}

fn as_table(store: &Store, listed: &Listed) -> anyhow::Result<String> {
    let lite = Row {
        name: "lite".into(),
        installed: "built in",
        parameters: Some(Encoder::lite()?.parameters() as u64),
        download: None,
        on_disk: None,
        licence: env!("CARGO_PKG_LICENSE").into(),
        notes: vec!["a first picture; imitates four layers of VGG-19".into()],
    };
    let known = models()
        .iter()
        .map(|model| known_row(store, model, find(listed, model.name)));
    let own = listed.iter().filter(|(name, _)| model(name).is_none());
    let own = own.map(|(name, installed)| installed_row(name, installed));
    let nets = networks().iter().map(|network| network_row(store, network));
    let rows: Vec<Row> = std::iter::once(lite)
        .chain(known)
        .chain(own)
        .chain(nets)
        .collect();

    let size = |bytes: Option<u64>| bytes.map_or("-".into(), size);
    let cells = rows.iter().map(|row| {
        let parameters = row
            .parameters
            .map(|count| format!("{:.1} M", count as f64 / 1e6));
        [
            row.name.clone(),
            row.installed.into(),
            parameters.unwrap_or("-".into()),
            size(row.download),
            size(row.on_disk),
            row.licence.clone(),
        ]
    });
    let titles = [
        "name",
        "installed",
        "parameters",
        "download",
        "on disk",
        "licence",
    ];
    let cells: Vec<[String; 6]> = std::iter::once(titles.map(String::from))
        .chain(cells)
        .collect();
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..6).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for (number, row) in cells.iter().enumerate() {
        let aligned = row
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(column, (cell, width))| match (2..5).contains(&column) {
                true => format!("{cell:>width$}"),
                false => format!("{cell:<width$}"),
            });
        let line = aligned.collect::<Vec<_>>().join("  ");
        let _ = writeln!(text, "{}", line.trim_end());
        let notes = number.checked_sub(1).map(|number| &rows[number].notes);
        for note in notes.into_iter().flatten() {
            let _ = writeln!(text, "    {note}");
        }
    }
    let _ = writeln!(
        text,
        "\nimpasto models pull NAME      fetches one and installs it\n\
         impasto models import FILE    installs a file that you have, or the FOLDER of a network's files\n\
         The folder is {}; --json prints addresses, hashes and whom to name.",
        store.folder().display()
    );
    Ok(text)
}

fn known_row(
    store: &Store,
    model: &Model,
    installed: Option<&impasto_weights::Result<Installed>>,
) -> Row {
    let mut row = match installed {
        Some(installed) => installed_row(model.name, installed),
        None => Row {
            name: model.name.into(),
            installed: "no",
            parameters: Some(model.parameters),
            download: None,
            on_disk: Some(model.installed_bytes()),
            licence: model.licence.into(),
            notes: vec![],
        },
    };
    row.download = model.download_bytes();
    row.notes.insert(0, model.purpose.into());
    if installed.is_none() {
        let first = model.origins.first().map_or("", |origin| place(origin.url));
        let more = match model.origins.len() {
            0 | 1 => String::new(),
            2 => ", and one more place".into(),
            count => format!(", and {} more places", count - 1),
        };
        row.notes.push(format!("from {first}{more}"));
    }
    if let Some(bytes) = store.unfinished(model.name) {
        row.notes.push(format!(
            "{} are fetched; `impasto models pull {}` goes on from there",
            size(bytes),
            model.name
        ));
    }
    row
}

fn network_row(store: &Store, network: &KnownNetwork) -> Row {
    // Whose folder at which host.
    let first = network.files.first().map_or("", |(_, origin)| origin.url);
    let parts = first.trim_start_matches("https://").split('/').take(3);
    let first = parts.collect::<Vec<_>>().join("/");
    let mut notes = vec![
        network.purpose.to_string(),
        format!("{} files from {first}", network.files.len()),
    ];
    notes.extend(restriction(network).map(String::from));
    Row {
        name: network.name.into(),
        installed: match store.find_network(network.name) {
            Some(_) => "yes",
            None => "no",
        },
        parameters: None,
        download: network.bytes(),
        on_disk: network.bytes(),
        licence: network.licence.into(),
        notes,
    }
}

fn installed_row(name: &str, installed: &impasto_weights::Result<Installed>) -> Row {
    match installed {
        Ok(installed) => Row {
            name: name.into(),
            installed: "yes",
            parameters: Some(installed.parameters),
            download: None,
            on_disk: Some(installed.bytes),
            licence: installed.licence.clone().unwrap_or("unknown".into()),
            notes: vec![
                content(installed),
                format!(
                    "from {}; {}",
                    installed.origin.as_deref().unwrap_or("an unknown place"),
                    comparison(installed)
                ),
            ],
        },
        Err(error) => Row {
            name: name.into(),
            installed: "broken",
            parameters: None,
            download: None,
            on_disk: None,
            licence: "-".into(),
            notes: vec![error.to_string()],
        },
    }
}

/// The place that an address belongs to: its host, and whose folder there.
fn place(url: &str) -> &str {
    let address = url.strip_prefix("https://").unwrap_or(url);
    let end = ["/resolve/", "/releases/"]
        .iter()
        .find_map(|mark| address.find(mark));
    let end = end.or_else(|| address.rfind('/'));
    end.map_or(address, |end| &address[..end])
}
