//! Films that are painted like some of their frames.

use crate::video::{film, frames};
use crate::workshop::{Running, Workshop};
use impasto::Picture;
use impasto::picture::SaveOptions;

/// A frame in the opposite colours.
fn negative(shop: &Workshop, name: &str) -> Picture {
    let frame = shop.open(name);
    let rgb = frame.rgb().iter().map(|value| 1.0 - value).collect();
    Picture::new(frame.width(), frame.height(), rgb).unwrap()
}

/// A keyframe: a frame in the opposite colours.
fn keyframe(shop: &Workshop, frame: &str, name: &str) {
    let painting = negative(shop, frame);
    painting
        .save(&shop.path(name), &SaveOptions::default())
        .unwrap();
}

/// A frame that was painted by hand, by other means, is what all others become.
#[test]
fn a_film_is_painted_like_its_keyframes() {
    let shop = Workshop::new();
    film(&shop, "in", "lake", 0..8, 2);
    keyframe(&shop, "in/002.png", "key.png");
    let call =
        "in --keyframe 2=key.png --size 48 --network-size lean --learn-steps 60 --consistency 0";
    let said = shop
        .run(&format!(
            "video {call} --network net.safetensors -o whole.gif"
        ))
        .done();
    assert!(said.stderr.contains("wrote net.safetensors"), "{said:?}");
    let made = frames(&shop.path("whole.gif"));
    assert_eq!(made.len(), 8);
    let wanted = negative(&shop, "in/006.png");
    let places = 48 * 32;
    let apart = (0..3 * places).map(|at| {
        let made = f32::from(made[6].2[at % places * 3 + at / places]) / 255.0;
        (made - wanted.rgb()[at]).powi(2)
    });
    let apart = (apart.sum::<f32>() / (3 * places) as f32).sqrt();
    assert!(apart < 0.15, "{apart}");
    // What was learned paints another film, and no style is asked for.
    shop.run(&format!(
        "video {call} --network net.safetensors -o other.gif"
    ))
    .refused(2, &["net.safetensors exists: --overwrite replaces it"]);
    shop.run("video in --network net.safetensors --size 48 --frames 3..4 -o again.gif")
        .done();
    // Cut off while it learns, and while it paints.
    for (event, after) in [("learn", 20), ("frame", 3)] {
        let mut running = Running::start_command(&shop, "video", &format!("{call} -o cut.gif"));
        for _ in 0..after {
            running.wait_for(event);
        }
        running.kill();
        let again = Running::start_command(&shop, "video", &format!("{call} -o cut.gif --resume"));
        let said = again.finish().done();
        assert!(
            shop.bytes("cut.gif") == shop.bytes("whole.gif"),
            "{event}: {said:?}"
        );
        std::fs::remove_file(shop.path("cut.gif")).unwrap();
    }
    std::fs::write(shop.path("text.png"), "no picture").unwrap();
    shop.picture("small.png", 9, 7);
    let black = Picture::new(2, 2, vec![0.0; 12]).unwrap();
    black
        .save(&shop.path("black.png"), &SaveOptions::default())
        .unwrap();
    for (status, call, words) in [
        (2, "in --keyframe x=key.png", "--keyframe is x=key.png"),
        (
            2,
            "in --keyframe 1=key.png --keyframe-mask 2=key.png",
            "frame 2 is no keyframe",
        ),
        (
            2,
            "in --style painting.png --network-size lean",
            "--network-size goes with --keyframe",
        ),
        (
            2,
            "in --keyframe 1=key.png --stereo sbs",
            "does not go with --stereo",
        ),
        (
            1,
            "in --keyframe 99=key.png",
            "there is no frame 99 in in, which has 8, counted from 0",
        ),
        (
            1,
            "in --keyframe 0:07=key.png",
            "there is no frame at 7 s in in, which is 0.32 s long",
        ),
        (
            1,
            "in --keyframe 1=key.png --keyframe 0.05s=key.png",
            "the keyframes 1 and 0.05s are both frame 1",
        ),
        (
            2,
            "in --keyframe 1=key.png --keyframe 1=in/001.png",
            "--keyframe names frame 1 twice",
        ),
        (
            1,
            "in --keyframe 1=key.png --keyframe-mask 1=black.png",
            "black.png is white nowhere",
        ),
        (
            2,
            "in --network net.safetensors --preview p.png",
            "--preview goes with --keyframe",
        ),
        (1, "in --keyframe 1=text.png", "text.png"),
        (1, "in --network text.png", "text.png"),
    ] {
        let steps = match call.contains("--network") {
            true => "",
            false => "--learn-steps 1",
        };
        let said = shop.run(&format!("video {call} --size 48 {steps} -o a.gif"));
        said.refused(status, &[words]);
    }
    let said = shop
        .run("video in --keyframe 1=small.png --size 48 --learn-steps 1 -o a.gif")
        .done();
    assert!(
        said.stderr.contains("9×7 px") && said.stderr.contains("it is fitted"),
        "{said:?}"
    );
    let files = shop.files();
    let left: Vec<_> = files.iter().filter(|name| name.contains("gif.")).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// Who has seen enough of the preview stops: what was learned paints the film. Frames lose their noise where that is asked for.
#[cfg(unix)]
#[test]
fn learning_is_stopped_at_any_time() {
    let shop = Workshop::new();
    film(&shop, "in", "lake", 0..5, 1);
    keyframe(&shop, "in/001.png", "key.png");
    let call = "in --keyframe 0.04s=key.png --size 48 --network-size lean --learn-steps 100000 --preview far.png --steady 2 -o out/";
    let mut running = Running::start_command(&shop, "video", call);
    for _ in 0..5 {
        running.wait_for("learn");
    }
    let id = nix::unistd::Pid::from_raw(running.id() as i32);
    nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGINT).unwrap();
    let said = running.finish().done();
    assert!(said.stderr.contains("of 100000 steps is used"), "{said:?}");
    assert_eq!(frames(&shop.path("out")).len(), 5);
    let preview = shop.open("far.png");
    assert_eq!((preview.width(), preview.height()), (48, 32));
    let files = shop.files();
    let left = files.iter().filter(|name| name.starts_with("out."));
    assert_eq!(left.count(), 0, "{files:?}");
}

