//! Films that are written play in a browser; a clip that is dropped on the page becomes one.

use crate::page::{Page, assert_accessible, assert_clean, program, shot};
use impasto_studio_browser::Browser;
use impasto_testing::{Folder, skip};
use impasto_video::{Frame, Info, Picture, Sink, Time, TimeBase, WriteOptions};

/// A film of so many frames of a tenth of a second.
fn write(
    path: &std::path::Path,
    (width, height): (usize, usize),
    frames: usize,
    color: impl Fn(usize, usize, usize) -> [u8; 3],
) {
    let info = Info {
        time_base: TimeBase::new(1, 10).unwrap(),
        ..Info::of_size(width, height, "test")
    };
    let mut sink = Sink::create(path, &info, &WriteOptions::default()).unwrap();
    for number in 0..frames {
        let at = |place: usize| color(number, place % width, place / width);
        let samples = (0..width * height).flat_map(at).collect();
        let picture = Picture::eight(width, height, impasto_video::Channels::Rgb, samples).unwrap();
        let time = Time {
            start: number as i64,
            duration: 1,
        };
        let frame = Frame {
            number: number as u64,
            time,
            picture,
        };
        sink.write(&frame).unwrap();
    }
    sink.finish().unwrap();
}

/// A bar that moves.
fn bar(number: usize, x: usize, _: usize) -> [u8; 3] {
    match x / 4 == number {
        true => [240, 200, 40],
        false => [40, 60, 120],
    }
}

/// A camera that moves over a lake.
fn walk(path: &std::path::Path, frames: usize) {
    let lake = impasto::examples::open("@lake").unwrap();
    let (columns, plane) = (lake.width(), lake.width() * lake.height());
    let size = (columns - 2 * frames, lake.height());
    let size = (size.0 - size.0 % 2, size.1 - size.1 % 2);
    write(path, size, frames, |number, x, y| {
        [0, 1, 2].map(|channel| {
            let value = lake.rgb()[channel * plane + y * columns + x + 2 * number];
            (255.0 * value) as u8
        })
    });
}

#[test]
fn films_that_are_written_play() {
    let folder = Folder::new();
    let browser = match Browser::start(&folder.path().join("profile")) {
        Ok(browser) => browser,
        Err(why) => return skip(why),
    };
    // Of odd sizes H.264 has one more column and row.
    for (width, height) in [(64, 48), (35, 27)] {
        let path = folder.path().join(format!("{width}.mp4"));
        write(&path, (width, height), 8, bar);
        browser.open(&format!("file://{}", path.display()));
        browser.until(
            "the film is understood",
            "document.querySelector('video')?.readyState >= 2",
        );
        let told = browser.run(
            "const film = document.querySelector('video'); return [film.videoWidth, film.videoHeight, Math.round(film.duration * 10), film.error]",
        );
        let even = |side: usize| side.next_multiple_of(2);
        assert_eq!(
            told,
            serde_json::json!([even(width), even(height), 8, null])
        );
        browser.run("const film = document.querySelector('video'); film.muted = true; film.loop = false; film.play()");
        browser.until("it ends", "document.querySelector('video').ended");
    }
    for name in ["film.gif", "film.png"] {
        write(&folder.path().join(name), (35, 27), 8, bar);
        let page = folder.path().join(format!("{name}.html"));
        std::fs::write(&page, format!("<img src='{name}'>")).unwrap();
        browser.open(&format!("file://{}", page.display()));
        browser.until("it is decoded", "document.images[0].complete");
        let size = browser.run("return document.images[0].decode().then(() => [document.images[0].naturalWidth, document.images[0].naturalHeight])");
        assert_eq!(size, serde_json::json!([35, 27]), "{name}");
    }
}

/// Goes to a view of the page.
fn go(browser: &Browser, view: &str) {
    browser.click(&format!("nav [data-view={view}]"));
}

