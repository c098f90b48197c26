"""What a process gets from the list of features, and what it does not have to load for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from scheduler_service.api.app import ROUTERS, TAGS
from scheduler_service.features.feature import Feature
from scheduler_service.features.registry import FEATURES
from scheduler_service.storage.tables import metadata


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_feature_is_part_of_the_api_and_its_documentation(feature: Feature) -> None:
    assert {"name": feature.name, "description": feature.description} in TAGS
    assert all(router in ROUTERS for router in feature.routers())


def test_loaded_features_add_their_tables_to_the_metadata() -> None:
    for feature in FEATURES:
        feature.load_tables()

    assert {"alert_rules", "deliveries", "failing_jobs"} <= set(metadata.tables)


def modules_loaded_by(name: str) -> set[str]:
    program = f"import sys, {name}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    return set(loaded.stdout.split())


def test_command_line_loads_neither_database_nor_web_framework() -> None:
    assert {"sqlalchemy", "fastapi", "pydantic"}.isdisjoint(modules_loaded_by("scheduler_service.cli.main"))


def test_service_on_sqlite_loads_neither_asyncpg_nor_ciphers() -> None:
    assert {"asyncpg", "cryptography"}.isdisjoint(modules_loaded_by("scheduler_service.cli.serving"))
