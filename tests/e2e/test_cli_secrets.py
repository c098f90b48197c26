"""The commands `scheduler secrets` and `scheduler audit` on a real service: no value leaves it."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from testkit.commands import Service, up

VALUE = "correct horse battery"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    key = base64.b64encode(bytes(32)).decode()
    with up(tmp_path_factory.mktemp("service"), SCHEDULER_SECRETS_KEY=key) as running:
        yield running


def set_secret(service: Service, directory: Path, text: bytes) -> subprocess.CompletedProcess[str]:
    file = directory / "value"
    file.write_bytes(text)
    with file.open() as opened:
        return service.shell.run("secrets", "set", "db", stdin=opened)


def test_secret_of_a_file_reaches_a_job_and_no_output(service: Service, tmp_path: Path) -> None:
    assert set_secret(service, tmp_path, b"something else\n").stdout == "Created the secret db.\n"
    assert set_secret(service, tmp_path, f"{VALUE}\n".encode()).stdout == "Replaced the secret db.\n"

    code = "import os; print(len(os.environ['DB']), os.environ['DB'])"
    job = service.shell.read(
        "jobs", "create", "--name", "j", "--schedule", "@yearly", "--secret", "DB=db", "--python", code
    )
    done = service.shell.run("jobs", "run", job["id"], "--wait")
    listed = service.shell.read("secrets", "list")
    trail = service.shell.call("audit", "--wide")

    assert f"{len(VALUE)} ***" in done.stdout
    assert [secret["name"] for secret in listed["secrets"]] == ["db"]
    assert "secrets/db" in trail.stdout
    assert service.shell.call("secrets", "rotate-key").stdout.startswith("Encrypted 0 secrets with the key ")
    assert service.shell.call("secrets", "delete", "db").stdout == "Deleted the secret db.\n"
    everything = [done.stdout, str(listed), trail.stdout, service.output, service.log]
    assert not [text for text in everything if VALUE in text]


def test_value_that_cannot_be_masked_is_refused(service: Service, tmp_path: Path) -> None:
    refused = set_secret(service, tmp_path, b"short\n")
    assert refused.returncode != 0
    assert "at least 6" in refused.stderr
    assert "short" not in refused.stderr.replace("a shorter one", "")
