"""The published methods in PyTorch, each as its tutorial or paper defines it, for comparison step by step.

    losses, picture = RECIPES["tensorflow"](network, content, style, start, steps)

Pictures are [3, h, w], RGB 0..1. `network` is a `Vgg`; `losses` holds the total before each step (Adam) or of each
evaluation of the closure (L-BFGS); `picture` is what the method gives after them, in 0..1. `start` stands for the noise of
the methods that begin with some. Nothing here was taken from the program that is compared, and nothing is fast.

Layers that a file of weights lacks are replaced by the nearest that it has (layers.py), as in the program.
"""

import torch
import torch.nn.functional as F

from layers import NEAREST, convolutions

MEAN_BGR = (103.939, 116.779, 123.68)
TORCH_MEAN = (0.485, 0.456, 0.406)
TORCH_STD = (0.229, 0.224, 0.225)
FIVE = ["relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"]


class Stop(Exception):
    """Enough evaluations."""


class Vgg:
    """The convolutions of a file of original weights: B G R, 0..255 minus the mean."""

    def __init__(self, weights, dtype=torch.float64):
        self.weights = {name: tensor.to(dtype) for name, tensor in weights.items()}
        self.layers = convolutions(weights)
        self.dtype = dtype

    def nearest(self, tap):
        kind, place = tap[:4], tap[4:]
        block, index = map(int, place.split("_"))
        return tap if (block, index) in self.layers else kind + NEAREST[place]

    def features(self, rgb255, taps, pool="max", padding="zero"):
        """{tap: [c, h, w]} of a picture [3, h, w], R G B in 0..255."""
        taps = {tap: self.nearest(tap) for tap in taps}
        x = (rgb255.flip(0) - torch.tensor(MEAN_BGR, dtype=self.dtype).view(3, 1, 1))[None]
        found = {}
        for place, (block, index) in enumerate(self.layers):
            if index == 1 and block > 1:
                x = F.avg_pool2d(x, 2) if pool == "average" else F.max_pool2d(x, 2)
            weight, bias = (self.weights[f"conv{block}_{index}.{part}"] for part in ("weight", "bias"))
            if place == 0 and padding == "replicate":
                x = F.conv2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), weight, bias)
            else:
                x = F.conv2d(x, weight, bias, padding=1)
            found[f"conv{block}_{index}"] = x[0]
            x = F.relu(x)
            found[f"relu{block}_{index}"] = x[0]
            if set(taps.values()) <= found.keys():
                break
        return {tap: found[name] for tap, name in taps.items()}

    def normalised(self, pictures, pool):
        """Gatys et al. 2016: weights scaled so that every filter's mean activation over the pictures is 1."""
        unit = Vgg(self.weights, self.dtype)
        unit.weights = dict(self.weights)
        before = torch.ones(3, dtype=self.dtype)
        for block, index in self.layers:
            name = f"conv{block}_{index}"
            weight = unit.weights[f"{name}.weight"] * before.view(1, -1, 1, 1)
            unit.weights[f"{name}.weight"] = weight
            tap = f"relu{block}_{index}"
            means = [unit.features(255 * p, [tap], pool)[tap].mean((1, 2)) for p in pictures]
            mean = sum(means) / len(means)
            mean = torch.where(mean > 0, mean, torch.ones_like(mean))
            unit.weights[f"{name}.weight"] = weight / mean.view(-1, 1, 1, 1)
            unit.weights[f"{name}.bias"] = unit.weights[f"{name}.bias"] / mean
            before = mean
        return unit


def gram(f):
    flat = f.reshape(f.shape[0], -1)
    return flat @ flat.T


def places(f):
    return f.shape[1] * f.shape[2]


class Adam:
    """Kingma and Ba; `hat` adds epsilon before the bias correction, as TensorFlow and Keras do."""

    def __init__(self, x, lr, beta1, beta2, epsilon, hat):
        self.x, self.lr, self.betas, self.epsilon, self.hat = x, lr, (beta1, beta2), epsilon, hat
        self.m, self.v, self.t = torch.zeros_like(x), torch.zeros_like(x), 0

    @torch.no_grad()
    def step(self, gradient):
        self.t += 1
        b1, b2 = self.betas
        self.m += (1 - b1) * (gradient - self.m)
        self.v += (1 - b2) * (gradient**2 - self.v)
        c1, c2 = 1 - b1**self.t, 1 - b2**self.t
        if self.hat:
            self.x -= self.lr * c2**0.5 / c1 * self.m / (self.v.sqrt() + self.epsilon)
        else:
            self.x -= self.lr * (self.m / c1) / ((self.v / c2).sqrt() + self.epsilon)


