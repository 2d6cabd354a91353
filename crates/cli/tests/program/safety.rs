//! Nothing is lost: no file that is needed is replaced, and no work that is done.

use crate::workshop::{Running, Said, Workshop, tiny};
use std::fs;
use std::io::Write;
use std::process::Stdio;

const CALL: &str = "photo.png --style painting.png --size 16";

#[test]
fn no_output_takes_the_place_of_anything_that_is_read_or_written() {
    let shop = Workshop::new();
    fs::copy(tiny(), shop.path("mine.safetensors")).unwrap();
    shop.run("recipe list").done();
    let recipe = shop.run("recipe show impasto-draft").done().stdout;
    fs::write(shop.path("mine.toml"), recipe).unwrap();
    fs::create_dir(shop.path("out")).unwrap();
    let before: Vec<_> = shop.files();
    let kept = ["photo.png", "painting.png", "mine.toml", "mine.safetensors"];
    let bytes: Vec<_> = kept.map(|name| shop.bytes(name)).into();
    for (more, words) in [
        (
            "-o out.png --save-recipe photo.png",
            "one of the pictures to read",
        ),
        (
            "-o out.png --save-recipe ./painting.png",
            "one of the pictures to read",
        ),
        (
            "--recipe mine.toml -o out.png --save-recipe mine.toml",
            "the recipe is read from it",
        ),
        (
            "-o out.png --save-recipe out.png",
            "another result goes there",
        ),
        (
            "-o out.png --save-recipe nowhere/a.toml",
            "create the folder first",
        ),
        (
            "-o page.png --report page.html --save-recipe page.html",
            "another result goes there",
        ),
    ] {
        let said = shop.stylize(&format!("{CALL} {more}"));
        assert!(said.status == Some(2) || said.status == Some(1), "{said:?}");
        assert!(said.stderr.contains(words), "{more}: {said:?}");
    }
    let weights =
        "stylize photo.png --style painting.png --size 16 --steps 1 --encoder mine.safetensors";
    let said = shop.run(&format!(
        "{weights} -o out.png --save-recipe mine.safetensors"
    ));
    said.refused(2, &["the weights are read from it"]);
    let inspect = "inspect loss --content photo.png --image photo.png --style painting.png";
    shop.run(&format!("{inspect} --gradient painting.png"))
        .refused(2, &["one of the pictures to read"]);
    assert_eq!(shop.files(), before);
    for (name, bytes) in kept.iter().zip(bytes) {
        assert_eq!(shop.bytes(name), bytes, "{name}");
    }
}

#[cfg(unix)]
#[test]
fn links_are_seen_through() {
    use std::os::unix::fs::symlink;
    let shop = Workshop::new();
    let photo = shop.bytes("photo.png");
    fs::hard_link(shop.path("photo.png"), shop.path("hard.png")).unwrap();
    symlink("photo.png", shop.path("soft.png")).unwrap();
    for name in ["hard.png", "soft.png"] {
        shop.stylize(&format!("{CALL} -o {name}"))
            .refused(2, &["one of the pictures to read"]);
    }
    assert_eq!(shop.bytes("photo.png"), photo);
    // A link to a file that is not there yet stays one, and the file comes to be.
    symlink("new.png", shop.path("link.png")).unwrap();
    shop.stylize(&format!("{CALL} -o link.png")).done();
    assert!(
        fs::symlink_metadata(shop.path("link.png"))
            .unwrap()
            .is_symlink()
    );
    assert_eq!(shop.open("new.png").width(), 16);
    symlink("nowhere/new.png", shop.path("lost.png")).unwrap();
    shop.stylize(&format!("{CALL} -o lost.png"))
        .refused(1, &["create the folder first"]);
}

#[test]
fn what_no_format_or_disk_holds_is_refused_before_work() {
    let shop = Workshop::new();
    shop.picture("long.png", 17_000, 2);
    let name = format!("{}.png", "x".repeat(252));
    for (call, words) in [
        (
            "long.png --style painting.png --size original -o out.webp".to_string(),
            "long.png: cannot write 17000×2 pixels as WebP",
        ),
        (format!("{CALL} -o {name}"), "choose a shorter name"),
        (
            format!("{CALL} -o out.png --save-recipe {name}"),
            "choose a shorter name",
        ),
    ] {
        shop.stylize(&call).refused(2, &[words]);
    }
    // Names of our own are as long as a disk holds.
    let (content, style) = ("ü".repeat(120), "家".repeat(80));
    shop.picture(&format!("{content}.png"), 16, 16);
    shop.picture(&format!("{style}.png"), 16, 16);
    shop.stylize(&format!("{content}.png --style {style}.png --size 16"))
        .done();
}

