"""`scheduler doctor`: what containment this host gives to jobs, found out by doing."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from scheduler_service.cli import render
from scheduler_service.cli.failures import ExitCode
from scheduler_service.cli.options import AsJson

if TYPE_CHECKING:
    from scheduler_service.sandbox.probe import Finding


def doctor(*, as_json: AsJson = False) -> None:
    """Try each promise of the sandbox on this host, and say which hold, why one does not, and what to do about it.

    It ends with 1 if the host gives less than SCHEDULER_SANDBOX_REQUIRED. SECURITY.md says what each level means.
    """
    # Imported here: commands that only talk to a service start quicker.
    from scheduler_service.cli.settings import read_settings  # noqa: PLC0415 (slow)
    from scheduler_service.sandbox.probe import best_level, probe  # noqa: PLC0415 (slow)
    from scheduler_service.sandbox.spec import Level  # noqa: PLC0415 (slow)

    settings = read_settings()
    findings = probe()
    level, required = best_level(findings), Level(settings.sandbox_required)
    suffices = list(Level).index(level) <= list(Level).index(required)
    if as_json:
        report = {"level": level, "required": required, "suffices": suffices}
        render.show_json({**report, "promises": [asdict(finding) for finding in findings]})
    else:
        rows = [(", ".join(each.levels) or "on top", each.promise, _verdict(each)) for each in findings]
        render.show_table(["for", "promise", ""], rows)
        for finding in findings:
            if not finding.held:
                render.line(f"not held: {finding.promise}: {finding.why}")
                render.line(f"  remedy: {finding.remedy}")
        verdict = "which suffices" if suffices else "which is NOT ENOUGH"
        render.line(f"This host gives {level}; required is {required}, {verdict}.")
    raise typer.Exit(ExitCode.SUCCESS if suffices else ExitCode.FAILED)


def _verdict(finding: Finding) -> str:
    if finding.held:
        return "held"
    return "NOT HELD" if finding.levels else "not held"
