"""The counters campaign with a hundred runs instead of ten thousand."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from faultlab.campaign import Campaign, embedded


@pytest.mark.long
def test_counters_equal_the_ledger_after_a_kill(tmp_path: Path) -> None:
    promises = embedded(tmp_path, Campaign(runs=100, kills=1, chance=random.Random(1)))  # noqa: S311
    assert not [promise for promise in promises if not promise.kept]
