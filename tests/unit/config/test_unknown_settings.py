"""Which variables are reported as misspelled settings."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scheduler_service.config.secret_files import SECRET_VARIABLES
from scheduler_service.config.unknown import unknown_settings


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith("SCHEDULER_"):
            monkeypatch.delenv(name)


def test_unknown_settings_are_found_in_file_and_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SCHEDULER_PROT=8080\n")
    monkeypatch.setenv("SCHEDULER_SLOT", "5")

    assert unknown_settings() == (
        "SCHEDULER_PROT (did you mean SCHEDULER_PORT?), SCHEDULER_SLOT (did you mean SCHEDULER_SLOTS?)"
    )


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("SCHEDULER_LOG_LEVEL", "SCHEDULER_LOG_LEVEL (did you mean LOG_LEVEL?)"),
        ("scheduler_slot", "SCHEDULER_SLOT (did you mean SCHEDULER_SLOTS?)"),
        ("SCHEDULER_OF_ANOTHER_PROGRAM", "SCHEDULER_OF_ANOTHER_PROGRAM"),
    ],
)
def test_unknown_setting_is_shown_with_a_suggestion(monkeypatch: pytest.MonkeyPatch, name: str, shown: str) -> None:
    monkeypatch.setenv(name, "5")

    assert unknown_settings() == shown


@pytest.mark.parametrize(
    "name",
    [
        "SCHEDULER_SLOTS", "scheduler_slots", "SCHEDULER_URL", "SCHEDULER_RUN_ID", "LOG_LEVLE",
        *(f"{name}_FILE" for name in SECRET_VARIABLES),
    ],
)  # fmt: skip
def test_known_and_foreign_variables_are_not_reported(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "5")

    assert unknown_settings() is None
