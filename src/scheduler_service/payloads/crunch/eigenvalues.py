"""The eigenvalues of a random symmetric matrix."""

import numpy as np


def compute(size: int, seed: int) -> dict[str, object]:
    """Symmetric, so that all eigenvalues are real; entries are normal, and the last digits may differ between hosts."""
    matrix = np.random.default_rng(seed).standard_normal((size, size))
    eigenvalues = np.linalg.eigvalsh((matrix + matrix.T) / 2)
    return {
        "operation": "eigenvalues",
        "size": size,
        "seed": seed,
        "minimum": float(eigenvalues[0]),
        "maximum": float(eigenvalues[-1]),
        "sum": float(eigenvalues.sum()),
        "eigenvalues": eigenvalues.tolist(),
    }
