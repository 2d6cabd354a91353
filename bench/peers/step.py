"""What every peer times, as far as it needs nothing but Python: the network, how steps are timed, and the report."""

import json
import resource
import statistics
import time

# (name, channels in, channels out); a pool stands before each block but the first.
LAYERS = [
    ("1_1", 3, 64), ("1_2", 64, 64), ("2_1", 64, 128), ("2_2", 128, 128),
    ("3_1", 128, 256), ("3_2", 256, 256), ("3_3", 256, 256), ("3_4", 256, 256),
    ("4_1", 256, 512), ("4_2", 512, 512), ("4_3", 512, 512), ("4_4", 512, 512), ("5_1", 512, 512),
]  # fmt: skip
STYLE = ("1_1", "2_1", "3_1", "4_1", "5_1")
CONTENT = "4_2"
STYLE_WEIGHT, CONTENT_WEIGHT, TV_WEIGHT = 1e3, 1.0, 1.0


def pooled_before(position):
    """Whether a pool stands before the layer at this position."""
    return position > 0 and LAYERS[position][0][0] != LAYERS[position - 1][0][0]


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


def report(peer, version, variant, size, threads, seconds, warmed, loss, **more):
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
                **more,
            }
        ),
        flush=True,
    )
