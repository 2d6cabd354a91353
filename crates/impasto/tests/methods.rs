//! What callers add from outside: terms of their own, methods of their own; and how runs end.

use impasto::checkpoint::{Checkpoints, Resume};
use impasto::compute::{Device, PoolKind, Tap, Tensor};
use impasto::device::{Choice, open};
use impasto::loss::{Extent, Gradient, GradientScale, Loss, LossValue, Scaling, Seen, Term, View};
use impasto::recipe::MethodSettings;
use impasto::*;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

fn picture(seed: usize, width: usize, height: usize) -> Picture {
    let value = |k: usize| ((k * 37 + seed * 11) % 101) as f32 / 100.0;
    Picture::new(width, height, (0..3 * width * height).map(value).collect()).unwrap()
}

fn recipe(steps: Vec<usize>) -> Recipe {
    let mut recipe = Recipe {
        size: OutputSize::LongSide(24),
        ..Recipe::default()
    };
    let schedule = &mut recipe.optimize_mut().unwrap().schedule;
    schedule.scales = vec![20, 24];
    schedule.steps = steps;
    recipe
}

fn stylizer(recipe: Recipe) -> Stylizer {
    let styles = vec![Style::new("painting", picture(2, 20, 18), 1.0)];
    let device = open(&Choice::default()).unwrap();
    Stylizer::new(device, &Encoder::lite().unwrap(), styles, recipe).unwrap()
}

fn term(name: &str, weight: f32, loss: impl Loss + 'static) -> Term {
    Term {
        name: name.into(),
        weight,
        scaling: Scaling::NONE,
        loss: Box::new(loss),
    }
}

type ComputeResult<T> = compute::Result<T>;

/// Squared distance to a frame, as a video's loss has it.
#[derive(Debug)]
struct ToFrame(Tensor);

impl Loss for ToFrame {
    fn views(&self) -> &[View] {
        &[View::Image]
    }

    fn extent(&self) -> Extent {
        Extent {
            entries: self.0.len(),
            target: 0.0,
        }
    }

    fn evaluate(
        &self,
        device: &dyn Device,
        seen: &[Seen<'_>],
        scale: GradientScale,
    ) -> ComputeResult<(LossValue, Vec<Gradient>)> {
        let image = Seen::only(seen)?.tensor()?;
        let (sum, gradient) = device.squared_error(image, &self.0, scale.times(2.0))?;
        Ok((LossValue::of(1.0, sum), vec![Gradient::Tensor(gradient)]))
    }
}

#[test]
fn a_term_from_outside_takes_part() {
    let (content, frame) = (picture(1, 24, 17), picture(9, 24, 17));
    let distance = |picture: &Picture| -> f32 {
        let pairs = picture.rgb().iter().zip(frame.rgb());
        pairs.map(|(a, b)| (a - b).powi(2)).sum()
    };
    let mut stylizer = stylizer(recipe(vec![20, 30]));
    let alone = stylizer.stylize(&content, &mut Ignore).unwrap();
    let previous = frame.clone();
    stylizer.set_extra_terms(Some(ExtraTerms::new("frame 1", move |context| {
        Ok(vec![term(
            "temporal",
            1e-2,
            ToFrame(context.upload(&previous)?),
        )])
    })));
    let held = stylizer.stylize(&content, &mut Ignore).unwrap();
    let names = |stylized: &Stylized| {
        let terms = stylized.report.terms.iter();
        terms.map(|(name, _)| name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&held)[..names(&alone).len()], names(&alone));
    assert_eq!(names(&held).last().unwrap(), "temporal");
    assert!(distance(&held.picture) < 0.5 * distance(&alone.picture));
    stylizer.set_extra_terms(None);
    let again = stylizer.stylize(&content, &mut Ignore).unwrap();
    assert_eq!(again.picture.rgb(), alone.picture.rgb());
}

/// Brightens some pixels, which it draws anew at every other step.
#[derive(Debug)]
struct Sparse {
    chosen: Vec<f32>,
    target: Option<Tensor>,
}

impl Loss for Sparse {
    fn views(&self) -> &[View] {
        &[View::Image]
    }

    fn extent(&self) -> Extent {
        Extent::ONE
    }

    fn prepare(&mut self, device: &dyn Device, seed: &StepSeed<'_>) -> ComputeResult<()> {
        let mut random = seed.at(seed.step / 2 * 2).random();
        self.chosen.fill(0.0);
        for _ in 0..40 {
            let place = random.below(self.chosen.len());
            self.chosen[place] = 1.0;
        }
        self.target = Some(device.upload(&self.chosen, &[self.chosen.len()])?);
        Ok(())
    }