def run_adam(x, objective, adam, steps, after):
    """Steps of Adam; `after(x, loss, before)` is called after each with the loss and the image before it."""
    losses = []
    for _ in range(steps):
        x.requires_grad_(True)
        loss = objective(x)
        (gradient,) = torch.autograd.grad(loss, x)
        x.requires_grad_(False)
        before = x.clone()
        adam.step(gradient)
        losses.append(loss.item())
        after(x, loss.item(), before)
    return losses


def run_lbfgs(x, objective, evaluations, before=None, **settings):
    losses = []
    x.requires_grad_(True)
    optimizer = torch.optim.LBFGS([x], **settings)

    def closure():
        if len(losses) == evaluations:
            raise Stop
        if before:
            before(x)
        optimizer.zero_grad()
        loss = objective(x)
        loss.backward()
        losses.append(loss.item())
        return loss

    try:
        while True:
            optimizer.step(closure)
    except Stop:
        return losses, x.detach()


def clip_(x, low, high):
    with torch.no_grad():
        x.clamp_(low, high)


def total_variation(image):
    """tf.image.total_variation."""
    return (image[:, 1:] - image[:, :-1]).abs().sum() + (image[:, :, 1:] - image[:, :, :-1]).abs().sum()


def keras(network, image255, style_targets, content_target, pool="max"):
    """Content and style costs of the three tutorials on Keras' layers: means, Gram / (h w), equal layers."""
    f = network.features(image255, [*FIVE, "relu5_2"], pool)
    style = sum(((gram(f[t]) / places(f[t]) - style_targets[t]) ** 2).mean() for t in FIVE) / 5
    return style, ((f["relu5_2"] - content_target) ** 2).mean()


def keras_targets(network, content, style, pool="max"):
    shown = network.features(255 * style, FIVE, pool)
    grams = {t: gram(shown[t]) / places(shown[t]) for t in FIVE}
    return grams, network.features(255 * content, ["relu5_2"], pool)["relu5_2"]


def tensorflow(network, content, style, start, steps):
    targets = keras_targets(network, content, style)
    x = start.clone()

    def objective(x):
        style_loss, content_loss = keras(network, 255 * x, *targets)
        return 1e-2 * style_loss + 1e4 * content_loss + 30 * total_variation(x)

    adam = Adam(x, 0.02, 0.99, 0.999, 1e-1, hat=True)
    losses = run_adam(x, objective, adam, steps, lambda x, *_: clip_(x, 0, 1))
    return losses, x


def keras_eager(network, content, style, start, steps):
    targets = keras_targets(network, content, style)
    mean = torch.tensor(MEAN_BGR[::-1], dtype=start.dtype).view(3, 1, 1)
    x = 255 * start - mean
    best = [float("inf"), None]

    def objective(x):
        style_loss, content_loss = keras(network, x + mean, *targets)
        return 1e-2 * style_loss + 1e3 * content_loss

    def after(x, loss, _):
        x.copy_(torch.minimum(torch.maximum(x, -mean), 255 - mean))
        if loss < best[0]:
            best[:] = [loss, x.clone()]

    losses = run_adam(x, objective, Adam(x, 5, 0.99, 0.999, 1e-1, hat=True), steps, after)
    return losses, (best[1] + mean) / 255


def holberton(network, content, style, start, steps):
    targets = keras_targets(network, content, style, "average")
    x = start.clone()
    best = [float("inf"), None]

    def objective(x):
        style_cost, content_cost = keras(network, 255 * x, *targets, "average")
        return 1e4 * content_cost + 1 * style_cost + 10 * total_variation(x)

    def after(x, loss, before):
        if loss < best[0]:
            best[:] = [loss, before]
        x.clamp_(0, 1)

    losses = run_adam(x, objective, Adam(x, 0.01, 0.9, 0.99, 1e-7, hat=True), steps, after)
    return losses, best[1]


