//! Who may ask for what: names of the host, tokens, cookies, origins.
//!
//! ```text
//! Host, exactly one of ours ─▶ Origin and Sec-Fetch-Site, ours or none ─▶ token, cookie or bearer ─▶ routes
//! ```
//!
//! A page of elsewhere reaches a port of this machine through the visitor's browser: by a name of its own that it makes lead
//! here (so names are compared exactly), by requests that browsers send without asking (so what changes something needs our
//! own origin), from another port (so cookies alone prove nothing). Whatever is refused is refused before a route is looked for.

use axum::http::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN};
use axum::http::{HeaderMap, Method, Uri, request::Parts};
use std::net::{IpAddr, SocketAddr};

/// 128 bits of the system's generator, in hexadecimal.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A new one.
    ///
    /// # Errors
    /// If the system has no random numbers.
    pub fn new() -> std::io::Result<Self> {
        let mut bytes = [0u8; 16];
        getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
        Ok(Self(
            bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        ))
    }

    /// Its digits.
    pub fn digits(&self) -> &str {
        &self.0
    }

    /// Whether a text is it, in a time that does not depend on where it differs.
    pub fn is(&self, text: &str) -> bool {
        let differing = self.0.bytes().zip(text.bytes());
        let differing = differing.fold(0, |sum, (one, other)| sum | (one ^ other));
        std::hint::black_box(differing) == 0 && self.0.len() == text.len()
    }
}

/// Digits do not belong into logs.
impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is not exactly one `Host`, or the request names another one beside it.
    NoHost,
    /// It is none of ours.
    OtherHost,
    /// It is from a page of elsewhere.
    OtherOrigin,
    /// It changes something and does not say from where it is.
    NoOrigin,
    /// It has no token, or another one.
    NoToken,
}

impl Refusal {
    /// The status and a sentence.
    pub fn told(self) -> (u16, &'static str) {
        match self {
            Refusal::NoHost => (400, "this request does not say which host it is for"),
            Refusal::OtherHost => (
                403,
                "this host is not the studio's: open the address that `impasto studio` prints",
            ),
            Refusal::OtherOrigin => (403, "other pages may not use the studio"),
            Refusal::NoOrigin => (
                403,
                "what changes something must come from the studio's own page",
            ),
            Refusal::NoToken => (
                401,
                "this address lacks its token: open the one that `impasto studio` prints, whole",
            ),
        }
    }
}

/// What a request may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// It has shown the token in the address: it gets the cookie, and is sent to the page.
    Login,
    /// It goes on to its route.
    Passed,
}

/// Names, tokens and the rules.
#[derive(Clone, Debug)]
pub struct Access {
    /// `127.0.0.1:PORT`, …
    hosts: Vec<String>,
    /// Whether the server listens on every address, so that any address by number may be ours.
    every_address: bool,
    port: u16,
    token: Token,
    cookie: Token,
}

impl Access {
    /// The rules of a server at an address; `name` is what was asked for by `--host`.
    ///
    /// # Errors
    /// If the system has no random numbers.
    pub fn new(address: SocketAddr, name: Option<&str>) -> std::io::Result<Self> {
        let port = address.port();
        let mut hosts: Vec<_> = ["127.0.0.1", "localhost", "[::1]"].map(String::from).into();
        if !address.ip().is_loopback() && !address.ip().is_unspecified() {
            hosts = vec![written(address.ip())];
        }
        if let Some(name) = name.filter(|name| name.parse::<IpAddr>().is_err()) {
            hosts.push(name.to_ascii_lowercase());
        }
        let hosts = hosts.into_iter().map(|host| format!("{host}:{port}"));
        Ok(Self {
            hosts: hosts.collect(),
            every_address: address.ip().is_unspecified(),
            port,
            token: Token::new()?,
            cookie: Token::new()?,
        })
    }

    /// The token of addresses and bearers.
    pub fn token(&self) -> &Token {
        &self.token
    }

    /// The header that gives a browser its cookie.
    pub fn set_cookie(&self) -> String {
        let (name, value) = (self.cookie_name(), self.cookie.digits());
        format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict")
    }

    /// Cookies do not know ports, so their names do.
    fn cookie_name(&self) -> String {
        format!("impasto-{}", self.port)
    }

