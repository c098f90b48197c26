"""The prime numbers up to a limit."""

import numpy as np

SHOWN = 10


def compute(limit: int) -> dict[str, object]:
    """Return figures from a sieve of Eratosthenes over the odd numbers, one byte each."""
    is_prime = np.ones(
        (limit + 1) // 2, dtype=np.bool_
    )  # index i stands for 2i + 1; index 0 stands for 2, since 1 is not prime
    for i in range(1, (int(limit**0.5) + 1) // 2):
        if is_prime[i]:
            prime = 2 * i + 1
            is_prime[prime * prime // 2 :: prime] = False
    primes = np.flatnonzero(is_prime) if limit > 1 else np.empty(0, dtype=np.int64)
    last = _numbers(primes[-SHOWN:])
    return {
        "operation": "prime_numbers",
        "limit": limit,
        "count": len(primes),
        "largest": last[-1] if last else None,
        "first": _numbers(primes[:SHOWN]),
        "last": last,
    }


def _numbers(positions: np.ndarray) -> list[int]:
    return [2 * position + 1 if position else 2 for position in positions.tolist()]
