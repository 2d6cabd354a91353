//! Every content in every style, and going on where it stopped.

use crate::workshop::{Running, Said, Workshop};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

const CONTENTS: [&str; 4] = ["a", "b", "c", "d"];
const STYLES: [&str; 3] = ["x", "y", "z"];

/// A workshop with four contents, not of one shape, and three styles.
fn shop() -> Workshop {
    let shop = Workshop::new();
    for (index, name) in CONTENTS.into_iter().enumerate() {
        shop.picture(&format!("{name}.png"), 24 + 5 * index, 20);
    }
    for (index, name) in STYLES.into_iter().enumerate() {
        shop.picture(&format!("{name}.png"), 20, 16 + 7 * index);
    }
    shop
}

const CALL: &str = "a.png b.png c.png d.png --style x.png --style y.png --style z.png --size 32 \
                    --grid-size 64";

/// Bytes and time of each picture in a folder of a workshop.
fn pictures(shop: &Workshop, folder: &str) -> BTreeMap<String, (Vec<u8>, SystemTime)> {
    let mut pictures = BTreeMap::new();
    for entry in std::fs::read_dir(shop.path(folder)).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        if name.ends_with(".png") {
            let time = entry.metadata().unwrap().modified().unwrap();
            pictures.insert(name, (std::fs::read(entry.path()).unwrap(), time));
        }
    }
    pictures
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The pictures that a run with `--progress json` painted.
fn painted(said: &Said) -> Vec<String> {
    let lines = said
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let finished = lines.filter(|line: &serde_json::Value| line["event"] == "finished");
    let mut names: Vec<_> = finished
        .map(|line| {
            let output = line["output"].as_str().unwrap();
            Path::new(output)
                .file_stem()
                .unwrap()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}

fn all_cells() -> Vec<String> {
    let pairs = CONTENTS
        .iter()
        .flat_map(|c| STYLES.iter().map(move |s| format!("{c}-{s}")));
    pairs.collect()
}

#[test]
fn a_gallery_killed_in_the_middle_redoes_the_unfinished_cell_alone() {
    let shop = shop();
    let call = format!("{CALL} --steps 60 -o g");
    let mut running = Running::start_command(&shop, "gallery", &call);
    for _ in 0..6 {
        running.wait_for("started");
    }
    running.wait_for("step");
    running.kill();
    let before = pictures(&shop, "g");
    assert!((5..12).contains(&before.len()), "{}", before.len());

    let said = shop.gallery(&format!("{call} --progress json")).done();
    let mut missing = all_cells();
    missing.retain(|name| !before.contains_key(&format!("{name}.png")));
    // The picture may have been written before the kill and its entry not.
    let redone = painted(&said);
    let spare: Vec<_> = redone
        .iter()
        .filter(|name| !missing.contains(name))
        .collect();
    assert!(spare.len() <= 1, "{spare:?}");
    assert!(missing.iter().all(|name| redone.contains(name)));
    let after = pictures(&shop, "g");
    assert_eq!(after.len(), 12);
    for (name, old) in &before {
        if !spare.iter().any(|spare| name == &format!("{spare}.png")) {
            assert_eq!(&after[name], old, "{name} was touched");
        }
    }
    let mut expected: Vec<_> = after.keys().cloned().collect();
    expected.extend(["gallery.html", "gallery.jpg", "gallery.json"].map(String::from));
    expected.sort();
    assert_eq!(names(&shop.path("g")), expected, "nothing is left behind");

    // The same pictures as in one go, and as each alone.
    shop.gallery(&format!("{CALL} --steps 60 -o h")).done();
    let straight = pictures(&shop, "h");
    for (name, (bytes, _)) in &after {
        assert_eq!(bytes, &straight[name].0, "{name}");
    }
    shop.stylize("c.png --style y.png --size 32 --steps 60 -o alone.png")
        .done();
    assert_eq!(shop.bytes("alone.png"), after["c-y.png"].0);
}

#[test]
fn only_what_is_concerned_by_a_change_is_painted_again() {
    let shop = shop();
    let again = |arguments: &str| {
        painted(
            &shop
                .gallery(&format!("{arguments} -o g --progress json"))
                .done(),
        )
    };
    let column = |style: &str| {
        CONTENTS
            .map(|content| format!("{content}-{style}"))
            .to_vec()
    };
    let row = |content: &str| STYLES.map(|style| format!("{content}-{style}")).to_vec();
    let none: Vec<String> = vec![];
    assert_eq!(again(CALL), all_cells());
    assert_eq!(again(CALL), none, "nothing changed");
    assert_eq!(
        again(&format!("{CALL} --threads 1 --precision strict")),
        none,
        "how it is computed is no change"
    );
    shop.picture("b.png", 31, 30);
    assert_eq!(again(CALL), row("b"), "another content of that name");
    shop.picture("y.png", 31, 30);
    assert_eq!(again(CALL), column("y"), "another style of that name");
    shop.picture("w.png", 20, 20);
    assert_eq!(
        again(&format!("{CALL} --style w.png")),
        column("w"),
        "one more style"
    );
    assert_eq!(again(CALL), none, "a style less, and it keeps its pictures");
    assert_eq!(again(&format!("{CALL} --style w.png")), none);
    std::fs::write(shop.path("g/c-z.png"), "not what it was").unwrap();
    std::fs::remove_file(shop.path("g/a-x.png")).unwrap();
    assert_eq!(
        again(CALL),
        ["a-x", "c-z"],
        "a damaged file and one that is gone"
    );
    assert_eq!(
        again(&format!("{CALL} --content-weight 0.5")),
        all_cells(),
        "another recipe"
    );
}

#[test]
fn ctrl_c_leaves_a_gallery_that_can_be_looked_at_and_continued() {
    let shop = shop();
    let call = format!("{CALL} --steps 60 -o g");
    let mut running = Running::start_command(&shop, "gallery", &call);
    running.wait_for("finished");
    running.wait_for("step");
    #[cfg(unix)]
    {
        let id = running.id().to_string();
        std::process::Command::new("kill")
            .args(["-INT", &id])
            .status()
            .unwrap();
        let said = running.finish();
        assert_eq!(said.status, Some(130), "{said:?}");
        assert!(
            said.stderr.contains("the same command continues"),
            "{said:?}"
        );
        let before = pictures(&shop, "g");
        assert!((1..12).contains(&before.len()));
        let page = String::from_utf8(shop.bytes("g/gallery.html")).unwrap();
        assert_eq!(page.matches("not painted").count(), 12 - before.len());
        let said = shop.gallery(&format!("{call} --progress json")).done();
        assert_eq!(painted(&said).len(), 12 - before.len());
    }
    #[cfg(not(unix))]
    running.kill();
}

#[test]
fn the_grid_is_a_picture_of_all_and_the_page_tells_times() {
    let shop = shop();
    let said = shop.gallery(&format!("{CALL} -o g")).done();
    assert!(
        said.stderr
            .contains("12 of 12 pictures, 12 of them painted now"),
        "{}",
        said.stderr
    );
    let grid = shop.open("g/gallery.jpg");
    // Four columns and five rows, gutters, margins and names.
    assert!((4 * 64..5 * 64).contains(&grid.width()), "{}", grid.width());
    assert!(grid.height() > 5 * 40);
    let page = String::from_utf8(shop.bytes("g/gallery.html")).unwrap();
    assert!(page.contains("4 pictures in 3 styles"));
    assert_eq!(page.matches("class=\"plate\"").count(), 12);
    assert!(page.contains("impasto gallery"), "the command");
    let said = shop.gallery(&format!("{CALL} -o g --quiet")).done();
    assert_eq!(said.stderr, "");
}

#[cfg(unix)]
#[test]
fn names_of_files_cannot_become_markup() {
    let shop = shop();
    shop.picture("<b onclick='x'>&\".png", 24, 20);
    let mut program = shop.program();
    program
        .args(["gallery", "--encoder"])
        .arg(crate::workshop::tiny());
    program.args([
        "<b onclick='x'>&\".png",
        "--style",
        "x.png",
        "--size",
        "16",
        "--steps",
        "1",
    ]);
    Said::from(program.output().unwrap()).done();
    let page = String::from_utf8(shop.bytes("gallery/gallery.html")).unwrap();
    assert!(page.contains("&lt;b onclick=&#39;x&#39;&gt;&amp;&quot;"));
    assert!(!page.contains("<b onclick"));
}

#[test]
fn galleries_that_cannot_be_are_refused_before_any_work() {
    let shop = shop();
    std::fs::create_dir(shop.path("sub")).unwrap();
    shop.picture("sub/A.png", 20, 20);
    shop.picture("a-b.png", 20, 20);
    shop.picture("b-x.png", 20, 20);
    std::fs::create_dir(shop.path("holiday")).unwrap();
    std::fs::write(shop.path("holiday/photo.jpg"), "").unwrap();
    for (call, status, lines) in [
        (
            "none.png a.png --style x.png --style gone.png --strict",
            1,
            &["cannot read none.png", "cannot read gone.png"][..],
        ),
        (
            "a.png a.png --style x.png --style x.png",
            2,
            &[
                "a.png is given twice as a content",
                "x.png is given twice as a style",
            ],
        ),
        (
            "a.png sub/A.png --style x.png",
            2,
            &["two contents are called A, a.png and sub/A.png"],
        ),
        (
            "a.png a-b.png --style b-x.png --style x.png",
            2,
            &["would both be a-b-x.png"],
        ),
        (
            "a.png --style x.png:2",
            2,
            &["a gallery paints in one style at a time"],
        ),
        (
            "a.png --style x.png -o x.png",
            1,
            &["there is a file of that name"],
        ),
        (
            "a.png --style x.png -o none/g",
            1,
            &["create the folder first"],
        ),
        (
            "a.png --style x.png -o holiday",
            1,
            &["it has other files in it"],
        ),
        (
            "a.png --style x.png --grid-size 7 --seed -1",
            2,
            &["--seed is -1", "--grid-size is 7: must be 64 to 4096"],
        ),
        (
            "@lakes --style x.png --content-layer relu9_9",
            2,
            &["relu9_9", "@lake"],
        ),
    ] {
        shop.gallery(call).refused(status, lines);
    }
    assert!(!shop.path("gallery").exists(), "nothing was made");
}

#[cfg(unix)]
#[test]
fn folders_without_permission_are_refused() {
    use std::os::unix::fs::PermissionsExt;
    let shop = shop();
    let folder = shop.path("closed");
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o555)).unwrap();
    if std::fs::write(folder.join("trial"), "").is_ok() {
        // Permissions do not bind the superuser.
        return;
    }
    for call in [
        "a.png --style x.png -o closed",
        "a.png --style x.png -o closed/g",
    ] {
        shop.gallery(call)
            .refused(1, &["cannot write to the folder closed"]);
    }
}

/// Boxes become smaller only as far as something can be seen in them, and a JPEG has 65,535 rows.
#[test]
fn a_grid_that_no_file_holds_is_refused_before_work() {
    let shop = shop();
    shop.picture("tall.png", 1, 20);
    std::fs::create_dir(shop.path("many")).unwrap();
    for index in 0..1100 {
        std::fs::copy(
            shop.path("tall.png"),
            shop.path(&format!("many/{index}.png")),
        )
        .unwrap();
    }
    let words = "gallery.jpg of 1100 contents in 1 styles would have";
    shop.gallery("many --style x.png --size 16 -o g")
        .refused(1, &[words]);
    assert!(!shop.path("g").exists());
}
