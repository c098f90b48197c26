"""The chart of runs per minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from scheduler_service.domain.outcomes import Spread, Step
from scheduler_service.domain.run_state import RunStatus
from scheduler_service.web.views.pace import HEIGHT, WIDTH, pace

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_bars_are_scaled_to_the_busiest_step() -> None:
    steps = [
        Step(NOON, {RunStatus.SUCCESS: 60, RunStatus.FAILED: 60, RunStatus.MISSED: 9}, Spread(1, 4)),
        Step(NOON + HOUR, {}, Spread()),
        Step(NOON + 2 * HOUR, {RunStatus.SUCCESS: 60}, Spread(1, 2)),
    ]

    chart = pace(steps, HOUR)

    assert [(bar.height, bar.bad_height, bar.per_minute) for bar in chart.bars] == [
        (HEIGHT, HEIGHT / 2, 2), (0, 0, 0), (HEIGHT / 2, 0, 1)
    ]  # fmt: skip
    assert (chart.max_per_minute, chart.max_seconds) == (2, 4)
    assert chart.line == f"{WIDTH / 6},0.0 {WIDTH * 5 / 6},{HEIGHT / 2}"
    assert chart.columns[1:] == ((1, 0, 1), (1, 0, 0), (4, None, 2))


def test_chart_of_nothing_is_empty() -> None:
    assert pace([Step(NOON, {}, Spread())], HOUR).is_empty
    assert pace([], HOUR).is_empty
