"""The objective of style transfer, in PyTorch, as an independent reference.

Everything is differentiable by autograd and runs in the precision of its inputs (float64 for recorded numbers).
Nothing here is fast. Shapes: pictures and features are [c, h, w]; n = h*w; moments of features F are the mean
mu [c] and the second raw moment S = F F^T / n [c, c].

Sources: Gatys et al. 2016 (Gram), Johnson et al. 2016 (the c*h*w normalisation), Bures-Wasserstein distance of
Gaussians (covariance from raw moments, so that several styles can be averaged), Huang and Belongie 2017 (mean and
standard deviation).
"""

import re
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F

COVARIANCE_EPSILON = 1e-4
DEVIATION_EPSILON = 1e-5
CAFFE_MEAN_BGR = (103.939, 116.779, 123.68)
TORCH_MEAN = (0.485, 0.456, 0.406)
TORCH_DEVIATION = (0.229, 0.224, 0.225)
POOL_FACTORS = {"max": 1.0, "average": 2.0, "l2": 0.78}


@dataclass
class Settings:
    """What an objective is made of; the names are those of the program's options."""

    content_layers: list = field(default_factory=list)  # (tap, weight)
    style_layers: list = field(default_factory=list)  # (tap, weight)
    style_loss: str = "gram"  # gram | wasserstein | mean-std
    gram_norm: str = "chw"  # none | hw | chw | gatys
    reduction: str = "mean"  # mean | sum
    normalize: str = "none"  # none | target | gradient
    tv: str = "l2"  # l1 | l2 | 9-point
    content_weight: float = 1.0
    style_weight: float = 1.0
    tv_weight: float = 0.0
    preprocessing: str = "caffe"  # caffe | torch
    padding: str = "zero"  # of the first convolution: zero | replicate | reflect
    pooling: str = "max"  # max | average | l2
    rescaled: bool = False  # multiply average and l2 pooling by POOL_FACTORS


# ---------------------------------------------------------------- the network


def preprocess(image, kind):
    """[3, h, w], RGB 0..1, to what the first convolution expects."""
    if kind == "caffe":
        mean = torch.tensor(CAFFE_MEAN_BGR, dtype=image.dtype).view(3, 1, 1)
        return image.flip(0) * 255 - mean
    mean = torch.tensor(TORCH_MEAN, dtype=image.dtype).view(3, 1, 1)
    deviation = torch.tensor(TORCH_DEVIATION, dtype=image.dtype).view(3, 1, 1)
    return (image - mean) / deviation


def pool(x, settings):
    """2x2, stride 2; a last odd row or column is dropped."""
    factor = POOL_FACTORS[settings.pooling] if settings.rescaled else 1.0
    if settings.pooling == "max":
        return F.max_pool2d(x[None], 2)[0]
    if settings.pooling == "average":
        return F.avg_pool2d(x[None], 2)[0] * factor
    squares = F.avg_pool2d(x[None] ** 2, 2)[0] * 4
    # The root's slope at zero is infinite; a window of zeros passes no gradient.
    positive = squares > 0
    root = torch.where(positive, squares, torch.ones_like(squares)).sqrt()
    return torch.where(positive, root, torch.zeros_like(root)) * factor


def convolutions(weights):
    """(block, index) of every convolution in the file, in order."""
    names = [re.fullmatch(r"conv(\d+)_(\d+)\.weight", name) for name in weights]
    return sorted((int(m[1]), int(m[2])) for m in names if m)


