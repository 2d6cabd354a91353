//! Progress, for people and for programs.

use crate::workshop::Workshop;
use serde_json::Value;

#[test]
fn json_progress_is_an_object_a_line_and_reaches_one() {
    let shop = Workshop::new();
    let said = shop
        .stylize("photo.png --style painting.png --scales 16,24 --steps 3,2 --progress json")
        .done();
    let lines: Vec<Value> = said
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let (steps, rest): (Vec<_>, Vec<_>) =
        lines.into_iter().partition(|line| line["event"] == "step");
    assert_eq!(steps.len(), 5);
    let mut before = 0.0;
    for step in &steps {
        assert_eq!(step["content"], "photo.png");
        assert_eq!(step["scales"], 2);
        let progress = step["progress"].as_f64().unwrap();
        assert!(progress > before && progress <= 1.0, "{progress}");
        before = progress;
        let losses = step["losses"].as_object().unwrap();
        for name in [
            "content:relu3_3",
            "style:relu1_1",
            "style:relu2_1",
            "style:relu3_1",
            "style:relu3_3",
            "tv",
        ] {
            assert!(losses[name].is_f64(), "{name}");
        }
        assert!(step["total"].is_f64());
        assert!(step["seconds"].as_f64().unwrap() > 0.0);
        assert!(step["eta"].as_f64().unwrap() >= 0.0);
    }
    assert_eq!((before, &steps[4]["eta"]), (1.0, &0.0.into()));
    let sizes = steps.iter().map(|s| {
        (
            s["scale"].as_u64(),
            s["width"].as_u64(),
            s["height"].as_u64(),
            s["step"].as_u64(),
            s["steps"].as_u64(),
        )
    });
    let sizes: Vec<_> = sizes.collect();
    assert_eq!(sizes[3], (Some(2), Some(24), Some(16), Some(1), Some(2)));
    assert_eq!(rest.len(), 2);
    assert_eq!(rest[0]["event"], "started");
    assert_eq!(
        rest[0]["scales"][1],
        serde_json::json!({"width": 24, "height": 16, "steps": 2})
    );
    assert_eq!(rest[1]["event"], "finished");
    assert_eq!(rest[1]["output"], "photo-painting.png");
    assert_eq!(rest[1]["stopped"], false);
}

#[test]
fn without_a_terminal_there_is_a_line_per_scale_and_no_control_sequence() {
    let shop = Workshop::new();
    let said = shop
        .stylize("photo.png --style painting.png --scales 16,24")
        .done();
    assert_eq!(said.stdout, "");
    let lines: Vec<_> = said.stderr.lines().collect();
    assert_eq!(lines.len(), 3, "{said:?}");
    assert!(lines[0].starts_with("impasto: 1/2 16×"), "{said:?}");
    assert!(
        lines[1].starts_with("impasto: 2/2 24×16: 2 steps, loss "),
        "{said:?}"
    );
    assert!(
        lines[2].starts_with("impasto: wrote photo-painting.png: 24×16 px"),
        "{said:?}"
    );
    assert!(!said.stderr.contains(['\x1b', '\r']), "{said:?}");
    let said = shop
        .stylize("photo.png --style painting.png --size 16 --progress none")
        .done();
    assert_eq!(said.stderr.lines().count(), 1, "{said:?}");
    shop.stylize("photo.png --style painting.png --size 16 --progress bar")
        .done();
}

#[test]
fn a_reader_that_goes_away_does_not_stop_the_painting() {
    let shop = Workshop::new();
    let mut program = shop.program();
    program.args([
        "stylize",
        "photo.png",
        "--style",
        "painting.png",
        "--size",
        "16",
        "--steps",
        "5",
    ]);
    program
        .arg("--encoder")
        .arg(crate::workshop::tiny())
        .args(["--progress", "json"]);
    let mut running = program
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(running.stdout.take());
    assert!(running.wait().unwrap().success());
    assert_eq!(shop.open("photo-painting.png").width(), 16);
}
