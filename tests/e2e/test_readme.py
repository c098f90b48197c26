"""Commands and links of the README, as typed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from testkit.commands import PROGRAM, Service, up
from testkit.programs import execute
from testkit.waiting import DEADLINE_SECONDS

README = Path(__file__).parents[2] / "README.md"
MAKEFILE = README.with_name("Makefile")
BLOCKS = re.findall(r"^```bash\n(.*?)^```", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
# curl says nothing of an HTTP error by its exit code unless it is told to.
STRICT_CURL = 'set -eu\ncurl() { command curl --silent --show-error --fail-with-body "$@"; echo; }\n'


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with up(tmp_path_factory.mktemp("readme"), execute, SCHEDULER_SANDBOX="auto") as service:
        yield service


def paste(service: Service, block: str) -> list[str]:
    """Run a block in bash against the service of this test. Return the lines of its output."""
    here = block.replace("http://localhost:8000", service.url).replace(".venv/bin/scheduler", PROGRAM)
    done = subprocess.run(
        ["bash", "-c", STRICT_CURL + here],
        env=service.shell.environment,
        cwd=service.directory,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{here}\n{done.stdout}\n{done.stderr}"
    return [line for line in done.stdout.splitlines() if line]


def blocks_with(words: str) -> list[str]:
    found = [block for block in BLOCKS if words in block]
    assert found, f"the front page has no block with {words!r}"
    return found


@pytest.mark.long
@pytest.mark.skipif(shutil.which("curl") is None, reason="this machine has no curl")
def test_every_command_of_the_readme_works_as_typed(service: Service) -> None:
    (create, run, built_in, preview) = blocks_with("curl")

    (answer,) = paste(service, create)
    job = json.loads(answer)
    assert (job["id"], job["status"], job["timezone"]) == (1, "active", "Europe/Berlin")

    queued, *events, ended = paste(service, run)
    assert json.loads(queued)["trigger"] == "manual"
    assert [line for line in events if re.search(r"pi is about 3\.1[34]", line)]
    whole = json.loads(ended)
    assert (whole["id"], whole["status"]) == (1, "success")
    assert re.fullmatch(r"pi is about 3\.1[34]\d*\n", whole["logs"])

    primes, statistics = (json.loads(line) for line in paste(service, built_in))
    for made, key, value in ((primes, "count", 78_498), (statistics, "count", 1_000_000)):
        service.shell.run("jobs", "run", made["id"], "--wait")
        (run_row,) = service.shell.read("runs", "list", "--job", made["id"])["runs"]
        assert run_row["result"][key] == value

    (answer,) = paste(service, preview)
    assert len(json.loads(answer)["instants"]) == 3

    (cli, doctor) = blocks_with(".venv/bin/scheduler")
    assert "pi is about" in "\n".join(paste(service, cli))
    # Whether this host's level suffices is not the front page's to say.
    assert paste(service, f"export SCHEDULER_SANDBOX_REQUIRED=none\n{doctor}")[-1].startswith("This host supports")


def test_every_make_target_of_the_readme_exists() -> None:
    targets = set(re.findall(r"`?make (\w+)", README.read_text(encoding="utf-8")))
    defined = set(re.findall(r"^(\w+):", MAKEFILE.read_text(encoding="utf-8"), re.MULTILINE))
    assert {"up", "test", "check"} <= targets <= defined


def test_every_link_of_the_readme_resolves() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README.read_text(encoding="utf-8"))
    assert [link for link in links if not (README.parent / link).exists()] == []
