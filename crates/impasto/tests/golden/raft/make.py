"""RAFT-small (Teed and Deng 2020, arXiv 2003.12039), narrow and with made-up numbers, written from the paper and from the
names of the authors' file. Makes `network.safetensors`, and `frames.safetensors`: two frames, and the flow after three updates.

    python make.py        # torch 2.9, safetensors 0.6
    python make.py FILE A.png B.png OUT.flo    # the same with the authors' file, twelve updates
"""

import struct
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

HERE = Path(__file__).parent
LEVELS, RADIUS = 4, 3


def conv(w, name, x, stride=1):
    kernel = w[f"{name}.weight"]
    return F.conv2d(x, kernel, w[f"{name}.bias"], stride=stride, padding=kernel.shape[-1] // 2)


def encoder(w, part, x, normed):
    norm = F.instance_norm if normed else (lambda x: x)
    x = F.relu(norm(conv(w, f"{part}.conv1", x, 2)))
    for stage, stride in [(1, 1), (2, 2), (3, 2)]:
        for block in range(2):
            name = f"{part}.layer{stage}.{block}"
            step = stride if block == 0 else 1
            y = x
            for number in (1, 2, 3):
                y = F.relu(norm(conv(w, f"{name}.conv{number}", y, step if number == 2 else 1)))
            if step == 2:
                x = norm(conv(w, f"{name}.downsample.0", x, 2))
            x = F.relu(x + y)
    return conv(w, f"{part}.conv2", x)


def correlations(one, other):
    """All pairs, and their means over two by two places of the second frame, again and again."""
    _, c, h, wide = one.shape
    volume = one.flatten(2).transpose(1, 2) @ other.flatten(2) / c**0.5
    volume = volume.view(h * wide, 1, h, wide)
    pyramid = [volume]
    for _ in range(1, LEVELS):
        pyramid.append(F.avg_pool2d(pyramid[-1], 2))
    return pyramid


def look_up(pyramid, flow):
    """[1, 196, h, w]: the first index of a window runs along x."""
    _, _, h, w = flow.shape
    ys, xs = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    at = torch.stack([xs + flow[0, 0], ys + flow[0, 1]], -1).view(h * w, 1, 1, 2)
    step = torch.arange(-RADIUS, RADIUS + 1, dtype=flow.dtype)
    window = torch.stack(torch.meshgrid(step, step, indexing="ij"), -1)
    seen = []
    for level, volume in enumerate(pyramid):
        high, wide = volume.shape[2:]
        place = at / 2**level + window
        # Pixels by themselves, as grid_sample's -1 to 1 would divide by zero where there is only one.
        values = torch.zeros(h * w, *window.shape[:2], dtype=flow.dtype)
        low = place.floor()
        part = place - low
        rows = torch.arange(h * w).view(-1, 1, 1)
        for dx in (0, 1):
            for dy in (0, 1):
                x, y = (low[..., 0] + dx).long(), (low[..., 1] + dy).long()
                inside = (x >= 0) & (x < wide) & (y >= 0) & (y < high)
                weight = (part[..., 0] if dx else 1 - part[..., 0]) * (part[..., 1] if dy else 1 - part[..., 1])
                value = volume[rows, 0, y.clamp(0, high - 1), x.clamp(0, wide - 1)]
                values += torch.where(inside, weight * value, 0)
        seen.append(values.view(h, w, -1))
    return torch.cat(seen, -1).permute(2, 0, 1)[None]


def flow_of(w, a, b, updates):
    """Pictures [1, 3, h, w] in 0..1."""
    h, wide = a.shape[2:]
    pads = [max(-(-side // 8) * 8, 64) - side for side in (wide, h)]
    edges = [pads[0] // 2, pads[0] - pads[0] // 2, pads[1] // 2, pads[1] - pads[1] // 2]
    a, b = [F.pad(2 * x - 1, edges, mode="replicate") for x in (a, b)]
    pyramid = correlations(encoder(w, "fnet", a, True), encoder(w, "fnet", b, True))
    hidden = w["update_block.gru.convz.bias"].shape[0]
    context = encoder(w, "cnet", a, False)
    state, context = torch.tanh(context[:, :hidden]), F.relu(context[:, hidden:])
    flow = torch.zeros(1, 2, *state.shape[2:], dtype=a.dtype)
    for _ in range(updates):
        u = "update_block."
        seen = F.relu(conv(w, u + "encoder.convc1", look_up(pyramid, flow)))
        moved = F.relu(conv(w, u + "encoder.convf2", F.relu(conv(w, u + "encoder.convf1", flow))))
        motion = F.relu(conv(w, u + "encoder.conv", torch.cat([seen, moved], 1)))
        x = torch.cat([context, motion, flow], 1)
        z = torch.sigmoid(conv(w, u + "gru.convz", torch.cat([state, x], 1)))
        r = torch.sigmoid(conv(w, u + "gru.convr", torch.cat([state, x], 1)))
        q = torch.tanh(conv(w, u + "gru.convq", torch.cat([r * state, x], 1)))
        state = (1 - z) * state + z * q
        flow = flow + conv(w, u + "flow_head.conv2", F.relu(conv(w, u + "flow_head.conv1", state)))
    large = 8 * F.interpolate(flow, scale_factor=8, mode="bilinear", align_corners=True)
    return large[0, :, edges[2] : edges[2] + h, edges[0] : edges[0] + wide]


def made_up():
    g = torch.Generator().manual_seed(7)
    w = {}

    def add(name, outputs, inputs, kernel):
        scale = 1.5 / (inputs * kernel * kernel) ** 0.5
        w[f"{name}.weight"] = scale * torch.randn(outputs, inputs, kernel, kernel, generator=g)
        w[f"{name}.bias"] = 0.1 * torch.randn(outputs, generator=g)

    for part, outputs in [("fnet", 8), ("cnet", 6 + 5)]:
        add(f"{part}.conv1", 4, 3, 7)
        width = 4
        for stage, wider in [(1, 4), (2, 8), (3, 12)]:
            for block in range(2):
                name = f"{part}.layer{stage}.{block}"
                add(f"{name}.conv1", wider // 4, width, 1)
                add(f"{name}.conv2", wider // 4, wider // 4, 3)
                add(f"{name}.conv3", wider, wider // 4, 1)
                if stage > 1 and block == 0:
                    add(f"{name}.downsample.0", wider, width, 1)
                width = wider
        add(f"{part}.conv2", outputs, width, 1)
    u = "update_block."
    add(u + "encoder.convc1", 6, LEVELS * (2 * RADIUS + 1) ** 2, 1)
    add(u + "encoder.convf1", 4, 2, 7)
    add(u + "encoder.convf2", 3, 4, 3)
    add(u + "encoder.conv", 5, 9, 3)
    for gate in "zrq":
        add(u + f"gru.conv{gate}", 6, 6 + 5 + 5 + 2, 3)
    add(u + "flow_head.conv1", 8, 6, 3)
    add(u + "flow_head.conv2", 2, 8, 3)
    # Some pixels, not hundreds.
    w[u + "flow_head.conv2.weight"] *= 0.1
    return {f"module.{name}": tensor for name, tensor in w.items()}


def bare(weights):
    return {name.removeprefix("module."): tensor.double() for name, tensor in weights.items()}


def golden():
    weights = made_up()
    g = torch.Generator().manual_seed(8)
    # Frames whose sides are no multiples of 8; they move by some pixels.
    wide = F.interpolate(torch.rand(1, 3, 14, 18, generator=g), size=(90, 120), mode="bicubic").clamp(0, 1)
    a, b = wide[:, :, 4:65, 6:83].contiguous(), wide[:, :, 7:68, 1:78].contiguous()
    flow = flow_of(bare(weights), a.double(), b.double(), 3)
    print("flow from", flow.amin().item(), "to", flow.amax().item())
    save_file(weights, HERE / "network.safetensors")
    save_file({"a": a[0], "b": b[0], "flow": flow.float()}, HERE / "frames.safetensors")


def with_file(file, first, second, out):
    import numpy
    from PIL import Image

    def read(path):
        pixels = torch.from_numpy(numpy.array(Image.open(path).convert("RGB"))).float()
        return pixels.permute(2, 0, 1)[None] / 255

    weights = torch.load(file, map_location="cpu", weights_only=True)
    weights = {name: tensor.float() for name, tensor in bare(weights).items()}
    flow = flow_of(weights, read(first), read(second), 12)
    _, h, w = flow.shape
    with open(out, "wb") as stream:
        stream.write(b"PIEH" + struct.pack("<ii", w, h) + flow.permute(1, 2, 0).contiguous().numpy().tobytes())


if __name__ == "__main__":
    with torch.no_grad():
        with_file(*sys.argv[1:]) if len(sys.argv) > 1 else golden()
