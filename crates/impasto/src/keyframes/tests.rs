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
        size: NetworkSize::Lean,
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

/// Spots lie apart, where the mask is white.
#[test]
fn spots_lie_apart() {
    let mut guide = Guide::new(3);
    let mut spots = Spots::default();
    guide.fill(&mut spots, (96, 64), None);
    assert!(spots.len() > 100, "{}", spots.len());
    let count = spots.len();
    guide.fill(&mut spots, (96, 64), None);
    assert!(spots.len() < count + count / 8, "it was full before");
    let left = Picture::new(2, 1, [1.0, 0.0].repeat(3)).unwrap();
    let mut spots = Spots::default();
    guide.fill(&mut spots, (96, 64), Some(&Mask::of(&left)));
    assert!(spots.len() > 40 && spots.len() < count * 2 / 3);
    let picture = guide.picture(&spots, (96, 64)).unwrap();
    assert!(
        picture.rgb()[32 * 96 + 80..][..16]
            .iter()
            .all(|v| *v < 0.05)
    );
}

/// Frames of a film that moves to the left, `by` pixels a frame; at `cut` something else begins.
fn moving(count: usize, by: usize, cut: Option<usize>) -> Vec<Picture> {
    let name = |at: usize| match cut.is_some_and(|cut| at >= cut) {
        true => "city",
        false => "lake",
    };
    let frames = (0..count).map(|at| part(name(at), 20 + by * at, (96, 64)));
    frames.collect()
}

/// Spots move with the film from a keyframe on, both ways, and over no cut.
#[test]
fn spots_move_with_the_film() {
    let followed = |keys: &[u64], cut: Option<usize>| {
        let keys = keys.iter().map(|key| (*key, None)).collect();
        let mut following = Following::new(3, keys);
        for (at, frame) in moving(7, 3, cut).iter().enumerate() {
            following.look(at as u64, frame, Some(at) == cut).unwrap();
        }
        following.finish()
    };
    let (guide, spots) = followed(&[3], None);
    let picture = |at: u64| guide.picture(&spots[&at], (96, 64)).unwrap();
    for at in [0u64, 2, 4, 6] {
        let (key, there) = (picture(3), picture(at));
        // Far from the border, what lay at x is 3 pixels further left for each frame.
        let (mut apart, mut size) = (0.0, 0.0);
        for (y, x) in (16..48).flat_map(|y| (36..60).map(move |x| (y, x))) {
            let from = key.rgb()[y * 96 + x];
            let to = there.rgb()[y * 96 + x + 9 - 3 * at as usize];
            apart += (from - to).abs();
            size += from.abs();
        }
        assert!(apart < 0.12 * size, "frame {at}: {apart} of {size}");
    }
    let (_, spots) = followed(&[1], Some(4));
    assert!(spots[&3].len() > 60 && spots[&4].is_empty() && spots[&6].is_empty());
    let (_, spots) = followed(&[5], Some(4));
    assert!(spots[&4].len() > 60 && spots[&3].is_empty() && spots[&0].is_empty());
    // What came from the first keyframe keeps its colours on the second, which adds what is new.
    let (guide, spots) = followed(&[0, 6], None);
    let [first, last] = [0, 6].map(|at| guide.picture(&spots[&at], (96, 64)).unwrap());
    let row = |picture: &Picture, left: usize| picture.rgb()[32 * 96 + left..][..40].to_vec();
    let pairs = row(&first, 40).into_iter().zip(row(&last, 22));
    let apart = pairs.map(|(a, b)| (a - b).abs()).sum::<f32>() / 40.0;
    assert!(apart < 0.08, "{apart}");
}

/// A spot that flow has lost goes in steps, and comes back.
#[test]
fn spots_fade() {
    let flow = |u: f32| impasto_flow::Flow::from_fn(64, 96, |_, _| [u, 0.0]).unwrap();
    let (there, lost) = (
        follow::Way::of(&flow(4.0), &flow(-4.0)).unwrap(),
        follow::Way::of(&flow(4.0), &flow(4.0)).unwrap(),
    );
    let mut guide = Guide::new(3);
    let mut spots = Spots::default();
    guide.fill(&mut spots, (96, 64), None);
    assert!(spots.moved(&there).len() > spots.len() * 8 / 10);
    assert!(spots.moved(&lost).len() > spots.len() * 8 / 10);
    let gone = (0..4).fold(spots.clone(), |spots, _| spots.moved(&lost));
    assert!(gone.is_empty());
}

