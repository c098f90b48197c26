"""The product of two random square matrices."""

import numpy as np

SHOWN = 5


def compute(size: int, seed: int) -> dict[str, object]:
    """Return figures of the product.

    The entries 0 to 9 keep floating point exact, so the result is the same on every host.
    """
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
