//! Films.

use crate::workshop::{Running, Workshop, tiny};
use impasto::Picture;
use impasto::picture::SaveOptions;
use impasto_video::{ReadOptions, Source};
use std::path::Path;

/// A film of a camera that moves over a built-in picture, so many frames from a number on, in a folder.
pub fn film(
    shop: &Workshop,
    folder: &str,
    example: &str,
    numbers: std::ops::Range<usize>,
    step: usize,
) {
    let (width, height) = (48, 32);
    let whole = impasto::examples::find(example).unwrap().picture().unwrap();
    std::fs::create_dir_all(shop.path(folder)).unwrap();
    for number in numbers {
        let left = number * step;
        let planes = whole.rgb().chunks_exact(whole.width() * whole.height());
        let rows = planes.flat_map(|plane| plane.chunks_exact(whole.width()).skip(40).take(height));
        let rgb = rows.flat_map(|row| row[left..left + width].iter().copied());
        let frame = Picture::new(width, height, rgb.collect()).unwrap();
        let path = shop.path(&format!("{folder}/{number:03}.png"));
        frame.save(&path, &SaveOptions::default()).unwrap();
    }
}

fn video(shop: &Workshop, arguments: &str) -> crate::workshop::Said {
    let mut program = shop.program();
    program.arg("video").arg("--encoder").arg(tiny());
    program.args(["--style", "painting.png", "--size", "32"]);
    if !arguments.contains("--method paint") {
        program.args(["--steps", "2"]);
    }
    program
        .args(arguments.split_whitespace())
        .output()
        .unwrap()
        .into()
}

/// Number and start of every frame of a file, and its pixels.
pub fn frames(path: &Path) -> Vec<(u64, i64, Vec<u8>)> {
    let source = Source::open(path, &ReadOptions::default()).unwrap();
    let read = source.map(|frame| {
        let frame = frame.unwrap();
        let impasto_video::Samples::Eight(samples) = frame.picture.samples else {
            panic!("eight bits")
        };
        (frame.number, frame.time.start, samples)
    });
    read.collect()
}

#[test]
fn a_folder_becomes_a_film_and_back() {
    let shop = Workshop::new();
    film(&shop, "in", "lake", 0..4, 1);
    let said = video(&shop, "in -o out.mp4 --fps 10").done();
    assert!(
        said.stderr
            .contains("4 frames, 48×32 px painted at 32×21 px"),
        "{said:?}"
    );
    assert!(said.stderr.contains("wrote out.mp4: 4 frames"), "{said:?}");
    let made = frames(&shop.path("out.mp4"));
    assert_eq!(made.len(), 4);
    let info = Source::open(shop.path("out.mp4"), &ReadOptions::default())
        .unwrap()
        .info()
        .clone();
    assert!(
        (info.time_base.seconds(info.duration.unwrap() as i64) - 0.4).abs() < 0.01,
        "{info:?}"
    );
    // Frames of a part keep their numbers in the names of pictures.
    video(&shop, "in -o part/%04d.png --frames 1..2").done();
    let mut names: Vec<_> = std::fs::read_dir(shop.path("part"))
        .unwrap()
        .map(|one| one.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["0001.png", "0002.png"]);
    video(&shop, "in -o thin.gif --every 2 --method paint").done();
    assert_eq!(frames(&shop.path("thin.gif")).len(), 2);
    assert_eq!(
        shop.files(),
        [
            "in",
            "out.mp4",
            "painting.png",
            "part",
            "photo.png",
            "thin.gif"
        ]
    );
}

/// What does not move is not painted anew: every frame is the first, to the last bit.
#[test]
fn what_stands_still_stays() {
    let shop = Workshop::new();
    film(&shop, "in", "lake", 0..4, 0);
    for method in ["", "--passes 2", "--method paint"] {
        video(&shop, &format!("in -o out/%d.png {method}")).done();
        let first = shop.open("out/0.png");
        for number in 1..4 {
            assert_eq!(
                shop.open(&format!("out/{number}.png")),
                first,
                "{method} {number}"
            );
        }
        std::fs::remove_dir_all(shop.path("out")).unwrap();
    }
}

