"""Who hears of attempts as they begin and end: monitors beside the ledger, which nothing depends on."""

from __future__ import annotations

from typing import Protocol

from scheduler_service.storage.transitions import Claimed, Report


class AttemptListener(Protocol):
    """Hears of the attempts of one worker; it must not raise and not block."""

    def attempt_started(self, claimed: Claimed) -> None:
        """Hear that an attempt began."""
        ...

    def attempt_ended(self, claimed: Claimed, report: Report | None) -> None:
        """Hear what an attempt came to; None: it was handed back to the queue, or another worker has the run."""
        ...


class NoListener:
    """Hears nothing."""

    def attempt_started(self, claimed: Claimed) -> None:
        """Do nothing."""

    def attempt_ended(self, claimed: Claimed, report: Report | None) -> None:
        """Do nothing."""
