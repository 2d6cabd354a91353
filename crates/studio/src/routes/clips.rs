//! Clips that are sent, and their frames.

use super::answer::{Answer, Failed, Name, bytes, is_of, json, query};
use super::uploads::blocking;
use crate::clips::{Clip, Looked, MOST, MOST_BYTES};
use crate::told::Refused;
use crate::{Error, Shared};
use axum::body::Body;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::header::CONTENT_LENGTH;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri};
use http_body_util::BodyExt;
use impasto::picture::{Format, SaveOptions};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// How long nothing at all may arrive.
const SILENCE: Duration = Duration::from_secs(20);
/// How much has to arrive in each of these, so that nobody holds a place for ever.
const MINUTE: Duration = Duration::from_secs(60);
/// See [`MINUTE`].
const LEAST: u64 = 1 << 20;
/// Bytes that are written at once.
const AT_ONCE: usize = 1 << 20;
/// Clips that arrive at a time.
static ARRIVING: Semaphore = Semaphore::const_new(2);
/// Decoding takes much memory: one at a time.
static DECODING: Semaphore = Semaphore::const_new(1);
/// What is arriving has a number of its own.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// A file that arrives; it is removed unless it was taken in.
struct Arriving {
    path: PathBuf,
    file: File,
    hash: Sha256,
    bytes: u64,
}

impl Arriving {
    fn write(&mut self, part: &[u8]) -> Result<(), Refused> {
        self.hash.update(part);
        self.bytes += part.len() as u64;
        let path = self.path.clone();
        let written = self.file.write_all(part);
        written.map_err(|source| Error::File { path, source }.into())
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        // One that was taken in is elsewhere by now.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn too_much() -> Refused {
    Refused::new(
        413,
        format!(
            "that is more than the {} GiB that are taken",
            MOST_BYTES >> 30
        ),
    )
}

/// `POST /api/clips?name=NAME`: the clip under its id, or that it does not move.
pub async fn keep(
    State(shared): State<Shared>,
    uri: Uri,
    headers: HeaderMap,
    content: Body,
) -> Answer {
    is_of(&headers, "application/octet-stream")?;
    let told = headers.get(CONTENT_LENGTH);
    let told = told.and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if told.is_some_and(|told| told > MOST_BYTES) {
        return Err(too_much().into());
    }
    let busy = || Refused::new(503, "too many clips at once: try again in a moment");
    let arriving = tokio::time::timeout(SILENCE, ARRIVING.acquire()).await;
    let _arriving = arriving.map_err(|_| busy())?.map_err(|_| Error::Ended)?;
    let clips = shared.clips.clone();
    let arriving = blocking(move || {
        if clips.count() >= MOST {
            let problem = format!(
                "{MOST} clips are kept already: remove some from the studio's folder, clips"
            );
            return Err(Refused::new(507, problem));
        }
        let path = clips.arriving(NUMBER.fetch_add(1, Ordering::Relaxed));
        let made = File::create_new(&path);
        let file = made.map_err(|source| Error::File {
            path: path.clone(),
            source,
        })?;
        Ok(Arriving {
            path,
            file,
            hash: Sha256::new(),
            bytes: 0,
        })
    });
    let arrived = arrived(arriving.await?, content).await?;
    let name = query(&uri, "name").unwrap_or_default();
    let _decoding = DECODING.acquire().await.map_err(|_| Error::Ended)?;
    let clips = shared.clips.clone();
    let looked = blocking(move || {
        let digest = arrived.hash.clone().finalize();
        let hash: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        clips.keep(&arrived.path, &name, &hash, arrived.bytes)
    });
    Ok(json(&match looked.await? {
        Looked::Clip(clip) => json!({"clip": clip}),
        Looked::Still => json!({"still": true}),
    }))
}

/// Writes what arrives.
async fn arrived(mut arriving: Arriving, mut content: Body) -> Result<Arriving, Failed> {
    let late = || Refused::new(408, "that took too long to arrive");
    let mut part = Vec::with_capacity(AT_ONCE);
    let (mut since, mut before) = (Instant::now(), 0);
    loop {
        let next = tokio::time::timeout(SILENCE, content.frame()).await;
        let next = next.map_err(|_| late())?;
        let ended = next.is_none();
        if let Some(frame) = next {
            let broken = |_| Refused::new(400, "the connection broke before the clip was whole");
            if let Some(data) = frame.map_err(broken)?.data_ref() {
                part.extend_from_slice(data);
            }
        }
        let so_far = arriving.bytes + part.len() as u64;
        if so_far > MOST_BYTES {
            return Err(too_much().into());
        }
        if since.elapsed() > MINUTE {
            if so_far - before < LEAST {
                return Err(late().into());
            }
            (since, before) = (Instant::now(), so_far);
        }
        if part.len() >= AT_ONCE || ended {
            let full = std::mem::replace(&mut part, Vec::with_capacity(AT_ONCE));
            let written = blocking(move || arriving.write(&full).map(|()| arriving));
            arriving = written.await?;
        }
        if ended {
            return Ok(arriving);
        }
    }
}

/// A clip that is there.
async fn clip(shared: &Shared, id: String) -> Result<Clip, Failed> {
    let clips = shared.clips.clone();
    blocking(move || clips.find(&id).ok_or_else(Refused::missing)).await
}

/// `GET /api/clips/ID`.
pub async fn about(State(shared): State<Shared>, Name(id): Name) -> Answer {
    Ok(json(&json!({"clip": clip(&shared, id).await?})))
}

/// The clip and the number of a path; what is none is nothing.
pub struct Place(String, u64);

impl<S: Send + Sync> FromRequestParts<S> for Place {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failed> {
        let place = Path::<(String, u32)>::from_request_parts(parts, state).await;
        let Path((id, number)) = place.map_err(|_| Refused::missing())?;
        Ok(Self(id, number.into()))
    }
}

/// `GET /api/clips/ID/frames/N`: a frame to look at.
pub async fn frame(State(shared): State<Shared>, Place(id, number): Place) -> Answer {
    let clip = clip(&shared, id).await?;
    let _decoding = DECODING.acquire().await.map_err(|_| Error::Ended)?;
    let shown = blocking(move || shared.clips.shown(&clip, number));
    Ok(bytes("image/jpeg", shown.await?))
}

/// `POST /api/clips/ID/frames/N`: keeps a frame as a picture, to be painted as any.
pub async fn keep_frame(State(shared): State<Shared>, Place(id, number): Place) -> Answer {
    let clip = clip(&shared, id).await?;
    let _decoding = DECODING.acquire().await.map_err(|_| Error::Ended)?;
    let (clips, pictures) = (shared.clips.clone(), shared.pictures.clone());
    let kept = blocking(move || {
        let frame = clips.frame(&clip, number)?;
        let png = frame.encode(Format::Png, &SaveOptions::default());
        let png = png.map_err(Error::from)?;
        let stem = clip.name.rsplit_once('.');
        let stem = stem.map_or(clip.name.as_str(), |(stem, _)| stem);
        pictures.keep(&format!("{stem} {number}.png"), &png)
    });
    let row = kept.await?;
    let again = row.clone();
    let keep = shared
        .database
        .ask(move |tables| tables.keep_picture(&again));
    keep.await?;
    Ok(json(&json!({"picture": row})))
}
