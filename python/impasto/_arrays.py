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
_LAYOUTS = ("hwc", "chw")
# How far numbers may be beyond 0..1: gradients overshoot, pictures in 0..255 do not look like that.
_SLACK = 0.5


def raw_source(value: PictureLike, name: str = "array", *, is_mask: bool = False) -> str | bytes | _impasto.Picture:
    """What the library takes for a picture. A mask of whole numbers 0 and 1 is one of bool: as a picture it were black."""
    from ._picture import Picture

    if isinstance(value, Picture):
        return value._raw
    if isinstance(value, (str, _impasto.Picture)):
        return value
    if isinstance(value, os.PathLike):
        path = os.fsdecode(os.fspath(value))
        # What has a type of paths is a file, never a built-in picture.
        return os.path.join(os.curdir, path) if path.startswith("@") else path
    data = _bytes_of(value)
    if data is not None:
        return data
    array = array_of(value)
    if is_mask and array.dtype.kind in "ui" and array.size and array.min() >= 0 and array.max() == 1:
        array = array != 0
    return from_array(array, name=_name_of(value, name))


def _bytes_of(value: Any) -> bytes | None:
    """The bytes of a file, if these are given, or a file that is open for them."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value) if _is_flat(value) else None
    if not callable(getattr(value, "read", None)):
        return None
    data = value.read()
    if not isinstance(data, bytes):
        raise InvalidError(f"a file of pictures is opened for bytes, not as text: {type(value).__name__}")
    return data


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

    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise InvalidError("the array has masked values: fill them, by array.filled(0)")
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
        except (BufferError, RuntimeError, TypeError, ValueError) as error:
            if callable(getattr(plain, "cpu", None)):
                plain = plain.cpu()
            array = np.asarray(plain)
            if array.dtype == object:
                # It is no array otherwise, so that is what is wrong.
                raise InvalidError(f"{type(value).__name__} gives no array away: {error}") from error
            return array
    if hasattr(value, "__array__") or hasattr(value, "__array_interface__"):
        return np.asarray(value)
    if isinstance(value, (list, tuple)):
        try:
            return np.asarray(value)
        except ValueError as error:
            raise InvalidError(f"a list that is no array: {error}") from error
    kind = type(value).__name__
    raise InvalidError(f"a picture is a path, the bytes of a file, a Picture, a PIL picture or an array, not {kind}")


# Modes of PIL pictures that are arrays as they are; whole numbers of 32 bits are looked at as those of arrays.
_PLAIN = ("1", "L", "LA", "RGB", "RGBA", "I", "F")
# Modes whose colours are multiplied by alpha, or are a palette's with alpha, and what they are otherwise.
_PREMULTIPLIED = {"La": "LA", "RGBa": "RGBA", "PA": "RGBA"}


def _array_of_pil(value: Any, mode: str) -> np.ndarray[Any, Any]:
    import numpy as np

    if mode.startswith("I;16"):
        return np.asarray(value, dtype=np.uint16)
    if mode == "P":
        value = value.convert("RGBA" if "transparency" in value.info else "RGB")
    elif mode in _PREMULTIPLIED:
        value = value.convert(_PREMULTIPLIED[mode])
    elif mode not in _PLAIN:
        try:
            value = value.convert("RGB")
        except ValueError as error:
            raise InvalidError(f"a PIL picture of mode {mode} is none that impasto knows: convert it to RGB") from error
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
    if shape[0] == 2:
        raise InvalidError(f"the array has the shape {shape}: grey and alpha, or two pictures; say layout=\"chw\" for the first")
    raise InvalidError(f"the array has the shape {shape}: neither its first nor its last side is 1 to 4 channels")


def from_array(
    array: np.ndarray[Any, Any],
    *,
    name: str = "array",
    layout: Literal["hwc", "chw"] | None = None,
) -> _impasto.Picture:
    """A picture of an array; see `Picture.from_array`."""
    import numpy as np

    if layout not in (None, *_LAYOUTS):
        raise InvalidError(f"layout is {layout!r}: must be hwc or chw")
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
    dtype: Any,
    layout: Literal["hwc", "chw"],
    alpha: bool,
) -> np.ndarray[Any, Any]:
    """A new array of a picture."""
    import numpy as np

    kinds: dict[str, _Kind] = {"uint8": "u8", "uint16": "u16", "float32": "f32"}
    try:
        name = np.dtype(dtype).name
    except TypeError:
        name = ""
    if name not in kinds:
        raise InvalidError(f"dtype is {dtype!r}: must be uint8, uint16 or float32")
    if layout not in _LAYOUTS:
        raise InvalidError(f"layout is {layout!r}: must be hwc or chw")
    planar, channels = layout == "chw", 4 if alpha else 3
    samples = raw.samples(kinds[name], bool(alpha), planar)
    size = (raw.height, raw.width)
    shape = (channels, *size) if planar else (*size, channels)
    return np.frombuffer(samples, dtype=name).reshape(shape)


def floats(buffer: bytearray, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """An array of float32 over a buffer."""
    import numpy as np

    return np.frombuffer(buffer, dtype=np.float32).reshape(shape)
