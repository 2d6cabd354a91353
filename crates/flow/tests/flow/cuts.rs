//! Where shots end.

use crate::scenes::{noise, png, shown};
use impasto_flow::{CutRule, Cuts, Frame, Rule, Settings, Signature, both, cuts, reliable};
use impasto_testing::shared;

/// A frame of one colour with some grain, so that shots look different.
fn shot(seed: u32, level: f32, at: usize) -> Frame {
    let texture = noise(seed);
    shown(
        |x, y| texture(x + at as f32, y).map(|value| level + 0.3 * value),
        96,
        54,
    )
}

fn found(frames: &[Frame], reliable: impl Fn(usize) -> Option<f32>) -> Vec<usize> {
    cuts(
        frames
            .iter()
            .enumerate()
            .map(|(i, frame)| (Signature::new(frame), reliable(i))),
        CutRule::default(),
    )
}

/// Frames of two shots, the second from frame 6 on.
fn two_shots() -> Vec<Frame> {
    (0..12)
        .map(|i| {
            if i < 6 {
                shot(1, 0.1, i)
            } else {
                shot(2, 0.6, i)
            }
        })
        .collect()
}

#[test]
fn a_cut_is_found_once() {
    assert_eq!(found(&two_shots(), |_| None), [6]);
    assert_eq!(
        found(&two_shots(), |i| Some(if i == 6 { 0.1 } else { 0.9 })),
        [6]
    );
    assert_eq!(found(&two_shots()[..6], |_| None), []);
    assert_eq!(found(&[], |_| None), []);
}

#[test]
fn a_change_that_flow_follows_is_none() {
    assert_eq!(found(&two_shots(), |_| Some(0.8)), []);
}

#[test]
fn flashes_are_none() {
    for length in 1..=4 {
        let mut frames: Vec<Frame> = (0..14).map(|i| shot(1, 0.1, i)).collect();
        for i in 5..5 + length {
            frames[i] = shot(3, 0.7, i);
        }
        let expected: &[usize] = if length < 3 { &[] } else { &[5, 5 + length] };
        assert_eq!(found(&frames, |_| None), expected, "{length} frames");
    }
}

#[test]
fn cuts_become_certain_in_time() {
    let mut cuts = Cuts::new(CutRule::default());
    let said: Vec<_> = two_shots()
        .iter()
        .map(|frame| cuts.push(Signature::new(frame), None))
        .collect();
    let expected = (0..12).map(|i| (i == 8).then_some(6)).collect::<Vec<_>>();
    assert_eq!(said, expected);
    assert_eq!(cuts.finish(), None);
    // Cut off before that, it is one, too.
    assert_eq!(found(&two_shots()[..7], |_| None), [6]);
}

#[test]
fn a_flash_at_a_cut_is_one_cut() {
    let mut frames = two_shots();
    frames[6] = shot(3, 0.35, 6);
    assert_eq!(found(&frames, |_| None).len(), 1);
}

#[test]
fn another_size_is_another_shot() {
    let (small, large) = (shown(noise(1), 30, 20), shown(noise(1), 60, 40));
    assert!(Signature::new(&small).differs(&Signature::new(&large), &CutRule::default()));
    let tiny = Frame::new(1, 1, 1, vec![0.5]).unwrap();
    assert!(!Signature::new(&tiny).differs(&Signature::new(&tiny), &CutRule::default()));
}

#[test]
fn films_are_cut_where_they_are() {
    let Some(folder) = shared("video/sintel") else {
        return;
    };
    let frame = |path: String| png(&folder.join(path));
    let fast: Vec<Frame> = (1..=33)
        .map(|i| frame(format!("ambush_4/frame_{i:04}.png")))
        .collect();
    assert_eq!(found(&fast, |_| None), [], "strong motion is no cut");
    let calm: Vec<Frame> = (1..=4)
        .map(|i| frame(format!("alley_1/final/frame_{i:04}.png")))
        .collect();
    let film: Vec<Frame> = fast[..6].iter().chain(&calm).cloned().collect();
    // The two scenes have sizes of their own, which would say it all.
    let film: Vec<Frame> = film.iter().map(|frame| cropped(frame, 640, 272)).collect();
    let [_, back] = both(&film[5], &film[6], &Settings::default(), Default::default()).unwrap();
    let [there, _] = both(&film[5], &film[6], &Settings::default(), Default::default()).unwrap();
    let share = reliable(&back, &there, &Rule::default()).unwrap().share();
    assert!(share < CutRule::default().reliable, "{share} reliable");
    assert_eq!(
        found(&film, |i| Some(if i == 6 { share } else { 1.0 })),
        [6]
    );
}

fn cropped(frame: &Frame, width: usize, height: usize) -> Frame {
    let rows = (0..3 * height).flat_map(|i| {
        let start = (i / height * frame.height() + i % height) * frame.width();
        frame.data()[start..start + width].iter().copied()
    });
    Frame::new(3, height, width, rows.collect()).unwrap()
}
