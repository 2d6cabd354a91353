//! Films of which several shots are painted at once.

use super::video::film;
use crate::workshop::{Running, Workshop};

/// Whoever paints which shot, the bytes are the same; what was painted ahead is not painted again.
#[test]
fn shots_are_painted_side_by_side() {
    let shop = Workshop::new();
    std::fs::create_dir(shop.path("in")).unwrap();
    for (shot, example) in ["lake", "city", "still-life", "lake"].iter().enumerate() {
        film(&shop, "shot", example, 0..6, 1);
        for number in 0..6 {
            let (from, to) = (
                format!("shot/{number:03}.png"),
                format!("in/{:03}.png", 6 * shot + number),
            );
            std::fs::rename(shop.path(&from), shop.path(&to)).unwrap();
        }
    }
    std::fs::remove_dir(shop.path("shot")).unwrap();
    for options in ["", "--passes 2", "--method paint --every 2"] {
        let call = format!("in --style painting.png --size 32 {options}");
        let start = |more: &str| Running::start_command(&shop, "video", &format!("{call} {more}"));
        start("-o whole.gif").finish().done();
        start("-o several.gif --workers 3").finish().done();
        assert!(
            shop.bytes("several.gif") == shop.bytes("whole.gif"),
            "{options}"
        );
        let mut running = start("-o cut.gif --workers 2");
        for _ in 0..2 {
            running.wait_for("frame");
        }
        running.kill();
        start("-o cut.gif --workers 3 --resume").finish().done();
        assert!(
            shop.bytes("cut.gif") == shop.bytes("whole.gif"),
            "{options}"
        );
        for file in ["whole.gif", "several.gif", "cut.gif"] {
            std::fs::remove_file(shop.path(file)).unwrap();
        }
    }
    assert_eq!(shop.files(), ["in", "painting.png", "photo.png"]);
    let call = "in --style painting.png --size 32 -o out.gif --workers";
    for (more, told) in [
        ("0", "--workers is 0"),
        ("2 --report page.html", "--workers goes with"),
    ] {
        Running::start_command(&shop, "video", &format!("{call} {more}"))
            .finish()
            .refused(2, &[told]);
    }
}
