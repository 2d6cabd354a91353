//! The database: one connection on a thread of its own, which alone reads and writes.

mod rows;

pub use rows::{Finished, JobRow, PictureRow, State};

use crate::Error;
use crate::folder::Folder;
use rows::{COLUMNS, job};
use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, params};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::JoinHandle;
use tokio::sync::oneshot;

/// The version of the tables.
const VERSION: i64 = 1;

const TABLES: &str = "
    CREATE TABLE jobs (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        state TEXT NOT NULL,
        live INTEGER NOT NULL,
        place REAL NOT NULL,
        title TEXT NOT NULL,
        told TEXT NOT NULL,
        created INTEGER NOT NULL,
        finished INTEGER,
        seconds REAL,
        file TEXT,
        width INTEGER,
        height INTEGER,
        starred INTEGER NOT NULL DEFAULT 0,
        deleted INTEGER,
        problem TEXT
    );
    CREATE INDEX jobs_of_state ON jobs (state, place);
    CREATE TABLE pictures (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        width INTEGER NOT NULL,
        height INTEGER NOT NULL,
        created INTEGER NOT NULL
    );
";

/// The tables, on their thread.
pub struct Tables {
    connection: Connection,
}

/// Breaks if it is the last.
type Call = Box<dyn FnOnce(&mut Tables) -> ControlFlow<()> + Send>;

/// The way to the tables.
#[derive(Clone)]
pub struct Database {
    calls: mpsc::Sender<Call>,
}

impl Database {
    /// Opens the database of a folder. One that is damaged is set aside, and its results are read again from their files; one
    /// that cannot be read for another reason, as of a full disk, is left as it is.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub fn open(folder: &Folder) -> Result<(Self, JoinHandle<()>), Error> {
        let path = folder.join("studio.db");
        let tables = match Tables::open(&path) {
            Ok(tables) => tables,
            Err(error) if is_damage(&error) => {
                log::warn!(
                    "{}: {error}; it is made anew from the pictures",
                    path.display()
                );
                set_aside(&path);
                Tables::open(&path)?
            }
            Err(error) => return Err(error),
        };
        let (calls, called) = mpsc::channel::<Call>();
        let run = move || {
            let mut tables = tables;
            for call in called {
                if call(&mut tables).is_break() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("impasto-database".into());
        let thread = thread.spawn(run).map_err(Error::Thread)?;
        Ok((Self { calls }, thread))
    }

    /// Ends the thread, and with it the connection.
    pub fn close(&self) {
        let _ = self.calls.send(Box::new(|_| ControlFlow::Break(())));
    }

    /// Asks, and waits without holding a thread.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Tables) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let (answer, answered) = oneshot::channel();
        let call = move |tables: &mut Tables| {
            // Who has asked may have gone.
            let _ = answer.send(question(tables));
            ControlFlow::Continue(())
        };
        let _ = self.calls.send(Box::new(call));
        let answer = answered.await.map_err(|_| Error::Ended)?;
        answer.map_err(Error::Database)
    }

    /// Asks from a thread that may wait.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub fn ask_now<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Tables) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let (answer, answered) = mpsc::channel();
        let call = move |tables: &mut Tables| {
            // Who has asked may have gone.
            let _ = answer.send(question(tables));
            ControlFlow::Continue(())
        };
        let _ = self.calls.send(Box::new(call));
        let answer = answered.recv().map_err(|_| Error::Ended)?;
        answer.map_err(Error::Database)
    }
}

/// Whether what is in the file is no database, or a broken one.
fn is_damage(error: &Error) -> bool {
    let damage = [ErrorCode::DatabaseCorrupt, ErrorCode::NotADatabase];
    match error {
        // The check of its integrity says so.
        Error::Database(rusqlite::Error::InvalidQuery) => true,
        Error::Database(error) => error
            .sqlite_error_code()
            .is_some_and(|code| damage.contains(&code)),
        _ => false,
    }
}

