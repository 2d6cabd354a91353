//! Runs that are cut off and go on.

use super::*;
use crate::device::{Choice, Precision};
use crate::{
    Encoder, Event, Ignore, OutputSize, Picture, Recipe, RunLimits, Style, Stylized, Stylizer,
};
use impasto_testing::Folder;
use std::ops::ControlFlow;

fn wavy(salt: f32, width: usize, height: usize) -> Picture {
    let values = (0..3 * width * height).map(|i| 0.5 + (i as f32 * 0.37 + salt).sin() / 2.5);
    Picture::new(width, height, values.collect()).unwrap()
}

fn recipe() -> Recipe {
    let mut recipe = Recipe {
        size: OutputSize::LongSide(24),
        seed: 3,
        ..Recipe::default()
    };
    let schedule = &mut recipe.optimize_mut().unwrap().schedule;
    schedule.scales = vec![16, 24];
    schedule.steps = vec![4, 3];
    recipe
}

fn stylizer(recipe: Recipe, choice: Choice) -> Stylizer {
    let tiny = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tiny.safetensors");
    let device = crate::device::open(&choice).unwrap();
    let styles = vec![Style::new("painting", wavy(1.0, 20, 18), 1.0)];
    Stylizer::new(device, &Encoder::open(&tiny, None).unwrap(), styles, recipe).unwrap()
}

fn threads(threads: usize) -> Choice {
    Choice {
        threads: Some(threads),
        ..Choice::default()
    }
}

fn content() -> Picture {
    wavy(0.0, 24, 17)
}

/// Saves after every step.
fn always(folder: &Path, resume: Resume) -> Checkpoints {
    Checkpoints {
        every: Some(Duration::ZERO),
        resume,
        ..Checkpoints::new(folder)
    }
}

/// A run that saves after every step and is stopped after some; what it was told of its checkpoints.
fn stopped(folder: &Path, steps: usize) -> (Stylized, Vec<String>) {
    go(
        stylizer(recipe(), threads(1)),
        always(folder, Resume::No),
        steps,
    )
    .unwrap()
}

fn go(
    stylizer: Stylizer,
    checkpoints: Checkpoints,
    steps: usize,
) -> Result<(Stylized, Vec<String>)> {
    let (mut taken, mut notices) = (0, vec![]);
    let stylized =
        stylizer
            .checkpoints(checkpoints)
            .stylize(&content(), &mut |event: &Event<'_>| {
                match event {
                    Event::Step(_) => taken += 1,
                    Event::Checkpoint(notice) => notices.push(
                        format!("{notice:?}")
                            .split([' ', '('])
                            .next()
                            .unwrap()
                            .to_string(),
                    ),
                    _ => {}
                }
                match taken >= steps {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            })?;
    Ok((stylized, notices))
}

fn resume(folder: &Path) -> Result<(Stylized, Vec<String>)> {
    go(
        stylizer(recipe(), threads(2)),
        Checkpoints {
            resume: Resume::Yes,
            ..Checkpoints::new(folder)
        },
        usize::MAX,
    )
}

