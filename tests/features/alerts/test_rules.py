"""The texts of alerts."""

from __future__ import annotations

from datetime import timedelta

import pytest
from testkit.databases import NOON
from tests.features.alerts.steps import BASE_URL

from scheduler_service.features.alerts import messages
from scheduler_service.features.alerts.rules import Alert, AlertKind


@pytest.mark.parametrize("kind", AlertKind)
def test_headline_is_one_line(kind: AlertKind) -> None:
    alert = Alert(
        kind=kind, job_id=1, job_name="a\njob", owner_id="", run_id=1, at=NOON + timedelta(1), seconds=5, count=3
    )
    assert len(alert.headline.splitlines()) == 1
    assert messages.document(alert, 1, BASE_URL)["at"].endswith("Z")
