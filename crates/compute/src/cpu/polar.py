"""Computes the table of polynomials in polar.rs.

Step k has the odd polynomial a·x + b·x³ + c·x⁵ that is closest to 1, in the maximum norm, on the interval to which
the steps before it have taken the singular values: Remez exchange, starting with [LOWEST, 1]. A composition of such
polynomials is the best there is (Amsel, Persson, Musco, Gower, The Polar Express, arXiv 2505.16932).

Needs numpy. Prints the rows of the table.
"""

import numpy as np

LOWEST = 2.1e-6
ENOUGH = 1e-6
DEGREE = 5


def closest_to_one(low, high):
    """Coefficients of the odd polynomial, and its greatest distance from 1 on [low, high]."""
    terms = (DEGREE + 1) // 2
    powers = np.arange(1, DEGREE + 1, 2)
    # In units of `high`; the extrema of a Chebyshev polynomial are a good start.
    low_scaled = low / high
    points = (1 + low_scaled) / 2 - (1 - low_scaled) / 2 * np.cos(np.pi * np.arange(terms + 1) / terms)
    for _ in range(100):
        signs = (-1.0) ** np.arange(terms + 1)
        system = np.column_stack([points[:, None] ** powers, signs])
        *coefficients, error = np.linalg.solve(system, np.ones(terms + 1))
        derivative = np.zeros(DEGREE)
        derivative[powers - 1] = powers * coefficients
        roots = np.polynomial.polynomial.polyroots(derivative)
        inside = np.sort(roots.real[(abs(roots.imag) < 1e-9) & (roots.real > low_scaled) & (roots.real < 1)])
        exchanged = np.concatenate([[low_scaled], inside, [1.0]])
        assert len(exchanged) == terms + 1
        if np.allclose(points, exchanged, rtol=1e-14):
            break
        points = exchanged
    return np.array(coefficients) / high**powers, abs(error)


low, high = LOWEST, 1.0
while True:
    coefficients, error = closest_to_one(low, high)
    a, b, c = coefficients
    print(f"    Step {{ low: {low:.9e}, high: {high:.9e}, coefficients: [{a:.10e}, {b:.10e}, {c:.10e}] }},")
    low, high = 1 - error, 1 + error
    if error < ENOUGH:
        break
