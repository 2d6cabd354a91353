//! `impasto studio`: its first line is the address, and what is ordered survives whatever happens to the program.

#![cfg(all(unix, feature = "studio"))]

use crate::workshop::Workshop;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(180);

struct Studio {
    child: Child,
    address: String,
}

impl Studio {
    fn start(shop: &Workshop) -> Self {
        let mut program = shop.program();
        program.args(["studio", "--no-open", "--dir", "studio", "--quiet"]);
        let mut child = program
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut address = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut address)
            .unwrap();
        let address = address.trim().to_string();
        assert!(
            address.starts_with("http://127.0.0.1:") && address.contains("/?token="),
            "{address}"
        );
        Self { child, address }
    }

    /// Asks as a program does: with the token as bearer.
    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let (host, token) = self.address.split_once("/?token=").unwrap();
        let host = host.strip_prefix("http://").unwrap();
        let body = body.to_string();
        let mut stream = TcpStream::connect(host).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    }

    fn ids(&self, path: &str, of: &str) -> Vec<i64> {
        let rows = self.ask("GET", path, &Value::Null)[of].clone();
        let rows = rows.as_array().unwrap().iter();
        rows.map(|row| row["id"].as_i64().unwrap()).collect()
    }

    fn end(mut self, signal: &str) -> Option<i32> {
        let id = self.child.id().to_string();
        Command::new("kill").args([signal, &id]).status().unwrap();
        self.child.wait().unwrap().code()
    }
}

#[test]
fn a_second_program_prints_the_first_ones_address_and_ctrl_c_ends() {
    let shop = Workshop::new();
    let studio = Studio::start(&shop);
    let said = shop.run("studio --no-open --dir studio").done();
    assert_eq!(said.stdout.trim(), studio.address);
    assert!(said.stderr.contains("is open already"), "{said:?}");
    assert_eq!(studio.end("-INT"), Some(0));
    assert!(!shop.path("studio/studio.json").exists());
}

/// A queue of small jobs, and a program that is killed again and again while it paints them. `IMPASTO_JOBS=1000` and
/// `IMPASTO_KILLS=100` take minutes.
#[test]
fn no_job_is_lost_or_painted_twice_when_the_program_is_killed() {
    let number = |name: &str, usual: usize| {
        let told = std::env::var(name).ok();
        told.map_or(usual, |text| text.parse().unwrap())
    };
    let (jobs, kills) = (number("IMPASTO_JOBS", 60), number("IMPASTO_KILLS", 12));
    let shop = Workshop::new();
    let order = |place: usize| {
        json!({
            "content": "@lake",
            "styles": [{"picture": "@swirls", "weight": 1}],
            "size": 24 + place % 8,
            "quality": if place.is_multiple_of(3) { "draft" } else { "instant" },
            "settings": {"seed": place.to_string()},
        })
    };
    let orders: Vec<_> = (0..jobs).map(order).collect();
    let studio = Studio::start(&shop);
    let ids = studio.ask("POST", "/api/queue", &json!(orders))["ids"].clone();
    assert_eq!(ids.as_array().unwrap().len(), jobs);
    let mut studio = Some(studio);
    for kill in 0..kills {
        std::thread::sleep(Duration::from_millis(40 + 35 * (kill % 12) as u64));
        studio.take().unwrap().end("-KILL");
        studio = Some(Studio::start(&shop));
    }
    let studio = studio.unwrap();
    let began = Instant::now();
    while !studio.ids("/api/queue", "jobs").is_empty() {
        assert!(
            began.elapsed() < PATIENCE,
            "{:?}",
            studio.ids("/api/queue", "jobs")
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    let mut painted = studio.ids("/api/results", "results");
    loop {
        let oldest = painted.iter().min().copied().unwrap();
        let before = studio.ids(&format!("/api/results?before={oldest}"), "results");
        if before.is_empty() {
            break;
        }
        painted.extend(before);
    }
    painted.sort_unstable();
    let ids: Vec<_> = ids
        .as_array()
        .unwrap()
        .iter()
        .map(|id| id.as_i64().unwrap())
        .collect();
    assert_eq!(painted, ids, "each once");
    let files = std::fs::read_dir(shop.path("studio/results")).unwrap();
    let files = files.filter(|entry| {
        entry
            .as_ref()
            .unwrap()
            .path()
            .extension()
            .is_some_and(|end| end == "png")
    });
    assert_eq!(files.count(), jobs);
    assert_eq!(studio.end("-TERM"), Some(0));
}
