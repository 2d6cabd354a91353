//! What pages of elsewhere, other programs and the curious try. Each is refused, and nothing has changed.

use crate::open::{Open, options, read};
use impasto_studio::{Started, Studio};
use impasto_testing::Folder;
use serde_json::json;
use std::io::{Read, Write};
use std::time::{Duration, Instant};

/// Of every kind: the page, a script, events, a preview, an answer, nothing.
const ROUTES: [&str; 6] = [
    "/",
    "/page/main.js",
    "/api/events",
    "/api/preview",
    "/api/state",
    "/no",
];
/// An order that would be painted.
const ORDER: &str = r#"{"content": "@lake", "styles": [{"picture": "@swirls", "weight": 1}], "size": 32, "quality": "instant"}"#;

#[test]
fn other_hosts_are_refused_on_every_route() {
    let folder = Folder::new();
    let open = Open::new(&folder);
    let (port, cookie) = (open.port, &open.cookie);
    let other = port ^ 1;
    let hosts = [
        "attacker.example".to_string(),
        format!("attacker.example:{port}"),
        format!("127.0.0.1.attacker.example:{port}"),
        format!("localhost.attacker.example:{port}"),
        format!("0.0.0.0:{port}"),
        format!("127.0.0.1:{other}"),
        "127.0.0.1".into(),
        format!("127.0.0.1:{port}:80"),
        format!("LOCALHOST:{port}@evil"),
    ];
    for route in ROUTES {
        for host in &hosts {
            // The same name as origin, and a forged word of the browser: that is rebinding.
            for more in [
                "".to_string(),
                format!("Origin: http://{host}\r\nSec-Fetch-Site: same-origin\r\n"),
            ] {
                let answer = open.raw(format!(
                    "GET {route} HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\n{more}Connection: close\r\n\r\n"
                ));
                assert!(
                    [400, 403].contains(&answer.status),
                    "{route} {host}: {answer:?}"
                );
                assert!(
                    answer.status == 400
                        || answer.header("x-content-type-options") == Some("nosniff")
                );
            }
        }
        let none = open.raw(format!(
            "GET {route} HTTP/1.1\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n"
        ));
        assert_eq!(none.status, 400, "{route}: no host");
        let two = open.raw(format!(
            "GET {route} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nHost: attacker.example\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n"
        ));
        assert_eq!(two.status, 400, "{route}: two hosts");
    }
    let absolute = open.raw(format!(
        "GET http://attacker.example/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n"
    ));
    assert_eq!(absolute.status, 400);
    for host in [format!("localhost:{port}"), format!("127.0.0.1:{port}")] {
        let ours = open.raw(format!(
            "GET / HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n"
        ));
        assert_eq!(ours.status, 200);
    }
    open.assert_untouched();
}

#[test]
fn what_changes_something_needs_our_own_origin() {
    let folder = Folder::new();
    let open = Open::new(&folder);
    let port = open.port;
    let json = "Content-Type: application/json\r\n";
    let foreign = [
        "Origin: null\r\n".to_string(),
        format!(
            "Origin: http://127.0.0.1:{}\r\nSec-Fetch-Site: same-site\r\n",
            port ^ 1
        ),
        format!("Origin: http://localhost:{port}\r\n"),
        format!("Origin: https://127.0.0.1:{port}\r\n"),
        format!("Origin: http://127.0.0.1:{port}.evil\r\n"),
        format!("Origin: http://127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:{port}\r\n"),
        "Origin: http://attacker.example\r\nUser-Agent: curl/8\r\n".into(),
        format!("Origin: http://127.0.0.1:{port}\r\nSec-Fetch-Site: cross-site\r\n"),
        String::new(),
    ];
    for headers in &foreign {
        for line in [
            "POST /api/paint",
            "POST /api/queue",
            "PUT /api/paint",
            "PATCH /api/paint",
            "DELETE /api/jobs/1",
            "BREW /api/paint",
        ] {
            for kind in [
                json,
                "Content-Type: text/plain\r\n",
                "Content-Type: multipart/form-data; boundary=x\r\n",
            ] {
                let answer = open.with_cookie(line, &format!("{headers}{kind}"), ORDER.as_bytes());
                assert_eq!(answer.status, 403, "{line} {headers}: {answer:?}");
            }
        }
    }
    let preflight = open.with_cookie(
        "OPTIONS /api/paint",
        "Origin: http://attacker.example\r\nAccess-Control-Request-Method: POST\r\n",
        b"",
    );
    assert_eq!(preflight.status, 403);
    assert!(!preflight.head.contains("access-control"), "{preflight:?}");
    // Our own page, but nothing that its scripts would send.
    let own = format!("Origin: http://127.0.0.1:{port}\r\n");
    for kind in [
        "Content-Type: text/plain\r\n",
        "Content-Type: application/x-www-form-urlencoded\r\n",
        "",
    ] {
        let answer = open.with_cookie("POST /api/paint", &format!("{own}{kind}"), ORDER.as_bytes());
        assert_eq!(answer.status, 415, "{kind}");
    }
    for line in [
        "PUT /api/paint",
        "BREW /api/paint",
        "POST /",
        "POST /api/state",
    ] {
        let answer = open.with_cookie(line, &format!("{own}{json}"), ORDER.as_bytes());
        assert_eq!(answer.status, 405, "{line}");
    }
    open.assert_untouched();
    let bearer = format!("Authorization: Bearer {}\r\n", open.token);
    let answer = open.raw(format!(
        "POST /api/queue/pause HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{bearer}{json}Content-Length: 15\r\nConnection: close\r\n\r\n{{\"paused\":true}}"
    ));
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(open.get("/api/state").json()["paused"], true);
}

