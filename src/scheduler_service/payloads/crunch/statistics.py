"""Descriptive statistics of given values, or of a random sample of the standard normal distribution."""

import numpy as np

QUANTILES = {"p05": 0.05, "p25": 0.25, "median": 0.5, "p75": 0.75, "p95": 0.95}


def compute(size: int | None, seed: int, values: list[float] | None) -> dict[str, object]:
    """Return the statistics. The variance is that of a population, divided by the count."""
    data = _sample(size, seed) if values is None else np.asarray(values, dtype=np.float64)
    return {
        "operation": "statistics",
        "count": data.size,
        "mean": float(data.mean()),
        "variance": float(data.var()),
        "standard_deviation": float(data.std()),
        "minimum": float(data.min()),
        "maximum": float(data.max()),
        **dict(zip(QUANTILES, np.quantile(data, list(QUANTILES.values())).tolist(), strict=True)),
    }


def _sample(size: int | None, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(size)
