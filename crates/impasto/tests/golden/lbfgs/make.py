#!/usr/bin/env python3
"""Writes lbfgs.json: where PyTorch's torch.optim.LBFGS evaluates three functions, in float64.

    python crates/impasto/tests/golden/lbfgs/make.py        (needs torch 2.15; a second)

Each case has the settings of the optimiser and, for each of the first evaluations of the closure over as many calls of
`step` as it takes, the loss and some coordinates of the point: those whose index is a multiple of `every`.

rosenbrock  100 (y - x^2)^2 + (1 - x)^2 from (-1.2, 1)
quadratic   1/2 sum a_i (x_i - sin i)^2, a_i = 1 + 99 i/999, i = 0 ... 999, from 0
logistic    mean_i log(1 + exp(-y_i sum_j w_j sin(0.37 (i+1)(j+1)))) + 0.005 |w|^2, y_i = 1 where cos(1.3 i) > 0, else -1;
            i = 0 ... 59, j = 0 ... 19, from 0
"""

import json
from pathlib import Path

import torch

EVALUATIONS = 26


def rosenbrock(x):
    return 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2


def quadratic(x):
    i = torch.arange(1000, dtype=torch.float64)
    return 0.5 * ((1 + 99 * i / 999) * (x - i.sin()) ** 2).sum()


def logistic(w):
    i = torch.arange(60, dtype=torch.float64)
    j = torch.arange(20, dtype=torch.float64)
    features = (0.37 * torch.outer(i + 1, j + 1)).sin()
    labels = torch.where((1.3 * i).cos() > 0, 1.0, -1.0).double()
    return torch.log1p(torch.exp(-labels * (features @ w))).mean() + 0.005 * (w @ w)


PROBLEMS = {
    "rosenbrock": (rosenbrock, [-1.2, 1.0], 1),
    "quadratic": (quadratic, [0.0] * 1000, 37),
    "logistic": (logistic, [0.0] * 20, 1),
}
WOLFE = {"line_search_fn": "strong_wolfe"}
CASES = [
    *[(name, {}) for name in ("quadratic", "logistic")],
    *[(name, WOLFE) for name in PROBLEMS],
    # steps too short and too long for the first trial to be taken
    *[(name, WOLFE | {"lr": lr}) for name in ("rosenbrock", "logistic") for lr in (0.01, 30.0)],
    # (not the quadratic from a short step: the cubic through two points of a parabola is a matter of rounding)
    ("quadratic", WOLFE | {"lr": 30.0}),
    # outer steps that end by their own counts, and pairs that are forgotten
    ("quadratic", {"max_iter": 4, "history_size": 3}),
    ("quadratic", {"max_iter": 7, "max_eval": 5, "lr": 0.5}),
    ("rosenbrock", WOLFE | {"max_iter": 3, "max_eval": 4}),
    ("rosenbrock", WOLFE | {"max_iter": 20, "max_eval": 7, "lr": 5.0}),
    ("rosenbrock", {"lr": 0.05}),
    # tolerances
    ("logistic", {"tolerance_grad": 0.02}),
    ("logistic", WOLFE | {"tolerance_change": 1e-3}),
    ("quadratic", {"tolerance_change": 0.5}),
]


def record(name, settings):
    function, start, every = PROBLEMS[name]
    x = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([x], **settings)
    seen = []

    def closure():
        optimizer.zero_grad()
        loss = function(x)
        loss.backward()
        point = [float(f"{v:.10g}") for v in x.detach()[::every].tolist()]
        seen.append({"loss": float(f"{loss.item():.12g}"), "x": point})
        return loss

    while len(seen) < EVALUATIONS:
        optimizer.step(closure)
    group = optimizer.param_groups[0]
    keys = ("lr", "max_iter", "max_eval", "tolerance_grad", "tolerance_change", "history_size", "line_search_fn")
    return {"problem": name, "every": every, **{key: group[key] for key in keys}, "evaluations": seen[:EVALUATIONS]}


def main():
    torch.set_num_threads(1)
    rows = [json.dumps(record(name, settings)) for name, settings in CASES]
    text = '{"torch": ' + json.dumps(torch.__version__) + ', "cases": [\n' + ",\n".join(rows) + "\n]}\n"
    Path(__file__).with_name("lbfgs.json").write_text(text)


if __name__ == "__main__":
    main()
