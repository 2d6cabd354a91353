//! The studio's folder.
//!
//! ```text
//! DIR/results/LAKE-SWIRLS-12.png    pictures that were painted, with their settings in them: what the studio is about
//! DIR/results/CLIP-SWIRLS-13.mp4    films that were painted; their settings are in the .json beside them
//! DIR/deleted/…                     those that were deleted, for a week
//! DIR/pictures/ID.png               pictures to paint and to learn from, ID the beginning of the SHA-256 of what was sent
//! DIR/pictures/ID.original          the very bytes, which are kept and never served
//! DIR/clips/ID.mp4, ID.json         clips to paint, as they came, and what is known of them
//! DIR/recipes/NAME.toml             recipes of one's own
//! DIR/thumbs/…jpg                   small ones of all these; made again where they are missing
//! DIR/checkpoints/                  jobs under way
//! DIR/studio.db                     queue, and an index of the results
//! DIR/queue.paused                  is there if the queue is paused
//! DIR/studio.lock, DIR/studio.json  held by the program that has the folder open; where its page is
//! ```

use crate::Error;
use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

/// A folder that this program alone has open.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// Locked as long as it is open; the system unlocks it however the program ends.
    _lock: File,
}

/// What opening a folder comes to.
#[derive(Debug)]
pub enum Opened {
    /// It is ours.
    Ours(Folder),
    /// Another program has it open; the address of its page, if it has said it.
    Theirs(Option<String>),
}

impl Folder {
    /// Opens a folder, which is made if it does not exist.
    ///
    /// # Errors
    /// [`Error::Folder`] if the system refuses.
    pub fn open(path: &Path) -> Result<Opened, Error> {
        let failed = |source| Error::Folder {
            path: path.into(),
            source,
        };
        for name in [
            "",
            "results",
            "deleted",
            "pictures",
            "clips",
            "recipes",
            "thumbs",
            "checkpoints",
        ] {
            fs::create_dir_all(path.join(name)).map_err(failed)?;
        }
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join("studio.lock"))
            .map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Opened::Ours(Self {
                path: path.into(),
                _lock: lock,
            })),
            Err(TryLockError::WouldBlock) => {
                let told = fs::read(path.join("studio.json")).ok();
                let told = told.and_then(|text| serde_json::from_slice::<String>(&text).ok());
                Ok(Opened::Theirs(
                    told.filter(|told| told.starts_with("http://")),
                ))
            }
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }

    /// Notes where the page is, for another program that is started on the folder. Only the owner may read it.
    ///
    /// # Errors
    /// What the system says.
    pub fn tell(&self, address: &str) -> std::io::Result<()> {
        let path = self.path.join("studio.json");
        // A new file, so that its permissions are those that are asked for here.
        let _ = fs::remove_file(&path);
        let mut options = File::options();
        options.write(true).create_new(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        let text = serde_json::to_string(address)?;
        options.open(&path)?.write_all(text.as_bytes())
    }

    /// What is in the folder under a name of ours.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the queue is paused, as it was left.
    pub fn is_paused(&self) -> bool {
        self.path.join("queue.paused").exists()
    }

    /// Keeps that for the next time; where that fails, the queue goes on then.
    pub fn keep_paused(&self, paused: bool) {
        let path = self.path.join("queue.paused");
        let _ = match paused {
            true => fs::write(path, b"").err(),
            false => fs::remove_file(path).err(),
        };
    }

    /// A result, deleted or not.
    pub fn result(&self, file: &str, deleted: bool) -> PathBuf {
        let folder = if deleted { "deleted" } else { "results" };
        self.path.join(folder).join(file)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // The page is gone with the program.
        let _ = fs::remove_file(self.path.join("studio.json"));
    }
}
