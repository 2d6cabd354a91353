#!/usr/bin/env python3
"""Writes the recorded numbers that the loss tests compare with: values and image gradients of float64 autograd.

    python crates/impasto/tests/golden/make.py        (needs torch, numpy, safetensors; a few seconds)

tiny.safetensors      a seeded network shaped like VGG-19's first three blocks: conv1_1.weight [o, i, 3, 3], conv1_1.bias
pictures.safetensors  the input pictures, [3, h, w], RGB 0..1, named `image-31x23` by width and height
golden.safetensors    NAME.gradient: dL/d(image in 0..1) [3, h, w] of the case NAME; and the arrays of `wasserstein`
golden.json           "cases": settings, pictures, terms (name, value, weight) and total of each case; a weight in
                      content_weight, style_weight, tv_weight is global, those of the layers are shares of it.
                      "float32" is what the same computation in PyTorch's float32 misses by: of the total (relative) and of
                      the gradient (largest difference over largest magnitude). "margin" is the smallest distance of a
                      ReLU's input from zero, or of a maximum from the runner-up, over the layer's standard deviation:
                      where rounding stays below it, no decision flips.
                      "wasserstein": the distance of two Gaussians given by mean and covariance (nothing added to it):
                      NAME.mean, .covariance, .target_mean, .target_covariance in golden.safetensors; value with both
                      reductions, and with reduction mean the gradients NAME.mean_gradient, NAME.covariance_gradient.

The definitions are in bench/reference/objective.py. Every gradient is checked against a central difference here.
"""

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[3] / "bench" / "reference"))
import objective  # noqa: E402
from objective import Settings  # noqa: E402

# Widths 12, 20 and 17 are not multiples of 16; 17 is not even one of 4.
LAYERS = [("1_1", 3, 8), ("1_2", 8, 12), ("2_1", 12, 16), ("2_2", 16, 20)]
LAYERS += [("3_1", 20, 24), ("3_2", 24, 20), ("3_3", 20, 16), ("3_4", 16, 17)]
WEIGHT_SEED, PICTURE_SEED = 7, 0
SIZES = {"31x23": (23, 31), "15x12": (12, 15), "5x7": (7, 5), "2x3": (3, 2), "1x1": (1, 1)}
SEEDS_TRIED = 60


def network():
    g = torch.Generator().manual_seed(WEIGHT_SEED)
    weights = {}
    for name, inputs, outputs in LAYERS:
        he = (2 / (9 * inputs)) ** 0.5
        weights[f"conv{name}.weight"] = torch.randn(outputs, inputs, 3, 3, generator=g) * he
        weights[f"conv{name}.bias"] = torch.randn(outputs, generator=g) * 0.1
    return weights


