"""Neural style transfer: paints a photograph in the style of a painting.

    import impasto

    result = impasto.stylize("@lake", "@swirls")
    result.save("lake.png")

Pictures are paths, bytes, arrays or PIL pictures; `impasto.recipes()` lists published methods, `impasto.styles()` the built-in
paintings. A network comes along, so nothing is fetched.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from . import _stylize
from ._catalogue import contents, devices, models, pull, recipes, styles
from ._documentation import document
from ._errors import ForkedError, ImpastoError, InvalidError, MissingError
from ._files import train_style, video
from ._impasto import __version__
from ._look import Encoder, Loss, gram_matrix, loss
from ._many import Comparison, Gallery, compare, gallery
from ._options import Options
from ._picture import Picture, load_img
from ._recipe import Recipe
from ._result import Result, Step
from ._settings import Settings
from ._stylize import ImpastoWarning, Stylizer, stylize

if TYPE_CHECKING:
    last_result: Result | None
    """What came of the last run that was interrupted by Ctrl-C or by an exception of its callback."""

__all__ = [
    "Comparison",
    "Encoder",
    "ForkedError",
    "Gallery",
    "ImpastoError",
    "ImpastoWarning",
    "InvalidError",
    "Loss",
    "MissingError",
    "Options",
    "Picture",
    "Recipe",
    "Result",
    "Settings",
    "Step",
    "Stylizer",
    "__version__",
    "compare",
    "contents",
    "devices",
    "gallery",
    "gram_matrix",
    "load_img",
    "loss",
    "models",
    "pull",
    "recipes",
    "styles",
    "stylize",
    "train_style",
    "video",
]

document(stylize, Stylizer.__init__, compare, gallery, loss, video, Recipe.__init__, Recipe.replace)


# Modules that are read when they are first asked for: they bring NumPy along.
_MODULES = ("courses", "ray")


def __getattr__(name: str) -> Any:
    if name == "last_result":
        return _stylize.last_result
    if name in _MODULES:
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *_MODULES, "last_result"])