#[test]
fn a_clip_becomes_a_film() {
    if program().is_none() {
        return skip("the program was not built beside these tests");
    }
    let page = match Page::open() {
        Ok(page) => page,
        Err(why) => return skip(why),
    };
    let browser = &page.browser;
    let path = page.profile.path().join("walk.mp4");
    walk(&path, 40);
    for (id, value) in [("quality", "instant"), ("size", "256")] {
        browser.run(&format!("const field = document.getElementById('{id}'); field.value = '{value}'; field.dispatchEvent(new Event('change'))"));
    }
    browser.keys("#file-content", &path.display().to_string());
    browser.until(
        "the clip is there",
        "document.getElementById('film-told').textContent.startsWith('40 frames · 4 s · ')",
    );
    assert_eq!(
        browser.run("return document.getElementById('paint-film').disabled"),
        true
    );
    browser.click("#styles .built-in button:nth-child(1)");
    let done = "document.getElementById('phase').textContent.startsWith('Done')";
    browser.until("its first frame is painted", done);

    // Sliding shows frames; the one where it is let go is painted.
    browser.run("const frame = document.getElementById('film-frame'); for (const at of [3, 9, 20, 12]) { frame.value = at; frame.dispatchEvent(new Event('input')); }");
    browser.until(
        "the newest is seen",
        "document.getElementById('picture').src.endsWith('/frames/12')",
    );
    assert_eq!(
        browser.run("return document.getElementById('film-frame-out').textContent"),
        "13 of 40, 1.2 s"
    );
    browser.run("document.getElementById('film-frame').dispatchEvent(new Event('change'))");
    browser.until(
        "it is the photo",
        "document.querySelector('#content .name')?.textContent === 'walk 12.png'",
    );
    browser.until(
        "it is painted",
        "document.getElementById('phase').textContent.includes('walk-12-swirls')",
    );
    browser.until("it is seen", "document.getElementById('picture').complete && document.getElementById('picture').src.endsWith('/picture')");
    shot(browser, "film");
    assert_accessible(browser, "film");

    // The page is a view: the clip is there when it is loaded again.
    browser.open(page.home());
    page.loaded();
    browser.until("the clip is there again", "!document.getElementById('film').hidden && document.getElementById('film-frame').value === '12'");
    browser.click("#paint-film");
    go(browser, "queue");
    browser.until(
        "frames",
        "document.getElementById('film-far')?.textContent.startsWith('frame ')",
    );
    browser.until(
        "the newest of them",
        "document.getElementById('film-newest')?.naturalWidth > 100",
    );
    shot(browser, "film-queue");
    assert_accessible(browser, "film-queue");
    browser.screen(390, 844, true);
    let wide = browser.run("return document.documentElement.scrollWidth");
    assert!(wide.as_i64().unwrap() <= 390, "the queue: {wide} px wide");
    shot(browser, "film-queue-390-dark");
    browser.screen(1440, 900, false);
    let press = |text: &str| {
        browser.until(text, &format!("(() => {{ const found = [...document.querySelectorAll('#queue li button')].find((one) => one.textContent === '{text}'); found?.click(); return Boolean(found); }})()"));
    };
    press("Pause");
    browser.until(
        "it waits",
        "document.querySelector('#queue li small').textContent.endsWith('paused')",
    );
    press("Go on");
    browser.until("it is painted", "fetch('/api/results').then((answer) => answer.json()).then(({results}) => results.some(({film}) => film))");

    go(browser, "history");
    browser.until(
        "a film",
        "document.querySelector('#results .badge')?.textContent === '▶ film'",
    );
    browser.until("its picture", "[...document.querySelectorAll('#results img')].every((image) => image.complete && image.naturalWidth > 0)");
    shot(browser, "film-history");
    assert_accessible(browser, "film-history");
    browser.run("document.querySelector('#results .badge').closest('button').click()");
    browser.until(
        "it is understood",
        "document.getElementById('player').readyState >= 2",
    );
    assert_eq!(
        browser.run("return Math.round(document.getElementById('player').duration)"),
        4
    );
    browser.run("const player = document.getElementById('player'); player.muted = true; player.currentTime = 2.5; return player.play()");
    browser.until(
        "it plays from there",
        "document.getElementById('player').currentTime > 2.6",
    );
    browser.run("document.getElementById('player').pause()");
    shot(browser, "film-player");
    assert_accessible(browser, "film-player");
    for (width, height, dark) in [(390, 844, false), (390, 844, true), (1440, 900, true)] {
        browser.screen(width, height, dark);
        let name = format!("film-{width}-{}", if dark { "dark" } else { "light" });
        let wide = browser
            .run("return document.documentElement.scrollWidth")
            .as_i64()
            .unwrap();
        assert!(wide <= i64::from(width), "{name}: {wide} px wide");
        shot(browser, &name);
        browser.run("document.getElementById('film').scrollIntoView({block: 'start'})");
        shot(browser, &format!("{name}-form"));
        assert_accessible(browser, &name);
        browser.run("scrollTo(0, 0)");
    }
    browser.screen(1440, 900, false);

    // A picture in its place is no film any more; its settings bring it back.
    browser.click("#content .built-in button:nth-child(1)");
    browser.until("the film is out", "document.getElementById('film').hidden");
    go(browser, "history");
    browser.until("a film", "document.querySelector('#results .badge')");
    browser.run("[...document.querySelector('#results .badge').closest('article').querySelectorAll('button')].find((one) => one.textContent === 'Settings').click()");
    browser.until(
        "its settings",
        "document.querySelector('#dialog[open] button.main')",
    );
    browser.click("#dialog button.main");
    browser.until("the clip is back", "!document.getElementById('film').hidden && document.getElementById('film-name').textContent === 'walk.mp4'");
    assert_clean(browser, page.address());
}
