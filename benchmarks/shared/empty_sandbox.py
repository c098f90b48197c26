"""A sandbox that runs nothing, for workers in the process that calls `install`."""

from __future__ import annotations

from scheduler_service.sandbox.choice import ChosenSandbox
from scheduler_service.sandbox.contract.spec import Cancel, End, Isolation, Level, OnOutput, Outcome, Spec


class EmptySandbox:
    """Returns of everything that it has run well."""

    isolation = Isolation(Level.NONE)

    async def start(self) -> None:
        """Do nothing."""

    async def run(self, _spec: Spec, _on_output: OnOutput, _cancel: Cancel) -> Outcome:
        """Do nothing, successfully."""
        return Outcome(End.EXITED, self.isolation, exit_code=0)

    async def try_run(self, *, every: bool = False) -> None:
        """Do nothing."""

    def renew(self) -> None:
        """Do nothing."""

    async def stop(self) -> None:
        """Do nothing."""


async def _open(_chosen: ChosenSandbox, _level: Level) -> EmptySandbox:
    return EmptySandbox()


def install() -> dict[str, str]:
    """Put it in the place of every sandbox. Return the settings with which nobody is warned of its level."""
    setattr(ChosenSandbox, "_open", _open)  # noqa: B010 (mypy refuses to assign to a method)
    return {"sandbox": "none", "sandbox_required": "none"}
