#!/usr/bin/env python3
"""Writes what the published methods do on a tiny network, as PyTorch does it, for the tests of their recipes.

    python crates/impasto/tests/golden/trajectories/make.py      (needs torch 2.15, numpy, pillow, safetensors; a minute)

content.png, style.png, noise.png   the pictures, 96×80 px; noise is what stands for the noise that some methods start from
NAME.png                            the picture after 50 steps of Adam
trajectories.json                   for each recipe its start and its losses: 50 of Adam, 10 evaluations of L-BFGS

The network is ../tiny.safetensors, the methods are bench/reference/trajectory/torch_recipes.py, in float32 as PyTorch runs
them. "float64" is how far the losses are from those in float64, relative, and the picture in decibels: what rounding alone
does. A picture that rounding takes below 45 dB is not kept: total variation in absolute values flips with the sign of
differences near zero.
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[4] / "bench" / "reference" / "trajectory"))
import pictures  # noqa: E402
import torch_recipes  # noqa: E402

STEPS, EVALUATIONS, DECIBELS = 50, 10, 45.0


def run(recipe, weights, dtype):
    start = pictures.noise() if recipe in torch_recipes.FROM_NOISE else pictures.content()
    inputs = [p.to(dtype) for p in (pictures.content(), pictures.style(), start)]
    steps = EVALUATIONS if recipe in torch_recipes.LBFGS else STEPS
    return torch_recipes.RECIPES[recipe](torch_recipes.Vgg(weights, dtype), *inputs, steps)


def main():
    torch.set_num_threads(1)
    weights = load_file(HERE.parent / "tiny.safetensors")
    for name in ("content", "style", "noise"):
        pictures.save(getattr(pictures, name)(), HERE / f"{name}.png")
    rows = []
    for recipe in torch_recipes.RECIPES:
        losses, picture = run(recipe, weights, torch.float32)
        exact, exact_picture = run(recipe, weights, torch.float64)
        off = max(abs(a / b - 1) for a, b in zip(losses[:20], exact))
        decibels = pictures.psnr(picture, exact_picture)
        row = {
            "recipe": recipe,
            "start": "noise" if recipe in torch_recipes.FROM_NOISE else "content",
            "losses": [float(f"{loss:.8g}") for loss in losses],
            "float64": {"losses": float(f"{off:.1e}"), "picture": round(decibels, 1)},
        }
        if recipe not in torch_recipes.LBFGS and decibels >= DECIBELS:
            row["picture"] = f"{recipe}.png"
            pictures.save(picture, HERE / row["picture"])
        rows.append(json.dumps(row))
        print(f"{recipe:14} first {losses[0]:<12.6g} float64 {row['float64']}")
    (HERE / "trajectories.json").write_text("[\n" + ",\n".join(rows) + "\n]\n")


if __name__ == "__main__":
    main()
