"""The definition of a job, as its page shows it. It contains no value of a variable."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from scheduler_service.domain.records import Job
from scheduler_service.domain.retry import RetryPolicy

SHOWN_WAITS = 5
_CODE_FIELDS = ("code", "script")
_GROUPS = ("expect",)


@dataclass(frozen=True, slots=True)
class Definition:
    """The parts of a definition. `code` is a text; None: the payload has none. `settings` is the rest of it."""

    type: str
    code: str | None
    settings: Mapping[str, str]
    variables: tuple[str, ...]
    args: str | None
    files: tuple[str, ...]
    secrets: tuple[tuple[str, str], ...]


def definition_of(job: Job) -> Definition:
    """Return the definition of a job."""
    payload: dict[str, Any] = dict(job.payload)
    kind = str(payload.pop("type", ""))
    code = next((str(payload.pop(name)) for name in _CODE_FIELDS if isinstance(payload.get(name), str)), None)
    return Definition(
        type=kind,
        code=code,
        settings={name: _shown(value) for name, value in _settings(payload) if value not in (None, {}, [], "")},
        variables=tuple(job.env),
        args=_shown(dict(job.args)) if job.args else None,
        files=tuple(job.files),
        secrets=tuple(job.secrets.items()),
    )


def _settings(payload: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the rest of a payload as the form shows it: what a group such as `expect` contains, one by one."""
    for name, value in payload.items():
        if name in _GROUPS and isinstance(value, Mapping):
            yield from ((f"{name}/{part}", each) for part, each in value.items())
        else:
            yield name, value


def retry_waits(job: Job) -> tuple[float, ...]:
    """Return the seconds before each of the first retries of a job, without their jitter."""
    policy = RetryPolicy(**dict(job.retry_policy))
    return tuple(policy.delay(number, 0.5) for number in range(1, min(policy.max_retries, SHOWN_WAITS) + 1))


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
