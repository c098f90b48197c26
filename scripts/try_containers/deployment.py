"""One deployment in containers, driven by nothing but `docker` and `docker compose`."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
IMAGE = "scheduler-service-try"
PROJECT = "scheduler-try"
FILES = ("compose.yaml", "scripts/try_containers/compose.yaml")
CONDITION_SECONDS = 180.0
COMMAND_SECONDS = 600.0

# Runs in a container of the service: reads a request from standard input, sends it to the API, prints the answer.
_CALL = """
import json, os, sys, urllib.error, urllib.request
method, path, body = json.load(sys.stdin)
headers = {"X-API-Key": os.environ["API_KEY"], "Content-Type": "application/json"}
data = None if body is None else json.dumps(body).encode()
request = urllib.request.Request(os.environ["SCHEDULER_URL"] + path, data, headers, method=method)
try:
    with urllib.request.urlopen(request, timeout=30) as answer:
        sys.stdout.write(answer.read().decode() or "null")
except urllib.error.HTTPError as refusal:
    sys.exit(f"{method} {path}: {refusal.status} {refusal.read().decode()}")
"""


class Deployment:
    """The containers, the API and the database. `database` names the service whose PostgreSQL is used."""

    def __init__(self, variables: dict[str, str]) -> None:
        """Prepare; nothing is started yet. `variables` are for the compose files."""
        self._variables = variables
        self.database = "postgres"

    def compose(self, *words: str, stdin: str | bytes | None = None, check: bool = True) -> str:
        """Run `docker compose …` and return what it prints; raises `CalledProcessError` if it fails and `check`."""
        files = [word for name in FILES for word in ("--file", name)]
        variables = [f"{name}={value}" for name, value in {**self._variables, "TRY_DATABASE": self.database}.items()]
        # By env(1), so that nothing of the caller's own environment names another project or port.
        command = ["env", "-u", "COMPOSE_PROJECT_NAME", "-u", "COMPOSE_FILE", *variables]
        return run([*command, "docker", "compose", "--env-file", "/dev/null", *files, *words], stdin=stdin, check=check)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Call the API from a worker's container."""
        words = ("exec", "-T", "worker", "python", "-c", _CALL)
        return json.loads(self.compose(*words, stdin=json.dumps([method, path, body])))

    def create(self, name: str, schedule: str, payload: dict[str, Any], limits: dict[str, Any] | None = None) -> int:
        """Create a job that fires every instant, also late and beside its other runs. Return its id."""
        job = {
            "name": name, "schedule_expr": schedule, "payload": payload, "limits": limits or {},
            "overlap_policy": "allow", "max_concurrency": 100, "misfire_policy": "fire_all", "catchup_limit": 1000,
        }  # fmt: skip
        return int(self.call("POST", "/api/v1/jobs", job)["id"])

    def query(self, query: str) -> list[list[str]]:
        """Query the database. Return rows of text."""
        words = ("psql", "-U", "scheduler", "-d", "scheduler_db", "-AtF", "\t", "-c", query)
        lines = self.compose("exec", "-T", self.database, *words).splitlines()
        return [line.split("\t") for line in lines]

    def query_number(self, query: str) -> int:
        """Query the database. Return one number."""
        return int(self.query(query)[0][0] or 0)

    def containers(self, service: str) -> list[str]:
        """Return the ids of a service's running containers."""
        return self.compose("ps", "--quiet", service).split()

    def kill(self, container: str) -> None:
        """Kill -9 the main process of a container, the child of its init, and wait until the container is restarted."""
        started_at = _started_at(container)
        script = "kill -9 $(cat /proc/1/task/1/children)"
        run(["docker", "exec", container, "sh", "-c", script], check=False)
        wait_until(lambda: _started_at(container) not in {started_at, ""}, f"{container} is restarted")

    def wait_until_healthy(self) -> None:
        """Wait until the API reports that every component works: readiness alone accepts a degraded broker."""

        def is_healthy() -> bool:
            return bool(self.call("GET", "/health")["status"] == "ok")

        wait_until(is_healthy, "the service is healthy")


def _started_at(container: str) -> str:
    """Return when a running container was started, or an empty text if it does not run."""
    template = "{{if .State.Running}}{{.State.StartedAt}}{{end}}"
    return run(["docker", "inspect", "--format", template, container]).strip()


def run(words: list[str], *, stdin: str | bytes | None = None, check: bool = True) -> str:
    """Run a program at the root of the checkout, and return its standard output."""
    given = stdin.encode() if isinstance(stdin, str) else stdin
    done = subprocess.run(words, cwd=ROOT, input=given, capture_output=True, timeout=COMMAND_SECONDS, check=False)
    if check and done.returncode != 0:
        raise subprocess.CalledProcessError(done.returncode, words, done.stdout, done.stderr)
    return done.stdout.decode(errors="replace")


def wait_until(condition: Callable[[], bool], what: str, seconds: float = CONDITION_SECONDS) -> float:
    """Wait until a condition holds. Return the seconds that it took. A failed command counts as not yet."""
    begun_at = time.monotonic()
    while time.monotonic() - begun_at < seconds:
        try:
            if condition():
                return time.monotonic() - begun_at
        except (subprocess.CalledProcessError, ValueError, IndexError):
            pass
        time.sleep(1)
    raise TimeoutError(f"{what}: not within {seconds:g} s")


def report(text: str) -> None:
    """Print progress."""
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stdout.flush()
