"""The operator's upper limits for what a job may use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ResourceLimits:
    """Upper limits of this server, in the units of the job fields with the same names. None means no limit."""

    timeout_seconds: float | None = None
    memory_mb: int | None = None
    cpu_seconds: int | None = None
    processes: int | None = None
    disk_mb: int | None = None
    output_kb: int | None = None
    artifacts_mb: int | None = None
    grace_seconds: float | None = None
    network: bool = True

    def limit_of(self, field: str) -> float | None:
        """Return the limit of a field. A bool is compared as 0 or 1."""
        limit: float | None = getattr(self, field)
        return limit

    def clamp(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values, each reduced to its limit. A stored job can exceed a limit that was lowered later."""
        return {
            field: value if (limit := self.limit_of(field)) is None else min(value, limit)
            for field, value in wanted.items()
        }


NO_LIMITS = ResourceLimits()
