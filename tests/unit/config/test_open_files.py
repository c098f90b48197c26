"""The limit of open files, which every process raises at its start."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from scheduler_service.bootstrap.base import open_base
from scheduler_service.config.open_files import ENOUGH, open_files, raise_open_files
from scheduler_service.config.settings import Settings


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Return the soft and the hard limit of a process that no test changes."""
    limit = {"soft": 1024, "hard": 1_048_576}

    def set_limit(_: int, limits: tuple[int, int]) -> None:
        limit["soft"], limit["hard"] = limits

    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit["soft"], limit["hard"]))
    monkeypatch.setattr(resource, "setrlimit", set_limit)
    return limit


async def test_start_raises_the_limit_no_further_than_enough(limit: dict[str, int], tmp_path: Path) -> None:
    async with open_base(Settings(_env_file=None, data_dir=tmp_path)):
        assert limit == {"soft": ENOUGH, "hard": 1_048_576}


def test_limit_is_raised_to_the_hard_limit_when_that_is_lower(limit: dict[str, int]) -> None:
    limit["hard"] = 4096
    assert raise_open_files() == limit["soft"] == 4096


def test_higher_limit_is_kept(limit: dict[str, int]) -> None:
    limit["soft"] = limit["hard"]
    raise_open_files()
    assert limit["soft"] == 1_048_576


def test_soft_limit_is_kept_when_the_host_forbids_more(limit: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert raise_open_files() == open_files() == limit["soft"]
