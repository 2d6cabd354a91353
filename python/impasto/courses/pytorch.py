"""PyTorch's tutorial, "Neural Transfer Using PyTorch": its names and defaults over `Recipe("pytorch")`.

Tensors are NumPy arrays, `[1, 3, h, w]` of float32 in 0..1; tensors of torch are taken as well.

    content_img, style_img = image_loader("@lake"), image_loader("@swirls")
    output = run_style_transfer(content_img, style_img, content_img.clone())
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _checks
from .._errors import InvalidError
from .._picture import Picture
from .._stylize import stylize
from . import _common

if TYPE_CHECKING:
    from .._arrays import PictureLike

    Array = np.ndarray[Any, Any]

__all__ = [
    "ContentLoss",
    "StyleLoss",
    "cnn",
    "cnn_normalization_mean",
    "cnn_normalization_std",
    "content_layers_default",
    "gram_matrix",
    "image_loader",
    "imshow",
    "imsize",
    "run_style_transfer",
    "style_layers_default",
]

RECIPE = "pytorch"

# As the tutorial has it without a GPU.
imsize = 128
content_layers_default = ["conv_4"]
style_layers_default = ["conv_1", "conv_2", "conv_3", "conv_4", "conv_5"]
cnn_normalization_mean = (0.485, 0.456, 0.406)
cnn_normalization_std = (0.229, 0.224, 0.225)
cnn = None
"""Stands for the network, which impasto chooses."""


__getattr__ = _common.absent(
    __name__,
    {
        "get_style_model_and_losses": "impasto.loss(image, content, style, recipe=\"pytorch\") is the loss and its terms",
        "get_input_optimizer": "run_style_transfer has the tutorial's L-BFGS in it",
        "Normalization": "the network does that itself",
        "loader": "image_loader reads a picture and makes it smaller",
        "unloader": "impasto.Picture(tensor) is the picture of a tensor, and its .pil() one of PIL",
        "device": "impasto chooses what does the work",
    },
)


def image_loader(image_name: PictureLike, imsize: int = imsize) -> Array:
    """Reads a picture with a short side of `imsize` pixels: `[1, 3, h, w]` of float32 in 0..1. Content and style of the tutorial
    have one size; here they need not."""
    picture = Picture(image_name)
    scale = _checks.whole(1, 32768)("imsize", imsize) / min(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return _common.batch(picture.resized(size=size), "chw").view(_common.Tensor)


def imshow(tensor: Any, title: str | None = None) -> None:
    """Draws a picture. Needs matplotlib."""
    _common.show(tensor, title)


def gram_matrix(input: Any) -> Array:
    """The Gram matrix of features `[a, b, c, d]`, over a·b·c·d: `[a·b, a·b]`."""
    array = np.asarray(input)
    a, b, c, d = array.shape
    features = array.reshape(a * b, c * d)
    return features @ features.T / (a * b * c * d)


class ContentLoss:
    """The mean of squared differences to a target."""

    def __init__(self, target: Any) -> None:
        self.target = np.asarray(target)
        self.loss = 0.0

    def __call__(self, input: Any) -> Any:
        """Notes the loss of the input as `loss`, and hands the input on."""
        self.loss = float(np.mean((np.asarray(input) - self.target) ** 2))
        return input

    forward = __call__


class StyleLoss:
    """The mean of squared differences of Gram matrices."""

    def __init__(self, target_feature: Any) -> None:
        self.target = gram_matrix(target_feature)
        self.loss = 0.0

    def __call__(self, input: Any) -> Any:
        """Notes the loss of the input as `loss`, and hands the input on."""
        self.loss = float(np.mean((gram_matrix(input) - self.target) ** 2))
        return input

    forward = __call__


def run_style_transfer(
    *images: Any,
    num_steps: int = 300,
    style_weight: float = 1000000,
    content_weight: float = 1,
    content_layers: Sequence[str] = tuple(content_layers_default),
    style_layers: Sequence[str] = tuple(style_layers_default),
    callback: Any = None,
) -> Array:
    """Paints: `[1, 3, h, w]` of float32 in 0..1.

    Args:
        images: `content_img, style_img`, and perhaps `input_img`, the picture to start from; or as the tutorial has it, with
            `cnn, normalization_mean, normalization_std` before them, which are what the network needs anyway.
        num_steps: evaluations of L-BFGS; the tutorial counts to a multiple of its twenty.
        style_weight, content_weight: the weights.
        content_layers, style_layers: convolutions by their numbers.
        callback: as of `impasto.stylize`.
    """
    if len(images) in (5, 6):
        images = images[3:]
    if len(images) not in (2, 3):
        raise InvalidError("run_style_transfer takes content_img, style_img and perhaps input_img")
    content, style = (_common.picture_of(image) for image in images[:2])
    start = images[2] if len(images) == 3 else None
    layers = {
        **_common.layer_options(RECIPE, "content", _names(content_layers)),
        **_common.layer_options(RECIPE, "style", _names(style_layers)),
    }
    result = stylize(
        content,
        style,
        recipe=RECIPE,
        size="original",
        init=None if start is None else _common.picture_of(start),
        steps=num_steps,
        style_weight=style_weight,
        content_weight=content_weight,
        callback=callback,
        **layers,
    )
    return _common.batch(result.picture, "chw")


def _names(layers: Sequence[str]) -> list[str]:
    """`conv_4` is the fourth convolution; names of other kinds stay."""
    return [_common.conv_name(int(name[5:])) if name.startswith("conv_") else name for name in layers]
