"""The operations of `number_crunching`, run as in production: as one program, in the best sandbox."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import numpy as np
import pytest
import pytest_asyncio

from scheduler_service import sandbox as sandboxes
from scheduler_service.payloads import registry
from scheduler_service.sandbox import End, Limits, Spec

Crunch = Callable[..., Awaitable[Any]]
SHARED = pytest.mark.asyncio(loop_scope="module")  # the loop that the sandbox was started on


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def crunch(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Crunch]:
    """Yield a function that runs an operation and returns its result, in one sandbox with numpy imported."""
    sandbox = sandboxes.create("auto", tmp_path_factory.mktemp("runs"), slots=1)
    await sandbox.start()

    async def run(operation: str, **parameters: Any) -> Any:
        payload = registry.adapter().validate_python({"type": "number_crunching", "operation": operation, **parameters})
        output = bytearray()

        async def take(data: bytes) -> None:
            output.extend(data)

        outcome = await sandbox.run(Spec(payload.command(), Limits()), take, asyncio.Event())
        assert (outcome.end, outcome.exit_code) == (End.EXITED, 0), output.decode()
        assert output.count(b"\n") == 1
        return payload.result(output.decode())

    yield run
    await sandbox.stop()


@SHARED
@pytest.mark.parametrize(("n", "value"), [(0, 0), (1, 1), (2, 1), (10, 55), (100, 354224848179261915075)])
async def test_fibonacci_number_is_computed(crunch: Crunch, n: int, value: int) -> None:
    assert await crunch("fibonacci", n=n) == {
        "operation": "fibonacci",
        "n": n,
        "value": str(value),
        "digits": len(str(value)),
    }


@SHARED
async def test_largest_fibonacci_number_is_exact(crunch: Crunch) -> None:
    answer = await crunch("fibonacci", n=1_000_000)
    assert answer["digits"] == 208_988
    assert answer["value"].startswith("1953282128707757731632014947596256332443")
    assert int(answer["value"][-18:]) == _fibonacci_modulo(1_000_000, 10**18)


@SHARED
@pytest.mark.parametrize("n", [0, 1, 2, 5, 50, 1000])
async def test_factorial_is_computed(crunch: Crunch, n: int) -> None:
    assert (await crunch("factorial", n=n))["value"] == str(math.factorial(n))


@SHARED
async def test_largest_factorial_is_exact(crunch: Crunch) -> None:
    answer = await crunch("factorial", n=50_000)
    assert answer["digits"] == len(answer["value"]) == 213_237
    assert len(answer["value"]) - len(answer["value"].rstrip("0")) == 12_499  # as many as the product has factors of 5
    assert _modulo(answer["value"], 2**61 - 1) == _factorial_modulo(50_000, 2**61 - 1)


@SHARED
@pytest.mark.parametrize(
    ("limit", "count", "largest"),
    [
        (0, 0, None),
        (1, 0, None),
        (2, 1, 2),
        (3, 2, 3),
        (9, 4, 7),
        (25, 9, 23),
        (100, 25, 97),
        (121, 30, 113),
        (1_000_000, 78_498, 999_983),
    ],
)
async def test_prime_numbers_are_counted(crunch: Crunch, limit: int, count: int, largest: int | None) -> None:
    answer = await crunch("prime_numbers", limit=limit)
    assert (answer["count"], answer["largest"]) == (count, largest)
    assert answer["first"] == [2, 3, 5, 7, 11, 13, 17, 19, 23, 29][:count]


@SHARED
async def test_prime_numbers_include_the_last_ten(crunch: Crunch) -> None:
    assert (await crunch("prime_numbers", limit=100))["last"] == [53, 59, 61, 67, 71, 73, 79, 83, 89, 97]


@SHARED
async def test_matrices_are_multiplied(crunch: Crunch) -> None:
    rng = np.random.default_rng(7)
    left, right = (rng.integers(0, 10, (60, 60), dtype=np.int8).astype(np.int64) for _ in range(2))
    product = left @ right
    assert await crunch("matrix_multiplication", size=60, seed=7) == {
        "operation": "matrix_multiplication",
        "size": 60,
        "seed": 7,
        "sum": product.sum(),
        "trace": np.trace(product),
        "minimum": product.min(),
        "maximum": product.max(),
        "corner": product[:5, :5].tolist(),
    }


@SHARED
async def test_monte_carlo_pi_depends_on_its_seed(crunch: Crunch) -> None:
    first, again, other = [await crunch("monte_carlo_pi", samples=1_500_000, seed=seed) for seed in (1, 1, 2)]
    assert first == again
    assert first["inside"] != other["inside"]
    assert first["estimate"] == pytest.approx(math.pi, abs=0.01)
    assert first["error"] == pytest.approx(abs(first["estimate"] - math.pi))


@SHARED
async def test_statistics_of_values_agree_with_numpy(crunch: Crunch) -> None:
    values = [3.5, -1, 4, 1, 5, 9, 2, 6]
    answer = await crunch("statistics", values=values)
    assert answer["count"] == 8
    assert answer["mean"] == pytest.approx(np.mean(values))
    assert answer["variance"] == pytest.approx(np.var(values))
    assert answer["standard_deviation"] == pytest.approx(np.std(values))
    assert (answer["minimum"], answer["maximum"], answer["median"]) == (-1, 9, np.median(values))
    assert answer["p25"] == pytest.approx(np.quantile(values, 0.25))


@SHARED
async def test_statistics_of_extreme_values_are_finite(crunch: Crunch) -> None:
    answer = await crunch("statistics", values=[1e150, -1e150])
    assert (answer["mean"], answer["standard_deviation"]) == (0, pytest.approx(1e150))


@SHARED
async def test_statistics_of_a_sample_agree_with_numpy(crunch: Crunch) -> None:
    sample = np.random.default_rng(3).standard_normal(10_000)
    answer = await crunch("statistics", size=10_000, seed=3)
    assert (answer["count"], answer["mean"]) == (10_000, pytest.approx(sample.mean()))
    assert answer["p95"] == pytest.approx(np.quantile(sample, 0.95))


@SHARED
async def test_eigenvalues_agree_with_numpy(crunch: Crunch) -> None:
    matrix = np.random.default_rng(5).standard_normal((20, 20))
    answer = await crunch("eigenvalues", size=20, seed=5)
    assert answer["eigenvalues"] == pytest.approx(np.linalg.eigvalsh((matrix + matrix.T) / 2))
    assert answer["sum"] == pytest.approx(np.trace(matrix))
    assert (answer["minimum"], answer["maximum"]) == (answer["eigenvalues"][0], answer["eigenvalues"][-1])


@pytest.mark.parametrize("output", ["", "\n", "no JSON", '{"value": "1234', '{"value": NaN}'])
def test_invalid_output_has_no_result(output: str) -> None:
    payload = registry.adapter().validate_python({"type": "number_crunching", "operation": "fibonacci", "n": 1})
    assert payload.result(output) is None


def test_result_is_the_last_line() -> None:
    payload = registry.adapter().validate_python({"type": "number_crunching", "operation": "fibonacci", "n": 1})
    assert payload.result('a warning of some library\n{"value": "1"}\n') == {"value": "1"}


def _fibonacci_modulo(n: int, modulus: int) -> int:
    a, b = 0, 1
    for _ in range(n):
        a, b = b, (a + b) % modulus
    return a


def _factorial_modulo(n: int, modulus: int) -> int:
    product = 1
    for factor in range(2, n + 1):
        product = product * factor % modulus
    return product


def _modulo(digits: str, modulus: int) -> int:
    remainder = 0
    for digit in digits:
        remainder = (remainder * 10 + int(digit)) % modulus
    return remainder
