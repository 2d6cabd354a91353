//! What `--plan`, `--memory` and `--tile` do.

use crate::workshop::{Said, Workshop};
use impasto_testing::compare::differences;

fn paint(shop: &Workshop, options: &str) -> Said {
    shop.stylize(&format!("photo.png --style painting.png {options}"))
}

#[test]
fn a_plan_is_printed_and_nothing_is_painted() {
    let shop = Workshop::new();
    let before = shop.files();
    let said = paint(&shop, "--plan --memory 2GB --scales 64,128 --steps 5,7").done();
    let lines: Vec<&str> = said.stdout.lines().collect();
    assert!(lines[2].contains("64×") && lines[2].ends_with("as a whole"));
    assert!(
        lines[3].contains("128×") && lines[3].contains(" MB "),
        "{}",
        said.stdout
    );
    assert!(lines[4].contains(" 12 ") && lines[4].ends_with("limit 2.00 GB"));
    assert_eq!(shop.files(), before);
}

#[test]
fn a_picture_in_tiles_is_the_picture() {
    let shop = Workshop::new();
    paint(&shop, "--scales 128 --steps 3 --memory 2GB -o whole.png").done();
    paint(&shop, "--scales 128 --steps 3 --tile 64 -o tiled.png").done();
    let (whole, tiled) = (shop.open("whole.png"), shop.open("tiled.png"));
    let differences = differences("tiled", tiled.rgb(), whole.rgb());
    // A value whose gradient is nothing but rounding may go either way.
    let differs = |difference: &&f64| difference.abs() > 1.5 / 255.0;
    let different = differences.iter().filter(differs).count();
    assert!(
        different * 500 < whole.rgb().len(),
        "{different} values differ"
    );
}

#[test]
fn what_does_not_fit_is_refused_with_what_would() {
    let shop = Workshop::new();
    let said = paint(&shop, "--size 2048 --memory 200MB -o painted.png");
    assert!(!shop.files().contains(&"painted.png".to_string()));
    said.refused(1, &["the limit is 200 MB: a long side of"]);
    paint(&shop, "--memory 3 --tile 10").refused(
        2,
        &[
            "--memory is 3: must be a number with its unit",
            "--tile is 10: must be at least 64",
        ],
    );
}
