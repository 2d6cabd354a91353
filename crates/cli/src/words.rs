//! What the library says as data, in the words of the command line: options for settings, commands for advice.

use crate::options;
use impasto::checkpoint::CheckpointError;
use impasto::compute::{Advice as ComputeAdvice, ComputeError};
use impasto::encoder::EncoderError;
use impasto::job::{BadWeight, Needs, OutputProblem, Problem, RegionProblem, hexadecimal};
use impasto::named::Named;
use impasto::recipe::MadeFor;
use impasto::{Advice, Error};
use impasto_weights::{Advice as WeightsAdvice, PullError, WeightsError, network};
use std::fmt::Display;

/// A number to three digits.
pub fn significant(value: f64) -> String {
    match value.abs() {
        0.01..1000.0 => {
            let digits = 2 - value.abs().log10().floor() as i32;
            format!("{value:.*}", digits.max(0) as usize)
        }
        _ => format!("{value:.2e}"),
    }
}

/// The network that weights were made for.
pub fn made_for(network: MadeFor) -> &'static str {
    match network {
        MadeFor::Any => "any network",
        MadeFor::Oxford => "the original VGG-19 (vgg19-caffe)",
        MadeFor::Torchvision => "torchvision's VGG-19 (vgg19)",
        MadeFor::Unit => "a VGG-19 of unit activations",
    }
}

/// What a user can do.
pub fn advice(advice: &Advice) -> String {
    match advice {
        Advice::Weights(advice) => weights(advice),
        Advice::FullNetwork => "`impasto models pull vgg19` installs the full network".into(),
        Advice::AsEncoder => "give it as --encoder".into(),
        Advice::Size(Some(side)) => format!("{advice}: --size {side}"),
        Advice::StyleSize => "use a smaller --style-size or --style-scale".into(),
        Advice::Gentler => "use a smaller --learning-rate or smaller weights".into(),
        Advice::CheckpointDisk => {
            "free some space, or choose another disk with --checkpoint".into()
        }
        Advice::CheckpointFolder => {
            "choose a folder that you may write to with --checkpoint".into()
        }
        Advice::BeginAnew => "ask for that job, or leave --resume out to begin anew".into(),
        other => other.to_string(),
    }
}

fn weights(advice: &WeightsAdvice) -> String {
    match advice {
        WeightsAdvice::NameFolder => "name one by --models-dir or IMPASTO_MODELS".into(),
        WeightsAdvice::MakeRoom => {
            "make room there, or name another folder by --models-dir or IMPASTO_MODELS".into()
        }
        WeightsAdvice::WritableFolder => {
            "name a folder that you may write to by --models-dir or IMPASTO_MODELS".into()
        }
        WeightsAdvice::LookAtFolder => {
            "look at that folder, or name another by --models-dir or IMPASTO_MODELS".into()
        }
        WeightsAdvice::Replace => {
            "let --replace take its place, or choose another name by --name".into()
        }
        WeightsAdvice::ImportUnderOwnName => {
            "install it under a name of its own: `impasto models import FILE --name NAME`".into()
        }
        WeightsAdvice::Pull { model } => {
            let source = network(model).map_or("FILE", |_| "FOLDER");
            format!(
                "run `impasto models pull {model}`, or put it there by `impasto models import {source} --name {model}`"
            )
        }
        WeightsAdvice::Import { name, known } => format!(
            "known are {}; others come by `impasto models import FILE --name {name}`",
            known.join(", ")
        ),
        WeightsAdvice::PullOn { model } => format!(
            "the next `impasto models pull {model}` goes on where it was, if the server lets it"
        ),
        WeightsAdvice::ByHand { model, name, kept } => {
            let kept = if *kept {
                "; what was fetched is kept"
            } else {
                ""
            };
            let url = model
                .origins
                .first()
                .map_or("the file", |origin| origin.url);
            format!(
                "What to do: try again later{kept}. Behind a proxy, name it in HTTPS_PROXY.\n\
                 Or fetch {url} by hand, in a browser or on another machine, and run `impasto models import FILE --name {name}`.\n\
                 A mirror, file or folder can be named by `impasto models pull {} --from URL|FILE|DIR`.",
                model.name
            )
        }
        other => other.to_string(),
    }
}

/// A message with what can be done about it.
fn advised(text: impl Display, advised: Option<Advice>) -> String {
    match advised {
        Some(what) => format!("{text}{}{}", joint(&what), advice(&what)),
        None => text.to_string(),
    }
}

/// What stands between a message and its advice.
fn joint(advice: &Advice) -> &'static str {
    use WeightsAdvice::{ByHand, Import, NameFolder, Pull, Replace};
    match advice {
        Advice::Size(_) => ": ",
        Advice::Weights(NameFolder | Pull { .. } | Import { .. } | Replace) => ": ",
        Advice::Weights(ByHand { .. }) => "\n",
        _ => "; ",
    }
}

/// What the library, or the one of weights, says when something failed.
pub trait Told: Display {
    /// What can be done about it.
    fn advice(&self) -> Option<Advice>;

    /// The message with what can be done about it.
    fn told(&self) -> String {
        advised(self, self.advice())
    }
}

