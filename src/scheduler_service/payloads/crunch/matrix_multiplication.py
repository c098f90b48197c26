"""The product of two random square matrices."""

import numpy as np

SHOWN = 5


def compute(size: int, seed: int) -> dict[str, object]:
    """Multiply matrices of the digits 0 to 9: small enough for floating point to be exact, so every host agrees."""
    rng = np.random.default_rng(seed)
    left, right = (rng.integers(0, 10, (size, size), dtype=np.int8).astype(np.float64) for _ in range(2))
    product = left @ right
    return {
        "operation": "matrix_multiplication",
        "size": size,
        "seed": seed,
        "sum": int(product.sum(axis=1).astype(np.int64).sum()),
        "trace": int(np.trace(product)),
        "minimum": int(product.min()),
        "maximum": int(product.max()),
        "corner": product[:SHOWN, :SHOWN].astype(int).tolist(),
    }
