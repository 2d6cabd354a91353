#!/usr/bin/env python3
"""What `impasto inspect loss ... --json` prints, computed independently in PyTorch float64.

    python inspect_loss.py --content A.png --style B.png --image X.png --encoder FILE.safetensors \
        --content-layer relu3_3 --style-layers relu1_1,relu2_1:2 --gradient G.npy

Takes the program's options by the same names. Prints {"terms": [{"name", "value", "weight", "weighted"}], "total"} and
writes the gradient towards the image in 0..1 as float32 [3, h, w]. Pictures are used as they are, at their own sizes.
"""

import argparse
import json

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file

import objective


def parser():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--content", required=True)
    p.add_argument("--style", required=True, action="append", help="PATH, several times for several styles")
    p.add_argument("--image", required=True)
    p.add_argument("--encoder", required=True, help="a safetensors file of conv1_1.weight, conv1_1.bias, ...")
    p.add_argument("--style-loss", default="gram", choices=["gram", "wasserstein", "mean-std"])
    p.add_argument("--gram-norm", default="chw", choices=["none", "hw", "chw", "gatys"])
    p.add_argument("--reduction", default="mean", choices=["mean", "sum"])
    p.add_argument("--normalize", default="none", choices=["none", "target", "gradient"])
    p.add_argument("--pooling", default="max", choices=["max", "average", "l2"])
    p.add_argument("--plain-pooling", action="store_true", help="do not rescale average and l2 pooling (x2, x0.78)")
    p.add_argument("--padding", default="zero", choices=["zero", "replicate", "reflect"])
    p.add_argument("--content-layer", type=layers, default=[], help="relu3_3[:WEIGHT],...")
    p.add_argument("--style-layers", type=layers, default=[], help="relu1_1[:WEIGHT],...")
    p.add_argument("--content-weight", type=float, default=1.0)
    p.add_argument("--style-weight", type=float, default=1.0)
    p.add_argument("--tv-weight", type=float, default=0.0)
    p.add_argument("--tv", default="l2", choices=["l1", "l2", "9-point"])
    p.add_argument("--gradient", help="where to write the gradient (.npy)")
    p.add_argument("--json", action="store_true", help="accepted for likeness; the output is always JSON")
    # Options of this script only.
    p.add_argument("--preprocessing", default="caffe", choices=["caffe", "torch"], help="what the weights expect")
    p.add_argument("--precision", default="float64", choices=["float64", "float32"])
    return p


def layers(text):
    """`relu1_1,relu2_1:2` to [(tap, weight)]."""
    pairs = (part.partition(":") for part in text.split(",") if part)
    return [(tap, float(weight or 1)) for tap, _, weight in pairs]


def picture(path, kind):
    with Image.open(path) as opened:
        pixels = np.asarray(opened.convert("RGB"), dtype=np.float64) / 255
    # The program keeps pictures in float32; the reference starts from the same numbers.
    return torch.from_numpy(pixels.astype(np.float32)).permute(2, 0, 1).contiguous().to(kind)


def inspect(a):
    """(terms, total, gradient) of parsed arguments."""
    kind = getattr(torch, a.precision)
    weights = {name: value.to(kind) for name, value in load_file(a.encoder).items()}
    settings = objective.Settings(
        content_layers=a.content_layer,
        style_layers=a.style_layers,
        style_loss=a.style_loss,
        gram_norm=a.gram_norm,
        reduction=a.reduction,
        normalize=a.normalize,
        tv=a.tv,
        content_weight=a.content_weight,
        style_weight=a.style_weight,
        tv_weight=a.tv_weight,
        preprocessing=a.preprocessing,
        padding=a.padding,
        pooling=a.pooling,
        rescaled=not a.plain_pooling,
    )
    styles = [(picture(path, kind), 1.0) for path in a.style]
    return objective.evaluate(picture(a.image, kind), picture(a.content, kind), styles, weights, settings)


def main():
    a = parser().parse_args()
    terms, total, gradient = inspect(a)
    if a.gradient:
        np.save(a.gradient, gradient.numpy().astype(np.float32))
    print(json.dumps({"terms": terms, "total": total}))


if __name__ == "__main__":
    main()
