//! `impasto studio`: a page for people who would rather look than type.

use crate::args;
use crate::problems::Problems;
use crate::value::{self, Given};
use crate::{Exit, Failure, interrupt, note, print, say, settings};
use clap::{Args, ValueHint};
use impasto::device::Kind;
use impasto::encoder::Preprocessing;
use impasto::named::Named;
use impasto_studio::{Options, Program, Started, Studio};
use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// How often it is looked whether Ctrl-C was pressed.
const LOOK: Duration = Duration::from_millis(200);

/// `impasto studio`.
#[derive(Args)]
pub struct Arguments {
    /// The port of the page's address [default: any that is free]
    #[arg(long, value_name = "N", value_parser = value::whole::<u16>())]
    pub port: Option<Given<u16>>,

    /// Let other machines in: the name or number of this one in the network, or 0.0.0.0 for all its addresses
    #[arg(long, value_name = "HOST")]
    pub host: Option<String>,

    /// Print the address and open no browser
    #[arg(long)]
    pub no_open: bool,

    /// The folder of pictures, queue and history [default: impasto-studio in the folder of your data]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub dir: Option<PathBuf>,

    /// The network that looks at pictures.
    #[command(flatten)]
    pub encoder: args::EncoderChoice,

    /// Where it runs.
    #[command(flatten)]
    pub device: args::Device,
}

/// Serves the page until Ctrl-C is pressed. The address with its token is the first line of the standard output.
pub fn run(args: &Arguments) -> Result<Exit, Failure> {
    let mut problems = Problems::default();
    let options = Options {
        host: args.host.clone(),
        port: problems.take(&args.port).unwrap_or_default(),
        folder: args.dir.clone().unwrap_or_else(folder),
        encoder: settings::encoder(&args.encoder, &mut problems),
        device: settings::device(&args.device, &mut problems),
        limits: settings::limits(&args.device, &mut problems),
        program: None,
    };
    if !problems.is_empty() {
        return Err(problems.into());
    }
    let program = program(&options);
    let options = Options { program, ..options };
    interrupt::listen();
    match Studio::start(&options)? {
        Started::Elsewhere(address) => elsewhere(args, &options, address),
        Started::Open(studio) => {
            print(&format!("{}\n", studio.address()))?;
            note(&format!(
                "pictures are in {}",
                studio.folder().join("results").display()
            ));
            if let Some(host) = &args.host {
                say(&format!(
                    "{host}: whoever reaches this address and has the token can use the studio, and what is sent can be read on the way"
                ));
            }
            if let Some(invitation) = studio.invitation() {
                note(&format!("other devices open {}", invitation.address));
                if std::io::stderr().is_terminal() {
                    note(&format!("or see it here:\n{}", invitation.text()));
                }
            }
            note("Ctrl-C closes the studio; what is being painted goes on the next time");
            if !args.no_open {
                open(studio.address());
            }
            while !interrupt::requested() {
                std::thread::sleep(LOOK);
            }
            studio.close();
            Ok(Exit::Done)
        }
    }
}

/// Another program has the folder: its page is opened instead of a second one on the same pictures.
fn elsewhere(
    args: &Arguments,
    options: &Options,
    address: Option<String>,
) -> Result<Exit, Failure> {
    let folder = options.folder.display();
    let Some(address) = address else {
        say(&format!(
            "another program has {folder} open and has not said where its page is; try again, or name another folder by --dir"
        ));
        return Ok(Exit::Failed);
    };
    print(&format!("{address}\n"))?;
    note(&format!(
        "the studio of {folder} is open already: this is its page"
    ));
    if args.host.is_some() {
        say(
            "it listens as it was started: close it first, and start it with --host to let other devices in",
        );
    }
    if !args.no_open {
        open(&address);
    }
    Ok(Exit::Done)
}

/// The program that paints films: this one, by the same networks and on the same device.
fn program(options: &Options) -> Option<Program> {
    let words = crate::started_by();
    if words.is_empty() {
        return None;
    }
    // It is started in another folder.
    let whole = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.into());
    let mut given = Vec::new();
    let mut option = |name: &str, value: OsString| {
        let mut word = OsString::from(format!("--{name}="));
        word.push(value);
        given.push(word);
    };
    let encoder = &options.encoder;
    if let Some(name) = &encoder.name {
        let file = name.exists().then(|| whole(name));
        option("encoder", file.unwrap_or_else(|| name.clone()).into());
    }
    if let Some((name, _)) = encoder.preprocessing.and_then(|given| {
        let mut all = Preprocessing::ALL.into_iter();
        all.find(|(_, one)| *one == given)
    }) {
        option("preprocessing", name.into());
    }
    let models = encoder.models.clone();
    if let Some(models) = models.or_else(|| std::env::var_os("IMPASTO_MODELS").map(PathBuf::from)) {
        option("models-dir", whole(&models).into());
    }
    let device = &options.device;
    let kind = match device.kind {
        Kind::Gpu(Some(number)) => format!("gpu:{number}"),
        kind => kind.name().into(),
    };
    option("device", kind.into());
    if let Some(threads) = device.threads {
        option("threads", threads.to_string().into());
    }
    if let Some(precision) = device.precision {
        option("precision", precision.name().into());
    }
    if let Some(memory) = options.limits.memory {
        option("memory", format!("{:.3}kB", memory as f64 / 1000.0).into());
    }
    if let Some(tile) = options.limits.tile {
        option("tile", tile.to_string().into());
    }
    Some(Program {
        words,
        options: given,
    })
}

/// The folder unless one is named.
fn folder() -> PathBuf {
    let data = dirs::data_dir().map(|data| data.join("impasto"));
    data.unwrap_or_default().join("impasto-studio")
}

/// Opens the page in the browser of the system. Without one, the address is printed.
fn open(address: &str) {
    let opener: &[&str] = match std::env::consts::OS {
        "macos" => &["open"],
        "windows" => &["explorer"],
        _ => &["xdg-open"],
    };
    let Some((program, before)) = opener.split_first() else {
        return;
    };
    let mut command = Command::new(program);
    command.args(before).arg(address);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if command.spawn().is_err() {
        note("no browser could be opened: open the address above yourself");
    }
}
