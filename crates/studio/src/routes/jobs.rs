//! What is ordered: painted at once, or put into the queue.

use super::answer::{Answer, Failed, Id, Read, done, found, json};
use super::uploads::blocking;
use crate::Shared;
use crate::database::JobRow;
use crate::order::{Told, ToldFilm, looked_at};
use crate::painter::{BEGUN_OTHERWISE, Stop};
use crate::pictures::Reference;
use crate::told::Refused;
use axum::extract::State;
use impasto::Picture;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Semaphore;

/// The most jobs that wait.
const MOST: i64 = 2_000;
/// The most pixels of all pictures of an order: they are in memory together.
const PIXELS: i64 = 150_000_000;

/// Planning opens all pictures of an order: one at a time.
static PLANNING: Semaphore = Semaphore::const_new(1);

/// Looks at an order, and gives its pictures their names.
async fn looked(shared: &Shared, mut told: Told) -> Result<Told, Failed> {
    told.names.clear();
    let ids: Vec<String> = told.pictures().map(String::from).collect();
    let mut pixels = 0;
    for id in ids {
        if let Some(Reference::Sent(id)) = Reference::read(&id) {
            let asked = id.clone();
            let row = shared
                .database
                .ask(move |tables| tables.picture(&asked))
                .await?;
            if let Some(row) = row {
                pixels += row.width * row.height;
                told.names.insert(id, row.name);
            }
        }
    }
    if let Some(ToldFilm { clip, .. }) = told.film.clone() {
        if !shared.paints_films {
            return Err(Refused::new(422, "this program paints no films").into());
        }
        let (clips, content) = (shared.clips.clone(), told.content.clone());
        let found = blocking(move || Ok(clips.find(&clip))).await?;
        let gone = || {
            Refused::new(
                422,
                "the clip is not in the studio: drop it on the page again",
            )
        };
        // A film is called by its clip, whatever the frame is called that stands for it.
        told.names.insert(content, found.ok_or_else(gone)?.name);
    }
    if pixels > PIXELS {
        let problem = format!(
            "the pictures of this order have {} million pixels together, and {} million may be: send smaller ones",
            pixels / 1_000_000,
            PIXELS / 1_000_000
        );
        return Err(Refused::new(422, problem).into());
    }
    told.start = started_from(shared, told.start.take()).await?;
    let (pictures, run) = (shared.pictures.clone(), shared.run.clone());
    blocking(move || match told.order(&pictures, &run) {
        Ok(_) => Ok(told),
        Err(problems) => Err(Refused {
            status: 422,
            problems,
        }),
    })
    .await
}

/// Keeps the picture to start from: `present` is the one under way, `result:ID` one that is finished.
async fn started_from(shared: &Shared, start: Option<String>) -> Result<Option<String>, Failed> {
    let Some(start) = start else {
        return Ok(None);
    };
    let (pictures, folder) = (shared.pictures.clone(), shared.folder.clone());
    if start == "present" {
        let Some(present) = shared.painter.present() else {
            return Ok(None);
        };
        return blocking(move || Ok(Some(pictures.keep_start(&present)?))).await;
    }
    let Some(id) = start.strip_prefix("result:") else {
        return Ok(Some(start));
    };
    let id: u32 = id.parse().map_err(|_| Refused::missing())?;
    let row = shared
        .database
        .ask(move |tables| tables.job(id.into()))
        .await?;
    let file = row.and_then(|row| row.file).ok_or_else(Refused::missing)?;
    blocking(move || {
        let picture = Picture::open(&folder.result(&file, false));
        let picture = picture.map_err(|_| Refused::missing())?;
        Ok(Some(pictures.keep_start(&picture)?))
    })
    .await
}

async fn check_room(shared: &Shared, more: usize) -> Result<(), Failed> {
    let waiting = shared.database.ask(|tables| tables.waiting()).await?;
    match waiting + more as i64 > MOST {
        true => {
            let problem = format!("{waiting} jobs wait already, and {MOST} may: remove some first");
            Err(Refused::new(429, problem).into())
        }
        false => Ok(()),
    }
}

