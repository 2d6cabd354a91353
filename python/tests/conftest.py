"""What tests share: small pictures, and the program."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import impasto
import numpy as np
import pytest


@pytest.fixture(scope="session")
def photo() -> np.ndarray:
    """A small photo, `[h, w, 3]` of uint8."""
    return impasto.Picture("@lake").resized(64).numpy()


@pytest.fixture(scope="session")
def stylizer() -> impasto.Stylizer:
    """One that paints a few steps of a small picture."""
    return impasto.Stylizer("@swirls", size=48, steps=3, init="content", coarse_to_fine=False)


@pytest.fixture(scope="session")
def instant() -> impasto.Stylizer:
    """One that paints in a pass."""
    return impasto.Stylizer("@swirls", quality="instant", size=48)


@pytest.fixture
def program(tmp_path: Path):
    """Calls the program in a folder; what it said, and its status."""

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-m", "impasto", *map(str, arguments)]
        return subprocess.run(words, cwd=tmp_path, text=True, capture_output=True, timeout=300)

    return call
