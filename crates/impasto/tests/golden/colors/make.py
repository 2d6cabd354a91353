#!/usr/bin/env python3
"""Makes colors.json: maps between two sets of colours by NumPy, SciPy and POT, which know nothing of ours.

    pip install numpy==2.4.6 scipy POT==0.9.7.post1 && python make.py

`transport` is POT's map between Gaussians; the others follow the formulas in the papers that `picture/colors/gaussian.rs`
names. Colours are sRGB values; all results lie inside of 0..1, so that nothing is clamped.
"""

import json
from pathlib import Path

import numpy as np
import ot
from scipy.linalg import sqrtm

EPSILON = 1e-5
N = 48


def colours(rng, mean, mixing, spread):
    return np.clip(mean + spread * (rng.random((N, 3)) - 0.5) @ mixing, 0.05, 0.95).astype(np.float32).astype(float)


def moments(x):
    return x.mean(0), np.cov(x.T, bias=True) + EPSILON * np.eye(3)


def root(a):
    return np.real(sqrtm(a))


def transport(x, like):
    (ms, cs), (mt, ct) = moments(x), moments(like)
    a, b = ot.gaussian.bures_wasserstein_mapping(ms[None], mt[None], cs, ct)
    return x @ np.real(a) + np.real(b)


def cholesky(x, like):
    (ms, cs), (mt, ct) = moments(x), moments(like)
    a = np.linalg.cholesky(ct) @ np.linalg.inv(np.linalg.cholesky(cs))
    return (x - ms) @ a.T + mt


def pca(x, like):
    (ms, cs), (mt, ct) = moments(x), moments(like)
    return (x - ms) @ (root(ct) @ np.linalg.inv(root(cs))).T + mt


def coral(x, like):
    # Sums over standardised colours plus the identity, as AdaIN's program has it.
    def standardised(y):
        return (y - y.mean(0)) / y.std(0)

    s, c = standardised(x), standardised(like)
    a = root(c.T @ c + np.eye(3)) @ np.linalg.inv(root(s.T @ s + np.eye(3)))
    return s @ a.T * like.std(0) + like.mean(0)


def main():
    rng = np.random.default_rng(7)
    own = colours(rng, [0.5, 0.45, 0.4], np.array([[1, 0.4, 0.1], [0.2, 0.9, 0.3], [0, 0.3, 0.7]]), 0.3)
    like = colours(rng, [0.5, 0.55, 0.5], np.array([[0.8, 0.1, -0.3], [0.1, 0.6, 0.2], [0.4, 0, 0.9]]), 0.25)
    maps = {"content": transport, "cholesky": cholesky, "pca": pca, "coral": coral}
    results = {name: of(own, like) for name, of in maps.items()}
    for name, result in results.items():
        assert 0 < result.min() and result.max() < 1, name
    digits = lambda x: [[round(float(v), 9) for v in row] for row in x]
    text = {"own": digits(own), "like": digits(like), "maps": {name: digits(r) for name, r in results.items()}}
    Path(__file__).with_name("colors.json").write_text(json.dumps(text) + "\n")


if __name__ == "__main__":
    main()
