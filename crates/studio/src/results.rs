//! Results: PNG files in a plain folder, with their settings in them, which the database is an index of.

use crate::Error;
use crate::clips::{self, first_frame};
use crate::database::{Database, Finished, State};
use crate::folder::Folder;
use crate::order::Told;
use crate::pictures::{SMALL, jpeg, reduced};
use crate::told::{Refused, of_error};
use impasto::Picture;
use impasto::picture::{Format, Limits, SaveOptions, settings_of, write_whole};
use impasto::sheet::{ContactSheet, Tile};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Seconds that what was deleted is kept.
const WEEK: i64 = 7 * 24 * 3600;
/// The side of a picture on a sheet, in pixels.
const TILE: usize = 320;
/// The most characters of a title in the name of a file.
const STEM: usize = 50;

/// The file of a job's result: letters and digits of its title, its number, and how files of its kind end.
pub fn file_name(title: &str, id: i64, end: &str) -> String {
    let mut stem = String::new();
    for letter in title.replace(" in ", " ").chars().take(STEM) {
        match letter.is_alphanumeric() {
            true => stem.push(letter),
            false if !stem.is_empty() && !stem.ends_with('-') => stem.push('-'),
            false => {}
        }
    }
    match stem.trim_end_matches('-') {
        "" => format!("picture-{id}{end}"),
        stem => format!("{stem}-{id}{end}"),
    }
}

/// What a result says about itself: what any program of impasto's says, and what was ordered, without names.
pub fn settings(described: &str, told: &Told, id: i64) -> String {
    let mut settings: Value = serde_json::from_str(described).unwrap_or_default();
    settings["studio"] = json!({"job": id, "order": nameless(told)});
    settings.to_string()
}

/// An order as results tell it.
fn nameless(told: &Told) -> Told {
    Told {
        names: Default::default(),
        start: None,
        ..told.clone()
    }
}

/// The end of the names of films.
const FILM: &str = ".mp4";

/// Whether a result is a film.
pub fn is_film(file: &str) -> bool {
    file.ends_with(FILM)
}

/// The file beside a film that has its settings.
fn beside(file: &str) -> String {
    format!("{}.json", file.trim_end_matches(FILM))
}

/// What a film says about itself, in the file beside it; nothing if that is gone.
fn told_of_film(folder: &Folder, file: &str) -> Value {
    let told = fs::read(folder.result(&beside(file), false)).ok();
    let told = told.and_then(|told| serde_json::from_slice(&told).ok());
    told.unwrap_or_default()
}

/// The same as the page has it of pictures.
pub fn film_settings(folder: &Folder, file: &str) -> Value {
    let told = told_of_film(folder, file);
    match told["studio"].is_object() {
        true => json!({
            "version": told["version"],
            "encoder": "",
            "styles": told["styles"],
            "order": told["studio"]["order"],
            "text": told["recipe"],
        }),
        false => Value::Null,
    }
}

/// Moves a film that is whole among the results, its settings first.
///
/// # Errors
/// If it cannot be moved.
pub fn take_film(
    folder: &Folder,
    from: &Path,
    file: &str,
    told: &Told,
    id: i64,
    recipe: &str,
) -> Result<(), Error> {
    let failed = |path: PathBuf| move |source| Error::File { path, source };
    let styles = told.styles.iter();
    let styles: Vec<_> = styles
        .map(|style| (told.name(&style.picture), style.weight))
        .collect();
    let settings = json!({
        "program": "impasto",
        "version": env!("CARGO_PKG_VERSION"),
        "styles": styles,
        "recipe": recipe,
        "studio": {"job": id, "order": nameless(told)},
    });
    let path = folder.result(&beside(file), false);
    let written = write_whole(&path, settings.to_string().as_bytes());
    written.map_err(failed(path))?;
    let path = folder.result(file, false);
    let moved = fs::rename(from, &path);
    moved.map_err(failed(path))
}

/// Moves a result out of the folder of results, or back.
pub fn move_result(folder: &Folder, file: &str, deleted: bool) {
    for file in files_of(file) {
        // One that is gone already stays so.
        let _ = fs::rename(
            folder.result(&file, !deleted),
            folder.result(&file, deleted),
        );
    }
}

/// The files of a result.
fn files_of(file: &str) -> impl Iterator<Item = String> {
    let more = is_film(file).then(|| beside(file));
    std::iter::once(file.to_string()).chain(more)
}

