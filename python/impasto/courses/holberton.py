"""Holberton's class `NST`: its names, defaults and refusals over `Recipe("holberton")`.

    nst = NST(style_image, content_image)
    generated_image, cost = nst.generate_image(iterations=1000, step=100, lr=0.01)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._look import loss
from .._picture import Picture
from .._stylize import stylize
from . import _common

if TYPE_CHECKING:
    from .._result import Step

    Array = np.ndarray[Any, Any]

__all__ = ["NST"]

RECIPE = "holberton"


class NST:
    """Paints a content in a style: pictures are arrays of `[h, w, 3]` in 0..255."""

    style_layers = ["block1_conv1", "block2_conv1", "block3_conv1", "block4_conv1", "block5_conv1"]
    content_layer = "block5_conv2"

    def __init__(
        self, style_image: Array, content_image: Array, alpha: float = 1e4, beta: float = 1, var: float = 10
    ) -> None:
        """Makes both pictures smaller and looks at them.

        Args:
            style_image, content_image: `[h, w, 3]`, 0..255.
            alpha: weight of the content.
            beta: weight of the style.
            var: weight of the variational cost, in the later tasks of the class.

        Raises:
            TypeError: in the words of the class.
        """
        for name, image in (("style_image", style_image), ("content_image", content_image)):
            _check_image(name, image)
        for name, weight in (("alpha", alpha), ("beta", beta), ("var", var)):
            if not isinstance(weight, (int, float)) or weight < 0:
                raise TypeError(f"{name} must be a non-negative number")
        self.style_image = self.scale_image(style_image)
        self.content_image = self.scale_image(content_image)
        self.alpha, self.beta, self.var = alpha, beta, var
        self.model = self.load_model()
        self.generate_features()

    @staticmethod
    def scale_image(image: Array) -> Array:
        """The picture with a long side of 512 px, by a bicubic filter: `[1, h, w, 3]` of float32 in 0..1."""
        _check_image("image", image)
        picture = Picture(np.asarray(image, np.float32) / 255 if image.dtype.kind == "f" else image)
        return _common.batch(picture.resized(512))

    def load_model(self) -> Any:
        """The network that looks at pictures."""
        return _common.encoder()

    @staticmethod
    def gram_matrix(input_layer: Any) -> Array:
        """The Gram matrix of features `[1, h, w, c]` over h·w: `[1, c, c]`."""
        if np.ndim(input_layer) != 4:
            raise TypeError("input_layer must be a tensor of rank 4")
        return _common.gram(input_layer)

    def generate_features(self) -> None:
        """Looks at both pictures: `gram_style_features` and `content_feature`."""
        style = _common.features(self.style_image, self.style_layers)
        self.gram_style_features = [self.gram_matrix(style[name]) for name in self.style_layers]
        self.content_feature = _common.features(self.content_image, [self.content_layer])[self.content_layer]

    def layer_style_cost(self, style_output: Any, gram_target: Any) -> float:
        """The mean of squared differences of Gram matrices."""
        return float(np.mean((self.gram_matrix(style_output) - np.asarray(gram_target)) ** 2))

    def style_cost(self, style_outputs: Any) -> float:
        """The mean of the layers' costs."""
        length = len(self.style_layers)
        if not isinstance(style_outputs, list) or len(style_outputs) != length:
            raise TypeError(f"style_outputs must be a list with a length of {length}")
        costs = map(self.layer_style_cost, style_outputs, self.gram_style_features)
        return sum(costs) / length

    def content_cost(self, content_output: Any) -> float:
        """The mean of squared differences."""
        shape = self.content_feature.shape
        if np.shape(content_output) != shape:
            raise TypeError(f"content_output must be a tensor of shape {shape}")
        return float(np.mean((np.asarray(content_output) - self.content_feature) ** 2))

    @staticmethod
    def variational_cost(generated_image: Any) -> float:
        """The sum of absolute differences of neighbours of an image `[1, h, w, 3]`."""
        array = np.asarray(generated_image)
        if array.ndim not in (3, 4):
            raise TypeError("image must be a tensor of rank 3 or 4")
        return float(sum(np.abs(np.diff(array, axis=axis)).sum() for axis in (-2, -3)))

    def _look(self, generated_image: Any, grad: bool) -> Any:
        shape = self.content_image.shape
        if np.shape(generated_image) != shape:
            raise TypeError(f"generated_image must be a tensor of shape {shape}")
        options = {"content_weight": self.alpha, "style_weight": self.beta, "total_variation_weight": self.var}
        images = [_common.picture_of(image) for image in (generated_image, self.content_image, self.style_image)]
        return loss(*images, grad=grad, recipe=RECIPE, **options)  # type: ignore[call-overload]

    def _costs(self, terms: dict[str, float]) -> tuple[float, float, float]:
        """Costs of content, style and variation, without their weights."""

        def cost(part: str, weight: float) -> float:
            found = sum(value for name, value in terms.items() if name.split(":")[0] == part)
            return found / weight if weight else 0.0

        return cost("content", self.alpha), cost("style", self.beta), cost("tv", self.var)

    def total_cost(self, generated_image: Any) -> tuple[float, float, float, float]:
        """(J, J_content, J_style, J_var) of an image like the content, by the recipe's calibrated losses."""
        found = self._look(generated_image, False)
        return (found.total, *self._costs(found.terms))

    def compute_grads(self, generated_image: Any) -> tuple[Array, float, float, float, float]:
        """(gradient `[1, h, w, 3]`, J, J_content, J_style, J_var)."""
        found, gradient = self._look(generated_image, True)
        return (gradient.transpose(1, 2, 0)[None], found.total, *self._costs(found.terms))

    def generate_image(
        self,
        iterations: int = 1000,
        step: int | None = None,
        lr: float = 0.01,
        beta1: float = 0.9,
        beta2: float = 0.99,
    ) -> tuple[Array, float]:
        """Paints, and returns the picture of the least cost, `[h, w, 3]` in 0..1, and that cost.

        Args:
            iterations: steps of Adam.
            step: print the costs every so many of them.
            lr, beta1, beta2: of Adam.
        """
        _check_run(iterations, step, lr, beta1, beta2)
        taken = 0

        def callback(now: Step) -> None:
            nonlocal taken
            if step is not None and (taken % step == 0 or taken == iterations):
                content, style, variation = self._costs(now.losses)
                print(f"Cost at iteration {taken}: {now.loss}, content {content}, style {style}, var {variation}")
            taken += 1

        result = stylize(
            _common.picture_of(self.content_image),
            _common.picture_of(self.style_image),
            recipe=RECIPE,
            size="original",
            steps=iterations,
            learning_rate=lr,
            beta1=beta1,
            beta2=beta2,
            content_weight=self.alpha,
            style_weight=self.beta,
            total_variation_weight=self.var,
            callback=callback if step is not None else None,
        )
        return result.numpy("float32"), min(result.losses)


def _check_image(name: str, image: Any) -> None:
    if not isinstance(image, np.ndarray) or image.ndim != 3 or image.shape[2] != 3:
        raise TypeError(f"{name} must be a numpy.ndarray with shape (h, w, 3)")


def _check_run(iterations: Any, step: Any, lr: Any, beta1: Any, beta2: Any) -> None:
    """Refuses in the words of the class."""
    if not isinstance(iterations, int):
        raise TypeError("iterations must be an integer")
    if iterations < 1:
        raise ValueError("iterations must be positive")
    if step is not None and not isinstance(step, int):
        raise TypeError("step must be an integer")
    if step is not None and not 0 < step < iterations:
        raise ValueError("step must be positive and less than iterations")
    if not isinstance(lr, (int, float)):
        raise TypeError("lr must be a number")
    if lr <= 0:
        raise ValueError("lr must be positive")
    for name, value in (("beta1", beta1), ("beta2", beta2)):
        if not isinstance(value, float):
            raise TypeError(f"{name} must be a float")
        if not 0 <= value <= 1:
            raise ValueError(f"{name} must be in the range [0, 1]")
