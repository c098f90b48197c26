"""The format of the log, and what it never shows."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import io
import json
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from scheduler_service.telemetry import logging_config


@pytest.fixture(autouse=True)
def _restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def configured(level: str = "INFO", log_format: logging_config.LogFormat = "json") -> io.StringIO:
    """Configure the logs and return the stream that they are written to."""
    stream = io.StringIO()
    with contextlib.redirect_stderr(stream):
        logging_config.configure_logging(level, log_format)
    return stream


def lines_of(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_each_record_is_one_json_object() -> None:
    written = configured()

    structlog.get_logger("a.room").info("job_fired", job_id=7, run_id=8)

    (line,) = lines_of(written)

    assert list(line)[:4] == ["timestamp", "level", "event", "logger"]
    assert line.pop("timestamp").endswith("Z")
    assert line == {"level": "info", "event": "job_fired", "logger": "a.room", "job_id": 7, "run_id": 8}


@pytest.mark.parametrize("name", ["uvicorn.error", "sqlalchemy.orm", "alembic.runtime", "asyncio", "a.plug-in"])
def test_records_of_libraries_have_the_same_format(name: str) -> None:
    written = configured()

    logging.getLogger(name).warning("%s of %s", "one", "two")

    (line,) = lines_of(written)

    assert (line["level"], line["event"], line["logger"]) == ("warning", "one of two", name)


def test_no_field_has_a_reserved_name() -> None:
    """A field with a reserved name would be overwritten."""
    own = {"timestamp", "level", "event", "logger", "exception"}
    for module in Path(logging_config.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("log."):
                assert not own & {keyword.arg for keyword in node.keywords}, f"{module}:{node.lineno}"


def test_handlers_of_a_library_are_replaced() -> None:
    foreign = logging.getLogger("uvicorn")
    foreign.addHandler(logging.StreamHandler())
    foreign.propagate = False

    written = configured()

    logging.getLogger("uvicorn.error").info("started")

    assert [json.loads(line)["event"] for line in written.getvalue().splitlines()] == ["started"]


def test_python_warnings_are_logged() -> None:
    written = configured()

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("this is old", DeprecationWarning, stacklevel=1)

    assert "this is old" in lines_of(written)[0]["event"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("sqlalchemy.engine.Engine", "INSERT … [parameters: ('print(1)',)]"),
        ("aiosqlite", "executing <function …>"),
        ("httpx2", "HTTP Request: POST https://hooks.example.org/services/T/B/a-secret"),
    ],
)
def test_parameters_and_receivers_are_never_logged(name: str, text: str) -> None:
    written = configured("DEBUG", "json")

    logging.getLogger(name).info(text)

    assert written.getvalue() == ""


@pytest.mark.parametrize(("level", "seen"), [("DEBUG", 1), ("INFO", 0)])
def test_alembic_logs_at_debug_only(level: str, seen: int) -> None:
    written = configured(level)

    logging.getLogger("alembic.runtime.plugins").info("setup plugin alembic.autogenerate.schemas")

    assert len(lines_of(written)) == seen


@pytest.mark.parametrize(("level", "seen"), [("DEBUG", 3), ("INFO", 2), ("ERROR", 1)])
def test_records_below_the_level_are_dropped(level: str, seen: int) -> None:
    written = configured(level, "json")
    log = structlog.get_logger("a.room")

    log.debug("one")
    log.info("two")
    logging.getLogger("a.library").error("three")

    assert len(written.getvalue().splitlines()) == seen


def test_traceback_is_on_one_line_without_local_variables() -> None:
    written = configured()

    def fail(secret: str) -> None:
        raise ValueError("that is wrong")

    try:
        fail("correct" + " horse")
    except ValueError:
        structlog.get_logger("a.room").exception("it_failed")

    (line,) = lines_of(written)

    assert line["exception"].endswith("ValueError: that is wrong")
    assert "correct horse" not in line["exception"]


FORGERIES = [
    'x\n{"level": "critical", "event": "forged"}',
    "x\r\nforged",
    "\x1b[31mred\x1b[0m",
    "a\u2028b\u2029c\x85d",
    "\ud800",
    "a\0b",
]


@pytest.mark.parametrize("text", FORGERIES)
def test_text_of_a_user_cannot_forge_a_json_line(text: str) -> None:
    written = configured()

    structlog.get_logger("a.room").info("request", path=text)
    logging.getLogger("a.library").info("got %s", text)

    assert written.getvalue().isascii()
    assert len(written.getvalue().split("\n")) == 3
    first, second = (json.loads(line) for line in written.getvalue().split("\n")[:2])
    assert first["path"] == text
    assert second["event"] == f"got {text}"


@pytest.mark.parametrize("text", FORGERIES)
def test_text_of_a_user_cannot_forge_a_console_line(text: str) -> None:
    written = configured("INFO", "console")

    structlog.get_logger("a.room").info("request", path=text)
    logging.getLogger("a.library").info("got %s", text)

    first, second, end = written.getvalue().split("\n")
    assert first.isprintable()
    assert second.isprintable()
    assert end == ""


def test_console_shows_a_traceback_on_separate_lines() -> None:
    written = configured("INFO", "console")

    structlog.get_logger("a.room").error("it_failed", exc_info=ValueError("\x1b[31mred"))

    assert "\nValueError: \\x1b[31mred" in written.getvalue()


def test_lines_within_a_correlation_carry_its_id() -> None:
    written = configured()

    with logging_config.correlation("abc"):
        structlog.get_logger("a.room").info("one")
        logging.getLogger("a.library").info("two")
    structlog.get_logger("a.room").info("three")

    assert [line.get("correlation_id") for line in lines_of(written)] == ["abc", "abc", None]


def test_tasks_have_separate_correlation_ids() -> None:
    async def work(correlation_id: str) -> str:
        logging_config.bind_correlation(correlation_id)
        await asyncio.sleep(0)
        return logging_config.current_correlation_id()

    async def both() -> list[str]:
        return list(await asyncio.gather(work("one"), work("two")))

    assert asyncio.run(both()) == ["one", "two"]


def test_work_without_a_correlation_id_gets_a_new_one() -> None:
    first, second = logging_config.current_correlation_id(), logging_config.current_correlation_id()

    assert first != second
    assert len(first) == 32
