"""The delay before a retry: doubled, capped, spread by jitter."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from scheduler_service.domain.retry import RetryPolicy

NO_JITTER = RetryPolicy(jitter=0)


def test_retry_defaults_are_the_documented_ones() -> None:
    assert RetryPolicy() == RetryPolicy(max_retries=0, retry_delay=60, backoff_factor=2.0, max_delay=3600, jitter=0.1)


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 60), (2, 120), (3, 240), (6, 1920), (7, 3600), (100, 3600)])
def test_delay_doubles_up_to_max_delay(attempt: int, seconds: float) -> None:
    assert NO_JITTER.delay(attempt, 0.0) == seconds


@pytest.mark.parametrize(("random", "seconds"), [(0.0, 54), (0.5, 60), (1.0, 66)])
def test_jitter_spreads_the_delay(random: float, seconds: float) -> None:
    assert RetryPolicy().delay(1, random) == pytest.approx(seconds)


@pytest.mark.parametrize(("delay", "seconds"), [(60, 3600), (0, 0)])
def test_delay_is_finite_for_a_huge_attempt_number(delay: float, seconds: float) -> None:
    assert RetryPolicy(retry_delay=delay, backoff_factor=100, jitter=0).delay(10**9, 0.5) == seconds


def test_delay_is_constant_when_the_factor_is_one() -> None:
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
def test_delay_stays_between_zero_and_max_delay_with_jitter(policy: RetryPolicy, attempt: int, random: float) -> None:
    assert 0 <= policy.delay(attempt, random) <= policy.max_delay * (1 + policy.jitter)


def test_policy_allows_exactly_max_retries() -> None:
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
def test_policy_refuses_values_out_of_bounds(bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(RetryPolicy).validate_python(bad)
    assert caught.value.errors()[0]["loc"] == (next(iter(bad)),)
