//! What can be asked for.
//!
//! ```text
//! GET  /  /page/NAME                     the page
//! GET  /api/start /state /events /preview
//! POST /api/pictures?name=NAME           takes a picture in      GET /api/pictures/ID[/small]
//! POST /api/clips?name=NAME              takes a clip in         GET /api/clips/ID[/frames/N]
//! POST /api/clips/ID/frames/N            keeps a frame as a picture
//! POST /api/recipe /plan /paint /queue   what is ordered, as JSON
//! GET  /api/recipes                      POST /api/recipes           DELETE /api/recipes/NAME
//! GET  /api/queue                        POST /api/queue/order /pause
//! POST /api/jobs/ID/stop /pause /on /again    DELETE /api/jobs/ID
//! GET  /api/sheet?text=…                 results on one sheet
//! GET  /api/results?text=…               GET /api/results/ID/picture /film /small /settings /export
//! POST /api/results/ID/star /delete
//! ```
//!
//! Nothing that is asked for by GET changes anything. Who asks was checked before ([`access`](crate::access)).

mod answer;
mod clips;
mod films;
mod jobs;
mod recipes;
mod results;
mod start;
mod uploads;

use crate::Shared;
use crate::told::Refused;
use axum::Router;
use axum::routing::{delete, get, post};

/// Every route.
pub fn all() -> Router<Shared> {
    Router::new()
        .route("/", get(start::index))
        .route("/page/{name}", get(start::asset))
        .route("/api/start", get(start::start))
        .route("/api/state", get(start::state))
        .route("/api/events", get(start::events))
        .route("/api/preview", get(start::preview))
        .route("/api/recipe", post(start::recipe))
        .route("/api/recipes", get(recipes::list).post(recipes::keep))
        .route("/api/recipes/{name}", delete(recipes::remove))
        .route("/api/pictures", post(uploads::keep))
        .route("/api/pictures/{id}", get(uploads::picture))
        .route("/api/pictures/{id}/small", get(uploads::small))
        .route("/api/clips", post(clips::keep))
        .route("/api/clips/{id}", get(clips::about))
        .route(
            "/api/clips/{id}/frames/{number}",
            get(clips::frame).post(clips::keep_frame),
        )
        .route("/api/plan", post(jobs::plan))
        .route("/api/paint", post(jobs::paint))
        .route("/api/queue", get(jobs::queue).post(jobs::add))
        .route("/api/queue/order", post(jobs::reorder))
        .route("/api/queue/pause", post(jobs::pause_queue))
        .route("/api/jobs/{id}", delete(jobs::remove))
        .route("/api/jobs/{id}/stop", post(jobs::stop))
        .route("/api/jobs/{id}/pause", post(jobs::pause))
        .route("/api/jobs/{id}/on", post(jobs::go_on))
        .route("/api/jobs/{id}/again", post(jobs::again))
        .route("/api/sheet", get(results::sheet))
        .route("/api/results", get(results::list))
        .route("/api/results/{id}/picture", get(results::picture))
        .route("/api/results/{id}/film", get(films::film))
        .route("/api/results/{id}/small", get(results::small))
        .route("/api/results/{id}/settings", get(results::settings))
        .route("/api/results/{id}/export", get(results::export))
        .route("/api/results/{id}/star", post(results::star))
        .route("/api/results/{id}/delete", post(results::delete))
        .fallback(async || answer::refused(Refused::missing()))
}