#[test]
fn a_film_that_was_cut_off_goes_on_to_the_same_bytes() {
    let shop = Workshop::new();
    film(&shop, "in", "lake", 0..14, 1);
    // Another shot.
    film(&shop, "other", "city", 0..6, 1);
    for number in 0..6 {
        let (from, to) = (
            format!("other/{number:03}.png"),
            format!("in/{:03}.png", 14 + number),
        );
        std::fs::rename(shop.path(&from), shop.path(&to)).unwrap();
    }
    std::fs::remove_dir(shop.path("other")).unwrap();
    for (method, ends) in [
        ("", [2, 13, 16]),
        ("--passes 2", [2, 13, 16]),
        ("--method paint", [1, 12, 17]),
    ] {
        let call = format!("in --style painting.png --size 32 {method}");
        let whole = Running::start_command(&shop, "video", &format!("{call} -o whole.mp4"));
        whole.finish().done();
        for after in ends {
            let mut running =
                Running::start_command(&shop, "video", &format!("{call} -o cut.mp4 --overwrite"));
            for _ in 0..after {
                running.wait_for("frame");
            }
            running.kill();
            assert!(!shop.path("cut.mp4").exists(), "{after}");
            // What is there is not begun anew by mistake.
            let unaware = Running::start_command(&shop, "video", &format!("{call} -o cut.mp4"));
            unaware
                .finish()
                .refused(2, &["--resume goes on, --overwrite begins anew"]);
            let again =
                Running::start_command(&shop, "video", &format!("{call} -o cut.mp4 --resume"));
            let said = again.finish().done();
            assert!(
                shop.bytes("cut.mp4") == shop.bytes("whole.mp4"),
                "{method} after {after}: {said:?}"
            );
            std::fs::remove_file(shop.path("cut.mp4")).unwrap();
        }
        std::fs::remove_file(shop.path("whole.mp4")).unwrap();
    }
    assert_eq!(
        shop.files(),
        ["in", "painting.png", "photo.png"],
        "nothing is left over"
    );
}

#[test]
fn what_cannot_be_painted_is_told() {
    let shop = Workshop::new();
    film(&shop, "in", "lake", 0..2, 1);
    std::fs::create_dir(shop.path("none")).unwrap();
    std::fs::write(shop.path("text.mp4"), "no film").unwrap();
    std::fs::write(shop.path("there.gif"), "something").unwrap();
    for (status, call, words) in [
        (2, "in -o a.mp4 --consistency 2", "--consistency is 2"),
        (2, "in -o a.mp4 --frames 5..1", "--frames ends at 1"),
        (2, "in -o a.mp4 --every 0", "--every is 0"),
        (2, "in -o there.gif", "--overwrite replaces it"),
        (1, "in -o a.avi", "name an output that ends so"),
        (
            1,
            "in -o a.mp4 --frames 7..",
            "there is no frame 7; the last one is 1",
        ),
        (1, "none -o a.mp4", "none"),
        (1, "nowhere.mp4 -o a.mp4", "nowhere.mp4"),
        (1, "text.mp4 -o a.mp4", "text.mp4"),
        (1, "in -o a.mp4 --cuts nowhere.txt", "nowhere.txt"),
    ] {
        video(&shop, call).refused(status, &[words]);
    }
    let plan = video(&shop, "in --plan").done();
    assert!(plan.stdout.contains("frames  2"), "{plan:?}");
    assert_eq!(
        shop.files(),
        [
            "in",
            "none",
            "painting.png",
            "photo.png",
            "text.mp4",
            "there.gif"
        ]
    );
}

/// The film, and whatever else is read, stays; frames that are there are not replaced by mistake.
#[test]
fn nothing_that_is_read_is_replaced() {
    let shop = Workshop::new();
    film(&shop, "in", "lake", 0..2, 1);
    video(&shop, "in -o a.gif").done();
    let before = shop.bytes("a.gif");
    for (call, words) in [
        (
            "a.gif -o a.gif --overwrite",
            "it is one of the pictures to read",
        ),
        (
            "in -o painting.png --overwrite",
            "it is one of the pictures to read",
        ),
        ("in -o in", "has the frames that are read"),
        (
            "in/%03d.png -o in/%05d.png --overwrite",
            "has the frames that are read",
        ),
        ("in -o - --progress json", "choose one"),
        (
            "in -o b.gif --report painting.png",
            "it is one of the pictures to read",
        ),
        (
            "in -o b.gif --report in/000.png",
            "it is one of the pictures to read",
        ),
        (
            "in -o b.gif --keyframe 0=photo.png --network photo.png",
            "it is one of the pictures to read",
        ),
    ] {
        video(&shop, call).refused(2, &[words]);
    }
    video(&shop, "in -o out").done();
    video(&shop, "in -o out").refused(2, &["--overwrite replaces such frames"]);
    video(&shop, "in -o out --overwrite").done();
    assert_eq!(shop.bytes("a.gif"), before);
    assert_eq!(std::fs::read_dir(shop.path("in")).unwrap().count(), 2);
}

