#!/usr/bin/env python3
"""Makes regions.json: style losses of features under weights, and their gradients by float64 autograd.

    pip install torch && python make.py

A loss in a region is one of the weighted moments of features: mean Σ w·F and second moment Σ w·F·Fᵀ, with weights that add
up to 1. Gram: mean of the squared differences of second moments over c² entries (norm "hw"). Mean and deviation: means of
the squared differences, with 1e-5 added to variances.
"""

import json
from pathlib import Path

import torch

C, H, W = 5, 4, 6


def moments(features, weights):
    f, w = features.reshape(C, -1), weights.reshape(-1)
    return (f * w).sum(1), (f * w) @ f.T


def deviation(mean, second):
    return (second.diagonal() - mean**2 + 1e-5).sqrt()


def gram(seen, target):
    return ((seen[1] - target[1]) ** 2).mean()


def mean_std(seen, target):
    return ((seen[0] - target[0]) ** 2).mean() + ((deviation(*seen) - deviation(*target)) ** 2).mean()


def main():
    torch.manual_seed(3)
    style = torch.randn(C, H, W, dtype=torch.float64).float().double()
    features = torch.randn(C, H, W, dtype=torch.float64).float().double().requires_grad_()
    weights = torch.rand(H, W, dtype=torch.float64)
    weights[:, :2] = 0
    weights = (weights / weights.sum()).float().double()
    target = moments(style, torch.full((H, W), 1 / (H * W), dtype=torch.float64))
    text = {"shape": [C, H, W]}
    for name, values in [("style", style), ("features", features), ("weights", weights)]:
        text[name] = values.detach().reshape(-1).tolist()
    text["losses"] = {}
    for name, loss in [("gram", gram), ("mean-std", mean_std)]:
        value = loss(moments(features, weights), target)
        (gradient,) = torch.autograd.grad(value, features)
        text["losses"][name] = {"value": value.item(), "gradient": gradient.reshape(-1).tolist()}
    Path(__file__).with_name("regions.json").write_text(json.dumps(text) + "\n")


if __name__ == "__main__":
    main()
