"""The step that every peer times, its inputs and its report.

One step: a picture [3, n, n] in 0..1 is normalised and sent through VGG-19 (random He weights) up to relu5_1, with 2x2 max
pooling; the loss is 1e3 * the mean over five layers (relu1_1 ... relu5_1) of the squared Frobenius distance of Gram
matrices F F^T / (c*h*w), plus the mean squared difference of relu4_2, plus the mean squared difference of neighbouring
pixels; the step ends with its gradient towards the picture in memory. Weights are frozen. Seeded here, so that the losses
that two peers print can be compared.
"""

import numpy as np

# The parts that need no numpy, for those who say `task.report`.
from step import (  # noqa: F401
    CONTENT,
    CONTENT_WEIGHT,
    LAYERS,
    STYLE,
    STYLE_WEIGHT,
    TV_WEIGHT,
    pooled_before,
    report,
    time_steps,
)

MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)
DEVIATION = np.array([0.229, 0.224, 0.225], dtype=np.float32)
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
