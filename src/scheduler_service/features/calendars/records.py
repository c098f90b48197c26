"""The record of a calendar."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """A stored calendar. `definition` has the form in which the model of requests is dumped."""

    id: int
    owner_id: str
    name: str
    definition: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime
