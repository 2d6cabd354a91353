#!/usr/bin/env python3
"""The whole run of PyTorch's neural style transfer tutorial, to be timed end to end.

    python pytorch_tutorial.py [--content A.jpg --style B.jpg] [--weights vgg19.safetensors] [--output out.png]

What the tutorial computes: both pictures resized to --size (512), VGG-19 with max pooling, content loss at conv2_2 (weight
1, mean squared difference), style losses at conv1_1, 1_2, 2_1, 2_2, 3_1 (weight 1e6, mean squared difference of Gram
matrices divided by c*h*w), all before the ReLU, nothing beyond conv3_1; L-BFGS with PyTorch's defaults (step 1, at most 20
closures a step, history 100) from the content picture, clamped to 0..1 at each closure, until 300 closures have run.
Without weights or pictures, seeded random ones take their place: the time is the same.
Prints one JSON line: seconds of start-up (imports included), of the optimisation, of all; last losses; peak memory.
"""

import time

STARTED = time.perf_counter()

import argparse  # noqa: E402
import json  # noqa: E402
import resource  # noqa: E402

import numpy as np  # noqa: E402
import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from PIL import Image  # noqa: E402

import task  # noqa: E402

LAYERS = task.LAYERS[:5]
STYLE = {"1_1", "1_2", "2_1", "2_2", "3_1"}
CONTENT = "2_2"
STYLE_WEIGHT, CONTENT_WEIGHT = 1e6, 1.0
CAFFE_MEAN_BGR = (103.939, 116.779, 123.68)
# A network of convolutions, ReLUs and maxima is homogeneous: with its input and its biases divided by 58 (255 times the
# mean of the other convention's deviations) the original weights give features of the size that the tutorial's weights give,
# and its loss weights mean the same.
CAFFE_SCALE = 58.0


def load_picture(path, size, seed):
    if not path:
        return torch.from_numpy(task.picture(size, seed))[None]
    with Image.open(path) as opened:
        # Squares the picture, so that content and style have one size, as the tutorial demands of its inputs.
        pixels = np.asarray(opened.convert("RGB").resize((size, size), Image.Resampling.BILINEAR), dtype=np.float32)
    return torch.from_numpy(pixels / 255).permute(2, 0, 1)[None].contiguous()


def load_weights(path, kind):
    if not path:
        return {name: tuple(map(torch.from_numpy, pair)) for name, pair in task.weights().items()}
    from safetensors.torch import load_file

    stored = load_file(path)
    scale = CAFFE_SCALE if kind == "caffe" else 1.0
    return {name: (stored[f"conv{name}.weight"], stored[f"conv{name}.bias"] / scale) for name, _, _ in LAYERS}


def preprocess(x, kind):
    if kind == "caffe":
        return (x.flip(1) * 255 - torch.tensor(CAFFE_MEAN_BGR).view(1, 3, 1, 1)) / CAFFE_SCALE
    return (x - torch.from_numpy(task.MEAN).view(1, 3, 1, 1)) / torch.from_numpy(task.DEVIATION).view(1, 3, 1, 1)


def features(x, weights, kind):
    """{layer: its output before the ReLU}."""
    found = {}
    x = preprocess(x, kind)
    for position, (name, _, _) in enumerate(LAYERS):
        if task.pooled_before(position):
            x = F.max_pool2d(x, 2)
        found[name] = F.conv2d(x, *weights[name], padding=1)
        x = F.relu(found[name])
    return found


def gram(f):
    flat = f.flatten(2)[0]
    return flat @ flat.T / f.numel()


def run(content, style, weights, kind, closures):
    """(picture, style loss, content loss, closures run)."""
    with torch.no_grad():
        grams = {name: gram(f) for name, f in features(style, weights, kind).items() if name in STYLE}
        wanted = features(content, weights, kind)[CONTENT].clone()
    image = content.clone().requires_grad_(True)
    optimizer = torch.optim.LBFGS([image])
    state = {"count": 0}

    def closure():
        with torch.no_grad():
            image.clamp_(0, 1)
        optimizer.zero_grad()
        found = features(image, weights, kind)
        style_loss = STYLE_WEIGHT * sum(F.mse_loss(gram(found[name]), grams[name]) for name in grams)
        content_loss = CONTENT_WEIGHT * F.mse_loss(found[CONTENT], wanted)
        loss = style_loss + content_loss
        loss.backward()
        state.update(count=state["count"] + 1, style=style_loss.item(), content=content_loss.item())
        return loss

    while state["count"] < closures:
        optimizer.step(closure)
    with torch.no_grad():
        image.clamp_(0, 1)
    return image.detach(), state["style"], state["content"], state["count"]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--content")
    p.add_argument("--style")
    p.add_argument("--weights", help="safetensors of conv1_1.weight, conv1_1.bias, ...")
    p.add_argument("--preprocessing", default="torch", choices=["torch", "caffe"], help="what the weights expect")
    p.add_argument("--size", type=int, default=512)
    p.add_argument("--closures", type=int, default=300)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--output")
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    content, style = load_picture(a.content, a.size, 1), load_picture(a.style, a.size, 2)
    weights = load_weights(a.weights, a.preprocessing)
    ready = time.perf_counter()
    image, style_loss, content_loss, count = run(content, style, weights, a.preprocessing, a.closures)
    done = time.perf_counter()
    if a.output:
        Image.fromarray((image[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)).save(a.output)
    print(
        json.dumps(
            {
                "peer": "pytorch tutorial",
                "version": torch.__version__,
                "size": a.size,
                "threads": a.threads,
                "closures": count,
                "start_seconds": round(ready - STARTED, 2),
                "run_seconds": round(done - ready, 2),
                "total_seconds": round(time.perf_counter() - STARTED, 2),
                "style_loss": style_loss,
                "content_loss": content_loss,
                "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
            }
        )
    )


if __name__ == "__main__":
    main()
