#!/usr/bin/env python3
"""Times the step of task.py in PyTorch on the CPU.

    python torch_step.py --size 512 --threads 2 --iters 5 --variant f32

Variants: f32 (channels-last, as installed), tuned (the same with the best memory allocator found, see ALLOCATOR), compiled
(torch.compile, channels-last, needs a C++ compiler), bf16 (autocast, channels-last), avx2 (f32 held to AVX2), nchw (f32 in
PyTorch's default layout). Where a variant is made by the environment, the script starts itself again with it.
"""

import argparse
import os
import sys

import task

# Every step asks for and gives back dozens of large blocks. glibc maps each anew and unmaps it when freed: 280,000 page
# faults a step at 512 px, and a sixth of one thread's time. Keeping freed memory in the heap leaves none; jemalloc and
# tcmalloc take the same processor time (mimalloc does not), so the variant that needs nothing installed stands for all.
ALLOCATOR = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(16 << 30),
    "MALLOC_TOP_PAD_": str(64 << 20),
}
# MKL, which multiplies only the Gram matrices, may ignore its variable; on AMD processors it uses AVX2 anyway.
AVX2 = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
}
ENVIRONMENT = {"tuned": ALLOCATOR, "avx2": AVX2}


def with_environment(variant):
    """Starts this script again where the variant's environment is not there yet: both are read at program start."""
    wanted = ENVIRONMENT.get(variant, {})
    if any(os.environ.get(k) != v for k, v in wanted.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **wanted})


def build(variant, size):
    """The step as a function that returns the loss."""
    import torch
    import torch.nn.functional as F

    layout = torch.contiguous_format if variant == "nchw" else torch.channels_last
    mean = torch.from_numpy(task.MEAN).view(1, 3, 1, 1)
    deviation = torch.from_numpy(task.DEVIATION).view(1, 3, 1, 1)
    weights = {
        name: (torch.from_numpy(w).contiguous(memory_format=layout), torch.from_numpy(b))
        for name, (w, b) in task.weights().items()
    }
    content, style, image = (torch.from_numpy(p)[None].contiguous(memory_format=layout) for p in task.pictures(size))

    def features(x):
        found = {}
        x = (x - mean) / deviation
        for position, (name, _, _) in enumerate(task.LAYERS):
            if task.pooled_before(position):
                x = F.max_pool2d(x, 2)
            x = F.relu(F.conv2d(x, *weights[name], padding=1))
            if name in task.STYLE or name == task.CONTENT:
                found[name] = x
        return found

    def gram(f):
        _, c, h, w = f.shape
        flat = f.reshape(c, h * w)
        return flat @ flat.T / (c * h * w)

    with torch.no_grad():
        shown = features(style)
        grams = {name: gram(shown[name]) for name in task.STYLE}
        wanted = features(content)[task.CONTENT].clone()
        del shown

    def loss(x):
        found = features(x)
        total = task.CONTENT_WEIGHT * F.mse_loss(found[task.CONTENT].float(), wanted)
        for name in task.STYLE:
            apart = gram(found[name]).float() - grams[name]
            total = total + task.STYLE_WEIGHT / len(task.STYLE) * (apart**2).sum()
        across, down = x[..., 1:] - x[..., :-1], x[..., 1:, :] - x[..., :-1, :]
        return total + task.TV_WEIGHT * ((across**2).mean() + (down**2).mean())

    evaluate = torch.compile(loss) if variant == "compiled" else loss
    image.requires_grad_(True)

    def step():
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=variant == "bf16"):
            value = evaluate(image)
        torch.autograd.grad(value, image)
        return value.item()

    return step


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--size", type=int, default=256)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--iters", type=int, default=5)
    p.add_argument("--warm", type=int, default=2)
    p.add_argument("--variant", default="f32", choices=["f32", "tuned", "compiled", "bf16", "avx2", "nchw"])
    a = p.parse_args()
    with_environment(a.variant)
    import torch

    torch.set_num_threads(a.threads)
    step = build(a.variant, a.size)
    seconds, warmed, loss = task.time_steps(step, a.iters, a.warm)
    task.report("pytorch", torch.__version__, a.variant, a.size, a.threads, seconds, warmed, loss)


if __name__ == "__main__":
    main()
