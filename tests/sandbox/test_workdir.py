"""Claims of processes that start and stop at the same time."""

from __future__ import annotations

from pathlib import Path

import pytest

from scheduler_service.sandbox.workdir import Claim


def test_a_claim_that_its_owner_releases_meanwhile_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "glob", lambda *_: [tmp_path / "service-just-gone"])
    claim = Claim(tmp_path)
    assert claim.path.is_dir()
    claim.release()