/// Every third frame is seen three times as long, from the start on.
#[test]
fn frames_that_are_left_out_take_their_time() {
    let shop = Workshop::new();
    film(&shop, "in", "lake", 0..9, 1);
    for output in ["a.mp4", "b.gif"] {
        video(
            &shop,
            &format!("in -o {output} --fps 10 --frames 1..8 --every 3"),
        )
        .done();
        let source = Source::open(shop.path(output), &ReadOptions::default()).unwrap();
        let base = source.info().time_base;
        let starts: Vec<_> = frames(&shop.path(output))
            .iter()
            .map(|(_, start, _)| base.seconds(*start))
            .collect();
        assert_eq!(starts.len(), 3, "{output}");
        for (found, expected) in starts.iter().zip([0.0, 0.3, 0.6]) {
            assert!((found - expected).abs() < 0.02, "{output}: {starts:?}");
        }
    }
}

/// Frames of two pixels, and a film that is cut off: what there is of it is painted.
#[test]
fn thin_films_and_films_that_end_too_early_are_painted() {
    let shop = Workshop::new();
    std::fs::create_dir(shop.path("thin")).unwrap();
    for number in 0..3 {
        shop.picture(&format!("thin/{number}.png"), 120, 2);
    }
    video(&shop, "thin -o thin.gif").done();
    assert_eq!(frames(&shop.path("thin.gif")).len(), 3);
    film(&shop, "in", "lake", 0..8, 1);
    video(&shop, "in -o whole.y4m").done();
    let whole = shop.bytes("whole.y4m");
    std::fs::write(shop.path("cut.y4m"), &whole[..whole.len() * 5 / 8]).unwrap();
    let said = video(&shop, "cut.y4m -o cut.gif");
    assert_eq!(said.status, Some(1), "{said:?}");
    assert!(
        said.stderr.contains("what comes before is painted"),
        "{said:?}"
    );
    assert!(frames(&shop.path("cut.gif")).len() >= 3);
}

/// What the next frames depend on may be lost, as of a disk that was full: then frames are painted once more.
#[test]
fn without_memories_frames_are_painted_once_more() {
    let shop = Workshop::new();
    film(&shop, "in", "lake", 0..30, 1);
    let call = "in --style painting.png --size 32";
    let whole = Running::start_command(&shop, "video", &format!("{call} -o whole.gif"));
    whole.finish().done();
    let mut running = Running::start_command(&shop, "video", &format!("{call} -o cut.gif"));
    for _ in 0..3 {
        running.wait_for("frame");
    }
    // Nobody else writes the same output meanwhile.
    let other = Running::start_command(&shop, "video", &format!("{call} -o cut.gif --resume"));
    other.finish().refused(
        1,
        &["is being written by another run; wait for it, or name another output"],
    );
    running.kill();
    std::fs::remove_dir_all(shop.path("cut.gif.frames")).unwrap();
    let again = Running::start_command(&shop, "video", &format!("{call} -o cut.gif --resume"));
    let said = again.finish().done();
    assert!(said.stderr.contains("painted once more"), "{said:?}");
    assert!(shop.bytes("cut.gif") == shop.bytes("whole.gif"), "{said:?}");
}

