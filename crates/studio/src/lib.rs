//! The studio: a page, served on this machine, for people who would rather look than type.
//!
//! ```text
//! browser ⇄ access ─▶ routes ─▶ database (a thread)          folder of pictures
//!               events ◀─ watch ◀─ painter (a thread) ─▶ impasto::job
//! ```
//!
//! The server holds channels; painting is done on a thread of its own, which tells the newest state alone, so that a slow
//! listener has the newest picture and no backlog. The page is a view: everything that matters is in the folder, so that a
//! program that was killed goes on where it was. Whoever asks is checked before any route is looked for (`access`).

mod access;
mod clips;
mod database;
mod events;
mod folder;
mod invitation;
mod order;
mod page;
mod painter;
mod pictures;
mod recipes;
mod results;
mod routes;
mod server;
mod told;

use access::Access;
use clips::Clips;
use database::Database;
use events::Events;
use folder::{Folder, Opened};
use impasto::RunLimits;
use impasto::job::{DeviceChoice, EncoderChoice};
pub use invitation::Invitation;
use painter::Painter;
use pictures::Pictures;
use std::ffi::OsString;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

/// How the studio is started.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The host to listen on, by name or number; `None` for this machine alone.
    pub host: Option<String>,
    /// The port; 0 for any that is free.
    pub port: u16,
    /// The folder that everything is in; it is made if it does not exist.
    pub folder: PathBuf,
    /// The network that looks at pictures.
    pub encoder: EncoderChoice,
    /// What does the work.
    pub device: DeviceChoice,
    /// What a run may use.
    pub limits: RunLimits,
    /// The program that paints films; without it, none are painted.
    pub program: Option<Program>,
}

/// A program that paints films, as `impasto video` does: started for each of them, in the studio's folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Program {
    /// The program, and its arguments up to those that say what is to be done.
    pub words: Vec<OsString>,
    /// Options of `video` that are those of the studio: what looks at pictures, and what does the work. Files among them are
    /// named from the root.
    pub options: Vec<OsString>,
}

/// Why the studio cannot be started, or cannot do what was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The folder cannot be used.
    #[error("cannot use the folder {}: {source}; choose one that you may write to", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The host is none of this machine's, or its port is taken.
    #[error("cannot listen on {host}, port {port}: {source}; choose another port, or 0 for any")]
    Listen {
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// What the system says.
        source: io::Error,
    },
    /// The database refused.
    #[error("the studio's database: {0}")]
    Database(rusqlite::Error),
    /// A thread cannot be started.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
    /// A file cannot be read or written.
    #[error("cannot use {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A picture, or what is to be done with it.
    #[error(transparent)]
    Picture(#[from] impasto::picture::PictureError),
    /// The studio is being closed.
    #[error("the studio is being closed")]
    Ended,
}

/// What starting comes to.
pub enum Started {
    /// The studio is open.
    Open(Studio),
    /// Another program has this folder open; the address of its page, if it has told it.
    Elsewhere(Option<String>),
}

/// A studio that is open.
pub struct Studio {
    address: String,
    invitation: Option<Arc<Invitation>>,
    events: Events,
    painter: Painter,
    database: Database,
    /// The server and the database.
    threads: [JoinHandle<()>; 2],
    folder: Arc<Folder>,
}

/// What routes work with.
#[derive(Clone)]
struct Shared {
    access: Arc<Access>,
    folder: Arc<Folder>,
    database: Database,
    pictures: Arc<Pictures>,
    events: Events,
    painter: Painter,
    /// How other devices find the page.
    invitation: Option<Arc<Invitation>>,
    /// What is the same for every job.
    run: Arc<impasto::job::Run>,
    /// Clips to paint.
    clips: Arc<Clips>,
    /// Whether films can be painted.
    paints_films: bool,
}

impl Studio {
    /// Opens a folder, listens, and goes on with the jobs that were under way.
    ///
    /// # Errors
    /// [`Error::Folder`], [`Error::Listen`], [`Error::Database`], [`Error::Thread`].
    pub fn start(options: &Options) -> Result<Started, Error> {
        let folder = match Folder::open(&options.folder)? {
            Opened::Ours(folder) => Arc::new(folder),
            Opened::Theirs(address) => return Ok(Started::Elsewhere(address)),
        };
        let (listener, address) = listen(options)?;
        let access = Access::new(address, options.host.as_deref()).map_err(Error::Thread)?;
        let (database, tables) = Database::open(&folder)?;
        results::tidy(&folder, &database)?;
        let shown = shown(address, options.host.as_deref());
        let token = access.token().digits();
        let invitation = Invitation::new(address, options.host.as_deref(), token).map(Arc::new);
        let address = format!("http://{shown}/?token={token}");
        let told = folder.tell(&address);
        told.map_err(|source| Error::Folder {
            path: folder.path().into(),
            source,
        })?;
        let pictures = Arc::new(Pictures::new(folder.clone()));
        let clips = Arc::new(Clips::new(folder.clone()));
        let events = Events::default();
        let paused = folder.is_paused();
        events.tell(|state| state.paused = paused);
        let run = Arc::new(impasto::job::Run {
            encoder: options.encoder.clone(),
            device: options.device.clone(),
            limits: options.limits,
            ..impasto::job::Run::default()
        });
        let painter = Painter::start(painter::World {
            folder: folder.clone(),
            database: database.clone(),
            pictures: pictures.clone(),
            events: events.clone(),
            run: run.clone(),
            clips: clips.clone(),
            program: options.program.clone(),
        })?;
        let shared = Shared {
            access: Arc::new(access),
            folder: folder.clone(),
            database: database.clone(),
            pictures,
            events: events.clone(),
            painter: painter.clone(),
            invitation: invitation.clone(),
            run,
            clips,
            paints_films: options.program.is_some(),
        };
        let server = server::start(listener, shared)?;
        Ok(Started::Open(Self {
            address,
            invitation,
            events,
            painter,
            database,
            threads: [server, tables],
            folder,
        }))
    }

    /// The address of the page, with its token.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// How other devices find the page, if they may.
    pub fn invitation(&self) -> Option<&Invitation> {
        self.invitation.as_deref()
    }

    /// The folder that it keeps everything in.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Ends: the job under way is saved, so that it goes on when the folder is opened again, and listeners are let go.
    pub fn close(self) {
        self.painter.close();
        self.events.close();
        let [server, tables] = self.threads;
        // A thread that has panicked is closed as well.
        let _ = server.join();
        self.database.close();
        let _ = tables.join();
    }
}

/// Listens where it was asked for.
fn listen(options: &Options) -> Result<(TcpListener, SocketAddr), Error> {
    let host = options.host.as_deref().unwrap_or("127.0.0.1");
    let failed = |source| Error::Listen {
        host: host.into(),
        port: options.port,
        source,
    };
    let mut addresses = (host, options.port).to_socket_addrs().map_err(failed)?;
    let address = addresses.next();
    let address = address.ok_or_else(|| failed(io::ErrorKind::AddrNotAvailable.into()))?;
    let listener = TcpListener::bind(address).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    Ok((listener, address))
}

/// `HOST:PORT` as a browser on this machine finds it.
fn shown(address: SocketAddr, name: Option<&str>) -> String {
    let port = address.port();
    match name.filter(|name| name.parse::<IpAddr>().is_err()) {
        Some(name) => format!("{name}:{port}"),
        None if address.ip().is_unspecified() => format!("127.0.0.1:{port}"),
        None => address.to_string(),
    }
}
