"""The working directory of a run when its code begins: the files of the job, and the places for what it leaves."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping

from scheduler_service.sandbox.contract.collected import ARTIFACTS_PATH
from scheduler_service.sandbox.contract.protocol import Order

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def fill_directory(order: Order) -> None:
    """Write the order's files into the current directory.

    Raise ValueError if there is no room for them in a file system of the run's own, which has the size that the job
    asked for. Raise OSError if the host fails.
    """
    try:
        write_files(order.files)
    except OSError as error:
        if error.errno in _FULL and order.terms.directory is None:
            raise ValueError(f"its files do not fit into limits.disk_mb, {order.terms.disk_mb} MiB") from error
        raise


def make_places(directory: str = ".") -> None:
    """Make the directory of artifacts, in which the code may write."""
    for name in ARTIFACTS_PATH:
        directory = f"{directory}/{name}"
        os.mkdir(directory)


def write_files(files: Mapping[str, bytes], directory: str = ".") -> None:
    """Write files, with the directories that their names contain, below a directory that is empty so far."""
    for name, data in files.items():
        path = os.path.join(directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        write_file(path, data)


def write_file(path: str, data: bytes, mode: int = 0o644) -> None:
    """Write a new file. Raise OSError, with its name, if that fails."""
    # Not O_EXCL: the filter would ask the supervisor about it, and the directory is still empty.
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, mode)
    try:
        written = os.write(file, data)
        while written < len(data):
            written += os.write(file, data[written:])
    finally:
        os.close(file)