/// The network of the paper makes what it makes in PyTorch, and has as many products as the paper's.
#[test]
fn the_published_network_is_that_of_the_paper() {
    let path = "tests/golden/keyframes/published.safetensors";
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let file = impasto_weights::Checkpoint::open(&path).unwrap();
    let lists = file.tensors.iter();
    let lists = lists.filter(|(name, _)| name.starts_with("numbers."));
    let lists: Vec<Vec<f32>> = lists.map(|(_, tensor)| tensor.values.clone()).collect();
    let design = published::Design {
        down: [4, 6, 8],
        blocks: 2,
        up: [7, 5],
    };
    let mut known = file::Known::of(&lists);
    let spec = published::graph(&design, &mut known);
    assert!(known.fit());
    let device = device();
    let map = |name: &str| device.upload(&file.tensors[name].values, &[3, 12, 20]);
    let (frame, guide) = (map("frame").unwrap(), map("guide").unwrap());
    let graph = device.graph(&spec).unwrap();
    let made = graph.run(&[&frame, &guide], None).unwrap();
    let made = device.download(&made[0]).unwrap();
    let painted = &file.tensors["painted"].values;
    impasto_testing::assert_close(
        "painted",
        &made,
        painted,
        impasto_testing::Tolerance::absolute(1e-5),
    );
    let products = |size| {
        let spec = network::graph(size, &mut network::Fresh(crate::random::Random::new(1)));
        let lists = spec.nodes.iter().flat_map(|node| node.op.numbers());
        lists.map(<[f32]>::len).sum::<usize>()
    };
    // 3.27 million numbers, and those that see the guide.
    let published = products(NetworkSize::Published);
    assert!((3_270_000..3_290_000).contains(&published), "{published}");
    assert!(products(NetworkSize::Lean) < products(NetworkSize::Quality));
}

/// Few flat colours with black outlines, whose two edges lie beside that of the photo.
fn cel_shaded(picture: &Picture) -> Picture {
    let (width, height) = (picture.width(), picture.height());
    let places = width * height;
    let rgb = picture.rgb();
    let light = |x: usize, y: usize| {
        let at = y.min(height - 1) * width + x.min(width - 1);
        (rgb[at] + rgb[places + at] + rgb[2 * places + at]) / 3.0
    };
    let value = |at: usize| {
        let (x, y) = (at % places % width, at % places / width);
        let right = light(x + 1, y) - light(x.saturating_sub(1), y);
        let down = light(x, y + 1) - light(x, y.saturating_sub(1));
        match right.hypot(down) > 0.15 {
            true => 0.0,
            false => (4.0 * light(x, y)).floor() / 4.0 + 0.125,
        }
    };
    Picture::new(width, height, (0..3 * places).map(value).collect()).unwrap()
}

#[test]
fn a_painting_that_is_shifted_is_found() {
    type Filter = fn(&Picture) -> Picture;
    let pictures: [(&str, Filter); 3] = [
        ("city", recolored),
        ("lake", recolored),
        ("lake", cel_shaded),
    ];
    for (name, filter) in pictures {
        let photo = part(name, 20, (160, 120));
        for by in [0isize, 2, -3] {
            let painting = filter(&part(name, (20 - by) as usize, (160, 120)));
            assert_eq!(shift(&photo, &painting), [by, 0], "{name} {by}");
        }
    }
    let photo = part("city", 20, (160, 120));
    let flat = Picture::new(160, 120, vec![0.5; 3 * 160 * 120]).unwrap();
    assert_eq!(shift(&photo, &flat), [0, 0]);
    let tiny = part("lake", 20, (5, 3));
    assert_eq!(shift(&tiny, &recolored(&tiny)), [0, 0]);
}

/// Noise goes, edges stay where they are although the film moves, and nothing comes over a cut.
#[test]
fn frames_lose_their_noise() {
    let clean = moving(9, 2, Some(6));
    let mut random = crate::random::Random::new(5);
    let noisy = clean.iter().map(|frame| {
        let rgb = frame.rgb().iter();
        let rgb = rgb.map(|value| value + 0.02 * random.normal() as f32);
        Picture::new(frame.width(), frame.height(), rgb.collect()).unwrap()
    });
    let noisy: Vec<Picture> = noisy.collect();
    let mut steady = Steady::new((96, 64), 3);
    let mut made = Vec::new();
    for (at, frame) in noisy.iter().enumerate() {
        made.extend(steady.push(frame, at == 6).unwrap());
        assert!(at + 1 - made.len() <= 3 || at == 6);
    }
    made.extend(steady.finish().unwrap());
    assert_eq!(made.len(), 9);
    for at in [0, 3, 5, 6, 8] {
        let (before, after) = (psnr(&noisy[at], &clean[at]), psnr(&made[at], &clean[at]));
        assert!(after > before + 2.0, "frame {at}: {before} {after}");
    }
}

#[test]
fn a_painting_of_another_frame_is_found() {
    let frames = moving(4, 12, None);
    let outline = |picture: &Picture| Outline::of(picture, 1.5);
    let painting = outline(&recolored(&frames[3]));
    let agreement = |frame: &Picture| painting.agreement(&outline(frame));
    let [other, own] = [&frames[0], &frames[3]].map(agreement);
    assert!(
        own > 0.6 && Outline::is_of_other(other, own),
        "{own} {other}"
    );
    assert!(!Outline::is_of_other(own, other) && !Outline::is_of_none(own));
    let flat = Picture::new(96, 64, vec![0.5; 3 * 96 * 64]).unwrap();
    assert!(Outline::is_of_none(agreement(&flat)));
}
