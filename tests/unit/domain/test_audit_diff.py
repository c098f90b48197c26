"""What the audit trail shows of a change: the fields that differ, without secrets."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler_service.domain.audit_diff import difference


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}, {"b": {"before": 2, "after": 3}}),
        (None, {"a": 1}, {"a": {"after": 1}}),
        ({"a": 1}, None, {"a": {"before": 1}}),
        ({"a": 1}, {"a": 1}, {}),
        (None, None, {}),
        ({"env": {"A": "x"}}, {"env": {"A": "y"}}, {"env": {"before": {"A": "***"}, "after": {"A": "***"}}}),
        (None, {"secrets": {"PASSWORD": "db"}}, {"secrets": {"after": {"PASSWORD": "db"}}}),
        (
            None,
            {"payload": {"headers": {"Authorization": "Bearer x", "Accept": "*"}}},
            {"payload": {"after": {"headers": {"Authorization": "***", "Accept": "*"}}}},
        ),
        (None, {"url": "https://me:pw@example.org/"}, {"url": {"after": "https://***@example.org/"}}),
        (None, {"code": "x" * 3000}, {"code": {"after": "(3002 characters)"}}),
        (None, {"code": "\x01" * 400}, {"code": {"after": "(2402 characters)"}}),  # as JSON escapes it
        (None, {"code": "x" * 1998}, {"code": {"after": "x" * 1998}}),
    ],
)
def test_difference_shows_changed_fields_without_secrets(before: Any, after: Any, changes: Any) -> None:
    assert difference(before, after) == changes
