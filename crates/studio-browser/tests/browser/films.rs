//! Films that are written play in a browser.

use impasto_studio_browser::Browser;
use impasto_testing::{Folder, skip};
use impasto_video::{Frame, Info, Picture, Sink, Time, TimeBase, WriteOptions};

/// A film of eight frames of a tenth of a second, in which a bar moves.
fn write(path: &std::path::Path, width: usize, height: usize) {
    let info = Info {
        time_base: TimeBase::new(1, 10).unwrap(),
        ..Info::of_size(width, height, "test")
    };
    let mut sink = Sink::create(path, &info, &WriteOptions::default()).unwrap();
    for number in 0..8 {
        let at = |place: usize| match place % width / 4 == number as usize {
            true => [240, 200, 40],
            false => [40, 60, 120],
        };
        let samples = (0..width * height).flat_map(at).collect();
        let picture = Picture::eight(width, height, impasto_video::Channels::Rgb, samples).unwrap();
        let time = Time {
            start: number,
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
        write(&path, width, height);
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
        write(&folder.path().join(name), 35, 27);
        let page = folder.path().join(format!("{name}.html"));
        std::fs::write(&page, format!("<img src='{name}'>")).unwrap();
        browser.open(&format!("file://{}", page.display()));
        browser.until("it is decoded", "document.images[0].complete");
        let size = browser.run("return document.images[0].decode().then(() => [document.images[0].naturalWidth, document.images[0].naturalHeight])");
        assert_eq!(size, serde_json::json!([35, 27]), "{name}");
    }
}
