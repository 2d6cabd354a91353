"""What a run is asked for, beside its pictures: keyword arguments, as the library takes them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from . import _impasto
from ._arrays import raw_source
from ._errors import InvalidError
from ._recipe import Recipe, texts
from ._settings import Settings

if TYPE_CHECKING:
    from ._arrays import PictureLike

    StyleLike = PictureLike | Sequence[PictureLike | tuple[PictureLike, float]] | Mapping[str, float] | None


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
    memory: int | None
    tile: int | None


class Options(RunOptions, Settings, total=False):
    """Everything about a run but its pictures."""


# What each option is, in a sentence.
ABOUT = {
    "recipe": "A published method by name, a file, or a `Recipe`; `impasto.recipes()` lists those. Settings change it.",
    "quality": "How much work goes into the picture, where no recipe is chosen; default: normal.",
    "settings_from": "A picture of impasto's whose settings are taken; others change them.",
    "init": "What to start from: content, noise, mixed, style (noise in the styles' colours), a network's name, or a picture.",
    "mask": "Where it is painted: white; black keeps the photo.",
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
    "memory": "Bytes that may be used: larger pictures are worked on in strips; default: 90 % of what is free.",
    "tile": "Work in strips of about so many rows, whatever the memory; the picture is the same.",
}

_NETWORK = ("encoder", "preprocessing", "models_dir", "device", "threads", "precision")
_PICTURES = ("mask", "style_strength", "content_mask", "region_map", "palette")


def network_args(options: Mapping[str, Any]) -> dict[str, Any]:
    """The network that looks, and the device."""
    args = {key: options.get(key) for key in _NETWORK}
    if args["encoder"] is not None:
        args["encoder"] = os.fspath(args["encoder"])
    return args


def run_args(options: Mapping[str, Any]) -> dict[str, Any]:
    """The run, as the library takes it."""
    own = RunOptions.__annotations__
    settings = {key: value for key, value in options.items() if key not in own}
    given = {key: options.get(key) for key in own}
    start, init = _start(given["init"])
    recipe, model = given["recipe"], given["model"]
    return {
        "recipe": recipe._raw if isinstance(recipe, Recipe) else None if recipe is None else os.fspath(recipe),
        "quality": given["quality"],
        "settings_from": _source(given["settings_from"], "settings_from"),
        "changes": texts(settings),
        "init": init,
        "start": start,
        **{key: _source(given[key], key) for key in _PICTURES},
        "regions": [_region(region) for region in given["regions"] or ()],
        "style_masks": [raw_source(mask, "style mask") for mask in given["style_masks"] or ()],
        "model": None if model is None else os.fspath(model),
        "network": network_args(given),
        "memory": given["memory"],
        "tile": given["tile"],
    }


def _source(picture: Any, name: str) -> Any:
    return None if picture is None else raw_source(picture, name)


def _start(init: Any) -> tuple[Any, str | None]:
    """The picture to start from, or the name of what to start from."""
    if init is None:
        return None, None
    if isinstance(init, str) and init in _impasto.Recipe.starts():
        return None, init
    return raw_source(init, "start"), None


def _region(region: Sequence[Any]) -> tuple[Any, Any, float]:
    """Region, style and weight."""
    if not isinstance(region, (tuple, list)) or len(region) not in (2, 3):
        raise InvalidError("a region is (mask, style) or (mask, style, weight)")
    place, style = region[0], raw_source(region[1], "style")
    weight = float(region[2]) if len(region) == 3 else 1.0
    if isinstance(place, str) and place.startswith("#"):
        digits = place[1:] if len(place) == 7 else "".join(2 * digit for digit in place[1:])
        try:
            color = tuple(bytes.fromhex(digits))
        except ValueError:
            color = ()
        if len(color) != 3:
            raise InvalidError(f"the region {place!r} must be a colour such as #ff8000 or #f80")
        return color, style, weight
    return raw_source(place, "mask"), style, weight


def styles(style: Any) -> list[tuple[Any, float]]:
    """Styles, each with its weight."""
    if style is None:
        return []
    if isinstance(style, Mapping):
        return [(raw_source(one, "style"), float(weight)) for one, weight in style.items()]
    if isinstance(style, tuple) and len(style) == 2 and isinstance(style[1], (int, float)):
        style = [style]
    if isinstance(style, (list, tuple)):
        return [_weighted(one) for one in style]
    return [(raw_source(style, "style"), 1.0)]


def _weighted(style: Any) -> tuple[Any, float]:
    if isinstance(style, tuple) and len(style) == 2 and isinstance(style[1], (int, float)):
        return raw_source(style[0], "style"), float(style[1])
    return raw_source(style, "style"), 1.0
