#!/usr/bin/env python3
"""Records runs of neural neighbour style transfer (Kolkin et al. 2022), written from the paper and its program's defaults.

    python crates/impasto/tests/golden/nnst/make.py              (needs torch, safetensors, pillow; two minutes)
    python crates/impasto/tests/golden/nnst/make.py VGG19        the same on the original VGG-19 to conv3_4, a safetensors file

PICTURE.png   the input pictures, and the results of the runs
nnst.json     "runs": settings, and the losses of every step of each pass; "inspected": the terms of both passes at a picture
inspected.safetensors    "gradient": dL/d(picture in 0..1) [3, h, w] of the sum of these terms
vgg19.json, vgg19.safetensors    the same of VGG-19: a run of ten steps of each kind, of the upright style alone

The network is ../tiny.safetensors, all of its ReLUs. Everything is in float64, and nothing here is fast. As published: the
picture is drawn anew from before the last step of each size; hypercolumns are divided by their layers' channels.
"""

import json
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file, save_file

HERE = Path(__file__).resolve().parent
MEAN_BGR = torch.tensor([103.939, 116.779, 123.68], dtype=torch.float64).view(3, 1, 1)
LAYERS = ["1_1", "1_2", "2_1", "2_2", "3_1", "3_2", "3_3", "3_4"]
ALPHA, RATE = 0.75, 2e-3
VGG19 = sys.argv[1] if len(sys.argv) > 1 else None
NETWORK = VGG19 or HERE.parent / "tiny.safetensors"
weights = {name: tensor.double() for name, tensor in load_file(NETWORK).items()}


def picture(name, h, w, seed, detail, noise):
    g = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, h // detail, w // detail, generator=g)
    smooth = F.interpolate(coarse, size=(h, w), mode="bicubic", align_corners=False)[0]
    values = (smooth + noise * torch.randn(3, h, w, generator=g)).clamp(0, 1)
    return save(name, values)


def save(name, values):
    data = (values.clamp(0, 1) * 255).round().to(torch.uint8)
    Image.fromarray(data.permute(1, 2, 0).numpy()).save(HERE / f"{name}.png")
    return data.double() / 255


def features(image):
    """Every ReLU of the network, [c, h, w]."""
    x = image.flip(0) * 255 - MEAN_BGR
    maps, block = [], "1"
    for layer in LAYERS:
        if layer[0] != block:
            x, block = F.max_pool2d(x[None], 2)[0], layer[0]
        x = F.relu(F.conv2d(x[None], weights[f"conv{layer}.weight"], weights[f"conv{layer}.bias"], padding=1)[0])
        maps.append(x)
    return maps


