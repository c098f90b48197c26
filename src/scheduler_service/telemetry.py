"""Logs: one JSON object a line, and the correlation id that ties the lines of one affair together."""

from __future__ import annotations

import logging
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_correlation_id: ContextVar[str | None] = ContextVar("correlation_id", default=None)


def new_correlation_id() -> str:
    """Give an id that nobody else has."""
    return uuid.uuid4().hex


def current_correlation_id() -> str:
    """Give the id of the affair at hand; outside of any, a new one."""
    return _correlation_id.get() or new_correlation_id()


@contextmanager
def correlation(correlation_id: str) -> Iterator[None]:
    """Put all that is logged and queued in the block, tasks that are started there included, under this id."""
    token = _correlation_id.set(correlation_id)
    try:
        yield
    finally:
        _correlation_id.reset(token)


def configure_logging(level: str, log_format: str) -> None:
    """Send all records, our own and those of the libraries, to standard error: as JSON lines, or for people."""
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_correlation_id,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=_renderers(log_format))
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)


def _add_correlation_id(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    if (correlation_id := _correlation_id.get()) is not None:
        event.setdefault("correlation_id", correlation_id)
    return event


def _renderers(log_format: str) -> list[Any]:
    remove = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    if log_format == "console":
        return [remove, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    return [remove, structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
