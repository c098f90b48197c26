"""Policies and instants that importers share."""

from __future__ import annotations

from datetime import UTC, datetime
from types import MappingProxyType

ANCHOR = datetime(2000, 1, 1, tzinfo=UTC)
"""The anchor for schedules that are only checked."""

ANY_TIME = MappingProxyType({"overlap_policy": "allow", "misfire_policy": "skip"})
"""The policies of a scheduler that starts each run on time, in parallel if need be, and never later."""