def hypercolumns(image):
    """[places, channels]"""
    size = (image.shape[1] // 4, image.shape[2] // 4)
    maps = [F.interpolate(m[None] / m.shape[0], size=size, mode="bilinear", align_corners=True)[0] for m in features(image)]
    return torch.cat(maps).flatten(1).T


def turned(style, turns):
    return [torch.rot90(style, k, (1, 2)) for k in range(turns)]


def cosines(x, y):
    """[len x, len y]"""
    return F.normalize(x, dim=1, eps=1e-4) @ F.normalize(y, dim=1, eps=1e-4).T


def matched(query, styles):
    """What each row of the query is matched with: both centred."""
    return cosines(query - query.mean(0), styles - styles.mean(0)).argmax(1)


def half(x):
    size = (max(x.shape[1] // 2, 1), max(x.shape[2] // 2, 1))
    return F.interpolate(x[None], size=size, mode="bilinear", align_corners=False)[0]


def resized(x, like):
    return F.interpolate(x[None], size=like.shape[1:], mode="bilinear", align_corners=False)[0]


def pyramid(x, levels):
    made = []
    for _ in range(levels):
        if min(x.shape[1:]) < 2:
            break
        coarse = half(x)
        made.append(x - resized(coarse, x))
        x = coarse
    return made + [x]


def collapsed(levels):
    x = levels[-1]
    for level in reversed(levels[:-1]):
        x = resized(x, level) + level
    return x


def query_of(content, current):
    detail = content - resized(half(content), content)
    return (1 - ALPHA) * (current + detail) + ALPHA * content


def match_loss(image, targets):
    x = hypercolumns(image)
    return (1 - F.cosine_similarity(x, targets, dim=1, eps=1e-8)).mean()


def nearest_losses(image, styles):
    """By layer; `styles` are the maps of all views."""
    losses = []
    for layer, x in enumerate(features(image)):
        assert max(x.shape[1:]) < 128, "places are left out at random"
        x = x.flatten(1).T
        s = torch.cat([maps[layer].flatten(1).T for maps in styles])
        losses.append((1 - cosines(x - x.mean(0), s - s.mean(0)).max(1).values).mean())
    return losses


def adam(start, levels, steps, loss):
    """The losses, and the picture before the last step and after it."""
    variables = [level.clone().requires_grad_() for level in pyramid(start, levels)]
    optimizer = torch.optim.Adam(variables, lr=RATE)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        image = collapsed(variables)
        value = loss(image)
        value.backward()
        losses.append(value.item())
        optimizer.step()
    return losses, image.detach(), collapsed(variables).detach()


def run(content, style, sizes, turns, steps, splitting):
    contents, styles = [content], [style]
    for _ in range(sizes - 1):
        contents.append(half(contents[-1]))
        styles.append(half(styles[-1]))
    current, losses = None, []
    for k in reversed(range(sizes)):
        here = contents[k]
        start = here if current is None else resized(current, here)
        rows = torch.cat([hypercolumns(view) for view in turned(styles[k], turns)])
        query = here if current is None else query_of(here, start)
        targets = rows[matched(hypercolumns(query), rows)]
        made, current, _ = adam(start, 8 - k, steps, lambda image: match_loss(image, targets))
        current = current.clamp(0, 1)
        losses.append(made)
    if splitting:
        with torch.no_grad():
            views = [features(view) for view in turned(style, turns)]
        made, _, current = adam(current, 8, splitting, lambda image: sum(nearest_losses(image, views)))
        losses.append(made)
    return losses, current


def main():
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    pictures = {
        "content-small": picture("content-small", 76, 100, 1, 9, 0.03),
        "style-small": picture("style-small", 100, 76, 2, 4, 0.08),
        "content-large": picture("content-large", 120, 160, 3, 11, 0.03),
        "style-large": picture("style-large", 160, 124, 4, 5, 0.08),
    }
    cases = [("one-size", "small", 1, 4, 11, 10), ("two-sizes", "large", 2, 1, 11, 0)]
    if VGG19:
        cases = [("vgg19", "small", 1, 1, 11, 10)]
    views = 1 if VGG19 else 4
    runs = []
    for name, size, sizes, turns, steps, splitting in cases:
        content, style = pictures[f"content-{size}"], pictures[f"style-{size}"]
        losses, result = run(content, style, sizes, turns, steps, splitting)
        save(name, result)
        settings = dict(name=name, content=f"content-{size}", style=f"style-{size}", turns=turns > 1)
        runs.append(dict(**settings, steps=steps, splitting=splitting, losses=losses))
        print(name, [made[0] for made in losses], [made[-1] for made in losses])
    content, style = pictures["content-small"], pictures["style-small"]
    image = picture("image-small", 76, 100, 5, 6, 0.05)
    rows = torch.cat([hypercolumns(view) for view in turned(style, views)])
    targets = rows[matched(hypercolumns(query_of(content, image)), rows)]
    views = [features(view) for view in turned(style, views)]
    variable = image.clone().requires_grad_()
    terms = [match_loss(variable, targets)] + nearest_losses(variable, views)
    sum(terms).backward()
    save_file({"gradient": variable.grad.float()}, HERE / f"{'vgg19' if VGG19 else 'inspected'}.safetensors")
    names = ["match"] + [f"nearest:relu{layer}" for layer in LAYERS]
    inspected = dict(zip(names, [term.item() for term in terms]))
    text = json.dumps({"runs": runs, "inspected": inspected}, indent=1)
    (HERE / f"{'vgg19' if VGG19 else 'nnst'}.json").write_text(text + "\n")


main()
