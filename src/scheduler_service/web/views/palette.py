"""What the palette offers to do: each action by its label, and how a browser asks for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from scheduler_service.domain.records import Job
from scheduler_service.domain.run_state import JobStatus


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the palette. `text` is a key of the texts, which is filled with `name`.

    With `is_post`, the path is posted to with `fields`. With `is_dialog`, it is a page that is shown as a dialog.
    """

    text: str
    path: str
    name: str = ""
    is_dialog: bool = False
    is_post: bool = False
    fields: Mapping[str, str] = field(default_factory=dict)


def actions(job: Job | None, theme: str, back: str, *, can_write: bool, can_run: bool) -> Sequence[Entry]:
    """Return what can be done from a page: with the job that is open there, and at any place.

    `theme` is the one in use and `back` the address of the page.
    """
    found: list[Entry] = []
    if job is not None and can_run:
        found.append(Entry("jump.run", f"/ui/jobs/{job.id}/run", job.name, is_dialog=True))
    if job is not None and can_write and job.status is JobStatus.PAUSED:
        found.append(Entry("jump.resume", f"/ui/jobs/{job.id}/resume", job.name, is_post=True))
    if job is not None and can_write and job.status is JobStatus.ACTIVE and job.schedule_expr is not None:
        found.append(Entry("jump.pause", f"/ui/jobs/{job.id}/pause", job.name, is_post=True))
    if job is not None and can_write:
        found.append(Entry("jump.edit", f"/ui/jobs/{job.id}/edit", job.name))
    if can_write:
        found.append(Entry("jobs.new", "/ui/jobs/new"))
        found.append(Entry("samples.create", "/ui/samples", is_post=True))
    for other in ("system", "light", "dark"):
        if other != theme:
            fields = {"theme": other, "back": back}
            found.append(Entry(f"jump.theme_{other}", "/ui/theme", is_post=True, fields=fields))
    return [*found, Entry("account.log_out", "/ui/logout", is_post=True)]
