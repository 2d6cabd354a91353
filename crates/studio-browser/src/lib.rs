//! A browser that does what it is told: as much of the WebDriver protocol (W3C, level 2) as the tests of the studio need,
//! over one connection a command, and Chromium's own protocol through it.
//!
//! Clients of other crates bring a hundred packages with them, and normalise what these tests are about.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long something may take before it is taken to be broken.
const PATIENCE: Duration = Duration::from_secs(120);
/// Flags by which Chromium needs no screen and asks nobody for anything.
const FLAGS: [&str; 8] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-device-scale-factor=1",
];
/// By which name an answer has an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser without a screen.
pub struct Browser {
    driver: Child,
    port: u16,
    session: String,
}

impl Browser {
    /// Starts one with a profile in a folder.
    ///
    /// # Errors
    /// Why there is none on this machine.
    ///
    /// # Panics
    /// If there is one and it does not start.
    pub fn start(profile: &Path) -> Result<Self, String> {
        let free = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
        let port = free.local_addr().map_err(|error| error.to_string())?.port();
        drop(free);
        let mut command = Command::new("chromedriver");
        command.arg(format!("--port={port}"));
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let driver = command.spawn();
        let driver = driver.map_err(|error| format!("chromedriver cannot be started: {error}"))?;
        let mut browser = Self {
            driver,
            port,
            session: String::new(),
        };
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if began.elapsed() > PATIENCE {
                return Err("chromedriver does not answer".into());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let profile = format!("--user-data-dir={}", profile.display());
        let flags: Vec<_> = FLAGS.iter().copied().chain([&*profile]).collect();
        let capabilities = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {"args": flags},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }}});
        let session = browser.send("POST", "/session", &capabilities);
        let session = session.unwrap_or_else(|error| panic!("the browser does not start: {error}"));
        browser.session = session["sessionId"].as_str().unwrap_or_default().into();
        Ok(browser)
    }

    /// One command of the driver, and its answer.
    fn send(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let body = if method == "GET" {
            String::new()
        } else {
            body.to_string()
        };
        let failed = |error: std::io::Error| format!("{path}: {error}");
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).map_err(failed)?;
        stream
            .set_read_timeout(Some(2 * PATIENCE))
            .map_err(failed)?;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.port,
            body.len()
        );
        stream.write_all(request.as_bytes()).map_err(failed)?;
        let content = content(&mut stream).map_err(failed)?;
        let answer: Value =
            serde_json::from_slice(&content).map_err(|error| format!("{path}: {error}"))?;
        match &answer["value"]["error"] {
            Value::String(error) => Err(format!("{path}: {error}: {}", answer["value"]["message"])),
            _ => Ok(answer["value"].clone()),
        }
    }

    fn command(&self, method: &str, path: &str, body: Value) -> Value {
        let path = format!("/session/{}{path}", self.session);
        self.send(method, &path, &body)
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// Opens an address.
    pub fn open(&self, address: &str) {
        self.command("POST", "/url", json!({"url": address}));
    }

    /// Runs a script in the page: what it returns, or what its promise comes to.
    pub fn run(&self, script: &str) -> Value {
        self.command(
            "POST",
            "/execute/sync",
            json!({"script": script, "args": []}),
        )
    }

    /// Waits until a script returns something that is true.
    ///
    /// # Panics
    /// If it does not come to be.
    pub fn until(&self, what: &str, script: &str) -> Value {
        let began = Instant::now();
        loop {
            let found = self.run(&format!("return {script}"));
            if !matches!(found, Value::Null | Value::Bool(false)) && found != 0 && found != "" {
                return found;
            }
            assert!(began.elapsed() < PATIENCE, "{what}: {script} is {found}");
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    fn element(&self, selector: &str) -> String {
        let found = self.command(
            "POST",
            "/element",
            json!({"using": "css selector", "value": selector}),
        );
        found[ELEMENT].as_str().unwrap_or_default().into()
    }

    /// Clicks on what a selector finds.
    pub fn click(&self, selector: &str) {
        let element = self.element(selector);
        self.command("POST", &format!("/element/{element}/click"), json!({}));
    }

    /// Types into what a selector finds; of a file chooser, the names of files.
    pub fn keys(&self, selector: &str, text: &str) {
        let element = self.element(selector);
        self.command(
            "POST",
            &format!("/element/{element}/value"),
            json!({"text": text}),
        );
    }

    /// A command of Chromium's own protocol.
    pub fn chromium(&self, name: &str, parameters: Value) -> Value {
        self.command(
            "POST",
            "/goog/cdp/execute",
            json!({"cmd": name, "params": parameters}),
        )
    }

    /// Makes the page as wide and high as a screen, light or dark.
    pub fn screen(&self, width: u32, height: u32, dark: bool) {
        let telephone = width < 700;
        self.chromium(
            "Emulation.setDeviceMetricsOverride",
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": telephone}),
        );
        let scheme = if dark { "dark" } else { "light" };
        self.chromium(
            "Emulation.setEmulatedMedia",
            json!({"features": [{"name": "prefers-color-scheme", "value": scheme}, {"name": "prefers-reduced-motion", "value": "reduce"}]}),
        );
    }

    /// Draws from place to place with a pen of some pressure, in pixels of the page.
    pub fn pen(&self, places: &[(f64, f64)], pressure: f64) {
        let event = |kind: &str, (x, y): (f64, f64), buttons: u32| {
            let parameters = json!({"type": kind, "x": x, "y": y, "button": "left", "buttons": buttons, "clickCount": 1, "force": pressure, "pointerType": "pen"});
            self.chromium("Input.dispatchMouseEvent", parameters);
        };
        let (Some(first), Some(last)) = (places.first(), places.last()) else {
            return;
        };
        event("mousePressed", *first, 1);
        places
            .iter()
            .for_each(|place| event("mouseMoved", *place, 1));
        event("mouseReleased", *last, 0);
    }

    /// Draws from place to place with a finger, in pixels of the page.
    pub fn touch(&self, places: &[(f64, f64)]) {
        let event = |kind: &str, points: Value| {
            let parameters = json!({"type": kind, "touchPoints": points});
            self.chromium("Input.dispatchTouchEvent", parameters);
        };
        for (at, (x, y)) in places.iter().enumerate() {
            let kind = if at == 0 { "touchStart" } else { "touchMove" };
            event(kind, json!([{"x": x, "y": y}]));
        }
        event("touchEnd", json!([]));
    }

    /// What the page looks like, as PNG.
    pub fn screenshot(&self) -> Vec<u8> {
        let text = self.command("GET", "/screenshot", Value::Null);
        base64(text.as_str().unwrap_or_default())
    }

    /// Errors and warnings in the console since it was asked last.
    pub fn complaints(&self) -> Vec<String> {
        let log = self.command("POST", "/se/log", json!({"type": "browser"}));
        let entries = log.as_array().into_iter().flatten();
        let bad = entries.filter(|entry| {
            ["SEVERE", "WARNING"].contains(&entry["level"].as_str().unwrap_or_default())
        });
        bad.map(|entry| entry["message"].to_string()).collect()
    }

    /// Addresses that were asked for since it was asked last.
    pub fn requests(&self) -> Vec<String> {
        let log = self.command("POST", "/se/log", json!({"type": "performance"}));
        let entries = log.as_array().into_iter().flatten();
        let messages = entries
            .filter_map(|entry| serde_json::from_str::<Value>(entry["message"].as_str()?).ok());
        let sent =
            messages.filter(|message| message["message"]["method"] == "Network.requestWillBeSent");
        let sent = sent.filter_map(|message| {
            Some(
                message["message"]["params"]["request"]["url"]
                    .as_str()?
                    .to_string(),
            )
        });
        sent.collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            // The driver ends the browser; if it cannot, ending the driver does.
            let _ = self.send("DELETE", &format!("/session/{}", self.session), &json!({}));
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// The body of an answer, whose length its head tells: the driver keeps connections open.
fn content(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut reader = BufReader::new(stream);
    let (mut length, mut line) = (0, String::new());
    while reader.read_line(&mut line)? > 2 {
        let lower = line.to_ascii_lowercase();
        if let Some(told) = lower.strip_prefix("content-length:") {
            length = told.trim().parse().unwrap_or(0);
        }
        line.clear();
    }
    let mut bytes = vec![0; length];
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// RFC 4648, section 4; what is none of its letters is passed over.
fn base64(text: &str) -> Vec<u8> {
    let value = |letter: u8| match letter {
        b'A'..=b'Z' => Some(letter - b'A'),
        b'a'..=b'z' => Some(letter - b'a' + 26),
        b'0'..=b'9' => Some(letter - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let (mut bytes, mut held, mut bits) = (Vec::new(), 0u32, 0);
    for six in text.bytes().filter_map(value) {
        held = held << 6 | u32::from(six);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
            held &= (1 << bits) - 1;
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    #[test]
    fn screenshots_are_decoded() {
        assert_eq!(super::base64("aW1wYXN0bw=="), b"impasto");
        assert_eq!(super::base64("+/8="), [0xfb, 0xff]);
    }
}
