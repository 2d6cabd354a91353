//! Everything that is wrong with a call, collected before any work starts.

use crate::value::Given;
use crate::words;
use impasto::Error;
use impasto::job::Problem;
use std::fmt;

/// Lines that say what is wrong, each with what to do about it.
#[derive(Debug, Default)]
pub struct Problems {
    lines: Vec<String>,
    usage: bool,
}

impl Problems {
    /// Notes an option or setting that cannot be.
    pub fn usage(&mut self, line: impl fmt::Display) {
        self.usage = true;
        self.note(line);
    }

    /// Notes a file or folder that cannot be used.
    pub fn file(&mut self, line: impl fmt::Display) {
        self.note(line);
    }

    fn note(&mut self, line: impl fmt::Display) {
        let line = line.to_string();
        if !self.lines.contains(&line) {
            self.lines.push(line);
        }
    }

    /// Notes problems of a job in the words of the command line.
    pub fn job(&mut self, problems: &[Problem], used: &[String]) {
        for problem in problems {
            let line = words::of_problem(problem, used);
            match problem.is_mistake() {
                true => self.usage(line),
                false => self.file(line),
            }
        }
    }

    /// Notes why there is no recipe: a line for each mistake.
    pub fn recipe_file(&mut self, error: &Error) {
        error.to_string().lines().for_each(|line| self.usage(line));
    }

    /// The value of an option, if it was given and is good; what is wrong with it is noted.
    pub fn take<T: Clone>(&mut self, given: &Option<Given<T>>) -> Option<T> {
        match given {
            None => None,
            Some(Ok(value)) => Some(value.clone()),
            Some(Err(line)) => {
                self.usage(line);
                None
            }
        }
    }

    /// What is found while problems of a job are noted.
    pub fn gather<T>(&mut self, find: impl FnOnce(&mut Vec<Problem>) -> T) -> T {
        let mut problems = Vec::new();
        let found = find(&mut problems);
        self.job(&problems, &[]);
        found
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The lines.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// Whether an option or a setting is among them, not files alone.
    pub fn of_usage(&self) -> bool {
        self.usage
    }
}
