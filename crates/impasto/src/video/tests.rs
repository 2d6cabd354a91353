//! The past of a film, and frames that are painted after it.

use super::past::{Past, Settings};
use super::{Animator, Memory, Painters, Watcher};
use crate::examples;
use crate::observer::Ignore;
use crate::picture::Picture;
use crate::{Encoder, OutputSize, Quality, Recipe, Style, Stylizer};
use impasto_compute::Device;
use impasto_compute::cpu::{CpuDevice, CpuSettings};
use std::sync::Arc;

/// A frame of a camera that has moved by so many pixels over a picture.
fn frame(left: usize) -> Picture {
    let whole = examples::find("lake").unwrap().picture().unwrap();
    let (width, height) = (64, 48);
    let planes = whole.rgb().chunks_exact(whole.width() * whole.height());
    let rows = planes.flat_map(|plane| plane.chunks_exact(whole.width()).skip(60).take(height));
    let rgb = rows.flat_map(|row| row[left..left + width].iter().copied());
    Picture::new(width, height, rgb.collect()).unwrap()
}

fn close(one: &Picture, other: &Picture) -> f32 {
    assert_eq!(one.size(), other.size());
    let apart = one
        .rgb()
        .iter()
        .zip(other.rgb())
        .map(|(a, b)| (a - b).powi(2));
    (apart.sum::<f32>() / one.rgb().len() as f32).sqrt()
}

/// What was painted moves with what it was painted on; what comes in at the edge is not known.
#[test]
fn the_past_is_moved_to_the_present() {
    let settings = Settings::default();
    let mut past = Past::default();
    let mut watcher = Watcher::new((64, 48), 1, settings.clone());
    let mut reach = |past: &mut Past, left: usize| {
        let moment = watcher.look(vec![frame(left)]).unwrap();
        past.reach(&moment.views[0], None, &settings).unwrap()
    };
    assert!(reach(&mut past, 0).is_none());
    past.keep(frame(0), &settings).unwrap();
    for left in [2, 4, 6, 8] {
        let reach = reach(&mut past, left).unwrap();
        assert!(
            reach.share() > 0.85 && reach.share() < 1.0,
            "{}",
            reach.share()
        );
        let here = frame(left);
        let places = here.size().pixels();
        for at in 0..here.rgb().len() {
            let (weight, target) = (reach.weights[at % places], reach.target.rgb()[at]);
            assert!((0.0..=1.0).contains(&weight) && target.is_finite());
            let apart = (target - here.rgb()[at]).abs();
            assert!(
                weight < 0.5 || apart < 0.35,
                "{left}: {at}: {weight} {apart}"
            );
        }
        assert!(reach.still.iter().all(|still| !still));
        past.keep(here, &settings).unwrap();
    }
    // The same frame again: everything is known, and nothing has moved.
    let reach = reach(&mut past, 8).unwrap();
    assert!(reach.still.iter().all(|&still| still) && reach.share() > 0.999);
}

/// Memories that went through files are the past that they were taken from.
#[test]
fn a_past_is_restored_from_its_memories() {
    let settings = Settings {
        reach: vec![1, 2],
        ..Settings::default()
    };
    let folder = impasto_testing::Folder::new();
    let (mut past, mut memories) = (Past::default(), Vec::<Memory>::new());
    let mut watcher = Watcher::new((64, 48), 1, settings.clone());
    for left in [0, 1, 3, 4] {
        let moment = watcher.look(vec![frame(left)]).unwrap();
        past.reach(&moment.views[0], None, &settings).unwrap();
        past.keep(frame(left + 20), &settings).unwrap();
        let path = folder.path().join(format!("{left}.safetensors"));
        past.memory().unwrap().write(&path).unwrap();
        memories.push(Memory::read(&path).unwrap());
    }
    let mut again = Past::default();
    let mut anew = Watcher::new((64, 48), 1, settings.clone());
    let memories = memories.split_off(2);
    anew.restore(vec![frame(4)], &memories[1..]).unwrap();
    for memory in memories {
        again.restore(memory, &settings).unwrap();
    }
    let (one, other) = [(past, watcher), (again, anew)]
        .map(|(mut past, mut watcher)| {
            let moment = watcher.look(vec![frame(6)]).unwrap();
            past.reach(&moment.views[0], None, &settings)
                .unwrap()
                .unwrap()
        })
        .into();
    assert_eq!(one.target.rgb(), other.target.rgb());
    assert_eq!((one.weights, one.still), (other.weights, other.still));
}

