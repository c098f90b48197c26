"""The interface to what keeps the artifacts of attempts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from scheduler_service.sandbox.contract.collected import Collected
from scheduler_service.storage.claims import Claimed


@dataclass(frozen=True, slots=True)
class KeptArtifacts:
    """The artifacts that a run now has, each with `name` and `size`, and in sentences what could not be kept."""

    artifacts: tuple[Mapping[str, Any], ...] = ()
    problems: tuple[str, ...] = ()


class KeepsArtifacts(Protocol):
    """Stores the artifacts of attempts."""

    async def keep(self, claimed: Claimed, collected: Collected) -> KeptArtifacts:
        """Store what an attempt left, in place of what earlier attempts left.

        Raise `LeaseLostError` if the attempt is stale. Other failures are problems of the outcome.
        """
        ...


class NoArtifacts:
    """Keeps none."""

    async def keep(self, _claimed: Claimed, _collected: Collected) -> KeptArtifacts:
        """Keep nothing."""
        return KeptArtifacts()
