"""What the jobs after other jobs must have done, replayed from the ends of the runs in the order of their commits."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from faultlab.world.watch import Watch

_MET = {
    "success": {"success"},
    "failure": {"failed"},
    "end": {"success", "failed", "cancelled"},
}
_ENDS = (
    "SELECT e.id, e.run_id, e.job_id, r.status, r.result FROM events e JOIN runs r ON r.id = e.run_id "
    "WHERE e.change IN ('success', 'failed', 'cancelled', 'skipped', 'missed') ORDER BY e.id"
)
_FOLLOWED = (
    "SELECT r.id, u.upstream_run_id, r.status, r.reason, u.input, r.scheduled_for FROM runs r "
    "JOIN run_upstreams u ON u.run_id = r.id WHERE r.job_id = ? AND r.\"trigger\" = 'dependency' ORDER BY r.id"
)


def check_chains(watch: Watch) -> Iterator[str]:
    """Yield each end of an upstream run that did not have exactly the consequence that it must have."""
    ends = watch.rows(_ENDS)
    created = dict(watch.rows("SELECT job_id, min(id) FROM events WHERE run_id IS NULL GROUP BY job_id"))
    for job_id, history in watch.history.items():
        (first,) = watch.rows("SELECT after, after_mode FROM jobs WHERE id = ?", job_id)
        followed = watch.rows(_FOLLOWED, job_id)
        origins = [row[1] for row in followed]
        if len(set(origins)) < len(origins):
            yield f"job {job_id} followed an upstream run twice: {origins}"
        if history[-1].state.version > 1 or any(seen.state.status == "paused" for seen in history):
            continue  # a pause or an edit ends the round at an instant that this replay cannot know
        awaited = {each["job"]: each["on"] for each in json.loads(first[0] or "[]")}
        heard = [end for end in ends if end[2] in awaited and end[0] > created[job_id]]
        expected = list(_replay(awaited, first[1], heard))
        found = [
            (row[1], "skip" if row[3] == "dependency" else "run", json.loads(row[4] or "null")) for row in followed
        ]
        if found != expected:
            yield f"job {job_id} runs after {awaited} ({first[1]}): {found}, but must {expected}"


def _replay(awaited: Mapping[int, str], mode: str, ends: list[tuple[Any, ...]]) -> Iterator[tuple[int, str, Any]]:
    """Yield what the job must have done: after which run, whether it ran, and what it received."""
    round_: dict[int, tuple[str, Any]] = {}
    for _, run_id, upstream, status, result in ends:
        value = json.loads(result) if result else None
        if mode == "any":
            if status in _MET[awaited[upstream]]:
                yield run_id, "run", value
            continue
        round_[upstream] = (status, value)
        if round_.keys() < awaited.keys():
            continue
        unmet = [each for each, (seen, _) in round_.items() if seen not in _MET[awaited[each]]]
        given = {str(each): seen for each, (_, seen) in sorted(round_.items())}
        received = value if len(given) == 1 else given
        round_ = {}
        if not unmet:
            yield run_id, "run", received
        elif any(awaited[each] != "failure" for each in unmet):
            yield run_id, "skip", received
