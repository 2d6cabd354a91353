"""Golden values of graph operations, by PyTorch in f64: python make.py > golden.txt (PyTorch 2.15.0).

Every line is a case, a colon, and its numbers. What is read and what it is convolved with is made by `numbers`, here and in
the test alike.
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


x = numbers(1, 1, 4, 6, 7)
cases = {}
for mode in ["zero", "replicate", "reflect"]:
    cases[f"convolution {mode}"] = F.conv2d(padded(x, 1, mode), numbers(2, 6, 4, 3, 3), numbers(3, 6), stride=2)
    cases[f"pad {mode}"] = padded(x, 2, mode)
cases["convolution valid"] = F.conv2d(x, numbers(2, 6, 4, 3, 3), numbers(3, 6))
cases["convolution in groups"] = F.conv2d(padded(x, 2, "reflect"), numbers(2, 6, 2, 5, 5), numbers(3, 6), groups=2)
cases["transposed 3"] = F.conv_transpose2d(
    x, numbers(2, 4, 3, 3, 3), numbers(3, 3), stride=2, padding=1, output_padding=1
)
cases["transposed 4"] = F.conv_transpose2d(x, numbers(2, 4, 3, 4, 4), numbers(3, 3), stride=2, padding=1)
cases["nearest"] = F.interpolate(x, scale_factor=2, mode="nearest")
cases["bilinear"] = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
cases["max pool"] = F.max_pool2d(x, 2)
cases["max pool centred"] = F.max_pool2d(x, 3, stride=2, padding=1)
cases["average pool"] = F.avg_pool2d(x, 2)
cases["average pool centred"] = F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)
cases["instance norm"] = F.instance_norm(x, weight=numbers(2, 4), bias=numbers(3, 4), eps=1e-3)
cases["deviation"] = (x.var(dim=(2, 3)) + 1e-3).sqrt()
cases["linear"] = F.linear(numbers(1, 5), numbers(2, 3, 5), numbers(3, 3))
for name, values in cases.items():
    print(name + ":", " ".join(f"{value:.9g}" for value in values.flatten().tolist()))
