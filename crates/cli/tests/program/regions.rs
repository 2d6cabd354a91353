//! Where a picture is painted, and in which styles.

use crate::workshop::Workshop;
use impasto::Picture;
use impasto::picture::SaveOptions;
use impasto_testing::{Tolerance, assert_close};

const CALL: &str = "photo.png --style painting.png --size 32";

/// A grey picture whose values depend on the column, from 0 to 1, alone.
fn mask(shop: &Workshop, name: &str, width: usize, height: usize, share: impl Fn(f32) -> f32) {
    let line: Vec<f32> = (0..width)
        .map(|x| share((x as f32 + 0.5) / width as f32))
        .collect();
    let plane = line.repeat(height);
    let picture = Picture::new(width, height, plane.repeat(3)).unwrap();
    picture
        .save(&shop.path(name), &SaveOptions::default())
        .unwrap();
}

fn step(at: f32) -> impl Fn(f32) -> f32 {
    move |x| f32::from(u8::from(x < at))
}

#[test]
fn a_white_mask_is_none_and_a_black_one_keeps_the_photo() {
    let shop = Workshop::new();
    mask(&shop, "white.png", 7, 5, |_| 1.0);
    mask(&shop, "black.png", 7, 5, |_| 0.0);
    mask(&shop, "left.png", 24, 16, step(0.5));
    let call = "photo.png --style painting.png --size original";
    for more in ["", "--optimizer lbfgs", "--init noise", "--method paint"] {
        let paint = |rest: &str| {
            let call = format!("{call} {more} {rest}");
            match more.contains("--method") {
                true => shop.run(&format!("stylize {call}")),
                false => shop.stylize(&call),
            }
        };
        paint("-o plain.png").done();
        paint("--mask white.png -o white-out.png").done();
        assert!(
            shop.open("plain.png") == shop.open("white-out.png"),
            "{more}"
        );
        paint("--mask black.png -o black-out.png").done();
        assert!(
            shop.open("black-out.png") == shop.open("photo.png"),
            "{more}"
        );
        paint("--mask left.png --feather 0 -o left-out.png").done();
        let (left, photo) = (shop.open("left-out.png"), shop.open("photo.png"));
        for (at, (painted, given)) in left.rgb().iter().zip(photo.rgb()).enumerate() {
            assert!(at % 24 < 12 || painted == given, "{more}: pixel {at}");
        }
        assert_ne!(left.rgb()[..12], photo.rgb()[..12], "{more}");
    }
}

#[test]
fn regions_have_styles_of_their_own() {
    let shop = Workshop::new();
    mask(&shop, "left.png", 24, 16, step(0.5));
    mask(&shop, "a=b.png", 24, 16, step(0.3));
    let map: Vec<f32> = [[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]].concat();
    Picture::new(2, 1, map)
        .unwrap()
        .save(&shop.path("map.png"), &SaveOptions::default())
        .unwrap();
    for (name, more) in [
        ("two", "--style painting.png --region left.png=@swirls"),
        ("kept", "--region left.png=@swirls:2"),
        (
            "mixed",
            "--region left.png=@swirls:2 --region left.png=@waves:1",
        ),
        (
            "colour",
            "--regions map.png --region #f00=@swirls --region #0000ff=painting.png",
        ),
        ("named", "--region a=b.png=@swirls"),
        ("masked", "--style painting.png --style-mask left.png"),
    ] {
        let call = format!("photo.png --size 32 {more} -o {name}.png");
        shop.run(&format!("stylize {call} --method paint")).done();
        shop.stylize(&format!("{call} --style-loss gram")).done();
        shop.stylize(&call).done();
    }
    let (two, kept) = (shop.open("two.png"), shop.open("kept.png"));
    assert_ne!(two.rgb(), kept.rgb());
    assert_ne!(shop.open("masked.png").rgb(), two.rgb());
    // Metadata say what was painted where.
    shop.stylize("photo.png --size 16 --mask a=b.png --region left.png=@swirls -o out.tif")
        .done();
    let bytes = shop.bytes("out.tif");
    let text = String::from_utf8_lossy(&bytes);
    for words in [
        r#"{"for":"mask","name":"a=b.png"}"#,
        r#"{"for":"region","name":"left.png"}"#,
        r#""region":1"#,
    ] {
        assert!(text.contains(words), "{words}");
    }
}

