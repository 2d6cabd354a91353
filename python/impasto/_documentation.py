"""Signatures and docstrings with every option and setting, so that `help`, editors and notebooks show them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

from . import _impasto, _options


def document(*functions: Callable[..., Any]) -> None:
    """Gives functions that take `**options` or `**settings` these as keywords, in their signatures and docstrings."""
    for function in functions:
        signature = inspect.signature(function)
        extra = next(p for p in signature.parameters.values() if p.kind is p.VAR_KEYWORD)
        own = [p for p in signature.parameters.values() if p is not extra]
        rows = _settings_rows() if extra.name == "settings" else _option_rows() + _settings_rows()
        taken = {parameter.name for parameter in own}
        rows = [row for row in rows if row[0] not in taken]
        keywords = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=f"{kind} | None")
            for name, kind, _ in rows
        ]
        function.__signature__ = signature.replace(parameters=[*own, *keywords])  # type: ignore[attr-defined]
        lines = "\n".join(f"    {name} ({kind}): {about}" for name, kind, about in rows)
        function.__doc__ = f"{inspect.cleandoc(function.__doc__ or '')}\n\n{extra.name.capitalize()}:\n{lines}\n"


@cache
def _settings_rows() -> list[tuple[str, str, str]]:
    return [(row["keyword"], row["type"], _about(row)) for row in _impasto.settings()]


def _about(row: dict[str, Any]) -> str:
    notes = [row["range"], None if row["default"] is None else f"default: {row['default']}"]
    told = "; ".join(note for note in notes if note)
    return f"{row['about']} [{told}]." if told else f"{row['about']}."


@cache
def _option_rows() -> list[tuple[str, str, str]]:
    kinds = _options.RunOptions.__annotations__
    return [(name, _kind(kinds[name]), about) for name, about in _options.ABOUT.items()]


def _kind(annotation: Any) -> str:
    """A type as it is written in the source."""
    return getattr(annotation, "__forward_arg__", str(annotation)).removesuffix(" | None")
