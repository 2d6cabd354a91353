"""What works on files of its own: films, and networks of one's own style."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from . import _program
from ._arrays import raw_source
from ._errors import InvalidError
from ._options import Options, run_args, styles

if TYPE_CHECKING:
    from typing import Unpack

    from ._arrays import PictureLike
    from ._options import StyleLike


def video(
    film: str | os.PathLike[str],
    style: StyleLike,
    output: str | os.PathLike[str],
    *,
    consistency: float | None = None,
    frames: tuple[int, int] | None = None,
    every: int | None = None,
    fps: float | None = None,
    sound: bool = True,
    resume: bool = False,
    overwrite: bool = False,
    progress: Any = "auto",
    **options: Unpack[Options],
) -> Path:
    """Paints a film so that strokes move with what they are painted on, as `impasto video` does.

    Args:
        film: MP4, MOV, GIF, APNG, WebP, Y4M, or a folder or pattern of pictures like `frames/%04d.png`.
        style: the paintings.
        output: .mp4, .gif, .png (APNG), .y4m, or a folder or pattern.
        consistency: how much strokes stay what they were, 0 (each frame by itself) to 1; 0.5 unless given.
        frames: the first and the last to paint, from 0.
        every: paint every n-th frame alone.
        fps: pictures a second of a folder or pattern; 25 unless given.
        sound: keep it.
        resume: go on where this very run was cut off; the file has the same bytes as if it had not been.
        overwrite: replace the output if it exists.
        progress: whether it is shown; only on terminals unless given.
        options: how it is painted, and on what.

    Returns:
        Where the film is.
    """
    words, open_files = _program.options(run_args(options))
    with open_files as folder:
        words += ["--output", os.fspath(output), *_program.styles(styles(style), Path(folder))]
        values = {"consistency": consistency, "every": every, "fps": fps}
        words += [word for key, value in values.items() if value is not None for word in (f"--{key}", str(value))]
        if frames is not None:
            words += ["--frames", f"{frames[0]}..{frames[1]}"]
        flags = {"--no-sound": not sound, "--resume": resume, "--overwrite": overwrite}
        words += [flag for flag, given in flags.items() if given]
        _program.call(["video", os.fspath(film), *words], show=_program.shows(progress))
    return Path(output)


def train_style(
    painting: PictureLike,
    output: str | os.PathLike[str],
    *,
    course: Literal["quick", "thorough", "tiny"] = "thorough",
    start: str | os.PathLike[str] | None = None,
    contents: Iterable[str | os.PathLike[str]] = (),
    steps: int | None = None,
    batch: int | None = None,
    learning_rate: float | None = None,
    seed: int | None = None,
    preview: str | os.PathLike[str] | None = None,
    licence: str = "",
    threads: int | None = None,
    progress: Any = "auto",
) -> Path:
    """Learns to paint in the style of a painting in one pass, as `impasto train style` does; the network that comes out paints by
    `stylize(photo, method="fast", model=output)`.

    Args:
        painting: the style.
        output: where the network goes: ends in .safetensors.
        course: `"quick"` learns scales and shifts alone, of a network that paints already, in about a minute; `"thorough"` all
            of a small network; `"tiny"` all of a very small one, which paints in real time.
        start: the network to start from, or `"nothing"` for random numbers.
        contents: photos to learn from, or folders of them; the built-in ones unless given.
        steps: steps in all.
        batch: photos that a step looks at, in crops; 4 unless given.
        learning_rate: size of the first step.
        seed: what decides the crops.
        preview: a file that shows now and then what the network paints so far.
        licence: under which you give the network away, for its file.
        threads: threads of the cpu.
        progress: whether it is shown; only on terminals unless given.

    Returns:
        Where the network is.
    """
    courses = ("quick", "thorough", "tiny")
    if course not in courses:
        raise InvalidError(f"course is {course!r}: must be {', '.join(courses)}")
    with _program.folder() as folder:
        words = [_program.as_file(raw_source(painting), Path(folder), "painting"), f"--{course}"]
        words += ["--output", os.fspath(output)]
        values = {
            "from": start,
            "steps": steps,
            "batch": batch,
            "learning-rate": learning_rate,
            "seed": seed,
            "preview": preview,
            "licence": licence or None,
            "threads": threads,
        }
        words += [word for key, value in values.items() if value is not None for word in (f"--{key}", str(value))]
        photos = [os.fspath(content) for content in contents]
        words += ["--contents", *photos] if photos else []
        _program.call(["train", "style", *words], show=_program.shows(progress))
    return Path(output)
