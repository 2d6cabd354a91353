"""Pictures."""

from __future__ import annotations

import base64
import html
import json
import os
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

from . import _arrays, _checks, _impasto
from ._errors import InvalidError

if TYPE_CHECKING:
    import numpy as np

    from ._arrays import PictureLike

# Long side, in pixels, above which notebooks show a picture made smaller.
_SHOWN = 1024
# The largest side of a picture in pixels, as of the setting `size`.
_LARGEST = 32768
# Long side up to which they show it to the last bit; as PNG a painting is six times the bytes of a JPEG.
_EXACT = 128


_QUALITY = _checks.whole(1, 100)
_SIDE = _checks.whole(1, _LARGEST)
_SIZE = _checks.pair("width and height", 1, _LARGEST)


class Picture:
    """A picture: sRGB, upright, perhaps with alpha. It never changes.

    Notebooks show it; `numpy.asarray(picture)` is `[h, w, 3]` of uint8 (4 with alpha); `picture.save("a.png")` writes it.
    """

    __slots__ = ("_raw", "_settings")

    _raw: _impasto.Picture
    _settings: str | None

    def __init__(self, source: PictureLike) -> None:
        """Reads whatever may stand for a picture; see `Picture.open` and `Picture.from_array`."""
        raw = _arrays.raw_source(source)
        self._raw = raw if isinstance(raw, _impasto.Picture) else _impasto.Picture.open(raw)
        self._settings = None

    @classmethod
    def _of(cls, raw: _impasto.Picture, settings: str | None = None) -> Picture:
        picture = cls.__new__(cls)
        picture._raw = raw
        picture._settings = settings
        return picture

    @classmethod
    def open(cls, path: str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes]) -> Picture:
        """Reads a JPEG, PNG, WebP, TIFF, BMP, GIF, PNM or QOI file, told apart by content, or its bytes, or a file that is open
        for bytes; the text `"@lake"` is a built-in picture. EXIF orientation and colour profiles are applied (PIL applies
        neither: of its pictures they are lost).

        Raises:
            MissingError: there is no such file.
            ImpastoError: it is damaged, or no picture.
        """
        return cls(path)

    @classmethod
    def from_array(cls, array: Any, *, name: str = "array", layout: Literal["hwc", "chw"] | None = None) -> Picture:
        """A picture of an array: uint8, uint16, other whole numbers in 0..255, bool, or floats in 0..1, of any strides; grey,
        grey and alpha, RGB or RGBA, `[h, w]`, `[h, w, c]` or `[c, h, w]`, and a batch of one of these. Anything with
        `__array__` or `__dlpack__` is an array, of torch, TensorFlow or JAX.

        Args:
            array: the samples.
            name: what it is called, in the settings of what is painted with it.
            layout: which side is the channels, where the shape does not say it.

        Raises:
            InvalidError: the shape, type or range is none of a picture.
        """
        return cls._of(_arrays.from_array(_arrays.array_of(array), name=name, layout=layout))

    @property
    def name(self) -> str:
        """What it is called: the name of its file, if it has one."""
        return self._raw.name

    @property
    def width(self) -> int:
        """Columns."""
        return self._raw.width

    @property
    def height(self) -> int:
        """Rows."""
        return self._raw.height

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return (self.width, self.height)

    @property
    def has_alpha(self) -> bool:
        """Whether some of it is transparent."""
        return self._raw.has_alpha

    @property
    def settings(self) -> dict[str, Any] | None:
        """How it was made, as its file says it: program, version, encoder, styles, recipe. `None` if it does not."""
        text = self._settings or self._raw.settings()
        return None if text is None else json.loads(text)

    def numpy(
        self,
        dtype: Literal["uint8", "uint16", "float32"] | np.dtype[Any] | type = "uint8",
        layout: Literal["hwc", "chw"] = "hwc",
        alpha: bool | None = None,
    ) -> np.ndarray[Any, Any]:
        """A new array of its samples; float32 is what it is in 0..1, whole numbers are rounded.

        Args:
            dtype: `"uint8"`, `"uint16"` or `"float32"`, or NumPy's types of these names.
            layout: `"hwc"` or `"chw"`.
            alpha: with a fourth channel; `None` if it has alpha.
        """
        alpha = self.has_alpha if alpha is None else alpha
        return _arrays.to_array(self._raw, dtype, layout, alpha)

    def pil(self) -> Any:
        """A `PIL.Image.Image`, of mode RGB or RGBA. Needs Pillow."""
        return _checks.module("PIL.Image", "pil()", has="fromarray", package="pillow").fromarray(self.numpy())

    def resized(self, max_dim: int | None = None, *, size: tuple[int, int] | None = None) -> Picture:
        """The picture with another long side, or another width and height, 1 to 32768 pixels each, by a bicubic filter.

        Raises:
            InvalidError: a size that cannot be.
            MemoryError: there is too little memory for it.
        """
        if (max_dim is None) == (size is None):
            raise InvalidError("give either max_dim or size")
        if size is None:
            scale = _SIDE("max_dim", max_dim) / max(self.size)
            return self._of(self._raw.resized(*(max(1, round(side * scale)) for side in self.size)))
        return self._of(self._raw.resized(*_SIZE("size", size)))

    def encode(self, format: str = "png", *, settings: bool = True, quality: int | None = None) -> bytes:
        """The bytes of a file: `"png"`, `"jpg"`, `"webp"` or `"tif"`; see `Picture.save`."""
        noted = _checks.Noted()
        name = noted.read(_checks.text, "format", format) or ""
        quality = noted.read(_QUALITY, "quality", quality)
        noted.end()
        return self._raw.encode(name, self._settings if settings else None, quality)

    def save(self, path: str | os.PathLike[str], *, settings: bool = True, quality: int | None = None) -> Path:
        """Writes a file in the format of its extension, whole or not at all, and says where it is.

        Args:
            path: ends in .png, .jpg, .webp or .tif.
            settings: put into the file how it was made, if it was painted.
            quality: of a JPEG, 1 to 100; 95 unless given.

        Raises:
            InvalidError: another extension or quality.
            MissingError: there is no such folder.
            ImpastoError: it cannot be written.
        """
        noted = _checks.Noted()
        name = noted.read(_checks.path, "path", path) or ""
        quality = noted.read(_QUALITY, "quality", quality)
        noted.end()
        self._raw.save(name, self._settings if settings else None, quality)
        return Path(name)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        import numpy as np

        if copy is False:
            raise ValueError("an array of a Picture is a copy of it")
        if dtype is not None and np.dtype(dtype).kind == "f":
            return self.numpy("float32").astype(dtype, copy=False)
        array = self.numpy()
        return array if dtype is None else array.astype(dtype, copy=False)

    def __dlpack__(self, **arguments: Any) -> Any:
        return self.numpy("float32", "chw").__dlpack__(**arguments)

    def __dlpack_device__(self) -> tuple[int, int]:
        # The processor's memory.
        return (1, 0)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Picture):
            return NotImplemented
        if self.size != other.size or self.has_alpha != other.has_alpha:
            return False
        return bool((self.numpy("float32") == other.numpy("float32")).all())

    def __hash__(self) -> int:
        # Equal samples are equal bytes.
        return hash((self.size, bytes(self._raw.samples("u8", self.has_alpha, False))))

    def __reduce__(self) -> tuple[Any, ...]:
        return (_unpickle, (self.numpy("float32"), self.name, self._settings))

    def __repr__(self) -> str:
        alpha = ", alpha" if self.has_alpha else ""
        return f"<Picture {self.name} {self.width}×{self.height}{alpha}>"

    def _shown(self) -> Picture:
        return self.resized(_SHOWN) if max(self.size) > _SHOWN else self

    def _is_exact(self) -> bool:
        return self.has_alpha or max(self.size) <= _EXACT

    def _repr_png_(self) -> bytes | None:
        return self._shown().encode("png", settings=False) if self._is_exact() else None

    def _repr_jpeg_(self) -> bytes | None:
        return None if self._is_exact() else self._shown().encode("jpg", settings=False, quality=90)

    def _tag(self, alt: str) -> str:
        """An `img` of HTML."""
        png = self._repr_png_()
        data = base64.b64encode(png or self._repr_jpeg_() or b"").decode()
        kind = "jpeg" if png is None else "png"
        return f'<img alt="{html.escape(alt)}" style="max-width:100%" src="data:image/{kind};base64,{data}">'


def _unpickle(array: np.ndarray[Any, Any], name: str, settings: str | None) -> Picture:
    picture = Picture.from_array(array, name=name, layout="hwc")
    picture._settings = settings
    return picture


def load_img(path: PictureLike, max_dim: int | None = 512) -> Picture:
    """Reads a picture and makes its long side `max_dim` pixels, 1 to 32768, as TensorFlow's tutorial does; `None` leaves its
    size."""
    picture = Picture(path)
    return picture if max_dim is None else picture.resized(max_dim)
