//! Steps whose losses are not numbers, from a loss that can be told when.

use super::super::parameterization::{Parameterization, PixelParameters};
use super::*;
use crate::checkpoint::{Checkpoints, Identity, Resume};
use crate::loss::{Extent, Gradient, GradientScale, Loss, LossValue, Scaling, Seen, Term, View};
use crate::optim::{Parameters, Shapes};
use crate::recipe::{
    AdamSettings, Clip, Keep, LbfgsSettings, LineSearch, Optimize, OptimizerSettings, Recipe,
};
use impasto_compute::cpu::{CpuDevice, CpuSettings};
use impasto_compute::prelude::*;
use impasto_compute::{Conv3x3, Input, Layer, NetSpec, Padding, PendingScalar, Scalar};
use impasto_testing::{Tolerance, assert_close};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Half the squared distance to white, spoiled.
#[derive(Debug)]
struct Fault {
    when: When,
    what: What,
    /// Whether its values come late.
    late: bool,
    evaluations: AtomicUsize,
}

#[derive(Clone, Copy, Debug)]
enum When {
    Never,
    /// At this evaluation, counted from 1.
    At(usize),
    /// Where the image is brighter than this.
    Above(f32),
}

#[derive(Clone, Copy, Debug)]
enum What {
    Value,
    Gradient,
}

#[derive(Debug)]
struct Late(f64);

impl PendingScalar for Late {
    fn wait(&self) -> impasto_compute::Result<f64> {
        Ok(self.0)
    }
}

impl Loss for Fault {
    fn views(&self) -> &[View] {
        &[View::Image]
    }

    fn extent(&self) -> Extent {
        Extent::ONE
    }

    fn evaluate(
        &self,
        device: &dyn Device,
        seen: &[Seen<'_>],
        scale: GradientScale,
    ) -> impasto_compute::Result<(LossValue, Vec<Gradient>)> {
        let image = Seen::only(seen)?.tensor()?;
        let weight = scale.times(1.0);
        let pixels = device.download(image)?;
        let count = 1 + self.evaluations.fetch_add(1, Relaxed);
        let spoiled = match self.when {
            When::Never => false,
            When::At(evaluation) => count == evaluation,
            When::Above(limit) => pixels.iter().any(|&v| v > limit),
        };
        let mut gradient: Vec<f32> = pixels.iter().map(|v| weight * (v - 1.0)).collect();
        let mut value = pixels
            .iter()
            .map(|v| 0.5 * f64::from(v - 1.0).powi(2))
            .sum();
        match (spoiled, self.what) {
            (false, _) => {}
            (true, What::Value) => value = f64::INFINITY,
            (true, What::Gradient) => gradient[1] = f32::NAN,
        }
        let scalar = match self.late {
            true => Scalar::Pending(Arc::new(Late(value))),
            false => Scalar::Ready(value),
        };
        let gradient = device.upload(&gradient, image.shape())?;
        let gradient = Gradient::Tensor(gradient);
        Ok((LossValue::of(1.0, scalar), vec![gradient]))
    }
}

const SCALES: [Scale; 2] = [
    Scale {
        width: 2,
        height: 1,
        steps: 6,
    },
    Scale {
        width: 3,
        height: 2,
        steps: 5,
    },
];

/// How the runs of a test differ.
#[derive(Clone, Copy, Debug)]
struct Case {
    when: When,
    what: What,
    late: bool,
    settings: fn() -> Optimize,
    parameters: Parametrized,
}

#[derive(Clone, Copy, Debug)]
enum Parametrized {
    Pixels,
    Sum,
}

/// An image as the sum of two: what is no picture itself is optimised.
#[derive(Debug)]
struct Sum;

impl Parameterization for Sum {
    fn shapes(&self, (height, width): (usize, usize)) -> Shapes {
        vec![vec![3, height, width]; 2]
    }

    fn range(&self) -> Option<(f32, f32)> {
        None
    }

    fn parameters(
        &self,
        device: &dyn Device,
        planes: Vec<f32>,
        (height, width): (usize, usize),
    ) -> Result<Parameters> {
        let zeros = vec![0.0; planes.len()];
        let upload = |planes: Vec<f32>| device.upload(&planes, &[3, height, width]);
        Ok(Parameters::new(vec![upload(planes)?, upload(zeros)?]))
    }

