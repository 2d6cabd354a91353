//! A folder with pictures in it, and the program run there.

use impasto::Picture;
use impasto::picture::SaveOptions;
use impasto_testing::Folder;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

/// A folder with a `photo.png` of 24×16 px and a `painting.png` of 20×20 px.
pub struct Workshop {
    folder: Folder,
    cache: Folder,
}

/// What a run of the program said.
#[derive(Debug)]
pub struct Said {
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Workshop {
    pub fn new() -> Self {
        let folder = Folder::new();
        let cache = Folder::new();
        let workshop = Self { folder, cache };
        workshop.picture("photo.png", 24, 16);
        workshop.picture("painting.png", 20, 20);
        workshop
    }

    /// Writes a picture with colours that change from pixel to pixel, different for each name.
    pub fn picture(&self, name: &str, width: usize, height: usize) -> PathBuf {
        let salt = name.bytes().map(f32::from).sum::<f32>();
        let values = (0..3 * width * height).map(|i| {
            let wave =
                ((i as f32 * 0.37 + salt).sin() + (i as f32 / width as f32 * 1.3).cos()) / 4.0;
            0.5 + wave
        });
        let picture = Picture::new(width, height, values.collect()).unwrap();
        let path = self.path(name);
        picture.save(&path, &SaveOptions::default()).unwrap();
        path
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    pub fn open(&self, name: &str) -> Picture {
        Picture::open(&self.path(name)).unwrap()
    }

    /// The names of all files, sorted.
    pub fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// The program in this folder, on a machine where no encoder is installed.
    pub fn program(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_impasto"));
        command
            .current_dir(self.folder.path())
            .env("IMPASTO_MODELS", self.folder.path())
            .env("IMPASTO_CACHE", self.cache.path())
            .env_remove("COLORTERM");
        command
    }

    /// Runs the program with these words.
    pub fn run(&self, arguments: &str) -> Said {
        self.program()
            .args(arguments.split_whitespace())
            .output()
            .unwrap()
            .into()
    }

    /// Runs `impasto stylize` on the [`tiny`] network, two steps a scale unless told otherwise.
    pub fn stylize(&self, arguments: &str) -> Said {
        self.stylizing(arguments).output().unwrap().into()
    }

    /// Runs `impasto gallery` the same way.
    pub fn gallery(&self, arguments: &str) -> Said {
        self.painting("gallery", arguments).output().unwrap().into()
    }

    /// The program, about to do so.
    pub fn stylizing(&self, arguments: &str) -> Command {
        self.painting("stylize", arguments)
    }

    fn painting(&self, command: &str, arguments: &str) -> Command {
        let mut program = self.program();
        program.arg(command).arg("--encoder").arg(tiny());
        // Networks that paint take none.
        if !arguments.contains("--steps") && !arguments.contains("--method paint") {
            program.args(["--steps", "2"]);
        }
        program.args(arguments.split_whitespace());
        program
    }
}

/// A network of a few thousand weights, shaped like the real ones.
pub fn tiny() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../impasto/tests/golden/tiny.safetensors")
}

/// A run of `impasto stylize` or another command with `--progress json` that is still going on.
pub struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Running {
    pub fn start(shop: &Workshop, arguments: &str) -> Self {
        Self::start_command(shop, "stylize", arguments)
    }

    /// Runs another painting command.
    pub fn start_command(shop: &Workshop, command: &str, arguments: &str) -> Self {
        let mut program = shop.painting(command, &format!("{arguments} --progress json"));
        program.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = program.spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdout }
    }

    /// The process.
    #[cfg(unix)]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills it, as a power cut would.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for the next line of progress of this kind.
    pub fn wait_for(&mut self, event: &str) {
        let words = format!("\"event\":\"{event}\"");
        let mut line = String::new();
        while !line.contains(&words) {
            line.clear();
            let read = self.stdout.read_line(&mut line).unwrap();
            assert!(read > 0, "no event {event}");
        }
    }

    /// Waits for the end. What was printed until the last wait is left out.
    pub fn finish(mut self) -> Said {
        let mut stdout = String::new();
        self.stdout.read_to_string(&mut stdout).unwrap();
        let said = Said::from(self.child.wait_with_output().unwrap());
        Said { stdout, ..said }
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            status: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Said {
    /// Fails the test unless the run went well.
    pub fn done(self) -> Self {
        assert_eq!(self.status, Some(0), "{self:?}");
        self
    }

    /// Fails the test unless the run ended with this status and these lines of complaint, each of which holds the
    /// words given.
    pub fn refused(&self, status: i32, lines: &[&str]) {
        let said: Vec<_> = self.stderr.lines().collect();
        assert_eq!(self.status, Some(status), "{self:#?}");
        assert_eq!(said.len(), lines.len(), "{self:#?}");
        assert_eq!(self.stdout, "");
        for (line, words) in said.iter().zip(lines) {
            assert!(line.starts_with("impasto: "), "{line}");
            assert!(line.contains(words), "{line}\ndoes not say {words}");
            for noise in ["panicked", "backtrace", "Error {", "Os {"] {
                assert!(!line.contains(noise), "{line}");
            }
        }
    }
}
