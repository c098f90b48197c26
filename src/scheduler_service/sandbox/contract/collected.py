"""What a run leaves behind on purpose: one result and any number of artifacts, each a file below its directory.

The variables name the places. Both lie below `OWN_DIRECTORY`, which the sandbox makes in the working directory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

OWN_DIRECTORY = ".scheduler"
RESULT_PATH = (OWN_DIRECTORY, "result")
ARTIFACTS_PATH = (OWN_DIRECTORY, "artifacts")
RESULT_VARIABLE, ARTIFACTS_VARIABLE = "SCHEDULER_RESULT", "SCHEDULER_ARTIFACTS"

MAX_RESULT_BYTES = 64 * 1024
MAX_ARTIFACTS = 100
MAX_NAME_BYTES = 255
MAX_ENTRIES = 1000
"""A walk through the directory of artifacts ends after this many entries, directories included."""

_CHUNK_BYTES = 1 << 20


def places_below(directory: str) -> dict[str, str]:
    """Return the variables that name the places below the working directory `directory`."""
    return {
        RESULT_VARIABLE: "/".join((directory, *RESULT_PATH)),
        ARTIFACTS_VARIABLE: "/".join((directory, *ARTIFACTS_PATH)),
    }


@dataclass(frozen=True, slots=True)
class Artifact:
    """One artifact. Its bytes lie at `offset` of the spool of its `Collected`."""

    name: str
    size: int
    offset: int


@dataclass(frozen=True, slots=True)
class Collected:
    """The result and the artifacts of one run, in the order of their names. The receiver must close it.

    `result` is what the run wrote, unchecked. `problems` says in sentences what was left out and why. `spool` is a file
    without a name that holds the bytes of all artifacts, and None if there are none.
    """

    result: bytes | None = None
    artifacts: tuple[Artifact, ...] = ()
    problems: tuple[str, ...] = ()
    spool: BinaryIO | None = None

    def read(self, artifact: Artifact) -> Iterator[bytes]:
        """Yield the bytes of an artifact. Blocks on the disk. Two readers must not take turns."""
        if self.spool is None:
            return
        self.spool.seek(artifact.offset)
        left = artifact.size
        while left and (chunk := self.spool.read(min(left, _CHUNK_BYTES))):
            left -= len(chunk)
            yield chunk

    def close(self) -> None:
        """Free the space that the artifacts take."""
        if self.spool is not None:
            self.spool.close()
