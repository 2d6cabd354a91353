#!/usr/bin/env python3
"""Records what the network of Texler et al. 2020 (arXiv 2004.14489) makes of a frame and its guide, written from the paper.

    python crates/impasto/tests/golden/keyframes/make.py        (needs torch, safetensors; a second)

published.safetensors    "frame", "guide" [3, 12, 20] in 0..1; "painted" [3, 12, 20] in 0..1
                         "numbers.NNN": filters and biases in the order of the layers, batch normalisation (as it is when a picture
                         is painted) folded into the convolution before it, or a factor and a summand where there is a ReLU between

Channels and blocks are those of DESIGN, much smaller than published (32, 64, 128, seven blocks, 128, 64). In float64.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

HERE = Path(__file__).resolve().parent
DESIGN = dict(down=(4, 6, 8), blocks=2, up=(7, 5))
torch.manual_seed(7)


def conv(inputs, outputs, side, stride=1):
    return nn.Conv2d(inputs, outputs, side, stride, side // 2)


class Block(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.one, self.norm, self.two = conv(channels, channels, 3), nn.BatchNorm2d(channels), conv(channels, channels, 3)

    def forward(self, x):
        return x + self.two(F.relu(self.norm(self.one(F.relu(x)))))


class Generator(nn.Module):
    def __init__(self, down, blocks, up):
        super().__init__()
        full, half, quarter = down
        wide, last = up
        self.down = nn.ModuleList([conv(6, full, 7), conv(full, half, 3, 2), conv(half, quarter, 3, 2)])
        self.down_norms = nn.ModuleList([nn.BatchNorm2d(n) for n in down])
        self.blocks = nn.ModuleList([Block(quarter) for _ in range(blocks)])
        self.up = nn.ModuleList([conv(2 * quarter, wide, 3), conv(wide + half, wide, 3)])
        self.up_norms = nn.ModuleList([nn.BatchNorm2d(wide) for _ in range(2)])
        self.join = conv(wide + full + 6, last, 7)
        self.smooth = nn.ModuleList([conv(last, last, 3) for _ in range(2)])
        self.smooth_norms = nn.ModuleList([nn.BatchNorm2d(last) for _ in range(2)])
        self.out = conv(last, 3, 1)

    def forward(self, x):
        seen, maps = x, []
        for layer, norm in zip(self.down, self.down_norms):
            x = F.leaky_relu(norm(layer(x)), 0.2)
            maps.append(x)
        for block in self.blocks:
            x = block(x)
        for layer, norm, beside in zip(self.up, self.up_norms, (maps[2], maps[1])):
            x = F.interpolate(torch.cat([x, beside], 1), scale_factor=2, mode="nearest")
            x = F.relu(norm(layer(x)))
        x = F.relu(self.join(torch.cat([x, maps[0], seen], 1)))
        for layer, norm in zip(self.smooth, self.smooth_norms):
            x = F.relu(norm(F.relu(layer(x))))
        return torch.tanh(self.out(x))


def affine(norm):
    """Factor and summand of a batch normalisation."""
    factor = norm.weight / (norm.running_var + norm.eps).sqrt()
    return factor, norm.bias - factor * norm.running_mean


def folded(layer, norm):
    factor, summand = affine(norm)
    return [layer.weight * factor[:, None, None, None], layer.bias * factor + summand]


net = Generator(**DESIGN).double().eval()
for module in net.modules():
    if isinstance(module, nn.BatchNorm2d):
        for values, low, high in [(module.weight, 0.5, 1.5), (module.bias, -0.5, 0.5), (module.running_mean, -0.5, 0.5), (module.running_var, 0.2, 2)]:
            nn.init.uniform_(values, low, high)
net.out.weight.data *= 6

numbers = []
for layer, norm in zip(net.down, net.down_norms):
    numbers += folded(layer, norm)
for block in net.blocks:
    numbers += folded(block.one, block.norm) + [block.two.weight, block.two.bias]
for layer, norm in zip(net.up, net.up_norms):
    numbers += folded(layer, norm)
numbers += [net.join.weight, net.join.bias]
for layer, norm in zip(net.smooth, net.smooth_norms):
    numbers += [layer.weight, layer.bias, *affine(norm)]
numbers += [net.out.weight, net.out.bias]

frame, guide = torch.rand(2, 3, 12, 20, dtype=torch.float64)
with torch.no_grad():
    painted = net(torch.cat([frame, guide])[None] * 2 - 1)[0] / 2 + 0.5
file = {f"numbers.{place:03}": values.detach().flatten().float().contiguous() for place, values in enumerate(numbers)}
file |= {name: values.float().contiguous() for name, values in [("frame", frame), ("guide", guide), ("painted", painted)]}
save_file(file, HERE / "published.safetensors")
print(f"painted {painted.min():.3f} to {painted.max():.3f}, deviation {painted.std():.3f}, {sum(v.numel() for v in numbers)} numbers")
