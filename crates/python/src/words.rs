//! What the library says as data, in Python's words: keywords for settings, functions for advice.

use crate::settings::keyword_of;
use impasto::job::{Needs, Problem};
use impasto::{Advice, Error, recipe};
use impasto_weights::Advice as WeightsAdvice;

/// What a user can do.
fn advice(advice: &Advice) -> String {
    match advice {
        Advice::FullNetwork => "impasto.pull(\"vgg19\") installs the full network".into(),
        Advice::AsEncoder => "give it as encoder=".into(),
        Advice::Size(Some(side)) => format!("size={side} would fit"),
        Advice::StyleSize => "use a smaller style_size or style_scale".into(),
        Advice::Gentler => "use a smaller learning_rate or smaller weights".into(),
        Advice::Weights(WeightsAdvice::Pull { model }) => {
            format!("impasto.pull({model:?}) fetches it")
        }
        Advice::Weights(
            WeightsAdvice::NameFolder
            | WeightsAdvice::MakeRoom
            | WeightsAdvice::WritableFolder
            | WeightsAdvice::LookAtFolder,
        ) => "name another folder by models_dir= or IMPASTO_MODELS".into(),
        other => other.to_string(),
    }
}

fn advised(text: String, advised: Option<Advice>) -> String {
    match advised {
        Some(what) => format!("{text}; {}", advice(&what)),
        None => text,
    }
}

/// A setting that cannot be.
pub fn of_setting(problem: &recipe::Problem) -> String {
    let subject = problem.subject(keyword_of);
    let (verb, value, allowed) = (problem.verb(), &problem.value, &problem.allowed);
    let text = format!("{subject} {verb} {value}: {allowed}");
    advised(text, problem.advice.clone())
}

/// An error, a line for each thing that is wrong.
pub fn of_error(error: &Error) -> Vec<String> {
    match error {
        Error::Invalid(problems) => problems.iter().map(of_setting).collect(),
        Error::RecipeFile { file, problems } => {
            let lines = problems.iter().map(|problem| format!("{file}, {problem}"));
            lines.collect()
        }
        error => vec![advised(error.to_string(), error.advice())],
    }
}

/// A problem of a job, a line for each thing that is wrong.
pub fn of_problem(problem: &Problem) -> Vec<String> {
    let line = match problem {
        Problem::Setting(problem) => of_setting(problem),
        Problem::Layer { field, error } => {
            advised(format!("{}: {error}", keyword_of(field)), error.advice())
        }
        Problem::Steps {
            given,
            content,
            scales,
        } => format!(
            "steps has {given} numbers, but {content} goes through {scales} scale{}",
            if *scales == 1 { "" } else { "s" }
        ),
        Problem::Preprocessing => "preprocessing= goes with a file of weights as encoder=".into(),
        Problem::Threads => "threads= goes with device=\"cpu\" only".into(),
        Problem::Precision => "precision= goes with the cpu and the gpu only".into(),
        Problem::Model => {
            "model= goes with a feed-forward method, or with an init= that a network paints".into()
        }
        Problem::Idle { field, needs } => {
            let needs = match needs {
                Needs::Colors => "colors= or palette=",
                Needs::Places => "mask= or regions=",
            };
            format!("{} has an effect with {needs} only", keyword_of(field))
        }
        Problem::Encoder(error) => advised(error.to_string(), error.advice()),
        Problem::Failed(error) | Problem::Limits(error) => return of_error(error),
        other => other.to_string(),
    };
    vec![line]
}
