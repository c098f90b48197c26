"""What the operator lets a job use at the most, whatever its definition says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ResourceLimits:
    """The bounds of this server, named as the fields that they bound and in their units; None: no bound here."""

    timeout_seconds: float | None = None
    memory_mb: int | None = None
    cpu_seconds: int | None = None
    processes: int | None = None
    disk_mb: int | None = None
    output_kb: int | None = None
    network: bool = True

    def most(self, field: str) -> float | None:
        """Return the bound of a field; a bool is bounded as 0 and 1 are."""
        bound: float | None = getattr(self, field)
        return bound

    def cut(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Return what of the wanted values is allowed: a job may be older than the bound."""
        return {
            field: value if (most := self.most(field)) is None else min(value, most) for field, value in wanted.items()
        }


UNBOUNDED = ResourceLimits()