fn uninterrupted() -> Stylized {
    stylizer(recipe(), threads(2))
        .stylize(&content(), &mut Ignore)
        .unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The two files of the only job in a folder.
fn slots(folder: &Path) -> [PathBuf; 2] {
    let names = names(folder);
    assert_eq!(names.len(), 2, "{names:?}");
    [folder.join(&names[0]), folder.join(&names[1])]
}

#[test]
fn a_run_that_was_stopped_goes_on_to_the_same_picture() {
    let whole = uninterrupted();
    assert_eq!(whole.checkpoint, None);
    let total = whole.report.steps.len();
    // Within the first scale, at its end, within the second, and right before the end.
    for steps in [1, 3, 4, 5, total - 1] {
        let folder = Folder::new();
        let (early, notices) = stopped(folder.path(), steps);
        assert_eq!(notices.last().unwrap(), "Saved");
        assert!(early.report.stopped && early.checkpoint.is_some());
        let (resumed, notices) = resume(folder.path()).unwrap();
        assert_eq!(notices, ["Resumed"]);
        assert_eq!(resumed.picture, whole.picture, "after {steps} steps");
        let losses = |stylized: &Stylized| -> Vec<(usize, usize, u64)> {
            let steps = stylized.report.steps.iter();
            steps
                .map(|s| (s.scale, s.step, s.total.to_bits()))
                .collect()
        };
        assert_eq!(losses(&resumed), losses(&whole));
        let times: Vec<f64> = resumed.report.steps.iter().map(|s| s.seconds).collect();
        assert!(times.is_sorted(), "{times:?}");
        assert!(resumed.report.seconds >= times[total - 1] && !resumed.report.stopped);
        assert_eq!(resumed.report.scales.len(), 2);
        resumed.checkpoint.unwrap().remove().unwrap();
        assert_eq!(names(folder.path()), [""; 0]);
    }
}

#[test]
fn the_file_before_takes_the_place_of_a_damaged_one() {
    let whole = uninterrupted();
    let folder = Folder::new();
    stopped(folder.path(), 5);
    let saved: Vec<_> = slots(folder.path())
        .map(|path| fs::read(path).unwrap())
        .into();
    let place = |path: &PathBuf| Saved::open(path).unwrap().unwrap().header.place;
    let [a, b] = slots(folder.path());
    let newest = usize::from(place(&b) > place(&a));
    for cut in [0, 10, saved[newest].len() / 2, saved[newest].len() - 1] {
        fs::write([&a, &b][newest], &saved[newest][..cut]).unwrap();
        let (resumed, notices) = resume(folder.path()).unwrap();
        assert_eq!(notices, ["Unusable", "Resumed"]);
        assert_eq!(resumed.picture, whole.picture);
        // The good one is not the one that is written next.
        assert_eq!(fs::read([&a, &b][1 - newest]).unwrap(), saved[1 - newest]);
    }
    for path in [&a, &b] {
        fs::write(path, b"impasto").unwrap();
    }
    let error = resume(folder.path()).unwrap_err().to_string();
    assert!(
        error.contains("is damaged: it ends after 7 bytes"),
        "{error}"
    );
    let lenient = Checkpoints {
        resume: Resume::IfSaved,
        ..Checkpoints::new(folder.path())
    };
    let (resumed, notices) = go(stylizer(recipe(), threads(1)), lenient, usize::MAX).unwrap();
    assert_eq!(notices, ["Unusable", "Unusable", "NothingToResume"]);
    assert_eq!(resumed.picture, whole.picture);
}

#[test]
fn another_job_is_refused_and_named() {
    let folder = Folder::new();
    stopped(folder.path(), 2);
    let before = names(folder.path());
    let mut changed = recipe();
    changed.optimize_mut().unwrap().style.weight = 2.5;
    let strict = Choice {
        precision: Precision::Strict,
        ..Choice::default()
    };
    for (recipe, choice, words) in [
        (changed, Choice::default(), "style.weight was 1 and is 2.5"),
        (recipe(), strict, ", strict f32"),
    ] {
        for (resume, refused) in [(Resume::Yes, true), (Resume::IfSaved, false)] {
            let checkpoints = Checkpoints {
                resume,
                ..Checkpoints::new(folder.path())
            };
            match go(stylizer(recipe.clone(), choice), checkpoints, usize::MAX) {
                Err(Error::Checkpoint(CheckpointError::OtherJob { differences, .. })) => {
                    assert!(refused);
                    assert_eq!(differences.len(), 1, "{differences:?}");
                    let said = differences[0].to_string();
                    assert!(said.contains(words), "{said}");
                }
                Ok((_, notices)) => {
                    assert!(!refused);
                    assert_eq!(notices, ["NothingToResume"]);
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
    assert_eq!(names(folder.path()), before);
}

#[test]
fn a_run_keeps_its_tiles() {
    let tiled = |tile| {
        let mut recipe = recipe();
        // Such networks do not run in strips.
        recipe.encoder.pooling = impasto_compute::PoolKind::L2;
        recipe.optimize_mut().unwrap().schedule.scales = vec![160];
        let limits = RunLimits {
            tile,
            ..RunLimits::default()
        };
        let stylizer = stylizer(recipe, threads(1));
        stylizer.with_limits(limits).unwrap()
    };
    let whole = tiled(Some(64)).stylize(&content(), &mut Ignore).unwrap();
    let folder = Folder::new();
    go(tiled(Some(64)), always(folder.path(), Resume::No), 2).unwrap();
    let checkpoints = Checkpoints {
        resume: Resume::Yes,
        ..Checkpoints::new(folder.path())
    };
    // Whatever memory is free now, nobody asked for other tiles.
    let (resumed, _) = go(tiled(None), checkpoints.clone(), usize::MAX).unwrap();
    assert_eq!(resumed.picture, whole.picture);
    let error = go(tiled(Some(96)), checkpoints, usize::MAX).unwrap_err();
    let said = error.to_string();
    assert!(
        said.contains("tiles was 5") && said.contains(" and is 80×57 px at scale 1"),
        "{said}"
    );
}

#[test]
fn strips_are_nobodys_business() {
    let in_strips = |tile| {
        let mut recipe = recipe();
        recipe.optimize_mut().unwrap().schedule.scales = vec![160];
        let limits = RunLimits {
            tile,
            ..RunLimits::default()
        };
        let stylizer = stylizer(recipe, threads(1));
        stylizer.with_limits(limits).unwrap()
    };
    let whole = in_strips(None).stylize(&content(), &mut Ignore).unwrap();
    let folder = Folder::new();
    go(in_strips(Some(64)), always(folder.path(), Resume::No), 2).unwrap();
    let checkpoints = Checkpoints {
        resume: Resume::Yes,
        ..Checkpoints::new(folder.path())
    };
    // Begun in strips of 64 rows, finished in others: the bytes of the whole.
    let (resumed, _) = go(in_strips(Some(96)), checkpoints, usize::MAX).unwrap();
    assert_eq!(resumed.picture, whole.picture);
}

#[test]
fn devices_whose_last_bits_would_be_lost_are_refused() {
    let choice = Choice {
        kind: crate::device::Kind::Reference,
        ..Choice::default()
    };
    let folder = Folder::new();
    let error = go(
        stylizer(recipe(), choice),
        always(folder.path(), Resume::No),
        1,
    )
    .unwrap_err();
    assert!(error.to_string().contains("another device"), "{error}");
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn an_empty_folder_or_none_is_no_hindrance() {
    let folder = Folder::new();
    for name in ["", "missing"] {
        let (stylized, notices) = resume(&folder.path().join(name)).unwrap();
        assert_eq!(notices, ["NothingToResume"]);
        assert!(!stylized.report.stopped);
    }
    fs::write(
        folder.path().join("impasto-0123456789abcdef-a.checkpoint"),
        "x",
    )
    .unwrap();
    assert_eq!(resume(folder.path()).unwrap().1, ["NothingToResume"]);
}

#[test]
fn a_folder_that_cannot_be_written_to_is_told_of_once() {
    let folder = Folder::new();
    let file = folder.path().join("file");
    fs::write(&file, "mine").unwrap();
    let checkpoints = always(&file.join("folder"), Resume::No);
    let (stylized, notices) = go(stylizer(recipe(), threads(1)), checkpoints, usize::MAX).unwrap();
    assert_eq!(notices, ["NotSaved"]);
    assert_eq!(stylized.picture, uninterrupted().picture);
    assert_eq!(stylized.checkpoint, None);
    assert_eq!(fs::read(&file).unwrap(), b"mine");
}

#[test]
fn short_runs_are_not_saved() {
    let folder = Folder::new();
    let checkpoints = Checkpoints {
        least: Duration::from_secs(3600),
        ..always(folder.path(), Resume::No)
    };
    let (_, notices) = go(stylizer(recipe(), threads(1)), checkpoints, 5).unwrap();
    assert_eq!(notices, [""; 0]);
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn what_others_left_behind_goes_when_it_is_old_or_too_much() {
    let folder = Folder::new();
    let now = SystemTime::now();
    let make = |name: &str, age: Duration| {
        let file = fs::File::create(folder.path().join(name)).unwrap();
        file.set_modified(now - age).unwrap();
    };
    let hour = Duration::from_secs(3600);
    for (number, kept) in [(1, true), (2, false)] {
        let age = if kept { OLD - hour } else { OLD + hour };
        make(&format!("impasto-{number:016x}-a.checkpoint"), age);
        make(&format!("impasto-{number:016x}-77.tmp"), age);
        // None of ours.
        make(&format!("impasto-{number:015x}-a.checkpoint"), age);
        make(&format!("impasto-{number:016x}-c.checkpoint"), age);
        make(&format!("impasto-{number:016x}-a.png"), age);
    }
    let (_, notices) = stopped(folder.path(), 1);
    assert_eq!(notices, ["Removed", "Removed", "Saved"]);
    let left = names(folder.path());
    let has = |name: &str| left.iter().any(|other| other == name);
    assert_eq!(left.len(), 9, "{left:?}");
    assert!(has("impasto-0000000000000001-a.checkpoint") && has("impasto-0000000000000001-77.tmp"));
    assert!(!has("impasto-0000000000000002-a.checkpoint"));
    assert!(has("impasto-0000000000000002-a.png"));

    for number in 0..KEPT as u64 + 3 {
        make(&format!("impasto-{number:016x}-b.checkpoint"), hour);
    }
    stopped(folder.path(), 1);
    let left = names(folder.path());
    let others = left.iter().filter(|name| name.ends_with(".checkpoint"));
    // Two of this job, two whose names are not of ours.
    let strangers = 2 + 2;
    assert_eq!(others.count(), KEPT + 2 + strangers);
}

#[test]
fn unfinished_files_of_the_job_go_too() {
    let folder = Folder::new();
    let (stylized, _) = stopped(folder.path(), 1);
    let job = stylized.checkpoint.unwrap().job;
    let left = folder.path().join(format!("impasto-{job}-123.tmp"));
    fs::write(&left, "half").unwrap();
    stopped(folder.path(), 2);
    assert!(!left.exists());
    fs::write(&left, "half").unwrap();
    let (stylized, _) = resume(folder.path()).unwrap();
    stylized.checkpoint.unwrap().remove().unwrap();
    assert_eq!(names(folder.path()), [""; 0]);
}
