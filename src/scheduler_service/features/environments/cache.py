"""The environments of a host, in one directory that all its workers share.

    building/           what the build in progress writes; the only part that a sandbox may write
    building.lock       held by the process that builds
    ID-NONCE/           an environment: a virtual environment whose packages lie in `lib/packages`
    ID.json             its record: the directory, its size and the hash of every file
    ID.lock             shared by the runs that use the environment, exclusive for its removal

Theory of operation. An environment exists if its record does. The record is written last and removed first. Each build
gets a new directory, so a zygote never sees another build under the path that it knows. A lock is a flock(2): the
kernel releases it when its process ends.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scheduler_service.features.environments.tree import PACKAGES, TreeError, hash_tree, seal_tree
from scheduler_service.sandbox.confinement.workdir import remove_directory

BUILDING = "building"
_RECORD = ".json"


class TooLargeError(Exception):
    """An environment does not fit into the cache."""


@dataclass(frozen=True, slots=True)
class BuiltEnvironment:
    """An environment of this host and the hashes of its files."""

    directory: Path
    size_bytes: int
    files: dict[str, str]

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.directory / "bin" / "python"

    @property
    def packages(self) -> Path:
        """The directory of its packages."""
        return self.directory / PACKAGES


class EnvironmentCache:
    """Finds, verifies, adds and removes environments of this host."""

    def __init__(self, root: Path, max_bytes: int) -> None:
        """Keep environments below `root`, at most `max_bytes` together. The directory is created."""
        self.root = root.absolute()
        self.max_bytes = max_bytes
        self._verified: set[Path] = set()
        for directory in (self.root, self.building):
            directory.mkdir(mode=0o755, parents=True, exist_ok=True)

    @property
    def building(self) -> Path:
        """The directory in which builds write."""
        return self.root / BUILDING

    @contextmanager
    def used(self, environment_id: str) -> Iterator[None]:
        """Keep an environment from being removed, as long as the block runs."""
        with self._locked(f"{environment_id}.lock", fcntl.LOCK_SH):
            self._touch(environment_id)
            yield

    @contextmanager
    def only_builder(self) -> Iterator[None]:
        """Be the only process of the host that builds. Wait for the one that does."""
        with self._locked(f"{BUILDING}.lock", fcntl.LOCK_EX):
            self._remove_leftovers()
            yield

    def find(self, environment_id: str) -> BuiltEnvironment | None:
        """Return an environment whose files are those of its build, or None.

        This process compares the files once. An environment that was edited is removed.
        """
        built = self._read(environment_id)
        if built is None or built.directory in self._verified:
            return built
        if not _is_unchanged(built):
            self._remove(environment_id)
            return None
        self._verified.add(built.directory)
        return built

    def add(self, environment_id: str, packages: Path) -> BuiltEnvironment:
        """Move a directory of packages into a new environment. Raise TreeError or TooLargeError if it is unfit."""
        size = seal_tree(packages)
        if size > self.max_bytes:
            raise TooLargeError
        directory = self.root / f"{environment_id}-{secrets.token_hex(4)}"
        _make_virtual_environment(directory)
        packages.rename(directory / PACKAGES)
        built = BuiltEnvironment(directory, size, hash_tree(directory))
        record = {"directory": directory.name, "size_bytes": size, "files": built.files}
        temporary = self.building / "record"
        temporary.write_text(json.dumps(record), encoding="utf-8")
        temporary.chmod(0o600)
        temporary.rename(self._record(environment_id))
        self._verified.add(directory)
        return built

    def make_room(self, keep: str) -> list[str]:
        """Remove the environments that were used longest ago until the rest fits. Return their ids.

        Those that runs use, and `keep`, stay.
        """
        records = sorted(self.root.glob(f"*{_RECORD}"), key=lambda path: path.stat().st_mtime)
        sizes = {path.stem: built.size_bytes for path in records if (built := self._read(path.stem))}
        removed: list[str] = []
        for environment_id in sizes:
            if sum(sizes.values()) - sum(sizes[each] for each in removed) <= self.max_bytes:
                break
            if environment_id != keep and self._remove_if_free(environment_id):
                removed.append(environment_id)
        return removed

    def _read(self, environment_id: str) -> BuiltEnvironment | None:
        try:
            record = json.loads(self._record(environment_id).read_text(encoding="utf-8"))
            directory = self.root / Path(record["directory"]).name
            return BuiltEnvironment(directory, int(record["size_bytes"]), dict(record["files"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _record(self, environment_id: str) -> Path:
        return self.root / f"{environment_id}{_RECORD}"

    def _touch(self, environment_id: str) -> None:
        record = self._record(environment_id)
        if record.exists():
            os.utime(record)

    def _remove_if_free(self, environment_id: str) -> bool:
        try:
            with self._locked(f"{environment_id}.lock", fcntl.LOCK_EX | fcntl.LOCK_NB):
                self._remove(environment_id)
        except BlockingIOError:
            return False
        return True

    def _remove(self, environment_id: str) -> None:
        built = self._read(environment_id)
        self._record(environment_id).unlink(missing_ok=True)
        if built is not None and built.directory.exists():
            remove_directory(built.directory)

    def _remove_leftovers(self) -> None:
        """Remove what killed builds have left."""
        known = {built.directory for path in self.root.glob(f"*{_RECORD}") if (built := self._read(path.stem))}
        for path in (*self.building.iterdir(), *self.root.glob("*-*")):
            if path.is_dir() and not path.is_symlink():
                if path not in known:
                    remove_directory(path)
            else:
                path.unlink()

    @contextmanager
    def _locked(self, name: str, kind: int) -> Iterator[None]:
        lock = os.open(self.root / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, kind)
            yield
        finally:
            os.close(lock)


def _is_unchanged(built: BuiltEnvironment) -> bool:
    try:
        return bool(built.files) and hash_tree(built.directory) == built.files
    except (OSError, TreeError):
        return False


def _make_virtual_environment(directory: Path) -> None:
    """Create an environment of the service's Python without packages, see PEP 405.

    Its only `.pth` file adds the packages. They are in no directory of site-packages, so Python ignores their own.
    """
    base = Path(os.path.realpath(getattr(sys, "_base_executable", sys.executable)))
    site_packages = directory / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    for each in (directory / "bin", site_packages):
        each.mkdir(parents=True)
    for name in ("python", "python3"):
        (directory / "bin" / name).symlink_to(base)
    settings = f"home = {base.parent}\ninclude-system-site-packages = false\n"
    (directory / "pyvenv.cfg").write_text(settings, encoding="utf-8")
    (site_packages / "packages.pth").write_text(f"{directory / PACKAGES}\n", encoding="utf-8")
