//! What only a browser can show: pages of elsewhere that frame the studio, or set cookies of its name.

use crate::page::Page;
use impasto_testing::skip;
use std::io::{Read, Write};
use std::net::TcpListener;

/// Serves a page from another port of this machine, with headers of its own; its address.
fn elsewhere(headers: String, page: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!(
        "http://127.0.0.1:{}/",
        listener.local_addr().unwrap().port()
    );
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let length = page.len();
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n"
            );
            let _ = stream.write_all(head.as_bytes());
            let _ = stream.write_all(page.as_bytes());
        }
    });
    address
}

#[test]
fn a_page_of_elsewhere_frames_nothing_and_reads_nothing() {
    let page = match Page::open() {
        Ok(page) => page,
        Err(why) => return skip(why),
    };
    let home = page.home();
    let html = format!(
        "<iframe id=frame src='{home}'></iframe><script>\
         addEventListener('load', () => {{ let seen = 'nothing';\
         try {{ seen = document.getElementById('frame').contentDocument?.body?.textContent ?? 'nothing'; }} catch {{ }}\
         fetch('{home}api/results', {{credentials: 'include'}}).then((answer) => answer.text()).catch(() => 'refused')\
         .then((read) => fetch('{home}api/paint', {{method: 'POST', credentials: 'include', mode: 'no-cors', body: '{{}}'}}).catch(() => 0)\
         .then(() => {{ document.title = `${{seen}}|${{read}}`; }})); }});</script>"
    );
    page.browser.open(&elsewhere(String::new(), html));
    let told = page.browser.until("it has tried", "document.title");
    assert_eq!(told, "nothing|refused");
    let frame = page.browser.run(
        "const frame = document.getElementById('frame'); let inner; try { inner = frame.contentWindow.location.href; } catch { inner = 'closed'; } return inner",
    );
    // Chromium shows a page of its own in the place of one that may not be framed.
    assert_ne!(frame, home);
    page.browser.open(home);
    page.loaded();
    assert_eq!(
        page.browser.run("return fetch('/api/queue').then((answer) => answer.json()).then(({jobs}) => jobs.length)"),
        0
    );
}

#[test]
fn a_cookie_of_our_name_from_another_port_lets_nobody_in() {
    let page = match Page::open() {
        Ok(page) => page,
        Err(why) => return skip(why),
    };
    let port = page
        .home()
        .trim_end_matches('/')
        .rsplit(':')
        .next()
        .unwrap();
    let evil = format!("Set-Cookie: impasto-{port}=00000000000000000000000000000000; Path=/\r\n");
    let html = format!(
        "<script>document.cookie = 'impasto-{port}=11111111111111111111111111111111; path=/api';document.title='set'</script>"
    );
    page.browser.open(&elsewhere(evil, html));
    page.browser.until("it is set", "document.title");
    page.browser.open(page.home());
    let body = page.browser.run("return document.body.textContent");
    let text = body.as_str().unwrap();
    // Either ours is unharmed, or it is asked for again.
    let asked = text.contains("lacks its token");
    assert!(asked || text.contains("impasto"), "{text}");
    page.browser.open(page.address());
    page.loaded();
    let theirs = page.browser.run("return document.cookie");
    assert!(
        !theirs.as_str().unwrap().contains("impasto-") || !asked,
        "{theirs}"
    );
    // The address with the token opens the page, and its own cookie is the one that counts.
    let status = page
        .browser
        .run("return fetch('/').then((answer) => answer.status)");
    assert_eq!(status, 200);
}
