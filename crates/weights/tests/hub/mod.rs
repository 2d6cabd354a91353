//! A hub on this machine: an HTTP server that misbehaves as it is told.

#![allow(dead_code, reason = "each program of tests uses a part of it")]

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What was asked for.
#[derive(Clone, Debug)]
pub struct Request {
    pub path: String,
    pub range: Option<Range<usize>>,
    /// Bytes of body that were sent.
    pub sent: usize,
}

/// How a request is answered.
#[derive(Clone)]
pub enum Reply {
    /// The file, or the part that was asked for.
    File(Arc<Vec<u8>>),
    /// The file and an ETag.
    Tagged(Arc<Vec<u8>>, &'static str),
    /// All of the file, whatever was asked for.
    Whole(Arc<Vec<u8>>),
    /// All of it, without saying how long it is.
    Endless(Arc<Vec<u8>>),
    /// What was asked for, but the connection ends after so many bytes.
    Cut(Arc<Vec<u8>>, usize),
    /// What was asked for, until so many bytes were sent in all answers together; then connections end.
    Until(Arc<Vec<u8>>, Arc<AtomicUsize>),
    /// All of the file, but the connection ends after so many bytes.
    WholeCut(Arc<Vec<u8>>, usize),
    /// What was asked for, a byte at a time with a pause.
    Trickle(Arc<Vec<u8>>, Duration),
    /// Nothing for a while.
    Silence(Duration),
    /// A status and nothing else.
    Status(u16),
    /// The head of an answer with this status about a file of so many bytes, and no body.
    Claims(u16, u64),
    /// Another address, with these headers.
    Redirect(String, String),
}

/// A server and what it was asked for.
pub struct Hub {
    pub url: String,
    log: Arc<Mutex<Vec<Request>>>,
}

impl Hub {
    /// A server whose answers are a function of the path and of how many requests came before.
    pub fn new(answer: impl Fn(&str, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let log = Arc::new(Mutex::new(Vec::<Request>::new()));
        let answer = Arc::new(answer);
        let shared = log.clone();
        // It lives as long as the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, answer) = (shared.clone(), answer.clone());
                std::thread::spawn(move || serve(stream, &log, answer.as_ref()));
            }
        });
        Self { url, log }
    }

    /// A server that always answers the same.
    pub fn always(reply: Reply) -> Self {
        Self::new(move |_, _| reply.clone())
    }

    pub fn log(&self) -> Vec<Request> {
        self.log.lock().unwrap().clone()
    }

    /// Bytes of bodies that it sent.
    pub fn sent(&self) -> usize {
        self.log().iter().map(|request| request.sent).sum()
    }
}

fn serve(
    mut stream: TcpStream,
    log: &Mutex<Vec<Request>>,
    answer: &(impl Fn(&str, usize) -> Reply + ?Sized),
) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    // One connection carries several requests.
    while let Some(Ok(first)) = lines.next() {
        let path = first.split(' ').nth(1).unwrap_or("/").to_string();
        let mut range = None;
        for line in lines.by_ref().map_while(Result::ok) {
            if line.is_empty() {
                break;
            }
            let lower = line.to_ascii_lowercase();
            if let Some(bytes) = lower.strip_prefix("range: bytes=") {
                let (start, end) = bytes.split_once('-').unwrap();
                range = Some(start.parse().unwrap()..end.parse::<usize>().unwrap() + 1);
            }
        }
        let number = {
            let mut log = log.lock().unwrap();
            log.push(Request {
                path: path.clone(),
                range: range.clone(),
                sent: 0,
            });
            log.len() - 1
        };
        let mut send = Sender {
            stream: &mut stream,
            sent: 0,
        };
        let keep = send.reply(answer(&path, number), range);
        log.lock().unwrap()[number].sent = send.sent;
        if !keep {
            break;
        }
    }
}

struct Sender<'s> {
    stream: &'s mut TcpStream,
    sent: usize,
}

impl Sender<'_> {
    fn head(&mut self, text: &str) {
        let _ = self.stream.write_all(text.as_bytes());
    }

    fn body(&mut self, bytes: &[u8]) -> bool {
        let whole = self.stream.write_all(bytes).is_ok();
        self.sent += bytes.len();
        whole
    }

    /// The part that was asked for, after its head.
    fn part<'f>(&mut self, file: &'f [u8], range: Option<Range<usize>>, headers: &str) -> &'f [u8] {
        let total = file.len();
        let range = range.unwrap_or(0..total);
        let part = &file[range.start.min(total)..range.end.min(total)];
        self.head(&format!(
            "HTTP/1.1 206 Partial Content\r\nContent-Length: {}\r\nContent-Range: bytes {}-{}/{total}\r\n{headers}\r\n",
            part.len(),
            range.start,
            range.start + part.len() - 1,
        ));
        part
    }

    /// Answers, and says whether the connection may be used again.
    fn reply(&mut self, reply: Reply, range: Option<Range<usize>>) -> bool {
        match reply {
            Reply::File(file) => {
                let part = self.part(&file, range, "");
                self.body(part)
            }
            Reply::Tagged(file, etag) => {
                let part = self.part(&file, range, &format!("ETag: \"{etag}\"\r\n"));
                self.body(part)
            }
            Reply::Whole(file) => {
                self.head(&format!(
                    "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
                    file.len()
                ));
                self.body(&file)
            }
            Reply::Endless(file) => {
                self.head("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
                self.body(&file);
                false
            }
            Reply::Cut(file, after) => {
                let part = self.part(&file, range, "");
                let after = after.min(part.len());
                self.body(&part[..after]);
                after == part.len()
            }
            Reply::Until(file, left) => {
                let part = self.part(&file, range, "");
                let now = left.load(Ordering::SeqCst).min(part.len());
                left.fetch_sub(now, Ordering::SeqCst);
                self.body(&part[..now]) && now == part.len()
            }
            Reply::WholeCut(file, after) => {
                self.head(&format!(
                    "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
                    file.len()
                ));
                self.body(&file[..after]);
                false
            }
            Reply::Trickle(file, pause) => {
                let part = self.part(&file, range, "");
                part.iter().all(|&byte| {
                    std::thread::sleep(pause);
                    self.body(&[byte])
                })
            }
            Reply::Silence(time) => {
                std::thread::sleep(time);
                false
            }
            Reply::Status(status) => {
                self.head(&format!(
                    "HTTP/1.1 {status} Whatever\r\nContent-Length: 0\r\n\r\n"
                ));
                true
            }
            Reply::Claims(status, bytes) => {
                self.head(&match status {
                    206 => format!(
                        "HTTP/1.1 206 Part\r\nContent-Length: 32768\r\nContent-Range: bytes 0-32767/{bytes}\r\n\r\n"
                    ),
                    _ => format!("HTTP/1.1 {status} Whole\r\nContent-Length: {bytes}\r\n\r\n"),
                });
                false
            }
            Reply::Redirect(location, headers) => {
                self.head(&format!(
                    "HTTP/1.1 302 Found\r\nLocation: {location}\r\n{headers}Content-Length: 0\r\n\r\n"
                ));
                true
            }
        }
    }
}
