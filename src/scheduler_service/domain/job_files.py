"""The files of a job, which lie in the working directory when its code begins.

Each is stored as it was written: `{"text": …}` or `{"base64": …}`.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

MAX_FILES = 100
MAX_FILE_BYTES = 256 * 1024
MAX_BYTES = 1024 * 1024
"""The size of all files of a job together."""
MAX_NAME_BYTES = 255
RESERVED = frozenset({"job", "job.py", ".scheduler"})
"""First parts of names that the sandbox uses in the working directory."""


def content_of(file: Mapping[Any, str]) -> bytes:
    """Return the bytes of a file. Raise ValueError if it is not base64."""
    if "text" in file:
        return file["text"].encode()
    return binascii.a2b_base64(file["base64"], strict_mode=True)


def fault_of_name(name: str) -> str | None:
    """Return why a file cannot have this name, or None."""
    parts = name.split("/")
    if not all(parts) or name.startswith("/"):
        return "is not a relative path; write it like data/input.csv"
    if {".", ".."} & set(parts):
        return "must not contain the parts . and .."
    if not name.isprintable():
        return "has characters that are not printable; choose another name"
    if len(name.encode()) > MAX_NAME_BYTES:
        return f"has more than {MAX_NAME_BYTES} bytes; choose a shorter name"
    if parts[0] in RESERVED:
        return f"is reserved: the service uses {parts[0]} in the working directory; choose another name"
    return None


def find_directory_conflict(names: Iterable[str]) -> tuple[str, str] | None:
    """Return a name that is also the directory of another name, with that other name, or None."""
    known = set(names)
    for name in sorted(known):
        for parent in map(str, PurePosixPath(name).parents):
            if parent in known:
                return parent, name
    return None
