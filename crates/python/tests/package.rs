//! The Python package: its wheel is made of the library that cargo has built for this test, installed, and tested by its own
//! tests, warnings as errors.
//!
//! `IMPASTO_PYTHON` names the interpreter: of a virtual environment with NumPy, pytest and mypy, which the wheel is installed
//! into. Without it there is nothing to do.

use impasto_testing::{Folder, skip};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the sources are.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The library of this package, which lies beside this test.
fn library() -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let name = format!(
        "{}_impasto{}",
        std::env::consts::DLL_PREFIX,
        std::env::consts::DLL_SUFFIX
    );
    test.with_file_name(name)
}

/// Runs Python in a folder where no sources are, and returns what it printed.
fn python(interpreter: &OsString, folder: &Path, words: &[&str]) -> String {
    let mut command = Command::new(interpreter);
    command.args(words).current_dir(folder);
    command.env("PYTHONSAFEPATH", "1").env_remove("PYTHONPATH");
    let output = command.output().expect("Python runs");
    let said = String::from_utf8_lossy(&output.stderr);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    println!("{printed}{said}");
    assert!(output.status.success(), "{words:?}: {}", output.status);
    printed
}

#[test]
fn the_package_is_installed_and_passes_its_tests() {
    let Some(interpreter) = std::env::var_os("IMPASTO_PYTHON") else {
        skip("IMPASTO_PYTHON names no Python with NumPy, pytest and mypy");
        return;
    };
    let folder = Folder::new();
    let run = |words: &[&str]| python(&interpreter, folder.path(), words);
    let path = |path: PathBuf| path.to_str().expect("UTF-8").to_string();
    let tool = path(root().join("python/tools/wheel.py"));
    let wheel = run(&[&tool, &path(library()), "."]);
    let install = ["-m", "pip", "install", "--quiet", "--no-index", "--no-deps"];
    let wheel = wheel.trim();
    run(&[&install[..], &["--force-reinstall", wheel]].concat());
    let settings = path(root().join("pyproject.toml"));
    run(&["-m", "mypy.stubtest", "impasto._impasto"]);
    run(&[
        "-m",
        "mypy",
        "--config-file",
        &settings,
        "--package",
        "impasto",
    ]);
    let tests = path(root().join("python/tests"));
    let options = ["--quiet", "-p", "no:cacheprovider", "-c", &settings];
    run(&[&["-m", "pytest"], &options[..], &[&tests]].concat());
}
