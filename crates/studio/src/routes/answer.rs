//! How requests are read and answered.

use crate::told::Refused;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// The most bytes of an order.
const MOST: usize = 1 << 20;
/// How long an order may take to arrive.
const DEADLINE: Duration = Duration::from_secs(10);

/// An answer, or why there is none.
pub type Answer = Result<Response<Body>, Failed>;

/// Why a request was not done.
pub struct Failed(pub Refused);

impl<E: Into<Refused>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl axum::response::IntoResponse for Failed {
    fn into_response(self) -> Response<Body> {
        refused(self.0)
    }
}

/// The answer to what is refused: `{"problems": ["…"]}`.
pub fn refused(refused: Refused) -> Response<Body> {
    let mut answer = json(&serde_json::json!({"problems": refused.problems}));
    *answer.status_mut() = StatusCode::from_u16(refused.status).unwrap_or(StatusCode::BAD_REQUEST);
    answer
}

/// Bytes of a type.
pub fn bytes(kind: &'static str, bytes: impl Into<Body>) -> Response<Body> {
    let mut answer = Response::new(bytes.into());
    let kind = HeaderValue::from_static(kind);
    answer.headers_mut().insert(CONTENT_TYPE, kind);
    answer
}

/// JSON.
pub fn json(value: &impl Serialize) -> Response<Body> {
    // Maps of these have texts as keys: nothing can go wrong.
    bytes(
        "application/json",
        serde_json::to_vec(value).unwrap_or_default(),
    )
}

/// That it is done.
pub fn done() -> Answer {
    Ok(json(&serde_json::json!({})))
}

/// That there is something, or not.
pub fn found(found: bool) -> Answer {
    if found {
        done()
    } else {
        Err(Refused::missing().into())
    }
}

/// A name in a path; what is none names nothing.
pub struct Name(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failed> {
        let name = Path::<String>::from_request_parts(parts, state).await;
        let Path(name) = name.map_err(|_| Refused::missing())?;
        Ok(Self(name))
    }
}

/// A number in a path.
pub struct Id(pub i64);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failed> {
        let Name(text) = Name::from_request_parts(parts, state).await?;
        let number: u32 = text.parse().map_err(|_| Refused::missing())?;
        Ok(Self(number.into()))
    }
}

/// The type of a request's body.
pub fn is_of(headers: &HeaderMap, kind: &str) -> Result<(), Failed> {
    let given = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let given = given
        .and_then(|value| value.split(';').next())
        .unwrap_or_default();
    match given.trim().eq_ignore_ascii_case(kind) {
        true => Ok(()),
        false => Err(Refused::new(415, format!("what is sent here must be {kind}")).into()),
    }
}

/// The bytes of a request, so many at most, in so much time at most.
pub async fn body(
    headers: &HeaderMap,
    body: Body,
    most: usize,
    deadline: Duration,
) -> Result<Bytes, Failed> {
    let too_much = || {
        Refused::new(
            413,
            format!("that is more than the {} MiB that are taken", most >> 20),
        )
    };
    let told = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok());
    let told = told.and_then(|text| text.parse::<u64>().ok());
    if told.is_some_and(|told| told > most as u64) {
        return Err(too_much().into());
    }
    let read = tokio::time::timeout(deadline, Limited::new(body, most).collect()).await;
    let late = Refused::new(408, "that took too long to arrive");
    let read = read.map_err(|_| late)?.map_err(|_| too_much())?;
    Ok(read.to_bytes())
}

/// What a request says in JSON.
pub struct Read<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Read<T> {
    type Rejection = Failed;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failed> {
        let (parts, content) = request.into_parts();
        is_of(&parts.headers, "application/json")?;
        let bytes = body(&parts.headers, content, MOST, DEADLINE).await?;
        let said = serde_json::from_slice(&bytes);
        Ok(Self(said.map_err(|error| Refused::new(422, error))?))
    }
}

/// What is in the query under a name, decoded.
pub fn query(uri: &axum::http::Uri, name: &str) -> Option<String> {
    let pairs = uri.query().unwrap_or_default().split('&');
    let mut pairs = pairs.filter_map(|pair| pair.split_once('='));
    let (_, text) = pairs.find(|(key, _)| *key == name)?;
    Some(decoded(text))
}

/// `%20` and `+` as what they stand for.
fn decoded(text: &str) -> String {
    let (mut bytes, given) = (Vec::new(), text.as_bytes());
    let digit = |at: usize| char::from(*given.get(at)?).to_digit(16);
    let mut at = 0;
    while let Some(&byte) = given.get(at) {
        let pair = digit(at + 1).zip(digit(at + 2)).filter(|_| byte == b'%');
        bytes.push(match (byte, pair) {
            (_, Some((high, low))) => (high * 16 + low) as u8,
            (b'+', _) => b' ',
            (other, _) => other,
        });
        at += if pair.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_decoded() {
        let uri = |text: &str| text.parse::<axum::http::Uri>().unwrap();
        let found = query(&uri("/a?name=my%20photo%C3%BC.png&x=1+2"), "name");
        assert_eq!(found.as_deref(), Some("my photoü.png"));
        assert_eq!(query(&uri("/a?x=1+2"), "x").as_deref(), Some("1 2"));
        assert_eq!(query(&uri("/a?x=%4"), "x").as_deref(), Some("%4"));
        assert_eq!(query(&uri("/a?xx=1"), "x"), None);
    }
}
