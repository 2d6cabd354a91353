//! Pictures that are sent.

use super::answer::{Answer, Failed, Name, body, bytes, is_of, json, query};
use crate::order::Told;
use crate::pictures::{MOST_BYTES, Reference};
use crate::told::{Refused, of_error};
use crate::{Error, Shared};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use impasto::job::Made;
use impasto::recipe::file::RecipeFile;
use serde_json::{Value as Json, json};
use std::time::Duration;
use tokio::sync::Semaphore;

/// How long a file may take to arrive.
const DEADLINE: Duration = Duration::from_secs(60);
/// Files that arrive at a time; each may be in memory.
const AT_A_TIME: usize = 4;
/// The most pictures that a folder takes.
const MOST: i64 = 100_000;

static ARRIVING: Semaphore = Semaphore::const_new(AT_A_TIME);
/// Decoding takes much memory: one at a time.
static DECODING: Semaphore = Semaphore::const_new(1);

/// `POST /api/pictures?name=NAME`: the picture under its id, and how it was made if it says so.
pub async fn keep(
    State(shared): State<Shared>,
    uri: Uri,
    headers: HeaderMap,
    content: Body,
) -> Answer {
    is_of(&headers, "application/octet-stream")?;
    if shared.database.ask(|tables| tables.pictures()).await? >= MOST {
        return Err(Refused::new(507, "the studio's folder is full of pictures").into());
    }
    let busy = || Refused::new(503, "too many pictures at once: try again in a moment");
    let arriving = tokio::time::timeout(DEADLINE, ARRIVING.acquire()).await;
    let _arriving = arriving.map_err(|_| busy())?.map_err(|_| Error::Ended)?;
    let file = body(&headers, content, MOST_BYTES, DEADLINE).await?;
    let _decoding = DECODING.acquire().await.map_err(|_| Error::Ended)?;
    let name = query(&uri, "name").unwrap_or_default();
    let pictures = shared.pictures.clone();
    let kept = blocking(move || {
        let row = pictures.keep(&name, &file)?;
        let made = made(&file, &row.name);
        Ok((row, made))
    });
    let (row, mut made) = kept.await?;
    name_pictures(&shared, &mut made).await?;
    let again = row.clone();
    shared
        .database
        .ask(move |tables| tables.keep_picture(&again))
        .await?;
    Ok(json(&json!({"picture": row, "made": made})))
}

/// Gives an order that a file tells the names of its pictures; one whose photo is not here is none to be used as it is.
async fn name_pictures(shared: &Shared, made: &mut Json) -> Result<(), Failed> {
    let told = serde_json::from_value::<Told>(made["order"].clone());
    let Ok(mut told) = told else {
        return Ok(());
    };
    let mut missing = Vec::new();
    let ids: Vec<String> = told.pictures().map(String::from).collect();
    for id in ids {
        let row = match Reference::read(&id) {
            Some(Reference::BuiltIn(_)) => continue,
            Some(Reference::Sent(id)) => {
                shared
                    .database
                    .ask(move |tables| tables.picture(&id))
                    .await?
            }
            None => None,
        };
        match row {
            Some(row) => drop(told.names.insert(id, row.name)),
            None => missing.push(id),
        }
    }
    told.styles
        .retain(|style| !missing.contains(&style.picture));
    let whole = !missing.contains(&told.content)
        && !told
            .mask
            .as_ref()
            .is_some_and(|mask| missing.contains(mask));
    told.regions
        .retain(|region| !missing.contains(&region.mask) && !missing.contains(&region.picture));
    made["order"] = match whole {
        true => json!(told),
        false => Json::Null,
    };
    Ok(())
}

/// Does what takes a while where it may.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refused> + Send + 'static,
) -> Result<T, Failed> {
    let done = tokio::task::spawn_blocking(work).await;
    let broken = |_| {
        Refused::new(
            500,
            "that came to an unexpected end: a mistake of the program",
        )
    };
    Ok(done.map_err(broken)??)
}

/// How a picture was made, if its file says so; what is wrong with what it says.
pub fn made(file: &[u8], name: &str) -> Json {
    match Made::read(file, name) {
        Ok(made) => {
            let styles: Vec<_> = made
                .styles
                .iter()
                .map(|style| (&style.name, style.weight))
                .collect();
            let order = made
                .more
                .get("studio")
                .map(|studio| studio["order"].clone());
            let (about, recipe) = (String::new(), made.recipe);
            json!({
                "version": made.version,
                "encoder": made.encoder,
                "styles": styles,
                "order": order,
                "text": RecipeFile { about, recipe }.to_toml(),
            })
        }
        Err(impasto::Error::NoSettings { .. }) => Json::Null,
        Err(error) => json!({"problem": of_error(&error)}),
    }
}

fn reference(id: &str) -> Result<Reference, Failed> {
    Reference::read(id).ok_or_else(|| Refused::missing().into())
}

/// `GET /api/pictures/ID`.
pub async fn picture(State(shared): State<Shared>, Name(id): Name) -> Answer {
    let id = reference(&id)?;
    let kind = match id {
        Reference::BuiltIn(_) => "image/jpeg",
        Reference::Sent(_) => "image/png",
    };
    let found = blocking(move || shared.pictures.bytes(&id).ok_or_else(Refused::missing)).await?;
    Ok(bytes(kind, found))
}

/// `GET /api/pictures/ID/small`.
pub async fn small(State(shared): State<Shared>, Name(id): Name) -> Answer {
    let id = reference(&id)?;
    let found =
        blocking(move || shared.pictures.thumbnail(&id).ok_or_else(Refused::missing)).await?;
    Ok(bytes("image/jpeg", found))
}