def pytorch(network, content, style, start, evaluations):
    style_layers = ["conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1"]

    def normalised_gram(f):
        return gram(f) / f.numel()

    shown = network.features(255 * style, style_layers)
    targets = {t: normalised_gram(shown[t]) for t in style_layers}
    wanted = network.features(255 * content, ["conv2_2"])["conv2_2"]

    def objective(x):
        f = network.features(255 * x, style_layers)
        style_score = sum(F.mse_loss(normalised_gram(f[t]), targets[t]) for t in style_layers)
        return 1e6 * style_score + 1 * F.mse_loss(f["conv2_2"], wanted)

    losses, x = run_lbfgs(start.clone(), objective, evaluations, before=lambda x: x.data.clamp_(0, 1))
    return losses, x.clamp(0, 1)


def udacity(network, content, style, start, steps):
    mean = torch.tensor(TORCH_MEAN, dtype=start.dtype).view(3, 1, 1)
    std = torch.tensor(TORCH_STD, dtype=start.dtype).view(3, 1, 1)
    weights = {"conv1_1": 1.0, "conv2_1": 0.75, "conv3_1": 0.2, "conv4_1": 0.2, "conv5_1": 0.2}
    shown = network.features(255 * style, weights)
    wanted = network.features(255 * content, ["conv4_2"])["conv4_2"]
    x = (start - mean) / std

    def objective(x):
        f = network.features(255 * (x * std + mean), [*weights, "conv4_2"])
        style_loss = 0
        for layer, weight in weights.items():
            layer_loss = weight * ((gram(f[layer]) - gram(shown[layer])) ** 2).mean()
            style_loss = style_loss + layer_loss / f[layer].numel()
        return 1 * ((f["conv4_2"] - wanted) ** 2).mean() + 1e6 * style_loss

    adam = Adam(x, 0.003, 0.9, 0.999, 1e-8, hat=False)
    losses = run_adam(x, objective, adam, steps, lambda *_: None)
    return losses, (x * std + mean).clamp(0, 1)


def coursera(network, content, style, start, steps):
    shown = network.features(255 * style, FIVE, "average")
    wanted = network.features(255 * content, ["relu4_2"], "average")["relu4_2"]
    x = 255 * start

    def objective(x):
        f = network.features(x, [*FIVE, "relu4_2"], "average")
        content_cost = ((wanted - f["relu4_2"]) ** 2).sum() / (4 * wanted.numel())
        style_cost = 0
        for layer in FIVE:
            c, n = f[layer].shape[0], places(f[layer])
            style_cost = style_cost + 0.2 * ((gram(shown[layer]) - gram(f[layer])) ** 2).sum() / (4 * c**2 * n**2)
        return 10 * content_cost + 40 * style_cost

    adam = Adam(x, 2.0, 0.9, 0.999, 1e-8, hat=True)
    losses = run_adam(x, objective, adam, steps, lambda *_: None)
    return losses, (x / 255).clamp(0, 1)


def neural_style(network, content, style, start, evaluations):
    shown = network.features(255 * style, FIVE)
    targets = {t: gram(shown[t]) / shown[t].numel() for t in FIVE}
    wanted = network.features(255 * content, ["relu4_2"])["relu4_2"]

    def objective(x):
        f = network.features(x, [*FIVE, "relu4_2"])
        loss = 5 * F.mse_loss(f["relu4_2"], wanted)
        for t in FIVE:
            loss = loss + 1e2 * F.mse_loss(gram(f[t]) / f[t].numel(), targets[t])
        # What its gradient belongs to; the differences along the last row and column are left out.
        here = x[:, :-1, :-1]
        return loss + 1e-3 * 0.5 * (((x[:, :-1, 1:] - here) ** 2).sum() + ((x[:, 1:, :-1] - here) ** 2).sum())

    settings = {"max_iter": 1000, "tolerance_grad": -1, "tolerance_change": -1, "history_size": 100}
    losses, x = run_lbfgs(255 * start, objective, evaluations, **settings)
    return losses, (x / 255).clamp(0, 1)