    fn to_image<'p>(
        &self,
        device: &dyn Device,
        parameters: &'p Parameters,
        made: &'p mut Option<Tensor>,
    ) -> Result<&'p Tensor> {
        let [one, other] = parameters.tensors() else {
            panic!("two parts")
        };
        let sum = made.insert(device.copy(one)?);
        device.axpby(1.0, other, 1.0, sum)?;
        Ok(sum)
    }

    fn gradient(&self, device: &dyn Device, image: Tensor) -> Result<Parameters> {
        Ok(Parameters::new(vec![device.copy(&image)?, image]))
    }

    fn planes(&self, _: &dyn Device, values: Vec<Vec<f32>>, _: (usize, usize)) -> Result<Vec<f32>> {
        let [one, other] = values.try_into().expect("two parts");
        Ok(one.iter().zip(&other).map(|(a, b)| a + b).collect())
    }
}

fn adam() -> Optimize {
    Optimize {
        optimizer: OptimizerSettings::Adam(AdamSettings {
            learning_rate: 0.04,
            averaging: 0.5,
            ..AdamSettings::default()
        }),
        ..Optimize::default()
    }
}

/// What became of a run.
struct Outcome {
    ends: Vec<End>,
    report: Report,
    result: Vec<f32>,
    events: Vec<String>,
}

/// A run over both scales from grey, going on from what is in the folder if there is one. `look` is called after each
/// event.
fn run(case: Case, checkpoints: Option<&Checkpoints>, look: &mut dyn FnMut(&Event<'_>)) -> Outcome {
    let Case {
        when,
        what,
        late,
        settings,
        parameters,
    } = case;
    let settings = settings();
    let device = CpuDevice::new(CpuSettings {
        threads: Some(1),
        ..CpuSettings::default()
    });
    let device = device.unwrap();
    let spec = NetSpec {
        input: Input::Features(3),
        layers: vec![Layer::Conv(
            Conv3x3::new(3, 1, Padding::Zero, vec![0.0; 27], vec![0.0]).unwrap(),
        )],
        heads: vec![],
    };
    let network = device.network(&spec).unwrap();
    let objective = Objective::new(vec![Term {
        name: "fault".into(),
        weight: 1.0,
        scaling: Scaling::NONE,
        loss: Box::new(Fault {
            when,
            what,
            late,
            evaluations: AtomicUsize::new(0),
        }),
    }]);
    let mut evaluator = Evaluator {
        device: &device,
        network: NetworkView::Whole(network.as_ref()),
        objective,
        seed: 0,
    };
    let mut events = Vec::new();
    let mut observer = |event: &Event<'_>| {
        events.push(match event {
            Event::Step(step) => format!("step {} of scale {}", step.step, step.scale),
            Event::Setback(setback) => format!("setback at step {}", setback.step),
            _ => String::new(),
        });
        look(event);
        ControlFlow::Continue(())
    };
    let report = Report::new(&Recipe::default(), "none", &device, &[]);
    let mut keeper = checkpoints
        .map(|settings| Keeper::new(settings, || Identity::of([("job", "the only one".into())])));
    let saved = keeper.as_mut().and_then(|keeper| keeper.find().unwrap().0);
    let mut run = Run::new(&SCALES, Instant::now(), report, keeper, &mut observer);
    let image: Arc<dyn Parameterization> = match parameters {
        Parametrized::Pixels => Arc::new(PixelParameters(settings.pixels)),
        Parametrized::Sum => Arc::new(Sum),
    };
    let mut state = match saved {
        Some(saved) => run.resume(&device, &settings, &|_| image.clone(), saved),
        None => State::new(&device, &settings, image, vec![0.5; 6], SCALES[0], false),
    }
    .unwrap();
    let first = state.index;
    let mut ends = Vec::new();
    for (index, &scale) in SCALES.iter().enumerate().skip(first) {
        if index > first {
            state = state.enlarged(&device, scale).unwrap();
        }
        let end = run.scale(Instant::now(), &mut evaluator, &mut state);
        ends.push(end.unwrap());
        if ends.last() != Some(&End::Complete) {
            break;
        }
    }
    let (report, _) = run.finish(&state);
    let result = state.result(&device).unwrap();
    events.retain(|event| !event.is_empty());
    Outcome {
        ends,
        report,
        result,
        events,
    }
}

