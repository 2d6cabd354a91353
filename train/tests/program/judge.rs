//! `impasto-train judge` from outside.

use crate::workshop::Workshop;
use impasto::Picture;
use std::fs;

const TEACHER: [(&str, usize, usize); 5] = [
    ("conv1_1", 4, 3),
    ("conv2_1", 5, 4),
    ("conv3_1", 6, 5),
    ("conv3_2", 6, 6),
    ("conv3_3", 6, 6),
];

#[test]
fn the_teacher_prefers_what_it_painted_itself_to_the_photo() {
    let workshop = Workshop::new();
    workshop.weights("deep.safetensors", &TEACHER);
    let arguments = "judge --teacher deep.safetensors --contents photos --styles paintings --out judged \
                     --pairs 2 --size 24";
    let output = workshop
        .program()
        .args(arguments.split_whitespace())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let judged = workshop.path("judged");
    let text = fs::read_to_string(judged.join("judgement.json")).unwrap();
    let trials: serde_json::Value = serde_json::from_str(&text).unwrap();
    for trial in trials.as_array().unwrap() {
        let verdicts = trial["verdicts"].as_array().unwrap();
        let painters: Vec<_> = verdicts
            .iter()
            .map(|verdict| verdict["painter"].as_str())
            .collect();
        assert_eq!(painters, [Some("start"), Some("teacher"), Some("lite")]);
        let style = |index: usize| verdicts[index]["style"].as_f64().unwrap();
        assert!(style(1) < 0.5 * style(0), "{trial}");
        assert_eq!(verdicts[0]["content"], 0.0);
    }
    let page = fs::read_to_string(judged.join("judgement.md")).unwrap();
    assert_eq!(page.lines().count(), 4, "{page}");
    let row = Picture::open(&judged.join("02-1-1.png")).unwrap();
    assert_eq!(row.width(), 4 * 24 + 3 * 4);
}

#[test]
fn who_cannot_judge_is_refused() {
    let workshop = Workshop::new();
    fs::create_dir(workshop.path("empty")).unwrap();
    workshop.weights("deep.safetensors", &TEACHER);
    for (teacher, styles, needed) in [
        ("teacher.safetensors", "paintings", "relu3_3"),
        ("deep.safetensors", "empty", "no pictures in empty"),
        ("missing.pth", "paintings", "missing.pth"),
    ] {
        let arguments = ["judge", "--contents", "photos", "--out", "judged"];
        let more = ["--teacher", teacher, "--styles", styles];
        let output = workshop
            .program()
            .args(arguments)
            .args(more)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(needed), "{said}");
    }
}
