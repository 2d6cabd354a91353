//! Whose colours a picture has.

use crate::workshop::Workshop;
use impasto::picture::{Depth, SaveOptions};
use impasto_testing::{Tolerance, assert_close};

const CALL: &str = "photo.png --style painting.png --size 32";

#[test]
fn every_map_paints_on_either_side() {
    let shop = Workshop::new();
    shop.stylize(&format!("{CALL} -o plain.png")).done();
    let plain = shop.open("plain.png");
    let maps = [
        "content",
        "content-exact",
        "cholesky",
        "pca",
        "coral",
        "histogram",
        "luminance",
    ];
    for (map, when) in maps
        .iter()
        .flat_map(|map| [(map, "before"), (map, "after")])
    {
        let said = shop.stylize(&format!(
            "{CALL} --colors {map} --colors-when {when} -o out.png"
        ));
        said.done();
        assert_ne!(shop.open("out.png").rgb(), plain.rgb(), "{map} {when}");
    }
    shop.stylize(&format!(
        "{CALL} --colors content --colors-strength 0 -o none.png"
    ))
    .done();
    assert_eq!(shop.open("none.png").rgb(), plain.rgb());
}

#[test]
fn a_palette_gives_the_colours() {
    let shop = Workshop::new();
    shop.picture("third.png", 9, 9);
    shop.stylize(&format!("{CALL} --palette third.png -o third-colors.png"))
        .done();
    shop.stylize(&format!("{CALL} --colors content -o own-colors.png"))
        .done();
    let (third, own) = (shop.open("third-colors.png"), shop.open("own-colors.png"));
    assert_ne!(third.rgb(), own.rgb());
    shop.stylize(&format!(
        "{CALL} --palette third.png --colors luminance -o out.png"
    ))
    .refused(2, &["or histogram, not with luminance"]);
    shop.stylize(&format!("{CALL} --palette nowhere.png -o out.png"))
        .refused(1, &["nowhere.png"]);
    shop.stylize(&format!("{CALL} --palette third.png -o third.png"))
        .refused(2, &["one of the pictures to read"]);
}

#[test]
fn colours_are_given_without_painting() {
    let shop = Workshop::new();
    let photo = shop.open("photo.png").with_depth(Depth::Sixteen);
    photo
        .save(&shop.path("deep.png"), &SaveOptions::default())
        .unwrap();
    shop.run("colors deep.png --like painting.png -o out.png")
        .done();
    let out = shop.open("out.png");
    assert_eq!(
        (out.width(), out.height(), out.depth()),
        (24, 16, Depth::Sixteen)
    );
    shop.run("colors photo.png --like photo.png -o same.png")
        .done();
    let (same, photo) = (shop.open("same.png"), shop.open("photo.png"));
    let step = Tolerance::absolute(1.0 / 255.0);
    assert_close("same", same.rgb(), photo.rgb(), step);
    shop.run("colors photo.png --like painting.png -o photo.png")
        .refused(2, &["one of the pictures to read"]);
    shop.run("colors photo.png --like painting.png -o out.gif")
        .refused(1, &["out.gif"]);
    shop.run("colors photo.png --like painting.png -o out.png --mode style --strength 2")
        .refused(2, &["--strength is 2", "--mode is style"]);
}
