"""Configures logging, one line per record, and the correlation id that links the lines of one piece of work."""

from __future__ import annotations

import logging
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

LogFormat = Literal["json", "console"]

_FIRST_KEYS = ("timestamp", "level", "event", "logger", "correlation_id")
# Libraries that install handlers or levels (such as uvicorn); their records use the common handler instead.
_TAMED_LOGGERS = ("uvicorn", "uvicorn.error", "sqlalchemy", "alembic", "asyncio")
# Below WARNING these loggers print secrets: SQL parameters, which include payload text, and URLs that contain tokens.
_TALKATIVE_LOGGERS = ("sqlalchemy.engine", "sqlalchemy.pool", "aiosqlite", "httpx2", "httpcore2")
# Below WARNING Alembic logs every plugin and step; the event `database_migrated` carries the relevant facts.
_MIGRATION_LOGGER = "alembic"

_correlation_id: ContextVar[str | None] = ContextVar("correlation_id", default=None)


def configure_logging(level: str, log_format: LogFormat) -> None:
    """Send all logs of this process, including those of libraries, to standard error.

    `json` is for machines, `console` for people. Only entry points call this. A second call replaces the configuration.
    """
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_correlation_id,
        structlog.processors.format_exc_info,  # plain: tracebacks with local variables would reveal secrets
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers(log_format)],
    )
    _send_everything_to(formatter, level)


def hold_back_information(level: str) -> None:
    """Log warnings and worse only, until `set_level`, unless `level` asks for more details than usual."""
    if logging.getLevelNamesMapping()[level] == logging.INFO:
        set_level("WARNING")


def set_level(level: str) -> None:
    """Log events of a level and above."""
    logging.getLogger().setLevel(level)


def new_correlation_id() -> str:
    """Return a random id for a new piece of work."""
    return uuid.uuid4().hex


def current_correlation_id() -> str:
    """Return the id of the current work, or a new id if none is bound."""
    return _correlation_id.get() or new_correlation_id()


def bind_correlation(correlation_id: str) -> None:
    """Set the correlation id for the rest of this task and for the tasks that it starts."""
    _correlation_id.set(correlation_id)


@contextmanager
def correlation(correlation_id: str) -> Iterator[None]:
    """Set the correlation id within the block."""
    token = _correlation_id.set(correlation_id)
    try:
        yield
    finally:
        _correlation_id.reset(token)


def _send_everything_to(formatter: logging.Formatter, level: str) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.captureWarnings(capture=True)
    for name in _TAMED_LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.NOTSET)
    for name in _TALKATIVE_LOGGERS:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    if root.level >= logging.INFO:
        logging.getLogger(_MIGRATION_LOGGER).setLevel(max(logging.WARNING, root.level))
    # The API writes its own access log, with the route and the correlation id.
    access = logging.getLogger("uvicorn.access")
    access.handlers.clear()
    access.propagate = False


def _renderers(log_format: LogFormat) -> list[Processor]:
    if log_format == "console":
        return [_escape_control_characters, _for_people()]
    return [_put_first_keys_first, structlog.processors.JSONRenderer()]  # JSON escapes control characters


def _add_correlation_id(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    if (correlation_id := _correlation_id.get()) is not None:
        event.setdefault("correlation_id", correlation_id)
    return event


def _put_first_keys_first(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {key: event.pop(key) for key in _FIRST_KEYS if key in event} | dict(event)


def _escape_control_characters(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Escape control characters, so that user text cannot forge a line or control the terminal.

    Only tracebacks keep their line breaks.
    """
    return {
        key: _printable(value, keep="\n" if key == "exception" else "") if isinstance(value, str) else value
        for key, value in event.items()
    }


def _printable(text: str, keep: str) -> str:
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() or character in keep else character.encode("unicode_escape").decode()
        for character in text
    )


def _for_people() -> structlog.dev.ConsoleRenderer:
    # Plain tracebacks: the pretty ones print local variables and could reveal secrets.
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
