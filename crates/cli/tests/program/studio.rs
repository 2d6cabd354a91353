//! `impasto studio`: its first line is the address, and what is ordered survives whatever happens to the program.

#![cfg(all(unix, feature = "studio"))]

use crate::workshop::Workshop;
use impasto_video::{Channels, Frame, Info, Picture, Sink, Time, TimeBase, WriteOptions};
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
        let body = body.to_string();
        self.send(method, path, "application/json", body.as_bytes())
    }

    /// The same with a body of some type.
    fn send(&self, method: &str, path: &str, kind: &str, body: &[u8]) -> Value {
        let (host, token) = self.address.split_once("/?token=").unwrap();
        let host = host.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(host).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
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
/// `IMPASTO_KILLS=100` take a quarter of an hour.
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
    let (began, patience) = (Instant::now(), PATIENCE * (1 + jobs as u32 / 200));
    while !studio.ids("/api/queue", "jobs").is_empty() {
        assert!(
            began.elapsed() < patience,
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
    // One that is not sound is set aside when it is opened, which it was after each kill.
    assert!(!shop.path("studio/studio.db.damaged").exists());
    assert_eq!(studio.end("-TERM"), Some(0));
}

/// Writes a clip of a camera that moves over a built-in picture.
fn clip(shop: &Workshop, frames: usize) -> Vec<u8> {
    let (width, height) = (48, 32);
    let whole = impasto::examples::find("lake").unwrap().picture().unwrap();
    let info = Info {
        time_base: TimeBase::new(1, 10).unwrap(),
        ..Info::of_size(width, height, "test")
    };
    let path = shop.path("clip.mp4");
    let mut sink = Sink::create(&path, &info, &WriteOptions::default()).unwrap();
    for number in 0..frames {
        let at = |place: usize| {
            let (x, y) = (place % width + number, place / width + 40);
            let plane = whole.width() * whole.height();
            let value = |channel: usize| whole.rgb()[channel * plane + y * whole.width() + x];
            [0, 1, 2].map(|channel| (value(channel) * 255.0) as u8)
        };
        let samples = (0..width * height).flat_map(at).collect();
        let picture = Picture::eight(width, height, Channels::Rgb, samples).unwrap();
        let (number, start) = (number as u64, number as i64);
        let time = Time { start, duration: 1 };
        sink.write(&Frame {
            number,
            time,
            picture,
        })
        .unwrap();
    }
    sink.finish().unwrap();
    shop.bytes("clip.mp4")
}

/// An order for the film of a clip that is sent, a frame of which stands for it.
fn ordered(studio: &Studio, clip: &[u8]) -> Value {
    let kind = "application/octet-stream";
    let clip = studio.send("POST", "/api/clips?name=clip.mp4", kind, clip)["clip"]["id"].clone();
    let clip = clip.as_str().unwrap();
    let frame = studio.ask("POST", &format!("/api/clips/{clip}/frames/3"), &json!({}));
    json!({
        "content": frame["picture"]["id"],
        "styles": [{"picture": "@swirls", "weight": 1}, {"picture": "@waves", "weight": 0.5}],
        "size": 48,
        "quality": "draft",
        "film": {"clip": clip, "consistency": 0.5},
    })
}

fn queued(studio: &Studio, order: &Value) -> i64 {
    studio.ask("POST", "/api/queue", &json!([order]))["ids"][0]
        .as_i64()
        .unwrap()
}

/// Waits until something is so.
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// How many frames are painted of the film under way.
fn frame(studio: &Studio) -> Option<u64> {
    studio.ask("GET", "/api/state", &Value::Null)["job"]["film"]["frame"].as_u64()
}

/// A result, if it is there.
fn result(studio: &Studio, id: i64) -> Option<Value> {
    let rows = studio.ask("GET", "/api/results", &Value::Null)["results"].clone();
    let mut rows = rows.as_array().unwrap().iter();
    rows.find(|row| row["id"] == id).cloned()
}

/// What is left in the folder of checkpoints of films.
fn beginnings(shop: &Workshop) -> Vec<String> {
    let entries = std::fs::read_dir(shop.path("studio/checkpoints")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("film-")).collect()
}

#[test]
fn a_film_goes_on_where_the_program_was_killed() {
    let shop = Workshop::new();
    let clip = clip(&shop, 40);
    let mut studio = Studio::start(&shop);
    let order = ordered(&studio, &clip);
    let id = queued(&studio, &order);
    for least in [2, 14, 27] {
        until("frames", || frame(&studio).filter(|&frame| frame >= least));
        studio.end("-KILL");
        studio = Studio::start(&shop);
    }
    let row = until("it is painted", || result(&studio, id));
    assert_eq!(
        (&row["state"], &row["film"]),
        (&json!("done"), &json!(true)),
        "{row}"
    );
    assert_eq!(row["title"], "clip in swirls + waves");
    assert_eq!(beginnings(&shop), Vec::<String>::new());
    // The very film that comes of it without all that.
    let other = queued(&studio, &order);
    until("it is painted again", || result(&studio, other));
    let bytes = |id: i64| shop.bytes(&format!("studio/results/clip-swirls-waves-{id}.mp4"));
    assert!(bytes(id) == bytes(other), "not the same film");
    assert_eq!(
        crate::video::frames(&shop.path(&format!("studio/results/clip-swirls-waves-{id}.mp4")))
            .len(),
        40
    );
    // Where nobody listens any more, nothing is painted.
    queued(&studio, &order);
    until("frames", || frame(&studio).filter(|&frame| frame >= 1));
    studio.end("-KILL");
    let folder = std::fs::canonicalize(shop.path("studio")).unwrap();
    until("its painter ends", || {
        let processes = std::fs::read_dir("/proc").ok()?.flatten();
        let mut folders =
            processes.filter_map(|process| std::fs::read_link(process.path().join("cwd")).ok());
        (!folders.any(|other| other == folder)).then_some(())
    });
}

#[test]
fn a_film_waits_goes_on_is_kept_and_is_forgotten() {
    let shop = Workshop::new();
    let clip = clip(&shop, 60);
    let studio = Studio::start(&shop);
    let order = ordered(&studio, &clip);
    let id = queued(&studio, &order);
    until("frames", || frame(&studio).filter(|&frame| frame >= 2));
    // Something to look at comes first; the film goes on after it.
    let still = json!({"content": "@lake", "styles": [{"picture": "@swirls", "weight": 1}], "size": 32, "quality": "draft"});
    let live = studio.ask("POST", "/api/paint", &still)["id"]
        .as_i64()
        .unwrap();
    until("the picture is painted", || result(&studio, live));
    assert!(result(&studio, id).is_none(), "the film was not waited for");
    until("it goes on", || frame(&studio).filter(|&frame| frame >= 4));
    // Paused, it stays where it is.
    studio.ask(
        "POST",
        &format!("/api/jobs/{id}/pause"),
        &json!({"paused": true}),
    );
    until("it waits", || frame(&studio).is_none().then_some(()));
    assert_eq!(
        studio.ask("GET", "/api/queue", &Value::Null)["jobs"][0]["state"],
        "paused"
    );
    std::thread::sleep(Duration::from_millis(300));
    let size = || {
        std::fs::metadata(shop.path(&format!("studio/checkpoints/film-{id}.mp4.part")))
            .map_or(0, |about| about.len())
    };
    let before = size();
    std::thread::sleep(Duration::from_millis(700));
    assert_eq!(size(), before, "it paints while it waits");
    studio.ask(
        "POST",
        &format!("/api/jobs/{id}/pause"),
        &json!({"paused": false}),
    );
    let most = until("it goes on", || frame(&studio).filter(|&frame| frame >= 6));
    // Stopped, it is a film of what there is.
    studio.ask(
        "POST",
        &format!("/api/jobs/{id}/stop"),
        &json!({"keep": true}),
    );
    let row = until("it is kept", || result(&studio, id));
    assert_eq!(row["state"], "stopped");
    let file = shop.path(&format!("studio/results/{}", row["file"].as_str().unwrap()));
    let frames = crate::video::frames(&file).len() as u64;
    assert!((most..60).contains(&frames), "{frames}");
    // Removed, nothing is left of it.
    let other = queued(&studio, &order);
    until("frames", || frame(&studio).filter(|&frame| frame >= 1));
    studio.ask("DELETE", &format!("/api/jobs/{other}"), &Value::Null);
    until("nothing is left", || {
        beginnings(&shop).is_empty().then_some(())
    });
    assert_eq!(studio.end("-TERM"), Some(0));
}