#[test]
fn events_are_ours_alone_and_no_other_protocol_is_spoken() {
    let folder = Folder::new();
    let open = Open::new(&folder);
    let foreign = open.with_cookie(
        "GET /api/events",
        "Origin: http://attacker.example\r\n",
        b"",
    );
    assert_eq!(foreign.status, 403);
    let image = open.with_cookie(
        "GET /api/preview",
        "Sec-Fetch-Site: same-site\r\nSec-Fetch-Mode: no-cors\r\n",
        b"",
    );
    assert_eq!(image.status, 403);
    let upgrade = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    assert_ne!(open.with_cookie("GET /api/state", upgrade, b"").status, 101);
    let foreign = format!("{upgrade}Origin: http://attacker.example\r\n");
    assert_eq!(
        open.with_cookie("GET /api/state", &foreign, b"").status,
        403
    );
}

#[test]
fn a_token_opens_the_page_and_nothing_else() {
    let folder = Folder::new();
    let open = Open::new(&folder);
    let (port, token) = (open.port, &open.token);
    let get = |path: &str, more: &str| {
        open.raw(format!(
            "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{more}Connection: close\r\n\r\n"
        ))
    };
    for route in ROUTES {
        assert_eq!(get(route, "").status, 401, "{route}");
        if route != "/" {
            assert_eq!(
                get(&format!("{route}?token={token}"), "").status,
                401,
                "{route}"
            );
        }
    }
    for place in 0..token.len() {
        let mut other = token.clone().into_bytes();
        other[place] = if other[place] == b'0' { b'1' } else { b'0' };
        let other = String::from_utf8(other).unwrap();
        assert_eq!(get(&format!("/?token={other}"), "").status, 401);
        assert_eq!(
            get("/api/state", &format!("Authorization: Bearer {other}\r\n")).status,
            401
        );
    }
    let others = Folder::new();
    let another = Open::new(&others);
    for wrong in ["", "0", &token[1..], &format!("{token}0"), &another.token] {
        assert_eq!(get(&format!("/?token={wrong}"), "").status, 401, "{wrong}");
    }
    let cookie = format!("Cookie: impasto-{port}={token}\r\n");
    assert_eq!(
        get("/api/state", &cookie).status,
        401,
        "the token is no cookie"
    );
    // A program on another port has set a cookie of our name: ours counts still, and theirs never does.
    let theirs = format!("Cookie: impasto-{port}=0123; {}\r\n", open.cookie);
    assert_eq!(get("/api/state", &theirs).status, 200);
    let redirected = get(&format!("/?token={token}&next=//evil"), "");
    assert_eq!(
        (redirected.status, redirected.header("location")),
        (303, Some("/"))
    );
    assert!(!redirected.head.contains("evil"));
}

