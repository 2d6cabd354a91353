"""Writes `impasto/_settings.py`, the settings as keyword arguments, from the library's table of settings.

    python python/tools/settings.py > python/impasto/_settings.py
"""

from __future__ import annotations

from impasto import _impasto

HEAD = '''\
"""Settings as keyword arguments. Written by `python/tools/settings.py` from the library's table of settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypedDict


class Settings(TypedDict, total=False):
    """Settings of a recipe; what is not given, or None, is what recipe and quality say."""
'''


def main() -> None:
    print(HEAD, end="")
    group = None
    for row in _impasto.settings():
        if row["group"] != group:
            group = row["group"]
            print(f"\n    # {group}")
        print(f"    {row['keyword']}: {row['type']} | None")
        print(f'    """{sentence(row)}"""')


def sentence(row: dict[str, object]) -> str:
    notes = [row["range"], None if row["default"] is None else f"default: {row['default']}"]
    notes = "; ".join(note for note in notes if note)
    return f"{row['about']} [{notes}]." if notes else f"{row['about']}."


if __name__ == "__main__":
    main()
