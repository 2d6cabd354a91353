"""Recipes: every number of a method."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import _arrays, _checks, _impasto
from ._checks import Noted
from ._errors import InvalidError
from ._settings import Settings

if TYPE_CHECKING:
    from typing import Unpack

    from ._arrays import PictureLike


class Recipe(Mapping[str, Any]):
    """Every number of a method, as data: a mapping of its settings by keyword, those of other methods and optimisers left out.
    It never changes; `replace` makes another one."""

    __slots__ = ("_raw", "name")

    _raw: _impasto.Recipe
    name: str
    """The name or file that it was read from; may be empty."""

    def __init__(self, name: str | os.PathLike[str] | Recipe = "impasto", **settings: Unpack[Settings]) -> None:
        """The recipe of a name, such as `"gatys2016"`, or of a TOML file, with settings changed.

        Raises:
            InvalidError: there is no such recipe, or with everything that is wrong with the settings.
        """
        if isinstance(name, Recipe):
            self._raw, self.name = name._raw, name.name
        else:
            self.name = recipe_name("name", name)
            self._raw = _impasto.Recipe.named(self.name)
        if settings:
            self._raw = _changed(self._raw, settings)

    @classmethod
    def _of(cls, raw: _impasto.Recipe, name: str = "") -> Recipe:
        recipe = cls.__new__(cls)
        recipe._raw, recipe.name = raw, name
        return recipe

    @classmethod
    def parse(cls, text: str) -> Recipe:
        """The recipe of the text of a TOML file."""
        return cls._of(_impasto.Recipe.parse(_checks.text("text", text)))

    @classmethod
    def from_picture(cls, picture: PictureLike) -> Recipe:
        """The recipe that a picture was made with, as its file says it.

        Raises:
            InvalidError: the picture says nothing of that.
        """
        return cls._of(_impasto.Recipe.of_picture(_arrays.raw_source(picture)))

    def replace(self, **settings: Unpack[Settings]) -> Recipe:
        """The recipe with settings changed; `recipe.replace(content_weight=5, optimizer="adam")`.

        Raises:
            InvalidError: lists every setting that there is not, and every value that cannot be.
        """
        return self._of(_changed(self._raw, settings))

    @property
    def about(self) -> str:
        """What it is, in a sentence; may be empty."""
        return self._raw.about

    @property
    def settings(self) -> dict[str, Any]:
        """Its settings by keyword; those of other methods and optimisers are not among them."""
        return self._raw.values()

    def __getitem__(self, setting: str) -> Any:
        return self.settings[setting]

    def __iter__(self) -> Iterator[str]:
        return iter(self.settings)

    def __len__(self) -> int:
        return len(self.settings)

    def diff(self, other: Recipe | str) -> dict[str, tuple[Any, Any]]:
        """Where it differs from another one: both values by keyword, `None` for a setting that one of them lacks."""
        here = self.settings
        there = Recipe(other).settings
        keywords = list(here) + [keyword for keyword in there if keyword not in here]
        pairs = {keyword: (here.get(keyword), there.get(keyword)) for keyword in keywords}
        return {keyword: pair for keyword, pair in pairs.items() if pair[0] != pair[1]}

    def to_toml(self, about: str | None = None) -> str:
        """The text of its file, with every setting; `about` is its sentence."""
        return self._raw.to_toml(about)

    def save(self, path: str | os.PathLike[str], about: str | None = None) -> Path:
        """Writes a TOML file that `Recipe(path)` and the program read."""
        path = Path(_checks.path("path", path))
        if path.suffix != ".toml":
            raise InvalidError(f"{path} must end in .toml")
        return _checks.write_text(path, self.to_toml(about))

    def __eq__(self, other: object) -> bool:
        return self._raw == other._raw if isinstance(other, Recipe) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.to_toml(""))

    def __reduce__(self) -> tuple[Any, ...]:
        return (Recipe.parse, (self.to_toml(),))

    def __repr__(self) -> str:
        return f"<Recipe {self.name or self.about or 'of its own'}>"


def recipe_name(name: str, value: Any) -> str:
    """The name or file of a recipe."""
    if not isinstance(value, (str, os.PathLike)):
        raise _checks.wrong(name, value, "the name of a recipe, a file or a Recipe")
    return _checks.text(name, _checks.path(name, value))


def _changed(raw: _impasto.Recipe, settings: Mapping[str, Any]) -> _impasto.Recipe:
    """A recipe with settings changed; everything that is wrong with them is raised at once."""
    noted = Noted()
    try:
        raw = raw.change(texts(settings, noted))
    except InvalidError as error:
        noted.note(error)
    noted.end()
    return raw


def texts(settings: Mapping[str, Any], noted: Noted) -> list[tuple[str, str]]:
    """Settings as the library reads them: each as one text. `None` leaves a setting as it is."""
    read = {name: noted.read(_text, name, value) for name, value in settings.items()}
    return [(name, value) for name, value in read.items() if value is not None]


def _text(name: str, value: Any) -> str:
    """A value as command lines have it."""
    if isinstance(value, str):
        return _checks.text(name, value)
    if isinstance(value, bool) or type(value).__name__ in ("bool_", "bool"):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return ",".join(f"{layer}:{_text(name, weight)}" for layer, weight in value.items())
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
        # A number of NumPy's.
        value = value.item()
    try:
        if isinstance(value, (int, float)):
            return repr(value)
        if isinstance(value, (bytes, bytearray)):
            raise TypeError
        items = list(value)
    except (TypeError, ValueError):
        raise InvalidError(
            f"{name} is {_checks.shown(value)}: a setting is a number, a text, a list or a dictionary"
        ) from None
    return ",".join(_text(name, item) for item in items)
