"""R. Yuan's notebook, "Neural Style Transfer with tf.keras": its names and defaults over `Recipe("keras-eager")`.

    best, best_loss = run_style_transfer("@lake", "@swirls", num_iterations=1000)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _checks
from .._picture import load_img as _load_img
from .._stylize import stylize
from . import _common

if TYPE_CHECKING:
    from .._arrays import PictureLike

    Array = np.ndarray[Any, Any]

__all__ = [
    "content_layers",
    "get_content_loss",
    "get_style_loss",
    "gram_matrix",
    "imshow",
    "load_img",
    "num_content_layers",
    "num_style_layers",
    "run_style_transfer",
    "show_results",
    "style_layers",
]

RECIPE = "keras-eager"

content_layers = ["block5_conv2"]
style_layers = ["block1_conv1", "block2_conv1", "block3_conv1", "block4_conv1", "block5_conv1"]
num_content_layers = len(content_layers)
num_style_layers = len(style_layers)


__getattr__ = _common.absent(
    __name__,
    {
        "load_and_process_img": "load_img reads a picture, and run_style_transfer takes it as it is",
        "deprocess_img": "run_style_transfer returns a picture of uint8",
        "get_model": "impasto.Encoder() is the network, and impasto.Encoder().features(image, layers) what it sees",
        "get_feature_representations": "impasto.Encoder().features(image, layers) is what layers see",
        "compute_loss": "impasto.loss(image, content, style, recipe=\"keras-eager\") is the loss and its terms",
        "compute_grads": "impasto.loss(image, content, style, recipe=\"keras-eager\", grad=True) is the gradient, too",
    },
)


def load_img(path_to_img: PictureLike) -> Array:
    """Reads a picture with a long side of 512 px: `[1, h, w, 3]` of float32 in 0..255."""
    return _common.batch(_load_img(path_to_img, 512)) * 255


def imshow(img: Any, title: str | None = None) -> None:
    """Draws a picture in 0..255. Needs matplotlib."""
    _common.show(np.asarray(img, np.float32) / 255, title)


def gram_matrix(input_tensor: Any) -> Array:
    """The Gram matrix of features `[h, w, c]` over h·w: `[c, c]`."""
    return _common.gram(np.asarray(input_tensor)[None])[0]


def get_content_loss(base_content: Any, target: Any) -> float:
    """The mean of squared differences."""
    return float(np.mean((np.asarray(base_content) - np.asarray(target)) ** 2))


def get_style_loss(base_style: Any, gram_target: Any) -> float:
    """The mean of squared differences of Gram matrices."""
    return float(np.mean((gram_matrix(base_style) - np.asarray(gram_target)) ** 2))


def run_style_transfer(
    content_path: PictureLike,
    style_path: PictureLike,
    num_iterations: int = 1000,
    content_weight: float = 1e3,
    style_weight: float = 1e-2,
    *,
    max_dim: int = 512,
    callback: Any = None,
) -> tuple[Array, float]:
    """Paints, and returns the picture of the least loss, `[h, w, 3]` of uint8, and that loss."""
    result = stylize(
        _load_img(content_path, max_dim),
        _load_img(style_path, max_dim),
        recipe=RECIPE,
        size="original",
        steps=num_iterations,
        content_weight=content_weight,
        style_weight=style_weight,
        callback=callback,
    )
    return result.numpy(), min(result.losses)


def show_results(best_img: Any, content_path: PictureLike, style_path: PictureLike, show_large_final: bool = True) -> None:
    """Draws content, style and result. Needs matplotlib."""
    plt = _checks.module("matplotlib.pyplot", "show_results", has="imshow")
    plt.figure(figsize=(10, 5))
    for place, (path, title) in enumerate(((content_path, "Content Image"), (style_path, "Style Image")), 1):
        plt.subplot(1, 2, place)
        imshow(load_img(path), title)
    if show_large_final:
        plt.figure(figsize=(10, 10))
        _common.show(best_img, "Output Image")
