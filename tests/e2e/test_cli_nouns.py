"""Every noun of the command line answers, and a job is named by id, external key or name."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from testkit.commands import Service, up


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with up(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.mark.parametrize(
    "words",
    [
        "jobs list", "runs list", "alerts list", "audit", "calendars list", "environments list",
        "export", "grants list", "keys list", "ledger check", "quotas show", "secrets list", "stats", "status",
        "workers", "workers list",
    ],
)  # fmt: skip
def test_command_that_reads_answers(service: Service, words: str) -> None:
    done = service.shell.run(*words.split())
    assert (done.returncode, done.stderr) == (0, "")


def test_job_is_named_by_its_key_or_name(service: Service) -> None:
    create = ("jobs", "create", "--schedule", "@yearly", "--shell", "true")
    named = service.shell.read(*create, "--name", "of a name")["id"]
    keyed = service.shell.read(*create, "--name", "other", "--set", "external_key=nightly")["id"]

    assert service.shell.read("jobs", "show", "of a name")["id"] == named
    assert service.shell.read("jobs", "pause", "nightly")["id"] == keyed
    assert service.shell.read("jobs", "run", "of a name")["job_id"] == named
    assert [run["job_id"] for run in service.shell.read("runs", "list", "--job", "of a name")["runs"]] == [named]


def test_name_that_names_no_job_or_several_is_refused(service: Service) -> None:
    ids = [service.shell.read("jobs", "create", "--name", "twin", "--on-demand", "--shell", "true")["id"] for _ in "ab"]
    unknown, ambiguous = (service.shell.call("jobs", "show", name) for name in ("nobody", "twin"))
    assert (unknown.returncode, ambiguous.returncode) == (2, 2)
    assert "no job has this name" in unknown.stderr
    assert f"2 jobs have this name: {ids[0]}, {ids[1]}" in ambiguous.stderr
