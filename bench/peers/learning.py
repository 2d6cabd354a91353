#!/usr/bin/env python3
"""Times the steps of bench/micro/examples/learn_time.rs in PyTorch on the CPU.

    python bench/peers/learning.py --threads 2 --iters 9 [lite] [johnson]

Prints the median of the time by the clock, and of the processor time of all threads, in milliseconds: on a machine that others
use too, only the second compares. `lite` runs its batch at once, in either layout; `johnson` learns scales and shifts alone.
"""

import argparse
import statistics
import time

import torch
from torch import nn

import graphs


class Lite(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks, self.heads = nn.ModuleList(), nn.ModuleDict()
        heads, inputs = {(0, 0): 32, (1, 0): 64, (2, 0): 96, (2, 2): 128}, 3
        for block, widths in enumerate([[32, 32], [64, 64], [128] * 3]):
            self.blocks.append(nn.ModuleList())
            for index, outputs in enumerate(widths):
                mode = "replicate" if inputs == 3 else "zeros"
                self.blocks[-1].append(nn.Conv2d(inputs, outputs, 3, padding=1, padding_mode=mode))
                if (block, index) in heads:
                    self.heads[f"{block} {index}"] = nn.Conv2d(outputs, heads[block, index], 1)
                inputs = outputs

    def forward(self, x):
        made = []
        for block, convolutions in enumerate(self.blocks):
            if block:
                x = nn.functional.max_pool2d(x, 2)
            for index, convolution in enumerate(convolutions):
                x = nn.functional.relu(convolution(x))
                if f"{block} {index}" in self.heads:
                    made.append(self.heads[f"{block} {index}"](x))
        return made


def timed(run, iters):
    run()
    clock, processor = [], []
    for _ in range(iters):
        start = time.perf_counter(), time.process_time()
        run()
        clock.append(1e3 * (time.perf_counter() - start[0]))
        processor.append(1e3 * (time.process_time() - start[1]))
    return f"{statistics.median(clock):.1f} ms, of processors {statistics.median(processor):.1f} ms"


def learn(name, net, image, iters):
    learnt = [p for p in net.parameters() if p.requires_grad]
    with torch.no_grad():
        towards = net(image)
        towards = [torch.rand_like(y) for y in (towards if isinstance(towards, list) else [towards])]

    def step():
        for parameter in learnt:
            parameter.grad = None
        made = net(image)
        torch.autograd.backward(made if isinstance(made, list) else [made], towards)
        with torch.no_grad():
            for parameter in learnt:
                parameter -= 1e-9 * parameter.grad

    def forward():
        with torch.no_grad():
            net(image)

    print(f"torch {name}: a step {timed(step, iters)}; forward alone {timed(forward, iters)}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--iters", type=int, default=9)
    parser.add_argument("names", nargs="*", default=["lite", "johnson"])
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    for layout in [torch.contiguous_format, torch.channels_last]:
        if "lite" in args.names:
            image = torch.rand(8, 3, 80, 80).to(memory_format=layout)
            learn(f"lite 8 × 80² {layout}", Lite().to(memory_format=layout), image, args.iters)
        if "johnson" in args.names:
            net = graphs.johnson(32, 64, 128).to(memory_format=layout)
            for module in net.modules():
                if isinstance(module, nn.Conv2d):
                    module.requires_grad_(False)
            image = torch.rand(1, 3, 256, 256).to(memory_format=layout)
            learn(f"johnson 1 × 256² {layout}", net, image, args.iters)


if __name__ == "__main__":
    main()
