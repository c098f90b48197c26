"""Answers are sent after their change is committed."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from tests.api.conftest import DEFINITION, serving, settings_for

from scheduler_service.config.api_key import DEVELOPMENT_API_KEY

HEADERS = [
    (b"host", b"localhost"),
    (b"x-api-key", DEVELOPMENT_API_KEY.encode()),
    (b"content-type", b"application/json"),
]


@pytest.mark.parametrize(
    ("method", "path", "body", "look", "seen"),
    [
        ("POST", "/api/v1/jobs", DEFINITION, "SELECT count(*) FROM jobs", 2),
        ("PATCH", "/api/v1/jobs/1", {"name": "new"}, "SELECT name FROM jobs WHERE id = 1", "new"),
        ("PUT", "/api/v1/jobs/1", {**DEFINITION, "name": "new"}, "SELECT name FROM jobs WHERE id = 1", "new"),
        ("POST", "/api/v1/jobs/1/pause", None, "SELECT status FROM jobs WHERE id = 1", "paused"),
        ("POST", "/api/v1/jobs/1/run", None, "SELECT count(*) FROM runs", 1),
        ("DELETE", "/api/v1/jobs/1", None, "SELECT deleted_at IS NULL FROM jobs WHERE id = 1", 0),
    ],
)
async def test_change_is_committed_before_the_answer_is_sent(
    migrated_sqlite: Path, tmp_path: Path, method: str, path: str, body: object, look: str, seen: object
) -> None:
    file = tmp_path / "scheduler.db"
    shutil.copy(migrated_sqlite, file)
    async with serving(settings_for(f"sqlite:///{file}", tmp_path)) as app:
        await _ask(app, "POST", "/api/v1/jobs", DEFINITION, lambda: None)

        def look_from_outside() -> object:
            connection = sqlite3.connect(file)
            value = connection.execute(look).fetchone()[0]
            connection.close()
            return value

        assert await _ask(app, method, path, body, look_from_outside) == seen


async def _ask(app: Any, method: str, path: str, body: object, at_answer: Any) -> object:
    """Send a request by bare ASGI. Return what `at_answer` returns when the answer begins."""
    content = b"" if body is None else json.dumps(body).encode()
    told: list[object] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            assert message["status"] < 300
            told.append(at_answer())

    scope = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": HEADERS, "client": None}
    await app(scope, receive, send)
    return told[0]
