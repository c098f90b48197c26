"""Backoff: doubled from the first delay, capped, spread, never out of bounds."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from scheduler_service.domain.retry import RetryPolicy

NO_JITTER = RetryPolicy(jitter=0)


def test_defaults_are_those_of_the_documented_example() -> None:
    assert RetryPolicy() == RetryPolicy(max_retries=0, retry_delay=60, backoff_factor=2.0, max_delay=3600, jitter=0.1)


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 60), (2, 120), (3, 240), (6, 1920), (7, 3600), (100, 3600)])
def test_doubles_the_delay_up_to_the_ceiling(attempt: int, seconds: float) -> None:
    assert NO_JITTER.delay(attempt, 0.0) == seconds


@pytest.mark.parametrize(("random", "seconds"), [(0.0, 54), (0.5, 60), (1.0, 66)])
def test_spreads_the_delay_by_the_jitter(random: float, seconds: float) -> None:
    assert RetryPolicy().delay(1, random) == pytest.approx(seconds)


@pytest.mark.parametrize(("delay", "seconds"), [(60, 3600), (0, 0)])
def test_survives_an_attempt_number_beyond_all_floats(delay: float, seconds: float) -> None:
    assert RetryPolicy(retry_delay=delay, backoff_factor=100, jitter=0).delay(10**9, 0.5) == seconds


def test_a_factor_of_one_keeps_the_delay_constant() -> None:
    assert RetryPolicy(backoff_factor=1, jitter=0).delay(10**6, 0.5) == 60


@given(
    policy=st.builds(
        RetryPolicy,
        retry_delay=st.floats(0, 86_400),
        backoff_factor=st.floats(1, 100),
        max_delay=st.floats(0, 604_800),
        jitter=st.floats(0, 1),
    ),
    attempt=st.integers(1, 10**6),
    random=st.floats(0, 1),
)
def test_delay_stays_between_nothing_and_the_ceiling_with_jitter(
    policy: RetryPolicy, attempt: int, random: float
) -> None:
    assert 0 <= policy.delay(attempt, random) <= policy.max_delay * (1 + policy.jitter)


def test_allows_exactly_max_retries() -> None:
    policy = RetryPolicy(max_retries=2)
    assert [policy.allows(done) for done in range(4)] == [True, True, False, False]


@pytest.mark.parametrize(
    "bad",
    [
        {"max_retries": -1},
        {"max_retries": 101},
        {"retry_delay": -1},
        {"retry_delay": 86_401},
        {"retry_delay": float("nan")},
        {"backoff_factor": 0.5},
        {"backoff_factor": float("inf")},
        {"max_delay": 604_801},
        {"jitter": 1.1},
        {"jitter": -0.1},
        {"retries": 3},
    ],
)
def test_bounds_are_enforced_when_read_as_a_model(bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(RetryPolicy).validate_python(bad)
    assert caught.value.errors()[0]["loc"] == (next(iter(bad)),)