def gatys(network, content, style, start, evaluations):
    unit = network.normalised([style, content], "average")
    shown = unit.features(255 * style, FIVE, "average")
    wanted = unit.features(255 * content, ["relu4_2"], "average")["relu4_2"]

    def objective(x):
        f = unit.features(x, [*FIVE, "relu4_2"], "average")
        content_loss = 0.5 * ((f["relu4_2"] - wanted) ** 2).sum()
        style_loss = 0
        for t in FIVE:
            n, m = f[t].shape[0], places(f[t])
            style_loss = style_loss + 0.2 * ((gram(f[t]) - gram(shown[t])) ** 2).sum() / (4 * n**2 * m**2)
        return 1e-2 * content_loss + 1e4 * style_loss

    losses, x = run_lbfgs(255 * start, objective, evaluations)
    return losses, (x / 255).clamp(0, 1)




def crowson(network, content, style, start, steps):
    """One scale of it."""
    layer_weights = dict(zip(FIVE, (256, 64, 16, 4, 1)))
    total = sum(layer_weights.values())

    def statistics(f):
        flat = f.reshape(f.shape[0], -1)
        mean, second = flat.mean(1), flat @ flat.T / flat.shape[1]
        eye = torch.eye(len(mean), dtype=f.dtype)
        return mean, second - torch.outer(mean, mean) + 1e-4 * eye

    shown = network.features(255 * style, FIVE, padding="replicate")
    targets = {}
    for t in FIVE:
        mean, cov = statistics(shown[t])
        values, vectors = torch.linalg.eigh(cov)
        targets[t] = mean, cov, vectors @ torch.diag(values.clamp_min(0).sqrt()) @ vectors.T
    wanted = network.features(255 * content, ["relu4_2"], padding="replicate")["relu4_2"]

    def w2(f, t):
        mean, cov = statistics(f)
        target_mean, target_cov, half = targets[t]
        middle = half @ cov @ half
        values = torch.linalg.eigvalsh((middle + middle.T) / 2).clamp_min(1e-12)
        covariance = torch.trace(target_cov) + torch.trace(cov) - 2 * values.sqrt().sum()
        return ((mean - target_mean) ** 2).mean() + covariance / len(mean)

    def tv(x):
        p = F.pad(x[None], (1, 1, 1, 1), mode="replicate")[0]
        d1 = ((p[:, 1:-1, 2:] - p[:, 1:-1, 1:-1]) ** 2).mean() / 3
        d2 = ((p[:, 2:, 1:-1] - p[:, 1:-1, 1:-1]) ** 2).mean() / 3
        d3 = ((p[:, 1:, 1:] - p[:, :-1, :-1]) ** 2).mean() / 12
        d4 = ((p[:, 1:, :-1] - p[:, :-1, 1:]) ** 2).mean() / 12
        return 2 * (d1 + d2 + d3 + d4)

    x = start.clone()
    average = [torch.zeros_like(x), 0]

    def objective(x):
        f = network.features(255 * x, [*FIVE, "relu4_2"], padding="replicate")
        loss = 0.015 * ((f["relu4_2"] - wanted) ** 2).mean() + 2.0 * tv(x)
        for t in FIVE:
            loss = loss + layer_weights[t] / total * w2(f[t], t)
        return loss

    def after(x, *_):
        x.clamp_(0, 1)
        average[0] = 0.99 * average[0] + 0.01 * x
        average[1] += 1

    losses = run_adam(x, objective, Adam(x, 0.02, 0.9, 0.99, 1e-8, hat=False), steps, after)
    return losses, average[0] / (1 - 0.99 ** average[1])


RECIPES = {
    "gatys2015": gatys,
    "gatys2016": gatys,
    "neural-style": neural_style,
    "tensorflow": tensorflow,
    "keras-eager": keras_eager,
    "pytorch": pytorch,
    "udacity": udacity,
    "coursera": coursera,
    "holberton": holberton,
    "crowson": crowson,
}
LBFGS = {"gatys2015", "gatys2016", "neural-style", "pytorch"}
FROM_NOISE = {"gatys2015", "neural-style", "coursera"}