#[cfg(unix)]
#[test]
fn a_result_that_cannot_be_where_it_was_to_go_is_elsewhere() {
    let shop = Workshop::new();
    let call = "photo.png --style painting.png --size 16 --steps 300 -o out.png --save-every 1";
    let mut running = Running::start(&shop, call);
    running.wait_for("started");
    running.wait_for("step");
    // While it runs, the name becomes a folder: no preview and no result can be there.
    while fs::create_dir(shop.path("out.png")).is_err() {
        let _ = fs::remove_file(shop.path("out.png"));
    }
    let said = running.finish();
    assert_eq!(said.status, Some(1), "{said:?}");
    assert_eq!(said.stderr.matches("no preview: ").count(), 1, "{said:?}");
    assert!(said.stderr.contains("out-2.png instead"), "{said:?}");
    assert_eq!(shop.open("out-2.png").width(), 16);
}

#[test]
fn one_bad_file_costs_only_itself() {
    let shop = Workshop::new();
    fs::create_dir(shop.path("out")).unwrap();
    fs::write(shop.path("bad.png"), "no picture").unwrap();
    let call = "photo.png bad.png painting.png --style painting.png --size 16 --out-dir out";
    shop.stylize(&format!("{call} --strict"))
        .refused(1, &["cannot read bad.png"]);
    assert_eq!(fs::read_dir(shop.path("out")).unwrap().count(), 0);
    let said = shop.stylize(call);
    assert_eq!(said.status, Some(1), "{said:?}");
    assert_eq!(said.stderr.matches("bad.png").count(), 1, "{said:?}");
    assert!(said.stderr.contains("the others are painted"), "{said:?}");
    assert_eq!(fs::read_dir(shop.path("out")).unwrap().count(), 2);
    let gallery = "photo.png bad.png --style painting.png --style bad.png --size 16 -o g";
    shop.gallery(&format!("{gallery} --strict"))
        .refused(1, &["cannot read bad.png"]);
    let said = shop.gallery(gallery);
    assert_eq!(said.status, Some(1), "{said:?}");
    assert!(shop.path("g/photo-painting.png").exists());
    assert!(said.stderr.contains("1 of 1 pictures"), "{said:?}");
}