#[test]
fn every_answer_is_armed() {
    let folder = Folder::new();
    let open = Open::new(&folder);
    let port = open.port;
    let refused = open.raw(format!(
        "GET /api/state HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
    ));
    for answer in [
        refused,
        open.get("/"),
        open.get("/no"),
        open.get("/api/state"),
        open.post("/api/paint", "{"),
        open.post("/", ""),
    ] {
        let policy = answer.header("content-security-policy").unwrap();
        assert!(
            policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
        assert!(
            !policy.contains("unsafe") && !policy.contains('*'),
            "{policy}"
        );
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("x-frame-options", "deny"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{answer:?}");
        }
        assert!(!answer.head.contains("access-control") && !answer.head.contains(&open.token));
    }
}

#[test]
fn paths_lead_nowhere() {
    let folder = Folder::new();
    let open = Open::new(&folder);
    let long = "a".repeat(7_000);
    for path in [
        "//evil/..",
        "/../../etc/passwd",
        "/page/../../etc/passwd",
        "/page/..%2f..%2fetc%2fpasswd",
        "/page/%2e%2e%2f%2e%2e%2fetc/passwd",
        "/page/..%5c..%5cwindows",
        "/page/main.js%00.png",
        "//etc/passwd",
        "/C:%5cWindows",
        "/page/%c0%ae%c0%ae/x",
        "/page/%252e%252e%252fetc",
        "/api/results/../../etc/passwd",
        "/api/results/1/../../../etc/passwd",
        "/api/pictures/..%2f..%2fstudio.db",
        "/api/pictures/%00",
        "/api/pictures/%c0%ae",
        "/api/pictures/@../lake",
        "/api/pictures/0123",
        "/api/results//picture",
        "/api/results/1/picture",
        "/api/results/-1/picture",
        "/api/results/1'%20OR%201=1/picture",
        "/api/results/99999999999999999999/picture",
        "/api/results/1e3/small",
        "/results/x.png",
        "/studio.json",
        &format!("/api/pictures/{long}"),
    ] {
        let answer = open.get(path);
        assert_eq!(answer.status, 404, "{path}: {answer:?}");
    }
    for (line, body) in [
        ("/api/results/1/star", r#"{"starred": true}"#),
        ("/api/results/7/delete", r#"{"deleted": true}"#),
        ("/api/jobs/1/stop", r#"{"keep": true}"#),
        ("/api/jobs/..%2f/pause", r#"{"paused": true}"#),
        ("/api/jobs/1/on", "{}"),
    ] {
        assert_eq!(open.post(line, body).status, 404, "{line}");
    }
}

#[test]
fn orders_that_are_none_are_told_why() {
    let folder = Folder::new();
    let open = Open::new(&folder);
    let styles = (0..100)
        .map(|_| json!({"picture": "@swirls", "weight": 1}))
        .collect::<Vec<_>>();
    let many = json!({"content": "@lake", "styles": styles}).to_string();
    let deep = "[".repeat(10_000);
    let with = |more: &str| {
        format!(
            r#"{{"content": "@lake", "styles": [{{"picture": "@swirls", "weight": 1}}], {more}}}"#
        )
    };
    for (order, words) in [
        ("", "EOF"),
        ("[]", "missing"),
        (deep.as_str(), "invalid type"),
        (&with(r#""keep": NaN"#), "expected"),
        (&with(r#""keep": 1e400"#), "range"),
        (&with(r#""steps": -1"#), "expected u32"),
        (&with(r#""size": 32768"#), "between 16 and 16384"),
        (&with(r#""keep": 1e9"#), "between -100 and 100"),
        (&with(r#""encoder": "/etc/passwd""#), "unknown field"),
        (&with(r#""model": "x""#), "unknown field"),
        (&with(r#""recipe": "/etc/passwd""#), "there is no recipe"),
        (&with(r#""recipe": "./x.toml""#), "there is no recipe"),
        (&with(r#""start": "/etc/passwd""#), "no picture"),
        (&with(r#""start": "http://127.0.0.1/""#), "no picture"),
        (
            &with(r#""text": "version = 2\nencoder = \"/etc/passwd\"""#),
            "line 2",
        ),
        (&with(r#""text": "version = 2\nsed = 1""#), "line 2"),
        (
            &with(r#""settings": {"schedule.steps": "-5"}"#),
            "schedule.steps",
        ),
        (&with(r#""settings": {"seed": "1e400"}"#), "seed"),
        (
            r#"{"content": "file:///etc/passwd", "styles": [{"picture": "@swirls", "weight": 1}]}"#,
            "no picture",
        ),
        (
            r#"{"content": "@lake", "styles": [{"picture": "@swirls", "weight": -1}]}"#,
            "a weight is -1",
        ),
        (r#"{"content": "@lake"}"#, "missing"),
        (&many, "16"),
    ] {
        let answer = open.post("/api/plan", order);
        let text = answer.text();
        let start = &order[..order.len().min(120)];
        assert!(
            answer.status == 422 && text.contains(words),
            "{start}: {answer:?} {text}"
        );
    }
    let two = open
        .post("/api/plan", &with(r#""size": 1, "keep": 200"#))
        .json();
    assert_eq!(two["problems"].as_array().unwrap().len(), 2, "{two}");
    let large = format!(r#"{{"text": "{}"}}"#, "x".repeat(2 << 20));
    assert_eq!(open.post("/api/plan", &large).status, 413);
    open.assert_untouched();
}

#[test]
fn the_slow_and_the_endless_are_ended_while_others_are_served() {
    let folder = Folder::new();
    let open = Open::new(&folder);
    let port = open.port;
    let head = format!(
        "POST /api/pictures HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nCookie: {}\r\nOrigin: http://127.0.0.1:{port}\r\nContent-Type: application/octet-stream\r\n",
        open.cookie
    );
    let declared = open.raw(format!(
        "{head}Content-Length: 1073741824\r\nConnection: close\r\n\r\nx"
    ));
    assert_eq!(declared.status, 413);
    // Requests that never end their heads, and bodies that never come.
    let mut slow: Vec<_> = (0..40).map(|_| open.stream()).collect();
    for (place, stream) in slow.iter_mut().enumerate() {
        match place % 2 {
            0 => stream.write_all(b"GET / HTTP/1.1\r\nHost: 127").unwrap(),
            _ => stream
                .write_all(format!("{head}Content-Length: 100\r\n\r\n1").as_bytes())
                .unwrap(),
        }
    }
    let began = Instant::now();
    for _ in 0..20 {
        assert_eq!(open.get("/api/state").status, 200);
    }
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "{:?}",
        began.elapsed()
    );
    let mut bytes = [0; 64];
    let ended = slow[0].read(&mut bytes);
    assert!(
        ended.is_ok(),
        "the head of a request has a deadline: {ended:?}"
    );
    // A body of many pieces without an end.
    let mut endless = open.stream();
    endless
        .write_all(
            format!("{head}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n").as_bytes(),
        )
        .unwrap();
    let piece = [
        format!("{:x}\r\n", 1 << 20).into_bytes(),
        vec![b'x'; 1 << 20],
        b"\r\n".to_vec(),
    ]
    .concat();
    drop(slow);
    for _ in 0..80 {
        if endless.write_all(&piece).is_err() {
            break;
        }
    }
    let answer = read(&mut endless);
    assert!([0, 413].contains(&answer.status), "{answer:?}");
    open.assert_untouched();
}

#[test]
fn listeners_that_never_read_keep_nobody_from_anything() {
    let folder = Folder::new();
    let open = Open::new(&folder);
    let port = open.port;
    let request = format!(
        "GET /api/events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nCookie: {}\r\n\r\n",
        open.cookie
    );
    let mut listeners: Vec<_> = (0..300).map(|_| open.stream()).collect();
    for stream in &mut listeners {
        stream.write_all(request.as_bytes()).unwrap();
    }
    for paused in [true, false].into_iter().cycle().take(60) {
        assert_eq!(
            open.post("/api/queue/pause", &json!({"paused": paused}).to_string())
                .status,
            200
        );
    }
    let mut bytes = [0; 4096];
    let count = listeners[7].read(&mut bytes).unwrap();
    assert!(String::from_utf8_lossy(&bytes[..count]).starts_with("HTTP/1.1 200"));
    // Closing lets them all go, soon.
    let began = Instant::now();
    open.close();
    assert!(
        began.elapsed() < Duration::from_secs(6),
        "{:?}",
        began.elapsed()
    );
}

#[test]
fn a_second_program_is_led_to_the_page_of_the_first() {
    let folder = Folder::new();
    let open = Open::new(&folder);
    let second = Studio::start(&options(folder.path())).unwrap();
    let Started::Elsewhere(Some(address)) = second else {
        panic!("two programs have one folder");
    };
    assert_eq!(
        address,
        format!("http://127.0.0.1:{}/?token={}", open.port, open.token)
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let told = std::fs::metadata(folder.path().join("studio.json")).unwrap();
        assert_eq!(told.permissions().mode() & 0o777, 0o600);
    }
    open.close();
    assert!(!folder.path().join("studio.json").exists());
    Open::new(&folder).close();
}
