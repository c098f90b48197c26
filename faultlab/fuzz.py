"""The leg that sends requests made from the OpenAPI description, as three owners at once, to each kind of database.

Schemathesis makes the requests: right ones, wrong ones, and sequences that follow the objects they create. Each of
three processes is another owner first and knows the keys of all, so that it also reads as one what another has created.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import testkit
from testkit import servers
from testkit.commands import Service, up
from testkit.package_index import package_index
from testkit.programs import execute

from faultlab.promise import Promise

OWNERS = ("ann", "bob", "cid")
CONFIGURATION = Path(testkit.__file__).with_name("schemathesis.toml")
PROGRAM = Path(sys.executable).with_name("schemathesis")
EXAMPLES = 20
# Streams without an end; the tests of the API follow them.
LEFT_OUT = "/api/v1/events"
ROUND_SECONDS = 3600
MAX_SHOWN = 20_000
_SERVER_ERRORS = re.compile(
    r'^scheduler_http_request_duration_seconds_count\{.*status="(5\d\d)".*\} ([\d.e+]+)$', re.MULTILINE
)


@dataclass(slots=True)
class Findings:
    """What the rounds against one database found."""

    cases: int = 0
    rounds: int = 0
    failures: int = 0
    output: str = ""

    def add(self, output: str, code: int) -> None:
        """Add the outcome of one process."""
        self.cases += sum(map(int, re.findall(r"(\d+) generated", output)))
        self.failures += code != 0
        if code:
            self.output += output[-MAX_SHOWN:]


def fuzz(directory: Path, database: str, cases: int, seed: int) -> list[Promise]:
    """Send at least so many requests to a service on one kind of database, and check every response."""
    with _service(directory, database) as service:
        keys = {owner: _new_key(service, owner) for owner in OWNERS}
        findings = Findings()
        while findings.cases < cases and not findings.failures:
            _send_round(directory, service, keys, findings, seed + findings.rounds)
        (directory / "findings.txt").write_text(findings.output)
        errors = _server_errors(service)
        unhandled = [line for line in service.log.splitlines() if '"level": "error"' in line or "Traceback" in line]
        answers = service.client.get("jobs").status_code
    print(findings.output)
    about = f"{findings.cases} cases, {findings.rounds} rounds of {len(OWNERS)} owners"
    return [
        Promise(f"{database}: at least {cases} cases were sent", findings.cases >= cases, about),
        Promise(f"{database}: every response passed every check", not findings.failures, f"{findings.failures} failed"),
        Promise(f"{database}: no response was a server error", not errors, f"{errors or 'none'}"),
        Promise(f"{database}: no error was logged", not unhandled, f"{len(unhandled)} lines {unhandled[:1]}"),
        Promise(f"{database}: the service answers afterwards", answers == 200, f"{answers}"),  # noqa: PLR2004 (HTTP's own)
    ]


@contextmanager
def _service(directory: Path, database: str) -> Iterator[Service]:
    """Run a service with a sandbox, secrets, and an index of packages, but without ways to other machines."""
    with ExitStack() as stack:
        index = stack.enter_context(package_index())
        variables = {
            "SCHEDULER_SANDBOX": "auto",
            "SCHEDULER_SECRETS_KEY": b64encode(secrets.token_bytes(32)).decode(),
            "SCHEDULER_PACKAGE_INDEX_URL": index.url,
            "SCHEDULER_ALLOW_NETWORK": "false",
            "SCHEDULER_ALERT_REACH": "loopback",
            "LOG_FORMAT": "json",
        }
        if database == "postgresql":
            variables["DATABASE_URL"] = stack.enter_context(servers.postgres()).create_database()
        yield stack.enter_context(up(directory, execute, **variables))


def _new_key(service: Service, owner: str) -> str:
    """Create a key of an owner. That of the first is an administrator's, too."""
    scopes = ["read", "write", "run", *(["admin"] if owner == OWNERS[0] else [])]
    created: dict[str, str] = service.call("POST", "keys", {"owner_id": owner, "scopes": scopes})
    return created["key"]


def _send_round(directory: Path, service: Service, keys: dict[str, str], findings: Findings, seed: int) -> None:
    running = [_start(directory, service, keys, owner, seed) for owner in OWNERS]
    for owner, process in zip(OWNERS, running, strict=True):
        output, _ = process.communicate(timeout=ROUND_SECONDS)
        findings.add(f"{owner}\n{output}", process.returncode)
    findings.rounds += 1
    print(f"{findings.cases} cases …", file=sys.stderr)


def _start(directory: Path, service: Service, keys: dict[str, str], owner: str, seed: int) -> subprocess.Popen[str]:
    """Start schemathesis as one owner, who also knows the keys of the others."""
    names = [owner, *(each for each in OWNERS if each != owner)]
    users = [{"name": name, "fixedHeaders": [{"name": "X-API-Key", "value": keys[name]}]} for name in names]
    auth = directory / f"{owner}.json"
    auth.write_text(json.dumps({"auth": users}))
    options = {
        "--auth-wfc": str(auth),
        "--exclude-path": LEFT_OUT,
        "--max-examples": str(EXAMPLES),
        "--seed": str(seed),
        "--warnings": "off",
        "--phases": "examples,coverage,fuzzing,stateful",
        "--generation-database": "none",
    }
    words = [word for option in options.items() for word in option]
    home = directory / owner
    home.mkdir(exist_ok=True)
    return subprocess.Popen(
        [
            PROGRAM,
            "--config-file",
            CONFIGURATION,
            "run",
            f"{service.url}/openapi.json",
            *words,
            "--continue-on-failure",
        ],
        cwd=home,
        env={"PATH": os.environ["PATH"], "HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )


def _server_errors(service: Service) -> dict[str, int]:
    """Return how often each server error was answered, as the service's own metrics count them."""
    metrics = service.client.get(f"{service.url}/metrics").text
    counts: dict[str, int] = {}
    for status, number in _SERVER_ERRORS.findall(metrics):
        counts[status] = counts.get(status, 0) + int(float(number))
    return counts