fn text(told: &Told) -> String {
    // Maps of these have texts as keys: nothing can go wrong.
    serde_json::to_string(told).unwrap_or_default()
}

/// `POST /api/paint`: paints at once, in the place of what is watched.
pub async fn paint(State(shared): State<Shared>, Read(told): Read<Told>) -> Answer {
    if told.film.is_some() {
        return Err(Refused::new(422, "films are painted by the queue").into());
    }
    check_room(&shared, 1).await?;
    // A knob was turned: what is painted is left while the rest of the order is looked at, unless that says nonsense.
    let steers = told.start.as_deref() == Some("present") && told.recipe().is_ok();
    let _expected = steers.then(|| shared.painter.expect());
    let told = looked(&shared, told).await?;
    let (title, text) = (told.title(), text(&told));
    live(&shared, &told, title, text, told.start.is_none()).await
}

/// Puts an order in the place of what is watched.
async fn live(shared: &Shared, told: &Told, title: String, text: String, fresh: bool) -> Answer {
    let added = shared
        .database
        .ask(move |tables| tables.watch(&title, &text))
        .await?;
    let (id, left) = added;
    shared.painter.watch(fresh);
    let starts = left
        .iter()
        .filter_map(|told| serde_json::from_str::<Told>(told).ok()?.start);
    for start in starts.filter(|start| told.start.as_ref() != Some(start)) {
        let asked = start.clone();
        let needed = shared
            .database
            .ask(move |tables| tables.is_needed(&asked, id));
        if !needed.await? {
            shared.pictures.drop_start(&start);
        }
    }
    Ok(json(&json!({"id": id})))
}

/// `POST /api/queue`: adds jobs.
pub async fn add(State(shared): State<Shared>, Read(orders): Read<Vec<Told>>) -> Answer {
    check_room(&shared, orders.len()).await?;
    let mut looked_over = Vec::new();
    for told in orders {
        looked_over.push(looked(&shared, told).await?);
    }
    let add = move |tables: &mut crate::database::Tables| {
        let orders = looked_over.iter();
        orders
            .map(|told| tables.add(&told.title(), &text(told), false))
            .collect::<Result<Vec<_>, _>>()
    };
    let ids = shared.database.ask(add).await?;
    shared.events.queue_changed();
    shared.painter.wake();
    Ok(json(&json!({"ids": ids})))
}

/// `GET /api/queue`.
pub async fn queue(State(shared): State<Shared>) -> Answer {
    let rows = shared.database.ask(|tables| tables.queue()).await?;
    let rows: Vec<_> = rows.iter().map(waiting).collect();
    Ok(json(
        &json!({"jobs": rows, "paused": shared.events.state().paused}),
    ))
}

