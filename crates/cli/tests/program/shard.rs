//! Several processes paint into one folder: each picture once, whoever is killed.

use crate::workshop::{Workshop, tiny};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

const PHOTOS: usize = 6;

fn workshop() -> Workshop {
    let shop = Workshop::new();
    std::fs::create_dir(shop.path("photos")).unwrap();
    for number in 0..PHOTOS {
        shop.picture(&format!("photos/{number}.png"), 24, 16);
    }
    shop.picture("other.png", 20, 20);
    shop
}

fn start(shop: &Workshop, command: &str, shard: &str, rest: &str) -> Child {
    let mut program = shop.program();
    program.args([command, "photos", "--style", "painting.png", "--size", "32"]);
    program.args(["--steps", "3", "--progress", "none", "--out-dir", "out"]);
    program
        .arg("--encoder")
        .arg(tiny())
        .args(["--shard", shard]);
    program.args(rest.split_whitespace());
    program.stdout(Stdio::piped()).stderr(Stdio::piped());
    program.spawn().unwrap()
}

/// The lines of all ledgers, by file.
fn noted(folder: &Path) -> BTreeMap<String, usize> {
    let mut noted = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "jsonl") {
            for line in std::fs::read_to_string(path).unwrap().lines() {
                if let Ok(line) = serde_json::from_str::<serde_json::Value>(line) {
                    *noted
                        .entry(line["file"].as_str().unwrap().into())
                        .or_default() += 1;
                }
            }
        }
    }
    noted
}

/// The pictures of a folder.
fn pictures(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().flatten();
    let pngs = entries.map(|entry| entry.path());
    let pngs = pngs.filter(|path| path.extension().is_some_and(|end| end == "png"));
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_string();
    pngs.map(|path| (name(&path), std::fs::read(&path).unwrap()))
        .collect()
}

/// Two shards, each killed at other times until it comes to its end.
fn until_done(shop: &Workshop, command: &str, rest: &str) {
    for shard in ["1/2", "2/2"] {
        let wait = |milliseconds: u64| std::thread::sleep(Duration::from_millis(milliseconds));
        for milliseconds in [15, 40, 70, 110, 160] {
            let mut one = start(shop, command, shard, rest);
            wait(milliseconds);
            // It may be done already.
            let _ = one.kill();
            one.wait().unwrap();
        }
    }
    let both = ["1/2", "2/2"].map(|shard| start(shop, command, shard, rest));
    for shard in both {
        let output = shard.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
    }
}

#[test]
fn contents_are_painted_once_whoever_is_killed() {
    let shop = workshop();
    until_done(&shop, "stylize", "");
    let shared = pictures(&shop.path("out"));
    assert_eq!(shared.len(), PHOTOS);
    // A line is written before its file: what was killed between the two, and nothing else, is noted twice.
    let noted = noted(&shop.path("out"));
    assert_eq!(noted.len(), PHOTOS);
    std::fs::create_dir(shop.path("whole")).unwrap();
    let words = "photos --style painting.png --size 32 --steps 3 --out-dir whole";
    assert_eq!(shop.stylize(words).status, Some(0));
    assert_eq!(shared, pictures(&shop.path("whole")), "the same bytes");
    let again = start(&shop, "stylize", "1/2", "")
        .wait_with_output()
        .unwrap();
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    assert_eq!(
        said.matches("is finished already").count(),
        PHOTOS / 2,
        "{said}"
    );
    assert_eq!(
        noted,
        self::noted(&shop.path("out")),
        "nothing was painted again"
    );
}

#[test]
fn a_gallery_is_painted_once_and_put_together_at_the_end() {
    let shop = workshop();
    until_done(&shop, "gallery", "--style other.png");
    let shared = pictures(&shop.path("out"));
    assert_eq!(shared.len(), 2 * PHOTOS);
    assert!(!shop.path("out/gallery.html").exists());
    let words = "photos --style painting.png --style other.png --size 32 --steps 3 --out-dir";
    let said = shop.gallery(&format!("{words} out"));
    assert_eq!(said.status, Some(0), "{said:?}");
    assert!(
        said.stderr
            .contains("12 of 12 pictures, 0 of them painted now"),
        "{said:?}"
    );
    assert_eq!(shop.gallery(&format!("{words} whole")).status, Some(0));
    assert_eq!(shared, pictures(&shop.path("whole")), "the same bytes");
    assert_eq!(pictures(&shop.path("out")), shared);
}

#[test]
fn what_is_changed_is_painted_again() {
    let shop = workshop();
    let done = |rest: &str| {
        let output = start(&shop, "stylize", "1/1", rest)
            .wait_with_output()
            .unwrap();
        assert!(output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    done("");
    shop.picture("photos/0.png", 30, 16);
    let said = done("");
    assert_eq!(
        said.matches("is finished already").count(),
        PHOTOS - 1,
        "{said}"
    );
    let said = done("--seed 7");
    assert_eq!(said.matches("is finished already").count(), 0, "{said}");
    std::fs::write(shop.path("out/1-painting.png"), "cut").unwrap();
    let said = done("--seed 7");
    assert_eq!(
        said.matches("is finished already").count(),
        PHOTOS - 1,
        "{said}"
    );
}

#[test]
fn what_cannot_be_shared_is_refused() {
    let shop = workshop();
    std::fs::create_dir(shop.path("mine")).unwrap();
    std::fs::write(shop.path("mine/holiday.jpg"), "").unwrap();
    for (words, expected) in [
        ("--shard 1/2 --out-dir mine", "other files in it"),
        ("--shard 3/2 --out-dir out", "--shard is 3/2: must be I/N"),
        ("--shard 1/2", "--out-dir"),
        ("--shard 1/2 --out-dir out -o a.png", "-o"),
    ] {
        let said = shop.stylize(&format!("photos --style painting.png {words}"));
        assert_ne!(said.status, Some(0), "{words}");
        assert!(said.stderr.contains(expected), "{words}: {said:?}");
    }
    assert!(!shop.path("out").exists() || pictures(&shop.path("out")).is_empty());
}

#[test]
fn contents_of_one_name_have_files_of_their_own() {
    let shop = workshop();
    std::fs::create_dir(shop.path("more")).unwrap();
    shop.picture("more/0.png", 20, 24);
    for shard in ["1/2", "2/2"] {
        let output = start(&shop, "stylize", shard, "more")
            .wait_with_output()
            .unwrap();
        assert!(output.status.success());
    }
    let found = pictures(&shop.path("out"));
    assert_eq!(found.len(), PHOTOS + 1);
    assert!(found.contains_key("0-painting--2.png"));
}