fn animator(consistency: f32, views: usize) -> Animator {
    let mut recipe = Recipe::default();
    Quality::Draft.apply(&mut recipe);
    recipe.size = OutputSize::Original;
    let device: Arc<dyn Device> = Arc::new(CpuDevice::new(CpuSettings::default()).unwrap());
    let encoder = Encoder::lite().unwrap();
    let made = |recipe: Recipe| {
        let painting = examples::find("swirls").unwrap().picture().unwrap();
        let styles = vec![Style::new("swirls", painting, 1.0)];
        Stylizer::new(device.clone(), &encoder, styles, recipe).unwrap()
    };
    let painters = Painters {
        next: super::following(&recipe).map(made),
        first: made(recipe),
    };
    let settings = Settings {
        consistency,
        backward: true,
        ..Settings::default()
    };
    Animator::new(painters, views, settings)
}

/// Between two frames of a still film there is nothing; of one that moves less changes than if each were painted by itself.
#[test]
fn frames_depend_on_those_before_as_much_as_is_asked_for() {
    let along = |consistency: f32| {
        let mut animator = animator(consistency, 1);
        let mut watcher = animator.watcher(&frame(0));
        let mut paint = |animator: &mut Animator, left: usize| {
            let moment = watcher.look(vec![frame(left)]).unwrap();
            animator.paint(&moment, &mut Ignore).unwrap()
        };
        let first = paint(&mut animator, 0);
        assert_eq!(first.known, None);
        let second = paint(&mut animator, 4);
        let shifted = |picture: &Picture, left: usize| {
            let rows = picture.rgb().chunks_exact(64);
            let rgb = rows.flat_map(|row| row[left..left + 56].iter().copied());
            Picture::new(56, 48, rgb.collect()).unwrap()
        };
        let apart = close(
            &shifted(&first.pictures[0], 4),
            &shifted(&second.pictures[0], 0),
        );
        let third = paint(&mut animator, 4);
        (
            apart,
            close(&second.pictures[0], &third.pictures[0]),
            third.known,
        )
    };
    let (alone, same, known) = along(0.0);
    assert!(
        same == 0.0 && known.is_none(),
        "a painter that knows no past repeats itself"
    );
    let (half, still, known) = along(0.5);
    assert!(still == 0.0 && known.unwrap().share > 0.99);
    assert!(half < 0.6 * alone, "{half} of {alone}");
}

/// A second pass brings frames nearer to both neighbours, and what follows depends on what it has made.
#[test]
fn frames_that_are_gone_over_agree_better() {
    let mut animator = animator(0.5, 1);
    let mut watcher = animator.watcher(&frame(0));
    let moved = |one: &Picture, other: &Picture| {
        let part = |picture: &Picture, left: usize| {
            let rows = picture.rgb().chunks_exact(64);
            let rgb = rows.flat_map(|row| row[left..left + 60].iter().copied());
            Picture::new(60, 48, rgb.collect()).unwrap()
        };
        close(&part(one, 4), &part(other, 0))
    };
    let mut forward = Vec::new();
    for left in [0, 4, 8, 12] {
        let moment = watcher.look(vec![frame(left)]).unwrap();
        let painted = animator.paint(&moment, &mut Ignore).unwrap();
        forward.extend(painted.pictures);
    }
    let back = animator.back(&mut Ignore).unwrap().unwrap();
    assert_eq!(back.len(), 4);
    assert_eq!(back[3].picture, forward[3], "the last one stays");
    let memory = &animator.memories()[0];
    assert_eq!(memory.result.rgb(), back[3].memory.result.rgb());
    let apart = |pictures: &[&Picture]| {
        let pairs = pictures.windows(2);
        pairs.map(|pair| moved(pair[0], pair[1])).sum::<f32>()
    };
    let once = apart(&forward.iter().collect::<Vec<_>>());
    let twice = apart(&back.iter().map(|one| &one.picture).collect::<Vec<_>>());
    assert!(twice < 0.97 * once, "{twice} of {once}");
    assert!(animator.back(&mut Ignore).unwrap().unwrap().is_empty());
}

/// The other eye sees the same strokes, moved: from the first frame on.
#[test]
fn views_of_a_moment_agree() {
    let shifted = |picture: &Picture, left: usize| {
        let rows = picture.rgb().chunks_exact(64);
        let rgb = rows.flat_map(|row| row[left..left + 56].iter().copied());
        Picture::new(56, 48, rgb.collect()).unwrap()
    };
    let apart = |consistency: f32| {
        let mut animator = animator(consistency, 2);
        let mut watcher = animator.watcher(&frame(0));
        let mut paint = |at: usize| {
            let moment = watcher.look(vec![frame(at), frame(at + 3)]).unwrap();
            let painted = animator.paint(&moment, &mut Ignore).unwrap().pictures;
            close(&shifted(&painted[0], 3), &shifted(&painted[1], 0))
        };
        [paint(0), paint(2)]
    };
    let (together, alone) = (apart(0.5), apart(0.0));
    for (together, alone) in together.iter().zip(alone) {
        assert!(*together < 0.6 * alone, "{together} of {alone}");
    }
}
