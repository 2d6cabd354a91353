//! The page itself, and what it needs to know first.

use super::answer::{Answer, Name, Read, bytes, json};
use crate::order::Told;
use crate::page::{self, Asset};
use crate::told::{Refused, sentence};
use crate::{Shared, events};
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, ETAG, HeaderValue, IF_NONE_MATCH};
use axum::http::{HeaderMap, Response, StatusCode};
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use impasto::Recipe;
use impasto::examples;
use impasto::job::Run;
use impasto::recipe::file::RecipeFile;
use impasto::recipe::{Field, Form, Kind, Quantity, book, fields};
use serde_json::{Map, Value as Json, json};
use std::convert::Infallible;
use std::time::Duration;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::WatchStream;

/// The least time from one event to the next.
const EVENTS: Duration = Duration::from_millis(30);

/// `GET /`.
pub async fn index(headers: HeaderMap) -> Answer {
    served(page::find("index.html"), &headers)
}

/// `GET /page/NAME`.
pub async fn asset(Name(name): Name, headers: HeaderMap) -> Answer {
    served(page::find(&name), &headers)
}

fn served(asset: Option<&'static Asset>, headers: &HeaderMap) -> Answer {
    let asset = asset.ok_or_else(Refused::missing)?;
    let tag = asset.tag();
    let known = headers.get(IF_NONE_MATCH);
    let known = known.is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let mut answer = match known {
        true => {
            let mut answer = Response::new(Body::empty());
            *answer.status_mut() = StatusCode::NOT_MODIFIED;
            answer
        }
        false => bytes(asset.kind, asset.bytes),
    };
    let headers = answer.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(ETAG, tag);
    }
    Ok(answer)
}

/// `GET /api/start`: what does not change while the program runs.
pub async fn start(State(shared): State<Shared>) -> Answer {
    let pictures: Vec<_> = examples::all()
        .iter()
        .map(|one| {
            let id = format!("@{}", one.name);
            json!({"id": id, "name": one.name, "about": one.about, "style": one.kind == examples::Kind::Style})
        })
        .collect();
    let recipes: Vec<_> = book::all()
        .iter()
        .filter_map(|one| {
            let file = one.read().ok()?;
            Some(json!({"name": one.name, "about": file.about, "missing": missing(&file.recipe, &shared.run)}))
        })
        .collect();
    let settings: Vec<_> = fields().iter().map(setting).collect();
    Ok(json(&json!({
        "version": env!("CARGO_PKG_VERSION"),
        "pictures": pictures,
        "recipes": recipes,
        "settings": settings,
        "films": shared.paints_films,
        "invitation": shared.invitation.as_deref(),
    })))
}

/// Why a recipe cannot be painted by on this machine: the network that it needs is not there.
fn missing(recipe: &Recipe, run: &Run) -> Option<String> {
    let mut problems = Vec::new();
    let run = Run {
        recipe: recipe.clone(),
        ..run.clone()
    };
    run.check_painter(&mut problems);
    problems.first().map(sentence)
}

/// A setting, for a form.
fn setting(field: &Field) -> Json {
    json!({
        "path": field.path,
        "group": format!("{:?}", field.group),
        "everyday": field.everyday,
        "about": field.about,
        "kind": kind(&field.kind),
    })
}

fn kind(kind: &Kind) -> Json {
    match kind {
        Kind::Flag => json!({"is": "flag"}),
        Kind::Number(quantity) => number(quantity),
        Kind::Choice(alternatives) => {
            let names: Vec<_> = alternatives.iter().map(|one| one.name).collect();
            let first = alternatives.first().and_then(|one| one.number.as_ref());
            // The number of the first is as good as a name.
            json!({"is": if first.is_some() { "text" } else { "choice" }, "names": names})
        }
        _ => json!({"is": "text"}),
    }
}

fn number(quantity: &Quantity) -> Json {
    let range = &quantity.range;
    // What has no end is null.
    json!({
        "is": "number",
        "whole": quantity.form == Form::Whole,
        "least": range.least,
        "most": range.most,
        "unit": quantity.unit,
    })
}

/// `POST /api/recipe`: every setting of an order, as people write it, and its recipe as a file.
pub async fn recipe(Read(told): Read<Told>) -> Answer {
    let refused = |problems| Refused {
        status: 422,
        problems,
    };
    let (recipe, _) = told.recipe().map_err(refused)?;
    let values: Map<_, _> = fields()
        .iter()
        .filter_map(|field| {
            Some((
                field.path.to_string(),
                field.get(&recipe)?.to_string().into(),
            ))
        })
        .collect();
    let about = String::new();
    let text = RecipeFile { about, recipe }.to_toml();
    Ok(json(&json!({"values": values, "text": text})))
}

/// `GET /api/state`.
pub async fn state(State(shared): State<Shared>) -> Answer {
    Ok(json(&shared.events.state()))
}

/// `GET /api/events`: the newest state, whenever there is one.
pub async fn events(State(shared): State<Shared>) -> Response<Body> {
    let states = WatchStream::new(shared.events.listen()).throttle(EVENTS);
    let states = states.take_while(|state| !state.closing);
    let told = states.map(|state: events::State| {
        let text = serde_json::to_string(&state).unwrap_or_default();
        Ok::<_, Infallible>(Event::default().data(text))
    });
    Sse::new(told)
        .keep_alive(KeepAlive::default())
        .into_response()
}

/// `GET /api/preview`: the newest one, whatever number was asked for.
pub async fn preview(State(shared): State<Shared>) -> Answer {
    let preview = shared.events.preview().ok_or_else(Refused::missing)?;
    Ok(bytes("image/jpeg", preview.bytes.to_vec()))
}
