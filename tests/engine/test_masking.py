"""Secrets are masked in everything that a run leaves behind, on each database."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from testkit.callers import ADMIN
from tests.engine.conftest import SHARED, create, run_to_its_end, until
from tests.engine.printed_secrets import SECRET, WAYS
from tests.engine.test_secrets import service

from scheduler_service.bootstrap import Service
from scheduler_service.domain.run_state import TERMINAL
from scheduler_service.domain.secret_forms import forms_of
from scheduler_service.features.secrets.definition import SecretValue
from scheduler_service.features.secrets.service import SecretService

__all__ = ["service"]
pytestmark = SHARED

ASCII_SECRET = "c0rrect horse (battery)"  # noqa: S105 (of this test only)
PRELUDE = """
import csv, html, json, os, shlex, subprocess, sys, traceback
from base64 import b32encode, b64encode, urlsafe_b64encode
from pathlib import Path
from urllib.parse import quote, quote_plus, urlencode
S = os.environ["SECRET"]
B = S.encode()

def out(data):
    sys.stdout.flush()
    os.write(1, data)

def sh(command):
    sys.stdout.flush()
    subprocess.run(["bash", "-c", command], stderr=subprocess.STDOUT)

def show_traceback(text):
    try:
        raise ValueError(text)
    except ValueError:
        print(traceback.format_exc().splitlines()[-1])

"""
BORDER = "== next =="


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def secrets(service: Service) -> AsyncIterator[dict[str, str]]:
    for name, value in {"one": SECRET, "two": ASCII_SECRET, "number": "8273645546"}.items():
        await service.feature(SecretService).put(ADMIN, None, name, SecretValue(value=value))
    yield {"SECRET": "one", "ASCII_SECRET": "two", "NUMBER": "number", "./secret.txt": "one"}


@dataclass(frozen=True)
class Logs:
    """The log of one run: as it was stored, and as a follower saw it."""

    stored: str
    live: str


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def logs(service: Service, secrets: dict[str, str]) -> Logs:
    """Print the secret in every way, in one run that is followed."""
    flush = "sys.stdout.flush(); sys.stderr.flush()"
    lines = [f"{code}\n{flush}\nprint('\\n{BORDER}', flush=True)" for _, code, _ in WAYS]
    payload = {"type": "python_code", "code": PRELUDE + "\n".join(lines)}
    job = await create(service, payload, secrets=secrets)
    run = await service.jobs.run(ADMIN, job.id)
    slices = [part.data async for part in service.runs.follow_log(ADMIN, run.id, 0, asyncio.Event())]
    detail = await until(service, run.id, *TERMINAL)
    assert detail.view.logs is not None
    return Logs(detail.view.logs, b"".join(slices).decode())


@pytest.fixture
def printed(logs: Logs) -> dict[str, str]:
    """Return what the stored log contains of each way to print the secret."""
    parts = [part.strip("\n") for part in logs.stored.split(BORDER)]
    return dict(zip([way for way, _, _ in WAYS], parts, strict=False))


async def test_live_log_is_masked_as_the_stored_one_is(logs: Logs) -> None:
    assert logs.live == logs.stored
    assert not [form for form in forms_of(SECRET) if form in logs.live.encode()]


@pytest.mark.parametrize(("way", "expected"), [(way, expected) for way, _, expected in WAYS])
async def test_log_has_a_mask_in_place_of_the_secret(printed: dict[str, str], way: str, expected: str) -> None:
    assert printed[way] == expected


async def run_code(service: Service, secrets: dict[str, str], code: str) -> Any:
    return (await run_to_its_end(service, {"type": "python_code", "code": PRELUDE + code}, secrets=secrets)).view.run


async def test_result_is_masked_in_texts_names_and_numbers(service: Service, secrets: dict[str, str]) -> None:
    result = '{"a": [S, 5], S: {"b": f"x {quote(S)}"}, "n": int(os.environ["NUMBER"])}'
    run = await run_code(service, secrets, f"json.dump({result}, open(os.environ['SCHEDULER_RESULT'], 'w'))")
    assert run.result == {"a": ["***", 5], "***": {"b": "x ***"}, "n": "***"}


async def test_names_of_artifacts_are_masked_and_stay_distinct(service: Service, secrets: dict[str, str]) -> None:
    code = """
directory = Path(os.environ["SCHEDULER_ARTIFACTS"])
for name in (os.environ["ASCII_SECRET"], os.environ["ASCII_SECRET"].upper(), "plain"):
    (directory / f"{name}.txt").write_text("x")
"""
    run = await run_code(service, secrets, code)
    assert sorted(artifact["name"] for artifact in run.artifacts) == ["***.txt", "***.txt-2", "plain.txt"]


async def test_message_of_a_failed_run_is_masked(service: Service, secrets: dict[str, str]) -> None:
    payload = {"type": "program", "argv": [f"/nowhere/{ASCII_SECRET}"]}
    run = (await run_to_its_end(service, payload, secrets=secrets)).view.run
    assert run.message is not None
    assert "/nowhere/***" in run.message
    assert ASCII_SECRET not in json.dumps([run.message, run.result])


async def test_next_run_gets_the_masked_result(service: Service, secrets: dict[str, str]) -> None:
    code = "open(os.environ['SCHEDULER_RESULT'], 'w').write(json.dumps(S))"
    detail = await run_to_its_end(service, {"type": "python_code", "code": PRELUDE + code}, secrets=secrets)
    assert (await service.jobs.get(ADMIN, detail.view.run.job_id)).last_result == "***"


async def test_live_log_never_has_the_first_half_of_a_secret(service: Service, secrets: dict[str, str]) -> None:
    """The second half comes after the log was flushed, so a writer that holds nothing back would show the first."""
    code = "out(b'begun '); out(B[:12]); import time; time.sleep(0.6); out(B[12:])"
    job = await create(service, {"type": "python_code", "code": PRELUDE + code}, secrets=secrets)
    run = await service.jobs.run(ADMIN, job.id)
    slices = [part.data async for part in service.runs.follow_log(ADMIN, run.id, 0, asyncio.Event())]
    assert b"".join(slices) == b"begun ***"
