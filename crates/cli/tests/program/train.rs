//! Networks of the user's own.

use crate::workshop::{Said, Workshop};
use std::process::{Command, Stdio};
use std::time::Duration;

const CALL: &str = "train style painting.png --tiny --batch 1 -o out.safetensors";

#[test]
fn a_style_is_learned_and_painted_with() {
    let shop = Workshop::new();
    std::fs::create_dir(shop.path("photos")).unwrap();
    std::fs::rename(shop.path("photo.png"), shop.path("photos/a.png")).unwrap();
    std::fs::write(shop.path("photos/broken.jpg"), "no picture").unwrap();
    let call = format!("{CALL} --contents photos --steps 3 --licence CC0-1.0 --preview seen.png");
    let said = shop.run(&call).done();
    for words in [
        "left out",
        "broken.jpg",
        "photos: 1",
        "step 1 of 3: loss",
        "wrote out.safetensors: 3 steps",
    ] {
        assert!(said.stderr.contains(words), "{said:?}");
    }
    assert_eq!(
        shop.files(),
        ["out.safetensors", "painting.png", "photos", "seen.png"]
    );
    assert!(shop.open("seen.png").width() >= 64);
    let paint =
        "stylize photos/a.png --method fast --model out.safetensors --size 24 -o painted.png";
    shop.run(paint).done();
    assert_eq!(shop.open("painted.png").width(), 24);
    // It can be learned further, norms alone.
    shop.run("train style painting.png --quick --from out.safetensors --batch 1 --steps 2 --contents photos/a.png -o more.safetensors")
        .done();
    assert_ne!(
        shop.bytes("more.safetensors"),
        shop.bytes("out.safetensors")
    );
}

#[test]
fn what_cannot_be_learned_is_told_before_any_work() {
    let shop = Workshop::new();
    std::fs::create_dir(shop.path("none")).unwrap();
    std::fs::write(shop.path("text.safetensors"), "no weights").unwrap();
    for (status, call, words) in [
        (2, "--threads many", "--threads"),
        (2, "--steps 0", "--steps is 0: must be at least 1"),
        (2, "--learning-rate -1", "--learning-rate is -1"),
        (1, "--contents none", "none"),
        (1, "--contents nowhere.png", "nowhere.png"),
        (1, "--from text.safetensors", "text.safetensors"),
    ] {
        let said = shop.run(&format!("{CALL} {call}"));
        said.refused(status, &[words]);
    }
    shop.run("train style painting.png --batch 100 -o out.safetensors")
        .refused(2, &["--batch is 100"]);
    shop.run("train style painting.png -o out.png")
        .refused(2, &["must end in .safetensors"]);
    shop.run("train style nothing.png -o out.safetensors")
        .refused(1, &["nothing.png"]);
    assert_eq!(
        shop.files(),
        ["none", "painting.png", "photo.png", "text.safetensors"]
    );
}

#[cfg(unix)]
/// Whatever was learned is written when it is stopped, and the same call goes on to the same file.
#[test]
fn a_run_that_was_stopped_goes_on_to_the_same_file() {
    let call = format!("{CALL} --contents photo.png --steps 30");
    let shop = Workshop::new();
    let mut program = shop.program();
    program.args(call.split_whitespace());
    program.stdout(Stdio::piped()).stderr(Stdio::piped());
    let running = program.spawn().unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    let id = running.id().to_string();
    Command::new("kill").args(["-INT", &id]).status().unwrap();
    let said = Said::from(running.wait_with_output().unwrap());
    if said.status == Some(0) {
        // A machine on which thirty steps are over by then.
        return;
    }
    assert_eq!(said.status, Some(130), "{said:?}");
    assert!(said.stderr.contains("the same call goes on"), "{said:?}");
    let files = shop.files();
    assert!(files.contains(&"out.safetensors".to_string()), "{files:?}");
    assert!(files.contains(&"out.safetensors.learning".to_string()));
    let said = shop.run(&call).done();
    assert!(said.stderr.contains("going on from step"), "{said:?}");
    assert!(
        !shop
            .files()
            .contains(&"out.safetensors.learning".to_string())
    );
    let whole = Workshop::new();
    whole.run(&call).done();
    assert_eq!(
        shop.bytes("out.safetensors"),
        whole.bytes("out.safetensors")
    );
}
