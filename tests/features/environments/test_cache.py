"""The cache of a host: within its size, without what was edited, and never without what a run uses."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scheduler_service.features.environments.cache import BuiltEnvironment, EnvironmentCache, TooLargeError
from scheduler_service.features.environments.tree import TreeError

KIB = 1024
ALPHA, BETA, GAMMA = ("a" * 32, "b" * 32, "c" * 32)


@pytest.fixture
def cache(tmp_path: Path) -> EnvironmentCache:
    return EnvironmentCache(tmp_path / "environments", max_bytes=10 * KIB)


def add(cache: EnvironmentCache, environment_id: str, size: int = 4 * KIB) -> BuiltEnvironment:
    """Add an environment of a size, as a build does."""
    packages = cache.building / "packages"
    packages.mkdir()
    (packages / "module.py").write_text("#" * size)
    return cache.add(environment_id, packages)


def use_at(cache: EnvironmentCache, environment_id: str, seconds: float) -> None:
    os.utime(cache.root / f"{environment_id}.json", (seconds, seconds))


def test_built_environment_is_found_by_another_process(cache: EnvironmentCache) -> None:
    built = add(cache, ALPHA)
    assert EnvironmentCache(cache.root, KIB).find(ALPHA) == built
    assert cache.find(BETA) is None


@pytest.mark.parametrize("edit", ["changed", "added", "removed", "linked"])
def test_edited_environment_is_removed(cache: EnvironmentCache, edit: str) -> None:
    built = add(cache, ALPHA)
    module = built.packages / "module.py"
    match edit:
        case "changed":
            module.write_text("!")
        case "added":
            (built.packages / "more.pth").write_text("import os")
        case "removed":
            module.unlink()
        case _:
            module.unlink()
            module.symlink_to("/etc/passwd")
    assert EnvironmentCache(cache.root, KIB).find(ALPHA) is None
    assert not built.directory.exists()


def test_edited_interpreter_is_noticed(cache: EnvironmentCache) -> None:
    built = add(cache, ALPHA)
    built.python.unlink()
    built.python.symlink_to("/bin/sh")
    assert EnvironmentCache(cache.root, KIB).find(ALPHA) is None


def test_least_recently_used_environments_go_first(cache: EnvironmentCache) -> None:
    for seconds, environment_id in enumerate((ALPHA, BETA, GAMMA)):
        add(cache, environment_id)
        use_at(cache, environment_id, seconds)
    use_at(cache, ALPHA, 9)
    assert cache.make_room(keep=GAMMA) == [BETA]
    assert cache.find(BETA) is None
    assert cache.find(ALPHA)


def test_environment_of_a_run_is_not_removed(cache: EnvironmentCache) -> None:
    for environment_id in (ALPHA, BETA, GAMMA):
        add(cache, environment_id)
    with EnvironmentCache(cache.root, KIB).used(ALPHA), EnvironmentCache(cache.root, KIB).used(BETA):
        assert cache.make_room(keep=GAMMA) == []
    assert len(cache.make_room(keep=GAMMA)) == 1


def test_environment_larger_than_the_cache_is_refused(cache: EnvironmentCache) -> None:
    with pytest.raises(TooLargeError):
        add(cache, ALPHA, 11 * KIB)
    assert cache.find(ALPHA) is None


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_packages_are_files_and_directories_only(cache: EnvironmentCache, kind: str) -> None:
    packages = cache.building / "packages"
    packages.mkdir()
    if kind == "link":
        (packages / "module.py").symlink_to("/etc/passwd")
    else:
        os.mkfifo(packages / "module.py")
    with pytest.raises(TreeError, match="is neither a file nor"):
        cache.add(ALPHA, packages)


def test_leftovers_of_killed_builds_are_removed(cache: EnvironmentCache) -> None:
    kept = add(cache, ALPHA)
    (cache.building / "new").mkdir()
    (cache.root / f"{BETA}-0123abcd").mkdir()
    with cache.only_builder():
        assert list(cache.building.iterdir()) == []
        assert [path for path in cache.root.glob("*-*") if path.is_dir()] == [kept.directory]
