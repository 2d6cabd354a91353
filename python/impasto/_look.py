"""Looking inside: features, Gram matrices, losses and their gradients."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, overload

from . import _checks, _impasto
from ._arrays import floats
from ._checks import Noted
from ._errors import InvalidError
from ._options import network_args, picture, read_styles, stylizer

if TYPE_CHECKING:
    import numpy as np
    from typing import Unpack

    from ._arrays import PictureLike
    from ._options import Options, StyleLike


class Encoder:
    """A network that looks at pictures: named layers (`relu1_1`, `conv4_2`, `pool3`, or a tutorial's `block4_conv2`)."""

    def __init__(
        self,
        name: str | os.PathLike[str] | None = None,
        *,
        preprocessing: Literal["torch", "caffe", "plain"] | None = None,
        models_dir: str | os.PathLike[str] | None = None,
        device: str | None = None,
        threads: int | None = None,
        precision: Literal["strict", "f32", "bf16", "f16"] | None = None,
    ) -> None:
        """The encoder of a name, such as `"lite"` (built in) or `"vgg19"` (if installed), or of a file of weights; `None` takes
        vgg19 if it is installed, else lite.

        Raises:
            InvalidError: there is none of that name.
            MissingError: it is not installed.
        """
        given = {
            "encoder": name,
            "preprocessing": preprocessing,
            "models_dir": models_dir,
            "device": device,
            "threads": threads,
            "precision": precision,
        }
        self._raw = _impasto.Encoder(network_args(given, Noted()))

    @property
    def name(self) -> str:
        """Its name, or its file's."""
        return self._raw.name

    @property
    def parameters(self) -> int:
        """Number of weights and biases."""
        return self._raw.parameters

    @property
    def taps(self) -> list[str]:
        """The layers that losses can look at, shallow to deep."""
        return self._raw.taps()

    @property
    def content_layers(self) -> list[str]:
        """The layers that content looks at unless a recipe names others."""
        return self._raw.default_layers()[0]

    @property
    def style_layers(self) -> list[str]:
        """The layers that style looks at unless a recipe names others."""
        return self._raw.default_layers()[1]

    @property
    def layers(self) -> list[dict[str, Any]]:
        """Its layers in order: `name`, `kind`, `channels`, `parameters`, `receptive_field` in pixels, `tap`."""
        return self._raw.layers()

    def features(
        self, image: PictureLike, layers: str | Iterable[str] | None = None
    ) -> dict[str, np.ndarray[Any, Any]]:
        """What layers see of an image at its own size: `[c, h, w]` of float32 by name.

        Args:
            image: the picture; preprocessing is the encoder's.
            layers: names; `None` for all taps.

        Raises:
            InvalidError: it has no such layer; the message lists those that there are.
        """
        noted = Noted()
        names = self.taps if layers is None else noted.read(_layers, "layers", layers) or []
        [source] = noted.each(picture, "image", [image]) or [None]
        noted.end()
        seen = self._raw.features(source, names)
        return {name: floats(buffer, tuple(shape)) for name, (shape, buffer) in zip(names, seen, strict=True)}

    def __reduce__(self) -> Any:
        _checks.stays(self, "make it there, by Encoder(name)")

    def __repr__(self) -> str:
        return f"<Encoder {self.name}, {self.parameters:,} parameters>"


def _layers(name: str, value: Any) -> list[str]:
    if isinstance(value, bytes) or not isinstance(value, Iterable):
        raise _checks.wrong(name, value, "a layer's name or a list of them")
    return [value] if isinstance(value, str) else [_checks.text(name, one) for one in value]


def gram_matrix(
    features: Any, normalize: Literal["none", "hw", "chw", "gatys"] = "hw", layout: Literal["chw", "hwc"] = "chw"
) -> np.ndarray[Any, Any]:
    """G = F·Fᵀ of features F `[c, h·w]`: how channels go together, wherever that is (Gatys, Ecker and Bethge 2016).

    Args:
        features: `[c, h, w]`, or `[h, w, c]` if `layout` says so; a batch of one is taken, too.
        normalize: what G is divided by: 1, h·w, c·h·w, or 2·c·h·w (`"gatys"`), as the setting `style_gram_norm` has it.
        layout: how the features lie.

    Returns:
        `[c, c]`, symmetric.
    """
    import numpy as np

    array = np.asarray(features)
    if array.ndim == 4 and array.shape[0] == 1:
        array = array[0]
    if array.ndim != 3 or array.size == 0:
        raise InvalidError(f"features have the shape {np.shape(features)}: must be [c, h, w]")
    if layout not in ("chw", "hwc"):
        raise InvalidError(f"layout is {layout!r}: must be chw or hwc")
    if layout == "hwc":
        array = np.moveaxis(array, -1, 0)
    channels, height, width = array.shape
    norms = {
        "none": 1,
        "hw": height * width,
        "chw": channels * height * width,
        "gatys": 2 * channels * height * width,
    }
    if normalize not in norms:
        raise InvalidError(f"normalize is {normalize!r}: must be {', '.join(norms)}")
    flat = array.reshape(channels, -1)
    return flat @ flat.T / norms[normalize]


@dataclass(frozen=True)
class Loss:
    """A loss and what it consists of; `float(loss)` is its total."""

    total: float
    """The sum of the weighted terms."""
    terms: dict[str, float]
    """Each term times its weight: `content:LAYER`, `style:LAYER`, `tv`."""
    weights: dict[str, float]
    """The weights."""

    def __float__(self) -> float:
        return self.total


@overload
def loss(
    image: PictureLike, content: PictureLike, style: StyleLike = None, *, grad: Literal[False] = False, **options: Unpack[Options]
) -> Loss: ...
@overload
def loss(
    image: PictureLike, content: PictureLike, style: StyleLike = None, *, grad: Literal[True], **options: Unpack[Options]
) -> tuple[Loss, np.ndarray[Any, Any]]: ...
def loss(
    image: PictureLike, content: PictureLike, style: StyleLike = None, *, grad: bool = False, **options: Any
) -> Loss | tuple[Loss, np.ndarray[Any, Any]]:
    """The loss of an image by a recipe, everything at its own size.

    Args:
        image: where it is taken; as large as the content.
        content: the photo.
        style: the paintings.
        grad: return dL/d image, too: `[3, h, w]` of float32, towards sRGB values in 0..1.
        options: how it is painted, and on what.

    Raises:
        InvalidError: image and content differ in size; with everything that is wrong with the options.
    """
    noted = Noted()
    pictures = noted.each(picture, "image", [image]) + noted.each(picture, "content", [content])
    raw = stylizer(read_styles(noted, style), options, noted)
    image_raw, content_raw = pictures
    terms, total, gradient = raw.losses(content_raw, image_raw)
    weighted = {name: value * weight for name, value, weight in terms}
    found = Loss(total, weighted, {name: weight for name, _, weight in terms})
    if not grad:
        return found
    size = _impasto.Picture.open(image_raw) if not isinstance(image_raw, _impasto.Picture) else image_raw
    return found, floats(gradient, (3, size.height, size.width))