/// Gives a damaged database another name, one that is free, so that nothing of it is lost.
fn set_aside(path: &Path) {
    let with = |end: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    };
    let free = |number: usize| match number {
        0 => ".damaged".to_string(),
        number => format!(".damaged-{number}"),
    };
    let aside = (0..).map(free).find(|aside| !with(aside).exists());
    let aside = aside.unwrap_or_default();
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::rename(with(end), with(&format!("{end}{aside}")));
    }
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs() as i64)
}

impl Tables {
    fn open(path: &Path) -> Result<Self, Error> {
        let connection = Connection::open(path).map_err(Error::Database)?;
        let mut tables = Self { connection };
        tables.prepare().map_err(Error::Database)?;
        Ok(tables)
    }

    fn prepare(&mut self) -> rusqlite::Result<()> {
        let database = &mut self.connection;
        database.pragma_update(None, "journal_mode", "WAL")?;
        database.pragma_update(None, "synchronous", "FULL")?;
        let sound: String =
            database.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
        if sound != "ok" {
            return Err(rusqlite::Error::InvalidQuery);
        }
        let version: i64 = database.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if version == 0 {
            let change = database.transaction()?;
            change.execute_batch(TABLES)?;
            change.pragma_update(None, "user_version", VERSION)?;
            change.commit()?;
        }
        Ok(())
    }

    /// Adds a job behind all others; its number.
    pub fn add(&mut self, title: &str, told: &str, live: bool) -> rusqlite::Result<i64> {
        self.connection.execute(
            "INSERT INTO jobs (state, live, place, title, told, created)
             VALUES ('queued', ?1, (SELECT coalesce(max(place), 0) + 1 FROM jobs), ?2, ?3, ?4)",
            params![live, title, told, now()],
        )?;
        Ok(self.connection.last_insert_rowid())
    }

    /// Adds a watched job in the place of all others that are watched and not finished; its number, and their orders.
    pub fn watch(&mut self, title: &str, told: &str) -> rusqlite::Result<(i64, Vec<String>)> {
        let left = {
            let change = "DELETE FROM jobs WHERE live AND file IS NULL RETURNING told";
            let mut change = self.connection.prepare(change)?;
            let rows = change.query_map([], |row| row.get(0))?;
            rows.collect::<Result<Vec<_>, _>>()?
        };
        Ok((self.add(title, told, true)?, left))
    }

    /// The title and the order of a job that was stopped, and is there.
    pub fn stopped(&mut self, id: i64) -> rusqlite::Result<Option<(String, String)>> {
        let row = self.job(id)?;
        let row = row.filter(|row| row.state == State::Stopped && !row.deleted);
        Ok(row.map(|row| (row.title, row.told)))
    }

    /// Lets a job that failed wait again; whether there is such a job.
    pub fn again(&mut self, id: i64) -> rusqlite::Result<bool> {
        let change =
            "UPDATE jobs SET state = 'queued', problem = NULL WHERE id = ?1 AND state = 'failed'";
        Ok(self.connection.execute(change, [id])? > 0)
    }

    /// Whether the order of another job that is not finished names a picture.
    pub fn is_needed(&mut self, picture: &str, id: i64) -> rusqlite::Result<bool> {
        let query = "SELECT count(*) FROM jobs WHERE id != ?1 AND (file IS NULL OR state = 'stopped') AND instr(told, ?2) > 0";
        let count: i64 = self
            .connection
            .query_row(query, params![id, picture], |row| row.get(0))?;
        Ok(count > 0)
    }

    /// Takes the next job: what was cut off, what is watched, or the first of the queue unless that is paused.
    pub fn next(&mut self, queue_too: bool) -> rusqlite::Result<Option<JobRow>> {
        let found = self.connection.query_row(
            &format!(
                "SELECT {COLUMNS} FROM jobs WHERE state IN ('queued', 'painting') AND (live OR ?1)
                 ORDER BY live DESC, state = 'painting' DESC, place LIMIT 1"
            ),
            [queue_too],
            job,
        );
        let found = found.optional()?;
        if let Some(job) = &found {
            self.set_state(job.id, State::Painting)?;
        }
        Ok(found)
    }