fn waiting(row: &JobRow) -> serde_json::Value {
    let order: Option<Told> = serde_json::from_str(&row.told).ok();
    json!({
        "id": row.id,
        "state": row.state.name(),
        "title": row.title,
        "how": order.as_ref().map(Told::how),
        "problem": row.problem,
        "film": order.as_ref().is_some_and(|order| order.film.is_some()),
        "content": order.map(|order| order.content),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ids {
    ids: Vec<i64>,
}

/// `POST /api/queue/order`.
pub async fn reorder(State(shared): State<Shared>, Read(Ids { ids }): Read<Ids>) -> Answer {
    shared
        .database
        .ask(move |tables| tables.reorder(&ids))
        .await?;
    shared.events.queue_changed();
    done()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Paused {
    paused: bool,
}

/// `POST /api/queue/pause`.
pub async fn pause_queue(
    State(shared): State<Shared>,
    Read(Paused { paused }): Read<Paused>,
) -> Answer {
    shared.events.tell(|state| {
        state.paused = paused;
        state.problem = None;
    });
    shared.folder.keep_paused(paused);
    shared.painter.pause(paused);
    shared.events.queue_changed();
    done()
}

/// `POST /api/jobs/ID/pause`.
pub async fn pause(
    State(shared): State<Shared>,
    Id(id): Id,
    Read(Paused { paused }): Read<Paused>,
) -> Answer {
    let changed = shared
        .database
        .ask(move |tables| tables.pause(id, paused))
        .await?;
    if paused && changed {
        shared.painter.stop(id, Stop::Later);
    }
    shared.events.queue_changed();
    shared.painter.wake();
    found(changed)
}

/// `DELETE /api/jobs/ID`: one that waits, or that is under way.
pub async fn remove(State(shared): State<Shared>, Id(id): Id) -> Answer {
    let removed = shared.database.ask(move |tables| tables.remove(id)).await?;
    shared.painter.stop(id, Stop::Drop);
    shared.painter.forget(id);
    shared.events.queue_changed();
    found(removed)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keep {
    keep: bool,
}

/// `POST /api/jobs/ID/stop`.
pub async fn stop(
    State(shared): State<Shared>,
    Id(id): Id,
    Read(Keep { keep }): Read<Keep>,
) -> Answer {
    let under_way = shared.events.state().job.is_some_and(|job| job.id == id);
    if under_way {
        shared
            .painter
            .stop(id, if keep { Stop::Keep } else { Stop::Drop });
    }
    found(under_way)
}

/// `POST /api/jobs/ID/again`: one that failed waits again.
pub async fn again(State(shared): State<Shared>, Id(id): Id) -> Answer {
    let row = shared.database.ask(move |tables| tables.job(id)).await?;
    let begins_anew = row.and_then(|row| row.problem);
    if begins_anew.is_some_and(|problem| problem.contains(BEGUN_OTHERWISE)) {
        shared.painter.forget(id);
    }
    let changed = shared.database.ask(move |tables| tables.again(id)).await?;
    shared.events.queue_changed();
    shared.painter.wake();
    found(changed)
}

/// `POST /api/jobs/ID/on`: goes on where one was stopped, as a job of its own; what was kept stays.
pub async fn go_on(
    State(shared): State<Shared>,
    Id(id): Id,
    Read(_): Read<serde_json::Map<String, serde_json::Value>>,
) -> Answer {
    let stopped = shared
        .database
        .ask(move |tables| tables.stopped(id))
        .await?;
    let (title, told) = stopped.ok_or_else(Refused::missing)?;
    let order: Told = serde_json::from_str(&told).map_err(|_| Refused::missing())?;
    live(&shared, &order, title, told, true).await
}

/// `POST /api/plan`: what an order will need.
pub async fn plan(State(shared): State<Shared>, Read(told): Read<Told>) -> Answer {
    // What it starts from takes nothing, and is not kept for a question.
    let known = |start: &String| start != "present" && !start.starts_with("result:");
    let told = Told {
        start: told.start.clone().filter(known),
        ..told
    };
    let _one = PLANNING.acquire().await.map_err(|_| crate::Error::Ended)?;
    let told = looked(&shared, told).await?;
    let plan = blocking(move || {
        let refused = |problems| Refused {
            status: 422,
            problems,
        };
        let order = told.order(&shared.pictures, &shared.run).map_err(refused)?;
        let mut draft = order.check();
        let problems = draft.problems();
        if !problems.is_empty() {
            return Err(refused(looked_at(&problems)));
        }
        let prepared = draft.prepare(None);
        let mut job = prepared.map_err(|problems| refused(looked_at(&problems)))?;
        let content = job
            .contents
            .first_mut()
            .and_then(|content| content.picture.take());
        let content = content.ok_or_else(Refused::missing)?;
        let plan = job.stylizer.plan(&content);
        let plan = plan.map_err(|error| Refused::new(422, crate::told::of_error(&error)))?;
        let pace = job.stylizer.pace(&content).ok();
        let seconds = pace.map(|pace| {
            plan.scales
                .iter()
                .map(|scale| pace.scale(scale))
                .sum::<f64>()
        });
        let last = plan.scales.last();
        let size = last.map(|scale| (scale.width, scale.height));
        Ok(json!({"size": size, "bytes": plan.bytes(), "limit": plan.limit, "seconds": seconds}))
    });
    Ok(json(&plan.await?))
}
