"""The count of a run's files; the corpus has the attacks on it."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduler_service.sandbox.accounting import disk_count
from scheduler_service.sandbox.accounting.disk_count import DiskCount

MB = 1 << 20


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    for path in (tmp_path, *tmp_path.rglob("*")):
        if path.is_dir():
            path.chmod(0o700)


def test_count_continues_at_the_next_look_when_time_is_up(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(20):
        (tree / str(number)).mkdir()
        (tree / str(number) / "file").write_bytes(b"x" * 4096)
    monkeypatch.setattr(disk_count, "SLICE_SECONDS", 0.0)
    count = DiskCount([str(tree)], 1)
    looks = 0
    while not count.used_bytes:
        assert count.look([]) is None
        looks += 1
    assert looks > 20


def test_count_says_why_a_run_must_end(tree: Path) -> None:
    (tree / "file").write_bytes(b"x" * 2 * MB)
    assert DiskCount([str(tree)], 1).look([]) == "wrote more than 1 MiB of files"


def test_closed_directory_keeps_its_mode_when_counted(tree: Path) -> None:
    closed = tree / "closed" / "inner"
    closed.mkdir(parents=True)
    (closed / "file").write_bytes(b"x" * 2 * MB)
    for path in (closed, closed.parent):
        path.chmod(0)
    assert DiskCount([str(tree)], 1).look([]) is not None
    assert closed.parent.stat().st_mode & 0o777 == 0


def test_count_stays_in_its_tree_when_a_directory_becomes_a_link(
    tree: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    (other / "large").write_bytes(b"x" * 2 * MB)
    (tree / "link").symlink_to(other)
    assert DiskCount([str(tree)], 1).look([]) is None


def test_mapped_file_counts_once_when_another_name_is_left(tree: Path) -> None:
    mappings = []
    for number in range(5):
        first = tree / f"first{number}"
        first.write_bytes(b"x" * 4096)
        with first.open("rb") as file:
            mappings.append(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        first.rename(tree / f"linked{number}")
        (tree / f"second{number}").hardlink_to(tree / f"linked{number}")
        (tree / f"linked{number}").unlink()
    assert DiskCount([str(tree)], 1).look([os.getpid()]) is None
    for mapping in mappings:
        mapping.close()


def test_file_without_a_name_counts_while_it_is_open(tree: Path) -> None:
    with (tree / "file").open("wb") as file:
        file.write(b"x" * 2 * MB)
        file.flush()
        (tree / "file").unlink()
        assert DiskCount([str(tree)], 1).look([os.getpid()]) is not None
    assert DiskCount([str(tree)], 1).look([os.getpid()]) is None
