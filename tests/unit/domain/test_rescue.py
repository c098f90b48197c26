"""Where a run goes whose attempt was interrupted."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from scheduler_service.domain.rescue import MAX_RESCUES, Rescue, after_loss, after_shutdown
from scheduler_service.domain.run_state import Reason, RunStatus


@pytest.mark.parametrize("rescue_count", range(3))
def test_run_is_queued_again_for_each_of_the_first_three_losses(rescue_count: int) -> None:
    assert after_loss(rescue_count, None) == Rescue(RunStatus.QUEUED, None, rescue_count + 1)


def test_run_fails_at_the_fourth_loss() -> None:
    assert MAX_RESCUES == 3
    assert after_loss(3, None) == Rescue(RunStatus.FAILED, Reason.WORKER_LOST, 3)


@pytest.mark.parametrize("rescue_count", [0, 3, 1000])
def test_shutdown_of_a_worker_is_no_loss(rescue_count: int) -> None:
    assert after_shutdown(rescue_count, None) == Rescue(RunStatus.QUEUED, None, rescue_count)


@pytest.mark.parametrize("rule", [after_loss, after_shutdown])
@pytest.mark.parametrize("rescue_count", [0, 3])
def test_run_that_is_to_be_cancelled_is_cancelled(
    rule: Callable[[int, Reason | None], Rescue], rescue_count: int
) -> None:
    assert rule(rescue_count, Reason.USER) == Rescue(RunStatus.CANCELLED, Reason.USER, rescue_count)


@pytest.mark.parametrize(
    ("status", "is_final"), [(RunStatus.QUEUED, False), (RunStatus.FAILED, True), (RunStatus.CANCELLED, True)]
)
def test_only_a_queued_run_continues(status: RunStatus, *, is_final: bool) -> None:
    assert Rescue(status, None, 0).is_final is is_final
