"""What people are shown of a grant."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OfferedGrant:
    """A grant that the caller's jobs may ask for, and the live workers that hold it."""

    name: str
    description: str
    read: tuple[str, ...]
    write: tuple[str, ...]
    connect: tuple[str, ...]
    sockets: tuple[str, ...]
    owners: tuple[str, ...] | None
    workers: tuple[str, ...]