fn ignore(_: &Event<'_>) {}

/// Every way in which something is no number, and every way in which that is found out.
fn ways(when: When) -> impl Iterator<Item = Case> {
    let ways = [What::Value, What::Gradient].into_iter();
    let ways = ways.flat_map(|what| [(what, false), (what, true)]);
    ways.map(move |(what, late)| Case {
        when,
        what,
        late,
        settings: adam,
        parameters: Parametrized::Pixels,
    })
}

fn steps(report: &Report) -> Vec<(usize, usize)> {
    report.steps.iter().map(|s| (s.scale, s.step)).collect()
}

/// All steps of both scales, in their order.
fn all_steps() -> Vec<(usize, usize)> {
    let of = |scale: usize| (1..=SCALES[scale].steps).map(move |step| (scale, step));
    of(0).chain(of(1)).collect()
}

#[test]
fn a_step_that_is_no_number_is_taken_back_once() {
    for at in 2..=6 {
        for case in ways(When::At(at)) {
            let never = When::Never;
            let whole = run(
                Case {
                    when: never,
                    ..case
                },
                None,
                &mut ignore,
            );
            assert_eq!(steps(&whole.report), all_steps());
            assert_eq!(whole.report.setbacks, []);
            let Outcome {
                ends,
                report,
                result,
                events,
            } = run(case, None, &mut ignore);
            assert_eq!(ends, [End::Complete; 2], "{case:?}");
            assert_eq!(steps(&report), all_steps(), "{case:?}");
            let setback = Setback {
                scale: 0,
                step: at,
                factor: SHORTER,
                cause: Cause::NotANumber,
            };
            assert_eq!(report.setbacks, [setback]);
            // Told at once, or when one further step is under way, if there is one.
            let told = events.iter().position(|event| event.starts_with("setback"));
            let under_way = if case.late {
                SCALES[0].steps.min(at + 1)
            } else {
                at - 1
            };
            assert_eq!(told, Some(under_way), "{case:?}");
            assert_eq!(result.len(), whole.result.len());
            assert!(result.iter().all(|v| (0.0..=1.0).contains(v)), "{result:?}");
            assert_ne!(result, whole.result);
            assert!(!report.stopped);
        }
    }
}

#[test]
fn steps_are_shorter_after_it() {
    for case in ways(When::At(3)) {
        let report = run(case, None, &mut ignore).report;
        // .5 → .54 → .58 ✗ → .54 → .544 → …: losses are those of the images before the steps.
        let losses: Vec<f64> = report.steps[..4].iter().map(|step| step.total).collect();
        let images = [0.5f64, 0.54, 0.544, 0.548];
        let expected = images.map(|image| 6.0 * 0.5 * (1.0 - image).powi(2));
        let tolerance = Tolerance::absolute(1e-3);
        assert_close(&format!("{case:?}"), &losses, &expected, tolerance);
    }
}

#[test]
fn the_second_time_it_ends_at_the_last_good_picture() {
    for case in ways(When::Above(0.546)) {
        let Outcome {
            ends,
            report,
            result,
            ..
        } = run(case, None, &mut ignore);
        // .5 → .54 → .58 ✗ → .54 → .544 → .548 ✗
        assert_eq!(ends, [End::Diverged { step: 4 }], "{case:?}");
        assert_eq!(steps(&report), [(0, 1), (0, 2)]);
        assert_eq!(report.setbacks.len(), 1);
        assert!(report.stopped);
        let tolerance = Tolerance::absolute(1e-4);
        assert_close(&format!("{case:?}"), &result, &[0.544; 6], tolerance);
    }
}

#[test]
fn a_scale_that_begins_with_it_has_no_way_out() {
    for case in ways(When::At(1)) {
        let Outcome { ends, result, .. } = run(case, None, &mut ignore);
        assert_eq!(
            (ends, result),
            (vec![End::Diverged { step: 1 }], vec![0.5; 6])
        );
    }
    for case in ways(When::At(SCALES[0].steps + 1)) {
        let Outcome { ends, result, .. } = run(case, None, &mut ignore);
        assert_eq!(ends, [End::Complete, End::Diverged { step: 1 }]);
        assert_eq!(result.len(), 18);
        assert!(result.iter().all(|v| v.is_finite()), "{result:?}");
    }
}

fn lbfgs(line_search: LineSearch, keep: Keep) -> Optimize {
    Optimize {
        optimizer: OptimizerSettings::Lbfgs(LbfgsSettings {
            learning_rate: 0.06,
            history: 3,
            line_search,
            // Less than a line search may take, so that there is one under way most of the time.
            max_iter: 4,
            ..LbfgsSettings::default()
        }),
        clip: Clip::Evaluation,
        keep,
        ..Optimize::default()
    }
}

/// Cuts a run off after each of its checkpoints and lets it go on from there.
#[test]
fn whenever_it_is_cut_off_it_comes_to_the_same() {
    let all: [fn() -> Optimize; 4] = [
        adam,
        || lbfgs(LineSearch::None, Keep::Last),
        || lbfgs(LineSearch::StrongWolfe, Keep::Best),
        || lbfgs(LineSearch::StrongWolfe, Keep::AfterBest),
    ];
    let mut setbacks = 0;
    for settings in all {
        for when in [When::Never, When::Above(0.57), When::Above(0.546)] {
            for late in [false, true] {
                for parameters in [Parametrized::Pixels, Parametrized::Sum] {
                    setbacks += cut_off(Case {
                        when,
                        what: What::Gradient,
                        late,
                        settings,
                        parameters,
                    });
                }
            }
        }
    }
    assert!(setbacks >= 8, "{setbacks}");
}

/// Both parts of a sum get the gradient of the image, so it moves as pixels do at twice the rate.
#[test]
fn whatever_the_image_is_made_of_is_optimised() {
    // So slow that white is not reached, where pixels would be clipped.
    fn slow(factor: f32) -> Optimize {
        let mut settings = adam();
        settings.optimizer = settings.optimizer.shortened(factor);
        settings
    }
    let all: [fn() -> Optimize; 2] = [|| slow(0.2), || slow(0.4)];
    let case = |settings, parameters| Case {
        when: When::Never,
        what: What::Value,
        late: false,
        settings,
        parameters,
    };
    let sum = run(case(all[0], Parametrized::Sum), None, &mut ignore);
    let pixels = run(case(all[1], Parametrized::Pixels), None, &mut ignore);
    assert_close(
        "a sum of two",
        &sum.result,
        &pixels.result,
        Tolerance::absolute(1e-5),
    );
}

/// The number of setbacks.
fn cut_off(case: Case) -> usize {
    let folder = impasto_testing::Folder::new();
    let settings = Checkpoints {
        every: Some(std::time::Duration::ZERO),
        ..Checkpoints::new(folder.path().join("whole"))
    };
    let copy = |number: usize| folder.path().join(number.to_string());
    let mut saved = 0;
    let whole = run(case, Some(&settings), &mut |event| {
        if let Event::Checkpoint(Notice::Saved { .. }) = event {
            std::fs::create_dir(copy(saved)).unwrap();
            for entry in std::fs::read_dir(&settings.folder).unwrap() {
                let entry = entry.unwrap();
                std::fs::copy(entry.path(), copy(saved).join(entry.file_name())).unwrap();
            }
            saved += 1;
        }
    });
    assert!(saved >= 2, "{case:?}");
    for number in 0..saved {
        let settings = Checkpoints {
            resume: Resume::Yes,
            ..Checkpoints::new(copy(number))
        };
        let resumed = run(case, Some(&settings), &mut ignore);
        let bits = |outcome: &Outcome| -> Vec<u32> {
            outcome.result.iter().map(|v| v.to_bits()).collect()
        };
        let place = format!("{case:?}, checkpoint {number}");
        assert_eq!(bits(&resumed), bits(&whole), "{place}");
        assert_eq!(resumed.ends.last(), whole.ends.last(), "{place}");
        assert_eq!(resumed.report.setbacks, whole.report.setbacks, "{place}");
        let told = |outcome: &Outcome| -> Vec<(usize, usize, u64)> {
            let steps = outcome.report.steps.iter();
            steps
                .map(|s| (s.scale, s.step, s.total.to_bits()))
                .collect()
        };
        assert_eq!(told(&resumed), told(&whole), "{place}");
        assert_eq!(resumed.report.scales.len(), whole.report.scales.len());
        assert!(
            case.late || resumed.events.len() < whole.events.len(),
            "{place}"
        );
    }
    whole.report.setbacks.len()
}
