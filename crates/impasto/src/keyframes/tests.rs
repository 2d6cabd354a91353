//! Learning from keyframes, and painting by it.

use super::*;
use crate::examples;
use crate::method::{RunLimits, Setup};
use crate::observer::Ignore;
use crate::picture::Picture;
use crate::regions::Regions;
use crate::{Encoder, Mask, OutputSize, Recipe, Stylizer};
use impasto_compute::Device;
use impasto_compute::cpu::{CpuDevice, CpuSettings};
use std::collections::BTreeMap;
use std::sync::Arc;

fn device() -> Arc<dyn Device> {
    Arc::new(CpuDevice::new(CpuSettings::default()).unwrap())
}

/// A part of a built-in picture.
fn part(name: &str, left: usize, (width, height): (usize, usize)) -> Picture {
    let whole = examples::find(name).unwrap().picture().unwrap();
    let planes = whole.rgb().chunks_exact(whole.width() * whole.height());
    let rows = planes.flat_map(|plane| plane.chunks_exact(whole.width()).skip(40).take(height));
    let rgb = rows.flat_map(|row| row[left..left + width].iter().copied());
    Picture::new(width, height, rgb.collect()).unwrap()
}

/// Other colours: a function of each pixel alone.
fn recolored(picture: &Picture) -> Picture {
    let places = picture.width() * picture.height();
    let rgb = picture.rgb();
    let value = |at: usize| {
        let (plane, place) = (at / places, at % places);
        let other = rgb[(plane + 1) % 3 * places + place];
        (1.0 - other) * (0.4 + 0.6 * rgb[place])
    };
    let rgb = (0..rgb.len()).map(value).collect();
    Picture::new(picture.width(), picture.height(), rgb).unwrap()
}

fn psnr(one: &Picture, other: &Picture) -> f32 {
    assert_eq!(one.size(), other.size());
    let squares = one
        .rgb()
        .iter()
        .zip(other.rgb())
        .map(|(a, b)| (a - b).powi(2));
    -10.0 * (squares.sum::<f32>() / one.rgb().len() as f32).log10()
}

fn lesson(steps: usize) -> KeyframeLesson {
    KeyframeLesson {
        width: Width::Lean,
        steps,
        batch: 4,
        side: 32,
        ..KeyframeLesson::default()
    }
}

fn learner(keyframes: Vec<Keyframe>, lesson: KeyframeLesson) -> crate::Result<KeyframeLearner> {
    KeyframeLearner::new(device(), &Encoder::lite().unwrap(), keyframes, None, lesson)
}

fn keyframe(left: usize) -> Keyframe {
    let frame = part("lake", left, (64, 48));
    Keyframe {
        painting: recolored(&frame),
        frame,
        mask: None,
        guide: None,
    }
}

fn painter(network: KeyframeNetwork) -> Stylizer {
    let device = device();
    let turn = Turn::default();
    let method = KeyframeMethod::new(device.as_ref(), network, Arc::new(BTreeMap::new()), turn);
    let setup = Setup {
        device,
        encoder: "keyframes".into(),
        styles: Vec::new(),
        recipe: Recipe {
            size: OutputSize::Original,
            ..Recipe::default()
        },
        start: None,
        regions: Regions::default(),
        palette: None,
        painter: None,
        limits: RunLimits::default(),
        checkpoints: None,
        extra_terms: None,
    };
    Stylizer::with_method(setup, Box::new(method.unwrap()))
}

/// A change of colours is learned, and done to another frame; a file keeps it.
#[test]
fn a_filter_is_learned() {
    let mut learner = learner(vec![keyframe(10)], lesson(150)).unwrap();
    while !learner.is_finished() {
        learner.step().unwrap();
    }
    let network = learner.network().unwrap();
    let other = part("lake", 60, (64, 48));
    let wanted = recolored(&other);
    let made = painter(network.clone())
        .stylize(&other, &mut Ignore)
        .unwrap();
    let (before, after) = (psnr(&other, &wanted), psnr(&made.picture, &wanted));
    assert!(after > 15.0 && after > before + 4.0, "{before} {after}");
    let folder = impasto_testing::Folder::new();
    let path = folder.path().join("learned.safetensors");
    network.write(&path).unwrap();
    let again = KeyframeNetwork::read(&path).unwrap();
    let again = painter(again).stylize(&other, &mut Ignore).unwrap();
    assert_eq!(again.picture, made.picture);
}

/// A run that is cut off goes on to the same numbers.
#[test]
fn learning_goes_on_to_the_same_end() {
    let run = |learner: &mut KeyframeLearner, to: usize| {
        while learner.steps_taken() < to {
            learner.step().unwrap();
        }
    };
    let made = || learner(vec![keyframe(0), keyframe(30)], lesson(6)).unwrap();
    let (mut whole, mut first, mut second) = (made(), made(), made());
    run(&mut whole, 6);
    run(&mut first, 3);
    let folder = impasto_testing::Folder::new();
    let path = folder.path().join("state.safetensors");
    first.state().unwrap().write(&path).unwrap();
    second
        .resume(crate::learn::LearnerState::read(&path).unwrap())
        .unwrap();
    run(&mut second, 6);
    assert_eq!(
        whole.network().unwrap().numbers,
        second.network().unwrap().numbers
    );
    let mut other = learner(vec![keyframe(1)], lesson(6)).unwrap();
    let state = crate::learn::LearnerState::read(&path).unwrap();
    assert!(other.resume(state).is_err());
}

