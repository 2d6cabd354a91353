//! L-BFGS against recorded runs of PyTorch's.

use super::*;
use impasto_compute::Tensor;
use impasto_compute::reference::ReferenceDevice;
use impasto_testing::{Failures, Tolerance, compare};
use serde_json::Value;

/// Values and gradients of the functions that `tests/golden/lbfgs/make.py` describes.
fn evaluate(problem: &str, x: &[f64]) -> (f64, Vec<f64>) {
    match problem {
        "rosenbrock" => {
            let (a, b) = (x[1] - x[0] * x[0], 1.0 - x[0]);
            let gradient = vec![-400.0 * x[0] * a - 2.0 * b, 200.0 * a];
            (100.0 * a * a + b * b, gradient)
        }
        "quadratic" => {
            let mut loss = 0.0;
            let gradient = x.iter().enumerate().map(|(i, x)| {
                let (a, b) = (1.0 + 99.0 * i as f64 / 999.0, x - (i as f64).sin());
                loss += 0.5 * a * b * b;
                a * b
            });
            let gradient = gradient.collect();
            (loss, gradient)
        }
        _ => {
            let mut loss = 0.005 * x.iter().map(|w| w * w).sum::<f64>();
            let mut gradient: Vec<f64> = x.iter().map(|w| 0.01 * w).collect();
            for i in 0..60 {
                let feature = |j: usize| (0.37 * ((i + 1) * (j + 1)) as f64).sin();
                let label = if (1.3 * i as f64).cos() > 0.0 {
                    1.0
                } else {
                    -1.0
                };
                let sum: f64 = x.iter().enumerate().map(|(j, w)| w * feature(j)).sum();
                let odds = (-label * sum).exp();
                loss += odds.ln_1p() / 60.0;
                for (j, g) in gradient.iter_mut().enumerate() {
                    *g -= label * feature(j) * odds / (1.0 + odds) / 60.0;
                }
            }
            (loss, gradient)
        }
    }
}

fn settings(case: &Value) -> LbfgsSettings {
    let number = |key: &str| case[key].as_f64().unwrap();
    LbfgsSettings {
        learning_rate: number("lr") as f32,
        history: number("history_size") as usize,
        line_search: match case["line_search_fn"] {
            Value::Null => LineSearch::None,
            _ => LineSearch::StrongWolfe,
        },
        max_iter: number("max_iter") as usize,
        max_eval: number("max_eval") as usize,
        tolerance_grad: number("tolerance_grad"),
        tolerance_change: number("tolerance_change"),
    }
}

fn start(problem: &str) -> Vec<f32> {
    match problem {
        "rosenbrock" => vec![-1.2, 1.0],
        "quadratic" => vec![0.0; 1000],
        _ => vec![0.0; 20],
    }
}

/// Goes through a run, and compares each point with PyTorch's, up to `tolerance·max(1, |x|)`.
fn follow(
    case: &Value,
    device: &dyn Device,
    tolerance: f64,
    values: impl Fn(&Tensor) -> Vec<f64>,
    upload: impl Fn(&[f64]) -> Tensor,
) -> Result<Failures> {
    let problem = case["problem"].as_str().unwrap();
    let begin = start(problem);
    let mut parameters = Parameters::from(device.upload(&begin, &[begin.len()])?);
    let mut lbfgs = Lbfgs::new(settings(case));
    let mut failures = Failures::new();
    let every = case["every"].as_u64().unwrap() as usize;
    for (index, recorded) in case["evaluations"].as_array().unwrap().iter().enumerate() {
        let x = values(&parameters.tensors()[0]);
        let recorded = recorded["x"].as_array().unwrap().iter();
        let recorded: Vec<f64> = recorded.map(|x| x.as_f64().unwrap()).collect();
        let unit = |x: f64| x.abs().max(1.0);
        let got = x.iter().step_by(every);
        let got: Vec<f64> = got.zip(&recorded).map(|(x, r)| x / unit(*r)).collect();
        let expected: Vec<f64> = recorded.iter().map(|x| x / unit(*x)).collect();
        let name = format!("{} at evaluation {index}", name(case));
        assert_eq!(x.len().div_ceil(every), recorded.len(), "{name}");
        let tolerance = Tolerance::absolute(tolerance);
        // What went astray once stays astray.
        if !failures.check(compare::close(&name, &got, &expected, tolerance)) {
            break;
        }
        let (loss, gradient) = evaluate(problem, &x);
        let gradient = Parameters::from(upload(&gradient));
        lbfgs.step(device, &mut parameters, loss, &gradient)?;
    }
    Ok(failures)
}

fn cases() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/lbfgs/lbfgs.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn name(case: &Value) -> String {
    format!("{} {:?}", case["problem"].as_str().unwrap(), settings(case))
}

/// Points, evaluations and where outer steps begin are all in the sequence of evaluations.
#[test]
fn it_evaluates_where_pytorch_does() -> Result<()> {
    let device = ReferenceDevice::new();
    let cases = cases();
    let cases = cases["cases"].as_array().unwrap();
    assert!(cases.len() > 5, "{} cases", cases.len());
    for case in cases {
        let values = |tensor: &Tensor| ReferenceDevice::values(tensor).unwrap().to_vec();
        let upload =
            |values: &[f64]| ReferenceDevice::tensor(values.to_vec(), &[values.len()]).unwrap();
        follow(case, &device, 1e-5, values, upload)?.assert_none();
    }
    Ok(())
}

/// In f32, whose rounding Rosenbrock's valley amplifies, the defaults and the line search of each function.
#[test]
fn the_cpu_goes_the_same_way() -> Result<()> {
    let device = crate::device::open(&crate::device::Choice::default()).unwrap();
    let cases = cases();
    for case in &cases["cases"].as_array().unwrap()[..5] {
        let values = |tensor: &Tensor| -> Vec<f64> {
            let values = device.download(tensor).unwrap();
            values.into_iter().map(f64::from).collect()
        };
        let upload = |values: &[f64]| {
            let values: Vec<f32> = values.iter().map(|&v| v as f32).collect();
            device.upload(&values, &[values.len()]).unwrap()
        };
        follow(case, device.as_ref(), 5e-4, values, upload)?.assert_none();
    }
    Ok(())
}
