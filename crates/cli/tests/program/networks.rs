//! Networks that paint in a pass, as methods, as starts, side by side.

use crate::workshop::{Said, Workshop};
use std::path::Path;

/// Runs `impasto stylize` with the program's own encoder.
fn stylize(shop: &Workshop, arguments: &str) -> Said {
    shop.run(&format!("stylize {arguments}"))
}

#[test]
fn the_embedded_network_paints_by_any_of_its_names() {
    let shop = Workshop::new();
    let options = "photo.png --style painting.png --size 40";
    for (name, more) in [
        ("method.png", "--method paint"),
        ("recipe.png", "--recipe paint"),
        ("instant.png", "--quality instant"),
    ] {
        stylize(&shop, &format!("{options} {more} -o {name}")).done();
    }
    let pixels = |name: &str| shop.open(name).rgb().to_vec();
    assert_eq!(pixels("method.png"), pixels("recipe.png"));
    assert_eq!(pixels("method.png"), pixels("instant.png"));
    stylize(
        &shop,
        &format!("{options} --method paint --alpha 0.2 -o weak.png"),
    )
    .done();
    assert_ne!(pixels("weak.png"), pixels("method.png"));
    stylize(
        &shop,
        &format!("{options} --method paint --report page.html -o page.png"),
    )
    .done();
    assert!(shop.path("page.html").exists());
}

#[test]
fn a_run_starts_from_what_a_network_paints() {
    let shop = Workshop::new();
    let options = "photo.png --style painting.png --size 32 --steps 1 --learning-rate 1e-6";
    stylize(&shop, &format!("{options} --start paint -o start.png")).done();
    stylize(&shop, &format!("{options} --init content -o content.png")).done();
    assert_ne!(shop.open("start.png").rgb(), shop.open("content.png").rgb());
}

#[test]
fn what_a_network_cannot_do_is_told() {
    let shop = Workshop::new();
    let options = "photo.png --style painting.png -o out.png";
    for (more, words) in [
        ("--method wct", "impasto models pull wct-16x"),
        (
            "--method paint --alpha 2",
            "--alpha is 2: must be between 0 and 1",
        ),
        (
            "--method paint --levels 9",
            "the network has the levels 3,2,1",
        ),
        ("--method paint --levels 1,3", "must go from the deepest"),
        ("--method paint --levels 1,1", "must go from the deepest"),
        (
            "--method paint --content-weight 1",
            "goes with the method optimize only",
        ),
        (
            "--init content --model painting.png",
            "a model goes with a feed-forward method",
        ),
        (
            "--start none.pth",
            "--start is none.pth: must be paint, wct",
        ),
        (
            "--method sketch",
            "--method is sketch: must be one of optimize, nnst, strotss, paint",
        ),
    ] {
        let said = stylize(&shop, &format!("{options} {more}"));
        assert_ne!(said.status, Some(0), "{more}: {said:?}");
        assert!(said.stderr.contains(words), "{more}: {said:?}");
        assert!(!said.stderr.contains("panicked"), "{said:?}");
        assert!(!shop.path("out.png").exists(), "{more}");
    }
    let said = stylize(&shop, "photo.png -o out.png");
    said.refused(2, &["--style is missing"]);
}

#[test]
fn methods_are_compared_and_shown_in_galleries_as_recipes_are() {
    let shop = Workshop::new();
    stylize(
        &shop,
        "photo.png --style painting.png --size 32 --compare paint,impasto-draft",
    )
    .done();
    shop.run("gallery photo.png --style painting.png --size 32 --method paint --out-dir shown")
        .done();
    assert!(shop.path("shown/gallery.html").exists());
    let plan = stylize(
        &shop,
        "photo.png --style painting.png --size 32 --method paint --plan",
    );
    assert!(plan.done().stdout.contains("32×"));
}

/// A small network of made-up weights: `johnson.safetensors`, `adain`, `wct`.
fn golden(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../impasto/tests/golden/nets");
    path.join(name).display().to_string()
}

