//! One HTTP request at a time: ranges, redirects, proxies, time-outs.
//!
//! Certificates come from `SSL_CERT_FILE` if it is set, and are those that are built in otherwise. A redirect from
//! https to http is refused.

use super::proxy;
use std::io::Read;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

/// Makes requests.
pub(super) struct Client {
    agent: ureq::Agent,
    patience: Duration,
    /// Whether proxies are taken from the environment.
    proxies: bool,
}

/// A server's answer that carries bytes of the file.
pub(super) struct Answer {
    /// Where in the file the body starts.
    pub(super) start: u64,
    /// The size of the whole file, if it is said.
    pub(super) total: Option<u64>,
    /// It is a part of the file, as was asked for.
    pub(super) partial: bool,
    /// What tells this version of the file from others.
    pub(super) etag: Option<String>,
    /// The SHA-256 of the whole file, where a hub says it.
    pub(super) sha256: Option<String>,
    pub(super) body: Box<dyn Read>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Trying again may help.
    Passing(String),
    /// It will not.
    Lasting(String),
    /// The range is not one of the file: it is another one than before.
    NoSuchRange,
}

const NO_ADDRESS: &str = "its name cannot be resolved: this machine is offline, or needs a proxy";

/// Hops from address to address that are followed.
const MAX_REDIRECTS: usize = 10;

impl Client {
    pub(super) fn new(patience: Duration, proxies: bool) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_resolve(Some(patience))
            .timeout_connect(Some(patience))
            .timeout_recv_response(Some(patience))
            .timeout_per_read(Some(patience))
            .user_agent(concat!("impasto/", env!("CARGO_PKG_VERSION")))
            .tls_config(TlsConfig::builder().root_certs(certificates()).build())
            // Each request has its own: it depends on the address.
            .proxy(None);
        Self {
            agent: config.build().new_agent(),
            patience,
            proxies,
        }
    }

    /// Asks for a range of a file.
    pub(super) fn get(&self, url: &str, range: Range<u64>) -> Result<Answer, Refusal> {
        let mut url = url.to_string();
        let mut sha256 = None;
        for _ in 0..=MAX_REDIRECTS {
            let last = range.end.saturating_sub(1);
            let proxy = match self.proxies {
                true => proxy::of(&url, |name| std::env::var(name).ok()),
                false => Ok(None),
            };
            let request = self
                .agent
                .get(&url)
                .config()
                .proxy(proxy.map_err(Refusal::Lasting)?)
                .build()
                .header("Range", format!("bytes={}-{last}", range.start))
                .header("Accept-Encoding", "identity");
            let response = request.call().map_err(|error| self.refusal(error))?;
            let header = |name: &str| {
                let value = response.headers().get(name)?;
                Some(value.to_str().ok()?.trim().to_string())
            };
            // Hugging Face says so on the way to its storage.
            let stated = header("x-linked-etag").map(|etag| etag.trim_matches('"').to_string());
            sha256 = stated.filter(|stated| stated.len() == 64).or(sha256);
            let status = response.status().as_u16();
            match status {
                200 | 206 => {}
                301 | 302 | 303 | 307 | 308 => {
                    let next = header("location").map(|location| join(&url, &location));
                    let next = next.ok_or_else(|| {
                        Refusal::Lasting("it redirects without saying where to".into())
                    })?;
                    if url.starts_with("https:") && !next.starts_with("https:") {
                        return Err(Refusal::Lasting(format!(
                            "it redirects to {next}, which is not secure"
                        )));
                    }
                    url = next;
                    continue;
                }
                _ => return Err(of_status(status)),
            }
            let length = header("content-length").and_then(|length| length.parse().ok());
            let place = header("content-range").and_then(|place| content_range(&place));
            let (start, total) = match (status, place) {
                (206, Some((start, total))) => (start, total),
                (206, None) => {
                    return Err(Refusal::Lasting(
                        "it sends a part of the file without saying which".into(),
                    ));
                }
                _ => (0, length),
            };
            let etag = header("etag").filter(|etag| !etag.starts_with("W/"));
            return Ok(Answer {
                start,
                total,
                partial: status == 206,
                etag,
                sha256,
                body: Box::new(response.into_body().into_reader()),
            });
        }
        Err(Refusal::Lasting(format!(
            "it redirects more than {MAX_REDIRECTS} times"
        )))
    }

    /// What an error of the connection means.
    pub(super) fn refusal(&self, error: ureq::Error) -> Refusal {
        use ureq::Error;
        let seconds = self.patience.as_secs_f32();
        match error {
            Error::HostNotFound => Refusal::Passing(NO_ADDRESS.into()),
            // What the system's resolver says has no kind of its own.
            Error::Io(error) if error.to_string().contains("lookup address") => {
                Refusal::Passing(NO_ADDRESS.into())
            }
            Error::Timeout(_) => Refusal::Passing(format!("it did not answer within {seconds} s")),
            Error::Io(error) => match error.kind() {
                std::io::ErrorKind::TimedOut | std::io::ErrorKind::WouldBlock => {
                    Refusal::Passing(format!("it did not answer within {seconds} s"))
                }
                _ => Refusal::Passing(format!("the connection failed: {error}")),
            },
            Error::ConnectionFailed => Refusal::Passing("the connection failed".into()),
            Error::ConnectProxyFailed(why) => Refusal::Lasting(format!("the proxy refused: {why}")),
            Error::Tls(_) | Error::Rustls(_) => Refusal::Lasting(format!(
                "the secure connection failed: {error}; where a company inspects connections, name its certificates in SSL_CERT_FILE"
            )),
            Error::BadUri(why) => Refusal::Lasting(format!("it is not an address: {why}")),
            error => Refusal::Lasting(error.to_string()),
        }
    }
}

