"""What an owner may use, and what it uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scheduler_service.domain.quotas import Quotas


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaUse:
    """The quotas of an owner with what it uses of each. `own` are those that it was given; None: only defaults hold."""

    owner_id: str
    quotas: Quotas
    own: Mapping[str, int | None] | None
    jobs: int
    runs_in_minute: int
    running: int
    environments: int
    # None: not counted, because there is no limit or the quota is new.
    stored_mb: int | None
