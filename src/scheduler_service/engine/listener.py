"""The interfaces for monitors that follow attempts. Correctness does not depend on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from scheduler_service.domain.records import Worker
from scheduler_service.storage.claims import Claimed
from scheduler_service.storage.rescues import LostAttempt
from scheduler_service.storage.transitions import AttemptEnd


class AttemptListener(Protocol):
    """Receives the start and the end of this worker's attempts. Its methods must not raise and not block."""

    def attempt_started(self, claimed: Claimed) -> None:
        """Handle the start of an attempt."""
        ...

    def attempt_ended(self, claimed: Claimed, end: AttemptEnd | None) -> None:
        """Handle the end of an attempt. `end` is None if the run was requeued or another worker has it."""
        ...


class NoListener:
    """A listener that does nothing."""

    def attempt_started(self, claimed: Claimed) -> None:
        """Do nothing."""

    def attempt_ended(self, claimed: Claimed, end: AttemptEnd | None) -> None:
        """Do nothing."""


class RescueListener(Protocol):
    """Receives the attempts that ended with their workers. Its method must not raise and not block."""

    def attempts_lost(self, worker: Worker, lost: Sequence[LostAttempt]) -> None:
        """Handle the end of all attempts of a worker that is dead."""
        ...
