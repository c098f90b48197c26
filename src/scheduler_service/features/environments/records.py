"""A stored environment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from scheduler_service.domain.environment_lock import EnvironmentState


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """One row. `log`, `size_bytes` and `build_seconds` are of the latest build."""

    id: str
    state: EnvironmentState
    requirements: list[str]
    lock: str
    log: str
    size_bytes: int | None
    build_seconds: float | None
    created_at: datetime
    built_at: datetime | None
    used_at: datetime