/// Both eyes' pictures, of a film and of a picture that does not move; each is as large as is asked for.
#[test]
fn frames_for_two_eyes_are_painted_together() {
    let shop = Workshop::new();
    film(&shop, "in", "lake", 0..2, 1);
    video(&shop, "in -o out/%d.png --stereo sbs --report page.html").done();
    let made = shop.open("out/1.png");
    // Each eye has 24×32 px, and gets 24×32.
    assert_eq!((made.width(), made.height()), (48, 32));
    let page = String::from_utf8(shop.bytes("page.html")).unwrap();
    assert_eq!(
        page.matches("data:image/jpeg").count(),
        5,
        "two frames twice, and the painting"
    );
    assert!(page.contains("known from before") && page.contains("--stereo sbs"));
    video(&shop, "photo.png -o pair.png --stereo tb").done();
    let pair = shop.open("pair.png");
    assert_eq!((pair.width(), pair.height()), (32, 22));
    video(&shop, "photo.png -o flat.png").refused(1, &["does not move"]);
}

/// A mask may be a film: what it keeps is the frame's own.
#[test]
fn a_mask_may_be_a_film() {
    let shop = Workshop::new();
    film(&shop, "in", "lake", 0..3, 2);
    std::fs::create_dir(shop.path("mask")).unwrap();
    for number in 0..2 {
        // White on the left, then on the right; the film goes on.
        let white = |at: usize| f32::from((at % 32 < 16) == (number == 0));
        let values = (0..3 * 32 * 21).map(white).collect();
        let path = shop.path(&format!("mask/{number}.png"));
        let mask = Picture::new(32, 21, values).unwrap();
        mask.save(&path, &SaveOptions::default()).unwrap();
    }
    let hard = "--consistency 0 --feather 0";
    video(&shop, &format!("in -o out/%d.png --mask mask {hard}")).done();
    for number in 0..3 {
        let made = shop.open(&format!("out/{number}.png"));
        let frame = shop.open(&format!("in/{number:03}.png"));
        let frame = frame.resized(32, 21, impasto::picture::Filter::Bicubic);
        let changed = |columns: std::ops::Range<usize>| {
            let pairs = made.rgb().iter().zip(frame.rgb()).enumerate();
            let pairs = pairs.filter(|(at, _)| columns.contains(&(at % 32)));
            let changes = pairs.map(|(_, (a, b))| (a - b).abs());
            changes.max_by(f32::total_cmp).unwrap()
        };
        let (painted, kept) = match number {
            0 => (changed(0..16), changed(16..32)),
            _ => (changed(16..32), changed(0..16)),
        };
        assert!(kept < 0.01 && painted > 0.05, "{number}: {kept} {painted}");
    }
}

/// A folder that is watched: what comes is painted, until Ctrl-C makes a film of it.
#[cfg(unix)]
#[test]
fn a_folder_is_watched_until_it_is_enough() {
    let shop = Workshop::new();
    film(&shop, "later", "lake", 0..3, 1);
    std::fs::create_dir(shop.path("in")).unwrap();
    let call = "in --style painting.png --size 32 --watch -o out.gif";
    let mut running = Running::start_command(&shop, "video", call);
    for number in 0..3 {
        let name = format!("{number:03}.png");
        std::fs::rename(
            shop.path(&format!("later/{name}")),
            shop.path(&format!("in/{name}")),
        )
        .unwrap();
        running.wait_for("frame");
    }
    let id = nix::unistd::Pid::from_raw(running.id() as i32);
    nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGINT).unwrap();
    let said = running.finish();
    assert!(said.stderr.contains("wrote out.gif: 3 frames"), "{said:?}");
    assert_eq!(frames(&shop.path("out.gif")).len(), 3);
    video(&shop, "photo.png -o a.gif --watch").refused(2, &["--watch needs a folder"]);
}

/// Of a film with too many frames a second every other one is painted, in the same time.
#[test]
fn a_film_gets_fewer_frames_a_second() {
    let shop = Workshop::new();
    film(&shop, "in", "lake", 0..8, 1);
    video(&shop, "in -o fast.mp4 --fps 20 --method paint").done();
    video(&shop, "fast.mp4 -o slow.mp4 --fps 10 --method paint").done();
    let source = Source::open(shop.path("slow.mp4"), &ReadOptions::default()).unwrap();
    let base = source.info().time_base;
    let starts: Vec<_> = frames(&shop.path("slow.mp4"))
        .iter()
        .map(|(_, start, _)| (base.seconds(*start) * 10.0).round() as i64)
        .collect();
    assert_eq!(starts, [0, 1, 2, 3]);
}
