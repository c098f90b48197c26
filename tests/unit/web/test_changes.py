"""What differs between two definitions, as pages show it."""

from __future__ import annotations

from scheduler_service.web.views.changes import changes_in, fields_in


def test_changed_code_is_compared_line_by_line() -> None:
    sides = [{"type": "python_code", "code": f"a = 1\nb = {number}\n"} for number in (1, 2)]
    (change,) = changes_in({"payload": {"before": sides[0], "after": sides[1]}})
    assert change.field == "payload.code"
    assert change.lines is not None
    assert [(row.kind, row.text) for row in change.lines.rows] == [
        ("same", "a = 1"),
        ("removed", "b = 1"),
        ("added", "b = 2"),
        ("same", ""),
    ]


def test_long_value_is_shown_up_to_its_change() -> None:
    (change,) = changes_in({"args": {"before": {"a": "x" * 300, "b": 1}, "after": {"a": "x" * 300, "b": 2}}})
    assert change.lines is not None
    assert [row.text for row in change.lines.rows if row.kind != "same"] == ['  "b": 1', '  "b": 2']


def test_masked_change_of_a_variable_is_not_left_out() -> None:
    (change,) = changes_in({"env": {"before": {"TOKEN": "***"}, "after": {"TOKEN": "***", "DAY": "***"}}})
    assert change.field == "env"
    assert change.before == '{"TOKEN": "***"}'


def test_fields_without_a_value_are_left_out() -> None:
    shown = fields_in({"name": "report", "tags": [], "end_at": None, "payload": {"type": "shell_script"}})
    assert shown == (("name", "report"), ("payload.type", "shell_script"))
