"""Claims of processes that start and stop at the same time, and removals in portions."""

from __future__ import annotations

from pathlib import Path

import pytest

from scheduler_service.sandbox.confinement.workdir import Claim, Removal


def test_claim_succeeds_when_another_is_released_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "glob", lambda *_: [tmp_path / "service-just-gone"])
    claim = Claim(tmp_path)
    assert claim.path.is_dir()
    claim.release()


def test_removal_continues_when_its_time_was_up(tmp_path: Path) -> None:
    tree = tmp_path / "run"
    for number in range(20):
        (tree / f"{number}" / "inner").mkdir(parents=True)
        (tree / f"{number}" / "file").touch()
        (tree / f"{number}").chmod(0)
    removal, rounds = Removal([tree]), 0
    while not removal.go_on(0.0):
        rounds += 1
    assert list(tmp_path.iterdir()) == []
    assert rounds > 20


def test_removal_does_nothing_when_there_is_no_directory(tmp_path: Path) -> None:
    assert Removal([tmp_path / "none"]).go_on(1.0)
