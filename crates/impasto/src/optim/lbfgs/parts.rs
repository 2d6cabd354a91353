//! L-BFGS as plain data: its pairs, its last step and, amid a line search, that.

use super::search::{Bracket, Search, SearchLimits, Stage, Trial};
use super::{Last, Lbfgs, Memory, Pair, Phase};
use crate::optim::{Parts, Unfit};
use crate::recipe::LbfgsSettings;
use impasto_compute::Tensor;
use std::sync::Arc;

type Result<T> = std::result::Result<T, Unfit>;

/// Numbers by which kinds are told apart.
const START: u8 = 0;
const MOVED: u8 = 1;
const GROWING: u8 = 2;
const NARROWING: u8 = 3;

impl Lbfgs {
    /// The state as plain data.
    pub fn parts(&self) -> Parts<&Tensor> {
        let mut parts = Parts::default();
        let memory = &self.memory;
        parts.put("iterations", self.iterations as f64);
        parts.put("evaluations", self.evaluations as f64);
        parts.put("memory.iterations", memory.iterations as f64);
        parts.put("memory.scale", memory.scale);
        parts.put("memory.pairs", memory.pairs.len() as f64);
        for (index, pair) in memory.pairs.iter().enumerate() {
            parts.put(format!("pair.{index}.rho"), pair.rho);
            parts.put_parameters(&format!("pair.{index}.step"), &pair.step);
            parts.put_parameters(&format!("pair.{index}.change"), &pair.change);
        }
        if let Some(last) = &memory.last {
            parts.put("last.length", last.length);
            parts.put("last.loss", last.loss);
            parts.put_parameters("last.direction", &last.direction);
            parts.put_parameters("last.gradient", &last.gradient);
        }
        let phase = match &self.phase {
            Phase::Start => START,
            Phase::Moved => MOVED,
            Phase::Trial(search) => put_search(&mut parts, search),
        };
        parts.put("phase", f64::from(phase));
        parts
    }

    /// The state for parameters of some shapes that [`Lbfgs::parts`] gave.
    ///
    /// # Errors
    /// [`Unfit`].
    pub fn restore(
        settings: LbfgsSettings,
        shapes: &[Vec<usize>],
        mut parts: Parts<Tensor>,
    ) -> Result<Self> {
        let mut memory = Memory {
            iterations: parts.count("memory.iterations")?,
            scale: parts.number("memory.scale")?,
            ..Memory::default()
        };
        for index in 0..parts.count::<usize>("memory.pairs")? {
            memory.pairs.push_back(Pair {
                rho: parts.number(&format!("pair.{index}.rho"))?,
                step: parts.take_parameters(&format!("pair.{index}.step"), shapes)?,
                change: parts.take_parameters(&format!("pair.{index}.change"), shapes)?,
            });
        }
        if parts.numbers.contains_key("last.length") {
            memory.last = Some(Last {
                length: parts.number("last.length")?,
                loss: parts.number("last.loss")?,
                direction: parts.take_parameters("last.direction", shapes)?,
                gradient: parts.take_parameters("last.gradient", shapes)?,
            });
        }
        let phase = match parts.count::<u8>("phase")? {
            START => Phase::Start,
            MOVED => Phase::Moved,
            stage => Phase::Trial(Box::new(take_search(&mut parts, shapes, stage)?)),
        };
        Ok(Self {
            settings,
            longest: None,
            memory,
            iterations: parts.count("iterations")?,
            evaluations: parts.count("evaluations")?,
            phase,
        })
    }
}

/// Says at which stage it is.
fn put_search<'a>(parts: &mut Parts<&'a Tensor>, search: &'a Search) -> u8 {
    parts.put_parameters("search.origin", &search.origin);
    put_trial(parts, "search.start", &search.start);
    parts.put("search.limits.further", search.limits.further as f64);
    parts.put("search.limits.tolerance", search.limits.tolerance);
    parts.put("search.limits.longest", search.limits.longest);
    parts.put("search.further", search.further as f64);
    parts.put("search.length", search.length);
    match &search.stage {
        Stage::Growing(previous) => {
            put_trial(parts, "search.previous", previous);
            GROWING
        }
        Stage::Narrowing(Bracket { ends, low, stuck }) => {
            put_trial(parts, "search.end.0", &ends[0]);
            put_trial(parts, "search.end.1", &ends[1]);
            parts.put("search.low", *low as f64);
            parts.put("search.stuck", f64::from(u8::from(*stuck)));
            NARROWING
        }
    }
}

fn take_search(parts: &mut Parts<Tensor>, shapes: &[Vec<usize>], stage: u8) -> Result<Search> {
    let stage = match stage {
        GROWING => Stage::Growing(take_trial(parts, "search.previous", shapes)?),
        NARROWING => Stage::Narrowing(Bracket {
            ends: [
                take_trial(parts, "search.end.0", shapes)?,
                take_trial(parts, "search.end.1", shapes)?,
            ],
            low: match parts.count("search.low")? {
                low @ (0 | 1) => low,
                _ => return Err(Unfit("search.low".into())),
            },
            stuck: parts.count::<u8>("search.stuck")? == 1,
        }),
        _ => return Err(Unfit("phase".into())),
    };
    Ok(Search {
        origin: parts.take_parameters("search.origin", shapes)?,
        start: take_trial(parts, "search.start", shapes)?,
        limits: SearchLimits {
            further: parts.count("search.limits.further")?,
            tolerance: parts.number("search.limits.tolerance")?,
            longest: parts.number("search.limits.longest")?,
        },
        further: parts.count("search.further")?,
        length: parts.number("search.length")?,
        stage,
    })
}

fn put_trial<'a>(parts: &mut Parts<&'a Tensor>, name: &str, trial: &'a Trial) {
    parts.put(format!("{name}.length"), trial.length);
    parts.put(format!("{name}.loss"), trial.loss);
    parts.put(format!("{name}.slope"), trial.slope);
    parts.put_parameters(&format!("{name}.gradient"), &trial.gradient);
}

fn take_trial(parts: &mut Parts<Tensor>, name: &str, shapes: &[Vec<usize>]) -> Result<Trial> {
    Ok(Trial {
        length: parts.number(&format!("{name}.length"))?,
        loss: parts.number(&format!("{name}.loss"))?,
        slope: parts.number(&format!("{name}.slope"))?,
        gradient: Arc::new(parts.take_parameters(&format!("{name}.gradient"), shapes)?),
    })
}
