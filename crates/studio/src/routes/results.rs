//! Results: the history.

use super::answer::{Answer, Failed, Id, Read, bytes, done, found, json, query};
use super::uploads::{blocking, made};
use crate::Shared;
use crate::database::JobRow;
use crate::order::Told;
use crate::results::{
    contact_sheet, export as exported, film_settings, format, is_film, move_result, thumbnail,
};
use crate::told::Refused;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, HeaderValue};
use axum::http::{Response, Uri};
use serde::Deserialize;
use serde_json::json;

/// Results of one answer.
const PAGE: usize = 60;
/// The most pictures of a sheet.
const SHEET: usize = 60;

/// A result that is there.
pub(super) async fn row(shared: &Shared, id: i64) -> Result<(JobRow, String), Failed> {
    let row = shared.database.ask(move |tables| tables.job(id)).await?;
    let row = row
        .filter(|row| !row.deleted)
        .ok_or_else(Refused::missing)?;
    let file = row.file.clone().ok_or_else(Refused::missing)?;
    Ok((row, file))
}

/// The file of a result that is a picture.
async fn picture_of(shared: &Shared, id: i64) -> Result<String, Failed> {
    let (_, file) = row(shared, id).await?;
    match is_film(&file) {
        true => Err(Refused::missing().into()),
        false => Ok(file),
    }
}

/// `GET /api/results?text=TEXT&starred=1&deleted=1&before=ID`.
pub async fn list(State(shared): State<Shared>, uri: Uri) -> Answer {
    let text = query(&uri, "text").unwrap_or_default();
    let starred = query(&uri, "starred").as_deref() == Some("1");
    let deleted = query(&uri, "deleted").as_deref() == Some("1");
    let before = query(&uri, "before").and_then(|text| text.parse().ok());
    let before: i64 = before.unwrap_or(i64::MAX);
    let rows = shared
        .database
        .ask(move |tables| tables.results(&text, (starred, deleted), before, PAGE));
    let rows: Vec<_> = rows.await?.iter().map(told).collect();
    Ok(json(&json!({"results": rows})))
}

fn told(row: &JobRow) -> serde_json::Value {
    let order: Option<Told> = serde_json::from_str(&row.told).ok();
    json!({
        "id": row.id,
        "how": order.as_ref().map(Told::how),
        "content": order.map(|order| order.content),
        "title": row.title,
        "state": row.state.name(),
        "starred": row.starred,
        "width": row.size.0,
        "height": row.size.1,
        "created": row.created,
        "finished": row.finished,
        "seconds": row.seconds,
        "live": row.live,
        "film": row.file.as_deref().is_some_and(is_film),
        "file": row.file,
    })
}

/// `GET /api/sheet?text=TEXT&starred=1`: the newest results of a list on one sheet, each with how it was painted.
pub async fn sheet(State(shared): State<Shared>, uri: Uri) -> Answer {
    let text = query(&uri, "text").unwrap_or_default();
    let starred = query(&uri, "starred").as_deref() == Some("1");
    let rows = shared
        .database
        .ask(move |tables| tables.results(&text, (starred, false), i64::MAX, SHEET));
    let rows = rows.await?;
    let laid = blocking(move || {
        let captions = rows.iter().filter_map(|row| {
            let order: Told = serde_json::from_str(&row.told).ok()?;
            Some((row.file.as_deref()?, row.title.as_str(), order.how()))
        });
        contact_sheet(&shared.folder, captions)
    });
    Ok(bytes("image/png", laid.await?))
}

/// `GET /api/results/ID/picture`.
pub async fn picture(State(shared): State<Shared>, Id(id): Id) -> Answer {
    let file = picture_of(&shared, id).await?;
    let read = blocking(move || {
        std::fs::read(shared.folder.result(&file, false)).map_err(|_| Refused::missing())
    });
    Ok(bytes("image/png", read.await?))
}

/// `GET /api/results/ID/small`; of a deleted one too.
pub async fn small(State(shared): State<Shared>, Id(id): Id) -> Answer {
    let row = shared.database.ask(move |tables| tables.job(id)).await?;
    let file = row.and_then(|row| row.file).ok_or_else(Refused::missing)?;
    let read = blocking(move || thumbnail(&shared.folder, &file).ok_or_else(Refused::missing));
    Ok(bytes("image/jpeg", read.await?))
}

/// `GET /api/results/ID/settings`: what was ordered, and what the file says.
pub async fn settings(State(shared): State<Shared>, Id(id): Id) -> Answer {
    let (row, file) = row(&shared, id).await?;
    let order: Option<Told> = serde_json::from_str(&row.told).ok();
    let read = blocking(move || {
        if is_film(&file) {
            return Ok(film_settings(&shared.folder, &file));
        }
        let path = shared.folder.result(&file, false);
        let read = std::fs::read(path).map_err(|_| Refused::missing())?;
        Ok(made(&read, &file))
    });
    let made = read.await?;
    Ok(json(
        &json!({"order": order, "made": made, "result": told(&row)}),
    ))
}

/// `GET /api/results/ID/export?format=png&settings=1`.
pub async fn export(State(shared): State<Shared>, Id(id): Id, uri: Uri) -> Answer {
    let file = picture_of(&shared, id).await?;
    let asked = query(&uri, "format").unwrap_or_else(|| "png".into());
    let unknown = || Refused::new(422, "the format must be png, jpeg, webp or tiff");
    let (format, kind, end) = format(&asked).ok_or_else(unknown)?;
    let with_settings = query(&uri, "settings").as_deref() != Some("0");
    let name = file.trim_end_matches("png").to_string() + end;
    let read = blocking(move || exported(&shared.folder, &file, format, with_settings));
    let mut answer = bytes(kind, read.await?);
    attached(&mut answer, &name);
    Ok(answer)
}

/// Lets a browser save an answer as a file. Names of results are letters, digits and dashes; what is not ASCII is told in its
/// own way.
pub(super) fn attached(answer: &mut Response<Body>, name: &str) {
    let plain = |letter: char| if letter.is_ascii() { letter } else { '_' };
    let plain: String = name.chars().map(plain).collect();
    let encoded: String = name.bytes().map(encoded).collect();
    let disposition = format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}");
    if let Ok(value) = HeaderValue::from_str(&disposition) {
        answer.headers_mut().insert(CONTENT_DISPOSITION, value);
    }
}

fn encoded(byte: u8) -> String {
    match byte.is_ascii_alphanumeric() || b"-.".contains(&byte) {
        true => char::from(byte).into(),
        false => format!("%{byte:02X}"),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Starred {
    starred: bool,
}

/// `POST /api/results/ID/star`.
pub async fn star(
    State(shared): State<Shared>,
    Id(id): Id,
    Read(Starred { starred }): Read<Starred>,
) -> Answer {
    let changed = shared
        .database
        .ask(move |tables| tables.star(id, starred))
        .await?;
    shared.events.results_changed();
    found(changed)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deleted {
    deleted: bool,
}

/// `POST /api/results/ID/delete`: moves it out of the folder of results, or back.
pub async fn delete(
    State(shared): State<Shared>,
    Id(id): Id,
    Read(Deleted { deleted }): Read<Deleted>,
) -> Answer {
    let row = shared.database.ask(move |tables| tables.job(id)).await?;
    let file = row.and_then(|row| row.file).ok_or_else(Refused::missing)?;
    move_result(&shared.folder, &file, deleted);
    shared
        .database
        .ask(move |tables| tables.delete(id, deleted))
        .await?;
    shared.events.results_changed();
    done()
}
