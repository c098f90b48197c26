"""The search for a program on a PATH."""

from __future__ import annotations

from pathlib import Path

import pytest

from scheduler_service.sandbox.contract.command import find_program


@pytest.fixture
def places(tmp_path: Path) -> list[Path]:
    """Two directories of a PATH: a text and a directory of the name in the first, the program in the second."""
    first, second = tmp_path / "first", tmp_path / "second"
    for place in (first, second):
        place.mkdir()
    (first / "text").write_text("not to be executed")
    (first / "folder").mkdir()
    for name in ("text", "folder", "program"):
        (second / name).write_text("#!/bin/sh\n")
        (second / name).chmod(0o755)
    return [first, second]


@pytest.mark.parametrize("name", ["program", "text", "folder"])
def test_first_executable_is_found(places: list[Path], name: str) -> None:
    assert find_program(name, ":".join(map(str, places))) == str(places[1] / name)


def test_path_is_kept(places: list[Path]) -> None:
    assert find_program(f"{places[1]}/program", "") == f"{places[1]}/program"


@pytest.mark.parametrize("name", ["no-such-program", "/no/such/program", ""])
def test_error_names_the_program_when_it_is_missing(places: list[Path], name: str) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        find_program(name, str(places[0]))
    assert caught.value.filename == name


def test_error_is_permission_when_the_file_is_not_executable(places: list[Path]) -> None:
    with pytest.raises(PermissionError, match="may not be executed"):
        find_program("text", str(places[0]))
