"""Trial runs show that a sandbox reports how programs end."""

from __future__ import annotations

import pytest

from scheduler_service.sandbox.contract.spec import Cancel, End, Isolation, Level, OnOutput, Outcome, SandboxError, Spec
from scheduler_service.sandbox.trial_run import make_trial_runs


class CredulousSandbox:
    """Runs nothing, and reports that everything succeeded."""

    async def run(self, _spec: Spec, on_output: OnOutput, _cancel: Cancel) -> Outcome:
        await on_output(b"tried\n")
        return Outcome(End.EXITED, Isolation(Level.NONE, ()), exit_code=0)


async def test_trial_fails_when_every_end_is_a_success() -> None:
    with pytest.raises(SandboxError, match="exit code 0"):
        await make_trial_runs(CredulousSandbox(), ["default"])  # type: ignore[arg-type]