    /// Says how a job stands.
    pub fn set_state(&mut self, id: i64, state: State) -> rusqlite::Result<()> {
        let change = "UPDATE jobs SET state = ?2 WHERE id = ?1";
        self.connection.execute(change, params![id, state.name()])?;
        Ok(())
    }

    /// Pauses a job that waits or is under way, or lets it go on; whether there is such a job.
    pub fn pause(&mut self, id: i64, pause: bool) -> rusqlite::Result<bool> {
        let change = match pause {
            true => {
                "UPDATE jobs SET state = 'paused' WHERE id = ?1 AND state IN ('queued', 'painting') AND NOT live"
            }
            false => "UPDATE jobs SET state = 'queued' WHERE id = ?1 AND state = 'paused'",
        };
        Ok(self.connection.execute(change, [id])? > 0)
    }

    /// Removes a job that is not finished; whether there was one.
    pub fn remove(&mut self, id: i64) -> rusqlite::Result<bool> {
        let change = "DELETE FROM jobs WHERE id = ?1 AND file IS NULL";
        Ok(self.connection.execute(change, [id])? > 0)
    }

    /// Puts the waiting jobs into an order; those that are not named stay behind.
    pub fn reorder(&mut self, ids: &[i64]) -> rusqlite::Result<()> {
        let change = self.connection.transaction()?;
        for (place, id) in ids.iter().enumerate() {
            let to = "UPDATE jobs SET place = ?2 WHERE id = ?1 AND file IS NULL";
            change.execute(to, params![id, place as f64 - 1e9])?;
        }
        change.commit()
    }

    /// The jobs of the queue that are not finished, in their order.
    pub fn queue(&mut self) -> rusqlite::Result<Vec<JobRow>> {
        let mut query = self.connection.prepare(&format!(
            "SELECT {COLUMNS} FROM jobs WHERE file IS NULL AND NOT live
             ORDER BY state = 'failed', state = 'painting' DESC, place"
        ))?;
        query.query_map([], job)?.collect()
    }

    /// How many jobs wait.
    pub fn waiting(&mut self) -> rusqlite::Result<i64> {
        let query = "SELECT count(*) FROM jobs WHERE file IS NULL";
        self.connection.query_row(query, [], |row| row.get(0))
    }

    /// Notes the result of a job; whether the job is still there.
    pub fn finish(&mut self, id: i64, finished: &Finished<'_>) -> rusqlite::Result<bool> {
        let (width, height) = finished.size;
        let changed = self.connection.execute(
            "UPDATE jobs SET state = ?2, file = ?3, width = ?4, height = ?5, seconds = ?6, finished = ?7,
             problem = NULL WHERE id = ?1",
            params![
                id,
                finished.state.name(),
                finished.file,
                width as i64,
                height as i64,
                finished.seconds,
                now()
            ],
        )?;
        Ok(changed > 0)
    }

    /// Notes why a job could not be painted.
    pub fn fail(&mut self, id: i64, problem: &str) -> rusqlite::Result<()> {
        let change = "UPDATE jobs SET state = 'failed', problem = ?2 WHERE id = ?1";
        self.connection.execute(change, params![id, problem])?;
        Ok(())
    }

    /// A job, if there is one of this number.
    pub fn job(&mut self, id: i64) -> rusqlite::Result<Option<JobRow>> {
        let query = format!("SELECT {COLUMNS} FROM jobs WHERE id = ?1");
        self.connection.query_row(&query, [id], job).optional()
    }

    /// Results, the newest first: those whose title holds a text, before a number.
    pub fn results(
        &mut self,
        text: &str,
        (starred, deleted): (bool, bool),
        before: i64,
        most: usize,
    ) -> rusqlite::Result<Vec<JobRow>> {
        let mut query = self.connection.prepare(&format!(
            "SELECT {COLUMNS} FROM jobs WHERE file IS NOT NULL AND (deleted IS NOT NULL) = ?1 AND id < ?2
             AND (starred OR NOT ?3) ORDER BY id DESC"
        ))?;
        let rows = query.query_map(params![deleted, before, starred], job)?;
        let words: Vec<_> = text.split_whitespace().map(str::to_lowercase).collect();
        let found = rows.filter(|row| {
            let Ok(row) = row else { return true };
            let title = row.title.to_lowercase();
            words.iter().all(|word| title.contains(word))
        });
        found.take(most).collect()
    }

