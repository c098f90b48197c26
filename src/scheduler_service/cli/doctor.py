"""The command `scheduler doctor`, which tests the sandbox on this host."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from scheduler_service.console import render
from scheduler_service.console.exit_codes import ExitCode
from scheduler_service.console.options import AsJson

if TYPE_CHECKING:
    from scheduler_service.bootstrap import Survey
    from scheduler_service.config.settings import Settings
    from scheduler_service.sandbox.probe import Finding


def doctor(*, as_json: AsJson = False) -> None:
    """Check which sandbox levels work on this host.

    It tries every promise of each level, and shows why one fails and what to do. It exits with 1 if the level is lower
    than SCHEDULER_SANDBOX_REQUIRED (default standard), or if a grant does not work. SECURITY.md explains the levels.
    """
    # Imported here so that client commands start faster.
    from scheduler_service import bootstrap  # noqa: PLC0415 (slow)
    from scheduler_service.config.loading import load_settings_without_key  # noqa: PLC0415 (slow)
    from scheduler_service.console.settings import read_settings  # noqa: PLC0415 (slow)

    settings = read_settings(load_settings_without_key)
    found = bootstrap.survey(settings)
    findings = found.findings
    if as_json:
        report: dict[str, object] = {
            "level": found.host_level,
            "setting": settings.sandbox,
            "runs_at": found.run_level,
            "required": settings.sandbox_required,
            "suffices": found.is_enough,
            "promises": [asdict(finding) for finding in findings],
            "grants": [asdict(part) for part in found.grants],
        }
        render.show_json(report)
    else:
        rows = [(", ".join(each.levels) or "extra", each.promise, _verdict(each)) for each in findings]
        render.show_table(["for", "promise", ""], rows)
        for finding in findings:
            if not finding.held:
                render.line(f"not held: {finding.promise}: {finding.why}")
                render.line(f"  remedy: {finding.remedy}")
        if found.grants:
            rows = [(part.grant, part.what, part.why or "works") for part in found.grants]
            render.show_table(["grant", "opens", ""], rows)
        render.line(_sum_up(found, settings))
    works = found.is_enough and not any(part.why for part in found.grants)
    raise typer.Exit(ExitCode.SUCCESS if works else ExitCode.FAILED)


def _sum_up(found: Survey, settings: Settings) -> str:
    verdict = "sufficient" if found.is_enough else "NOT SUFFICIENT"
    if settings.sandbox != "auto" and found.run_level is not None:
        chosen = f"SCHEDULER_SANDBOX={settings.sandbox} selects {found.run_level}; "
    else:
        chosen = ""
    summary = f"This host supports {found.host_level}; {chosen}required is {settings.sandbox_required}: {verdict}."
    return summary if found.run_level else f"{summary} No job runs (SCHEDULER_SANDBOX={settings.sandbox})."


def _verdict(finding: Finding) -> str:
    if finding.held:
        return "held"
    return "NOT HELD" if finding.levels else "not held"