#[test]
fn regions_that_cannot_be_are_told() {
    let shop = Workshop::new();
    mask(&shop, "left.png", 24, 16, step(0.5));
    mask(&shop, "black.png", 3, 3, |_| 0.0);
    for (more, words) in [
        (
            "--region left.png",
            "--region is left.png: must be MASK=STYLE",
        ),
        ("--region #ff0000=@swirls", "name the map with --regions"),
        ("--regions left.png", "--regions goes with --region"),
        (
            "--regions left.png --region #123456=@swirls",
            "has no #123456; most of it is #000000, #ffffff",
        ),
        ("--region left.png=@swirls:0", "greater than 0"),
        (
            "--style-mask left.png --style-mask left.png",
            "there are 2 of --style-mask and 1 of --style",
        ),
        ("--style-mask black.png", "leaves nothing of it"),
        ("--mask left.png --feather 2", "--feather is 2"),
        (
            "--feather 0.1",
            "--feather has an effect with --mask or --region only",
        ),
        (
            "--colors-strength 0.5",
            "--colors-strength has an effect with --colors or --palette only",
        ),
    ] {
        shop.stylize(&format!("{CALL} {more} -o out.png"))
            .refused(2, &[words]);
    }
    for (more, words) in [
        ("--mask nowhere.png", "nowhere.png"),
        ("--region nowhere.png=@swirls", "nowhere.png"),
        ("--region left.png=nowhere.jpg", "nowhere.jpg"),
    ] {
        shop.stylize(&format!("{CALL} {more} -o out.png"))
            .refused(1, &[words]);
    }
    shop.stylize(&format!("{CALL} --mask left.png -o left.png"))
        .refused(2, &["one of the pictures to read"]);
    shop.run(
        "gallery photo.png --style painting.png --region left.png=@swirls --out-dir g --size 16",
    )
    .refused(2, &["a gallery paints in one style at a time"]);
}

#[test]
fn strips_change_no_bit_of_a_run_in_regions() {
    let shop = Workshop::new();
    mask(&shop, "left.png", 24, 16, step(0.5));
    let call = "photo.png --size 160 --mask left.png --region left.png=@swirls --steps 3";
    shop.stylize(&format!("{call} -o whole.png")).done();
    shop.stylize(&format!("{call} --threads 1 --tile 64 -o strips.png"))
        .done();
    assert!(shop.bytes("whole.png") == shop.bytes("strips.png"));
}

#[test]
fn less_here_and_more_there() {
    let shop = Workshop::new();
    mask(&shop, "left.png", 24, 16, step(0.5));
    mask(&shop, "white.png", 3, 3, |_| 1.0);
    mask(&shop, "black.png", 3, 3, |_| 0.0);
    // From the photo itself, so that what is drawn nowhere stays where it is.
    let call = format!("{CALL} --init content --tv-weight 0");
    shop.stylize(&format!("{call} -o plain.png")).done();
    for option in ["--style-strength", "--content-mask"] {
        shop.stylize(&format!("{call} {option} white.png -o white-out.png"))
            .done();
        assert!(
            shop.open("white-out.png") == shop.open("plain.png"),
            "{option}"
        );
        shop.stylize(&format!("{call} {option} left.png -o left-out.png"))
            .done();
        assert_ne!(
            shop.open("left-out.png").rgb(),
            shop.open("plain.png").rgb(),
            "{option}"
        );
    }
    shop.stylize(&format!("{call} --style-strength black.png -o none.png"))
        .done();
    // Neither style nor content draws anywhere: the photo, as one that is kept.
    shop.stylize(&format!("{call} --mask black.png -o given.png"))
        .done();
    let (none, given) = (shop.open("none.png"), shop.open("given.png"));
    assert_close(
        "the photo",
        none.rgb(),
        given.rgb(),
        Tolerance::absolute(1.0 / 255.0),
    );
    assert_ne!(shop.open("plain.png").rgb(), given.rgb());
}

#[test]
fn edges_strokes_and_photographs() {
    let shop = Workshop::new();
    shop.stylize(&format!("{CALL} -o plain.png")).done();
    let plain = shop.open("plain.png");
    for more in [
        "--keep-edges 5",
        "--photo",
        "--style-rotate 30",
        "--style-rotate 90",
        "--style-rotate any",
        "--style-spread 100,50",
        "--style-spread 50 --style-rotate any --colors content",
    ] {
        shop.stylize(&format!("{CALL} {more} -o out.png")).done();
        assert_ne!(shop.open("out.png").rgb(), plain.rgb(), "{more}");
    }
    shop.run("stylize photo.png --style painting.png --size 32 --method paint --style-rotate any --photo -o out.png")
        .done();
    shop.stylize(&format!(
        "{CALL} --style-rotate 0 --style-spread 100 -o same.png"
    ))
    .done();
    assert!(shop.bytes("same.png").len() > 100 && shop.open("same.png") == plain);
    for (more, words) in [
        ("--style-rotate 400", "--style-rotate is 400"),
        ("--style-spread 0", "--style-spread"),
        ("--keep-edges -1", "--keep-edges is -1"),
    ] {
        shop.stylize(&format!("{CALL} {more} -o out.png"))
            .refused(2, &[words]);
    }
}
