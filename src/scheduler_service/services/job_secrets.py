"""The secrets of a job, as clients write them, and the problems of those that do not exist."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Protocol

from pydantic import AfterValidator, Field, StringConstraints
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.job_files import fault_of_name, find_directory_conflict
from scheduler_service.domain.secrets import SECRET_NAME, file_name_of
from scheduler_service.errors import FieldProblem
from scheduler_service.payloads.stored_text import Storable
from scheduler_service.payloads.text_pattern import TextPattern
from scheduler_service.services.variables import check_name

MAX_SECRETS = 16


def _check_target(target: str) -> str:
    file = file_name_of(target)
    if file is None:
        return check_name(target)
    if fault := fault_of_name(file):
        raise ValueError(f"the file {file!r} {fault}")
    return target


SecretName = Annotated[
    str, TextPattern(SECRET_NAME.pattern, "1 to 64 letters, digits, underscores and hyphens that begin with a letter")
]
SecretTarget = Annotated[str, StringConstraints(min_length=1, max_length=255), Storable, AfterValidator(_check_target)]
JobSecrets = Annotated[dict[SecretTarget, SecretName], Field(max_length=MAX_SECRETS)]


class KnownSecrets(Protocol):
    """Knows which secrets an owner has."""

    async def names(self, connection: AsyncConnection, owner_id: str) -> frozenset[str]:
        """Return the names of the secrets of an owner."""
        ...


class NoSecrets:
    """Knows no secrets."""

    async def names(self, connection: AsyncConnection, owner_id: str) -> frozenset[str]:  # noqa: ARG002 (there are none)
        """Return no names."""
        return frozenset()


def check_targets(secrets: dict[str, str], env: Mapping[str, str], files: Mapping[str, object]) -> dict[str, str]:
    """Return the secrets. Raise `ValueError` if a variable or a file is also defined elsewhere in the job."""
    written = [file for target in secrets if (file := file_name_of(target)) is not None]
    for target in secrets:
        place = "env" if target in env else "files" if file_name_of(target) in files else None
        if place is not None:
            raise ValueError(f"{target!r} is also defined in {place}; remove one of them")
    if conflict := find_directory_conflict([*written, *files]):
        raise ValueError(f"{conflict[0]!r} cannot be a file and the directory of {conflict[1]!r}; rename one of them")
    return secrets


def unknown_secrets(secrets: Mapping[str, str], known: frozenset[str]) -> Iterator[FieldProblem]:
    """Yield a problem for each secret that the owner does not have."""
    offer = f"available: {', '.join(sorted(known))}" if known else "this owner has none; create it first"
    for target, name in secrets.items():
        if name not in known:
            # A dot separates the steps of a path, and names of files contain dots.
            field = "secrets" if "." in target else f"secrets.{target}"
            yield FieldProblem(field, f'unknown secret "{name}"; {offer}', name)
