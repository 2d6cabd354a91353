#!/usr/bin/env python3
"""Times the networks of bench/micro/benches/graphs.rs in PyTorch and in ONNX Runtime on the CPU.

    python bench/peers/graphs.py --threads 2 --iters 9 [FILTER…]    (also needs onnx 1.23 and onnxruntime 1.32)

Prints the median of the time by the clock, and of the processor time of all threads, in milliseconds: on a machine that others
use too, only the second compares.
"""

import argparse
import os
import statistics
import tempfile
import time

import onnxruntime
import torch
import torch.nn.functional as F
from torch import nn

SIZES = [(256, 256), (512, 512), (1920, 1080)]


def convolution(inputs, outputs, kernel=3, stride=1, groups=1, mode="reflect"):
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, padding_mode=mode)


def layer(inputs, outputs, kernel, stride):
    norm = nn.InstanceNorm2d(outputs, affine=True)
    return nn.Sequential(convolution(inputs, outputs, kernel, stride), norm, nn.ReLU())


class Residual(nn.Module):
    def __init__(self, *parts):
        super().__init__()
        self.parts = nn.Sequential(*parts)

    def forward(self, x):
        return x + self.parts(x)


class Doubled(nn.Module):
    def __init__(self, **mode):
        super().__init__()
        self.mode = mode

    def forward(self, x):
        return F.interpolate(x, scale_factor=2, **self.mode)


def johnson(a, b, c):
    def block():
        return Residual(layer(c, c, 3, 1), convolution(c, c), nn.InstanceNorm2d(c, affine=True))

    nearest = Doubled(mode="nearest")
    return nn.Sequential(
        layer(3, a, 9, 1),
        layer(a, b, 3, 2),
        layer(b, c, 3, 2),
        *[block() for _ in range(5)],
        nearest,
        layer(c, b, 3, 1),
        nearest,
        layer(b, a, 3, 1),
        convolution(a, 3, 9),
        nn.Sigmoid(),
    )


def microast():
    parts = []
    encoder = [(3, 16, 9, 1, 1), (16, 32, 3, 2, 16), (32, 32, 1, 1, 1), (32, 64, 3, 2, 32), (64, 64, 1, 1, 1)]
    for each in encoder:
        parts += [convolution(*each), nn.ReLU()]
    parts += [Residual(convolution(64, 64), nn.ReLU(), convolution(64, 64)) for _ in range(4)]
    for inputs, outputs in [(64, 32), (32, 16)]:
        parts += [Doubled(mode="bilinear", align_corners=False), convolution(inputs, outputs, groups=outputs), nn.ReLU()]
        parts += [convolution(outputs, outputs, 1), nn.ReLU()]
    return nn.Sequential(*parts, convolution(16, 3, 9))


def predictor():
    def zero(*each):
        return convolution(*each, mode="zeros")

    parts = [zero(3, 32, 3, 2), nn.ReLU6(), zero(32, 32, 3, 1, 32), nn.ReLU6(), zero(32, 16, 1)]
    inputs = 16
    for outputs, count, stride in [(24, 2, 2), (32, 3, 2), (64, 4, 2), (96, 3, 1), (160, 3, 2), (320, 1, 1)]:
        for index in range(count):
            wide = 6 * inputs
            block = [zero(inputs, wide, 1), nn.ReLU6()]
            block += [zero(wide, wide, 3, stride if index == 0 else 1, wide), nn.ReLU6(), zero(wide, outputs, 1)]
            parts += [Residual(*block)] if inputs == outputs else block
            inputs = outputs
    return nn.Sequential(*parts, zero(320, 1280, 1), nn.ReLU6(), zero(1280, 100, 1), nn.AdaptiveAvgPool2d(1))


NETWORKS = {
    "johnson_4_8_16": lambda: johnson(4, 8, 16),
    "johnson_8_16_32": lambda: johnson(8, 16, 32),
    "johnson_32_64_128": lambda: johnson(32, 64, 128),
    "microast_content": microast,
    "predictor_mobilenet": predictor,
}


def measure(name, run, iterations):
    run()
    clock, processor = [], []
    for _ in range(iterations):
        start = time.perf_counter(), time.process_time()
        run()
        clock.append(time.perf_counter() - start[0])
        processor.append(time.process_time() - start[1])
    median = [1e3 * statistics.median(times) for times in (clock, processor)]
    print(f"{name}: {median[0]:.1f} ms, of processors {median[1]:.1f} ms", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--iters", type=int, default=9)
    parser.add_argument("filters", nargs="*")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for name, network in NETWORKS.items():
        for width, height in SIZES:
            case = f"{name} {width}x{height}"
            if options.filters and not any(part in case for part in options.filters):
                continue
            net, image = network().eval(), torch.rand(1, 3, height, width)
            with torch.inference_mode(), tempfile.TemporaryDirectory() as folder:
                file = os.path.join(folder, "network.onnx")
                torch.onnx.export(net, (image,), file, opset_version=17, dynamo=False)
                settings = onnxruntime.SessionOptions()
                settings.intra_op_num_threads = options.threads
                session = onnxruntime.InferenceSession(file, settings, providers=["CPUExecutionProvider"])
                feed = {session.get_inputs()[0].name: image.numpy()}
                measure(f"onnxruntime {case}", lambda: session.run(None, feed), options.iters)
                measure(f"pytorch {case}", lambda: net(image), options.iters)
                last = net.to(memory_format=torch.channels_last)
                image = image.to(memory_format=torch.channels_last)
                measure(f"pytorch, channels last, {case}", lambda: last(image), options.iters)


if __name__ == "__main__":
    main()
