"""What arguments may be: each is read by a function that says what is wrong with it, and all of that is raised at once."""

from __future__ import annotations

import importlib
import operator
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from ._errors import ImpastoError, InvalidError, MissingError

T = TypeVar("T")

# How much of a value is shown in a message, in letters.
_SHOWN = 60
# The largest whole number that the library takes.
_MOST = 2**63 - 1


class Noted:
    """What is wrong with the arguments of a call, gathered."""

    def __init__(self) -> None:
        self._errors: list[ImpastoError] = []

    def read(self, reader: Callable[[str, Any], T], name: str, value: Any) -> T | None:
        """What a reader makes of a value, or `None` where it is wrong, which is noted. `None` is what was not given."""
        if value is None:
            return None
        try:
            return reader(name, value)
        except (InvalidError, MissingError) as error:
            self._errors.append(error)
            return None

    def each(self, reader: Callable[[str, Any], T], name: str, values: Iterable[Any]) -> list[T]:
        """What a reader makes of the members of a list, without those that are wrong; `None` is none of it."""
        read = []
        for value in values:
            try:
                read.append(reader(name, value))
            except (InvalidError, MissingError) as error:
                self._errors.append(error)
        return read

    def note(self, error: ImpastoError) -> None:
        """Notes what somebody else has found."""
        self._errors.append(error)

    @property
    def problems(self) -> list[str]:
        """A sentence for each thing that is wrong."""
        return [problem for error in self._errors for problem in error.problems]

    def end(self) -> None:
        """Raises what was noted, if anything was: an `InvalidError` unless it is files alone that are missing."""
        if not self._errors:
            return
        if all(isinstance(error, MissingError) for error in self._errors):
            raise MissingError(self.problems, getattr(self._errors[0], "filename", None))
        raise InvalidError(self.problems)


def shown(value: Any) -> str:
    """A value in a message: as it is written, if that is short."""
    if value is None or isinstance(value, (str, int, float, bytes, tuple)):
        try:
            written = repr(value)
        except Exception:
            # Numbers of very many digits have no text, nor have all members of tuples.
            written = ""
        if 0 < len(written) <= _SHOWN:
            return written
    return f"of type {type(value).__name__}"


def wrong(name: str, value: Any, allowed: str) -> InvalidError:
    """The error of an argument that cannot be."""
    return InvalidError(f"{name} is {shown(value)}: must be {allowed}")


def text(name: str, value: Any) -> str:
    """A text of Unicode."""
    if not isinstance(value, str):
        raise wrong(name, value, "a text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidError(f"{name} is {value!r}: must be Unicode") from None
    return value


def one_of(*allowed: str) -> Callable[[str, Any], str]:
    """A reader of names."""

    def read(name: str, value: Any) -> str:
        if not (isinstance(value, str) and value in allowed):
            raise wrong(name, value, ", ".join(allowed[:-1]) + f" or {allowed[-1]}")
        return value

    return read


def whole(least: int = 0, most: int = _MOST) -> Callable[[str, Any], int]:
    """A reader of whole numbers, of Python or NumPy."""
    bounds = f"a whole number of at least {least}" if most == _MOST else f"a whole number from {least} to {most}"

    def read(name: str, value: Any) -> int:
        try:
            if isinstance(value, bool):
                raise TypeError
            number = operator.index(value)
        except TypeError:
            raise wrong(name, value, bounds) from None
        if not least <= number <= most:
            raise wrong(name, value, bounds)
        return number

    return read


def number(name: str, value: Any) -> float:
    """A number, of Python or NumPy."""
    try:
        if isinstance(value, (str, bytes, bool)):
            raise TypeError
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise wrong(name, value, "a number") from None


def pair(allowed: str, least: int = 0, most: int = _MOST) -> Callable[[str, Any], tuple[int, int]]:
    """A reader of two whole numbers; `allowed` says what they are."""
    member = whole(least, most)

    def read(name: str, value: Any) -> tuple[int, int]:
        members = list(value) if isinstance(value, Iterable) and not isinstance(value, (str, bytes)) else []
        if len(members) != 2:
            raise wrong(name, value, allowed)
        return member(name, members[0]), member(name, members[1])

    return read


def path(name: str, value: Any) -> str:
    """A path as a text; bytes that are no Unicode are in it as Python has them."""
    if not isinstance(value, (str, os.PathLike)):
        raise wrong(name, value, "a path")
    return os.fsdecode(os.fspath(value))


def existing(name: str, value: Any) -> str:
    """The path of something that is there."""
    found = path(name, value)
    if not os.path.exists(found):
        raise MissingError(f"{name}: cannot read {spoken(found)}: there is no such file; check the name and the folder", found)
    return found


def several(name: str, value: Any) -> Iterable[Any]:
    """Several pictures: a list or whatever gives them one by one, but not one picture, whose rows or letters these would be."""
    is_one = isinstance(value, (str, bytes, bytearray, memoryview, os.PathLike)) or hasattr(value, "getbands")
    if is_one or getattr(value, "ndim", 4) < 4 or not isinstance(value, Iterable):
        raise wrong(name, value, "a list of pictures")
    return value


def pictures(name: str, value: Any) -> list[Any]:
    """Several pictures, as a list that has one at least."""
    found = list(several(name, value))
    if not found:
        raise InvalidError(f"{name} is empty: name a picture at least")
    return found


def function(name: str, value: Any) -> Callable[..., Any]:
    """Something that can be called."""
    if not callable(value):
        raise wrong(name, value, "a function")
    return value


def spoken(name: str) -> str:
    """A file's name in Unicode, for people and for names of results: what is none is replaced, as the program does."""
    return os.fsencode(name).decode("utf-8", "replace")


def write_text(path: Path, content: str) -> Path:
    """Writes a file of text.

    Raises:
        MissingError: there is no such folder.
        ImpastoError: it cannot be written.
    """
    try:
        path.write_text(content, encoding="utf-8")
    except FileNotFoundError as error:
        raise MissingError(f"cannot write {path}: there is no such folder", os.fspath(path)) from error
    except OSError as error:
        raise ImpastoError(f"cannot write {path}: {error.strerror or error}") from error
    return path


def module(name: str, what: str, *, has: str, package: str | None = None) -> Any:
    """A package that is not needed otherwise; `has` is a name in it, which a mere folder of that name lacks.

    Raises:
        ModuleNotFoundError: it is not installed; says how it is.
    """
    try:
        found = importlib.import_module(name)
        getattr(found, has)
    except (ModuleNotFoundError, AttributeError) as error:
        package = package or name.partition(".")[0]
        raise ModuleNotFoundError(f"{what} needs {package}: pip install {package}", name=name) from error
    return found


def stays(value: object, instead: str) -> NoReturn:
    """Refuses to be pickled."""
    raise TypeError(f"a {type(value).__name__} stays in its process: {instead}")


def sequence(name: str, value: Any, allowed: str) -> Sequence[Any]:
    """A list or tuple."""
    if not isinstance(value, (list, tuple)):
        raise wrong(name, value, allowed)
    return value