def features(image, weights, settings, taps, watch=None):
    """{tap: features} of the taps: conv2_1 (before the ReLU), relu2_1 (after it), pool1.

    `watch(kind, tensor)`, where given, sees what every ReLU ("relu") and every pool ("pool") is applied to.
    """
    wanted, found = set(taps), {}
    layers = convolutions(weights)
    x = preprocess(image, settings.preprocessing)
    for position, (block, index) in enumerate(layers):
        name = f"{block}_{index}"
        weight, bias = weights[f"conv{name}.weight"], weights[f"conv{name}.bias"]
        if position == 0 and settings.padding != "zero":
            x = F.pad(x[None], (1, 1, 1, 1), mode=settings.padding)[0]
            x = F.conv2d(x[None], weight, bias)[0]
        else:
            x = F.conv2d(x[None], weight, bias, padding=1)[0]
        found[f"conv{name}"] = x
        if wanted <= found.keys():
            break
        if watch:
            watch("relu", x)
        x = F.relu(x)
        found[f"relu{name}"] = x
        if wanted <= found.keys():
            break
        if position + 1 < len(layers) and layers[position + 1][0] != block:
            if watch:
                watch("pool", x)
            x = pool(x, settings)
            found[f"pool{block}"] = x
            if wanted <= found.keys():
                break
    missing = wanted - found.keys()
    if missing:
        raise ValueError(f"the weights have no layer {sorted(missing)}; they have {sorted(found)}")
    return {tap: found[tap] for tap in wanted}


# ---------------------------------------------------------------- the losses


def moments(f):
    """(mu [c], S [c, c], n) of features [c, h, w]."""
    flat = f.reshape(f.shape[0], -1)
    n = flat.shape[1]
    return flat.mean(1), flat @ flat.T / n, n


def gram(second, n, norm):
    """The Gram matrix, by its normalisation, from S and the number of pixels."""
    c = second.shape[0]
    return second * {"none": n, "hw": 1.0, "chw": 1.0 / c, "gatys": 0.5 / c}[norm]


def reduce(x, reduction):
    return x.sum() if reduction == "sum" else x.mean()


def covariance(mean, second):
    return second - torch.outer(mean, mean) + COVARIANCE_EPSILON * torch.eye(len(mean), dtype=mean.dtype)


def root(matrix):
    """Square root of a symmetric positive matrix, by its eigenvectors."""
    values, vectors = torch.linalg.eigh((matrix + matrix.T) / 2)
    return vectors @ torch.diag(values.clamp_min(0).sqrt()) @ vectors.T


def bures(cov, target):
    """tr(T + C - 2 (T^1/2 C T^1/2)^1/2): the covariance part of the squared Wasserstein-2 distance."""
    half = root(target)
    product = half @ cov @ half
    # Only eigenvalues enter a trace, so that equal eigenvalues do no harm to the gradient.
    values = torch.linalg.eigvalsh((product + product.T) / 2).clamp_min(0)
    return torch.trace(target) + torch.trace(cov) - 2 * values.sqrt().sum()


def wasserstein(mean, cov, target_mean, target_cov, reduction):
    """Squared Wasserstein-2 distance of two Gaussians; `mean` divides both parts by c."""
    total = ((mean - target_mean) ** 2).sum() + bures(cov, target_cov)
    return total if reduction == "sum" else total / len(mean)


def total_variation(image, kind, reduction):
    """Of an image [3, h, w]. `l1` and `l2` look at neighbours inside the picture. `9-point` repeats the border by one
    pixel: differences to the right and below are taken at each of the h*w pixels (so those over the border are zero),
    diagonal ones at each of the (h+1)*(w+1) corners."""
    if kind in ("l1", "l2"):
        across, down = image[:, :, 1:] - image[:, :, :-1], image[:, 1:] - image[:, :-1]
        # A picture one pixel wide has no neighbours across: nothing to sum, and a mean of nothing counts as zero.
        parts = [d.abs() if kind == "l1" else d**2 for d in (across, down) if d.numel()]
        return sum((reduce(d, reduction) for d in parts), image.sum() * 0)
    p = F.pad(image[None], (1, 1, 1, 1), mode="replicate")[0]
    centre = p[:, 1:-1, 1:-1]
    straight = [p[:, 1:-1, 2:] - centre, p[:, 2:, 1:-1] - centre]
    diagonal = [p[:, 1:, 1:] - p[:, :-1, :-1], p[:, 1:, :-1] - p[:, :-1, 1:]]
    return 2 * (
        sum(reduce(d**2, reduction) for d in straight) / 3 + sum(reduce(d**2, reduction) for d in diagonal) / 12
    )


