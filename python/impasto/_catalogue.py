"""What there is: recipes, built-in pictures, networks, devices."""

from __future__ import annotations

import json
import os
from typing import Any

from . import _checks, _impasto
from ._program import Call, shows


def recipes() -> dict[str, str]:
    """The recipes that are part of impasto, published methods among them: name and sentence."""
    return dict(_impasto.recipes())


def styles() -> dict[str, str]:
    """The paintings that are part of impasto: name with its `@`, and what it shows."""
    return {name: about for name, kind, about in _impasto.pictures() if kind == "style"}


def contents() -> dict[str, str]:
    """The photos that are part of impasto, to try styles on: name with its `@`, and what it shows."""
    return {name: about for name, kind, about in _impasto.pictures() if kind == "content"}


def devices() -> dict[str, str]:
    """What can do the work on this machine: name for `device=`, and what it is."""
    return dict(_impasto.devices())


def models(models_dir: str | os.PathLike[str] | None = None) -> dict[str, Any]:
    """The networks that are installed, and those that `pull` fetches: `folder`, `known`, `installed`, `networks`, with
    purposes, licences and sizes."""
    with Call("models", "list") as call:
        call.option("json")
        call.option("models-dir", call.noted.read(_checks.path, "models_dir", models_dir))
        return json.loads(call())


def pull(name: str, *, models_dir: str | os.PathLike[str] | None = None, progress: Any = "auto") -> None:
    """Fetches a network and installs it, checked by its hash; `pull("vgg19")` is the network of the published methods.

    Raises:
        ImpastoError: it cannot be fetched; the message says how to get it by hand.
    """
    with Call("models", "pull") as call:
        call.file(call.noted.read(_checks.text, "name", name) or "")
        call.option("models-dir", call.noted.read(_checks.path, "models_dir", models_dir))
        call(show=shows(progress))
