"""What the courses share: pictures as their arrays, layers by their names, runs step by step."""

from __future__ import annotations

import functools
import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _checks
from .._errors import InvalidError
from .._look import Encoder
from .._picture import Picture
from .._recipe import Recipe
from .._result import Step
from .._stylize import Stylizer

if TYPE_CHECKING:
    from .._arrays import PictureLike

    Array = np.ndarray[Any, Any]

# Convolutions of each block of VGG-19.
_BLOCKS = (2, 2, 4, 4, 4)


@functools.cache
def encoder() -> Encoder:
    """The network of the courses: vgg19 if it is installed, else the one that comes along."""
    return Encoder()


class _Size(int):
    """How many values an array has, as NumPy means `size`; called, its sides, as torch does."""

    shape: tuple[int, ...]

    def __call__(self, side: int | None = None) -> tuple[int, ...] | int:
        return self.shape if side is None else self.shape[side]


class Tensor(np.ndarray):
    """An array with those methods of torch's and TensorFlow's tensors that the courses call; devices are impasto's matter."""

    @property
    def size(self) -> _Size:  # type: ignore[override]
        """How many values it has; `size()` is its sides."""
        size = _Size(super().size)
        size.shape = self.shape
        return size

    def clone(self) -> Tensor:
        """Another one of the same values."""
        return self.copy()

    def detach(self) -> Tensor:
        """Itself."""
        return self

    def to(self, *arguments: Any, **keywords: Any) -> Tensor:
        """Itself, whatever the device."""
        del arguments, keywords
        return self

    def cpu(self) -> Tensor:
        """Itself."""
        return self

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Itself: gradients are impasto's matter, too."""
        del requires_grad
        return self

    def numpy(self) -> Array:
        """A plain array of the same values."""
        return np.array(self)


