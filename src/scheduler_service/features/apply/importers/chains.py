"""Chains of imported jobs: which job runs after which, by their keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from scheduler_service.domain.dependencies import MAX_UPSTREAMS, AwaitedEnd, cycle_through
from scheduler_service.features.apply.importers.imported import Document, Imported


@dataclass(frozen=True, slots=True)
class Link:
    """A job that runs after an end of another one. `field` is the field of the object `about` that says so."""

    upstream: str
    downstream: str
    on: AwaitedEnd
    about: str
    field: str


def add_chains(found: Imported, links: Iterable[Link]) -> dict[str, Document]:
    """Write links into `after` of the jobs that were imported. Return these jobs by their keys.

    A link becomes a note if one of its jobs was not imported, or if it would close a cycle. `after_mode` is `any`, so
    that an end that is not waited for means nothing, as in the schedulers that have such links.
    """
    documents: dict[str, Document] = {document["external_key"]: document for document in found.documents}
    numbers = {key: number for number, key in enumerate(documents)}
    edges: dict[int, list[int]] = {}
    chained: dict[str, Document] = {}
    for link in links:
        if problem := _problem(link, numbers, edges):
            found.note(link.about, f"{link.field} is not imported: {problem}")
            continue
        edges.setdefault(numbers[link.downstream], []).append(numbers[link.upstream])
        document = chained.setdefault(link.downstream, documents[link.downstream])
        document.setdefault("after", []).append({"external_key": link.upstream, "on": link.on})
        document["after_mode"] = "any"
    return chained


def _problem(link: Link, numbers: Mapping[str, int], edges: Mapping[int, list[int]]) -> str | None:
    """Return why a job cannot run after another one, or None."""
    for key in (link.upstream, link.downstream):
        if key not in numbers:
            return f"{key} is not among the imported jobs"
    upstream, downstream = numbers[link.upstream], numbers[link.downstream]
    known = edges.get(downstream, [])
    if cycle_through(downstream, {**edges, downstream: [*known, upstream]}):
        return f"{link.downstream} would run after itself, in a circle without an end"
    if len(known) == MAX_UPSTREAMS:
        return f"{link.downstream} runs after {MAX_UPSTREAMS} jobs already, which is the limit"
    return None
