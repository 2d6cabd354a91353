//! One of several processes that paint a gallery.

use super::manifest::Manifest;
use crate::shard::{self, Shard, file_name};
use impasto::Report;
use impasto::job::Ledger;
use std::io;
use std::path::{Path, PathBuf};

/// The whole gallery, of which a shard paints some cells.
#[derive(Clone, Copy)]
pub(super) struct Whole {
    /// Styles.
    pub(super) columns: usize,
    /// The shard; `None` for all of it.
    pub(super) shard: Option<Shard>,
}

impl Whole {
    /// Whether a cell is to be painted here.
    fn has(self, row: usize, column: usize) -> bool {
        let place = row * self.columns + column;
        self.shard.is_none_or(|shard| shard.takes(place))
    }

    /// Whether some cell of a content is.
    pub(super) fn has_some_of(self, row: usize) -> bool {
        (0..self.columns).any(|column| self.has(row, column)) || self.columns == 0
    }
}

/// What a shard paints, and what it leaves.
pub(super) struct Shared {
    ledger: Ledger,
    /// The cells that are others', or finished.
    left: Vec<bool>,
    finished: usize,
    painted: usize,
}

impl Shared {
    /// Opens the ledger of a shard. `places` are those of contents and styles in the whole, `cells` files and fingerprints row
    /// by row.
    ///
    /// # Errors
    /// If the ledger cannot be read or written.
    pub(super) fn open<'a>(
        folder: &Path,
        whole: Whole,
        [rows, columns]: [&[usize]; 2],
        cells: impl Iterator<Item = (&'a PathBuf, &'a String)>,
        manifest: &Manifest,
    ) -> io::Result<Self> {
        let ledger = match whole.shard {
            Some(shard) => shard.ledger(folder)?,
            None => Ledger::read(folder)?,
        };
        let places = rows
            .iter()
            .flat_map(|row| columns.iter().map(move |column| (*row, *column)));
        let (mut left, mut finished) = (Vec::new(), 0);
        for ((row, column), (file, fingerprint)) in places.zip(cells) {
            let name = file_name(file);
            let own = whole.has(row, column);
            let done = own
                && (ledger.find(&name, fingerprint).is_some()
                    || manifest.finished(&name, fingerprint).is_some());
            finished += usize::from(done);
            left.push(!own || done);
        }
        Ok(Self {
            ledger,
            left,
            finished,
            painted: 0,
        })
    }

    /// Whether a cell is not to be painted.
    pub(super) fn leaves(&self, cell: usize) -> bool {
        self.left.get(cell).is_none_or(|left| *left)
    }

    /// Notes a picture and writes its file.
    ///
    /// # Errors
    /// If either cannot be written.
    pub(super) fn keep(
        &mut self,
        path: &Path,
        fingerprint: &str,
        bytes: &[u8],
        report: &Report,
    ) -> io::Result<()> {
        shard::keep(&mut self.ledger, path, fingerprint, bytes, report)?;
        self.painted += 1;
        Ok(())
    }

    /// One line that says what became of it.
    pub(super) fn summary(&self, folder: &Path) -> String {
        let to_do = self.left.iter().filter(|left| !**left).count();
        let (painted, finished) = (self.painted, self.finished);
        let rest = match to_do - painted {
            0 => "this shard is done; the same command without --shard makes grid and page".into(),
            rest => format!("{rest} are missing; the same command goes on"),
        };
        format!(
            "painted {painted} pictures into {}, {finished} were there already: {rest}",
            folder.display()
        )
    }
}
