//! Runs that are cut off, and go on.

use crate::workshop::{Running, Said, Workshop};
use impasto_testing::compare::decibels;
use std::fs;

/// A job of two scales and thirty steps, each of which is saved.
const JOB: &str = "photo.png --style painting.png --scales 20,32 --steps 20,10 --seed 4 -o out.png \
                   --checkpoint saved --checkpoint-every 0";

fn names(shop: &Workshop, folder: &str) -> Vec<String> {
    let entries = fs::read_dir(shop.path(folder)).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The picture that the job comes to if nothing happens.
fn undisturbed() -> Vec<u8> {
    let shop = Workshop::new();
    shop.stylize(&JOB.replace("--checkpoint saved --checkpoint-every 0", ""))
        .done();
    shop.bytes("out.png")
}

/// Kills the job after some checkpoints.
fn kill_after(shop: &Workshop, checkpoints: usize) {
    let mut running = Running::start(shop, JOB);
    (0..checkpoints).for_each(|_| running.wait_for("saved"));
    running.kill();
    assert!(!shop.files().contains(&"out.png".to_string()));
}

#[test]
fn a_run_that_was_killed_goes_on_to_the_same_file() {
    let expected = undisturbed();
    for checkpoints in [1, 6, 19, 22] {
        let shop = Workshop::new();
        kill_after(&shop, checkpoints);
        let said = shop.stylize(&format!("{JOB} --resume")).done();
        assert!(said.stderr.contains("going on after step"), "{said:?}");
        assert!(said.stderr.contains("32×21 px, 30 steps in"), "{said:?}");
        assert_eq!(shop.bytes("out.png"), expected, "after {checkpoints}");
        assert_eq!(names(&shop, "saved"), [""; 0]);
    }
}

#[test]
fn a_run_that_has_no_checkpoint_yet_begins_anew() {
    let shop = Workshop::new();
    let said = shop.stylize(&format!("{JOB} --resume")).done();
    assert!(
        said.stderr
            .contains("no checkpoint of this job in saved: beginning anew"),
        "{said:?}"
    );
    assert_eq!(shop.bytes("out.png"), undisturbed());
}

#[cfg(unix)]
#[test]
fn ctrl_c_saves_what_is_needed_to_go_on() {
    let shop = Workshop::new();
    let job = JOB.replace("--checkpoint-every 0", "");
    let mut running = Running::start(&shop, &job);
    running.wait_for("step");
    let id = running.id().to_string();
    let pressed = std::process::Command::new("kill")
        .args(["-INT", &id])
        .status();
    assert!(pressed.unwrap().success());
    let said = running.finish();
    assert_eq!(said.status, Some(130), "{said:?}");
    let hint = "is in out.png; the same command with --resume goes on from there";
    assert!(said.stderr.contains(hint), "{said:?}");
    assert!(shop.files().contains(&"out.png".to_string()));
    let said = shop.stylize(&format!("{job} --resume")).done();
    assert!(said.stderr.contains("going on after step"), "{said:?}");
    assert_eq!(shop.bytes("out.png"), undisturbed());
}

#[test]
fn a_checkpoint_of_another_job_is_refused() {
    let shop = Workshop::new();
    kill_after(&shop, 2);
    shop.picture("other.png", 24, 16);
    let before = names(&shop, "saved");
    for (job, words) in [
        (
            JOB.replace("--seed 4", "--seed 5 --style-weight 2"),
            "seed was 4 and is 5; style.weight was 1 and is 2",
        ),
        (
            JOB.replace("photo.png", "other.png"),
            "content was 24×16 px",
        ),
        (format!("{JOB} --precision strict"), "strict f32"),
    ] {
        let said = shop.stylize(&format!("{job} --resume"));
        said.refused(2, &[words]);
        assert!(
            said.stderr.contains("leave --resume out to begin anew"),
            "{said:?}"
        );
    }
    assert_eq!(names(&shop, "saved"), before);
    // The number of threads changes no bit.
    shop.stylize(&format!("{JOB} --resume --threads 3")).done();
    assert_eq!(shop.bytes("out.png"), undisturbed());
}

#[test]
fn a_damaged_checkpoint_leaves_the_one_before() {
    let shop = Workshop::new();
    kill_after(&shop, 5);
    let finished = names(&shop, "saved")
        .into_iter()
        .filter(|name| name.ends_with(".checkpoint"));
    let saved: Vec<_> = finished.map(|name| shop.path("saved").join(name)).collect();
    assert_eq!(saved.len(), 2);
    let newest = saved
        .iter()
        .max_by_key(|path| fs::metadata(path).unwrap().modified().unwrap());
    let newest = newest.unwrap();
    let bytes = fs::read(newest).unwrap();
    fs::write(newest, &bytes[..bytes.len() / 3]).unwrap();
    let said = shop.stylize(&format!("{JOB} --resume")).done();
    assert!(said.stderr.contains("is damaged: "), "{said:?}");
    assert!(said.stderr.contains("going on after step"), "{said:?}");
    assert_eq!(shop.bytes("out.png"), undisturbed());
}

#[test]
fn batches_go_on_where_they_can() {
    let shop = Workshop::new();
    fs::create_dir(shop.path("out")).unwrap();
    let job = JOB.replace("-o out.png", "--out-dir out --overwrite");
    let job = job.replace("photo.png", "painting.png photo.png");
    let mut running = Running::start(&shop, &job);
    running.wait_for("finished");
    running.wait_for("saved");
    running.kill();
    let said = shop.stylize(&format!("{job} --resume")).done();
    let finished = "painting.png is finished already";
    assert!(said.stderr.contains(finished), "{said:?}");
    assert!(said.stderr.contains("going on after step"), "{said:?}");
    let photo = fs::read(shop.path("out/photo-painting.png")).unwrap();
    assert_eq!(photo, undisturbed());
    assert_eq!(names(&shop, "saved"), [""; 0]);
}

#[test]
fn folders_and_options_that_cannot_be_are_refused_before_work() {
    let shop = Workshop::new();
    let job = "photo.png --style painting.png --size 20 -o out.png";
    for (options, status, words) in [
        (
            "--checkpoint photo.png/saved",
            1,
            "a part of the path is a file",
        ),
        (
            "--checkpoint saved --no-checkpoint",
            2,
            "--checkpoint and --no-checkpoint are both given",
        ),
        (
            "--resume --no-checkpoint",
            2,
            "--resume and --no-checkpoint are both given",
        ),
        (
            "--checkpoint-every -1",
            2,
            "--checkpoint-every is -1: must be a number of seconds from 0",
        ),
        (
            "--resume --device reference",
            2,
            "--resume does not go with this device",
        ),
    ] {
        shop.stylize(&format!("{job} {options}"))
            .refused(status, &[words]);
    }
    assert!(!shop.files().contains(&"out.png".to_string()));
}

#[test]
fn short_runs_leave_nothing_in_the_cache() {
    let shop = Workshop::new();
    let job = "photo.png --style painting.png --size 20 -o out.png -v";
    let said = shop.stylize(job).done();
    assert!(!said.stderr.contains("checkpoint: "), "{said:?}");
    let said = shop.stylize(&format!("{job} --checkpoint-every 0")).done();
    assert!(said.stderr.contains("checkpoints/impasto-"), "{said:?}");
}

/// Runs the job where no file may be longer than this many blocks, of 512 or 1024 bytes.
#[cfg(unix)]
fn with_little_room(shop: &Workshop, job: &str, blocks: usize) -> Said {
    let program = shop.stylizing(job);
    let mut shell = std::process::Command::new("sh");
    // Writing past the limit is an error instead of a signal.
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
    shell.arg("-c").arg(script);
    shell.arg(program.get_program()).args(program.get_args());
    shell.current_dir(program.get_current_dir().unwrap());
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell.output().unwrap().into()
}

#[cfg(unix)]
#[test]
fn a_full_disk_is_told_of_once_and_ends_nothing() {
    let shop = Workshop::new();
    // The picture of 96×64 px has room, the checkpoint of five times 74 kB has not.
    let job = JOB.replace("20,32", "20,96").replace("20,10", "3,10");
    shop.stylize(&job).done();
    let expected = shop.bytes("out.png");
    let said = with_little_room(&shop, &job.replace("out.png", "small.png"), 128).done();
    assert_eq!(
        said.stderr.matches("cannot save the checkpoint").count(),
        1,
        "{said:?}"
    );
    assert!(said.stderr.contains("free some space"), "{said:?}");
    assert_eq!(shop.bytes("small.png"), expected);
    assert_eq!(names(&shop, "saved"), [""; 0]);
}

#[cfg(unix)]
#[test]
fn a_result_that_cannot_be_written_leaves_the_old_one_and_the_checkpoint() {
    let shop = Workshop::new();
    fs::write(shop.path("out.png"), "mine").unwrap();
    // Noise hardly compresses: the picture is longer than any checkpoint of the first scale.
    let job = "photo.png --style painting.png --init noise --scales 16,400 --steps 3,1 -o out.png --checkpoint saved";
    let every_step = format!("{job} --checkpoint-every 0");
    let said = with_little_room(&shop, &every_step, 64);
    assert_eq!(said.status, Some(1), "{said:?}");
    assert!(said.stderr.contains("cannot write out.png"), "{said:?}");
    assert!(
        said.stderr
            .contains("the same command with --resume goes on"),
        "{said:?}"
    );
    assert_eq!(shop.bytes("out.png"), b"mine");
    assert_eq!(names(&shop, "saved").len(), 2);
    assert_eq!(
        shop.files(),
        ["out.png", "painting.png", "photo.png", "saved"]
    );
    shop.stylize(&format!("{job} --resume")).done();
    assert_eq!(shop.open("out.png").width(), 400);
}

#[test]
fn weights_beyond_all_numbers_count_by_their_ratio() {
    let shop = Workshop::new();
    let job = "photo.png --style painting.png --size 20 --normalize none --reduction sum --style-loss gram --gram-norm none";
    shop.stylize(&format!(
        "{job} -o great.png --style-weight 3e38 --content-weight 3e37"
    ))
    .done();
    shop.stylize(&format!(
        "{job} -o small.png --style-weight 1 --content-weight 0.1"
    ))
    .done();
    let (great, small) = (shop.open("great.png"), shop.open("small.png"));
    let difference = decibels("great weights", great.rgb(), small.rgb());
    assert!(difference > 30.0, "{difference} dB");
}

/// Pixels that nothing holds back, and steps a hundred times too long.
const WILD: &str = r#"
version = 1
clip = "end"
normalize = "none"
reduction = "sum"
[style]
loss = "gram"
weight = 1e6
[optimizer]
method = "lbfgs"
learning-rate = 100.0
"#;

#[test]
fn a_run_that_goes_astray_twice_keeps_the_last_good_picture() {
    let shop = Workshop::new();
    fs::write(shop.path("wild.toml"), WILD).unwrap();
    let job =
        "photo.png --style painting.png --recipe wild.toml --scales 20 --steps 200 -o out.png";
    let said = shop.stylize(job);
    assert_eq!(said.status, Some(1), "{said:?}");
    let lines: Vec<_> = said.stderr.lines().collect();
    for words in [
        "back to the last good picture, and on with 0.1 of the step size",
        "the run went astray at 20×13 px",
        "the last good picture is in out.png",
    ] {
        let times = lines.iter().filter(|line| line.contains(words)).count();
        assert_eq!(times, 1, "{words}: {said:?}");
    }
    assert_eq!(shop.open("out.png").width(), 20);
}