def absent(module: str, instead: Mapping[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of a course's module: of names of the course that are not here it says what takes their place."""

    def lookup(name: str) -> Any:
        if name in instead:
            # As an AttributeError, `from … import` would drop what it says.
            raise ImportError(f"{module} has no {name}: {instead[name]}", name=module)
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    return lookup


def need(call: str, *given: Any) -> None:
    """Refuses a call that leaves out what the course takes from its globals, where there is nothing of that."""
    if any(one is None for one in given):
        raise InvalidError(f"it takes what the course has in globals, and there is none of that here: {call}")


class Outputs(dict[str, Any]):
    """What layers see of an image, by their names, and the image: whoever has the one can be asked for the other."""

    def __init__(self, image: Any, seen: Mapping[str, Any]) -> None:
        super().__init__(seen)
        self.image = image


class OutputList(list[Any]):
    """The same as a list."""

    def __init__(self, image: Any, seen: Iterable[Any]) -> None:
        super().__init__(seen)
        self.image = image


def of_caller(*names: str) -> list[Any]:
    """What a course's function takes from its globals: the values of these names where that function was called, `None` for one
    that is not there."""
    frame = sys._getframe(2)
    return [frame.f_locals.get(name, frame.f_globals.get(name)) for name in names]


def batch(picture: PictureLike, layout: str = "hwc") -> Tensor:
    """A picture as a batch of one, float32 in 0..1."""
    array = Picture(picture).numpy("float32", layout, alpha=False)  # type: ignore[arg-type]
    return array[None].view(Tensor)


def picture_of(image: Any) -> Picture:
    """The picture of what a course has in hands: a path, an array, a batch of one, a `Variable`."""
    value = getattr(image, "value", image)
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        value = np.clip(value, 0, 1)
    return value if isinstance(value, Picture) else Picture(value)


def conv_name(number: int) -> str:
    """The layer that PyTorch's tutorial calls `conv_4`: the convolutions are counted."""
    for block, count in enumerate(_BLOCKS, 1):
        if number <= count:
            return f"conv{block}_{number}"
        number -= count
    raise ValueError("VGG-19 has 16 convolutions")


def layer_options(recipe: str, term: str, layers: Iterable[str] | Mapping[str, float]) -> dict[str, Any]:
    """The setting of layers, unless they are those of the recipe: for these, nearest ones may stand in."""
    given = dict(layers) if isinstance(layers, Mapping) else dict.fromkeys(layers, 1.0)
    own = Recipe(recipe)[f"{term}_layers"]
    same = [_plain(name) for name in given] == [_plain(name) for name in own]
    if same and list(given.values()) == list(own.values()):
        return {}
    return {f"{term}_layers": given}


def _plain(name: str) -> str:
    """`block4_conv2`, `relu4_2` and `conv4_2` as `4_2`: where it is, not how it is called."""
    digits = "".join(letter if letter.isdigit() else " " for letter in name).split()
    return "_".join(digits)


def features(image: Any, layers: Iterable[str], layout: str = "hwc") -> dict[str, Tensor]:
    """What layers see of a picture, batches of one. Of a layer that the network lacks, what the nearest one before it sees."""
    names = list(layers)
    found = {name: _nearest(name) for name in names}
    seen = encoder().features(picture_of(image), list(dict.fromkeys(found.values())))
    order = (1, 2, 0) if layout == "hwc" else (0, 1, 2)
    return {name: seen[found[name]].transpose(order)[None].view(Tensor) for name in names}


@functools.cache
def _nearest(name: str) -> str:
    taps = encoder().taps
    here = _place(name)
    if not any(tap.startswith("relu") and _place(tap) == here for tap in taps):
        before = [tap for tap in taps if _place(tap) <= here]
        return before[-1] if before else taps[0]
    # A network with heads has them under these names alone.
    return next(tap for tap in taps if _place(tap) == here) if encoder().name == "lite" else name


def _place(name: str) -> tuple[int, ...]:
    return tuple(int(part) for part in _plain(name).split("_") if part)


def gram(features: Any) -> Tensor:
    """F·Fᵀ of a batch `[1, h, w, c]` over h·w: `[1, c, c]`."""
    array = np.asarray(features)
    return (np.einsum("bijc,bijd->bcd", array, array) / (array.shape[1] * array.shape[2])).view(Tensor)


class _Turns:
    """Two threads that take turns."""

    def __init__(self) -> None:
        self.painter = threading.Semaphore(0)
        self.caller = threading.Semaphore(0)
        self.closed = False
        self.step: tuple[Picture, dict[str, float]] | None = None
        self.error: BaseException | None = None

    def on_step(self, step: Step) -> bool:
        self.step = (step.preview(), step.losses)
        self.caller.release()
        self.painter.acquire()
        return not self.closed

    def close(self) -> None:
        self.closed = True
        self.painter.release()


class Run:
    """A run that goes on by one step at a time, for courses whose readers write the loop themselves."""

    def __init__(self, recipe: str, content: Any, style: Any, init: Any, **options: Any) -> None:
        # As many as anybody may want: the recipe's steps are the reader's loop.
        settings = {"recipe": recipe, "steps": 1_000_000, "size": "original", "init": init, **options}
        self._stylizer = Stylizer(style, **settings)
        self._content = content
        self._turns = _Turns()
        self._thread: threading.Thread | None = None
        weakref.finalize(self, _Turns.close, self._turns)

    def advance(self) -> tuple[Picture, dict[str, float]]:
        """Takes a step: the picture after it, and the terms of the loss before it."""
        turns = self._turns
        if self._thread is None:
            # It must not keep this alive, or the run would never end.
            work = functools.partial(_work, turns, self._stylizer, self._content)
            self._thread = threading.Thread(target=work, name="impasto course", daemon=True)
            self._thread.start()
        else:
            turns.painter.release()
        turns.caller.acquire()
        if turns.error is not None:
            raise turns.error
        assert turns.step is not None
        return turns.step


def _work(turns: _Turns, stylizer: Stylizer, content: Any) -> None:
    try:
        stylizer(content, callback=turns.on_step, progress=False)
    except BaseException as error:
        turns.error = error
    turns.caller.release()


class Variable:
    """A picture that changes: `[1, h, w, 3]` of float32 in 0..1, or `[1, 3, h, w]`."""

    def __init__(self, value: Any) -> None:
        self.value: Array = np.array(getattr(value, "value", value), np.float32)
        self._run: Run | None = None
        self._options: dict[str, Any] = {}

    def assign(self, value: Any) -> Variable:
        """Becomes another picture; what was run on it begins anew."""
        self.value = np.array(getattr(value, "value", value), np.float32)
        self._run = None
        return self

    def clone(self) -> Variable:
        """Another one of the same values."""
        return Variable(self.value)

    def numpy(self) -> Array:
        """Its values."""
        return self.value.copy()

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape."""
        return self.value.shape

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(self.value, dtype=dtype)

    def take(self, recipe: str, content: Any, style: Any, layout: str, **options: Any) -> dict[str, float]:
        """Takes a step of a recipe; the terms of the loss before it. With other options than before, the run begins anew from
        the picture as it is."""
        if self._run is None or self._options != options:
            self._run = Run(recipe, picture_of(content), style, picture_of(self), **options)
            self._options = options
        picture, losses = self._run.advance()
        self.value = batch(picture, layout)
        return losses


def show(image: Any, title: str | None = None) -> None:
    """Draws a picture into the present axes. Needs matplotlib."""
    plt = _checks.module("matplotlib.pyplot", "imshow", has="imshow")
    plt.imshow(picture_of(image).numpy())
    if title:
        plt.title(title)