macro_rules! told {
    ($($error:ty => $advice:expr;)*) => {
        $(impl Told for $error {
            fn advice(&self) -> Option<Advice> {
                $advice(self)
            }
        })*

        /// What can be done about an error of the library, wherever in the chain it stands.
        fn advice_in(error: &anyhow::Error) -> Option<Advice> {
            error.chain().find_map(|cause| {
                $(if let Some(error) = cause.downcast_ref::<$error>() {
                    return Told::advice(error);
                })*
                None
            })
        }
    };
}

told! {
    Error => Error::advice;
    EncoderError => EncoderError::advice;
    CheckpointError => CheckpointError::advice;
    WeightsError => |error: &WeightsError| error.advice().map(Advice::Weights);
    PullError => |error: &PullError| error.advice().map(Advice::Weights);
}

/// An error with everything around it, and what can be done about it.
pub fn of_error(error: &anyhow::Error) -> String {
    let all = of_compute(error).map_or(&[][..], ComputeError::advice);
    let advice: Vec<&str> = all.iter().filter_map(|&advice| compute(advice)).collect();
    match &advice[..] {
        [] => advised(format!("{error:#}"), advice_in(error)),
        [only] => format!("{error:#}: {only}"),
        [first @ .., last] => format!("{error:#}: {}, or {last}", first.join(", ")),
    }
}

/// What the device has reported, if that is the error.
fn of_compute(error: &anyhow::Error) -> Option<&ComputeError> {
    match error.downcast_ref() {
        Some(Error::Compute(error)) => Some(error),
        _ => error.downcast_ref(),
    }
}

/// What can be done about what a device reports.
fn compute(advice: ComputeAdvice) -> Option<&'static str> {
    Some(match advice {
        ComputeAdvice::StartAgain => "start again",
        ComputeAdvice::SmallerSize => "use a smaller size (--size)",
        ComputeAdvice::LimitMemory => "work in strips or tiles (--memory)",
        ComputeAdvice::Cpu => "compute on the cpu (--device cpu)",
        // What this program knows no words for.
        _ => return None,
    })
}

/// A problem of a job; `used` are the options that were given.
pub fn of_problem(problem: &Problem, used: &[String]) -> String {
    match problem {
        Problem::Setting(problem) => {
            let subject = problem.subject(|field| options::name(field, used));
            let text = format!(
                "{subject} {} {}: {}",
                problem.verb(),
                problem.value,
                problem.allowed
            );
            advised(text, problem.advice.clone())
        }
        Problem::Layer { field, error } => {
            format!("{}: {}", options::name(field, used), error.told())
        }
        Problem::Steps {
            given,
            content,
            scales,
        } => format!(
            "--steps has {given} numbers, but {content} goes through {scales} scale{}",
            if *scales == 1 { "" } else { "s" }
        ),
        Problem::StyleWeight(BadWeight { style, weight }) => {
            format!("the weight of --style {style} is {weight}: must be a number greater than 0")
        }
        Problem::Preprocessing => {
            "--preprocessing goes with a file of weights only: name it with --encoder".into()
        }
        Problem::Threads => {
            "--threads goes with --device cpu only: no other device has any to choose".into()
        }
        Problem::Precision => {
            "--precision goes with the cpu and the gpu only: the reference is exact".into()
        }
        Problem::Palette(mode) => format!(
            "--palette goes with --colors content, cholesky, pca, coral or histogram, not with {}",
            mode.name()
        ),
        Problem::Region(problem) => of_region(problem),
        Problem::Idle { field, needs } => {
            let needs = match needs {
                Needs::Colors => "--colors or --palette",
                Needs::Places => "--mask or --region",
            };
            format!(
                "{} has an effect with {needs} only",
                options::name(field, used)
            )
        }
        Problem::Encoder(error) => error.told(),
        Problem::Output(problem) => of_output(problem),
        Problem::Failed(error) | Problem::Limits(error) => error.told(),
        other => other.to_string(),
    }
}

fn of_region(problem: &RegionProblem) -> String {
    match problem {
        RegionProblem::NoMap(color) => format!(
            "--region {} is a colour of a map: name the map with --regions",
            hexadecimal(*color)
        ),
        RegionProblem::NoColors => {
            "--regions goes with --region '#RRGGBB=STYLE' for each colour of it".into()
        }
        RegionProblem::StyleMasks { masks, styles } => format!(
            "there are {masks} of --style-mask and {styles} of --style: each mask is of the style in its place"
        ),
        other => other.to_string(),
    }
}

fn of_output(problem: &OutputProblem) -> String {
    match problem {
        OutputProblem::OneForMany { contents } => {
            format!("-o names one file, but there are {contents} contents: use --out-dir")
        }
        OutputProblem::NotHtml(path) => {
            format!("--report is {}: must end in .html", path.display())
        }
        OutputProblem::PageOfMany { contents } => format!(
            "--report is about one content, but there are {contents}: stylize them one by one"
        ),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn an_error_is_told_with_what_can_be_done() {
        let full = || ComputeError::OutOfMemory {
            device: "gpu".into(),
            what: "a map".into(),
            bytes: 5,
        };
        let line = "gpu has no memory left for a map (5 bytes): \
                    use a smaller size (--size), or work in strips or tiles (--memory)";
        assert_eq!(of_error(&full().into()), line);
        let error = Err::<(), _>(Error::Compute(full())).context("a.jpg");
        assert_eq!(
            error.map_err(|error| of_error(&error)),
            Err(format!("a.jpg: {line}"))
        );
        assert_eq!(of_error(&anyhow::anyhow!("no such file")), "no such file");
    }
}
