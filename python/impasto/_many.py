"""Several pictures beside each other: recipes compared, contents in styles."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import _impasto, _program
from ._arrays import raw_source
from ._errors import InvalidError
from ._options import Options, run_args, styles
from ._picture import Picture
from ._recipe import Recipe
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
        path = Path(path)
        if path.suffix not in (".html", ".htm"):
            return self.picture.save(path)
        path.write_text(self._page, encoding="utf-8")
        return path

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
    named = _named(recipes)
    if options.get("recipe") is not None or options.get("quality") is not None:
        raise InvalidError("recipes are compared: neither recipe nor quality goes with that")
    source = raw_source(content, "content")
    stylizers: dict[str, Stylizer] = {}
    problems = []
    for name, recipe in named.items():
        try:
            stylizers[name] = Stylizer._checked(None, style, {**options, "recipe": recipe})
        except InvalidError as error:
            problems += [f"{name}: {problem}" for problem in error.problems]
    if problems:
        raise InvalidError(problems)
    results = {
        name: stylizer(content, callback=callback, progress=progress) for name, stylizer in stylizers.items()
    }
    paintings = [(name, result._raw) for name, result in results.items()]
    picture, page = _impasto.comparison(source, [one for one, _ in styles(style)], paintings)
    return Comparison(Picture._of(picture), page, results)


def _named(recipes: Sequence[str | Recipe] | Mapping[str, Recipe]) -> dict[str, str | Recipe]:
    if isinstance(recipes, str):
        raise InvalidError("recipes is a list of names and recipes")
    if isinstance(recipes, Mapping):
        return dict(recipes)
    named: dict[str, str | Recipe] = {}
    for number, recipe in enumerate(recipes, 1):
        given = recipe.name if isinstance(recipe, Recipe) else os.fspath(recipe)
        name = Path(given).stem or f"recipe {number}"
        if name in named:
            raise InvalidError(f"{name} is given twice: name them by a dictionary")
        named[name] = recipe
    if not named:
        raise InvalidError("recipes is empty: name at least one")
    return named


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
    contents, styles = list(contents), list(styles)
    if not contents or not styles:
        raise InvalidError("a gallery needs a content and a style at least")
    if out_dir is not None:
        return _into_folder(contents, styles, Path(out_dir), shard, progress, options)
    if shard is not None:
        raise InvalidError("shard goes with out_dir")
    columns = []
    for style in styles:
        stylizer = Stylizer(style, **options)
        columns.append([stylizer(content, callback=callback, progress=progress) for content in contents])
    results = [list(row) for row in zip(*columns, strict=True)]
    cells = [result._raw for row in results for result in row]
    rows = [raw_source(content, f"content-{number}") for number, content in enumerate(contents, 1)]
    heads = [raw_source(style, f"style-{number}") for number, style in enumerate(styles, 1)]
    picture, page = _impasto.gallery(rows, heads, cells)
    return Gallery(Picture._of(picture), page, results)


def _into_folder(
    contents: list[Any],
    styles: list[Any],
    folder: Path,
    shard: tuple[int, int] | None,
    progress: Any,
    options: Any,
) -> Path:
    words, open_files = _program.options(run_args(options))
    with open_files as temporary:
        files = Path(temporary)
        for number, content in enumerate(contents, 1):
            words.append(_program.as_file(raw_source(content), files, f"content-{number}"))
        for number, style in enumerate(styles, 1):
            words += ["--style", _program.as_file(raw_source(style), files, f"style-{number}")]
        words += ["--out-dir", os.fspath(folder)]
        if shard is not None:
            words += ["--shard", f"{shard[0]}/{shard[1]}"]
        _program.call(["gallery", *words], show=_program.shows(progress))
    return folder
