"""What comes out of a run."""

from __future__ import annotations

import html
import json
import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from . import _checks, _impasto
from ._errors import InvalidError
from ._picture import Picture
from ._recipe import Recipe

if TYPE_CHECKING:
    import numpy as np


class Step:
    """A step that was taken, as a callback sees it. Losses and preview can be asked for while the callback runs."""

    __slots__ = ("_loss", "_losses", "_raw")

    def __init__(self, raw: _impasto.Step) -> None:
        self._raw = raw
        self._losses: dict[str, float] | None = None
        self._loss: float | None = None

    @property
    def scale(self) -> int:
        """Index of the scale, from 0; coarse ones come first."""
        return self._raw.scale

    @property
    def scales(self) -> int:
        """Number of scales."""
        return self._raw.scales

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture at this scale."""
        return (self._raw.width, self._raw.height)

    @property
    def step(self) -> int:
        """The step at this scale, from 1."""
        return self._raw.step

    @property
    def steps(self) -> int:
        """Steps of this scale."""
        return self._raw.steps

    @property
    def progress(self) -> float:
        """Share of the run's work that is done, 0..1."""
        return self._raw.progress

    @property
    def seconds(self) -> float:
        """Seconds since the run began."""
        return self._raw.seconds

    @property
    def eta(self) -> float:
        """Seconds that it may still take."""
        done = self._raw.progress
        return self._raw.seconds * (1 - done) / done if done > 0 else float("inf")

    def _ask(self) -> dict[str, float]:
        if self._losses is None:
            terms = self._raw.terms()
            self._losses = {name: value * weight for name, value, weight in terms}
            self._loss = sum(self._losses.values())
        return self._losses

    @property
    def loss(self) -> float:
        """The loss before the step: the sum of its weighted terms."""
        self._ask()
        assert self._loss is not None
        return self._loss

    @property
    def losses(self) -> dict[str, float]:
        """Each term of the loss before the step, times its weight: `content:LAYER`, `style:LAYER`, `tv`."""
        return dict(self._ask())

    def preview(self) -> Picture:
        """The picture so far, at the size of the scale."""
        return Picture._of(self._raw.preview())

    def __reduce__(self) -> Any:
        _checks.stays(self, "take its numbers, or its preview()")

    def __repr__(self) -> str:
        return f"<Step {self.step}/{self.steps} of scale {self.scale + 1}/{self.scales}, {self.progress:.0%}>"


class _Story(NamedTuple):
    """How a picture came about: what of a painting goes to other processes."""

    report: str
    outcome: Literal["finished", "stopped", "diverged"]
    concerns: list[str]
    recipe: Recipe


class Result:
    """A picture that was painted, and how it came about. Notebooks show it; NumPy takes it for its picture. It can be pickled,
    with everything but its page: `report` is for the process that has painted it."""

    def __init__(self, raw: _impasto.Painting, content: str, name: str, frames: list[Picture]) -> None:
        self._raw: _impasto.Painting | None = raw
        self._content = content
        self.picture: Picture = Picture._of(raw.picture(name), raw.settings)
        """The picture."""
        self.frames: list[Picture] = frames
        """The picture as it was now and then, if `frames_every` was given."""

    @cached_property
    def _story(self) -> _Story:
        raw = self._painting("its story")
        return _Story(raw.report(), raw.outcome, raw.concerns, Recipe._of(raw.recipe))

    def _painting(self, what: str) -> _impasto.Painting:
        """What was painted, with everything that painted it."""
        if self._raw is None:
            raise InvalidError(f"this result comes from another process or file, and {what} needs what has painted it: make it there")
        return self._raw

    def __getstate__(self) -> dict[str, Any]:
        return {"_raw": None, "_content": self._content, "picture": self.picture, "frames": self.frames, "_story": self._story}

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Everything about the run but its pictures: recipe, encoder, device, terms, scales, steps, concerns."""
        return json.loads(self._story.report)

    @property
    def outcome(self) -> Literal["finished", "stopped", "diverged"]:
        """How the run ended. The picture of one that diverged is its last good one."""
        return self._story.outcome

    @property
    def stopped(self) -> bool:
        """Whether it was ended early."""
        return self.outcome == "stopped"

    @property
    def concerns(self) -> list[str]:
        """What is wrong with how it ended, though all of it were numbers: a sentence each."""
        return list(self._story.concerns)

    @property
    def seconds(self) -> float:
        """Seconds that it took."""
        return self.facts["seconds"]

    @property
    def steps(self) -> int:
        """Steps that were taken, at all scales."""
        return len(self.facts["steps"])

    @property
    def losses(self) -> list[float]:
        """The loss before each step. Scales have losses of their own: see `facts["steps"]`."""
        return [step["total"] for step in self.facts["steps"]]

    @property
    def terms(self) -> dict[str, list[float]]:
        """Each term before each step, times its weight: `content:LAYER`, `style:LAYER`, `tv`."""
        terms, steps = self.facts["terms"], self.facts["steps"]
        return {name: [weight * step["terms"][i] for step in steps] for i, (name, weight) in enumerate(terms)}

    @property
    def recipe(self) -> Recipe:
        """The recipe of the run, with every setting."""
        return self._story.recipe

    def save(self, path: str | os.PathLike[str], *, settings: bool = True, quality: int | None = None) -> Path:
        """Writes the picture; see `Picture.save`."""
        return self.picture.save(path, settings=settings, quality=quality)

    def report(self, path: str | os.PathLike[str]) -> Path:
        """Writes a page about the run with pictures, losses, times and settings: one .html file that needs no other."""
        path = Path(_checks.path("path", path))
        if path.suffix not in (".html", ".htm"):
            raise InvalidError(f"{path} must end in .html")
        return _checks.write_text(path, self._painting("the page").page(self._content))

    def plot(self, ax: Any = None) -> Any:
        """Draws the loss and its terms over the steps, and returns the axes. Needs matplotlib."""
        if ax is None:
            ax = _checks.module("matplotlib.pyplot", "plot()", has="subplots").subplots()[1]
        for name, values in self.terms.items():
            ax.plot(range(1, len(values) + 1), values, label=name, linewidth=1)
        ax.plot(range(1, self.steps + 1), self.losses, label="loss", color="black")
        start = 0
        for scale in self.facts["scales"][:-1]:
            start += scale["steps"]
            ax.axvline(start + 0.5, color="grey", linewidth=0.5)
        if any(value > 0 for value in self.losses):
            ax.set_yscale("log")
        ax.set_xlabel("step")
        ax.legend(fontsize="small")
        return ax

    def numpy(self, *arguments: Any, **keywords: Any) -> np.ndarray[Any, Any]:
        """A new array of the picture; see `Picture.numpy`."""
        return self.picture.numpy(*arguments, **keywords)

    def pil(self) -> Any:
        """A `PIL.Image.Image`; see `Picture.pil`."""
        return self.picture.pil()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        return self.picture.__array__(dtype, copy)

    def __repr__(self) -> str:
        width, height = self.picture.size
        return f"<Result {width}×{height}, {self.steps} steps in {self.seconds:.1f} s, {self.outcome}>"

    def _repr_html_(self) -> str:
        notes = "".join(f"<br>{html.escape(concern)}" for concern in self.concerns)
        caption = f"<figcaption>{html.escape(repr(self)[1:-1])}{notes}</figcaption>"
        return f'<figure style="margin:0">{self.picture._tag("the picture")}{caption}</figure>'
