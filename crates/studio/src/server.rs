//! The server: connections with deadlines, who may ask for what, and headers on every answer.

use crate::access::{Entry, Refusal};
use crate::{Error, Shared, routes};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, LOCATION, REFERRER_POLICY,
    SET_COOKIE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderName, Response, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::net::TcpListener;
use std::pin::pin;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};

/// The most connections at a time.
const CONNECTIONS: usize = 512;
/// How long the head of a request may take.
const HEAD: Duration = Duration::from_secs(10);
/// How long answers may take that are under way when the studio is closed.
const CLOSING: Duration = Duration::from_secs(2);
/// Threads that decode pictures and read files.
const BLOCKING: usize = 4;

/// What a page may do: load what is ours, and be framed by nobody.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self'; connect-src 'self'; \
                      frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// What every answer has, errors too. What an answer says of its caching, it says itself.
const HEADERS: [(HeaderName, &str); 6] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// Starts the thread of the server.
///
/// # Errors
/// [`Error::Thread`].
pub fn start(listener: TcpListener, shared: Shared) -> Result<JoinHandle<()>, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .max_blocking_threads(BLOCKING)
        .build()
        .map_err(Error::Thread)?;
    let run = move || {
        runtime.block_on(serve(listener, shared));
        runtime.shutdown_timeout(CLOSING);
    };
    let thread = std::thread::Builder::new().name("impasto-studio".into());
    thread.spawn(run).map_err(Error::Thread)
}

async fn serve(listener: TcpListener, shared: Shared) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return log::error!("the studio cannot listen: {error}"),
    };
    let mut state = shared.events.listen();
    let closing = state.clone();
    let router = routes::all()
        .layer(from_fn_with_state(shared.clone(), guard))
        .with_state(shared);
    let connections = Arc::new(Semaphore::new(CONNECTIONS));
    let mut closed = pin!(async move { drop(state.wait_for(|state| state.closing).await) });
    loop {
        let Ok(permit) = connections.clone().acquire_owned().await else {
            return;
        };
        tokio::select! {
            () = &mut closed => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let (router, closing) = (router.clone(), closing.clone());
                    tokio::spawn(async move {
                        connection(stream, router, closing).await;
                        drop(permit);
                    });
                }
                // Too many files are open, say: others may be closed soon.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            },
        }
    }
    let all = connections.acquire_many(CONNECTIONS as u32);
    let _ = tokio::time::timeout(CLOSING, all).await;
}

async fn connection(
    stream: TcpStream,
    router: Router,
    mut closing: watch::Receiver<crate::events::State>,
) {
    let _ = stream.set_nodelay(true);
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD);
    let service = TowerToHyperService::new(router);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let closed = async { drop(closing.wait_for(|state| state.closing).await) };
    // What goes wrong with a connection is the matter of whoever opened it.
    tokio::select! {
        _ = connection.as_mut() => {}
        () = closed => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

/// Lets a request in or not, and puts our headers on its answer.
async fn guard(State(shared): State<Shared>, request: Request, next: Next) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let mut answer = match shared.access.check(&parts) {
        Ok(Entry::Passed) => next.run(Request::from_parts(parts, body)).await,
        Ok(Entry::Login) => login(&shared),
        Err(refusal) => refused(refusal),
    };
    let headers = answer.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    answer
}

/// The token was in the address: the browser gets its cookie, and an address without the token.
fn login(shared: &Shared) -> Response<Body> {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::SEE_OTHER;
    let headers = answer.headers_mut();
    headers.insert(LOCATION, HeaderValue::from_static("/"));
    if let Ok(cookie) = HeaderValue::from_str(&shared.access.set_cookie()) {
        headers.insert(SET_COOKIE, cookie);
    }
    answer
}

fn refused(refusal: Refusal) -> Response<Body> {
    let (status, sentence) = refusal.told();
    let mut answer = Response::new(Body::from(format!("{sentence}\n")));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::FORBIDDEN);
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    answer.headers_mut().insert(CONTENT_TYPE, text);
    answer
}
