//! What a run does, in its order, and what that takes: as a whole, or strip by strip.
//!
//! Strips are of full width. Every stage makes some rows at a time from the rows before it that are there, and rows that
//! nobody will read any more make room for others, so that every number is computed once and in its place. What reads
//! moments (norms, means) has to wait until all rows have been seen: the stages are passed through in *segments*, each from
//! the top to the bottom, with as many moments between the first and the last as are behind each other. Maps that a later
//! segment reads are kept as a whole, or made again.

use super::geometry::Geometry;
use super::stage::{Id, Part, Slot, Stage, Work};
use std::ops::Range;

/// Rows of the highest maps at a time where nobody says how many.
const ROWS: usize = 64;

/// One thing that a run does.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Action {
    /// Takes memory for so many rows of a map.
    Take { id: Id, rows: usize },
    /// Lets a stage make rows; with `sums` if a convolution takes them.
    Make {
        stage: usize,
        rows: Range<usize>,
        sums: bool,
    },
    /// Moves the rows of a map up, to begin with this one.
    Begin { id: Id, first: usize },
    /// Lets go of what nobody reads any more.
    Drop(Slot),
}

/// What a run does.
#[derive(Debug)]
pub(super) struct Schedule {
    pub(super) actions: Vec<Action>,
}

/// Stages that are passed through together, in their order.
struct Segment {
    stages: Vec<Running>,
    /// How often each makes some rows.
    steps: usize,
}

/// A stage in a segment.
#[derive(Clone, Copy)]
struct Running {
    stage: usize,
    /// Whether what it makes is wanted for itself, not only by other stages of the segment.
    wanted: bool,
    /// Whether it takes sums.
    sums: bool,
}

impl Schedule {
    /// As a whole: every stage makes all its rows at once.
    pub(super) fn whole(geometry: Geometry<'_>) -> Self {
        let stages = geometry.plan.stages.iter().enumerate();
        let running = |(stage, it): (usize, &Stage)| Running {
            stage,
            wanted: true,
            sums: it.takes_sums(),
        };
        let segment = Segment {
            stages: stages.map(running).collect(),
            steps: 1,
        };
        Writer::write(geometry, &[segment], &|_| true)
    }

    /// Lets go of nothing that is kept, by slot.
    pub(super) fn keep(&mut self, kept: &[bool]) {
        let stays = |action: &Action| match action {
            Action::Drop(slot) => !kept[slot.index()],
            _ => true,
        };
        self.actions.retain(stays);
    }

    /// In strips of some rows of the highest maps, about; maps that several segments read are kept if `keeps` says so.
    pub(super) fn strips(
        geometry: Geometry<'_>,
        rows: Option<usize>,
        keeps: &dyn Fn(Id) -> bool,
    ) -> Self {
        let levels = Levels::new(geometry);
        let outputs = &geometry.plan.outputs;
        let is_kept = |id: Id| outputs.contains(&id) || keeps(id);
        let segments = (0..=levels.deepest()).map(|level| {
            let stages = levels.segment(geometry, level, &is_kept);
            let heights = stages
                .iter()
                .map(|running| geometry.height(geometry.stage(running.stage)));
            let rows = rows.unwrap_or(ROWS).max(1);
            Segment {
                steps: heights.max().unwrap_or(1).div_ceil(rows),
                stages,
            }
        });
        Writer::write(geometry, &segments.collect::<Vec<_>>(), &is_kept)
    }

    /// Maps that several segments read, which may be kept.
    pub(super) fn candidates(geometry: Geometry<'_>) -> Vec<Id> {
        let levels = Levels::new(geometry);
        let mut found: Vec<Id> = Vec::new();
        for (index, stage) in geometry.plan.stages.iter().enumerate() {
            for slot in stage.reads() {
                let maker = levels.maker[slot.index()];
                let earlier = maker.is_some_and(|maker| levels.level[maker] < levels.level[index]);
                if slot.part == Part::Map && earlier && !found.contains(&slot.id) {
                    found.push(slot.id);
                }
            }
        }
        found
    }

    /// Bytes that it takes at most at a time, handing out included.
    pub(super) fn memory(&self, geometry: Geometry<'_>) -> usize {
        let mut held = vec![0; 3 * geometry.shapes.len()];
        let (mut now, mut most) = (0, 0);
        for action in &self.actions {
            let mut room = 0;
            match action {
                &Action::Take { id, rows } => {
                    held[Slot::map(id).index()] = geometry.lines(id, rows);
                    now += geometry.lines(id, rows);
                }
                Action::Make { stage, rows, sums } => {
                    let stage = geometry.stage(*stage);
                    room = geometry.room(stage, rows.len(), *sums);
                    let made = match stage.work {
                        Work::Convolve { .. } | Work::Sum(_) if *sums => {
                            Some((Slot::sums(stage.to), geometry.sums(stage)))
                        }
                        Work::Norm { .. } | Work::Moment { .. } | Work::Vector { .. } => {
                            let (numbers, _) = geometry.dims(stage.to);
                            let bytes = 2 * numbers * size_of::<f32>();
                            Some((Slot::numbers(stage.to), bytes))
                        }
                        _ => None,
                    };
                    if let Some((slot, bytes)) = made.filter(|(slot, _)| held[slot.index()] == 0) {
                        held[slot.index()] = bytes;
                        now += bytes;
                    }
                }
                Action::Begin { .. } => {}
                Action::Drop(slot) => now -= std::mem::take(&mut held[slot.index()]),
            }
            most = most.max(now + room);
        }
        most.max(geometry.handing_out(&held, now))
    }

