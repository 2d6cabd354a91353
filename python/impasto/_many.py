"""Several pictures beside each other: recipes compared, contents in styles."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import _checks, _impasto
from ._checks import Noted
from ._errors import InvalidError
from ._options import Options, picture, read_styles, stylizer
from ._picture import Picture
from ._program import Call, plain, shows
from ._recipe import Recipe, recipe_name
from ._result import Result, Step
from ._stylize import Stylizer

if TYPE_CHECKING:
    from typing import Unpack

    from ._arrays import PictureLike
    from ._options import StyleLike

    Callback = Callable[[Step], bool | None]


class Sheet:
    """Pictures beside each other: one picture with labels, and a page. Notebooks show it."""

    def __init__(self, picture: Picture, page: str) -> None:
        self.picture: Picture = picture
        """The labelled picture."""
        self._page = page

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Writes the page, if the path ends in .html, or the picture."""
        path = Path(_checks.path("path", path))
        return _checks.write_text(path, self._page) if path.suffix in (".html", ".htm") else self.picture.save(path)

    def _repr_html_(self) -> str:
        return self.picture._tag(repr(self))


class Comparison(Sheet, Mapping[str, Result]):
    """Recipes on one content, side by side: results by the recipes' names."""

    def __init__(self, picture: Picture, page: str, results: dict[str, Result]) -> None:
        super().__init__(picture, page)
        self._results = results

    def __getitem__(self, name: str) -> Result:
        return self._results[name]

    def __iter__(self) -> Any:
        return iter(self._results)

    def __len__(self) -> int:
        return len(self._results)

    def __repr__(self) -> str:
        return f"<Comparison of {', '.join(self)}>"


class Gallery(Sheet):
    """Every content in every style."""

    def __init__(self, picture: Picture, page: str, results: list[list[Result]]) -> None:
        super().__init__(picture, page)
        self.results: list[list[Result]] = results
        """Row by row: `results[content][style]`."""

    def __getitem__(self, place: tuple[int, int]) -> Result:
        return self.results[place[0]][place[1]]

    def __repr__(self) -> str:
        return f"<Gallery of {len(self.results)} × {len(self.results[0])}>"


def compare(
    content: PictureLike,
    style: StyleLike,
    recipes: Sequence[str | Recipe] | Mapping[str, Recipe],
    *,
    callback: Callback | None = None,
    progress: Any = "auto",
    **options: Unpack[Options],
) -> Comparison:
    """Paints one content by several recipes, each checked before the first is run.

    Args:
        content: the photo.
        style: the paintings.
        recipes: names or recipes, or a dictionary of names for them.
        callback, progress: as of `stylize`.
        options: are the same for all.

    Raises:
        InvalidError: with everything that is wrong.
    """
    noted = Noted()
    named = noted.read(_named, "recipes", () if recipes is None else recipes) or {}
    if options.get("recipe") is not None or options.get("quality") is not None:
        noted.note(InvalidError("recipes are compared: neither recipe nor quality goes with that"))
    sources = noted.each(picture, "content", [content])
    paintings = read_styles(noted, style)
    stylizers: dict[str, Stylizer] = {}
    for name, recipe in named.items():
        try:
            stylizers[name] = Stylizer._made(stylizer(paintings, {**options, "recipe": recipe}))
        except InvalidError as error:
            noted.note(InvalidError([f"{name}: {problem}" for problem in error.problems]))
    noted.end()
    results = {name: one(content, callback=callback, progress=progress) for name, one in stylizers.items()}
    made = [(name, result._raw) for name, result in results.items() if result._raw is not None]
    sheet, page = _impasto.comparison(sources[0], [one for one, _ in paintings or ()], made)
    return Comparison(Picture._of(sheet), page, results)


def _named(name: str, recipes: Any) -> dict[str, str | Recipe]:
    """Recipes by their names."""
    if isinstance(recipes, Mapping) and not isinstance(recipes, Recipe):
        named = {_checks.text(f"a name of {name}", key): _one(name, recipe) for key, recipe in recipes.items()}
    else:
        named = {}
        for number, recipe in enumerate(_checks.sequence(name, recipes, "a list of names and recipes"), 1):
            given = recipe.name if isinstance(recipe, Recipe) else _one(name, recipe)
            stem = Path(given).stem or f"recipe {number}"
            if stem in named:
                raise InvalidError(f"{stem} is given twice: name them by a dictionary")
            named[stem] = recipe
    if not named:
        raise InvalidError("recipes is empty: name at least one")
    return named


def _one(name: str, recipe: Any) -> Any:
    return recipe if isinstance(recipe, Recipe) else recipe_name(f"one of {name}", recipe)


def gallery(
    contents: Sequence[PictureLike],
    styles: Sequence[PictureLike],
    out_dir: str | os.PathLike[str] | None = None,
    *,
    shard: tuple[int, int] | None = None,
    callback: Callback | None = None,
    progress: Any = "auto",
    **options: Unpack[Options],
) -> Gallery | Path:
    """Paints every content in every style.

    Args:
        contents: the photos.
        styles: the paintings.
        out_dir: a folder for pictures, grid and page, as `impasto gallery` makes it; what is finished there is kept. Without
            one the results are kept in memory.
        shard: (i, n) paints the i-th of n parts alone, from 1; several machines may share a folder. Goes with `out_dir`.
        callback, progress: as of `stylize`; with a folder, progress alone.
        options: how it is painted, and on what.

    Returns:
        The gallery, or the folder.
    """
    noted = Noted()
    rows = noted.read(_checks.pictures, "contents", () if contents is None else contents) or []
    columns = noted.read(_checks.pictures, "styles", () if styles is None else styles) or []
    part = noted.read(_checks.pair("(i, n), the i-th of n parts", 1), "shard", shard)
    if shard is not None and out_dir is None:
        noted.note(InvalidError("shard goes with out_dir"))
    sources = noted.each(picture, "contents", rows)
    heads = noted.each(picture, "styles", columns)
    if out_dir is not None:
        return _into_folder(noted, sources, heads, out_dir, part, progress, options)
    noted.end()
    painted = []
    for head in heads:
        made = Stylizer._made(stylizer([(head, 1.0)], options))
        painted.append([made(source, callback=callback, progress=progress) for source in sources])
    results = [list(row) for row in zip(*painted, strict=True)]
    cells = [result._raw for row in results for result in row]
    sheet, page = _impasto.gallery(sources, heads, cells)
    return Gallery(Picture._of(sheet), page, results)


def _into_folder(
    noted: Noted,
    contents: list[Any],
    styles: list[Any],
    out_dir: Any,
    shard: tuple[int, int] | None,
    progress: Any,
    options: Any,
) -> Path:
    with Call("gallery", noted=noted) as call:
        folder = noted.read(_checks.path, "out_dir", out_dir) or ""
        call.run(options)
        for number, content in enumerate(contents, 1):
            call.file(call.picture(content, f"content-{number}"))
        call.styles((style, 1.0) for style in styles)
        call.option("out-dir", plain(folder))
        if shard is not None:
            call.option("shard", f"{shard[0]}/{shard[1]}")
        call(show=shows(progress), result=folder)
    return Path(folder)
