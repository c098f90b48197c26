"""The readable paths of a job when private paths are among them."""

from __future__ import annotations

from pathlib import Path

import pytest

from scheduler_service.sandbox.confinement.readable_paths import readable


@pytest.fixture
def opt(tmp_path: Path) -> Path:
    """A service in /opt with its Python, its settings and its data, and another program beside it."""
    root = tmp_path / "opt"
    for name in (
        "app/.env",
        "app/.env.old",
        "app/data/scheduler.db",
        "app/venv/bin/python",
        "app/venv/lib/x",
        "tool/t",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def names(root: Path, paths: list[str]) -> list[str]:
    return [str(Path(path).relative_to(root)) for path in paths]


def test_directory_is_readable_when_nothing_in_it_is_private(opt: Path) -> None:
    assert readable([str(opt)], [], ["/elsewhere/.env"]) == [str(opt)]


def test_directory_is_split_when_something_in_it_is_private(opt: Path) -> None:
    pieces = readable([str(opt)], [], [f"{opt}/app/.env*", f"{opt}/app/data"])
    assert names(opt, pieces) == ["app/venv", "tool"]


def test_later_file_is_private_when_its_directory_is_split(opt: Path) -> None:
    pieces = readable([str(opt)], [], [f"{opt}/app/later.db*"])
    assert names(opt, pieces) == ["app/.env", "app/.env.old", "app/data", "app/venv", "tool"]


def test_python_is_readable_when_it_is_below_a_private_path(opt: Path) -> None:
    assert names(opt, readable([str(opt)], [f"{opt}/app/venv"], [f"{opt}/app"])) == ["tool", "app/venv"]


def test_private_path_is_removed_when_it_is_below_python(opt: Path) -> None:
    pieces = readable([], [f"{opt}/app"], [f"{opt}/app/data", f"{opt}/app/.env*"])
    assert names(opt, pieces) == ["app/venv"]


def test_python_keeps_its_usual_parts_when_it_is_private(opt: Path) -> None:
    (opt / "app/venv/secret").touch()
    pieces = readable([], [f"{opt}/app/venv"], [f"{opt}/app/venv", f"{opt}/app/venv/lib/data"])
    assert {"app/venv/bin", "app/venv/lib/x"} <= set(names(opt, pieces))
    assert not {"app/venv/secret", "app/venv/lib"} & set(names(opt, pieces))


def test_link_does_not_make_a_private_path_readable(opt: Path) -> None:
    (opt / "app/link").symlink_to(opt / "app/data")
    pieces = readable([str(opt)], [], [f"{opt}/app/data"])
    assert "app/link" in names(opt, pieces)
    assert "app/data" not in names(opt, pieces)


def test_path_is_readable_when_a_private_name_is_its_prefix(opt: Path) -> None:
    (opt / "application").mkdir()
    assert names(opt, readable([str(opt)], [], [f"{opt}/app"])) == ["application", "tool"]
