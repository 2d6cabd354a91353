//! Ctrl-C keeps the picture so far.

#![cfg(unix)]

use crate::workshop::{Running, Workshop};
use std::process::Command;

fn press_ctrl_c(running: &Running) {
    let id = running.id().to_string();
    let pressed = Command::new("kill").args(["-INT", &id]).status().unwrap();
    assert!(pressed.success());
}

#[test]
fn the_picture_so_far_is_written() {
    let shop = Workshop::new();
    let call = "photo.png --style painting.png --size 40 --steps 1000000 -o out.png";
    let mut running = Running::start(&shop, call);
    running.wait_for("step");
    press_ctrl_c(&running);
    let said = running.finish();
    assert_eq!(said.status, Some(130), "{said:?}");
    assert_eq!(said.stderr.lines().count(), 1, "{said:?}");
    assert!(said.stderr.contains("stopped by Ctrl-C after"), "{said:?}");
    assert!(said.stderr.contains("out.png"), "{said:?}");
    assert_eq!(shop.open("out.png").width(), 40);
    let last = said.stdout.lines().last().unwrap();
    let last: serde_json::Value = serde_json::from_str(last).unwrap();
    assert_eq!(
        (&last["event"], &last["stopped"]),
        (&"finished".into(), &true.into())
    );
    assert_eq!(shop.files(), ["out.png", "painting.png", "photo.png"]);
}

#[test]
fn a_coarse_picture_is_written_as_large_as_it_got() {
    let shop = Workshop::new();
    let call = "photo.png --style painting.png --scales 20,400 --steps 1000000 -o out.png";
    let mut running = Running::start(&shop, call);
    running.wait_for("step");
    press_ctrl_c(&running);
    assert_eq!(running.finish().status, Some(130));
    assert_eq!(shop.open("out.png").width(), 20);
}

#[test]
fn further_contents_are_left_out() {
    let shop = Workshop::new();
    std::fs::create_dir(shop.path("out")).unwrap();
    let call = "photo.png painting.png photo.png --style painting.png --size 16 --steps 1000000 --out-dir out";
    let mut running = Running::start(&shop, call);
    running.wait_for("step");
    press_ctrl_c(&running);
    let said = running.finish();
    assert_eq!(said.status, Some(130), "{said:?}");
    assert!(
        said.stderr.contains("2 further contents are left out"),
        "{said:?}"
    );
    assert_eq!(std::fs::read_dir(shop.path("out")).unwrap().count(), 1);
}

#[test]
fn a_second_time_it_ends_at_once_and_nothing_is_written() {
    let shop = Workshop::new();
    // A step of this size takes the reference device many seconds.
    let call =
        "photo.png --style painting.png --scales 3000 --steps 9 -o out.png --device reference";
    let mut running = Running::start(&shop, call);
    running.wait_for("started");
    press_ctrl_c(&running);
    std::thread::sleep(std::time::Duration::from_millis(100));
    press_ctrl_c(&running);
    let began = std::time::Instant::now();
    assert_eq!(running.finish().status, Some(130));
    assert!(began.elapsed().as_secs() < 5);
    assert_eq!(shop.files(), ["painting.png", "photo.png"]);
}
