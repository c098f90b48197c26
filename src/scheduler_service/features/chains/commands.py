"""`scheduler runs chain`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from scheduler_service.console import render
from scheduler_service.console.client import Client
from scheduler_service.console.connection import with_client
from scheduler_service.console.options import AsJson, RunId

Link = Mapping[str, Any]


@with_client
def chain_of_run(client: Client, run: RunId, *, as_json: AsJson = False) -> None:
    """Show the runs that began after each other, as a tree."""
    answer = client.get(f"runs/{run}/chain")
    if as_json:
        render.show_json(answer)
        return
    for text in _tree(answer["runs"], None, 0):
        render.line(text)


def _tree(links: Sequence[Link], upstream: int | None, depth: int) -> Iterator[str]:
    for link in links:
        if link["upstream_run_id"] == upstream:
            why = f" ({link['reason']})" if link["reason"] else ""
            yield f"{'  ' * depth}run {link['run_id']}  {link['job_name']}  {link['status']}{why}"
            yield from _tree(links, link["run_id"], depth + 1)