#[test]
fn a_folder_is_its_pictures() {
    let shop = Workshop::new();
    for folder in ["in", "styles", "out", "g", "empty"] {
        fs::create_dir(shop.path(folder)).unwrap();
    }
    for name in ["in/b.png", "in/a.jpg", "styles/x.png", "styles/y.png"] {
        shop.picture(name, 16, 16);
    }
    fs::write(shop.path("in/notes.txt"), "not a picture").unwrap();
    let names = |folder: &str| {
        let entries = fs::read_dir(shop.path(folder)).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    shop.stylize("in --style styles --size 16 --out-dir out")
        .done();
    assert_eq!(names("out"), ["a-x+y.png", "b-x+y.png"]);
    shop.gallery("in --style styles --size 16 -o g").done();
    assert!(names("g").contains(&"b-y.png".to_string()));
    shop.stylize("empty --style painting.png")
        .refused(1, &["cannot read empty: it is a folder without a picture"]);
}

/// Runs a call with a file on its standard input; the bytes of its standard output, and what it said.
fn piped(shop: &Workshop, call: &str, input: &[u8]) -> (Vec<u8>, Option<i32>, String) {
    let mut program = shop.stylizing(call);
    program
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = program.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    (output.stdout, output.status.code(), said)
}

#[test]
fn a_dash_is_the_standard_input_and_output() {
    let shop = Workshop::new();
    shop.stylize(&format!("{CALL} -o out.png")).done();
    let expected = shop.open("out.png");
    for (call, input) in [
        ("- --style painting.png --size 16 -o -", "photo.png"),
        ("photo.png --style=-:1 --size 16 -o -", "painting.png"),
        ("photo.png --style -:2 --size 16 -o -", "painting.png"),
    ] {
        let (stdout, status, said) = piped(&shop, call, &shop.bytes(input));
        assert_eq!(status, Some(0), "{said}");
        fs::write(shop.path("piped.png"), stdout).unwrap();
        assert_eq!(shop.open("piped.png").rgb(), expected.rgb(), "{call}");
    }
    let (_, _, said) = piped(
        &shop,
        "- --style painting.png --size 16",
        &shop.bytes("photo.png"),
    );
    assert!(said.contains("stdin-painting.png"), "{said}");
    let (_, status, said) = piped(&shop, "- --style painting.png -o a.png", b"");
    assert!(
        status == Some(1) && said.contains("cannot read stdin: the file is empty"),
        "{said}"
    );
    for (more, words) in [
        ("-o - --progress json", "-o - and --progress json"),
        ("-o - --save-every 3", "--save-every goes with a file"),
        ("painting.png -o -", "there are 2 contents"),
    ] {
        shop.stylize(&format!("{CALL} {more}")).refused(2, &[words]);
    }
}

#[cfg(unix)]
#[test]
fn every_signal_that_asks_for_the_end_keeps_the_picture() {
    let call =
        "photo.png --style painting.png --size 16 --steps 1000000 -o out.png --checkpoint saved";
    for (signal, name, status) in [("TERM", "SIGTERM", 143), ("HUP", "SIGHUP", 129)] {
        let shop = Workshop::new();
        let mut running = Running::start(&shop, call);
        running.wait_for("step");
        send(&running, signal);
        let said = running.finish();
        assert_eq!(said.status, Some(status), "{said:?}");
        assert!(
            said.stderr.contains(&format!("stopped by {name} after")),
            "{said:?}"
        );
        assert!(
            said.stderr.contains("--resume goes on from there"),
            "{said:?}"
        );
        assert_eq!(shop.open("out.png").width(), 16);
        assert!(fs::read_dir(shop.path("saved")).unwrap().count() > 0);
    }
}

#[cfg(unix)]
fn send(running: &Running, signal: &str) {
    let id = running.id().to_string();
    let sent = std::process::Command::new("kill")
        .args([&format!("-{signal}"), &id])
        .status();
    assert!(sent.unwrap().success());
}

#[cfg(unix)]
#[test]
fn a_resumed_run_goes_on_under_its_own_name() {
    let shop = Workshop::new();
    let call = "photo.png --style painting.png --size 16 --checkpoint saved";
    shop.stylize(&format!("{call} --steps 2")).done();
    let first = shop.bytes("photo-painting.png");
    let mut running = Running::start(&shop, &format!("{call} --steps 4000"));
    running.wait_for("step");
    send(&running, "INT");
    assert_eq!(running.finish().status, Some(130));
    assert!(shop.path("photo-painting-2.png").exists());
    let said: Said = shop
        .stylize(&format!("{call} --steps 4000 --resume"))
        .done();
    assert!(said.stderr.contains("photo-painting-2.png"), "{said:?}");
    assert!(!shop.path("photo-painting-3.png").exists());
    assert_eq!(shop.bytes("photo-painting.png"), first);
    assert_eq!(fs::read_dir(shop.path("saved")).unwrap().count(), 0);
}

#[cfg(unix)]
#[test]
fn finished_contents_are_skipped() {
    let shop = Workshop::new();
    fs::create_dir(shop.path("out")).unwrap();
    let call = "painting.png photo.png --style painting.png --size 16 --steps 3000 --out-dir out";
    let mut running = Running::start(&shop, call);
    running.wait_for("finished");
    running.wait_for("step");
    send(&running, "INT");
    assert_eq!(running.finish().status, Some(130));
    let time = || {
        fs::metadata(shop.path("out/painting-painting.png"))
            .unwrap()
            .modified()
    };
    let before = time().unwrap();
    let said = shop.stylize(&format!("{call} --resume")).done();
    assert!(
        said.stderr.contains("painting.png is finished already"),
        "{said:?}"
    );
    assert_eq!(time().unwrap(), before);
    assert_eq!(fs::read_dir(shop.path("out")).unwrap().count(), 2);
}

#[test]
fn tips_help() {
    let shop = Workshop::new();
    let said = shop.run("photo.png --style painting.png");
    assert_eq!(said.status, Some(2), "{said:?}");
    assert!(
        said.stderr
            .contains("impasto stylize photo.png --style PAINTING"),
        "{said:?}"
    );
    let said = shop.run("stylize photo.png --style painting.png --colour red");
    assert!(!said.stderr.contains("as a value"), "{said:?}");
    let said = shop.run("stylize photo.png --style painting.png --styl a");
    assert!(said.stderr.contains("'--style'"), "{said:?}");
}
