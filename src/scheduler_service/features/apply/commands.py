"""`scheduler apply` and `scheduler export`."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from scheduler_service.console import render
from scheduler_service.console.client import Client
from scheduler_service.console.connection import with_client
from scheduler_service.console.documents import refusal
from scheduler_service.console.exit_codes import ExitCode, RefusedError
from scheduler_service.console.options import AsJson
from scheduler_service.errors import FieldProblem
from scheduler_service.features.apply.file_names import write_files
from scheduler_service.features.apply.plan_text import show_counts, show_plan
from scheduler_service.features.apply.references import escaped
from scheduler_service.features.apply.selection import Selectors, read_selector

if TYPE_CHECKING:
    from scheduler_service.features.apply.source import Source

APPLY, EXPORT = "jobs/apply", "jobs/export"
_CHANGES = ExitCode.FAILED
_FIELD = re.compile(r"documents\.(\d+)\.?(.*)", re.DOTALL)


@with_client
def apply(
    client: Client,
    paths: Annotated[list[str], typer.Argument(metavar="PATH…", help="Files or directories; - is standard input.")],
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan, and change nothing.")] = False,
    prune: Annotated[bool, typer.Option("--prune", help="Delete the jobs of --selector that no file names.")] = False,
    selector: Selectors = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Delete without asking.")] = False,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit with 0 for no changes, 1 for changes, 2 for an error.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Create, change and delete jobs as files say.

    Files are YAML or JSON with one or many jobs. All changes are one transaction: they happen together or not at all.
    `external_key` identifies a job, or else its name.

    - `scheduler apply jobs/ --dry-run --detailed-exitcode`
    - `scheduler apply jobs/ --prune --selector tag=nightly --yes`
    """
    selected = read_selector(selector)
    if prune != bool(selected):
        raise refusal("--prune", "write --prune and --selector together: it deletes the selected jobs without a file")
    from scheduler_service.features.apply.source import read_sources  # noqa: PLC0415 (slow, and for few commands)

    sources = read_sources(paths)
    request = {"documents": [source.document for source in sources], "prune": selected or None}
    plan = _post(client, sources, {**request, "dry_run": True})
    if not as_json:
        show_plan(plan)
    if not dry_run and _has_changes(plan):
        _confirm(plan["delete"], yes=yes)
        plan = _post(client, sources, {**request, "plan_id": plan["plan_id"]})
    render.show_json(plan) if as_json else show_counts(plan)
    if detailed_exitcode and _has_changes(plan):
        raise typer.Exit(_CHANGES)


@with_client
def export(
    client: Client,
    *,
    selector: Selectors = None,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="DIR", help="Write a file for each job; - is standard output.")
    ] = "-",
    as_json: AsJson = False,
) -> None:
    """Write jobs as files that apply without a change.

    Fields with default values are left out. Values of variables are written, those of secrets are not.

    Example: `scheduler export --selector tag=nightly --output jobs/`
    """
    documents = client.get(EXPORT, **read_selector(selector))["documents"]
    documents = [escaped(document) for document in documents]
    if as_json:
        render.show_json(documents)
    else:
        write_files(documents, output)


def _post(client: Client, sources: Sequence[Source], request: dict[str, Any]) -> Any:
    try:
        return client.post(APPLY, request)
    except RefusedError as error:
        _refuse(sources, error)


def _refuse(sources: Sequence[Source], error: RefusedError) -> NoReturn:
    """Raise the problems of the service with the file, line and document of each."""
    raise RefusedError(*(_placed(sources, problem) for problem in error.problems)) from None


def _placed(sources: Sequence[Source], problem: FieldProblem) -> FieldProblem:
    found = _FIELD.fullmatch(problem.field)
    if found is None:
        return problem
    path = tuple(int(step) if step.isdigit() else step for step in found[2].split(".") if step)
    return FieldProblem(sources[int(found[1])].place(path), problem.message, problem.value)


def _has_changes(plan: dict[str, Any]) -> bool:
    return bool(plan["create"] or plan["change"] or plan["delete"])


def _confirm(deleted: int, *, yes: bool) -> None:
    """Ask before jobs are deleted. Raise `RefusedError` if nobody can be asked."""
    if not deleted or yes:
        return
    if not sys.stdin.isatty():
        raise refusal("--yes", f"the plan deletes {deleted} jobs; repeat the command with --yes")
    if not typer.confirm(f"Delete {deleted} jobs?", err=True):
        render.note("Nothing was changed.")
        raise typer.Exit(ExitCode.FAILED)
