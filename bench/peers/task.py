"""The step that every peer times, its inputs and its report.

One step: a picture [3, n, n] in 0..1 is normalised and sent through VGG-19 (random He weights) up to relu5_1, with 2x2 max
pooling; the loss is 1e3 * the mean over five layers (relu1_1 ... relu5_1) of the squared Frobenius distance of Gram
matrices F F^T / (c*h*w), plus the mean squared difference of relu4_2, plus the mean squared difference of neighbouring
pixels; the step ends with its gradient towards the picture in memory. Weights are frozen. Seeded here, so that the losses
that two peers print can be compared.
"""

import json
import resource
import statistics
import time

import numpy as np

# (name, channels in, channels out); a pool stands before each block but the first.
LAYERS = [
    ("1_1", 3, 64), ("1_2", 64, 64), ("2_1", 64, 128), ("2_2", 128, 128),
    ("3_1", 128, 256), ("3_2", 256, 256), ("3_3", 256, 256), ("3_4", 256, 256),
    ("4_1", 256, 512), ("4_2", 512, 512), ("4_3", 512, 512), ("4_4", 512, 512), ("5_1", 512, 512),
]  # fmt: skip
STYLE = ("1_1", "2_1", "3_1", "4_1", "5_1")
CONTENT = "4_2"
MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)
DEVIATION = np.array([0.229, 0.224, 0.225], dtype=np.float32)
STYLE_WEIGHT, CONTENT_WEIGHT, TV_WEIGHT = 1e3, 1.0, 1.0


def pooled_before(position):
    """Whether a pool stands before the layer at this position."""
    return position > 0 and LAYERS[position][0][0] != LAYERS[position - 1][0][0]


def weights(seed=0):
    """{name: (weight [o, i, 3, 3], bias [o])}."""
    random = np.random.default_rng(seed)
    made = {}
    for name, inputs, outputs in LAYERS:
        he = np.float32((2 / (9 * inputs)) ** 0.5)
        weight = random.standard_normal((outputs, inputs, 3, 3), dtype=np.float32) * he
        made[name] = (weight, 0.05 * random.standard_normal(outputs, dtype=np.float32))
    return made


def picture(size, seed):
    """[3, size, size] in 0..1: colours that change slowly, plus noise."""
    random = np.random.default_rng(seed)
    coarse = random.random((3, 9, 9), dtype=np.float32)
    at = np.linspace(0, 8, size, dtype=np.float32)
    low = np.minimum(at.astype(int), 7)
    part = at - low.astype(np.float32)
    rows = coarse[:, low] * (1 - part)[:, None] + coarse[:, low + 1] * part[:, None]
    smooth = rows[:, :, low] * (1 - part) + rows[:, :, low + 1] * part
    noise = 0.05 * random.standard_normal((3, size, size), dtype=np.float32)
    return np.ascontiguousarray(np.clip(smooth + noise, 0, 1))


def pictures(size):
    """(content, style, image)."""
    return tuple(picture(size, seed) for seed in (1, 2, 3))


def time_steps(step, iters, warm):
    """Seconds of each timed call, and of the warm-up in all; step() returns its loss."""
    start = time.perf_counter()
    for _ in range(warm):
        loss = step()
    warmed = time.perf_counter() - start
    seconds = []
    for _ in range(iters):
        start = time.perf_counter()
        loss = step()
        seconds.append(time.perf_counter() - start)
    return seconds, warmed, loss


def report(peer, version, variant, size, threads, seconds, warmed, loss):
    """Prints the one JSON line that the harness reads."""
    print(
        json.dumps(
            {
                "peer": peer,
                "version": version,
                "variant": variant,
                "size": size,
                "threads": threads,
                "step_seconds_median": round(statistics.median(seconds), 5),
                "step_seconds_min": round(min(seconds), 5),
                "warm_seconds": round(warmed, 2),
                "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
                "loss": loss,
            }
        ),
        flush=True,
    )
