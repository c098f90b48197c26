"""Artifacts to store, and each place to store them in."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import pytest

from scheduler_service.features.artifacts.byte_store import DirectoryStore, ObjectStore, open_url
from scheduler_service.features.artifacts.places import Places
from scheduler_service.features.artifacts.records import Place
from scheduler_service.sandbox.contract.collected import Artifact, Collected


def collected(files: Mapping[str, bytes]) -> Collected:
    """Return what the sandbox hands over for these files."""
    artifacts, offset = [], 0
    for name, data in files.items():
        artifacts.append(Artifact(name, len(data), offset))
        offset += len(data)
    return Collected(artifacts=tuple(artifacts), spool=io.BytesIO(b"".join(files.values())))


@pytest.fixture(params=["database", "data_dir", "file_url", "object_store"])
def places(request: pytest.FixtureRequest, tmp_path: Path) -> Places:
    match request.param:
        case "database":
            return Places(Place.DATABASE, {})
        case "data_dir":
            return Places(Place.DATA_DIR, {Place.DATA_DIR: DirectoryStore(tmp_path / "artifacts")})
        case "file_url":
            return Places(Place.URL, {Place.URL: open_url(f"file://{tmp_path}/with%20space")})
        case _:
            pytest.importorskip("obstore")
            (tmp_path / "objects").mkdir()
            return Places(Place.URL, {Place.URL: ObjectStore(f"file://{tmp_path}/objects")})