/// Where a mask is black nothing is learned; of an empty one there is nothing to learn. Frames smaller than a patch will do.
#[test]
fn masks_and_small_frames() {
    let mut empty = keyframe(0);
    empty.mask = Some(Mask::of(&Picture::new(1, 1, vec![0.0; 3]).unwrap()));
    assert!(learner(vec![keyframe(0), empty], lesson(1)).is_err());
    assert!(learner(vec![], lesson(1)).is_err());
    let frame = part("lake", 0, (7, 3));
    let small = Keyframe {
        painting: recolored(&frame),
        frame,
        mask: None,
        guide: None,
    };
    let mut learner = learner(vec![small], lesson(2)).unwrap();
    let step = learner.step().unwrap();
    assert!(step.pixels > 0.0 && step.pixels < 1.0);
    for (width, height) in [(1, 1), (2, 3), (7, 5)] {
        let made = painter(learner.network().unwrap());
        let mut made = made;
        let picture = part("lake", 0, (width, height));
        let made = made.stylize(&picture, &mut Ignore).unwrap().picture;
        assert_eq!((made.width(), made.height()), (width, height));
    }
}

/// In parts a picture has the bits of the whole: what lies around a part is all that is read.
#[test]
fn parts_have_the_bits_of_the_whole() {
    let network = learner(vec![keyframe(0)], lesson(3)).unwrap();
    let mut network = network;
    network.step().unwrap();
    let network = network.network().unwrap();
    let wide = part("lake", 0, (160, 20));
    let long = {
        // Wider than a part.
        let rows = wide.rgb().chunks_exact(160).flat_map(|row| row.repeat(6));
        Picture::new(960, 20, rows.collect()).unwrap()
    };
    let made = painter(network.clone())
        .stylize(&long, &mut Ignore)
        .unwrap()
        .picture;
    let cut = |picture: &Picture, left: usize, width: usize| {
        let rows = picture.rgb().chunks_exact(picture.width());
        let rgb = rows.flat_map(|row| row[left..left + width].iter().copied());
        Picture::new(width, 20, rgb.collect()).unwrap()
    };
    // From a place that no part begins at.
    let part = cut(&long, 640, 320);
    let alone = painter(network)
        .stylize(&part, &mut Ignore)
        .unwrap()
        .picture;
    let (one, other) = (cut(&made, 720, 160), cut(&alone, 80, 160));
    let mut pairs = one.rgb().iter().zip(other.rgb());
    assert!(pairs.all(|(a, b)| (a - b).abs() < 1e-5));
}

/// Spots lie apart, move with the film, and go where it is not known.
#[test]
fn spots_move_with_the_film() {
    let mut guide = Guide::new(3);
    let mut spots = Spots::default();
    guide.fill(&mut spots, (96, 64));
    assert!(spots.len() > 100, "{}", spots.len());
    let count = spots.len();
    guide.fill(&mut spots, (96, 64));
    assert!(spots.len() < count + count / 8, "it was full before");
    let move_by = |by: f32| impasto_flow::Flow::from_fn(64, 96, |_, _| [by, 0.0]).unwrap();
    let moved = spots.moved(&move_by(12.0), &move_by(-12.0)).unwrap();
    assert!(moved.len() < spots.len() && moved.len() > spots.len() * 3 / 4);
    let lost = spots.moved(&move_by(12.0), &move_by(12.0)).unwrap();
    assert!(lost.is_empty());
    let (before, after) = (
        guide.picture(&spots, (96, 64)).unwrap(),
        guide.picture(&moved, (96, 64)).unwrap(),
    );
    let row = |picture: &Picture, left: usize| picture.rgb()[32 * 96 + left..][..60].to_vec();
    let mut pairs = row(&before, 12).into_iter().zip(row(&after, 24));
    assert!(pairs.all(|(a, b)| (a - b).abs() < 1e-3));
    assert!(
        after.rgb()[32 * 96..][..4].iter().all(|value| *value < 0.2),
        "nothing is known there"
    );
}

#[test]
fn a_painting_that_is_shifted_is_found() {
    let photo = part("city", 20, (160, 120));
    for by in [0isize, 2, -3] {
        let painting = recolored(&part("city", (20 - by) as usize, (160, 120)));
        assert_eq!(shift(&photo, &painting), [by, 0], "{by}");
    }
    let flat = Picture::new(160, 120, vec![0.5; 3 * 160 * 120]).unwrap();
    assert_eq!(shift(&photo, &flat), [0, 0]);
}
