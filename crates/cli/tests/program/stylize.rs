//! Pictures that are painted.

use crate::workshop::Workshop;
use impasto::picture::Depth;

#[test]
fn a_photo_is_painted_at_the_size_asked_for() {
    let shop = Workshop::new();
    shop.stylize("photo.png --style painting.png -o out.png --size 36")
        .done();
    let out = shop.open("out.png");
    assert_eq!((out.width(), out.height()), (36, 24));
    shop.stylize("photo.png --style painting.png -o same.png --size original")
        .done();
    let out = shop.open("same.png");
    assert_eq!((out.width(), out.height()), (24, 16));
    assert_ne!(out.rgb(), shop.open("photo.png").rgb());
}

#[test]
fn the_same_seed_gives_the_same_bytes_on_any_number_of_threads() {
    let shop = Workshop::new();
    let options = "photo.png --style painting.png --size 40 --init noise --seed 7";
    for (name, more) in [
        ("a.png", ""),
        ("b.png", ""),
        ("one.png", "--threads 1"),
        ("two.png", "--threads 2"),
        ("three.png", "--threads 3"),
    ] {
        shop.stylize(&format!("{options} {more} -o {name}")).done();
    }
    let first = shop.bytes("a.png");
    for name in ["b.png", "one.png", "two.png", "three.png"] {
        assert!(shop.bytes(name) == first, "{name} differs");
    }
    shop.stylize("photo.png --style painting.png --size 40 --init noise --seed 8 -o other.png")
        .done();
    assert!(shop.bytes("other.png") != first, "the seed changes nothing");
}

#[test]
fn thin_pictures_and_single_pixels_are_painted() {
    let shop = Workshop::new();
    for (name, width, height) in [("row.png", 64, 1), ("column.png", 1, 64), ("dot.png", 1, 1)] {
        shop.picture(name, width, height);
        shop.stylize(&format!(
            "{name} --style painting.png --size original -o out-{name}"
        ))
        .done();
        let out = shop.open(&format!("out-{name}"));
        assert_eq!((out.width(), out.height()), (width, height), "{name}");
        shop.stylize(&format!("photo.png --style {name} --size 16 -o in-{name}"))
            .done();
    }
    shop.stylize("row.png --style painting.png --size 16 -o short.png")
        .done();
    let out = shop.open("short.png");
    assert_eq!((out.width(), out.height()), (16, 1));
}

#[test]
fn names_are_made_from_content_and_style_and_never_replace_a_file() {
    let shop = Workshop::new();
    shop.picture("other.jpg", 16, 24);
    let said = shop
        .stylize("photo.png --style painting.png --size 16")
        .done();
    assert!(said.stderr.contains("photo-painting.png"), "{said:?}");
    let first = shop.bytes("photo-painting.png");
    shop.stylize("photo.png --style painting.png --size 20")
        .done();
    assert!(shop.bytes("photo-painting.png") == first);
    assert_eq!(shop.open("photo-painting-2.png").width(), 20);
    shop.stylize("photo.png --style painting.png --size 18 --overwrite")
        .done();
    assert_eq!(shop.open("photo-painting.png").width(), 18);

    std::fs::create_dir(shop.path("out")).unwrap();
    std::fs::create_dir(shop.path("more")).unwrap();
    shop.picture("more/photo.png", 20, 20);
    let contents = "photo.png other.jpg more/photo.png";
    shop.stylize(&format!(
        "{contents} --style painting.png --style other.jpg:2 --size 16 --out-dir out"
    ))
    .done();
    for name in [
        "photo-painting+other.png",
        "other-painting+other.png",
        "photo-painting+other-2.png",
    ] {
        assert_eq!(
            shop.open(&format!("out/{name}")).width().max(16),
            16,
            "{name}"
        );
    }
    assert_eq!(std::fs::read_dir(shop.path("out")).unwrap().count(), 3);
}

#[test]
fn several_contents_give_what_each_gives_alone() {
    let shop = Workshop::new();
    shop.picture("other.png", 16, 24);
    std::fs::create_dir(shop.path("out")).unwrap();
    shop.stylize("photo.png other.png --style painting.png --size 20 --out-dir out")
        .done();
    for name in ["photo", "other"] {
        shop.stylize(&format!(
            "{name}.png --style painting.png --size 20 -o alone.png"
        ))
        .done();
        let together = shop.open(&format!("out/{name}-painting.png"));
        assert_eq!(together, shop.open("alone.png"), "{name}");
    }
}

#[test]
fn every_format_is_written_and_keeps_what_it_can() {
    let shop = Workshop::new();
    let photo = shop.open("photo.png").with_depth(Depth::Sixteen);
    let alpha = (0..24 * 16).map(|i| (i % 24) as f32 / 23.0).collect();
    let photo = photo.with_alpha(alpha).unwrap();
    photo
        .save(&shop.path("deep.png"), &Default::default())
        .unwrap();
    for (name, has_alpha, depth) in [
        ("out.png", true, Depth::Sixteen),
        ("out.tif", true, Depth::Sixteen),
        ("out.webp", true, Depth::Eight),
        ("out.JPG", false, Depth::Eight),
    ] {
        shop.stylize(&format!(
            "deep.png --style painting.png --size 24 -o {name}"
        ))
        .done();
        let out = shop.open(name);
        assert_eq!((out.width(), out.height()), (24, 16), "{name}");
        assert_eq!(out.alpha().is_some(), has_alpha, "{name}");
        assert_eq!(out.depth(), depth, "{name}");
    }
}

