//! Learning a style: steps that lead somewhere, files that other parts read, runs that are cut off.

use impasto::compute::Device;
use impasto::device::{Choice, open};
use impasto::learn::{Course, LearnerState, Lesson, Material, StyleLearner, fresh, start};
use impasto::nets::{Model, TransformerSpec};
use impasto::recipe::{MethodName, MethodSettings};
use impasto::*;
use impasto_testing::{Folder, Tolerance, assert_close, assert_same, noise, shared};
use std::sync::Arc;

/// Soft shapes with some noise.
fn picture(seed: u64, width: usize, height: usize) -> Picture {
    let values = noise(seed, 3 * width * height);
    let value = |(place, noise): (usize, &f32)| {
        let (x, y) = (place % width, place / width % height);
        let wave = (x as f32 * 0.2 + seed as f32).sin() * (y as f32 * 0.15).cos();
        (0.5 + 0.35 * wave + 0.1 * noise).clamp(0.0, 1.0)
    };
    let values = values.iter().enumerate().map(value).collect();
    Picture::new(width, height, values).unwrap()
}

fn device(threads: usize) -> Arc<dyn Device> {
    let choice = Choice {
        threads: Some(threads),
        ..Choice::default()
    };
    open(&choice).unwrap().into()
}

fn lesson(course: Course) -> Lesson {
    Lesson {
        steps: 12,
        batch: 2,
        side: 64,
        ..course.lesson(true)
    }
}

fn small() -> TransformerSpec {
    fresh([4, 4, 8], 3)
}

fn learner(threads: usize, lesson: Lesson) -> StyleLearner {
    let material = Material {
        style: Style::new("waves", picture(2, 90, 70), 1.0),
        contents: vec![picture(5, 120, 80), picture(6, 70, 100)],
        start: small(),
    };
    let encoder = Encoder::lite().unwrap();
    StyleLearner::new(device(threads), &encoder, material, lesson).unwrap()
}

fn numbers(network: &TransformerSpec) -> Vec<f32> {
    let tensors = network.tensors().unwrap();
    tensors
        .values()
        .flat_map(|tensor| tensor.values.clone())
        .collect()
}

#[test]
fn steps_make_the_loss_less() {
    for course in [Course::Tiny, Course::Quick] {
        let mut learner = learner(2, lesson(course));
        let mut totals = Vec::new();
        while !learner.is_finished() {
            let step = learner.step().unwrap();
            assert!(step.terms.len() > 3 && step.total.is_finite());
            totals.push(step.total);
        }
        let mean = |totals: &[f64]| totals.iter().sum::<f64>() / totals.len() as f64;
        let (first, last) = (mean(&totals[..3]), mean(&totals[9..]));
        assert!(last < 0.9 * first, "{course:?}: {totals:?}");
    }
}

/// Where norms alone are learned, filters stay, to the last bit.
#[test]
fn a_quick_course_moves_norms_alone() {
    let mut learner = learner(1, lesson(Course::Quick));
    for _ in 0..2 {
        learner.step().unwrap();
    }
    let (before, after) = (small().tensors().unwrap(), learner.network().unwrap());
    let after = after.tensors().unwrap();
    assert_eq!(before.len(), after.len());
    for (name, tensor) in &before {
        let is_norm = name.ends_with("gamma") || name.ends_with("beta");
        let changed = after[name].values != tensor.values;
        assert_eq!(changed, is_norm, "{name}");
    }
}

#[test]
fn threads_and_breaks_change_no_bit() {
    let lesson = lesson(Course::Tiny);
    let whole = {
        let mut learner = learner(1, lesson.clone());
        (0..6).for_each(|_| drop(learner.step().unwrap()));
        numbers(&learner.network().unwrap())
    };
    let folder = Folder::new();
    let file = folder.path().join("run.learning");
    for threads in [2, 3] {
        let mut first = learner(threads, lesson.clone());
        (0..4).for_each(|_| drop(first.step().unwrap()));
        first.state().unwrap().write(&file).unwrap();
        drop(first);
        let mut second = learner(threads, lesson.clone());
        second.resume(LearnerState::read(&file).unwrap()).unwrap();
        assert_eq!(second.steps_taken(), 4);
        (0..2).for_each(|_| drop(second.step().unwrap()));
        let got = numbers(&second.network().unwrap());
        assert_same(&format!("{threads} threads"), &got, &whole);
    }
    // A run of other settings is not gone on from.
    let other = Lesson { seed: 9, ..lesson };
    let mut other = learner(1, other);
    let error = other
        .resume(LearnerState::read(&file).unwrap())
        .unwrap_err();
    assert!(error.to_string().contains("another run"), "{error}");
    assert_eq!(other.steps_taken(), 0);
}

