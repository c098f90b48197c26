"""Artifacts, as the API shows them."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import ConfigDict, Field

from scheduler_service.features.artifacts import examples
from scheduler_service.features.artifacts.records import StoredArtifact
from scheduler_service.http.answers import Answer


class ArtifactOut(Answer):
    """A file that a run has left."""

    model_config = ConfigDict(title="Artifact", json_schema_extra={"examples": [examples.ARTIFACT]})

    name: Annotated[str, Field(description="Path of the file below the directory of artifacts.")]
    size: Annotated[int, Field(description="Size in bytes.")]
    sha256: Annotated[str, Field(description="SHA-256 digest of the bytes, in hexadecimal.")]
    media_type: Annotated[str, Field(description="Media type, guessed from the name.")]

    @classmethod
    def of(cls, artifact: StoredArtifact) -> Self:
        """Return an artifact as it is shown."""
        return cls(**{name: getattr(artifact, name) for name in cls.model_fields})


class ArtifactList(Answer):
    """The files that a run has left."""

    artifacts: Annotated[list[ArtifactOut], Field(description="The artifacts, sorted by name.")]
