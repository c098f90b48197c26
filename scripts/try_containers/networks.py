"""Checks what containers and the runs in them reach: beats deliver alerts, workers do not, runs only if they ask."""

from __future__ import annotations

import subprocess

from scripts.try_containers.checks import Check
from scripts.try_containers.deployment import Deployment, wait_until

RECEIVER = "import socket; socket.create_connection(('receiver', 9000), 3)"
PUBLIC = ["public", "11.254.253.80"]
# The name and the address of the one public server of the try, then what belongs to the deployment itself.
_SERVERS = [*((name, 80) for name in PUBLIC), ("redis", 6379), ("postgres", 5432), ("api", 8000), ("127.0.0.1", 80)]
_PROGRAM = """import socket, sys
reached = []
for name, port in SERVERS:
    try:
        socket.create_connection((name, port), 3).close()
        reached.append(name)
    except OSError as error:
        print(name, error)
print("reached:", *reached)
sys.exit(reached != EXPECTED)
"""


def check(deployment: Deployment) -> list[Check]:
    """Return a check for containers, one for runs with a network, and one for runs without."""
    return [
        _only_beats_have_a_way_out(deployment),
        _runs_reach(deployment, PUBLIC, network=True),
        _runs_reach(deployment, [], network=False),
    ]


def _only_beats_have_a_way_out(deployment: Deployment) -> Check:
    what = "only beats have a way out"
    deployment.compose("exec", "-T", "beat", "python", "-c", RECEIVER)
    try:
        deployment.compose("exec", "-T", "worker", "python", "-c", RECEIVER)
    except subprocess.CalledProcessError:
        return Check(what, "a worker cannot reach the receiver", passed=True)
    return Check(what, "a worker reaches the receiver", passed=False)


def _runs_reach(deployment: Deployment, names: list[str], *, network: bool) -> Check:
    """Check that a run reaches exactly these names."""
    what = f"runs {'with' if network else 'without'} a network"
    program = _PROGRAM.replace("SERVERS", repr(_SERVERS)).replace("EXPECTED", repr(names))
    job = deployment.create(what, "@yearly", {"type": "python_code", "code": program}, {"network": network})
    path = f"/api/v1/runs/{deployment.call('POST', f'/api/v1/jobs/{job}/run')['id']}"
    wait_until(lambda: bool(deployment.call("GET", path)["finished_at"]), f"{what} end")
    run = deployment.call("GET", path)
    found = (run["logs"] or f"{run['message']}").splitlines()[-1]
    return Check(what, f"{run['status']}, {found}", run["status"] == "success")