#[test]
fn the_settings_travel_in_the_picture_and_the_machine_does_not() {
    let shop = Workshop::new();
    shop.stylize("photo.png --style painting.png:2 --size 16 --seed 77 -o out.tif")
        .done();
    let bytes = shop.bytes("out.tif");
    let text = String::from_utf8_lossy(&bytes);
    for words in [
        r#""program":"impasto""#,
        r#""seed":77"#,
        r#""name":"painting.png""#,
    ] {
        assert!(text.contains(words), "{words}");
    }
    let folder = shop.path("");
    assert!(!text.contains(folder.to_str().unwrap()));
}

#[test]
fn a_report_holds_everything_in_one_file() {
    let shop = Workshop::new();
    shop.stylize("photo.png --style painting.png --size 16 -o out.png --report page.html")
        .done();
    let page = String::from_utf8(shop.bytes("page.html")).unwrap();
    assert!(page.contains("photo.png"), "{page}");
    assert!(page.contains("painting.png"), "{page}");
    assert!(page.contains("--report page.html"), "{page}");
    assert!(page.contains("data:image/"), "{page}");
    assert_eq!(
        shop.files(),
        ["out.png", "page.html", "painting.png", "photo.png"]
    );
}

#[test]
fn previews_are_written_while_it_runs() {
    let shop = Workshop::new();
    // The last step is no multiple, so the file is the result at the end, not the last preview.
    shop.stylize("photo.png --style painting.png --size 16 --steps 5 --save-every 2 -o out.png")
        .done();
    shop.stylize("photo.png --style painting.png --size 16 --steps 5 -o plain.png")
        .done();
    assert_eq!(shop.bytes("out.png"), shop.bytes("plain.png"));
    assert_eq!(
        shop.files(),
        ["out.png", "painting.png", "photo.png", "plain.png"]
    );
}

#[test]
fn every_start_is_a_different_picture() {
    let shop = Workshop::new();
    shop.picture("start.png", 9, 9);
    let mut seen = Vec::new();
    for start in ["content", "noise", "style", "start.png", "@waves"] {
        shop.stylize(&format!(
            "photo.png --style painting.png --size 16 --init {start} -o out.png"
        ))
        .done();
        let rgb = shop.open("out.png").rgb().to_vec();
        assert!(!seen.contains(&rgb), "{start}");
        seen.push(rgb);
    }
}

#[test]
fn scales_and_steps_are_followed() {
    let shop = Workshop::new();
    let said = shop
        .stylize("photo.png --style painting.png --scales 16,20,32 --steps 3,1 --progress json")
        .done();
    let steps: Vec<(u64, u64, u64)> = said
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter(|line| line["event"] == "step")
        .map(|line| {
            let number = |key: &str| line[key].as_u64().unwrap();
            (number("scale"), number("width"), number("step"))
        })
        .collect();
    assert_eq!(
        steps,
        [(1, 16, 1), (1, 16, 2), (1, 16, 3), (2, 20, 1), (3, 32, 1)]
    );
    assert_eq!(shop.open("photo-painting.png").width(), 32);
}

#[test]
fn built_in_pictures_need_no_file() {
    let shop = Workshop::new();
    let said = shop
        .run("stylize @lake --style @swirls --size 32 --steps 1")
        .done();
    assert!(said.stderr.contains("lake-swirls.png"), "{said:?}");
    assert_eq!(shop.open("lake-swirls.png").width(), 32);
}

#[test]
fn quiet_is_quiet_and_verbose_tells_the_device() {
    let shop = Workshop::new();
    let said = shop
        .stylize("photo.png --style painting.png --size 16 --quiet")
        .done();
    assert_eq!((said.stdout.as_str(), said.stderr.as_str()), ("", ""));
    let said = shop
        .stylize("photo.png --style painting.png --size 16 --verbose --device reference")
        .done();
    assert!(said.stderr.contains("device: reference"), "{said:?}");
    assert!(said.stderr.contains("encoder: "), "{said:?}");
}

/// One of a series was painted by other means: the rest follows.
#[test]
fn pictures_are_painted_like_another() {
    let shop = Workshop::new();
    let small = |name: &str| {
        let whole = impasto::examples::find(name).unwrap().picture().unwrap();
        whole.resized(64, 48, impasto::picture::Filter::Bicubic)
    };
    let negative = |picture: &impasto::Picture| {
        let rgb = picture.rgb().iter().map(|value| 1.0 - value).collect();
        impasto::Picture::new(picture.width(), picture.height(), rgb).unwrap()
    };
    let options = impasto::picture::SaveOptions::default();
    let (first, other) = (small("lake"), small("city"));
    for (name, picture) in [
        ("first.png", &first),
        ("painted.png", &negative(&first)),
        ("other.png", &other),
    ] {
        picture.save(&shop.path(name), &options).unwrap();
    }
    shop.run(
        "stylize other.png --like first.png=painted.png --learn-steps 60 --size 64 -o out.png",
    )
    .done();
    let (wanted, made) = (negative(&other), shop.open("out.png"));
    let apart = |picture: &impasto::Picture| {
        let pairs = wanted.rgb().iter().zip(picture.rgb());
        let squares = pairs.map(|(a, b)| (a - b).powi(2)).sum::<f32>();
        (squares / wanted.rgb().len() as f32).sqrt()
    };
    let (before, after) = (apart(&other), apart(&made));
    assert!(after < 0.75 * before, "{after} of {before}");
    for (pair, words) in [
        ("first.png", "must be PHOTO=PAINTING"),
        ("first.png=nowhere.png", "nowhere.png"),
    ] {
        let said = shop.run(&format!(
            "stylize photo.png --like {pair} --size 24 -o a.png"
        ));
        assert!(
            said.status != Some(0) && said.stderr.contains(words),
            "{said:?}"
        );
    }
}
