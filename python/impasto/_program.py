"""The program, called for what works on files: galleries, films, training, models."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import _impasto
from ._errors import ImpastoError, InvalidError

if TYPE_CHECKING:
    import subprocess
    import tempfile

# What the program says of itself before a line.
_VOICE = "impasto: "
# Its status for what was asked for wrongly.
_USAGE = 2


def call(
    arguments: Sequence[str | os.PathLike[str]],
    *,
    event: Callable[[dict[str, Any]], None] | None = None,
    show: bool = False,
) -> str:
    """Runs the program and returns what it printed.

    Args:
        arguments: those of the command line.
        event: is called with every line of `--progress json`; the answer is empty then.
        show: let it draw its progress on the terminal.

    Raises:
        InvalidError: options or settings that cannot be.
        ImpastoError: it failed; KeyboardInterrupt if it was stopped by Ctrl-C.
    """
    # Most who import impasto never call it.
    import signal
    import subprocess
    import tempfile

    words = [sys.executable, "-m", "impasto", *(os.fspath(argument) for argument in arguments)]
    if event is not None:
        words += ["--progress", "json"]
    # What it says is read from a file, so that neither pipe can be full while the other is read.
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=None if show else said,
            text=True,
            encoding="utf-8",
            # Ctrl-C of a terminal is for this process, which hands it on: heard twice, it would end the program at once.
            start_new_session=True,
        )
        try:
            printed = _read(process, event)
        except BaseException:
            process.send_signal(signal.SIGTERM if os.name == "nt" else signal.SIGINT)
            process.communicate()
            raise
        status = process.wait()
        if status == 0:
            return printed
        said.seek(0)
        lines = [line.removeprefix(_VOICE).rstrip() for line in said if line.strip()]
    raise (InvalidError if status == _USAGE else ImpastoError)(lines or [f"the program ended with status {status}"])


def _read(process: subprocess.Popen[str], event: Callable[[dict[str, Any]], None] | None) -> str:
    assert process.stdout is not None
    if event is None:
        return process.communicate()[0]
    for line in process.stdout:
        event(json.loads(line))
    process.stdout.close()
    return ""


def options(run: Mapping[str, Any]) -> tuple[list[str], tempfile.TemporaryDirectory[str]]:
    """A run, as `impasto._options.run_args` has it, as options of the program, and what must be open meanwhile: the folder of
    its recipe's file, and of pictures that were no files."""
    open_files = folder()
    recipe = Path(open_files.name) / "recipe.toml"
    recipe.write_text(_impasto.Recipe.of_run(dict(run)).to_toml(""), encoding="utf-8")
    words = ["--recipe", str(recipe)]

    def file(source: Any, name: str) -> str:
        return as_file(source, Path(open_files.name), name)

    if run["start"] is not None:
        words += ["--init", file(run["start"], "start")]
    for key in ("mask", "style_strength", "content_mask", "palette"):
        if run[key] is not None:
            words += [f"--{key.replace('_', '-')}", file(run[key], key)]
    if run["regions"] or run["style_masks"] or run["region_map"] is not None:
        raise InvalidError("regions go with impasto.stylize")
    plain = {"model": run["model"], "memory": run["memory"], "tile": run["tile"], **run["network"]}
    for key, value in plain.items():
        if value is not None:
            words += [f"--{key.replace('_', '-')}", f"{value / 1000:.3f}kB" if key == "memory" else str(value)]
    return words, open_files


def folder() -> tempfile.TemporaryDirectory[str]:
    """A folder for what is no file."""
    import tempfile

    return tempfile.TemporaryDirectory(prefix="impasto-")


def styles(weighted: Sequence[tuple[Any, float]], files: Path) -> list[str]:
    """Styles as options of the program."""
    words = []
    for number, (style, weight) in enumerate(weighted, 1):
        path = as_file(style, files, f"style-{number}")
        words += ["--style", path if weight == 1 else f"{path}:{weight!r}"]
    return words


def as_file(source: Any, folder: Path, name: str) -> str:
    """The path of a picture; one that is in memory alone is written into a folder."""
    if isinstance(source, str):
        return source
    raw = source if isinstance(source, _impasto.Picture) else _impasto.Picture.open(source)
    path = folder / f"{Path(raw.name).stem if raw.name not in ('array', 'bytes') else name}.png"
    number = 2
    while path.exists():
        path = path.with_stem(f"{path.stem}-{number}")
        number += 1
    raw.save(str(path), None, None)
    return str(path)


def shows(progress: Any) -> bool:
    """Whether the program is to draw its progress."""
    if progress in (None, "auto"):
        return sys.stderr is not None and sys.stderr.isatty()
    return bool(progress)
