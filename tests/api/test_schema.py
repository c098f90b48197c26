"""The service keeps to its own description, whatever it is sent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import CHECKS, load_all_checks
from tests.api.conftest import settings_for
from tests.api.processes import PATIENCE_SECONDS, Server, serving

from scheduler_service.api.app import create_app
from scheduler_service.config import DEVELOPMENT_API_KEY

EXAMPLES = 10
load_all_checks()
LEFT_OUT: list[Any] = CHECKS.get_by_names(
    [
        "positive_data_acceptance",  # no schema can say which texts are schedules
        "negative_data_rejection",  # "5" and "true" are taken for the number and the truth that they spell
        "unsupported_method",  # where a path has a sibling with an id in its place, a method may be the sibling's
    ]
)

described = schemathesis.openapi.from_dict(create_app(settings_for("sqlite://", Path())).openapi())
schema = described.exclude(path="/api/v1/events")  # a stream without end


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server"), SCHEDULER_SANDBOX="auto") as server:
        yield server


@schema.parametrize()
@settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
def test_answers_as_it_describes(case: schemathesis.Case[Any], server: Server) -> None:
    case.call_and_validate(
        server.url,
        # As events, a log would be followed until its run ends.
        headers={"X-API-Key": DEVELOPMENT_API_KEY, "Accept": "*/*"},
        excluded_checks=LEFT_OUT,
        timeout=PATIENCE_SECONDS,
    )
