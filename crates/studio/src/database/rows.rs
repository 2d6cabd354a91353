//! What the tables hold, row by row.

use rusqlite::Row;

/// What a job is about to be, or has become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It waits for its turn.
    Queued,
    /// It is painted; after a crash, it is next.
    Painting,
    /// It waits until somebody lets it go on.
    Paused,
    /// Its picture is finished.
    Done,
    /// Somebody stopped it; its picture so far is kept.
    Stopped,
    /// It could not be painted.
    Failed,
}

impl State {
    const NAMES: [(State, &'static str); 6] = [
        (State::Queued, "queued"),
        (State::Painting, "painting"),
        (State::Paused, "paused"),
        (State::Done, "done"),
        (State::Stopped, "stopped"),
        (State::Failed, "failed"),
    ];

    /// What it is called in the database and on the page.
    pub fn name(self) -> &'static str {
        let found = Self::NAMES.iter().find(|(state, _)| *state == self);
        found.map_or("failed", |(_, name)| name)
    }

    fn of(name: &str) -> Self {
        let found = Self::NAMES.iter().find(|(_, other)| *other == name);
        found.map_or(State::Failed, |(state, _)| *state)
    }
}

/// A job, and its result if there is one.
#[derive(Clone, Debug)]
pub struct JobRow {
    /// Its number, and that of its result.
    pub id: i64,
    /// How it stands.
    pub state: State,
    /// Whether somebody watches it; otherwise it is of the queue.
    pub live: bool,
    /// What it is called.
    pub title: String,
    /// The order, as JSON.
    pub told: String,
    /// When it was ordered, in seconds since 1970.
    pub created: i64,
    /// When it was finished.
    pub finished: Option<i64>,
    /// How long it was painted.
    pub seconds: Option<f64>,
    /// The file of its result.
    pub file: Option<String>,
    /// Width and height of its result.
    pub size: (i64, i64),
    /// Whether somebody likes it.
    pub starred: bool,
    /// Whether it is deleted.
    pub deleted: bool,
    /// Why it could not be painted.
    pub problem: Option<String>,
}

/// The columns of a job, as [`job`] reads them.
pub(super) const COLUMNS: &str = "id, state, live, title, told, created, finished, seconds, file, width, height, starred, deleted, problem";

/// A job of a row.
pub(super) fn job(row: &Row<'_>) -> rusqlite::Result<JobRow> {
    Ok(JobRow {
        id: row.get(0)?,
        state: State::of(&row.get::<_, String>(1)?),
        live: row.get(2)?,
        title: row.get(3)?,
        told: row.get(4)?,
        created: row.get(5)?,
        finished: row.get(6)?,
        seconds: row.get(7)?,
        file: row.get(8)?,
        size: (
            row.get::<_, Option<i64>>(9)?.unwrap_or(0),
            row.get::<_, Option<i64>>(10)?.unwrap_or(0),
        ),
        starred: row.get(11)?,
        deleted: row.get::<_, Option<i64>>(12)?.is_some(),
        problem: row.get(13)?,
    })
}

/// A result that is finished.
#[derive(Clone, Debug)]
pub struct Finished<'a> {
    /// How its job ended.
    pub state: State,
    /// The file.
    pub file: &'a str,
    /// Its width and height.
    pub size: (usize, usize),
    /// Seconds that it took.
    pub seconds: f64,
}

/// A picture that was sent.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct PictureRow {
    /// The beginning of the SHA-256 of its bytes.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// Columns.
    pub width: i64,
    /// Rows.
    pub height: i64,
}
