"""The places for artifacts that the settings provide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scheduler_service.config.settings import Settings
from scheduler_service.features.artifacts.byte_store import ByteStore, DirectoryStore, open_url
from scheduler_service.features.artifacts.records import Place

MAX_IN_DATABASE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Places:
    """The place of new artifacts, and the stores in which artifacts may be, the database left out."""

    current: Place
    stores: Mapping[Place, ByteStore]

    def refusal_of(self, size: int) -> str | None:
        """Return why an artifact of this size cannot be kept, or None."""
        if self.current is not Place.DATABASE or size <= MAX_IN_DATABASE_BYTES:
            return None
        return (
            f"it has {size} bytes, and the database keeps up to {MAX_IN_DATABASE_BYTES} for each; "
            "SCHEDULER_ARTIFACTS_URL names a store for larger ones"
        )


def open_places(settings: Settings) -> Places:
    """Open the stores. Raise `ConfigurationError` if the configured one cannot be used.

    Without a URL, artifacts are files beside the SQLite database. In the distributed setting, in which API and workers
    may run on different hosts, they are in the database, which all of them share.
    """
    stores: dict[Place, ByteStore] = {}
    if not settings.is_distributed:
        stores[Place.DATA_DIR] = DirectoryStore(settings.data_dir / "artifacts")
    if settings.artifacts_url is not None:
        stores[Place.URL] = open_url(settings.artifacts_url)
    current = next((place for place in (Place.URL, Place.DATA_DIR) if place in stores), Place.DATABASE)
    return Places(current, stores)