#[test]
fn each_method_of_a_comparison_finds_its_network() {
    let shop = Workshop::new();
    let (fast, adain) = (golden("johnson.safetensors"), golden("adain"));
    let call = "photo.png --style painting.png --size 24 --overwrite";
    let models = format!("--model {adain} --model {fast}");
    stylize(
        &shop,
        &format!("{call} --compare fast,adain,paint {models}"),
    )
    .done();
    for (method, model) in [("fast", &fast), ("adain", &adain)] {
        stylize(
            &shop,
            &format!("{call} --method {method} --model {model} -o alone.png"),
        )
        .done();
        let compared = shop.open(&format!("photo-painting-{method}.png"));
        assert_eq!(compared.rgb(), shop.open("alone.png").rgb(), "{method}");
    }
    for (more, words) in [
        (
            format!("--method fast {models}"),
            "only --compare takes several",
        ),
        (
            format!("--compare fast,paint {models}"),
            "adain paints by adain or wct: no recipe of --compare does",
        ),
        (
            format!("--compare fast --model {fast} --model {fast}"),
            "both paint by fast",
        ),
        (
            format!("--compare fast,adain --model {fast}"),
            "models import FOLDER --name wct-16x",
        ),
        (
            format!("--compare impasto-draft,fast --model {fast} --model photo.png"),
            "photo.png",
        ),
    ] {
        let said = stylize(&shop, &format!("{call} {more}"));
        assert_ne!(said.status, Some(0), "{more}: {said:?}");
        assert!(said.stderr.contains(words), "{more}: {said:?}");
    }
}

#[test]
fn a_network_of_several_files_comes_as_their_folder() {
    let shop = Workshop::new();
    let whole = shop.path("whole");
    std::fs::create_dir(&whole).unwrap();
    let files = ["content_encoder", "style_encoder", "modulator", "decoder"];
    for name in files {
        std::fs::write(whole.join(format!("{name}.pth")), "other bytes").unwrap();
    }
    for (call, words) in [
        (
            "models import photo.png --name microast",
            "name the folder that they are in",
        ),
        ("models import .", "has not all files of a network"),
        // Told by the names of its files, and refused by their bytes.
        ("models import whole", "microast"),
    ] {
        shop.run(call).refused(1, &[words]);
    }
    for (name, words) in [("microast", "models pull microast"), ("wct-17x", "wct-16x")] {
        let said = shop.run(&format!("models verify {name}"));
        said.refused(1, &[words, "not as it was installed"]);
    }
    // Files of a network that were changed are found.
    std::fs::rename(&whole, shop.path("microast")).unwrap();
    let said = shop.run("models verify");
    said.refused(1, &["content_encoder.pth", "not as it was installed"]);
}

/// The folder of models has a folder for each network, and the method says which.
#[test]
fn a_folder_of_models_serves_as_a_model() {
    let shop = Workshop::new();
    let folder = shop.path("models").join("wct-16x");
    std::fs::create_dir_all(&folder).unwrap();
    for level in 1..=5 {
        for part in ["encoder", "decoder"] {
            let from = golden(&format!("wct/{part}{}.safetensors", level.min(3)));
            std::fs::copy(from, folder.join(format!("{part}{level}.pth"))).unwrap();
        }
    }
    let call = "photo.png --style painting.png --size 24 --method wct --levels 3,2,1";
    stylize(&shop, &format!("{call} --model models -o models.png")).done();
    let own = golden("wct");
    stylize(&shop, &format!("{call} --model {own} -o own.png")).done();
    assert_eq!(shop.open("models.png").rgb(), shop.open("own.png").rgb());
    // They are not the files that are known by that name.
    let said = shop.run("models verify wct-16x --models-dir models");
    said.refused(
        1,
        &["encoder1.pth is another file", "not as it was installed"],
    );
}
