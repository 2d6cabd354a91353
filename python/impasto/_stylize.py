"""Painting."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from . import _checks, _impasto
from ._checks import Noted
from ._options import Options, picture, read_styles, stylizer
from ._progress import Display, display
from ._recipe import Recipe
from ._result import Result, Step

if TYPE_CHECKING:
    from typing import Unpack

    from ._arrays import PictureLike
    from ._options import StyleLike

    Callback = Callable[[Step], bool | None]
    Progress = bool | Literal["auto", "text", "notebook"] | None

# What came of the last run that was interrupted; read as `impasto.last_result`.
last_result: Result | None = None


class ImpastoWarning(UserWarning):
    """A run ended, but not well."""


class Stylizer:
    """An encoder, styles and a recipe on a device, ready for any number of contents: `Stylizer("@swirls")("@lake")`.

    Several threads may call one, and wait for each other; ones of their own paint at the same time.
    """

    def __init__(self, style: StyleLike = None, **options: Unpack[Options]) -> None:
        """Checks everything and prepares it.

        Args:
            style: a painting, several, tuples of painting and weight, or a dictionary of them.
            options: how it is painted, and on what.

        Raises:
            InvalidError: with everything that is wrong with styles and options.
            MissingError: a picture or network is not there.
        """
        noted = Noted()
        self._raw = stylizer(read_styles(noted, style), options, noted)

    @classmethod
    def _made(cls, raw: _impasto.Stylizer) -> Stylizer:
        made = cls.__new__(cls)
        made._raw = raw
        return made

    def __call__(
        self,
        content: PictureLike,
        *,
        callback: Callback | None = None,
        progress: Progress = "auto",
        frames_every: int | None = None,
        on_interrupt: Literal["raise", "return"] = "raise",
    ) -> Result:
        """Paints a content.

        Args:
            content: the photo.
            callback: is called with every `Step`; the run ends after it where it returns False (and nothing else, 0 neither).
                What it raises ends the run, too, and comes out as it was raised.
            progress: how the run is shown: by a line on a terminal, by a bar with the picture so far in a notebook, and
                otherwise not, unless True or False are given.
            frames_every: keep the picture so far every so many steps, as `Result.frames`.
            on_interrupt: what Ctrl-C does: raise KeyboardInterrupt, with the picture so far as `impasto.last_result`, or return
                it.

        Raises:
            ImpastoError: the picture cannot be read or does not fit into memory.
        """
        noted = Noted()
        sources = noted.each(picture, "content", [content])
        watch = _Watch(noted, callback, progress, frames_every, on_interrupt)
        noted.end()
        return self._paint(sources[0], sources[0], watch)

    def _paint(self, source: Any, content: Any, watch: _Watch) -> Result:
        """Paints `content`, or what it was checked with if that is None; `source` says its name."""
        global last_result
        try:
            painting, interruption = self._raw.paint(content, watch.tell, watch.pause)
        finally:
            watch.close()
        name = _name(source)
        # Of built-in pictures the name, of which files are made, is without its mark.
        result = Result(painting, name, f"{Path(name).stem.removeprefix('@')}.png", watch.frames)
        if interruption is not None:
            last_result = result
            if not (isinstance(interruption, KeyboardInterrupt) and watch.returns):
                raise interruption
        if result.outcome == "diverged":
            warnings.warn("the run went astray, this is its last good picture: use a smaller learning_rate", ImpastoWarning, 3)
        for concern in result.concerns:
            warnings.warn(concern, ImpastoWarning, 3)
        return result

    def map(self, contents: Iterable[PictureLike], **keywords: Any) -> Iterator[Result]:
        """Paints contents one by one, as they are asked for; keywords are those of a call."""
        _checks.several("contents", contents)
        return (self(content, **keywords) for content in contents)

    def cancel(self) -> None:
        """Ends the run that is under way after its step; to be called from another thread, or from a callback. The call
        returns the picture so far."""
        self._raw.cancel()

    def plan(self, content: PictureLike) -> list[dict[str, int]]:
        """What a run takes: width, height, steps and bytes of memory of each scale."""
        return self._raw.plan(picture("content", content))

    @property
    def recipe(self) -> Recipe:
        """The recipe by which it paints."""
        return Recipe._of(self._raw.recipe)

    @property
    def encoder(self) -> str:
        """The network that looks at pictures, or that paints."""
        return self._raw.encoder

    @property
    def device(self) -> str:
        """What does the work."""
        return self._raw.device

    def __reduce__(self) -> Any:
        _checks.stays(self, "make one there, or let workers call impasto.stylize")

    def __repr__(self) -> str:
        return f"<Stylizer {self.encoder}, {self.device}>"


class _Watch:
    """What is done with the steps of a run."""

    def __init__(
        self,
        noted: Noted,
        callback: Callback | None,
        progress: Progress,
        frames_every: int | None,
        on_interrupt: Literal["raise", "return"],
    ) -> None:
        self.frames: list[Any] = []
        self.returns = noted.read(_checks.one_of("raise", "return"), "on_interrupt", on_interrupt) == "return"
        self._callback = noted.read(_checks.function, "callback", callback)
        self._frames_every = noted.read(_checks.whole(1), "frames_every", frames_every)
        self._display: Display | None = noted.read(display, "progress", "auto" if progress is None else progress)
        self._taken = 0
        self._drawn = -1.0
        every_step = callback is not None or frames_every is not None
        self.pause: float | None = None if every_step or self._display is None else self._display.pause
        self.tell: Callable[[_impasto.Step], bool | None] | None = self._tell if every_step or self._display else None

    def _tell(self, raw: _impasto.Step) -> bool | None:
        step = Step(raw)
        self._taken += 1
        if self._frames_every is not None and self._taken % self._frames_every == 0:
            self.frames.append(step.preview())
        shown = self._display
        if shown is not None and (step.progress >= 1 or step.seconds - self._drawn >= shown.pause):
            shown.show(step)
            self._drawn = step.seconds
        return None if self._callback is None else self._callback(step)

    def close(self) -> None:
        if self._display is not None:
            self._display.close()


def _name(source: Any) -> str:
    if isinstance(source, _impasto.Picture):
        return source.name
    return _checks.spoken(os.path.basename(source)) if isinstance(source, str) else "content"


def stylize(
    content: PictureLike,
    style: StyleLike = None,
    *,
    callback: Callback | None = None,
    progress: Progress = "auto",
    frames_every: int | None = None,
    on_interrupt: Literal["raise", "return"] = "raise",
    **options: Unpack[Options],
) -> Result:
    """Paints a content in a style: `stylize("@lake", "@swirls").save("lake.png")`.

    A picture is a path, `"@name"` for a built-in one, the bytes of a file, a `Picture`, a PIL picture, or an array of NumPy,
    torch, TensorFlow or JAX. The same call gives the same bytes as the program's `impasto stylize`.

    Args:
        content: the photo.
        style: a painting, several, tuples of painting and weight, or a dictionary of them.
        callback, progress, frames_every, on_interrupt: as of a `Stylizer`'s call.
        options: how it is painted, and on what.

    Raises:
        InvalidError: with everything that is wrong with pictures and options.
        MissingError: a picture or network is not there.
        ImpastoError: something else failed.
    """
    noted = Noted()
    [source] = noted.each(picture, "content", [content]) or [None]
    watch = _Watch(noted, callback, progress, frames_every, on_interrupt)
    return Stylizer._made(stylizer(read_styles(noted, style), options, noted, source))._paint(source, None, watch)
