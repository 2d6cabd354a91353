//! A studio that is open, and a client that sends what it is told, byte for byte.

use impasto_studio::{Options, Started, Studio};
use impasto_testing::Folder;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long an answer may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(120);

/// A studio in a folder of its own.
pub struct Open {
    studio: Option<Studio>,
    pub port: u16,
    pub token: String,
    pub cookie: String,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// In lower case.
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let line = self
            .head
            .lines()
            .find(|line| line.starts_with(&format!("{name}: ")));
        line.map(|line| &line[name.len() + 2..])
    }
}

/// Options of tests: any port, a folder.
pub fn options(folder: &Path) -> Options {
    Options {
        folder: folder.into(),
        ..Options::default()
    }
}

impl Open {
    pub fn new(folder: &Folder) -> Self {
        Self::with(options(folder.path()))
    }

    pub fn with(options: Options) -> Self {
        let Started::Open(studio) = Studio::start(&options).unwrap() else {
            panic!("the folder is open elsewhere");
        };
        let address = studio.address().to_string();
        let (host, token) = address.split_once("/?token=").unwrap();
        let port = host.rsplit(':').next().unwrap().parse().unwrap();
        let mut open = Self {
            studio: Some(studio),
            port,
            token: token.into(),
            cookie: String::new(),
        };
        let answer = open.raw(format!(
            "GET /?token={} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n",
            open.token
        ));
        assert_eq!((answer.status, answer.header("location")), (303, Some("/")));
        let cookie = answer.header("set-cookie").unwrap();
        assert!(cookie.starts_with(&format!("impasto-{port}=")), "{cookie}");
        assert!(
            cookie.contains("httponly") && cookie.contains("samesite=strict"),
            "{cookie}"
        );
        open.cookie = cookie.split(';').next().unwrap().into();
        open
    }

    /// Ends the studio, and waits for that.
    pub fn close(mut self) {
        self.studio.take().unwrap().close();
    }

    pub fn stream(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends exactly these bytes, and reads until the other side closes.
    pub fn raw(&self, request: impl AsRef<[u8]>) -> Answer {
        let mut stream = self.stream();
        // A server that has refused need not read the rest.
        let _ = stream.write_all(request.as_ref());
        read(&mut stream)
    }

    /// A request with the cookie and further headers, each with its end of line.
    pub fn with_cookie(&self, line: &str, headers: &str, body: &[u8]) -> Answer {
        let (port, cookie, length) = (self.port, &self.cookie, body.len());
        let mut request = format!(
            "{line} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nCookie: {cookie}\r\nContent-Length: {length}\r\n{headers}Connection: close\r\n\r\n"
        )
        .into_bytes();
        request.extend(body);
        self.raw(request)
    }

    /// As the page asks.
    pub fn get(&self, path: &str) -> Answer {
        self.with_cookie(&format!("GET {path}"), "", b"")
    }

    /// As the page sends JSON.
    pub fn post(&self, path: &str, body: &str) -> Answer {
        let headers = format!(
            "Origin: http://127.0.0.1:{}\r\nContent-Type: application/json\r\n",
            self.port
        );
        self.with_cookie(&format!("POST {path}"), &headers, body.as_bytes())
    }

    /// As the page sends a file.
    pub fn send(&self, name: &str, bytes: &[u8]) -> Answer {
        let headers = format!(
            "Origin: http://127.0.0.1:{}\r\nContent-Type: application/octet-stream\r\n",
            self.port
        );
        self.with_cookie(&format!("POST /api/pictures?name={name}"), &headers, bytes)
    }

    /// Waits until something is so.
    pub fn until<T>(&self, what: &str, mut look: impl FnMut(&Value) -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            let state = self.get("/api/state").json();
            if let Some(found) = look(&state) {
                return found;
            }
            assert!(began.elapsed() < PATIENCE, "{what}: {state}");
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// The results, the newest first.
    pub fn results(&self) -> Vec<Value> {
        let answer = self.get("/api/results").json();
        answer["results"].as_array().unwrap().clone()
    }

    /// That nothing was painted, queued or sent.
    pub fn assert_untouched(&self) {
        assert_eq!(self.results().len(), 0);
        let queue = self.get("/api/queue").json();
        assert_eq!(queue["jobs"].as_array().unwrap().len(), 0);
        assert_eq!(self.get("/api/state").json()["job"], Value::Null);
    }
}

pub fn read(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    // A connection that is reset after its answer has answered.
    let _ = stream.read_to_end(&mut bytes);
    let end = bytes
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap_or(bytes.len());
    let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|word| word.parse().ok())
        .unwrap_or(0);
    let body = bytes.get(end + 4..).unwrap_or_default().to_vec();
    let body = match head.contains("transfer-encoding: chunked") {
        true => unchunked(&body),
        false => body,
    };
    Answer { status, head, body }
}

fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let length = std::str::from_utf8(&rest[..end]).ok();
        let length = length
            .and_then(|text| usize::from_str_radix(text, 16).ok())
            .unwrap_or(0);
        let content = rest.get(end + 2..end + 2 + length);
        let (Some(content), 1..) = (content, length) else {
            break;
        };
        whole.extend(content);
        rest = rest.get(end + 4 + length..).unwrap_or_default();
    }
    whole
}