    /// Products of numbers, by the definition of convolutions.
    pub(super) fn products(&self, geometry: Geometry<'_>) -> usize {
        let of = |action: &Action| match action {
            Action::Make { stage, rows, .. } => match &geometry.stage(*stage).work {
                Work::Convolve { convolution, .. } => {
                    let (_, size) = geometry.dims(geometry.stage(*stage).to);
                    geometry.plan.convolutions[*convolution].products * rows.len() * size.width
                }
                _ => 0,
            },
            _ => 0,
        };
        self.actions.iter().map(of).sum()
    }
}

/// How many moments lie before each stage, behind each other.
struct Levels {
    /// By slot: the stage that makes it.
    maker: Vec<Option<usize>>,
    /// By stage.
    level: Vec<usize>,
}

impl Levels {
    fn new(geometry: Geometry<'_>) -> Self {
        let mut maker = vec![None; 3 * geometry.shapes.len()];
        let mut level: Vec<usize> = Vec::new();
        for (index, stage) in geometry.plan.stages.iter().enumerate() {
            let before = stage.reads().into_iter().filter_map(|slot: Slot| {
                let made: usize = maker[slot.index()]?;
                Some(level[made] + usize::from(slot.part == Part::Sums))
            });
            level.push(before.max().unwrap_or(0));
            for slot in stage.makes() {
                maker[slot.index()] = Some(index);
            }
        }
        Self { maker, level }
    }

    fn deepest(&self) -> usize {
        self.level.iter().copied().max().unwrap_or(0)
    }

    /// The stages of a level that are wanted for themselves, and those that they need to be run, again maybe.
    fn segment(
        &self,
        geometry: Geometry<'_>,
        level: usize,
        is_kept: &dyn Fn(Id) -> bool,
    ) -> Vec<Running> {
        let mut running = vec![None; self.level.len()];
        let here = (0..self.level.len()).filter(|&index| self.level[index] == level);
        let mut open: Vec<(usize, bool)> = here
            .filter(|&index| {
                let mut makes = geometry.stage(index).makes();
                makes.any(|slot| slot.part != Part::Map || is_kept(slot.id))
            })
            .map(|index| (index, true))
            .collect();
        while let Some((index, wanted)) = open.pop() {
            if running[index].is_some() {
                continue;
            }
            let stage = geometry.stage(index);
            running[index] = Some(Running {
                stage: index,
                wanted,
                sums: stage.takes_sums() && self.level[index] == level,
            });
            for slot in stage.reads() {
                if let (Part::Map, Some(maker)) = (slot.part, self.maker[slot.index()])
                    && (self.level[maker] == level || !is_kept(slot.id))
                {
                    let known = running[maker].is_some();
                    let is_goal = open.iter().any(|&(index, wanted)| index == maker && wanted);
                    if !known && !is_goal {
                        open.push((maker, false));
                    }
                }
            }
        }
        running.into_iter().flatten().collect()
    }
}

/// A schedule in the making.
struct Writer<'a> {
    geometry: Geometry<'a>,
    actions: Vec<Action>,
    /// By slot: the last segment that reads it.
    last: Vec<usize>,
    /// Of the segment: by stage, the rows that are made; by slot, the stages that read it.
    made: Vec<usize>,
    readers: Vec<Vec<usize>>,
    /// By map: the action that took it, and the first row that is there.
    taken: Vec<Option<usize>>,
    first: Vec<usize>,
}

impl<'a> Writer<'a> {
    fn write(
        geometry: Geometry<'a>,
        segments: &[Segment],
        is_kept: &dyn Fn(Id) -> bool,
    ) -> Schedule {
        let values = geometry.shapes.len();
        let mut last = vec![0; 3 * values];
        for (index, segment) in segments.iter().enumerate() {
            for running in &segment.stages {
                for slot in geometry.stage(running.stage).reads() {
                    last[slot.index()] = index;
                }
            }
        }
        let mut writer = Self {
            geometry,
            actions: Vec::new(),
            last,
            made: Vec::new(),
            readers: Vec::new(),
            taken: vec![None; values],
            first: vec![0; values],
        };
        for (index, segment) in segments.iter().enumerate() {
            writer.segment(index, segment, is_kept);
        }
        Schedule {
            actions: writer.actions,
        }
    }

