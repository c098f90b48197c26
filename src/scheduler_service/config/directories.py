"""Directories that the service creates for its own files."""

from __future__ import annotations

import os
from pathlib import Path


def make_own_directory(path: Path) -> None:
    """Create a directory that only this user can list, and its missing parents. Raises OSError.

    If this user is root, other users can pass through it: jobs have users of their own, and run below. Each file inside
    is private by its own mode.
    """
    if path.is_dir():
        return
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.geteuid() == 0:
        path.chmod(0o711)