/// Writes a result.
///
/// # Errors
/// If it cannot be written.
pub fn write(
    folder: &Folder,
    file: &str,
    picture: &Picture,
    settings: String,
) -> Result<(), Error> {
    let options = SaveOptions {
        settings: Some(settings),
        ..SaveOptions::default()
    };
    let small = jpeg(&reduced(picture, SMALL))?;
    let thumb = folder.join("thumbs").join(format!("{file}.jpg"));
    // It is made again where it is missing.
    let _ = write_whole(&thumb, &small);
    picture.save(&folder.result(file, false), &options)?;
    Ok(())
}

/// The small JPEG of a result.
pub fn thumbnail(folder: &Folder, file: &str) -> Option<Vec<u8>> {
    let thumb = folder.join("thumbs").join(format!("{file}.jpg"));
    if let Ok(bytes) = fs::read(&thumb) {
        return Some(bytes);
    }
    let path = folder.result(file, false);
    let picture = match is_film(file) {
        true => first_frame(&path)?,
        false => Picture::open(&path).ok()?,
    };
    let bytes = jpeg(&reduced(&picture, SMALL)).ok()?;
    let _ = write_whole(&thumb, &bytes);
    Some(bytes)
}

/// Results on one sheet, each with its title and how it was painted: a PNG. Those that are gone are left out.
///
/// # Errors
/// If there is none, or it cannot be encoded.
pub fn contact_sheet<'a>(
    folder: &Folder,
    results: impl Iterator<Item = (&'a str, &'a str, String)>,
) -> Result<Vec<u8>, Refused> {
    let pictures = results.filter_map(|(file, title, how)| {
        let small = thumbnail(folder, file)?;
        let picture = Picture::decode(&small, file, &Limits::default()).ok()?;
        Some((picture, title, how))
    });
    let pictures: Vec<_> = pictures.collect();
    let tiles: Vec<_> = pictures
        .iter()
        .map(|(picture, caption, note)| Tile {
            picture,
            caption,
            note,
        })
        .collect();
    if tiles.is_empty() {
        return Err(Refused::missing());
    }
    let sheet = ContactSheet {
        tiles: &tiles,
        side: TILE,
    };
    let png = sheet.picture().map_err(|error| of_error(&error));
    let png = png.map_err(|problem| Refused::new(500, problem))?;
    let options = SaveOptions::default();
    Ok(png.encode(Format::Png, &options).map_err(Error::from)?)
}

/// The format and the type of a name on the page.
pub fn format(name: &str) -> Option<(Format, &'static str, &'static str)> {
    Some(match name {
        "png" => (Format::Png, "image/png", "png"),
        "jpeg" => (Format::Jpeg, "image/jpeg", "jpg"),
        "webp" => (Format::WebP, "image/webp", "webp"),
        "tiff" => (Format::Tiff, "image/tiff", "tif"),
        _ => return None,
    })
}

/// A result in a format, with its settings or without.
///
/// # Errors
/// If its file is gone, or the format cannot hold it.
pub fn export(
    folder: &Folder,
    file: &str,
    format: Format,
    with_settings: bool,
) -> Result<Vec<u8>, Refused> {
    let path = folder.result(file, false);
    let bytes = fs::read(&path).map_err(|_| Refused::missing())?;
    if with_settings && format == Format::Png {
        return Ok(bytes);
    }
    let settings = settings_of(&bytes).filter(|_| with_settings);
    let picture = Picture::open(&path).map_err(Error::from)?;
    let options = SaveOptions {
        settings,
        ..SaveOptions::default()
    };
    Ok(picture.encode(format, &options).map_err(Error::from)?)
}

/// The file of a job's result, and its size if it is written already. A file of its name that says nothing of this job is
/// somebody else's: then it has another name.
pub fn file_of(folder: &Folder, told: &Told, id: i64) -> (String, Option<(usize, usize)>) {
    let end = match told.film {
        Some(_) => FILM,
        None => ".png",
    };
    let name = file_name(&told.title(), id, end);
    let stem = name.trim_end_matches(end).to_string();
    let names = std::iter::once(name).chain((2..).map(|number| format!("{stem}-{number}{end}")));
    for name in names {
        let path = folder.result(&name, false);
        if !path.exists() {
            return (name, None);
        }
        let studio = told_of(folder, &name)["studio"].take();
        let size = size_of(&path).filter(|_| studio["job"] == id);
        // An order is told without names and without what it started from.
        if size.is_some() && studio["order"] == json!(nameless(told)) {
            return (name, size);
        }
    }
    // There is always a further number.
    (format!("{stem}-0{end}"), None)
}