    /// Stars a result, or takes the star away; whether there is such a result.
    pub fn star(&mut self, id: i64, starred: bool) -> rusqlite::Result<bool> {
        let change = "UPDATE jobs SET starred = ?2 WHERE id = ?1 AND file IS NOT NULL";
        Ok(self.connection.execute(change, params![id, starred])? > 0)
    }

    /// Marks a result as deleted, or as there again.
    pub fn delete(&mut self, id: i64, deleted: bool) -> rusqlite::Result<()> {
        let change = "UPDATE jobs SET deleted = ?2 WHERE id = ?1";
        let when = deleted.then(now);
        self.connection.execute(change, params![id, when])?;
        Ok(())
    }

    /// Forgets results that were deleted longer ago than so many seconds; their files.
    pub fn purge(&mut self, seconds: i64) -> rusqlite::Result<Vec<String>> {
        let mut query = self
            .connection
            .prepare("DELETE FROM jobs WHERE deleted < ?1 RETURNING file")?;
        let rows = query.query_map([now() - seconds], |row| row.get::<_, Option<String>>(0))?;
        let files: Vec<_> = rows.collect::<Result<_, _>>()?;
        Ok(files.into_iter().flatten().collect())
    }

    /// The files of all results.
    pub fn files(&mut self) -> rusqlite::Result<Vec<(i64, String, bool)>> {
        let query = "SELECT id, file, deleted IS NOT NULL FROM jobs WHERE file IS NOT NULL";
        let mut query = self.connection.prepare(query)?;
        let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        rows.collect()
    }

    /// Takes a result in that is only known by its file. A number that is taken is left to who has it.
    pub fn take_in(
        &mut self,
        id: Option<i64>,
        title: &str,
        told: &str,
        file: &str,
        (width, height): (usize, usize),
    ) -> rusqlite::Result<()> {
        let taken = id.map(|id| self.job(id)).transpose()?.flatten();
        let id = id.filter(|_| taken.is_none());
        self.connection.execute(
            "INSERT INTO jobs (id, state, live, place, title, told, created, finished, file, width, height)
             VALUES (?1, 'done', 0, 0, ?2, ?3, ?4, ?4, ?5, ?6, ?7)",
            params![id, title, told, now(), file, width as i64, height as i64],
        )?;
        Ok(())
    }

    /// Forgets a result whose file is gone.
    pub fn forget(&mut self, id: i64) -> rusqlite::Result<()> {
        self.connection
            .execute("DELETE FROM jobs WHERE id = ?1", [id])?;
        Ok(())
    }

    /// Keeps a picture's row; one that is there already gets the newer name.
    pub fn keep_picture(&mut self, picture: &PictureRow) -> rusqlite::Result<()> {
        let PictureRow {
            id,
            name,
            width,
            height,
        } = picture;
        self.connection.execute(
            "INSERT INTO pictures (id, name, width, height, created) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (id) DO UPDATE SET name = ?2",
            params![id, name, width, height, now()],
        )?;
        Ok(())
    }

    /// A picture that was sent.
    pub fn picture(&mut self, id: &str) -> rusqlite::Result<Option<PictureRow>> {
        let query = "SELECT id, name, width, height FROM pictures WHERE id = ?1";
        let read = |row: &Row<'_>| {
            Ok(PictureRow {
                id: row.get(0)?,
                name: row.get(1)?,
                width: row.get(2)?,
                height: row.get(3)?,
            })
        };
        self.connection.query_row(query, [id], read).optional()
    }

    /// How many pictures there are.
    pub fn pictures(&mut self) -> rusqlite::Result<i64> {
        let query = "SELECT count(*) FROM pictures";
        self.connection.query_row(query, [], |row| row.get(0))
    }
}