/// A painting that is another frame's is told, and a film with a cut is painted on both sides of it.
#[test]
fn other_frames_and_cuts() {
    let shop = Workshop::new();
    film(&shop, "in", "lake", 0..4, 12);
    film(&shop, "in", "city", 4..8, 1);
    keyframe(&shop, "in/003.png", "key.png");
    let call = "in --size 48 --network-size lean --learn-steps 2 --cuts cuts.txt -o a.gif";
    std::fs::write(shop.path("cuts.txt"), "4").unwrap();
    let said = shop
        .run(&format!("video {call} --keyframe 0=key.png"))
        .done();
    assert!(
        said.stderr
            .contains("key.png looks more like frame 3 than like frame 0"),
        "{said:?}"
    );
    assert_eq!(frames(&shop.path("a.gif")).len(), 8);
    let said = shop
        .run(&format!("video {call} --keyframe 5=key.png --overwrite"))
        .done();
    assert!(
        said.stderr.contains("key.png looks more like frame 3"),
        "{said:?}"
    );
}

/// A keyframe that the film does not have is told before the film is looked through: its third frame cannot even be read.
#[test]
fn a_keyframe_that_is_not_there_is_told_at_once() {
    let shop = Workshop::new();
    film(&shop, "in", "lake", 0..4, 1);
    keyframe(&shop, "in/001.png", "key.png");
    std::fs::write(shop.path("in/002.png"), "no picture").unwrap();
    let call = "video in --size 48 --learn-steps 1 -o a.gif";
    shop.run(&format!("{call} --keyframe 4=key.png")).refused(
        1,
        &["there is no frame 4 in in, which has 4, counted from 0"],
    );
    let said = shop.run(&format!("{call} --keyframe 3=key.png"));
    said.refused(1, &["002.png"]);
}
