"""The program: `impasto` and `python -m impasto`."""

from __future__ import annotations

import sys

from . import _impasto


def main() -> int:
    """Is the program, with the arguments of the process."""
    sys.stdout.flush()
    sys.stderr.flush()
    return _impasto.program(["impasto", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
