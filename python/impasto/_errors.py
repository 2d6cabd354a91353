"""What goes wrong, as exceptions. Each lists everything that is wrong, not the first thing alone."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence

__all__ = ["ForkedError", "ImpastoError", "InvalidError", "MissingError"]


class ImpastoError(Exception):
    """Something failed.

    Attributes:
        problems: a sentence for each thing that is wrong.
    """

    problems: list[str]

    def __init__(self, problems: Sequence[str] | str) -> None:
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        super().__init__("\n".join(self.problems))

    def __reduce__(self) -> tuple[type, tuple[list[str]]]:
        # As it was made, so that it comes whole out of another process.
        return (type(self), (self.problems,))

    def __str__(self) -> str:
        return "\n".join(self.problems)


class InvalidError(ImpastoError, ValueError):
    """Arguments or settings that cannot be."""


class MissingError(ImpastoError, FileNotFoundError):
    """A file, or a network, that is not there.

    Attributes:
        filename: the file, if it is one; the first of several.
    """

    def __init__(self, problems: Sequence[str] | str, filename: str | None = None) -> None:
        super().__init__(problems)
        self.errno, self.strerror, self.filename = errno.ENOENT, os.strerror(errno.ENOENT), filename

    def __reduce__(self) -> tuple[type, tuple[list[str], str | None]]:  # type: ignore[override]
        return (type(self), (self.problems, self.filename))


class ForkedError(ImpastoError, RuntimeError):
    """This process was forked from one in which impasto had worked already, and its threads stayed there."""
