//! Films that were painted: served in parts, as players ask for them.

use super::answer::{Answer, Id, bytes, query};
use super::results::{attached, row};
use super::uploads::blocking;
use crate::Shared;
use crate::results::is_film;
use crate::told::Refused;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, HeaderValue, RANGE};
use axum::http::{HeaderMap, StatusCode, Uri};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use tokio_stream::wrappers::ReceiverStream;

/// Bytes that are read at once.
const AT_ONCE: u64 = 256 << 10;
/// What films are, whatever they are called.
const KIND: &str = "video/mp4";

/// The bytes that a request wants of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Whole,
    /// From the first up to the last, which is one of them.
    Part(u64, u64),
    /// None that there are.
    Nothing,
}

impl Wanted {
    /// RFC 9110, section 14: one range of bytes; of several, and of what is none, the whole is given.
    fn read(headers: &HeaderMap, length: u64) -> Self {
        let range = headers.get(RANGE).and_then(|value| value.to_str().ok());
        let range = range.and_then(|text| text.strip_prefix("bytes="));
        let Some((from, to)) = range.and_then(|range| range.split_once('-')) else {
            return Wanted::Whole;
        };
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| text.parse().unwrap_or(u64::MAX))
        };
        let last = length.saturating_sub(1);
        match (number(from), number(to)) {
            (Some(from), _) if from > last || length == 0 => Wanted::Nothing,
            (Some(from), None) if to.is_empty() => Wanted::Part(from, last),
            (Some(from), Some(to)) if to >= from => Wanted::Part(from, to.min(last)),
            (None, Some(0)) if from.is_empty() => Wanted::Nothing,
            (None, Some(end)) if from.is_empty() && length > 0 => {
                Wanted::Part(length - end.min(length), last)
            }
            _ => Wanted::Whole,
        }
    }
}

/// `GET /api/results/ID/film`: the film, or a part of it; with `?save=1` as a file to be saved.
pub async fn film(
    State(shared): State<Shared>,
    Id(id): Id,
    uri: Uri,
    headers: HeaderMap,
) -> Answer {
    let (_, file) = row(&shared, id).await?;
    if !is_film(&file) {
        return Err(Refused::missing().into());
    }
    let name = file.clone();
    let opened = blocking(move || {
        let opened = File::open(shared.folder.result(&file, false));
        let opened = opened.and_then(|file| Ok((file.metadata()?.len(), file)));
        opened.map_err(|_| Refused::missing())
    });
    let (length, opened) = opened.await?;
    let wanted = Wanted::read(&headers, length);
    let (from, to) = match wanted {
        Wanted::Whole => (0, length),
        Wanted::Part(from, last) => (from, last + 1),
        Wanted::Nothing => (0, 0),
    };
    let body = match to - from {
        0 => Body::empty(),
        _ => Body::from_stream(part(opened, from, to)),
    };
    let mut answer = bytes(KIND, body);
    let range = match wanted {
        Wanted::Whole => None,
        Wanted::Part(from, last) => Some((
            StatusCode::PARTIAL_CONTENT,
            format!("bytes {from}-{last}/{length}"),
        )),
        Wanted::Nothing => Some((
            StatusCode::RANGE_NOT_SATISFIABLE,
            format!("bytes */{length}"),
        )),
    };
    let set = answer.headers_mut();
    set.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    set.insert(CONTENT_LENGTH, HeaderValue::from(to - from));
    if let Some((status, range)) = range {
        if let Ok(range) = HeaderValue::from_str(&range) {
            set.insert(CONTENT_RANGE, range);
        }
        *answer.status_mut() = status;
    }
    if query(&uri, "save").as_deref() == Some("1") {
        attached(&mut answer, &name);
    }
    Ok(answer)
}

/// Bytes of a file, read as they are sent: who does not read keeps nobody from reading.
fn part(mut file: File, from: u64, to: u64) -> ReceiverStream<io::Result<Bytes>> {
    let (send, sent) = tokio::sync::mpsc::channel(2);
    tokio::spawn(async move {
        let mut at = from;
        while at < to {
            let length = AT_ONCE.min(to - at);
            let read = tokio::task::spawn_blocking(move || {
                let mut bytes = vec![0; length as usize];
                file.seek(SeekFrom::Start(at))?;
                file.read_exact(&mut bytes)?;
                Ok::<_, io::Error>((file, bytes))
            });
            let read = read
                .await
                .unwrap_or_else(|error| Err(io::Error::other(error)));
            let (next, told) = match read {
                Ok((file, bytes)) => (Some(file), Ok(Bytes::from(bytes))),
                Err(error) => (None, Err(error)),
            };
            if send.send(told).await.is_err() {
                return;
            }
            let Some(next) = next else { return };
            file = next;
            at += length;
        }
    });
    ReceiverStream::new(sent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_those_that_are_asked_for() {
        let wanted = |range: &str, length| {
            let mut headers = HeaderMap::new();
            headers.insert(RANGE, HeaderValue::from_str(range).unwrap());
            Wanted::read(&headers, length)
        };
        for (range, found) in [
            ("bytes=0-", Wanted::Part(0, 99)),
            ("bytes=0-0", Wanted::Part(0, 0)),
            ("bytes=10-19", Wanted::Part(10, 19)),
            ("bytes=90-1000", Wanted::Part(90, 99)),
            ("bytes=90-99999999999999999999999", Wanted::Part(90, 99)),
            ("bytes=-10", Wanted::Part(90, 99)),
            ("bytes=-1000", Wanted::Part(0, 99)),
            ("bytes=100-", Wanted::Nothing),
            ("bytes=100-200", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=99999999999999999999999-", Wanted::Nothing),
            ("bytes=5-4", Wanted::Whole),
            ("bytes=-", Wanted::Whole),
            ("bytes=0-1,5-6", Wanted::Whole),
            ("bytes=a-b", Wanted::Whole),
            ("bytes=+1-2", Wanted::Whole),
            ("lines=0-1", Wanted::Whole),
        ] {
            assert_eq!(wanted(range, 100), found, "{range}");
        }
        assert_eq!(wanted("bytes=0-", 0), Wanted::Nothing);
        assert_eq!(wanted("bytes=-5", 0), Wanted::Whole);
        assert_eq!(Wanted::read(&HeaderMap::new(), 100), Wanted::Whole);
    }
}