def picture(h, w, seed, detail, noise):
    """Smooth colours plus noise, kept off the ends of the range."""
    g = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, max(2, h // detail), max(2, w // detail), generator=g)
    smooth = F.interpolate(coarse, size=(h, w), mode="bilinear", align_corners=True)[0]
    return (smooth + noise * torch.randn(3, h, w, generator=g)).clamp(0.02, 0.98)


def base_pictures():
    made = {f"content-{name}": picture(h, w, PICTURE_SEED + i, 6, 0.04) for i, (name, (h, w)) in enumerate(SIZES.items())}
    made["style-19x23"] = picture(23, 19, PICTURE_SEED + 100, 3, 0.15)
    made["style-17x14"] = picture(14, 17, PICTURE_SEED + 101, 4, 0.10)
    return made


def layers(text):
    """`relu1_1 relu2_1:2` to [(tap, weight)]."""
    return [(part.split(":")[0], float((part.split(":") + ["1"])[1])) for part in text.split()]


ONE = [("style-19x23", 1.0)]
TWO = [("style-19x23", 3.0), ("style-17x14", 1.0)]
FOUR = layers("relu1_1 relu2_1 relu3_1 relu3_3")


def case(name, size, content="relu3_1", style="relu1_1 relu2_1:2", tv="l2", styles=ONE, **settings):
    s = Settings(content_layers=layers(content), style_layers=layers(style), **settings)
    s.tv = tv or "l2"
    s.tv_weight = 1.0 if tv else 0.0
    return name, size, styles, s


CASES = [
    # every Gram normalisation, both reductions
    case("gram-none", "15x12", gram_norm="none"),
    case("gram-hw", "15x12", gram_norm="hw"),
    case("gram-chw", "31x23", gram_norm="chw", content="relu2_2 relu3_1:0.5", style="relu1_1 relu2_1:0.75 relu3_1:0.2"),
    case("gram-gatys", "15x12", gram_norm="gatys"),
    case("gram-gatys-sum", "15x12", gram_norm="gatys", reduction="sum"),
    case("gram-none-sum", "15x12", gram_norm="none", reduction="sum", tv="l1"),
    case("gram-two-styles", "15x12", gram_norm="chw", styles=TWO, content="", tv=None),
    # the other statistics of style
    case("wasserstein", "31x23", style_loss="wasserstein", preprocessing="torch"),
    case("wasserstein-sum", "15x12", style_loss="wasserstein", reduction="sum", style="relu1_1 relu1_2"),
    case("wasserstein-two-styles", "15x12", style_loss="wasserstein", preprocessing="torch", styles=TWO),
    case("wasserstein-few-pixels", "5x7", style_loss="wasserstein", preprocessing="torch", style="relu1_2 relu2_2", content=""),
    case("mean-std", "15x12", style_loss="mean-std"),
    case("mean-std-sum", "15x12", style_loss="mean-std", reduction="sum", style="relu2_2 relu3_4"),
    case("mean-std-two-styles", "15x12", style_loss="mean-std", styles=TWO, preprocessing="torch"),
    # scale-free terms
    case("target-gram", "15x12", normalize="target", style="relu1_1 relu3_3", styles=TWO),
    case("target-gram-sum", "15x12", normalize="target", gram_norm="hw", reduction="sum"),
    case("target-wasserstein", "15x12", normalize="target", style_loss="wasserstein", preprocessing="torch", styles=TWO),
    case("target-mean-std", "15x12", normalize="target", style_loss="mean-std", reduction="sum"),
    case("gradient-gram", "15x12", normalize="gradient", gram_norm="hw"),
    case("gradient-gram-sum", "15x12", normalize="gradient", reduction="sum", tv="9-point"),
    case("gradient-wasserstein", "15x12", normalize="gradient", style_loss="wasserstein", preprocessing="torch"),
    case("gradient-mean-std", "15x12", normalize="gradient", style_loss="mean-std"),
    # the network's variants
    case("pool-average", "15x12", pooling="average", style="relu1_2 relu2_2 relu3_4"),
    case("pool-average-rescaled", "15x12", pooling="average", rescaled=True, style="relu1_2 relu2_2 relu3_4"),
    case("pool-l2", "15x12", pooling="l2", style="relu1_2 relu2_2 relu3_4"),
    case("pool-l2-rescaled", "15x12", pooling="l2", rescaled=True, preprocessing="torch", style="relu1_2 relu2_2 relu3_4"),
    case("padding-replicate", "15x12", padding="replicate", preprocessing="torch"),
    case("padding-reflect", "15x12", padding="reflect", preprocessing="torch"),
    # both sides of the ReLU, and pools
    case("before-relu", "15x12", content="conv2_2", style="conv1_1 conv2_1 conv3_1"),
    case("at-pools", "15x12", content="pool2", style="pool1 pool2"),
    case("same-tap-twice", "15x12", content="relu2_1", style="relu2_1 conv2_1"),
    # total variation alone
    *[case(f"tv-{k}-{r}", "5x7", content="", style="", tv=k, reduction=r) for k in ("l1", "l2", "9-point") for r in ("mean", "sum")],
    case("tv-9-point-2x3", "2x3", content="", style="", tv="9-point"),
    case("tv-l1-2x3", "2x3", content="", style="", tv="l1"),
    # sizes at which a network barely fits
    case("size-5x7", "5x7", content="relu3_4", style="relu1_1 relu2_2 relu3_2"),
    case("size-5x7-average", "5x7", pooling="average", content="relu3_4", style="relu1_1 relu2_2 relu3_2"),
    case("size-2x3", "2x3", content="relu2_1", style="relu1_2"),
    case("size-1x1", "1x1", content="relu1_2", style="relu1_1", tv=None),
    # whole recipes
    case(
        "recipe-wide", "31x23", style_loss="wasserstein", normalize="target", preprocessing="torch", tv="9-point",
        content="relu3_3", style="relu1_1 relu2_1 relu3_1 relu3_3",
    ),
    case(
        "recipe-fine", "15x12", style_loss="wasserstein", padding="replicate", preprocessing="torch", tv="9-point",
        content="relu3_2", style="relu1_1:256 relu2_1:64 relu3_1:16",
    ),
]  # fmt: skip


def taps_of(settings):
    return [tap for tap, _ in settings.content_layers + settings.style_layers]


def margin(image, weights, settings):
    """How far the nearest ReLU or maximum decision is from flipping, in standard deviations of its layer."""
    least = [float("inf")]

    def watch(kind, x):
        spread = x.std().item() if x.numel() > 1 else abs(x.item())
        if kind == "relu":
            least.append((x.abs().min() / spread).item())
        elif settings.pooling == "max":
            windows = F.unfold(x[:, None], 2, stride=2).permute(0, 2, 1).reshape(-1, 4)
            top = windows.sort(descending=True).values
            gaps = (top[:, 0] - top[:, 1])[top[:, 0] > 0]
            least.extend([(gaps.min() / spread).item()] if len(gaps) else [])

    if taps_of(settings):
        with torch.no_grad():
            objective.features(image, weights, settings, taps_of(settings), watch)
    return min(least)


def choose_images(weights):
    """For each size the seeded image whose nearest decision is farthest from flipping, over all cases of that size."""
    chosen = {}
    for index, (size, (h, w)) in enumerate(SIZES.items()):
        variants = [s for _, used, _, s in CASES if used == size]
        best = (-1.0, None)
        for seed in range(SEEDS_TRIED):
            image = picture(h, w, 1000 * (index + 1) + seed, 5, 0.08)
            best = max(best, (min(margin(image.double(), weights, s) for s in variants), seed))
        chosen[f"image-{size}"] = picture(h, w, 1000 * (index + 1) + best[1], 5, 0.08)
    return chosen


def balanced(settings, run):
    """The settings with global weights (two digits) at which each group's gradient is about equally large."""
    weights = {}
    for group in ("content_weight", "style_weight", "tv_weight"):
        alone = dict(content_weight=0.0, style_weight=0.0, tv_weight=0.0)
        used = {
            "content_weight": settings.content_layers,
            "style_weight": settings.style_layers,
            "tv_weight": settings.tv_weight,
        }[group]
        if used:
            size = run(replace(settings, **{**alone, group: 1.0}))[2].abs().max().item()
            weights[group] = float(f"{1 / size:.1e}")
        else:
            weights[group] = 0.0
    return replace(settings, **weights)


def check_by_differences(name, image, gradient, terms, run, settings):
    """A central difference along random directions; what `normalize` divides by is held, as its gradient holds it."""
    raw = run(replace(settings, normalize="none"), image)[0]
    scales = [t["weighted"] / r["value"] if r["value"] else 0.0 for t, r in zip(terms, raw)]
    g = torch.Generator().manual_seed(5)
    step = 1e-7
    for _ in range(3):
        direction = torch.randn(image.shape, generator=g, dtype=torch.float64)
        ends = [run(replace(settings, normalize="none"), image + sign * step * direction)[0] for sign in (1, -1)]
        slope = sum(k * (a["value"] - b["value"]) for k, a, b in zip(scales, *ends)) / (2 * step)
        told = (gradient * direction).sum().item()
        limit = 2e-5 * (gradient.norm() * direction.norm()).item()
        assert abs(slope - told) <= limit, f"{name}: central difference {slope}, gradient {told}"


def record_cases(weights, pictures, arrays):
    double = {name: value.double() for name, value in weights.items()}
    recorded = []
    for name, size, styles, settings in CASES:
        content, image = f"content-{size}", f"image-{size}"

        def run(s, x=None, w=double, kind=torch.float64):
            given = [(pictures[p].to(kind), share) for p, share in styles]
            x = pictures[image].to(kind) if x is None else x
            return objective.evaluate(x, pictures[content].to(kind), given, w, s)

        settings = balanced(settings, run)
        terms, total, gradient = run(settings)
        check_by_differences(name, pictures[image].double(), gradient, terms, run, settings)
        _, total32, gradient32 = run(settings, None, weights, torch.float32)
        largest = gradient.abs().max()
        arrays[f"{name}.gradient"] = gradient.float().contiguous()
        recorded.append(
            {
                "name": name,
                "content": content,
                "image": image,
                "styles": styles,
                **asdict(settings),
                "terms": [{k: t[k] for k in ("name", "value", "weight")} for t in terms],
                "total": total,
                "margin": float(f"{m:.2e}") if (m := margin(pictures[image].double(), double, settings)) < 1e9 else None,
                "float32": {
                    "total": float(f"{abs(total32 - total) / abs(total):.1e}"),
                    "gradient": float(f"{((gradient32 - gradient).abs().max() / largest).item():.1e}"),
                },
            }
        )
    return recorded


def spd(c, g, rank=None, spread=1.0):
    """A covariance of c channels; of `rank` directions only, plus 1e-4, where rank is given."""
    k = rank or 2 * c
    a = torch.randn(c, k, generator=g, dtype=torch.float64) * spread * torch.logspace(0, -1, k, dtype=torch.float64)
    # Rounded to what the file keeps, so that the recorded value belongs to the recorded matrix.
    return (a @ a.T / k + 1e-4 * torch.eye(c, dtype=torch.float64)).float()


def record_wasserstein(arrays):
    recorded = []
    cases = [("3", 3, None, 1.0), ("16", 16, None, 1.0), ("16-nearly-singular", 16, 5, 3.0), ("48", 48, None, 1.0)]
    for seed, (label, c, rank, spread) in enumerate([*cases, ("16-equal", 16, None, 1.0)]):
        g = torch.Generator().manual_seed(300 + seed)
        name = f"wasserstein-{label}"
        parts = {"mean": torch.randn(c, generator=g), "covariance": spd(c, g, rank, spread)}
        parts |= {"target_mean": torch.randn(c, generator=g), "target_covariance": spd(c, g, None, spread)}
        if label.endswith("equal"):
            parts |= {f"target_{k}": parts[k].clone() for k in ("mean", "covariance")}
        mean, cov = (parts[k].double().requires_grad_(True) for k in ("mean", "covariance"))
        targets = [parts[k].double() for k in ("target_mean", "target_covariance")]
        value = objective.wasserstein(mean, cov, *targets, "mean")
        slopes = torch.autograd.grad(value, [mean, cov])
        parts |= {"mean_gradient": slopes[0].float(), "covariance_gradient": slopes[1].float()}
        arrays |= {f"{name}.{k}": v.contiguous() for k, v in parts.items()}
        # At its minimum the value is zero; what eigenvectors leave of it is rounding of either sign.
        exact = (lambda v: 0.0) if label.endswith("equal") else (lambda v: v.item())
        recorded.append(
            {
                "name": name,
                "channels": c,
                "condition": float(f"{torch.linalg.cond(cov.detach()).item():.2e}"),
                "mean": exact(value),
                "sum": exact(objective.wasserstein(mean, cov, *targets, "sum")),
            }
        )
    return recorded


def lines(key, rows):
    return f'"{key}": [\n' + ",\n".join("  " + json.dumps(row) for row in rows) + "\n]"


def main():
    torch.set_num_threads(1)
    weights = network()
    double = {name: value.double() for name, value in weights.items()}
    pictures = base_pictures() | choose_images(double)
    arrays = {}
    cases = record_cases(weights, pictures, arrays)
    gaussians = record_wasserstein(arrays)
    save_file(weights, HERE / "tiny.safetensors")
    save_file(pictures, HERE / "pictures.safetensors")
    save_file(arrays, HERE / "golden.safetensors")
    text = "{\n" + lines("cases", cases) + ",\n" + lines("wasserstein", gaussians) + "\n}\n"
    (HERE / "golden.json").write_text(text)
    for c in cases:
        print(f"{c['name']:26} total {c['total']:<12.6g} margin {c['margin']} float32 {c['float32']}")
    for w in gaussians:
        print(f"{w['name']:26} mean {w['mean']:<12.6g} condition {w['condition']}")


if __name__ == "__main__":
    main()
