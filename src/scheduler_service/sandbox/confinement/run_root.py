"""Where runs have their working directories.

At `standard` a run's directory lies in the host's file system. Where the service is root, the job has a user id of its
own, and that user needs the permission to search every directory on the way. A checkout in /root has no such way.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

FALLBACK_ROOTS = (Path("/var/lib/scheduler-service/runs"), Path("/run/scheduler-service/runs"))
"""Tried in this order where the usual place is out of reach. Only root can write their parents."""
_PASSABLE = 0o711


def closed_directory(path: Path) -> Path | None:
    """Return the outermost directory above `path` that other users cannot search; None if they reach `path`."""
    for way in (path.absolute(), Path(os.path.realpath(path))):
        for parent in reversed(way.parents):
            if parent.exists() and not parent.stat().st_mode & stat.S_IXOTH:
                return parent
    return None


def choose_run_root(usual: Path, spare: Sequence[Path] = FALLBACK_ROOTS) -> Path:
    """Return a directory that the users of jobs reach: `usual`, or the first of `spare` that can be made.

    Returns `usual` if there is none; the run that follows says what is in its way.
    """
    for place in (usual, *spare):
        if _is_made(place) and closed_directory(place) is None:
            return place
    return usual


def _is_made(place: Path) -> bool:
    """Create a directory with the missing parents, each for others to pass and not to list."""
    try:
        for directory in (*reversed(place.parents), place):
            if not directory.exists():
                directory.mkdir(mode=_PASSABLE)
                directory.chmod(_PASSABLE)  # whatever the umask is
    except OSError:
        return False
    return os.access(place, os.W_OK)