/// What a status means that brings no file.
fn of_status(status: u16) -> Refusal {
    match status {
        404 | 410 => Refusal::Lasting(format!("the file is not there (status {status})")),
        401 | 403 | 407 | 451 => Refusal::Lasting(format!("access is refused (status {status})")),
        416 => Refusal::NoSuchRange,
        408 | 425 | 429 => Refusal::Passing(format!("the server is busy (status {status})")),
        500..=599 => Refusal::Passing(format!("the server has an error (status {status})")),
        _ => Refusal::Lasting(format!("the server answers with status {status}")),
    }
}

/// The certificates that are trusted.
fn certificates() -> RootCerts {
    let file = std::env::var_os("SSL_CERT_FILE").and_then(|path| std::fs::read(path).ok());
    let own: Vec<_> = file
        .iter()
        .flat_map(|pem| parse_pem(pem))
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate.to_owned()),
            _ => None,
        })
        .collect();
    match own.is_empty() {
        true => RootCerts::WebPki,
        false => RootCerts::Specific(Arc::new(own)),
    }
}

/// Start and total of `bytes 0-99/1234`; the total may be `*`.
fn content_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (place, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (start, _) = place.split_once('-')?;
    Some((start.trim().parse().ok()?, total.trim().parse().ok()))
}

/// The address that a redirect from `base` to `location` means (RFC 3986, section 5.2, as far as servers use it).
fn join(base: &str, location: &str) -> String {
    let (scheme, rest) = base.split_once("://").unwrap_or(("https", base));
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let path = rest[host.len()..]
        .split(['?', '#'])
        .next()
        .unwrap_or_default();
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    match location {
        _ if location.contains("://") => location.into(),
        _ if location.starts_with("//") => format!("{scheme}:{location}"),
        _ if location.starts_with('/') => format!("{scheme}://{host}{location}"),
        _ => format!("{scheme}://{host}{folder}/{location}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_are_resolved() {
        for (base, location, expected) in [
            ("https://a/b/c", "https://x/y", "https://x/y"),
            ("https://a/b/c?q=/1", "d", "https://a/b/d"),
            ("http://a:80/b/c", "/d?e", "http://a:80/d?e"),
            ("https://a/b", "//x/y", "https://x/y"),
            ("https://a", "b", "https://a/b"),
        ] {
            assert_eq!(join(base, location), expected);
        }
    }

    #[test]
    fn ranges_are_read() {
        assert_eq!(content_range("bytes 5-9/100"), Some((5, Some(100))));
        assert_eq!(content_range("bytes 0-0/*"), Some((0, None)));
        for bad in ["", "bytes */100", "items 0-1/2", "bytes x-1/2", "bytes 1"] {
            assert_eq!(content_range(bad), None, "{bad}");
        }
    }
}
