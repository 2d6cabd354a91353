"""The pictures on which runs are compared: 96×80 px, 8 bits, the same on every machine."""

import torch
import torch.nn.functional as F
from PIL import Image

HEIGHT, WIDTH = 80, 96


def smooth(seed, detail, noise):
    """Smooth colours plus noise, [3, h, w], rounded to 8 bits."""
    g = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, HEIGHT // detail, WIDTH // detail, generator=g)
    base = F.interpolate(coarse, size=(HEIGHT, WIDTH), mode="bilinear", align_corners=True)[0]
    picture = (base + noise * torch.randn(3, HEIGHT, WIDTH, generator=g)).clamp(0, 1)
    return (picture * 255).round() / 255


def content():
    return smooth(1, 16, 0.1)


def style():
    return smooth(2, 5, 0.08)


def noise():
    """What stands for the noise that some methods begin with: about the mean colour, a deviation of 2 of 255."""
    g = torch.Generator().manual_seed(3)
    mean = torch.tensor([123.68, 116.779, 103.939]).view(3, 1, 1)
    return (mean + 2 * torch.randn(3, HEIGHT, WIDTH, generator=g)).round().clamp(0, 255) / 255


def save(picture, path):
    values = (picture.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    Image.fromarray(values).save(path, optimize=True)


def load(path):
    import numpy as np

    values = np.asarray(Image.open(path).convert("RGB"), dtype="float64") / 255
    return torch.from_numpy(values).permute(2, 0, 1)


def psnr(a, b):
    """Decibels, of pictures in 0..1."""
    error = ((a.double() - b.double()) ** 2).mean().item()
    return float("inf") if error == 0 else -10 * torch.tensor(error).log10().item()
