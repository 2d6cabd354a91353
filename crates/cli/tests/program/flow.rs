//! Motion between two pictures.

use super::video::film;
use crate::workshop::Workshop;

#[test]
fn motion_is_told_as_a_file_and_as_a_picture() {
    let shop = Workshop::new();
    film(&shop, "in", "lake", 0..2, 3);
    let said = shop
        .run("flow in/000.png in/001.png -o f.flo --mask kept.png")
        .done();
    assert!(said.stderr.contains("48×32 px"), "{said:?}");
    let flow = impasto_flow::read_flo(&shop.bytes("f.flo")[..]).unwrap();
    let middle = 16 * 48 + 24;
    assert!((flow.u()[middle] + 3.0).abs() < 0.2 && flow.v()[middle].abs() < 0.2);
    assert_eq!(shop.open("kept.png").width(), 48);
    shop.run("flow in/000.png in/001.png -o f.png").done();
    shop.run("flow in/000.png painting.png -o g.flo")
        .refused(1, &["frames of one film have one size"]);
    shop.run("flow in/000.png in/001.png -o g.xyz")
        .refused(1, &["g.xyz"]);
    assert!(!shop.path("g.flo").exists());
}

#[test]
fn another_estimator_is_asked_if_its_file_is_named() {
    let shop = Workshop::new();
    let raft = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../impasto/tests/golden/raft/network.safetensors"
    );
    let flow = |model: &str| {
        let mut program = shop.program();
        program.args(["flow", "photo.png", "photo.png", "-o", "motion.flo"]);
        program.args(["--flow-model", model]);
        crate::workshop::Said::from(program.output().unwrap())
    };
    let said = flow(raft).done();
    assert!(said.stderr.contains("wrote motion.flo"), "{said:?}");
    flow("photo.png").refused(1, &["photo.png"]);
    flow("nowhere.pth").refused(1, &["nowhere.pth"]);
}
