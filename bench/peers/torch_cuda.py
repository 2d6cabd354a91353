#!/usr/bin/env python3
"""Times the step of task.py in PyTorch on a CUDA card. Needs torch and nothing else.

    python torch_cuda.py --size 1024 --iters 20 --variant tf32

Variants, each the fastest of eager, channels-last and (unless --eager is given) torch.compile, which are all printed to
stderr: f32 (TF32 off, strict float32), tf32 (TF32 on in matrix products and convolutions), bf16 (autocast). Weights and
pictures are random: a step takes the same time with them. The loss is fetched after every step, so a step is over when
its time is taken.
"""

import argparse
import os
import statistics
import sys

import step as task


def build(variant, form, size):
    """The step as a function that returns the loss."""
    import torch
    import torch.nn.functional as F

    tf32 = variant == "tf32"
    torch.backends.cuda.matmul.allow_tf32 = tf32
    torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.cudnn.benchmark = True
    torch.manual_seed(0)
    layout = torch.contiguous_format if form == "eager" else torch.channels_last

    def put(x):
        return x.cuda().contiguous(memory_format=layout)

    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1).cuda()
    deviation = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1).cuda()
    weights = {
        name: (put(torch.randn(outputs, inputs, 3, 3) * (2 / (9 * inputs)) ** 0.5), 0.05 * torch.randn(outputs).cuda())
        for name, inputs, outputs in task.LAYERS
    }
    content, style, image = (put(torch.rand(1, 3, size, size)) for _ in range(3))

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

    half = variant == "bf16"
    with torch.no_grad(), torch.autocast("cuda", dtype=torch.bfloat16, enabled=half):
        shown = features(style)
        grams = {name: gram(shown[name]).float() for name in task.STYLE}
        wanted = features(content)[task.CONTENT].float().clone()
        del shown

    def loss(x):
        found = features(x)
        total = task.CONTENT_WEIGHT * F.mse_loss(found[task.CONTENT].float(), wanted)
        for name in task.STYLE:
            apart = gram(found[name]).float() - grams[name]
            total = total + task.STYLE_WEIGHT / len(task.STYLE) * (apart**2).sum()
        across, down = x[..., 1:] - x[..., :-1], x[..., 1:, :] - x[..., :-1, :]
        return total + task.TV_WEIGHT * ((across**2).mean() + (down**2).mean())

    evaluate = torch.compile(loss) if form == "compiled" else loss
    image.requires_grad_(True)

    def step():
        with torch.autocast("cuda", dtype=torch.bfloat16, enabled=half):
            value = evaluate(image)
        torch.autograd.grad(value, image)
        value = value.item()
        torch.cuda.synchronize()
        return value

    return step


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--size", type=int, default=512)
    p.add_argument("--threads", type=int, default=0, help="taken for the harness's sake")
    p.add_argument("--iters", type=int, default=20)
    p.add_argument("--warm", type=int, default=5)
    p.add_argument("--variant", default="f32", choices=["f32", "tf32", "bf16"])
    p.add_argument("--eager", action="store_true", help="without torch.compile, which needs a C compiler")
    a = p.parse_args()
    import torch

    if not torch.cuda.is_available():
        sys.exit("PyTorch finds no CUDA card")
    best = None
    for form in ["eager", "channels-last"] + ([] if a.eager else ["compiled"]):
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        try:
            seconds, warmed, loss = task.time_steps(build(a.variant, form, a.size), a.iters, a.warm)
        except Exception as error:  # torch.compile fails in many ways; the other forms still count.
            print(f"{form}: {type(error).__name__}: {str(error).splitlines()[:1]}", file=sys.stderr)
            continue
        median = statistics.median(seconds)
        memory = torch.cuda.max_memory_allocated() >> 20
        print(f"{a.variant}, {form}: {median:.5f} s, {memory} MB", file=sys.stderr, flush=True)
        if best is None or median < best[0]:
            best = (median, form, seconds, warmed, loss, memory)
    if best is None:
        sys.exit("no form of it ran")
    _, form, seconds, warmed, loss, memory = best
    card = torch.cuda.get_device_name()
    more = {"form": form, "card": card, "gpu_mb": memory}
    task.report("pytorch-cuda", torch.__version__, a.variant, a.size, os.cpu_count(), seconds, warmed, loss, **more)


if __name__ == "__main__":
    main()
