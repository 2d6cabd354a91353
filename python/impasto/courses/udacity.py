"""Udacity's notebook, "Style Transfer" of its deep-learning course: its names and defaults over `Recipe("udacity")`.

Tensors are NumPy arrays, `[1, 3, h, w]` of float32, normalised as torchvision does.

    content = load_image("@lake")
    style = load_image("@swirls", shape=content.shape[-2:])
    target = style_transfer(content, style, steps=2000, show_every=400)
    im_convert(target)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .._picture import Picture
from .._stylize import stylize
from . import _common

if TYPE_CHECKING:
    from .._arrays import PictureLike
    from .._result import Step

    Array = np.ndarray[Any, Any]

__all__ = [
    "content_weight",
    "get_features",
    "gram_matrix",
    "im_convert",
    "load_image",
    "show_every",
    "steps",
    "style_transfer",
    "style_weight",
    "style_weights",
    "vgg",
]

RECIPE = "udacity"

style_weights = {"conv1_1": 1.0, "conv2_1": 0.75, "conv3_1": 0.2, "conv4_1": 0.2, "conv5_1": 0.2}
content_weight = 1
style_weight = 1e6
show_every = 400
steps = 2000
vgg = None
"""Stands for the network, which impasto chooses."""


__getattr__ = _common.absent(
    __name__,
    {
        "optimizer": "style_transfer(content, style, target) has the notebook's loop and its Adam in it",
        "device": "impasto chooses what does the work; .to(anything) is the tensor itself",
    },
)

# The notebook's layers, by torchvision's numbers.
_LAYERS = {"0": "conv1_1", "5": "conv2_1", "10": "conv3_1", "19": "conv4_1", "21": "conv4_2", "28": "conv5_1"}
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)


def load_image(img_path: PictureLike, max_size: int = 400, shape: tuple[int, int] | None = None) -> Array:
    """Reads a picture, its long side at most `max_size` pixels, or of height and width `shape`: `[1, 3, h, w]`, normalised."""
    picture = Picture(img_path)
    if shape is not None:
        height, width = shape
        picture = picture.resized(size=(width, height))
    elif max(picture.size) > max_size:
        picture = picture.resized(max_size)
    array = (_common.batch(picture) - _MEAN) / _DEVIATION
    return array.transpose(0, 3, 1, 2).view(_common.Tensor)


def im_convert(tensor: Any) -> Array:
    """The picture of a normalised tensor: `[h, w, 3]` in 0..1."""
    array = np.asarray(tensor)
    array = array[0] if array.ndim == 4 else array
    return np.clip(array.transpose(1, 2, 0) * _DEVIATION + _MEAN, 0, 1)


def get_features(image: Any, model: Any = None, layers: Mapping[str, str] | None = None) -> dict[str, _common.Tensor]:
    """What layers see of a normalised image: `[1, c, h, w]` by name. `model` is the network, which impasto chooses; `layers` are
    names by torchvision's numbers."""
    del model
    names = (_LAYERS if layers is None else layers).values()
    return _common.features(im_convert(image), names, "chw")


def gram_matrix(tensor: Any) -> Array:
    """F·Fᵀ of features `[1, d, h, w]`: `[d, d]`."""
    array = np.asarray(tensor)
    flat = array.reshape(array.shape[1], -1)
    return flat @ flat.T


def style_transfer(
    content: Any,
    style: Any,
    target: Any = None,
    *,
    steps: int = steps,
    style_weights: Mapping[str, float] = style_weights,
    content_weight: float = content_weight,
    style_weight: float = style_weight,
    show_every: int | None = None,
    show: Callable[[Array], None] | None = None,
) -> Array:
    """The notebook's loop in one call: `[1, 3, h, w]`, normalised.

    Args:
        content, style: normalised tensors.
        target: what to start from; the content unless given.
        steps: steps of Adam.
        style_weights: of each layer.
        content_weight, style_weight: the weights.
        show_every: print the total loss every so many steps, and hand the picture so far to `show`.
        show: is called with a picture of `[h, w, 3]`.
    """
    taken = 0

    def callback(step: Step) -> None:
        nonlocal taken
        taken += 1
        if show_every is not None and taken % show_every == 0:
            print("Total loss: ", step.loss)
            if show is not None:
                show(step.preview().numpy("float32"))

    result = stylize(
        im_convert(content),
        im_convert(style),
        recipe=RECIPE,
        size="original",
        init=None if target is None else im_convert(target),
        steps=steps,
        content_weight=content_weight,
        style_weight=style_weight,
        callback=callback if show_every is not None else None,
        **_common.layer_options(RECIPE, "style", style_weights),
    )
    array = (_common.batch(result.picture) - _MEAN) / _DEVIATION
    return array.transpose(0, 3, 1, 2)
