"""What may stand for a picture: paths, bytes of files, PIL pictures, arrays of any kind."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from . import _impasto
from ._errors import InvalidError

if TYPE_CHECKING:
    import numpy as np

    from ._picture import Picture

    PictureLike: TypeAlias = str | os.PathLike[str] | bytes | Picture | np.ndarray[Any, Any] | Any

# How the library calls types of samples.
_Kind: TypeAlias = Literal["u8", "u16", "f32"]
# How far numbers may be beyond 0..1: gradients overshoot, pictures in 0..255 do not look like that.
_SLACK = 0.5


def raw_source(value: PictureLike, name: str = "array") -> str | bytes | _impasto.Picture:
    """What the library takes for a picture."""
    from ._picture import Picture

    if isinstance(value, Picture):
        return value._raw
    if isinstance(value, (bytearray, memoryview)) and _is_flat(value):
        return bytes(value)
    if isinstance(value, bytes):
        return value
    if isinstance(value, (str, os.PathLike)):
        return os.fspath(value)  # type: ignore[return-value]
    return from_array(array_of(value), name=_name_of(value, name))


def _is_flat(value: bytearray | memoryview) -> bool:
    """Whether it is the bytes of a file rather than an array."""
    view = memoryview(value)
    return view.ndim == 1 and view.itemsize == 1


def _name_of(value: Any, name: str) -> str:
    """PIL knows the file that it has read."""
    file = getattr(value, "filename", "")
    return os.path.basename(file) if isinstance(file, str) and file else name


def array_of(value: Any) -> np.ndarray[Any, Any]:
    """The array of a PIL picture, or of anything with `__array__` or `__dlpack__`."""
    import numpy as np

    if isinstance(value, np.ndarray):
        return value
    mode = getattr(value, "mode", None)
    if isinstance(mode, str) and hasattr(value, "getbands"):
        return _array_of_pil(value, mode)
    if hasattr(value, "__dlpack__"):
        # A tensor that learns gives its values away only without its gradient.
        detach = getattr(value, "detach", None)
        plain = detach() if callable(detach) else value
        try:
            return np.from_dlpack(plain)
        except (BufferError, RuntimeError, TypeError, ValueError):
            if callable(getattr(plain, "cpu", None)):
                plain = plain.cpu()
            return np.asarray(plain)
    if hasattr(value, "__array__") or hasattr(value, "__array_interface__"):
        return np.asarray(value)
    if isinstance(value, (list, tuple)):
        return np.asarray(value)
    kind = type(value).__name__
    raise InvalidError(f"a picture is a path, the bytes of a file, a Picture, a PIL picture or an array, not {kind}")


def _array_of_pil(value: Any, mode: str) -> np.ndarray[Any, Any]:
    import numpy as np

    if mode == "P":
        value = value.convert("RGBA" if "transparency" in value.info else "RGB")
    elif mode.startswith("I;16"):
        return np.asarray(value, dtype=np.uint16)
    elif mode not in ("L", "LA", "RGB", "RGBA", "F"):
        value = value.convert("RGB")
    return np.asarray(value)


def _layout(shape: tuple[int, ...]) -> tuple[int, int, int, bool]:
    """Height, width, channels and whether channels come first. What could be both is refused."""
    if len(shape) == 4 and shape[0] == 1:
        shape = shape[1:]
    if len(shape) == 2:
        return shape[0], shape[1], 1, False
    if len(shape) != 3:
        raise InvalidError(f"the array has the shape {shape}: a picture is [h, w], [h, w, c] or [c, h, w]")
    last, first = shape[2] in (1, 2, 3, 4), shape[0] in (1, 3, 4)
    if last and first:
        # Three rows of RGB, or a planar picture three columns wide: neither is likelier.
        raise InvalidError(f"the array has the shape {shape}, which may be [h, w, c] or [c, h, w]: say layout=")
    if last:
        return shape[0], shape[1], shape[2], False
    if first:
        return shape[1], shape[2], shape[0], True
    raise InvalidError(f"the array has the shape {shape}: none of its sides is 1 to 4 channels")


def from_array(
    array: np.ndarray[Any, Any],
    *,
    name: str = "array",
    layout: Literal["hwc", "chw"] | None = None,
) -> _impasto.Picture:
    """A picture of an array; see `Picture.from_array`."""
    import numpy as np

    if array.ndim == 0 or array.size == 0:
        raise InvalidError(f"the array has the shape {array.shape}: there is no picture in it")
    if layout is None:
        height, width, channels, planar = _layout(array.shape)
    else:
        shape = array.shape[1:] if array.ndim == 4 and array.shape[0] == 1 else array.shape
        if len(shape) != 3:
            raise InvalidError(f"the array has the shape {array.shape}, and layout={layout!r} has three sides")
        planar = layout == "chw"
        channels, height, width = shape if planar else (shape[2], shape[0], shape[1])
        if channels not in (1, 2, 3, 4):
            raise InvalidError(f"the array has {channels} channels: a picture has 1 to 4")
    samples, kind = _samples(array)
    samples = np.ascontiguousarray(samples)
    return _impasto.Picture.of_samples(samples, kind, (height, width), channels, planar, name)


def _samples(array: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], _Kind]:
    """The samples as `u8`, `u16` or `f32`, and which."""
    import numpy as np

    if array.dtype == np.uint8:
        return array, "u8"
    if array.dtype == np.uint16:
        return array.astype(np.uint16, copy=False), "u16"
    if array.dtype == np.bool_:
        return array.astype(np.float32), "f32"
    if array.dtype.kind in "ui":
        least, most = int(array.min()), int(array.max())
        if least < 0 or most > 255:
            raise InvalidError(
                f"whole numbers from {least} to {most}: uint8 and uint16 are pictures, others must be in 0..255"
            )
        return array.astype(np.uint8), "u8"
    if array.dtype.kind == "f":
        low, high = float(array.min()), float(array.max())
        if not (np.isfinite(low) and np.isfinite(high)):
            raise InvalidError("the array has values that are no numbers")
        if low < -_SLACK or high > 1.0 + _SLACK:
            raise InvalidError(
                f"numbers from {low:g} to {high:g}: a picture of floats is in 0..1; divide by 255, or make it uint8"
            )
        return array.astype(np.float32, copy=False), "f32"
    raise InvalidError(f"an array of {array.dtype} is no picture")


def to_array(
    raw: _impasto.Picture,
    dtype: Literal["uint8", "uint16", "float32"],
    layout: Literal["hwc", "chw"],
    alpha: bool,
) -> np.ndarray[Any, Any]:
    """A new array of a picture."""
    import numpy as np

    kinds: dict[str, _Kind] = {"uint8": "u8", "uint16": "u16", "float32": "f32"}
    if dtype not in kinds:
        raise InvalidError(f"dtype is {dtype!r}: must be uint8, uint16 or float32")
    if layout not in ("hwc", "chw"):
        raise InvalidError(f"layout is {layout!r}: must be hwc or chw")
    planar, channels = layout == "chw", 4 if alpha else 3
    samples = raw.samples(kinds[dtype], alpha, planar)
    size = (raw.height, raw.width)
    shape = (channels, *size) if planar else (*size, channels)
    return np.frombuffer(samples, dtype=dtype).reshape(shape)


def floats(buffer: bytearray, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """An array of float32 over a buffer."""
    import numpy as np

    return np.frombuffer(buffer, dtype=np.float32).reshape(shape)
