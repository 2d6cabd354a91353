//! Frames whose flow is known.

use crate::scenes::{end_point_error, end_point_errors, png};
use impasto_flow::{Preset, Rule, Settings, both, flow, read_flo, reliable};
use impasto_testing::{Failures, shared};
use std::fs::File;

/// Folder under `video`, first and second frame, true flow, and the end-point error that OpenCV 5.0.0 has there with its
/// dense inverse search, preset medium, at the frame's own size.
const PAIRS: [(&str, &str, &str, &str, f64); 8] = [
    (
        "middlebury/Dimetrodon",
        "frame10.png",
        "frame11.png",
        "flow10.flo",
        0.124,
    ),
    (
        "middlebury/Grove2",
        "frame10.png",
        "frame11.png",
        "flow10.flo",
        0.164,
    ),
    (
        "middlebury/Grove3",
        "frame10.png",
        "frame11.png",
        "flow10.flo",
        0.616,
    ),
    (
        "middlebury/Hydrangea",
        "frame10.png",
        "frame11.png",
        "flow10.flo",
        0.179,
    ),
    (
        "middlebury/RubberWhale",
        "frame10.png",
        "frame11.png",
        "flow10.flo",
        0.116,
    ),
    (
        "middlebury/Urban2",
        "frame10.png",
        "frame11.png",
        "flow10.flo",
        0.461,
    ),
    (
        "sintel/alley_1/clean",
        "frame_0002.png",
        "frame_0003.png",
        "gt/frame_0002.flo",
        0.244,
    ),
    (
        "sintel/alley_1/final",
        "frame_0002.png",
        "frame_0003.png",
        "gt/frame_0002.flo",
        0.269,
    ),
];

#[test]
fn flow_is_nearer_to_the_truth_than_opencvs() {
    let Some(folder) = shared("video") else {
        return;
    };
    let mut failures = Failures::new();
    for (name, first, second, truth, most) in PAIRS {
        let folder = folder.join(name);
        let (a, b) = (png(&folder.join(first)), png(&folder.join(second)));
        let truth = read_flo(File::open(folder.join(truth)).unwrap()).unwrap();
        let error = end_point_error(
            &flow(&a, &b, &Settings::default(), Default::default()).unwrap(),
            &truth,
        );
        failures.check(if error <= most {
            Ok(())
        } else {
            Err(format!("{name}: {error:.3} is above {most}"))
        });
    }
    failures.assert_none();
}

#[test]
fn coarser_presets_are_near_it_too() {
    let Some(folder) = shared("video/sintel/alley_1/clean") else {
        return;
    };
    let (a, b) = (
        png(&folder.join("frame_0002.png")),
        png(&folder.join("frame_0003.png")),
    );
    let truth = read_flo(File::open(folder.join("gt/frame_0002.flo")).unwrap()).unwrap();
    // As near as OpenCV's presets of these names.
    for (preset, most) in [(Preset::Fast, 0.532), (Preset::Medium, 0.341)] {
        let error = end_point_error(
            &flow(&a, &b, &preset.settings(), Default::default()).unwrap(),
            &truth,
        );
        assert!(error <= most, "{preset:?}: {error}");
    }
}

#[test]
fn what_the_mask_keeps_is_right() {
    for name in ["clean", "final"] {
        let Some(folder) = shared(&format!("video/sintel/alley_1/{name}")) else {
            return;
        };
        let (a, b) = (
            png(&folder.join("frame_0002.png")),
            png(&folder.join("frame_0003.png")),
        );
        let truth = read_flo(File::open(folder.join("gt/frame_0002.flo")).unwrap()).unwrap();
        let [there, back] = both(&a, &b, &Settings::default(), Default::default()).unwrap();
        let mask = reliable(&there, &back, &Rule::default()).unwrap();
        let errors = end_point_errors(&there, &truth);
        let wrong = errors
            .iter()
            .zip(mask.data())
            .filter(|(error, kept)| **kept && error.is_some_and(|error| error > 3.0));
        let (kept, wrong) = (
            f64::from(mask.share()),
            wrong.count() as f64 / errors.len() as f64,
        );
        assert!(kept >= 0.92, "{name}: {kept} kept");
        assert!(
            wrong / kept <= 0.01,
            "{name}: {} of what is kept is wrong",
            wrong / kept
        );
    }
}
