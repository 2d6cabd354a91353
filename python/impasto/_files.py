"""What works on files of its own: films, and networks of one's own style."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from . import _checks
from ._errors import InvalidError
from ._options import Options, picture, read_styles
from ._program import Call, plain, shows

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
    frames: tuple[int, int] | str | None = None,
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
        frames: the first and the last to paint, from 0; or "0..3", as the program has it.
        every: paint every n-th frame alone.
        fps: pictures a second of a folder or pattern; 25 unless given.
        sound: keep it.
        resume: go on where this very run was cut off; the file has the same bytes as if it had not been.
        overwrite: replace the output if it exists.
        progress: whether it is shown; only on terminals unless given.
        options: how it is painted, and on what.

    Returns:
        Where the film is.

    Raises:
        InvalidError: with everything that is wrong; the output exists, and neither overwrite nor resume is given.
        MissingError: the film or a picture is not there.
        ImpastoError: it failed.
    """
    with Call("video") as call:
        noted = call.noted
        source = noted.read(_film, "film", "" if film is None else film)
        target = noted.read(_checks.path, "output", "" if output is None else output)
        call.option("output", target and plain(target))
        call.option("consistency", noted.read(_checks.number, "consistency", consistency))
        call.option("every", noted.read(_checks.whole(1), "every", every))
        call.option("fps", noted.read(_checks.number, "fps", fps))
        call.option("frames", noted.read(_frames, "frames", frames))
        call.option("no-sound", not sound)
        call.option("resume", bool(resume))
        call.option("overwrite", bool(overwrite))
        call.run(options)
        call.styles(read_styles(noted, style) or [])
        call.file(plain(source or ""))
        # Frames have names of their own.
        call(show=shows(progress), result=None if "%" in (target or "") else target)
    return Path(output)


def _film(name: str, value: Any) -> str:
    """A film, a folder or a pattern of pictures, which has a percent sign or a star."""
    found = _checks.path(name, value)
    return found if {"%", "*", "?"} & set(found) else _checks.existing(name, found)


def _frames(name: str, value: Any) -> str:
    """The first and the last frame, as the program has them."""
    if isinstance(value, str) and value.count("..") == 1:
        parts = value.split("..")
        if all(part.isdecimal() for part in parts):
            value = tuple(map(int, parts))
    first, last = _checks.pair("the first and the last frame, such as (100, 200)")(name, value)
    return f"{first}..{last}"


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
    overwrite: bool = False,
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
        overwrite: replace the output if it exists.
        progress: whether it is shown; only on terminals unless given.

    Returns:
        Where the network is.

    Raises:
        InvalidError: with everything that is wrong; the output exists, and overwrite is not given.
        MissingError: a file is not there.
        ImpastoError: it failed.
    """
    with Call("train", "style") as call:
        noted = call.noted
        noted.read(_checks.one_of("quick", "thorough", "tiny"), "course", course)
        target = noted.read(_checks.path, "output", "" if output is None else output)
        if target and os.path.exists(target) and not overwrite:
            noted.note(InvalidError(f"{target} exists: overwrite=True replaces it"))
        values = {
            "from": noted.read(_network, "start", start),
            "steps": noted.read(_checks.whole(), "steps", steps),
            "batch": noted.read(_checks.whole(), "batch", batch),
            "learning-rate": noted.read(_checks.number, "learning_rate", learning_rate),
            "seed": noted.read(_checks.whole(), "seed", seed),
            "preview": noted.read(_checks.path, "preview", preview),
            "licence": noted.read(_checks.text, "licence", licence) or None,
            "threads": noted.read(_checks.whole(1), "threads", threads),
        }
        photos = noted.each(_photo, "contents", noted.read(_checks.several, "contents", contents) or ())
        sources = noted.each(picture, "painting", [painting])
        noted.end()
        call.option(course)
        call.option("output", target and plain(target))
        for name, value in values.items():
            call.option(name, value)
        for photo in photos:
            call.option("contents", plain(photo))
        call.file(call.picture(sources[0], "painting"))
        call(show=shows(progress), result=target)
    return Path(output)


def _photo(name: str, value: Any) -> str:
    """A file, a folder of them or a built-in picture."""
    return value if isinstance(value, str) and value.startswith("@") else _checks.existing(name, value)


def _network(name: str, value: Any) -> str:
    """A file, or `nothing`, which is random numbers."""
    return "nothing" if value == "nothing" else _checks.existing(name, value)
