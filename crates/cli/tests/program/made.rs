//! A picture says how it was made, and another is made the same way.

use crate::workshop::{Workshop, tiny};

const FIRST: &str = "photo.png --style painting.png --size 20 --content-weight 0.25 --seed 7 --colors content -o first";

#[test]
fn settings_of_a_picture_make_the_same_picture() {
    let shop = Workshop::new();
    for format in ["png", "jpg", "webp", "tif"] {
        shop.stylize(&format!("{FIRST}.{format}")).done();
        let mut again = shop.program();
        again.args([
            "stylize",
            "photo.png",
            "--style",
            "painting.png",
            "--encoder",
        ]);
        again
            .arg(tiny())
            .args(["--settings-from", &format!("first.{format}")]);
        let again = again
            .args(["-o", &format!("again.{format}")])
            .output()
            .unwrap();
        crate::workshop::Said::from(again).done();
        let (first, again) = (format!("first.{format}"), format!("again.{format}"));
        assert_eq!(shop.bytes(&first), shop.bytes(&again), "{format}");
    }
}

#[test]
fn a_picture_says_how_it_was_made() {
    let shop = Workshop::new();
    shop.stylize(&format!("{FIRST}.png")).done();
    let said = shop.run("inspect picture first.png").done();
    for words in [
        "# style \"painting.png\", weight 1\n",
        "seed = 7\n",
        "[content]\nweight = 0.25\n",
    ] {
        assert!(said.stdout.contains(words), "{words}: {said:?}");
    }
    // What it prints is a recipe file.
    std::fs::write(shop.path("first.toml"), &said.stdout).unwrap();
    shop.run("recipe check first.toml").done();
    let json = shop.run("inspect picture first.png --json").done();
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["recipe"]["seed"], 7);
}

#[test]
fn what_says_nothing_is_told() {
    let shop = Workshop::new();
    let said = shop.run("inspect picture photo.png");
    assert_eq!(said.status, Some(1));
    assert!(
        said.stderr.contains("photo.png holds no settings"),
        "{said:?}"
    );
    let call = "photo.png --style painting.png --settings-from photo.png --quality draft";
    let said = shop.stylize(call);
    assert_eq!(said.status, Some(2));
    for line in [
        "photo.png holds no settings",
        "--settings-from and --quality are both given",
    ] {
        assert!(said.stderr.contains(line), "{said:?}");
    }
    shop.stylize(&format!("{FIRST}.png")).done();
    let call = "photo.png --style painting.png --settings-from first.png -o first.png";
    let said = shop.stylize(call);
    assert!(
        said.stderr
            .contains("first.png: the recipe is read from it"),
        "{said:?}"
    );
}
