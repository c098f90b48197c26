"""Fields, values and operations of the API in the words of the interface."""

from __future__ import annotations

import pytest

from scheduler_service.web.labels import as_advice, label_of_change, value_of_change, words_of_operation


@pytest.mark.parametrize(
    ("field", "label"),
    [
        ("overlap_policy", "If it is still running at the next instant"),
        ("limits.memory_mb", "Memory in MiB"),
        ("env", "Environment variables"),
        ("after", "After other jobs"),
        ("payload", "What runs"),
        ("external_key", "External key"),
        ("payload.samples", "Payload: samples"),
    ],
)
def test_change_is_labelled_as_its_control(field: str, label: str) -> None:
    assert label_of_change(field) == label


@pytest.mark.parametrize(
    ("field", "value", "shown"),
    [
        ("overlap_policy", "cancel_running", "Cancel the running one"),
        ("dst.gap", "skip", "is skipped"),
        ("enabled", "false", "No"),
        ("payload.type", "kind_of_a_plugin", "kind_of_a_plugin"),
        ("name", "skip", "skip"),
    ],
)
def test_choice_is_shown_by_its_text(field: str, value: str, shown: str) -> None:
    assert value_of_change(field, value) == shown


def test_warning_tells_which_box_to_tick() -> None:
    told = "the job has no network: set limits.network to true, or name a grant."
    assert as_advice(told) == "The job has no network: tick “Public network”, or name a grant."


def test_operation_is_told_in_words() -> None:
    assert words_of_operation("pauseJob") == "Paused"
    assert words_of_operation("runJob") == "Run by hand"
    assert words_of_operation("deleteAlertRule") == "Delete alert rule"
