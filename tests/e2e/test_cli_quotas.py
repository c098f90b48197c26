"""The command `scheduler quotas` on a real service."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from testkit.commands import Service, up


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with up(tmp_path_factory.mktemp("service"), SCHEDULER_QUOTA_JOBS="9") as running:
        yield running


def test_quotas_are_set_one_by_one_and_unset(service: Service) -> None:
    shell = service.shell
    assert shell.call("quotas", "set", "team", "--jobs", "3", "--stored-mb", "50").returncode == 0
    table = shell.call("quotas", "set", "team", "--weight", "2", "--concurrent-runs", "4").stdout
    rows = {words[0]: words[1:] for line in table.splitlines() if (words := line.split())}
    own = shell.read("quotas", "show", "team")["own"]

    assert (rows["jobs"], rows["concurrent_runs"], rows["weight"]) == (["0", "3"], ["0", "4"], ["-", "2"])
    assert rows["stored_mb"][-1] == "50"
    assert {name: value for name, value in own.items() if value is not None} == {
        "jobs": 3,
        "stored_mb": 50,
        "concurrent_runs": 4,
        "weight": 2,
    }
    assert shell.call("quotas", "unset", "team").stdout == "The defaults hold for team.\n"
    assert shell.read("quotas", "show", "team")["quotas"]["jobs"] == {"used": 0, "allowed": 9}


def test_mistakes_are_told(service: Service) -> None:
    unset = service.shell.call("quotas", "unset", "nobody")
    wrong = service.shell.call("quotas", "set", "team", "--stored-mb", "-1")
    assert (unset.returncode != 0, "was given no quotas" in unset.stderr) == (True, True)
    assert (wrong.returncode, "--stored-mb" in wrong.stderr) == (2, True)