/// What a result says about itself.
fn told_of(folder: &Folder, file: &str) -> Value {
    if is_film(file) {
        return told_of_film(folder, file);
    }
    let settings = fs::read(folder.result(file, false)).ok();
    let settings = settings.and_then(|bytes| settings_of(&bytes));
    let settings = settings.and_then(|text| serde_json::from_str(&text).ok());
    settings.unwrap_or_default()
}

/// Width and height of a result.
fn size_of(path: &Path) -> Option<(usize, usize)> {
    match path.to_str().is_some_and(is_film) {
        true => clips::size_of(path),
        false => size_of_png(path).ok(),
    }
}

/// Width and height of a PNG, by its first bytes.
///
/// # Errors
/// If there is none.
fn size_of_png(path: &Path) -> std::io::Result<(usize, usize)> {
    let mut head = [0u8; 24];
    File::open(path)?.read_exact(&mut head)?;
    let [.., w0, w1, w2, w3, h0, h1, h2, h3] = head;
    let side = |bytes| u32::from_be_bytes(bytes) as usize;
    match head.starts_with(b"\x89PNG") {
        true => Ok((side([w0, w1, w2, w3]), side([h0, h1, h2, h3]))),
        false => Err(std::io::ErrorKind::InvalidData.into()),
    }
}

/// Makes the database agree with the folder: results that it does not know are taken in, those that are gone are forgotten,
/// and what was deleted a week ago is removed.
///
/// # Errors
/// [`Error::Database`], [`Error::File`].
pub fn tidy(folder: &Folder, database: &Database) -> Result<(), Error> {
    for file in database.ask_now(|tables| tables.purge(WEEK))? {
        for file in files_of(&file) {
            let _ = fs::remove_file(folder.result(&file, true));
        }
    }
    let known = database.ask_now(|tables| tables.files())?;
    for (id, file, deleted) in &known {
        let (id, deleted) = (*id, *deleted);
        if !folder.result(file, deleted).exists() {
            match folder.result(file, !deleted).exists() {
                true => database.ask_now(move |tables| tables.delete(id, !deleted))?,
                false => database.ask_now(move |tables| tables.forget(id))?,
            }
        }
    }
    let path = folder.join("results");
    let failed = |source| Error::File {
        path: path.clone(),
        source,
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(&path).map_err(failed)? {
        let name = entry
            .map_err(failed)?
            .file_name()
            .to_string_lossy()
            .into_owned();
        let is_known = known.iter().any(|(_, file, _)| *file == name);
        let is_result = name.ends_with(".png") || is_film(&name);
        if is_result && !name.starts_with('.') && !is_known {
            found.push(name);
        }
    }
    found.sort();
    for file in found {
        take_in(folder, database, file)?;
    }
    Ok(())
}

fn take_in(folder: &Folder, database: &Database, file: String) -> Result<(), Error> {
    let path = folder.result(&file, false);
    let Some(size) = size_of(&path) else {
        return Ok(());
    };
    let settings = told_of(folder, &file);
    // A number of another program's making must not use all numbers up.
    let id = settings["studio"]["job"].as_i64();
    let id = id.filter(|id| (1..1 << 31).contains(id));
    let told = serde_json::from_value::<Told>(settings["studio"]["order"].clone());
    let told = serde_json::to_string(&told.unwrap_or_default()).unwrap_or_default();
    let stem = file.trim_end_matches(".png").trim_end_matches(FILM);
    let title = stem
        .rsplit_once('-')
        .map_or(stem, |(title, _)| title)
        .replace('-', " ");
    database.ask_now(move |tables| {
        // A job that is not noted as finished finds its result itself.
        let waits = id.map(|id| tables.job(id)).transpose()?.flatten();
        match waits.filter(|job| job.file.is_none()) {
            Some(job) if job.state == State::Failed => {
                let finished = Finished {
                    state: State::Done,
                    file: &file,
                    size,
                    seconds: 0.0,
                };
                tables.finish(job.id, &finished).map(|_| ())
            }
            Some(_) => Ok(()),
            None => tables.take_in(id, &title, &told, &file, size),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_results_are_of_letters_digits_and_a_number() {
        for (title, name) in [
            ("lake in swirls + waves", "lake-swirls-waves-7.png"),
            ("../../etc/passwd in a", "etc-passwd-a-7.png"),
            ("CON in <img onerror>", "CON-img-onerror-7.png"),
            ("", "picture-7.png"),
            ("Mülltonne\0\n in é", "Mülltonne-é-7.png"),
        ] {
            assert_eq!(file_name(title, 7, ".png"), name);
        }
    }
}
