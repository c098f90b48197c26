"""The records of artifacts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Place(StrEnum):
    """Where the bytes of an artifact are."""

    DATABASE = "database"
    DATA_DIR = "data_dir"
    URL = "url"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredArtifact:
    """One artifact. `id` is random, and the key of its bytes."""

    id: str
    name: str
    size: int
    sha256: str
    media_type: str
    place: Place