    fn evaluate(
        &self,
        device: &dyn Device,
        seen: &[Seen<'_>],
        scale: GradientScale,
    ) -> ComputeResult<(LossValue, Vec<Gradient>)> {
        let image = Seen::only(seen)?.tensor()?;
        let target = self
            .target
            .as_ref()
            .expect("losses are prepared before they are evaluated");
        let target = device.upload(&device.download(target)?, image.shape())?;
        let (sum, gradient) = device.squared_error(image, &target, scale.times(2.0))?;
        Ok((LossValue::of(1.0, sum), vec![Gradient::Tensor(gradient)]))
    }
}

fn sparse() -> ExtraTerms {
    ExtraTerms::new("sparse", |context| {
        let Scale { width, height, .. } = context.scale;
        let loss = Sparse {
            chosen: vec![0.0; 3 * width * height],
            target: None,
        };
        Ok(vec![term("sparse", 1e-3, loss)])
    })
}

#[test]
fn what_a_loss_draws_is_the_same_after_a_break() {
    let content = picture(1, 24, 17);
    let paint = |seed: u64| {
        let mut stylizer = stylizer(Recipe {
            seed,
            ..recipe(vec![5, 4])
        });
        stylizer.set_extra_terms(Some(sparse()));
        let stylized = stylizer.stylize(&content, &mut Ignore).unwrap();
        stylized.picture.rgb().to_vec()
    };
    let whole = paint(3);
    assert_eq!(whole, paint(3));
    assert_ne!(whole, paint(4), "the seed counts");
    for stop in [1, 2, 4, 6, 8] {
        let folder = impasto_testing::Folder::new();
        let checkpoints = |resume| Checkpoints {
            every: Some(Duration::ZERO),
            resume,
            ..Checkpoints::new(folder.path())
        };
        let seeded = || Recipe {
            seed: 3,
            ..recipe(vec![5, 4])
        };
        let mut first = stylizer(seeded()).checkpoints(checkpoints(Resume::No));
        first.set_extra_terms(Some(sparse()));
        let mut taken = 0;
        let stopped = first.stylize(&content, &mut |event: &Event<'_>| {
            taken += usize::from(matches!(event, Event::Step(_)));
            match taken == stop {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        assert_eq!(stopped.unwrap().outcome, Outcome::Stopped);
        let mut second = stylizer(seeded()).checkpoints(checkpoints(Resume::Yes));
        let others = second.stylize(&content, &mut Ignore).map(|_| ());
        assert!(
            matches!(others, Err(Error::Checkpoint(_))),
            "without its terms it is another job"
        );
        second.set_extra_terms(Some(sparse()));
        let resumed = second.stylize(&content, &mut Ignore).unwrap();
        assert_eq!(resumed.outcome, Outcome::Finished);
        assert_eq!(resumed.report.steps.len(), 9);
        assert!(resumed.picture.rgb() == whole, "stopped after step {stop}");
    }
}

/// Half the squares of whatever it looks at.
#[derive(Debug)]
struct Squares(Vec<View>);

impl Loss for Squares {
    fn views(&self) -> &[View] {
        &self.0
    }

    fn extent(&self) -> Extent {
        Extent::ONE
    }

    fn evaluate(
        &self,
        device: &dyn Device,
        seen: &[Seen<'_>],
        scale: GradientScale,
    ) -> ComputeResult<(LossValue, Vec<Gradient>)> {
        let mut value = LossValue::default();
        let mut squares = |x: &Tensor| -> ComputeResult<Tensor> {
            let zeros = device.zeros(x.shape())?;
            let (sum, gradient) = device.squared_error(x, &zeros, scale.times(1.0))?;
            value.parts.push((0.5, sum));
            Ok(gradient)
        };
        let mut gradients = Vec::new();
        for seen in seen {
            gradients.push(match seen {
                Seen::Image(x) | Seen::Features { features: x, .. } => {
                    Gradient::Tensor(squares(x)?)
                }
                Seen::Moments(moments) => Gradient::Moments(compute::Moments {
                    mean: squares(&moments.mean)?,
                    second: squares(&moments.second)?,
                }),
            });
        }
        Ok((value, gradients))
    }
}

#[test]
fn a_loss_of_several_views_is_the_sum_of_those_of_each() {
    let (content, image) = (picture(1, 90, 80), picture(5, 90, 80));
    let inspect = |together: bool, views: &[View], limits: RunLimits, pooling: PoolKind| {
        let views = views.to_vec();
        let mut recipe = recipe(vec![1]);
        recipe.encoder.pooling = pooling;
        let mut stylizer = stylizer(recipe).with_limits(limits).unwrap();
        stylizer.set_extra_terms(Some(ExtraTerms::new("squares", move |_| {
            let groups: Vec<_> = match together {
                true => vec![views.clone()],
                false => views.iter().map(|view| vec![*view]).collect(),
            };
            let terms = groups.into_iter();
            Ok(terms
                .map(|views| term("squares", 1e-3, Squares(views)))
                .collect())
        })));
        stylizer.inspect(&content, &image)
    };
    let no_limits = RunLimits {
        memory: Some(1 << 60),
        tile: None,
    };
    let cut = RunLimits {
        tile: Some(64),
        ..RunLimits::default()
    };
    let (layer, other) = (Tap::Layer(3), Tap::Layer(6));
    let all = [
        View::Image,
        View::Features(layer),
        View::Moments(other),
        View::Moments(layer),
    ];
    let (max, l2) = (PoolKind::Max, PoolKind::L2);
    // In strips, and of the whole; tiles show no features as a whole.
    for (views, limits, pooling) in [
        (&all[..], no_limits, max),
        (&all[..], cut, max),
        (&[all[0], all[2], all[3]], no_limits, l2),
        (&[all[0], all[2], all[3]], cut, l2),
    ] {
        let expected = inspect(false, views, no_limits, pooling).unwrap();
        let got = inspect(true, views, limits, pooling).unwrap();
        assert_eq!(got.gradient.len(), expected.gradient.len());
        let tolerance = 1e-5 * expected.total.abs();
        assert!((got.total - expected.total).abs() < tolerance, "{got:?}");
        let largest = expected
            .gradient
            .iter()
            .fold(0.0, |m: f32, g| m.max(g.abs()));
        let pairs = got.gradient.iter().zip(&expected.gradient);
        let close = pairs.filter(|(a, b)| (*a - *b).abs() <= 1e-4 * largest);
        let wrong = got.gradient.len() - close.count();
        // A maximum over values that differ by nothing but rounding may go either way.
        assert!(
            wrong * 100 < got.gradient.len(),
            "{wrong} of {views:?}, {limits:?}"
        );
    }
    let refused = inspect(true, &all, cut, l2);
    assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
}

/// Whose gradient is not a number at one step of one scale, however often it is taken.
#[derive(Debug)]
struct Spoiled {
    at: (usize, usize),
    now: (usize, usize),
}

impl Loss for Spoiled {
    fn views(&self) -> &[View] {
        &[View::Image]
    }

    fn extent(&self) -> Extent {
        Extent::ONE
    }

    fn prepare(&mut self, _: &dyn Device, seed: &StepSeed<'_>) -> ComputeResult<()> {
        self.now = (seed.scale, seed.step);
        Ok(())
    }

    fn evaluate(
        &self,
        device: &dyn Device,
        seen: &[Seen<'_>],
        _: GradientScale,
    ) -> ComputeResult<(LossValue, Vec<Gradient>)> {
        let image = Seen::only(seen)?.tensor()?;
        let mut gradient = vec![0.0; image.len()];
        gradient[0] = match self.now == self.at {
            true => f32::NAN,
            false => 0.0,
        };
        let gradient = device.upload(&gradient, image.shape())?;
        Ok((LossValue::default(), vec![Gradient::Tensor(gradient)]))
    }
}

#[test]
fn a_run_that_diverges_carries_its_last_good_picture() {
    let content = picture(1, 24, 17);
    let paint = |at: (usize, usize)| {
        let mut stylizer = stylizer(recipe(vec![4]));
        stylizer.set_extra_terms(Some(ExtraTerms::new("spoiled", move |_| {
            Ok(vec![term("spoiled", 1.0, Spoiled { at, now: (0, 0) })])
        })));
        stylizer.stylize(&content, &mut Ignore).unwrap()
    };
    let finished = paint((7, 7));
    assert_eq!(finished.outcome, Outcome::Finished);
    let diverged = paint((1, 3));
    let (width, height, step) = (24, 17, 3);
    assert_eq!(
        diverged.outcome,
        Outcome::Diverged {
            width,
            height,
            step
        }
    );
    assert_eq!(diverged.report.steps.len(), 4 + 1);
    assert_eq!(diverged.report.setbacks.len(), 1);
    assert!(diverged.picture.rgb().iter().all(|v| v.is_finite()));
    assert_eq!(
        (diverged.picture.width(), diverged.picture.height()),
        (24, 17)
    );
    let nothing = paint((0, 1));
    assert!(matches!(nothing.outcome, Outcome::Diverged { step: 1, .. }));
    assert!(nothing.report.steps.is_empty());
}

/// Returns its content.
#[derive(Debug)]
struct Nothing;

impl Method for Nothing {
    fn scales(&self, _: &Setup, content: &Picture) -> Vec<Scale> {
        vec![Scale {
            width: content.width(),
            height: content.height(),
            steps: 0,
        }]
    }

    fn plan(&self, _: &Setup, _: &Picture) -> Result<RunPlan> {
        Ok(RunPlan {
            scales: vec![],
            limit: None,
        })
    }

    fn pace(&self, _: &Setup, _: &Picture) -> Result<Pace> {
        Ok(Pace {
            constant: 0.0,
            per_pixel: 0.0,
        })
    }

    fn run(&mut self, setup: &Setup, content: &Picture, _: &mut dyn Observer) -> Result<Stylized> {
        let (recipe, device) = (&setup.recipe, setup.device.as_ref());
        Ok(Stylized {
            picture: content.clone(),
            report: Report::new(recipe, &setup.encoder, device, &setup.styles),
            outcome: Outcome::Finished,
            checkpoint: None,
        })
    }
}

#[test]
fn another_method_lives_in_the_same_house_and_shares_its_device() {
    let device: Arc<dyn Device> = open(&Choice::default()).unwrap().into();
    let content = picture(1, 24, 17);
    let styles = || vec![Style::new("painting", picture(2, 20, 18), 1.0)];
    let setup = Setup {
        device: device.clone(),
        encoder: "none".into(),
        styles: styles(),
        recipe: Recipe::default(),
        start: None,
        regions: Regions::default(),
        palette: None,
        painter: None,
        limits: RunLimits::default(),
        checkpoints: None,
        extra_terms: None,
    };
    let mut copier = Stylizer::with_method(setup, Box::new(Nothing));
    let copy = copier.stylize(&content, &mut Ignore).unwrap();
    assert_eq!(copy.picture.rgb(), content.rgb());
    assert!(matches!(
        copier.inspect(&content, &content),
        Err(Error::Invalid(_))
    ));
    let encoder = Encoder::lite().unwrap();
    let mut painter = Stylizer::new(device.clone(), &encoder, styles(), recipe(vec![1])).unwrap();
    painter.stylize(&content, &mut Ignore).unwrap();
    assert_eq!(Arc::strong_count(&device), 3);
}

/// A picture that goes all around has no ends: where it begins makes no difference, whatever paints it.
#[test]
fn where_a_panorama_begins_makes_no_difference() {
    let (width, height, turn) = (128, 48, 48);
    let soft = |place: usize| {
        let (c, y, x) = (
            place / (width * height),
            place / width % height,
            place % width,
        );
        let around = (x as f32 / width as f32 + 0.1 * c as f32) * std::f32::consts::TAU;
        0.5 + 0.3 * (around * 3.0).sin() * (y as f32 * 0.3).cos()
    };
    let content = (0..3 * width * height).map(soft).collect();
    let content = Picture::new(width, height, content).unwrap();
    let turned = |picture: &Picture| {
        let mut rgb = picture.rgb().to_vec();
        rgb.chunks_exact_mut(width)
            .for_each(|row| row.rotate_left(turn));
        Picture::new(width, height, rgb).unwrap()
    };
    let painted = |content: &Picture, wrap: bool, method: MethodSettings| {
        let mut recipe = Recipe {
            size: OutputSize::LongSide(width),
            wrap,
            method,
            ..Recipe::default()
        };
        if let Some(settings) = recipe.optimize_mut() {
            settings.schedule.scales = vec![width];
            settings.schedule.steps = vec![8];
        }
        let mut stylizer = stylizer(recipe);
        stylizer.stylize(content, &mut Ignore).unwrap().picture
    };
    let methods = [
        ("optimize", Recipe::default().method),
        ("paint", MethodSettings::Paint(Default::default())),
    ];
    for (name, method) in methods {
        let difference = |wrap: bool| {
            let one = turned(&painted(&content, wrap, method.clone()));
            let other = painted(&turned(&content), wrap, method.clone());
            let pairs = one.rgb().iter().zip(other.rgb());
            // Of columns at the old ends and the new ones.
            let near = |x: usize| {
                x < 4 || x >= width - 4 || (width - turn - 4..width - turn + 4).contains(&x)
            };
            let pairs = pairs.enumerate().filter(|(at, _)| near(at % width));
            pairs.map(|(_, (a, b))| (a - b).abs()).sum::<f32>() / (16 * 3 * height) as f32
        };
        let (around, ends) = (difference(true), difference(false));

        assert!(around < 0.03, "{name}: {around}");
        assert!(ends > 4.0 * around, "{name}: {around} {ends}");
    }
}