# ---------------------------------------------------------------- the terms


class Style:
    """One tap's style term; its target is the weighted average of the statistics of the styles' features."""

    def __init__(self, settings, targets, shares):
        self.settings = settings
        stats = [moments(f) for f in targets]
        self.mean = sum(w * s[0] for w, s in zip(shares, stats))
        self.second = sum(w * s[1] for w, s in zip(shares, stats))
        self.gram = sum(w * gram(s[1], s[2], settings.gram_norm) for w, s in zip(shares, stats))

    def value(self, mean, second, n):
        s = self.settings
        if s.style_loss == "gram":
            return reduce((gram(second, n, s.gram_norm) - self.gram) ** 2, s.reduction)
        if s.style_loss == "wasserstein":
            target = covariance(self.mean, self.second)
            return wasserstein(mean, covariance(mean, second), self.mean, target, s.reduction)
        deviation = (torch.diagonal(second) - mean**2 + DEVIATION_EPSILON).sqrt()
        target = (torch.diagonal(self.second) - self.mean**2 + DEVIATION_EPSILON).sqrt()
        return reduce((mean - self.mean) ** 2, s.reduction) + reduce((deviation - target) ** 2, s.reduction)

    def size(self):
        """What `normalize target` divides by: of the style alone, reduced as the value is."""
        s = self.settings
        if s.style_loss == "gram":
            return reduce(self.gram**2, s.reduction)
        return reduce(torch.diagonal(covariance(self.mean, self.second)), s.reduction)


def content_size(target, reduction):
    return reduce((target - target.mean()) ** 2, reduction)


def normalized(value, views, size, normalize):
    """The value divided by what `normalize` says; the L1 norm of the gradient counts as a constant."""
    if normalize == "none":
        return value
    if normalize == "target":
        return value / size
    gradients = torch.autograd.grad(value, views, retain_graph=True, allow_unused=True)
    return value / sum(g.abs().sum() for g in gradients if g is not None).detach()


def evaluate(image, content, styles, weights, settings):
    """The objective at an image.

    `styles`: [(picture, weight)]. Returns ([{"name", "value", "weight", "weighted"}], total, gradient [3, h, w]).
    """
    s = settings
    content_taps = [tap for tap, _ in s.content_layers]
    style_taps = [tap for tap, _ in s.style_layers]
    with torch.no_grad():
        wanted = features(content, weights, s, content_taps) if content_taps else {}
        shown = [features(style, weights, s, style_taps) for style, _ in styles] if style_taps else []
        shares = [w / sum(w for _, w in styles) for _, w in styles]
    image = image.clone().requires_grad_(True)
    maps = features(image, weights, s, content_taps + style_taps) if content_taps or style_taps else {}
    terms, values = [], []

    def add(name, value, views, size, weight):
        value = normalized(value, views, size, s.normalize)
        terms.append({"name": name, "value": value.item(), "weight": weight, "weighted": value.item() * weight})
        values.append(value * weight)

    for tap, share in s.content_layers:
        weight = s.content_weight * share / sum(w for _, w in s.content_layers)
        value = reduce((maps[tap] - wanted[tap]) ** 2, s.reduction)
        add(f"content:{tap}", value, [maps[tap]], content_size(wanted[tap], s.reduction), weight)
    for tap, share in s.style_layers:
        weight = s.style_weight * share / sum(w for _, w in s.style_layers)
        term = Style(s, [f[tap] for f in shown], shares)
        mean, second, n = moments(maps[tap])
        add(f"style:{tap}", term.value(mean, second, n), [mean, second], term.size(), weight)
    if s.tv_weight:
        add("tv", total_variation(image, s.tv, s.reduction), [image], 1.0, s.tv_weight)
    total = sum(values)
    (gradient,) = torch.autograd.grad(total, image)
    return terms, total.item(), gradient
