"""Gradients of graph operations, by PyTorch's autograd in f64: python gradients.py > gradients.txt (PyTorch 2.15.0).

Every line is a case, a colon, and lists of numbers with bars between them: the gradients of the sum of products of what is made
with `numbers(9)`, towards what is read, in its order, then towards weights and biases. What is read and what it is convolved
with is made by `numbers`, here and in the test alike.
"""

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)


def numbers(seed, *shape):
    count = torch.Size(shape).numel()
    values = [((i * 7919 + seed * 104729) % 2001 - 1000) / 1000 for i in range(count)]
    return torch.tensor(values, dtype=torch.float32).double().reshape(shape)


def padded(x, amount, mode):
    if mode == "zero":
        return F.pad(x, (amount,) * 4)
    return F.pad(x, (amount,) * 4, mode=mode)


def convolution(mode, kernel=3, stride=2, groups=1):
    leaves = [(1, 4, 6, 7), (6, 4 // groups, kernel, kernel), (6,)]

    def run(x, weight, bias):
        x = x if mode == "valid" else padded(x, kernel // 2, mode)
        return F.conv2d(x, weight, bias, stride=stride, groups=groups)

    return leaves, run


def transposed(kernel, more):
    leaves = [(1, 4, 6, 7), (4, 3, kernel, kernel), (3,)]
    return leaves, lambda x, w, b: F.conv_transpose2d(x, w, b, stride=2, padding=1, output_padding=more)


def of_map(run):
    return [(1, 4, 6, 7)], run


def deviation(x):
    return (x.var(dim=(2, 3)) + 1e-3).sqrt()


def modulated(x, scale, shift):
    center = x - x.mean(dim=(2, 3), keepdim=True)
    return center / deviation(x)[:, :, None, None] * scale[:, None, None] + shift[:, None, None]


MAP, VECTOR = (1, 4, 6, 7), (4,)
cases = {
    **{f"convolution {mode}": convolution(mode) for mode in ["zero", "replicate", "reflect"]},
    "convolution reflect 1": convolution("reflect", stride=1),
    "convolution valid": convolution("valid", stride=1),
    "convolution in groups": convolution("reflect", kernel=5, stride=1, groups=2),
    **{f"pad {mode}": of_map(lambda x, mode=mode: padded(x, 2, mode)) for mode in ["zero", "replicate", "reflect"]},
    "crop": of_map(lambda x: x[:, :, 2:-2, 2:-2]),
    "transposed 3": transposed(3, 1),
    "transposed 4": transposed(4, 0),
    "nearest": of_map(lambda x: F.interpolate(x, scale_factor=2, mode="nearest")),
    "bilinear": of_map(lambda x: F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)),
    "max pool": of_map(lambda x: F.max_pool2d(x, 2)),
    "max pool centred": of_map(lambda x: F.max_pool2d(x, 3, stride=2, padding=1)),
    "average pool": of_map(lambda x: F.avg_pool2d(x, 2)),
    "average pool centred": of_map(lambda x: F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)),
    "instance norm": ([MAP, VECTOR, VECTOR], lambda x, w, b: F.instance_norm(x, weight=w, bias=b, eps=1e-3)),
    "modulated": ([MAP, VECTOR, VECTOR], modulated),
    "mean": of_map(lambda x: x.mean(dim=(2, 3))),
    "deviation": of_map(deviation),
    "linear": ([(5,), (3, 5), (3,)], F.linear),
    "scale": ([MAP, VECTOR, VECTOR], lambda x, w, b: x * w[:, None, None] + b[:, None, None]),
    "relu": of_map(F.relu),
    "relu6": of_map(F.relu6),
    "sigmoid": of_map(torch.sigmoid),
    "tanh": of_map(lambda x: 0.75 * torch.tanh(x) + 0.25),
    "clamp": of_map(lambda x: x.clamp(-0.25, 0.5)),
    "add": ([MAP, MAP], torch.add),
    "add a vector": ([MAP, VECTOR], lambda x, v: x + v[:, None, None]),
    "multiply": ([MAP, MAP], torch.mul),
    "multiply by a vector": ([MAP, VECTOR], lambda x, v: x * v[:, None, None]),
    "mix": ([MAP, MAP, (1,)], torch.lerp),
    "concat": ([MAP, MAP], lambda a, b: torch.cat([a, b], dim=1)),
}
for name, (leaves, run) in cases.items():
    leaves = [numbers(1 + index, *shape).requires_grad_() for index, shape in enumerate(leaves)]
    made = run(*leaves)
    (made * numbers(9, *made.shape)).sum().backward()
    lists = [" ".join(f"{value:.8g}" for value in leaf.grad.flatten().tolist()) for leaf in leaves]
    print(name + ":", " | ".join(lists))
