"""How a run is shown: a line on a terminal, a bar with the picture so far in a notebook, nothing elsewhere."""

from __future__ import annotations

import base64
import sys
import time
from typing import Any, Literal, Protocol

from . import _checks
from ._result import Step

# Seconds between two changes of what is shown.
_PAUSE = 0.1
# Seconds between two pictures, and their long side in pixels.
_PICTURES = 0.5
_SIDE = 384


class Display(Protocol):
    """Shows steps."""

    pause: float
    """Seconds from one that is shown to the next."""

    def show(self, step: Step) -> None:
        """Shows a step."""

    def close(self) -> None:
        """Leaves the place as it should be."""


def display(name: str, progress: bool | Literal["auto", "text", "notebook"]) -> Display | None:
    """What `progress` means here."""
    if progress is False:
        return None
    kind = "auto" if progress is True else progress
    if not isinstance(kind, str) or kind not in ("auto", "text", "notebook"):
        raise _checks.wrong(name, progress, "True, False, auto, text or notebook")
    if kind == "notebook" or (kind == "auto" and _in_notebook()):
        return Notebook()
    return Text() if "auto" != progress or _is_terminal() else None


def _in_notebook() -> bool:
    """Whether cells show what is displayed. IPython is there already if so, and is not looked for otherwise."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and type(shell).__name__ == "ZMQInteractiveShell"


def _is_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


def _words(step: Step) -> str:
    width, height = step.size
    left = f", {step.eta:.0f} s left" if step.progress < 1 else f", {step.seconds:.1f} s"
    return f"{step.progress:4.0%}  {width}×{height}  step {step.step}/{step.steps}{left}"


class Text:
    """A line that is written over."""

    pause = _PAUSE

    def __init__(self) -> None:
        self._length = 0

    def show(self, step: Step) -> None:
        line = _words(step)
        sys.stderr.write("\r" + line.ljust(self._length))
        sys.stderr.flush()
        self._length = len(line)

    def close(self) -> None:
        if self._length:
            sys.stderr.write("\r" + " " * self._length + "\r")
            sys.stderr.flush()


class Notebook:
    """A bar, and under it the picture so far: one output that is replaced. No widgets are needed."""

    pause = 0.25

    def __init__(self) -> None:
        self._handle: Any = None
        self._picture = ""
        self._drawn = 0.0

    def show(self, step: Step) -> None:
        from IPython.display import HTML, display

        now = time.monotonic()
        if now - self._drawn >= _PICTURES or step.progress >= 1:
            preview = step.preview()
            if max(preview.size) > _SIDE:
                preview = preview.resized(_SIDE)
            jpeg = base64.b64encode(preview.encode("jpg", quality=80)).decode()
            self._picture = f'<br><img alt="the picture so far" src="data:image/jpeg;base64,{jpeg}">'
            self._drawn = now
        bar = f'<progress max="1" value="{step.progress:.3f}"></progress> {_words(step)}'
        shown = HTML(f"<div>{bar}{self._picture}</div>")
        if self._handle is None:
            self._handle = display(shown, display_id=True)
        else:
            self._handle.update(shown)

    def close(self) -> None:
        if self._handle is not None:
            from IPython.display import HTML

            # The result is shown by its cell; a preview beside it would be the same picture twice.
            self._handle.update(HTML(""))
