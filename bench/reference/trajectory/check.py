#!/usr/bin/env python3
"""Runs the recipes of the published methods step by step beside independent implementations of them.

    python bench/reference/trajectory/check.py target/release/impasto [--encoder vgg19.safetensors] [--only pytorch]

For each recipe, 96×80 px: the first loss, the losses of the first 20 steps of Adam or 10 evaluations of L-BFGS, and with
Adam the picture after 50 steps. Prints a line each and exits with 1 where a target is missed: 1e-4 relative for the first
loss, 1e-2 for the others, 40 dB for the picture. The program works with --precision strict, and the implementations in
float32: the first steps of L-BFGS are so short that its directions are made of differences near rounding, which it
enlarges. Only crowson runs in float64, for the eigenvectors of its nearly singular covariances mean nothing in float32.
The implementations are in torch_recipes.py and, where TensorFlow is installed, tensorflow_recipes.py. Needs what
bench/requirements.txt pins.
"""

import argparse
import importlib.util
import itertools
import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

import pictures
import torch_recipes

ROOT = Path(__file__).resolve().parents[3]
ENCODER = ROOT.parent / "shared" / "weights" / "vgg19" / "vgg19-conv1_1-to-conv3_4.safetensors"
FIRST, LATER, DECIBELS = 1e-4, 1e-2, 40.0
ADAM_STEPS, ADAM_PICTURE, EVALUATIONS = 20, 50, 10
IN_FLOAT64 = {"crowson"}
IN_TENSORFLOW = {"tensorflow", "keras-eager", "holberton"}


def steps_of(recipe):
    return EVALUATIONS if recipe in torch_recipes.LBFGS else ADAM_PICTURE


def start_of(recipe):
    return pictures.noise() if recipe in torch_recipes.FROM_NOISE else pictures.content()


def in_torch(recipe, weights):
    """(losses, picture) of a recipe on weights, as PyTorch runs it."""
    dtype = torch.float64 if recipe in IN_FLOAT64 else torch.float32
    inputs = [p.to(dtype) for p in (pictures.content(), pictures.style(), start_of(recipe))]
    network = torch_recipes.Vgg(weights, dtype)
    return torch_recipes.RECIPES[recipe](network, *inputs, steps_of(recipe))


def in_tensorflow(recipe, encoder, paths):
    script = Path(__file__).with_name("tensorflow_recipes.py")
    result = paths["result"] + ".npz"
    command = [sys.executable, script, recipe, encoder, paths["content"], paths["style"], paths["start"]]
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    subprocess.run([*command, str(steps_of(recipe)), result], check=True, env=environment, capture_output=True)
    arrays = np.load(result)
    return arrays["losses"].tolist(), torch.from_numpy(arrays["picture"])


def impasto(program, encoder, recipe, paths):
    """(losses, picture) of the program."""
    command = [program, "stylize", paths["content"], "--style", paths["style"], "--recipe", recipe]
    command += ["--encoder", encoder, "--preprocessing", "caffe", "--init", paths["start"]]
    command += ["--scales", str(pictures.WIDTH), "--steps", str(steps_of(recipe))]
    command += ["--precision", "strict", "--progress", "json", "-o", paths["result"]]
    lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    events = map(json.loads, lines.splitlines())
    losses = [event["total"] for event in events if event["event"] == "step"]
    return losses, pictures.load(paths["result"])


def written(folder, recipe):
    """Paths of the pictures of a run."""
    paths = {name: f"{folder}/{name}.png" for name in ("content", "style", "start", "result")}
    pictures.save(pictures.content(), paths["content"])
    pictures.save(pictures.style(), paths["style"])
    pictures.save(start_of(recipe), paths["start"])
    return paths


def compare(recipe, framework, got, expected):
    """Prints a line; says whether the targets are met."""
    (losses, picture), (known, wanted) = got, expected
    adam = recipe not in torch_recipes.LBFGS
    # A loss that is missing or no number is infinitely far off: `max` and `nan` do not go together.
    pairs = itertools.zip_longest(losses, known, fillvalue=math.nan)
    errors = [abs(a / b - 1) if math.isfinite(a / b) else math.inf for a, b in pairs]
    later = max(errors[: ADAM_STEPS if adam else EVALUATIONS])
    decibels = pictures.psnr(picture, wanted)
    good = errors[0] <= FIRST and later <= LATER and (not adam or decibels >= DECIBELS)
    shown = f"{decibels:6.1f} dB" if adam else "-"
    mark = "" if good else "  MISSED"
    print(f"{recipe:14} {framework:11} {known[0]:12.6g} {errors[0]:9.1e} {later:12.1e} {shown:>9}{mark}", flush=True)
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--encoder", default=str(ENCODER))
    parser.add_argument("--only", default="")
    args = parser.parse_args()
    weights = load_file(args.encoder)
    with_tensorflow = importlib.util.find_spec("tensorflow") is not None
    if not with_tensorflow:
        print("TensorFlow is not installed: compared with PyTorch alone")
    missed = 0
    print(f"{'recipe':14} {'beside':11} {'first loss':>12} {'relative':>9} {'worst later':>12} {'picture':>9}")
    for recipe in torch_recipes.RECIPES:
        if args.only not in recipe:
            continue
        with tempfile.TemporaryDirectory() as folder:
            paths = written(folder, recipe)
            got = impasto(args.program, args.encoder, recipe, paths)
            runs = {"torch": in_torch(recipe, weights)}
            if recipe in IN_TENSORFLOW and with_tensorflow:
                runs["tensorflow"] = in_tensorflow(recipe, args.encoder, paths)
        for framework, expected in runs.items():
            missed += not compare(recipe, framework, got, expected)
    print(f"{missed} missed" if missed else "all within the targets")
    return missed > 0


if __name__ == "__main__":
    sys.exit(main())
