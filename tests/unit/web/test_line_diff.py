"""The difference of two logs."""

from __future__ import annotations

import random
import time

from scheduler_service.web.views.line_diff import MAX_ROWS, line_diff


def test_rows_number_both_logs_and_count_what_is_left_out() -> None:
    before = [f"line {n}" for n in range(20)]
    after = [*before[:10], "new", *before[11:]]
    diff = line_diff(before, after)
    assert [(row.kind, row.before, row.after, row.skipped) for row in diff.rows] == [
        ("same", 8, 8, 7), ("same", 9, 9, 0), ("same", 10, 10, 0),
        ("removed", 11, None, 0), ("added", None, 11, 0),
        ("same", 12, 12, 0), ("same", 13, 13, 0), ("same", 14, 14, 0),
    ]  # fmt: skip
    assert (diff.added, diff.removed, diff.is_cut) == (1, 1, False)


def test_single_equal_line_is_shown_instead_of_counted() -> None:
    lines = [f"line {n}" for n in range(6)]
    diff = line_diff(lines, [*lines[:4], "new", lines[5]])
    assert [(row.before, row.after, row.skipped) for row in diff.rows[:2]] == [(1, 1, 0), (2, 2, 0)]


def test_equal_logs_have_no_rows() -> None:
    assert line_diff(["a"] * 100, ["a"] * 100).rows == ()


def test_long_difference_is_cut_and_counted_whole() -> None:
    diff = line_diff([], [f"line {n}" for n in range(5000)])
    assert (len(diff.rows), diff.added, diff.is_cut) == (MAX_ROWS, 5000, True)


def test_logs_of_few_distinct_lines_are_compared_quickly() -> None:
    # As many repetitions as are still anchors, which is the slowest case.
    lines = [f"line {n}" for n in range(1250)] * 4
    rng = random.Random(7)  # noqa: S311
    began_at = time.perf_counter()
    line_diff(rng.sample(lines, 5000), rng.sample(lines, 5000))
    assert time.perf_counter() - began_at < 10
