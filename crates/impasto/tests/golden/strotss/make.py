#!/usr/bin/env python3
"""Records the terms of STROTSS (Kolkin et al. 2019) and their gradients, written from the paper.

    python crates/impasto/tests/golden/strotss/make.py              (needs torch, safetensors, pillow; some seconds)
    python crates/impasto/tests/golden/strotss/make.py VGG19        the same on the original VGG-19 to conv3_4, a safetensors file

PICTURE.png              the input pictures, 32x32 pixels and so small that every place of them is looked at
strotss.json             the terms at the picture `image`; losses and weights are those of a last pass with the photo's weight 1;
                         "run": the losses of ten steps
inspected.safetensors    "gradient": dL/d(picture in 0..1) [3, h, w] of L = (content + transport + moments + palette)/3;
                         "NAME" the same of each term alone; "result": the picture after the steps
vgg19.json, vgg19.safetensors    the same of VGG-19

The network is ../tiny.safetensors, all of its ReLUs, in torchvision's units. Everything is in float64, and nothing here is fast.
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
AXES = torch.tensor(
    [[0.577350, 0.577350, 0.577350], [-0.577350, 0.788675, -0.211325], [-0.577350, -0.211325, 0.788675]],
    dtype=torch.float64,
)
UNIT = 1 / (255 * 0.225)  # from the original network's units to torchvision's
VGG19 = sys.argv[1] if len(sys.argv) > 1 else None
NETWORK = VGG19 or HERE.parent / "tiny.safetensors"
STEPS, RATE, LEVELS = 10, 2e-3, 4
weights = {name: tensor.double() for name, tensor in load_file(NETWORK).items()}


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


def resized(x, like, corners):
    return F.interpolate(x[None], size=like, mode="bilinear", align_corners=corners)[0]


def run(content, style, photo, painting):
    """Ten steps of a run at one size, the first: the losses, and the picture after them."""
    w = 16.0
    detail = content - resized(resized(content, (16, 16), False), (32, 32), False)
    x = style.mean((1, 2), keepdim=True) + detail
    levels = []
    for _ in range(LEVELS):
        coarse = resized(x, (x.shape[1] // 2, x.shape[2] // 2), True)
        levels.append(x - resized(coarse, x.shape[1:], True))
        x = coarse
    variables = [level.clone().requires_grad_() for level in levels + [x]]

    def collapsed():
        x = variables[-1]
        for level in reversed(variables[:-1]):
            x = resized(x, level.shape[1:], True) + level
        return x

    optimizer = torch.optim.RMSprop(variables, lr=RATE)
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        rows = hypercolumns(collapsed())
        loss = w * self_similarity(rows, photo) + relaxed(cosine_distances(rows, painting)) + moments(rows, painting)
        loss = (loss + palette(rows, painting) / w) / (w + 2)
        loss.backward()
        losses.append(loss.item())
        optimizer.step()
    return losses, collapsed().detach()


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
    losses, result = run(content, style, photo, painting)
    gradients["result"] = result.float().clamp(0, 1)
    save_file(gradients, HERE / f"{'vgg19' if VGG19 else 'inspected'}.safetensors")
    text = json.dumps({"terms": terms, "run": losses}, indent=1)
    (HERE / f"{'vgg19' if VGG19 else 'strotss'}.json").write_text(text + "\n")
    print(terms, losses)


main()
