"""The program, called for what works on files: galleries, films, training, models."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from . import _checks, _impasto
from ._checks import Noted
from ._errors import ImpastoError, InvalidError
from ._options import run_args

# What the program says of itself before a line.
_VOICE = "impasto: "
# Its status for what was asked for wrongly.
_USAGE = 2
# Options of the program that are not called by their keyword, and words of its sentences: how Python has them.
_WORDS = {
    "-o": "output",
    "--overwrite": "overwrite=True",
    "--resume": "resume=True",
    "--no-sound": "sound=False",
    "--from": "start",
    "--style": "style",
    "--content-layer": "content_layers",
    "--style-layer": "style_layers",
    "--init": "init",
    "--region": "regions",
    "--regions": "region_map",
    "--style-mask": "style_masks",
    "--quick": 'course="quick"',
    "--thorough": 'course="thorough"',
    "--tiny": 'course="tiny"',
    "the same command": "the same call",
    "`impasto stylize`": "impasto.stylize",
}
_PHRASE = re.compile(
    # What is quoted or has a folder before it is a name of the user's.
    r"(?<![\w\"'/\\=-])(?:"
    + "|".join([*(re.escape(word) + r"(?![\w-])" for word in _WORDS), r"`impasto models pull (\S+?)`", r"--([a-z][a-z-]+)"])
    + ")"
)


class Call:
    """A command line of the program, and the folder of pictures that were no files, which is there until the call is over.

    Every value is part of its option's word and every file comes after `--`, so that none of them is taken for an option.
    """

    def __init__(self, *command: str, noted: Noted | None = None) -> None:
        self.noted = Noted() if noted is None else noted
        self._command = command
        self._options: list[str] = []
        self._files: list[str] = []
        self._folder: Path | None = None

    def option(self, name: str, value: Any = True) -> None:
        """Adds an option with its value, or one without if that is `True`; `None` and `False` are none."""
        if value is True:
            self._options.append(f"--{name}")
        elif value is not None and value is not False:
            self._options.append(f"--{name}={value}")

    def file(self, path: str) -> None:
        """Adds a file."""
        self._files.append(path)

    def picture(self, source: Any, name: str) -> str:
        """The path of a picture; one that is in memory alone is written into the folder. One that is not there is noted."""
        if isinstance(source, str):
            if not source.startswith("@"):
                self.noted.read(_checks.existing, name, source)
            return plain(source)
        raw = source if isinstance(source, _impasto.Picture) else _impasto.Picture.open(source)
        own = Path(raw.name.removeprefix("@")).stem
        path = self.folder / f"{own if own and own not in ('array', 'bytes') else name}.png"
        number = 2
        while path.exists():
            path = path.with_stem(f"{path.stem}-{number}")
            number += 1
        raw.save(str(path), None, None)
        return str(path)

    def styles(self, weighted: Iterable[tuple[Any, float]]) -> None:
        """Adds styles."""
        for number, (style, weight) in enumerate(weighted, 1):
            path = self.picture(style, f"style-{number}")
            # A name with a colon in it would be one with a weight.
            self.option("style", path if weight == 1 and ":" not in path else f"{path}:{weight!r}")

    def run(self, options: Mapping[str, Any]) -> None:
        """Adds how something is painted, and on what; what is wrong with that is noted."""
        run = run_args(options, self.noted)
        network = {**run["network"], "problems": []}
        try:
            recipe = _impasto.Recipe.of_run({**run, "network": network})
        except InvalidError as error:
            self.noted.note(error)
            return
        path = self.folder / "recipe.toml"
        path.write_text(recipe.to_toml(""), encoding="utf-8")
        self.option("recipe", path)
        pictures = {"init": run["start"], **{key: run[key] for key in ("mask", "style_strength", "content_mask", "palette")}}
        for key, source in pictures.items():
            if source is not None:
                self.option(key.replace("_", "-"), self.picture(source, key))
        if run["regions"] or run["style_masks"] or run["region_map"] is not None:
            self.noted.note(InvalidError("regions go with impasto.stylize"))
        memory = run["memory"]
        self.option("memory", f"{memory / 1000:.3f}kB" if isinstance(memory, int) else memory)
        for key, value in {"model": run["model"], "tile": run["tile"], **network}.items():
            if key != "problems":
                self.option(key.replace("_", "-"), value)
        self.noted.read(_checks.existing, "models_dir", network["models_dir"])

    @property
    def folder(self) -> Path:
        """The folder of what is no file."""
        import tempfile

        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="impasto-"))
        return self._folder

    def __enter__(self) -> Call:
        return self

    def __exit__(self, *_: object) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def __call__(self, *, show: bool = False, result: str | None = None) -> str:
        """Runs the program and returns what it printed.

        Args:
            show: let it draw its progress on the terminal.
            result: what is there afterwards.

        Raises:
            InvalidError: options or settings that cannot be.
            MissingError: a file that is not there.
            ImpastoError: it failed; KeyboardInterrupt if it was stopped by Ctrl-C.
        """
        self.noted.end()
        files = ["--", *self._files] if self._files else []
        printed = _run([*self._command, *self._options, *files], self._folder, show)
        if result is not None and not os.path.exists(result):
            raise ImpastoError(f"the program ended well, and yet {_checks.spoken(result)} is not there")
        return printed


def plain(path: str) -> str:
    """A path that is not taken for the standard input or output."""
    return os.path.join(os.curdir, path) if path.startswith("-") else path


def _run(arguments: Sequence[str], folder: Path | None, show: bool) -> str:
    # Most who import impasto never call it.
    import subprocess
    import tempfile

    if not sys.executable:
        raise ImpastoError("Python does not know its own program (sys.executable is empty), which is needed to start another")
    words = [sys.executable, "-m", "impasto._child", "" if folder is None else str(folder), *arguments]
    # What it says is read from a file, so that neither pipe can be full while the other is read.
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
        process = subprocess.Popen(
            words,
            # Open as long as this process is there, and as it waits: where it ends, so does the program.
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if show else said,
            text=True,
            encoding="utf-8",
            # Ctrl-C of a terminal is for this process, which hands it on: heard twice, it would end the program at once.
            start_new_session=True,
        )
        assert process.stdout is not None and process.stdin is not None
        try:
            printed = process.stdout.read()
            status = process.wait()
        finally:
            process.stdin.close()
            process.wait()
            process.stdout.close()
        if status == 0:
            return printed
        said.seek(0)
        lines = [translated(line.removeprefix(_VOICE).rstrip()) for line in said if line.strip()]
    raise (InvalidError if status == _USAGE else ImpastoError)(lines or [f"the program ended with status {status}"])


def translated(line: str) -> str:
    """What the program says, in Python's words: keywords for its options, functions for its commands."""

    def word(found: re.Match[str]) -> str:
        model, option = found.groups()
        if model:
            return f"impasto.pull({model!r})"
        return option.replace("-", "_") if option else _WORDS[found[0]]

    return _PHRASE.sub(word, line)


def shows(progress: Any) -> bool:
    """Whether the program is to draw its progress."""
    if progress in (None, "auto"):
        return sys.stderr is not None and sys.stderr.isatty()
    return bool(progress)
