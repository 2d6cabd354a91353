//! Several recipes on one content, side by side.

use crate::workshop::Workshop;

const CALL: &str = "photo.png --style painting.png --size 24 --steps 3";

#[test]
fn recipes_are_run_one_by_one_and_shown_side_by_side() {
    let shop = Workshop::new();
    let recipes = ["impasto-draft", "tensorflow", "pytorch"];
    let said = shop
        .stylize(&format!("{CALL} --compare {}", recipes.join(",")))
        .done();
    assert!(said.stderr.contains("3 of 3 recipes"), "{}", said.stderr);
    for recipe in recipes {
        let result = format!("photo-painting-{recipe}.png");
        shop.stylize(&format!("{CALL} --recipe {recipe} -o alone.png"))
            .done();
        assert_eq!(shop.bytes(&result), shop.bytes("alone.png"), "{recipe}");
    }
    let page = String::from_utf8(shop.bytes("photo-painting-compare.html")).unwrap();
    assert_eq!(page.matches("class=\"plot\"").count(), 3);
    assert!(page.contains("photo by 3 recipes"));
    assert!(page.contains("<th>style.gram-norm</th>"));
    // Content, style and three results in rows, each in a box of 400 px.
    assert!(shop.open("photo-painting-compare.jpg").width() > 3 * 400);

    shop.stylize(&format!("{CALL} --compare impasto-draft"))
        .done();
    assert!(shop.path("photo-painting-2-compare.jpg").exists());
    assert!(shop.path("photo-painting-2-impasto-draft.png").exists());
}

#[test]
fn a_recipe_that_fails_costs_only_itself() {
    let shop = Workshop::new();
    let wild = "version = 1\n[style]\nweight = 1e38\n[optimizer]\nmethod = \"adam\"\nlearning-rate = 100\n";
    std::fs::write(shop.path("wild.toml"), wild).unwrap();
    let said = shop.stylize(&format!("{CALL} --compare wild.toml,impasto-draft"));
    if said.status == Some(1) {
        assert!(said.stderr.contains("wild: "), "{}", said.stderr);
        assert!(said.stderr.contains("1 of 2 recipes"), "{}", said.stderr);
    } else {
        said.done();
    }
    assert!(shop.path("photo-painting-impasto-draft.png").exists());
    assert!(shop.path("photo-painting-compare.html").exists());
}

#[test]
fn comparisons_that_cannot_be_are_refused() {
    let shop = Workshop::new();
    for (call, status, lines) in [
        (
            "photo.png painting.png --style painting.png --compare pytorch",
            2,
            &["--compare is about one content"][..],
        ),
        (
            "photo.png --style painting.png --compare pytorch -o a.png --report a.html",
            2,
            &["--compare and -o", "--compare and --report"],
        ),
        (
            "photo.png --style painting.png --compare pytorch,pytorch",
            2,
            &["names pytorch twice"],
        ),
        (
            "none.png --style painting.png --compare pytorsh,none.toml",
            2,
            &["cannot read none.png", "pytorch", "none.toml"],
        ),
        (
            "photo.png --style painting.png --compare pytorch --out-dir none",
            1,
            &["create the folder first"],
        ),
    ] {
        shop.stylize(call).refused(status, lines);
    }
    assert_eq!(shop.files(), ["painting.png", "photo.png"]);
}
