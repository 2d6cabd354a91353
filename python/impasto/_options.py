"""What a run is asked for, beside its pictures: keyword arguments, as the library takes them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from . import _checks, _impasto
from ._arrays import raw_source
from ._checks import Noted
from ._errors import InvalidError
from ._recipe import Recipe, recipe_name, texts
from ._settings import Settings

if TYPE_CHECKING:
    from ._arrays import PictureLike

    StyleLike = PictureLike | Sequence[PictureLike | tuple[PictureLike, float]] | Mapping[Any, float] | None


class RunOptions(TypedDict, total=False):
    """How something is painted, and on what, beside the settings of its recipe; `ABOUT` says what each is."""

    recipe: str | os.PathLike[str] | Recipe | None
    quality: Literal["instant", "draft", "normal", "fine", "best"] | None
    settings_from: PictureLike | None
    init: PictureLike | Literal["content", "noise", "mixed", "style", "paint"] | None
    mask: PictureLike | None
    style_strength: PictureLike | None
    content_mask: PictureLike | None
    regions: Sequence[tuple[Any, ...]] | None
    region_map: PictureLike | None
    style_masks: Sequence[PictureLike] | None
    palette: PictureLike | None
    model: str | os.PathLike[str] | None
    encoder: str | os.PathLike[str] | None
    preprocessing: Literal["torch", "caffe", "plain"] | None
    models_dir: str | os.PathLike[str] | None
    device: str | None
    threads: int | None
    precision: Literal["strict", "f32", "bf16", "f16"] | None
    memory: int | str | None
    tile: int | None


class Options(RunOptions, Settings, total=False):
    """Everything about a run but its pictures."""


# What each option is, in a sentence.
ABOUT = {
    "recipe": "A published method by name, a file, or a `Recipe`; `impasto.recipes()` lists those. Settings change it.",
    "quality": "How much work goes into the picture, where no recipe is chosen; default: normal.",
    "settings_from": "A picture of impasto's whose settings are taken; others change them.",
    "init": "What to start from: content, noise, mixed, style (noise in the styles' colours), a network's name, or a picture.",
    "mask": "Where it is painted: white, or True, or 1 of whole numbers 0 and 1; black keeps the photo.",
    "style_strength": "White is drawn towards the style in full, black not at all.",
    "content_mask": "White holds on to the photo in full, black not at all.",
    "regions": "(mask, style) or (mask, style, weight) each; with `region_map`, mask is a colour such as `'#ff0000'`.",
    "region_map": "A picture with a colour for each region.",
    "style_masks": "What of the first style, the second, … is looked at: white.",
    "palette": "The picture that colours are taken from instead of the content.",
    "model": "The network that paints: an installed model, or a file or folder of weights.",
    "encoder": "The network that looks: lite (built in), an installed model such as vgg19, or a file; default: vgg19 if installed, else lite.",
    "preprocessing": "What a file of weights expects of the image; default: told from the file.",
    "models_dir": "The folder of models; default: the usual one.",
    "device": "auto, cpu, gpu, gpu:N or reference.",
    "threads": "Threads of the cpu; the result does not depend on them; default: one per processor.",
    "precision": "Accuracy of convolutions: strict, f32 or bf16 on the cpu, f32 or f16 on a gpu.",
    "memory": "How much may be used, in bytes or as '3GB': larger pictures are worked on in strips; default: 90 % of what is free.",
    "tile": "Work in strips of about so many rows, whatever the memory; the picture is the same.",
}

def picture(name: str, value: Any) -> Any:
    """What stands for a picture."""
    return _named(name, lambda: raw_source(value, name.replace("_", " ")))


def mask(name: str, value: Any) -> Any:
    """What stands for a mask: whole numbers of 0 and 1 are taken as bool."""
    return _named(name, lambda: raw_source(value, name.replace("_", " "), is_mask=True))


def _named(name: str, read: Callable[[], Any]) -> Any:
    """What is read; what is wrong with it names the argument."""
    try:
        return read()
    except InvalidError as error:
        raise InvalidError([f"{name}: {problem}" for problem in error.problems]) from error.__cause__


# How each option is read; the rest are pictures, or have functions of their own.
_READERS: dict[str, Callable[[str, Any], Any]] = {
    "quality": _checks.text,
    "encoder": _checks.path,
    "model": _checks.path,
    "models_dir": _checks.path,
    "preprocessing": _checks.text,
    "device": _checks.text,
    "threads": _checks.whole(1),
    "precision": _checks.text,
    "tile": _checks.whole(1),
    "settings_from": picture,
    "palette": picture,
    "region_map": picture,
    "mask": mask,
    "style_strength": mask,
    "content_mask": mask,
}
_NETWORK = ("encoder", "preprocessing", "models_dir", "device", "threads", "precision")


def network_args(options: Mapping[str, Any], noted: Noted) -> dict[str, Any]:
    """The network that looks, and the device, with all that was noted."""
    args = {key: noted.read(_READERS[key], key, options.get(key)) for key in _NETWORK}
    return {**args, "problems": noted.problems}


def run_args(options: Mapping[str, Any], noted: Noted | None = None) -> dict[str, Any]:
    """The run, as the library takes it. What cannot be goes along, so that it is told with everything else that is wrong."""
    noted = Noted() if noted is None else noted
    own = RunOptions.__annotations__
    changes = texts({key: value for key, value in options.items() if key not in own}, noted)
    given = {key: noted.read(reader, key, options.get(key)) for key, reader in _READERS.items() if key not in _NETWORK}
    start, init = noted.read(_start, "init", options.get("init")) or (None, None)
    regions = noted.read(_regions, "regions", options.get("regions")) or ()
    masks = noted.read(_checks.several, "style_masks", options.get("style_masks")) or ()
    return {
        **given,
        "recipe": noted.read(_recipe, "recipe", options.get("recipe")),
        "changes": changes,
        "init": init,
        "start": start,
        "regions": noted.each(_region, "regions", regions),
        "style_masks": noted.each(mask, "style_masks", masks),
        "memory": noted.read(_memory, "memory", options.get("memory")),
        # Last: it takes along what was noted.
        "network": network_args(options, noted),
    }


def read_styles(noted: Noted, style: Any) -> list[tuple[Any, float]] | None:
    """Styles, each with its weight; `None` if they are wrong, which is noted."""
    return [] if style is None else noted.read(_styles, "style", style)


def stylizer(
    styles: list[tuple[Any, float]] | None,
    options: Mapping[str, Any],
    noted: Noted | None = None,
    content: Any = None,
    *,
    is_identified: bool = False,
) -> _impasto.Stylizer:
    """What paints by these arguments; `styles` are as `read_styles` has them, and `content`, which it is to paint first, as
    `picture` has it. What is wrong with any of them, or was noted before, is raised at once."""
    return _impasto.Stylizer(styles, run_args(options, noted), content, is_identified)


def _recipe(name: str, value: Any) -> Any:
    return value._raw if isinstance(value, Recipe) else recipe_name(name, value)


def _memory(name: str, value: Any) -> int | str:
    """Bytes, or a text such as 3GB, which the library reads."""
    return value if isinstance(value, str) else _checks.whole(1)(name, value)


def _start(name: str, init: Any) -> tuple[Any, str | None]:
    """The picture to start from, or the name of what to start from."""
    if isinstance(init, str) and init in _impasto.Recipe.starts():
        return None, init
    return picture(name, init), None


def _regions(name: str, value: Any) -> Sequence[Any]:
    return _checks.sequence(name, value, "a list of (mask, style) or (mask, style, weight)")


def _region(name: str, region: Any) -> tuple[Any, Any, float]:
    """Region, style and weight."""
    if not isinstance(region, (tuple, list)) or len(region) not in (2, 3):
        raise InvalidError(f"{name}: a region is (mask, style) or (mask, style, weight), not {_checks.shown(region)}")
    place, style = region[0], picture(name, region[1])
    weight = _checks.number("the weight of a region", region[2]) if len(region) == 3 else 1.0
    if isinstance(place, str) and place.startswith("#"):
        digits = place[1:] if len(place) == 7 else "".join(2 * digit for digit in place[1:])
        try:
            color = tuple(bytes.fromhex(digits))
        except ValueError:
            color = ()
        if len(color) != 3:
            raise InvalidError(f"the region {place!r} must be a colour such as #ff8000 or #f80")
        return color, style, weight
    return mask(name, place), style, weight


def _styles(name: str, style: Any) -> list[tuple[Any, float]]:
    """Styles, each with its weight; all that is wrong with them is raised."""
    if isinstance(style, Mapping):
        pairs = list(style.items())
    elif isinstance(style, (list, tuple)) and not _is_weighted(style):
        pairs = [one if _is_weighted(one) else (one, 1.0) for one in style]
    else:
        pairs = [style if _is_weighted(style) else (style, 1.0)]
    noted = Noted()
    read = noted.each(_style, name, pairs)
    noted.end()
    return read


def _style(name: str, pair: tuple[Any, Any]) -> tuple[Any, float]:
    one, weight = pair
    return picture(name, one), _checks.number(f"the weight of style {_checks.shown(one)}", weight)


def _is_weighted(value: Any) -> bool:
    """Whether it is a tuple of a picture and a number."""
    if not (isinstance(value, tuple) and len(value) == 2):
        return False
    return isinstance(value[1], (int, float)) or (hasattr(value[1], "dtype") and getattr(value[1], "ndim", 1) == 0)
