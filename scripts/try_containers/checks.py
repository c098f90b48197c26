"""Checks at the end: every instant has one row, no run starved or was lost, every alert was delivered."""

from __future__ import annotations

from dataclasses import dataclass

from scripts.try_containers.deployment import Deployment, wait_until

# Of each job that fires by the second: the seconds from its first instant to its last, against the rows for them.
_LEDGER = """
SELECT count(*), coalesce(sum(spanned), 0), coalesce(sum(recorded), 0), coalesce(sum(rows - instants), 0) FROM (
  SELECT round(extract(epoch FROM max(coalesce(missed_until, scheduled_for)) - min(scheduled_for))) + 1 AS spanned,
         sum(coalesce(missed_count, 1)) AS recorded, count(*) AS rows, count(DISTINCT scheduled_for) AS instants
  FROM runs JOIN jobs ON jobs.id = runs.job_id
  WHERE jobs.name LIKE 'each second%' AND trigger = 'schedule' GROUP BY job_id) AS of_jobs
"""
_LATENESS = """
SELECT round(coalesce(percentile_cont(0.5) WITHIN GROUP (ORDER BY lateness_seconds), 0)::numeric, 3),
       round(coalesce(max(lateness_seconds), 0)::numeric, 1)
FROM runs JOIN jobs ON jobs.id = runs.job_id WHERE jobs.name LIKE 'each second%'
"""
_OVERLAPS = """
SELECT count(*) FROM attempts AS one JOIN attempts AS next USING (run_id)
WHERE next.attempt = one.attempt + 1 AND next.started_at < one.finished_at
"""


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the table."""

    what: str
    found: str
    passed: bool


def ledger(deployment: Deployment) -> list[Check]:
    """Check the ledger against the clock; the jobs are paused, and all runs have ended."""
    (jobs, spanned, recorded, duplicates) = (int(float(word)) for word in deployment.query(_LEDGER)[0])
    unended = deployment.query_number("SELECT count(*) FROM runs WHERE finished_at IS NULL")
    lost = deployment.query_number("SELECT count(*) FROM runs WHERE reason = 'worker_lost'")
    failed = deployment.query_number(
        "SELECT count(*) FROM runs JOIN jobs ON jobs.id = job_id WHERE runs.status = 'failed' AND name <> 'fails'"
    )
    overlaps = deployment.query_number(_OVERLAPS)
    middle, latest = deployment.query(_LATENESS)[0]
    return [
        Check(
            "every instant accounted for",
            f"{jobs} jobs, {spanned} instants, {recorded} in the ledger",
            spanned == recorded,
        ),
        Check("no instant twice", f"{duplicates} duplicates", duplicates == 0),
        Check("no attempts overlap", f"{overlaps} overlaps", overlaps == 0),
        Check("every run ended", f"{unended} still active", unended == 0),
        Check("no run starved or lost", f"{lost} worker_lost, {failed} failed", lost == failed == 0),
        Check("lateness (not judged)", f"median {middle} s, most {latest} s", passed=True),
    ]


def alerts(deployment: Deployment) -> list[Check]:
    """Check that an alert was delivered for each failed run."""
    failed = {row[0] for row in deployment.query("SELECT id FROM runs WHERE status = 'failed'") if row[0]}

    def delivered() -> set[str]:
        lines = deployment.compose("logs", "--no-log-prefix", "receiver").splitlines()
        return {line.split()[1] for line in lines if line.startswith("/alerts ")}

    wait_until(lambda: failed <= delivered(), "alerts are delivered")
    beats = deployment.compose("logs", "--no-log-prefix", "receiver").count("/heartbeat")
    return [
        Check("alerts delivered", f"{len(failed)} failed runs, {len(failed & delivered())} delivered", bool(failed)),
        Check("heartbeat delivered", f"{beats} times", beats > 0),
    ]


def show(checks: list[Check]) -> str:
    """Return a table of them."""
    width = max(len(check.what) for check in checks)
    return "\n".join(f"{'ok  ' if check.passed else 'FAIL'} {check.what:<{width}}  {check.found}" for check in checks)
