"""Grants, as the API shows them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Self

from pydantic import ConfigDict, Field

from scheduler_service.features.grants import examples
from scheduler_service.features.grants.records import OfferedGrant
from scheduler_service.http.answers import Answer


class GrantOut(Answer):
    """A grant that jobs may ask for by name."""

    model_config = ConfigDict(title="Grant", json_schema_extra={"examples": [examples.GRANT]})

    name: Annotated[str, Field(description="Name of the grant, for `grants` of a job.")]
    description: Annotated[str, Field(description="Notes of the operator.")]
    read: Annotated[list[str], Field(description="Files and directories that a run may read.")]
    write: Annotated[list[str], Field(description="Files and directories that a run may read and write.")]
    connect: Annotated[
        list[str],
        Field(description="Hosts and ports that a run may connect and send to: a name, a network, or `public`."),
    ]
    sockets: Annotated[list[str], Field(description="UNIX sockets that a run may connect to.")]
    owners: Annotated[
        list[str] | None,
        Field(
            description="Owners whose jobs may ask for the grant, for a key with the scope `admin`; for others, "
            "only their own. Null: every owner."
        ),
    ]
    workers: Annotated[list[str], Field(description="Live workers that hold the grant. None: such runs stay queued.")]

    @classmethod
    def of(cls, grant: OfferedGrant) -> Self:
        """Return a grant as it is shown."""
        return cls(**asdict(grant))


class GrantList(Answer):
    """The grants that the caller's jobs may ask for."""

    grants: Annotated[list[GrantOut], Field(description="The grants, sorted by name.")]
