"""Two runs of a job side by side: their figures, and the texts of their logs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from scheduler_service.domain.records import Run
from scheduler_service.web.views.ansi import Style, pieces_of
from scheduler_service.web.views.run import signal_name
from scheduler_service.web.views.runs import run_seconds
from scheduler_service.web.views.words import as_json, duration, size

_NONE = "–"  # noqa: RUF001 (a dash stands for nothing)


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of both runs, in words. `name` is a key of the texts."""

    name: str
    before: str
    after: str

    @property
    def differs(self) -> bool:
        """Return whether the runs differ in it."""
        return self.before != self.after


def figures(before: Run, after: Run, now: datetime) -> tuple[Figure, ...]:
    """Return the figures of two runs. One that neither has is left out."""
    pairs = zip(_figures(before, now), _figures(after, now), strict=True)
    found = (Figure(name, old or _NONE, new or _NONE) for (name, old), (_, new) in pairs)
    return tuple(figure for figure in found if (figure.before, figure.after) != (_NONE, _NONE))


def plain_lines(data: bytes) -> list[str]:
    """Return the lines of a log without the sequences of terminals."""
    lines = data.decode("utf-8", "replace").split("\n")
    texts = lines if lines[-1] else lines[:-1]
    return ["".join(text for text, _ in pieces_of(line, Style())[0]) for line in texts]


def _figures(run: Run, now: datetime) -> Iterator[tuple[str, str | None]]:
    usage: Any = run.usage or {}
    isolation: Any = run.isolation or {}
    memory = usage.get("max_rss_kb")
    seconds = run_seconds(run, now)
    yield "instant", run.scheduled_for.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    yield "duration", None if seconds is None else duration(seconds)
    yield "lateness", None if run.lateness_seconds is None else duration(run.lateness_seconds)
    yield "attempts", str(run.attempt) if run.attempt else None
    yield "exit", None if run.exit_code is None else str(run.exit_code)
    yield "signal", signal_name(run.signal)
    yield "cpu", None if usage.get("cpu_seconds") is None else duration(usage["cpu_seconds"])
    yield "memory", None if memory is None else size(memory * 1024)
    yield "log", size(run.log_bytes)
    yield "isolation", isolation.get("level")
    yield "worker", run.worker_id
    yield "version", None if run.job_version is None else str(run.job_version)
    yield "args", as_json(run.args) if run.args else None
    yield "result", None if run.result is None else as_json(run.result)
