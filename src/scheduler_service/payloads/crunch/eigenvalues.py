"""Eigenvalues of a random symmetric matrix."""

import numpy as np


def compute(size: int, seed: int) -> dict[str, object]:
    """Return the eigenvalues of a symmetric matrix with normal entries, so that all are real.

    The last digits can differ between hosts.
    """
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