    fn segment(&mut self, index: usize, segment: &Segment, is_kept: &dyn Fn(Id) -> bool) {
        self.made = vec![0; self.geometry.plan.stages.len()];
        self.readers = vec![Vec::new(); self.last.len()];
        for running in &segment.stages {
            for slot in self.geometry.stage(running.stage).reads() {
                self.readers[slot.index()].push(running.stage);
            }
        }
        for step in 1..=segment.steps {
            let until = self.until(segment, step);
            for running in &segment.stages {
                let rows = self.made[running.stage]..until[running.stage];
                if !rows.is_empty() {
                    self.make(running, rows, is_kept);
                    self.let_go(running.stage, index, is_kept);
                }
            }
        }
    }

    /// Up to which row each stage has to be made in a step: those that are wanted alike, others as far as they are read.
    fn until(&self, segment: &Segment, step: usize) -> Vec<usize> {
        let mut until = self.made.clone();
        for running in segment.stages.iter().rev() {
            let stage = self.geometry.stage(running.stage);
            let (height, made) = (self.geometry.height(stage), self.made[running.stage]);
            let mut need = match running.wanted {
                true => (height * step).div_ceil(segment.steps),
                false => 0,
            };
            for slot in stage.makes().filter(|slot| slot.part == Part::Map) {
                for &reader in &self.readers[slot.index()] {
                    let rows = self.made[reader]..until[reader];
                    if !rows.is_empty() {
                        // A map has to be there even if nothing but zeros beyond its border is read.
                        need = need.max(self.read(reader, &rows, slot.id).end).max(1);
                    }
                }
            }
            if need > made {
                let multiple = self.geometry.multiple(stage, running.sums);
                until[running.stage] = need.next_multiple_of(multiple).min(height);
            }
        }
        until
    }

    /// The rows of a map that a stage reads for some that it makes.
    fn read(&self, stage: usize, rows: &Range<usize>, of: Id) -> Range<usize> {
        let reads = self.geometry.reads(self.geometry.stage(stage), rows);
        let reads = reads.into_iter().filter(|(id, _)| *id == of);
        let reads = reads.map(|(_, rows)| rows);
        let all = reads.reduce(|a, b| a.start.min(b.start)..a.end.max(b.end));
        all.unwrap_or_default()
    }

    /// Makes rows, where there is room for them.
    fn make(&mut self, running: &Running, rows: Range<usize>, is_kept: &dyn Fn(Id) -> bool) {
        let stage = self.geometry.stage(running.stage);
        if let Some(Slot { id, .. }) = stage.makes().find(|slot| slot.part == Part::Map) {
            let first = match is_kept(id) {
                true => 0,
                false => self.first_needed(id).min(rows.start),
            };
            let taken = *self.taken[id].get_or_insert_with(|| {
                self.first[id] = first;
                self.actions.push(Action::Take { id, rows: 0 });
                self.actions.len() - 1
            });
            if first > self.first[id] {
                self.first[id] = first;
                self.actions.push(Action::Begin { id, first });
            }
            if let Action::Take { rows: room, .. } = &mut self.actions[taken] {
                *room = (*room).max(rows.end - first);
            }
        }
        self.made[running.stage] = rows.end;
        self.actions.push(Action::Make {
            stage: running.stage,
            rows,
            sums: running.sums,
        });
    }

    /// The first row of a map that somebody will read.
    fn first_needed(&self, id: Id) -> usize {
        let readers = &self.readers[Slot::map(id).index()];
        let firsts = readers.iter().map(|&reader| {
            let left = self.made[reader]..self.geometry.height(self.geometry.stage(reader));
            match left.is_empty() {
                true => usize::MAX,
                false => self.read(reader, &left, id).start,
            }
        });
        firsts.min().unwrap_or(usize::MAX)
    }

    /// Lets go of what a stage has read or made for nobody else.
    fn let_go(&mut self, stage: usize, segment: usize, is_kept: &dyn Fn(Id) -> bool) {
        let done =
            |stage: &usize| self.made[*stage] == self.geometry.height(self.geometry.stage(*stage));
        let it = self.geometry.stage(stage);
        let mut slots: Vec<Slot> = Vec::new();
        for slot in it.reads().into_iter().chain(it.makes()) {
            let is_output = self.geometry.plan.outputs.contains(&slot.id);
            let later = self.last[slot.index()] > segment;
            let stays = match slot.part {
                Part::Map => {
                    is_output || (later && is_kept(slot.id)) || self.taken[slot.id].is_none()
                }
                Part::Numbers => is_output || later || slot.id < self.geometry.plan.inputs,
                Part::Sums => later,
            };
            // What somebody reads need not be made to its end.
            let readers = &self.readers[slot.index()];
            let is_done = match readers.is_empty() {
                true => done(&stage),
                false => readers.iter().all(done),
            };
            if !stays && is_done && !slots.contains(&slot) {
                slots.push(slot);
            }
        }
        for slot in slots {
            if slot.part == Part::Map {
                self.taken[slot.id] = None;
            }
            self.actions.push(Action::Drop(slot));
        }
    }
}
