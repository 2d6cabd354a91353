//! What is told to the page about what is wrong: sentences, in the words of the page.

use impasto::Advice;
use impasto::job::Problem;
use impasto::recipe;

/// What is wrong with a request, all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The status of HTTP.
    pub status: u16,
    /// Sentences.
    pub problems: Vec<String>,
}

impl Refused {
    /// One thing that is wrong.
    pub fn new(status: u16, problem: impl ToString) -> Self {
        Self {
            status,
            problems: vec![problem.to_string()],
        }
    }

    /// Something that there is not.
    pub fn missing() -> Self {
        Self::new(404, "there is no such thing here")
    }
}

impl From<crate::Error> for Refused {
    fn from(error: crate::Error) -> Self {
        let status = match &error {
            crate::Error::Picture(_) => 422,
            crate::Error::Ended => 503,
            _ => 500,
        };
        Self::new(status, error)
    }
}

/// Sentences about problems of a job.
pub fn sentences(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(sentence).collect()
}

/// A sentence about a problem of a job.
pub fn sentence(problem: &Problem) -> String {
    match problem {
        Problem::Setting(problem) => of_setting(problem),
        Problem::Failed(error) | Problem::Limits(error) => of_error(error),
        other => other.to_string(),
    }
}

/// What is wrong with a setting, and what to do.
pub fn of_setting(problem: &recipe::Problem) -> String {
    advised(problem.to_string(), problem.advice.as_ref())
}

/// An error, and what to do.
pub fn of_error(error: &impasto::Error) -> String {
    advised(error.to_string(), error.advice().as_ref())
}

fn advised(text: String, advice: Option<&Advice>) -> String {
    let advice = match advice {
        Some(Advice::Size(Some(side))) => Some(format!("choose a size of {side} or less")),
        Some(Advice::Gentler) => Some("move the sliders towards the middle".into()),
        other => other.map(ToString::to_string),
    };
    match advice {
        Some(advice) => format!("{text}; {advice}"),
        None => text,
    }
}
