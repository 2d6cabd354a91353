"""The assignment of A. Ng's course, "Art Generation with Neural Style Transfer": its names and defaults over `Recipe("coursera")`.

Costs take activations `[1, n_H, n_W, n_C]`, or lists of those of all layers of which the last is the content's, as the
assignment's later editions have it.

    generated = model_nn("@lake", "@swirls", num_iterations=200)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._picture import Picture
from .._stylize import stylize
from . import _common
from ._common import Variable

if TYPE_CHECKING:
    from .._arrays import PictureLike
    from .._result import Step

    Array = np.ndarray[Any, Any]

__all__ = [
    "STYLE_LAYERS",
    "Variable",
    "clip_0_1",
    "compute_content_cost",
    "compute_layer_style_cost",
    "compute_style_cost",
    "content_layer",
    "generate_noise_image",
    "get_layer_outputs",
    "gram_matrix",
    "model_nn",
    "tensor_to_image",
    "total_cost",
    "train_step",
    "vgg",
]

RECIPE = "coursera"

STYLE_LAYERS = [
    ("block1_conv1", 0.2),
    ("block2_conv1", 0.2),
    ("block3_conv1", 0.2),
    ("block4_conv1", 0.2),
    ("block5_conv1", 0.2),
]
content_layer = [("block5_conv4", 1)]
"""The content's layer of the later editions, for `get_layer_outputs`; the recipe has that of the first, conv4_2."""
vgg = None
"""Stands for the network, which impasto chooses."""


__getattr__ = _common.absent(
    __name__,
    {
        "reshape_and_normalize_image": "pictures are taken as they are, in 0..1 as arrays",
        "load_vgg_model": "impasto.Encoder() is the network",
        "save_image": "tensor_to_image(image).save(path) writes a picture",
        "CONFIG": "the recipe has its numbers: impasto.Recipe(\"coursera\")",
        "optimizer": "train_step has the assignment's Adam in it",
    },
)


def get_layer_outputs(vgg: Any, layer_names: Sequence[tuple[str, float]]) -> Callable[[Any], list[Array]]:
    """What looks through layers, named with their weights as `STYLE_LAYERS` are: a function of an image in 0..1, to a list of
    activations `[1, n_H, n_W, n_C]`. `vgg` is the network, which impasto chooses."""
    del vgg
    names = [name for name, _ in layer_names]

    def look(image: Any) -> list[Array]:
        image = _common.picture_of(image)
        seen = _common.features(image, names)
        return _common.OutputList(image, (seen[name] for name in names))

    return look


def _last(output: Any) -> Array:
    """The content's activations: those of the last layer, of a list or an array of several."""
    array = np.asarray(output[-1] if isinstance(output, (list, tuple)) else output)
    while array.ndim > 4:
        array = array[-1]
    return array


def compute_content_cost(content_output: Any, generated_output: Any) -> float:
    """J_content = Σ (a_C − a_G)² / (4·n_H·n_W·n_C)."""
    content, generated = _last(content_output), _last(generated_output)
    _, height, width, channels = generated.shape
    return float(np.sum((content - generated) ** 2) / (4 * height * width * channels))


def gram_matrix(A: Any) -> Array:
    """G = A·Aᵀ of A `[n_C, n_H·n_W]`."""
    array = np.asarray(A)
    return array @ array.T


def compute_layer_style_cost(a_S: Any, a_G: Any) -> float:
    """J_style of a layer = Σ (G_S − G_G)² / (4·n_C²·(n_H·n_W)²)."""
    style, generated = np.asarray(a_S), np.asarray(a_G)
    _, height, width, channels = generated.shape
    grams = [gram_matrix(array.reshape(height * width, channels).T) for array in (style, generated)]
    return float(np.sum((grams[0] - grams[1]) ** 2) / (4 * channels**2 * (height * width) ** 2))


def compute_style_cost(
    style_image_output: Sequence[Any],
    generated_image_output: Sequence[Any],
    STYLE_LAYERS: Sequence[tuple[str, float]] = STYLE_LAYERS,
) -> float:
    """The weighted costs of all layers but the last, which is the content's."""
    pairs = zip(style_image_output[:-1], generated_image_output[:-1], STYLE_LAYERS, strict=False)
    return sum(weight * compute_layer_style_cost(style, generated) for style, generated, (_, weight) in pairs)


def total_cost(J_content: float, J_style: float, alpha: float = 10, beta: float = 40) -> float:
    """J = α·J_content + β·J_style."""
    return alpha * J_content + beta * J_style


def clip_0_1(image: Any) -> Array:
    """The image with its values brought into 0..1."""
    return np.clip(np.asarray(image), 0.0, 1.0)


def tensor_to_image(tensor: Any) -> Picture:
    """The picture of a tensor in 0..1."""
    return _common.picture_of(tensor)


def generate_noise_image(content_image: Any, noise_ratio: float = 0.6, seed: int = 0) -> Array:
    """The content with uniform noise of ±20 of 255 levels: `noise_ratio` of it is noise around grey of no brightness, as the
    assignment mixes it. `[1, h, w, 3]` of float32 in 0..1."""
    content = _common.batch(_common.picture_of(content_image))
    noise = np.random.default_rng(seed).uniform(-20, 20, content.shape) / 255
    mean = np.array([123.68, 116.779, 103.939]) / 255
    mixed = noise_ratio * noise + (1 - noise_ratio) * (content - mean) + mean
    return np.clip(mixed, 0, 1).astype(np.float32)


def train_step(
    generated_image: Variable, content_image: Any = None, style_image: Any = None, alpha: float = 10, beta: float = 40
) -> float:
    """Takes a step of Adam on a `Variable`, and returns the cost before it. Pictures that are not given are those that the
    variables `a_C` and `a_S` are of where it is called, as in the assignment."""
    if content_image is None and style_image is None:
        content_image, style_image = (getattr(outputs, "image", None) for outputs in _common.of_caller("a_C", "a_S"))
    _common.need("train_step(generated_image, content_image, style_image)", content_image, style_image)
    style = _common.picture_of(style_image)
    losses = generated_image.take(RECIPE, content_image, style, "hwc", content_weight=alpha, style_weight=beta)
    return sum(losses.values())


def model_nn(
    content_image: PictureLike,
    style_image: PictureLike,
    input_image: Any = None,
    num_iterations: int = 200,
    alpha: float = 10,
    beta: float = 40,
) -> Picture:
    """Paints, and prints the cost every twenty iterations.

    Args:
        content_image, style_image: the pictures.
        input_image: what to start from; content and noise unless given.
        num_iterations: steps of Adam.
        alpha, beta: weights of content and style.
    """
    taken = 0

    def callback(step: Step) -> None:
        nonlocal taken
        if taken % 20 == 0:
            print(f"Iteration {taken} :")
            print(f"total cost = {step.loss}")
        taken += 1

    result = stylize(
        _common.picture_of(content_image),
        _common.picture_of(style_image),
        recipe=RECIPE,
        size="original",
        init=None if input_image is None else _common.picture_of(input_image),
        steps=num_iterations,
        content_weight=alpha,
        style_weight=beta,
        callback=callback,
    )
    return result.picture
