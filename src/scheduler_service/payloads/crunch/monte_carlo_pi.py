"""An estimate of pi from random points in the unit square."""

import math

import numpy as np

CHUNK = 1_000_000  # points per batch: 16 MB


def compute(samples: int, seed: int) -> dict[str, object]:
    """Return the estimate from the share of points within the quarter circle."""
    rng = np.random.default_rng(seed)
    inside = sum(_count_inside(rng, min(CHUNK, samples - done)) for done in range(0, samples, CHUNK))
    estimate = 4 * inside / samples
    return {
        "operation": "monte_carlo_pi",
        "samples": samples,
        "seed": seed,
        "inside": inside,
        "estimate": estimate,
        "error": abs(estimate - math.pi),
    }


def _count_inside(rng: np.random.Generator, points: int) -> int:
    x, y = rng.random((2, points))
    return int(np.count_nonzero(x * x + y * y <= 1.0))
