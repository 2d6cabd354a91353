#!/usr/bin/env python3
"""Records the terms of STROTSS (Kolkin et al. 2019) and their gradients, written from the paper.

    python crates/impasto/tests/golden/strotss/make.py        (needs torch, safetensors, pillow; some seconds)

PICTURE.png              the input pictures, 32x32 pixels and so small that every place of them is looked at
strotss.json             the terms at the picture `image`; losses and weights are those of a last pass with the photo's weight 1
inspected.safetensors    "gradient": dL/d(picture in 0..1) [3, h, w] of L = (content + transport + moments + palette)/3;
                         "NAME" the same of each term alone

The network is ../tiny.safetensors, all of its ReLUs, in torchvision's units. Everything is in float64, and nothing here is fast.
"""

import json
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file, save_file

HERE = Path(__file__).resolve().parent
MEAN_BGR = torch.tensor([103.939, 116.779, 123.68], dtype=torch.float64).view(3, 1, 1)
LAYERS = ["1_1", "1_2", "2_1", "2_2", "3_1", "3_2", "3_3", "3_4"]
AXES = torch.tensor(
    [[0.577350, 0.577350, 0.577350], [-0.577350, 0.788675, -0.211325], [-0.577350, -0.211325, 0.788675]],
    dtype=torch.float64,
)
UNIT = 1 / (255 * 0.225)  # from the original network's units to torchvision's
weights = {name: tensor.double() for name, tensor in load_file(HERE.parent / "tiny.safetensors").items()}


def picture(name, seed, detail, noise):
    g = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, detail, detail, generator=g)
    smooth = F.interpolate(coarse, size=(32, 32), mode="bicubic", align_corners=False)[0]
    values = (smooth + noise * torch.randn(3, 32, 32, generator=g)).clamp(0, 1)
    data = (values * 255).round().to(torch.uint8)
    Image.fromarray(data.permute(1, 2, 0).numpy()).save(HERE / f"{name}.png")
    return data.double() / 255


def features(image):
    """The picture and every ReLU of the network, each with its stride."""
    x = image.flip(0) * 255 - MEAN_BGR
    maps, block, stride = [(image, 1)], "1", 1
    for layer in LAYERS:
        if layer[0] != block:
            x, block, stride = F.max_pool2d(x[None], 2)[0], layer[0], 2 * stride
        x = F.relu(F.conv2d(x[None], weights[f"conv{layer}.weight"], weights[f"conv{layer}.bias"], padding=1)[0])
        maps.append((x * UNIT, stride))
    return maps


def hypercolumns(image):
    """[places, channels] of all pixels: each coordinate halved at every pool, bilinear, clamped at the border."""
    y, x = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    y, x = y.flatten().double(), x.flatten().double()
    rows = []
    for m, stride in features(image):
        at_y, at_x = y / stride, x / stride
        y0, x0 = at_y.floor().long(), at_x.floor().long()
        y1, x1 = (y0 + 1).clamp(max=m.shape[1] - 1), (x0 + 1).clamp(max=m.shape[2] - 1)
        dy, dx = at_y - y0, at_x - x0
        rows.append(
            m[:, y0, x0] * (1 - dy) * (1 - dx)
            + m[:, y0, x1] * (1 - dy) * dx
            + m[:, y1, x0] * dy * (1 - dx)
            + m[:, y1, x1] * dy * dx
        )
    return torch.cat(rows).T


def cosine_distances(x, y):
    return 1 - F.normalize(x, dim=1) @ F.normalize(y, dim=1).T


def relaxed(d):
    return torch.maximum(d.min(1).values.mean(), d.min(0).values.mean())


def self_similarity(x, photo):
    a, b = cosine_distances(x, x), cosine_distances(photo, photo)
    return (a / a.sum(0) - b / b.sum(0)).abs().sum() / len(x)


def moments(x, s):
    def of(rows):
        mean = rows.mean(0)
        return mean, (rows - mean).T @ (rows - mean) / len(rows)

    (mean, covariance), (wanted_mean, wanted) = of(x), of(s)
    return (mean - wanted_mean).abs().mean() + (covariance - wanted).abs().mean()


def palette(x, s):
    a, b = x[:, :3] @ AXES.T, s[:, :3] @ AXES.T
    squares = ((a[:, None] - b[None]) ** 2).sum(2) / 3
    return relaxed(cosine_distances(a, b) + squares.clamp(min=1e-5).sqrt())


def main():
    torch.set_default_dtype(torch.float64)
    content, style = picture("content", 1, 5, 0.03), picture("style", 2, 9, 0.1)
    image = picture("image", 3, 7, 0.05)
    photo, painting = hypercolumns(content), hypercolumns(style)
    terms, gradients, total = {}, {}, torch.zeros(3, 32, 32)
    for name, term in [
        ("content", lambda x: self_similarity(x, photo)),
        ("transport", lambda x: relaxed(cosine_distances(x, painting))),
        ("moments", lambda x: moments(x, painting)),
        ("palette", lambda x: palette(x, painting)),
    ]:
        variable = image.clone().requires_grad_()
        value = term(hypercolumns(variable))
        value.backward()
        terms[name] = value.item()
        gradients[name] = variable.grad.float()
        total += variable.grad / 3
    gradients["gradient"] = total.float()
    save_file(gradients, HERE / "inspected.safetensors")
    (HERE / "strotss.json").write_text(json.dumps(terms, indent=1) + "\n")
    print(terms)


main()
