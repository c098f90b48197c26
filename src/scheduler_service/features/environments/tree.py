"""The files of an environment: listed with their hashes, so that no file that was edited later is ever used."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

PACKAGES = "lib/packages"
LINKS = frozenset({"bin/python", "bin/python3"})
_CACHES = "__pycache__"
_LINK = "link to "
_MODE_OF_FILE, _MODE_OF_DIRECTORY = 0o644, 0o755


class TreeError(Exception):
    """A directory contains something that no environment may have; the text names it."""


def hash_tree(root: Path) -> dict[str, str]:
    """Return the hash of each file below a directory by its path.

    Raise TreeError for anything but files and directories; the links to the interpreter are the exception.
    """
    found: dict[str, str] = {}
    for entry, path in _walk(root):
        if entry.is_symlink() and path in LINKS:
            found[path] = _LINK + str(Path(entry.path).readlink())
        elif entry.is_file(follow_symlinks=False):
            found[path] = _hash_file(entry.path)
        elif not entry.is_dir(follow_symlinks=False):
            raise TreeError(f"{path} is neither a file nor a directory")
    return found


def seal_tree(root: Path) -> int:
    """Make all below a directory ours, readable for everyone and writable for nobody else. Return its size in bytes.

    Raise TreeError for anything but files and directories.
    """
    size = 0
    _seal(root, _MODE_OF_DIRECTORY)
    for entry, path in _walk(root):
        if entry.is_dir(follow_symlinks=False):
            _seal(Path(entry.path), _MODE_OF_DIRECTORY)
        elif entry.is_file(follow_symlinks=False):
            size += entry.stat(follow_symlinks=False).st_size
            _seal(Path(entry.path), _MODE_OF_FILE)
        else:
            raise TreeError(f"{path} is neither a file nor a directory")
    return size


def measure_tree(root: Path) -> int:
    """Return the size of the files below a directory in bytes, as far as they can be read while others write there.

    A file with several names, such as in uv's cache and in its place, counts once.
    """
    size = 0.0
    for directory, _, names in os.walk(root):
        for name in names:
            try:
                status = Path(directory, name).lstat()
                size += status.st_size / max(1, status.st_nlink)
            except OSError:
                continue
    return int(size)


def compiled_caches(root: Path) -> list[Path]:
    """Return the directories of compiled modules below a directory, which a wheel may contain and nobody checks."""
    return [Path(entry.path) for entry, _ in _walk(root) if entry.name == _CACHES]


def directories_in(root: Path) -> list[Path]:
    """Return all directories below a directory."""
    return [Path(entry.path) for entry, _ in _walk(root) if entry.is_dir(follow_symlinks=False)]


def files_of(hashes: dict[str, str], packages: tuple[str, ...]) -> dict[str, str]:
    """Return the hashes of the files of top-level directories, without compiled modules, by path in the packages."""
    prefixes = tuple(f"{PACKAGES}/{name}/" for name in packages)
    return {
        path.removeprefix(f"{PACKAGES}/"): found
        for path, found in hashes.items()
        if path.startswith(prefixes) and f"/{_CACHES}/" not in path
    }


def _walk(root: Path) -> Iterator[tuple[os.DirEntry[str], str]]:
    """Yield all below a directory, with paths relative to it. Links are not followed."""
    waiting = [str(root)]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                yield entry, os.path.relpath(entry.path, root)
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)


def _seal(path: Path, mode: int) -> None:
    if os.geteuid() == 0:
        os.chown(path, 0, 0, follow_symlinks=False)
    if stat.S_IMODE(path.lstat().st_mode) != mode:
        path.chmod(mode)


def _hash_file(path: str) -> str:
    with open(path, "rb") as file:  # noqa: PTH123 (thousands of files)
        return hashlib.file_digest(file, "sha256").hexdigest()
