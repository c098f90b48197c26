"""The commands `scheduler status` and `scheduler stats`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from scheduler_service.console import render
from scheduler_service.console.client import Client
from scheduler_service.console.connection import with_client
from scheduler_service.console.options import AsJson


@with_client
def show_status(client: Client, *, as_json: AsJson = False) -> None:
    """Show health, workers, the queue and the last hour."""
    meta, stats, workers = client.get("meta"), client.get("stats"), client.get("workers")["workers"]
    if as_json:
        render.show_json({"version": meta["version"], "mode": meta["mode"], "stats": stats, "workers": workers})
        return
    queue, alive = stats["queue"], stats["workers"]
    render.show_pairs(
        {
            "version": f"{meta['version']}, {meta['mode']}",
            "workers": f"{alive['alive']} alive, {alive['busy']} of {alive['slots']} slots busy",
            "queue": f"{queue['queued']} queued, {queue['running']} running, {queue['retrying']} retrying",
            "last hour": _outcomes(stats),
        }
    )
    for worker in workers:
        if worker["state"] not in {"alive", "dead"}:
            render.line(f"worker {worker['id']} is {worker['state']}")
    if not alive["alive"]:
        render.line("no live worker: runs stay queued; start one with `scheduler up` or `scheduler worker`")


@with_client
def show_stats(
    client: Client,
    *,
    window: Annotated[str, typer.Option(help="Count runs that ended in this window (15m, 1h, 7d).")] = "1h",
    step: Annotated[str | None, typer.Option(help="Show also each step of this length (5m, 1h, 1d).")] = None,
    as_json: AsJson = False,
) -> None:
    """Show statistics of a window."""
    stats = client.get("stats", window=window, step=step)
    if as_json:
        render.show_json(stats)
        return
    rate = stats["success_rate"]
    render.show_pairs(
        {
            "window": f"{stats['since']} to {stats['until']}",
            "runs": _outcomes(stats),
            "success rate": "-" if rate is None else f"{rate:.1%}",
            "missed instants": stats["missed_instants"],
            "duration": _spread(stats["duration_seconds"]),
            "lateness": _spread(stats["lateness_seconds"]),
        }
    )
    if stats["series"]:
        rows = [(each["at"], _outcomes(each), _spread(each["duration_seconds"])) for each in stats["series"]]
        render.show_table(("FROM", "RUNS", "DURATION"), rows)


def _outcomes(counted: dict[str, Any]) -> str:
    return ", ".join(f"{count} {status}" for status, count in sorted(counted["by_status"].items())) or "none"


def _spread(spread: dict[str, float | None]) -> str:
    return f"p50 {render.seconds(spread['p50'])}, p95 {render.seconds(spread['p95'])}"
