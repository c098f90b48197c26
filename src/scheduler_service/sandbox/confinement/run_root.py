"""The directory below which runs have their working directories.

At `standard` a run's directory lies in the host's file system. If the service is root, each job has a user id of its
own, and that user must be able to search every directory on the way (path_resolution(7)). Below /root it cannot.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

FALLBACK_ROOTS = (Path("/var/lib/scheduler-service/runs"), Path("/run/scheduler-service/runs"))
"""Tried in this order if jobs cannot reach the usual directory. Only root can write their parents."""
_PASSABLE = 0o711


def closed_directory(path: Path) -> Path | None:
    """Return the outermost directory above `path` that other users cannot search; None if they reach `path`."""
    for way in (path.absolute(), Path(os.path.realpath(path))):
        for parent in reversed(way.parents):
            if parent.exists() and not parent.stat().st_mode & stat.S_IXOTH:
                return parent
    return None


def choose_run_root(usual: Path, fallbacks: Sequence[Path] = FALLBACK_ROOTS) -> Path:
    """Return a directory that the users of jobs can reach: `usual`, or the first of `fallbacks` that can be made.

    Return `usual` if there is none. The trial run that follows then reports the obstacle.
    """
    for root in (usual, *fallbacks):
        if _is_made(root) and closed_directory(root) is None:
            return root
    return usual


def _is_made(root: Path) -> bool:
    """Create a directory with its missing parents, which others may search and not list."""
    try:
        for directory in (*reversed(root.parents), root):
            if not directory.exists():
                directory.mkdir(mode=_PASSABLE)
                directory.chmod(_PASSABLE)  # whatever the umask is
    except OSError:
        return False
    return os.access(root, os.W_OK)
