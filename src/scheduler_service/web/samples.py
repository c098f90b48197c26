"""Four sample jobs that show what is special here. They are found again by their external keys.

A report computes with numpy, leaves a plot as an artifact and hands on its result. A second job runs after each success
of the first and reads that result. A backup packs files into an artifact, and takes the grant `backup` if the operator
has opened it. An HTTP check expects a status, and an alert rule watches it.
"""

from __future__ import annotations

from typing import Any

from scheduler_service.domain.records import Job

PREFIX = "sample-"
TAG = "sample"
REPORT, LOAD, BACKUP, CHECK = (f"{PREFIX}{name}" for name in ("report", "load", "backup", "check"))

_REPORT_CODE = """\
import json, os, pathlib
import numpy as np

steps = np.random.default_rng().normal(size=200).cumsum()
print(f"mean {steps.mean():.2f}, spread {np.ptp(steps):.2f}")

# A plot as SVG, which needs no further package. It is kept with the run as an artifact.
points = " ".join(f"{3 * x},{100 - 4 * y:.1f}" for x, y in enumerate(steps))
line = f'<polyline points="{points}" fill="none" stroke="#1D4FD7"/>'
plot = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 600 200">{line}</svg>'
pathlib.Path(os.environ["SCHEDULER_ARTIFACTS"], "walk.svg").write_text(plot)

# The result is shown with the run, and handed on to the job that runs after this one.
pathlib.Path(os.environ["SCHEDULER_RESULT"]).write_text(json.dumps({"mean": round(float(steps.mean()), 3)}))
"""
_LOAD_CODE = """\
import json, os

report = json.loads(os.environ["SCHEDULER_INPUT"])
print("the report before this run has the mean", report["mean"])
"""
_BACKUP_SCRIPT = """\
set -eu
# With the grant "backup" of the operator, /data could be read here. Without it, the job packs the file that it brought.
tar -czf "$SCHEDULER_ARTIFACTS/notes.tar.gz" notes.txt
ls -l "$SCHEDULER_ARTIFACTS"
"""


def is_sample(job: Job) -> bool:
    """Return whether a job is a sample."""
    return (job.external_key or "").startswith(PREFIX)


def report() -> dict[str, Any]:
    """Return a Python report with a plot, every five minutes."""
    return {
        "name": "Sample: report with a plot",
        "description": "Computes with numpy, leaves a plot as an artifact, and hands on its result.",
        "external_key": REPORT,
        "tags": [TAG],
        "schedule_expr": "*/5 * * * *",
        "payload": {"type": "python_code", "code": _REPORT_CODE},
    }


def load(report_id: int) -> dict[str, Any]:
    """Return a job that runs after each success of the report."""
    return {
        "name": "Sample: after the report",
        "description": "Runs after each success of the report, and reads its result.",
        "external_key": LOAD,
        "tags": [TAG],
        "schedule_expr": None,
        "after": [{"job": report_id, "on": "success"}],
        "payload": {"type": "python_code", "code": _LOAD_CODE},
    }


def backup(grants: list[str]) -> dict[str, Any]:
    """Return a shell backup with these grants."""
    return {
        "name": "Sample: nightly backup",
        "description": "Packs files into an artifact. A grant of the operator opens directories of the host to it.",
        "external_key": BACKUP,
        "tags": [TAG],
        "schedule_expr": "30 2 * * *",
        "grants": grants,
        "files": {"notes.txt": {"text": "remember the milk\n"}},
        "payload": {"type": "shell_script", "script": _BACKUP_SCRIPT},
    }


def check() -> dict[str, Any]:
    """Return an HTTP check with retries."""
    return {
        "name": "Sample: HTTP check",
        "description": "Asks a web page for its status. An alert rule tells when it fails and when it recovers.",
        "external_key": CHECK,
        "tags": [TAG],
        "schedule_expr": "*/15 * * * *",
        "retry_policy": {"max_retries": 2, "retry_delay": 10},
        "limits": {"network": True},
        "payload": {"type": "http_request", "url": "https://example.org/", "expect": {"status": "2xx"}},
    }


def alert(check_id: int) -> dict[str, Any]:
    """Return the alert rule of the HTTP check. Its receiver is an example, to be replaced by a real one."""
    return {
        "name": "Sample: HTTP check fails or recovers",
        "on": ["failure", "recovery"],
        "job_id": check_id,
        "channel": {"type": "webhook", "url": "https://example.org/hook"},
    }
