//! Recipes of one's own.

use super::answer::{Answer, Name, Read, done, found, json};
use super::uploads::blocking;
use crate::Shared;
use crate::order::Told;
use crate::recipes;
use crate::told::Refused;
use axum::extract::State;
use serde::Deserialize;
use serde_json::json;

/// `GET /api/recipes`: names and texts.
pub async fn list(State(shared): State<Shared>) -> Answer {
    let kept = blocking(move || Ok(recipes::all(&shared.folder)));
    Ok(json(&json!({"recipes": kept.await?})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keep {
    name: String,
    order: Told,
}

/// `POST /api/recipes`: keeps the recipe of an order under a name.
pub async fn keep(State(shared): State<Shared>, Read(Keep { name, order }): Read<Keep>) -> Answer {
    let (recipe, _) = order.recipe().map_err(|problems| Refused {
        status: 422,
        problems,
    })?;
    blocking(move || recipes::keep(&shared.folder, &name, recipe)).await?;
    done()
}

/// `DELETE /api/recipes/NAME`.
pub async fn remove(State(shared): State<Shared>, Name(name): Name) -> Answer {
    let removed = blocking(move || recipes::remove(&shared.folder, &name));
    found(removed.await?)
}
