"""This service's worker with a sandbox that runs nothing: `celery -A benchmarks.shared.empty_sandbox worker`."""

from __future__ import annotations

from scheduler_service import sandbox
from scheduler_service.celery_app import create
from scheduler_service.config import load_settings
from scheduler_service.sandbox.spec import Cancel, End, Isolation, Level, OnOutput, Outcome, Spec


class EmptySandbox:
    """Says of everything that it has run well."""

    isolation = Isolation(Level.NONE)

    async def start(self) -> None:
        """Do nothing."""

    async def run(self, _spec: Spec, _on_output: OnOutput, _cancel: Cancel) -> Outcome:
        """Do nothing, successfully."""
        return Outcome(End.EXITED, self.isolation, exit_code=0)

    def renew(self) -> None:
        """Do nothing."""

    async def stop(self) -> None:
        """Do nothing."""


sandbox.create = lambda *_, **__: EmptySandbox()
app = create(load_settings())
