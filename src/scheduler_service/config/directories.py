"""Directories that the service creates for its own files."""

from __future__ import annotations

import os
from pathlib import Path


def make_own_directory(path: Path) -> None:
    """Create a directory, with its parents, that only this user can list. Raise OSError on failure.

    If this user is root, other users can pass through it, because jobs run below it with separate user ids. The mode of
    each file inside keeps it private.
    """
    if path.is_dir():
        return
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.geteuid() == 0:
        path.chmod(0o711)