    /// Whether a request is let in.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, request: &Parts) -> Result<Entry, Refusal> {
        let Parts {
            method,
            uri,
            headers,
            ..
        } = request;
        self.check_host(uri, headers)?;
        let bearer = self.has_bearer(headers);
        let own_origin = self.check_origin(method, uri, headers)?;
        if method == Method::GET && uri.path() == "/" && uri.query().is_some() {
            let given = uri.query().unwrap_or_default().split('&');
            let given = given.filter_map(|pair| pair.strip_prefix("token="));
            return match given.map(|digits| self.token.is(digits)).next() {
                Some(true) => Ok(Entry::Login),
                _ => Err(Refusal::NoToken),
            };
        }
        if !bearer && !self.has_cookie(headers) {
            return Err(Refusal::NoToken);
        }
        let changes = method != Method::GET && method != Method::HEAD;
        match changes && !bearer && !own_origin {
            true => Err(Refusal::NoOrigin),
            false => Ok(Entry::Passed),
        }
    }

    fn check_host(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
        let mut given = headers.get_all(HOST).iter();
        let (Some(host), None, None) = (given.next(), given.next(), uri.authority()) else {
            return Err(Refusal::NoHost);
        };
        match host.to_str().is_ok_and(|host| self.is_ours(host)) {
            true => Ok(()),
            false => Err(Refusal::OtherHost),
        }
    }

    /// Whether `HOST:PORT` is ours. An address by number cannot be made to lead elsewhere by whoever owns a name.
    fn is_ours(&self, host: &str) -> bool {
        // Browsers leave the usual port out.
        let whole = format!("{host}:80");
        let host = match self.port == 80 && !host.ends_with(":80") {
            true => &whole,
            false => host,
        };
        let by_number = || {
            let address = host.parse::<SocketAddr>().ok();
            address.is_some_and(|found| found.port() == self.port && !found.ip().is_unspecified())
        };
        self.hosts.iter().any(|ours| ours == host) || self.every_address && by_number()
    }

    /// Whether the request says that it comes from our own page.
    fn check_origin(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<bool, Refusal> {
        let mut origins = headers.get_all(ORIGIN).iter();
        let (origin, another) = (origins.next(), origins.next());
        let ours = |origin: &axum::http::HeaderValue| {
            let name = origin.to_str().ok()?.strip_prefix("http://")?;
            let same = headers.get(HOST)?.to_str().ok()? == name;
            Some(same && self.is_ours(name))
        };
        let own = origin.and_then(ours) == Some(true);
        if another.is_some() || origin.is_some() && !own {
            return Err(Refusal::OtherOrigin);
        }
        let site = headers.get("sec-fetch-site").map(|site| site.as_bytes());
        let navigates = headers
            .get("sec-fetch-mode")
            .is_some_and(|mode| mode == "navigate");
        let opens_page = method == Method::GET && uri.path() == "/" && navigates;
        match site {
            None | Some(b"same-origin" | b"none") => Ok(own),
            // A link to the page: without the cookie, which strict cookies are not sent with, it shows nothing.
            Some(_) if opens_page => Ok(own),
            Some(_) => Err(Refusal::OtherOrigin),
        }
    }

    fn has_bearer(&self, headers: &HeaderMap) -> bool {
        let given = headers.get(AUTHORIZATION);
        let given = given.and_then(|value| value.to_str().ok());
        let given = given.and_then(|value| value.strip_prefix("Bearer "));
        given.is_some_and(|digits| self.token.is(digits))
    }

    /// Another program on another port may have set one of our name as well.
    fn has_cookie(&self, headers: &HeaderMap) -> bool {
        let name = self.cookie_name();
        let lines = headers.get_all(COOKIE).iter();
        let mut pairs = lines
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='));
        pairs.any(|(key, value)| key == name && self.cookie.is(value))
    }
}

/// An address as hosts have it: of version 6 in brackets.
fn written(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(address: &str, name: Option<&str>) -> Access {
        Access::new(address.parse().unwrap(), name).unwrap()
    }

    #[test]
    fn hosts_are_compared_whole() {
        let access = access("127.0.0.1:8080", None);
        for ours in ["127.0.0.1:8080", "localhost:8080", "[::1]:8080"] {
            assert!(access.is_ours(ours), "{ours}");
        }
        for other in [
            "",
            "127.0.0.1",
            "localhost",
            "127.0.0.1:80",
            "127.0.0.1:8080.",
            "localhost.evil:8080",
            "127.0.0.1.evil:8080",
            "0.0.0.0:8080",
            "127.0.0.2:8080",
            "evil:8080",
            "[::]:8080",
        ] {
            assert!(!access.is_ours(other), "{other}");
        }
    }

    #[test]
    fn a_server_of_every_address_takes_numbers_and_its_name() {
        let access = access("0.0.0.0:8080", Some("studio.local"));
        for ours in ["192.168.1.7:8080", "studio.local:8080", "localhost:8080"] {
            assert!(access.is_ours(ours), "{ours}");
        }
        for other in [
            "0.0.0.0:8080",
            "192.168.1.7:80",
            "studio.local.evil:8080",
            "evil:8080",
        ] {
            assert!(!access.is_ours(other), "{other}");
        }
    }

    #[test]
    fn a_token_is_itself_alone() {
        let token = Token("0123456789abcdef0123456789abcdef".into());
        assert!(token.is("0123456789abcdef0123456789abcdef"));
        for place in 0..32 {
            let mut other: Vec<u8> = token.digits().bytes().collect();
            other[place] ^= 1;
            assert!(!token.is(std::str::from_utf8(&other).unwrap()), "{place}");
        }
        assert!(!token.is("") && !token.is("0123") && !token.is(&token.digits().repeat(2)));
        assert_ne!(Token::new().unwrap(), Token::new().unwrap());
    }
}