/// What is written is read as the network that it is, by those who read such files, and paints the same.
#[test]
fn what_was_learned_is_a_network_of_a_file() {
    let mut learner = learner(2, lesson(Course::Tiny));
    (0..2).for_each(|_| drop(learner.step().unwrap()));
    let folder = Folder::new();
    let file = folder.path().join("waves.safetensors");
    let learned = learner.learned("CC0-1.0").unwrap();
    learned.write(&file).unwrap();
    let Model::Transformer(read) = Model::open(&file).unwrap() else {
        panic!("it is a transformer network")
    };
    assert_eq!(read.styles(), 1);
    assert_same(
        "numbers",
        &numbers(&read.only(0).unwrap()),
        &numbers(&learned.network),
    );
    let content = picture(8, 61, 50);
    let painter = PainterSpec::find(MethodName::Fast, Some(&file), None).unwrap();
    let networks = Networks {
        encoder: None,
        painter: Some(&painter),
    };
    let recipe = Recipe {
        size: OutputSize::Original,
        method: MethodSettings::of(MethodName::Fast),
        ..Recipe::default()
    };
    let stylizer = Stylizer::with_networks(device(2), networks, vec![], recipe);
    let stylized = stylizer.unwrap().stylize(&content, &mut Ignore).unwrap();
    let preview = learner.preview(&content, 61).unwrap();
    assert_close(
        "picture",
        stylized.picture.rgb(),
        preview.rgb(),
        Tolerance::absolute(2e-3),
    );
    // What it was made of stands in the file.
    let metadata = impasto_weights::Checkpoint::open(&file).unwrap().metadata;
    assert_eq!(metadata["style"], "waves");
    assert_eq!(metadata["licence"], "CC0-1.0");
    assert_eq!(metadata["steps"], "2");
    assert!(metadata["thumbnail"].starts_with("data:image/png;base64,"));
    assert!(metadata["network"].starts_with("9x9 3>4, 3x3 4>4 /2"));
}

#[test]
fn of_a_network_of_many_styles_the_nearest_is_the_start() {
    let Some(folder) = shared("weights/magenta") else {
        return;
    };
    let file = folder.join("stylize26_dequant.safetensors");
    let Model::Transformer(network) = Model::open(&file).unwrap() else {
        panic!("it is a transformer network")
    };
    let material = Material {
        style: Style::new("waves", picture(2, 90, 70), 1.0),
        contents: vec![picture(5, 120, 80)],
        start: network.clone(),
    };
    let lesson = Lesson {
        steps: 3,
        batch: 1,
        side: 64,
        ..Course::Quick.lesson(false)
    };
    let encoder = Encoder::lite().unwrap();
    let mut learner = StyleLearner::new(device(2), &encoder, material, lesson).unwrap();
    let first = numbers(&learner.network().unwrap());
    assert!((0..network.styles()).any(|index| numbers(&network.only(index).unwrap()) == first));
    learner.step().unwrap();
    assert_ne!(numbers(&learner.network().unwrap()), first);
}

#[test]
fn what_cannot_be_learned_is_told() {
    let encoder = Encoder::lite().unwrap();
    let style = || Style::new("style", picture(1, 8, 8), 1.0);
    let new = |contents, start, lesson| {
        let style = style();
        let material = Material {
            style,
            contents,
            start,
        };
        StyleLearner::new(device(1), &encoder, material, lesson)
    };
    let fine = || lesson(Course::Tiny);
    for (made, words) in [
        (
            new(vec![], small(), fine()),
            "contents is none: needs at least one photo",
        ),
        (
            new(
                vec![picture(1, 9, 9)],
                small(),
                Lesson { side: 66, ..fine() },
            ),
            "side is 66: must be a multiple of 4",
        ),
        (
            new(
                vec![picture(1, 9, 9)],
                small(),
                Lesson { steps: 0, ..fine() },
            ),
            "steps is 0",
        ),
    ] {
        let error = made
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default();
        assert!(error.contains(words), "{error}");
    }
    // A style of 8 px, a flat one, a photo of one pixel: pictures like others.
    let flat = Picture::new(40, 30, vec![0.5; 3 * 40 * 30]).unwrap();
    for (style, content) in [
        (picture(1, 8, 8), picture(2, 90, 70)),
        (flat.clone(), picture(2, 90, 70)),
        (picture(1, 90, 70), picture(3, 1, 1)),
        (picture(1, 90, 70), flat),
    ] {
        let material = Material {
            style: Style::new("style", style, 1.0),
            contents: vec![content],
            start: small(),
        };
        let made = StyleLearner::new(device(1), &encoder, material, fine());
        let step = made.and_then(|mut learner| learner.step());
        assert!(step.unwrap().total.is_finite());
    }
}

/// The network that is part of the program paints already, and is one that can be learned on.
#[test]
fn the_embedded_start_paints() {
    let network = start(Course::Thorough, 1).unwrap();
    assert!(
        network
            .outline()
            .starts_with("9x9 3>8, 3x3 8>16 /2, 3x3 16>32 /2")
    );
    assert!(network.tensors().is_some());
    let count: usize = numbers(&network).len();
    assert!((100_000..120_000).contains(&count), "{count}");
    assert!(
        start(Course::Tiny, 1)
            .unwrap()
            .outline()
            .starts_with("9x9 3>4, 3x3 4>8 /2")
    );
}
