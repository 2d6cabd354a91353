"""TensorFlow's tutorial, "Neural style transfer": its names and defaults over `Recipe("tensorflow")`.

What the tutorial's reader defines in cells is here under the names of these cells; tensors are NumPy arrays, `[1, h, w, c]` of
float32 in 0..1.

    content_image, style_image = load_img("@lake"), load_img("@swirls")
    extractor = StyleContentModel(style_layers, content_layers)
    image = Variable(content_image)
    for n in range(epochs):
        for m in range(steps_per_epoch):
            train_step(image, content_image, style_image)
    tensor_to_image(image)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _checks
from .._picture import Picture
from .._picture import load_img as _load_img
from . import _common
from ._common import Variable

if TYPE_CHECKING:
    from .._arrays import PictureLike

    Array = np.ndarray[Any, Any]

__all__ = [
    "StyleContentModel",
    "Variable",
    "clip_0_1",
    "content_layers",
    "content_weight",
    "epochs",
    "gram_matrix",
    "high_pass_x_y",
    "imshow",
    "load_img",
    "num_content_layers",
    "num_style_layers",
    "steps_per_epoch",
    "style_content_loss",
    "style_layers",
    "style_transfer",
    "style_weight",
    "tensor_to_image",
    "total_variation_loss",
    "total_variation_weight",
    "train_step",
]

RECIPE = "tensorflow"

content_layers = ["block5_conv2"]
style_layers = ["block1_conv1", "block2_conv1", "block3_conv1", "block4_conv1", "block5_conv1"]
num_content_layers = len(content_layers)
num_style_layers = len(style_layers)
style_weight = 1e-2
content_weight = 1e4
total_variation_weight = 30
epochs = 10
steps_per_epoch = 100


__getattr__ = _common.absent(
    __name__,
    {
        "vgg_layers": "StyleContentModel(style_layers, content_layers) looks through the layers, and impasto.Encoder() at any",
        "opt": "train_step has the tutorial's Adam in it",
        "extractor": "make it by StyleContentModel(style_layers, content_layers)",
    },
)


def load_img(path_to_img: PictureLike, max_dim: int = 512) -> Array:
    """Reads a picture with a long side of 512 px: `[1, h, w, 3]` of float32 in 0..1."""
    return _common.batch(_load_img(path_to_img, max_dim))


def imshow(image: Any, title: str | None = None) -> None:
    """Draws a picture. Needs matplotlib."""
    _common.show(image, title)


def tensor_to_image(tensor: Any) -> Picture:
    """The picture of a tensor in 0..1."""
    return _common.picture_of(tensor)


def clip_0_1(image: Any) -> Array:
    """The image with its values brought into 0..1."""
    return np.clip(np.asarray(image), 0.0, 1.0)


def gram_matrix(input_tensor: Any) -> Array:
    """Gram matrices of features `[b, h, w, c]`, over h·w: `[b, c, c]`."""
    return _common.gram(input_tensor)


class StyleContentModel:
    """What content layers see of an image, and the Gram matrices of what style layers see."""

    def __init__(self, style_layers: Sequence[str], content_layers: Sequence[str]) -> None:
        self.style_layers = list(style_layers)
        self.content_layers = list(content_layers)
        self.num_style_layers = len(self.style_layers)

    def __call__(self, inputs: Any) -> dict[str, _common.Outputs]:
        """`{"content": {layer: features}, "style": {layer: Gram matrix}}` of an image in 0..1."""
        image = _common.picture_of(inputs)
        seen = _common.features(image, [*self.style_layers, *self.content_layers])
        return {
            "content": _common.Outputs(image, {name: seen[name] for name in self.content_layers}),
            "style": _common.Outputs(image, {name: gram_matrix(seen[name]) for name in self.style_layers}),
        }

    call = __call__


def style_content_loss(
    outputs: Mapping[str, Mapping[str, Array]],
    style_targets: Mapping[str, Array] | None = None,
    content_targets: Mapping[str, Array] | None = None,
) -> float:
    """The weighted means of squared differences, over the number of layers. Targets that are not given are the variables
    `style_targets` and `content_targets` where it is called, as in the tutorial."""
    if style_targets is None and content_targets is None:
        style_targets, content_targets = _common.of_caller("style_targets", "content_targets")
    _common.need("style_content_loss(outputs, style_targets, content_targets)", style_targets, content_targets)
    assert style_targets is not None and content_targets is not None
    style = sum(float(np.mean((output - style_targets[name]) ** 2)) for name, output in outputs["style"].items())
    content = sum(float(np.mean((output - content_targets[name]) ** 2)) for name, output in outputs["content"].items())
    return style * style_weight / len(outputs["style"]) + content * content_weight / len(outputs["content"])


def high_pass_x_y(image: Any) -> tuple[Array, Array]:
    """Differences of neighbours, beside and below each other."""
    array = np.asarray(image)
    return array[:, :, 1:, :] - array[:, :, :-1, :], array[:, 1:, :, :] - array[:, :-1, :, :]


def total_variation_loss(image: Any) -> float:
    """The sum of absolute differences of neighbours."""
    x_deltas, y_deltas = high_pass_x_y(image)
    return float(np.abs(x_deltas).sum() + np.abs(y_deltas).sum())


# What the tutorial's cells call the weights, with its defaults.
_WEIGHTS = {
    "style_weight": style_weight,
    "content_weight": content_weight,
    "total_variation_weight": total_variation_weight,
}


def _options(weights: Mapping[str, float], style: Sequence[str], content: Sequence[str]) -> dict[str, Any]:
    return {
        **weights,
        **_common.layer_options(RECIPE, "content", content),
        **_common.layer_options(RECIPE, "style", style),
    }


def train_step(
    image: Variable,
    content_image: Any = None,
    style_image: Any = None,
    *,
    style_weight: float | None = None,
    content_weight: float | None = None,
    total_variation_weight: float | None = None,
    extractor: StyleContentModel | None = None,
) -> float:
    """Takes a step of Adam on a `Variable`, and returns the loss before it. Without pictures these are, as in the tutorial, those
    that the variables `style_targets` and `content_targets` are of where it is called, as `extractor(style_image)["style"]`; their
    layers are looked at, and weights are the variables of these names. Where other weights are met than before, the run begins
    anew from the picture as it is."""
    weights = {"style_weight": style_weight, "content_weight": content_weight, "total_variation_weight": total_variation_weight}
    model = extractor or StyleContentModel(style_layers, content_layers)
    if content_image is None and style_image is None:
        *here, style_targets, content_targets = _common.of_caller(*_WEIGHTS, "style_targets", "content_targets")
        style_image, content_image = (getattr(targets, "image", None) for targets in (style_targets, content_targets))
        weights = {name: value if weights[name] is None else weights[name] for name, value in zip(_WEIGHTS, here, strict=True)}
        if extractor is None and style_image is not None and content_image is not None:
            model = StyleContentModel(list(style_targets), list(content_targets))
    _common.need("train_step(image, content_image, style_image), with image = Variable(content_image)", content_image, style_image)
    chosen = {name: _WEIGHTS[name] if value is None else _checks.number(name, value) for name, value in weights.items()}
    options = _options(chosen, model.style_layers, model.content_layers)
    losses = image.take(RECIPE, content_image, _common.picture_of(style_image), "hwc", **options)
    return sum(losses.values())


def style_transfer(
    content_image: Any,
    style_image: Any,
    *,
    epochs: int = epochs,
    steps_per_epoch: int = steps_per_epoch,
    style_weight: float = style_weight,
    content_weight: float = content_weight,
    total_variation_weight: float = total_variation_weight,
    callback: Any = None,
) -> Array:
    """The tutorial's loops in one call: `[1, h, w, 3]` of float32."""
    from .._stylize import stylize

    result = stylize(
        _common.picture_of(content_image),
        _common.picture_of(style_image),
        recipe=RECIPE,
        size="original",
        steps=epochs * steps_per_epoch,
        style_weight=style_weight,
        content_weight=content_weight,
        total_variation_weight=total_variation_weight,
        callback=callback,
    )
    return _common.batch(result.picture)
