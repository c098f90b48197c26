"""A check of the ledger, as the API shows it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field

from scheduler_service.features.ledger import examples
from scheduler_service.features.ledger.records import LedgerCheck
from scheduler_service.http.answers import Answer


class DifferenceOut(Answer):
    """An instant for which schedule and ledger differ."""

    model_config = ConfigDict(title="LedgerDifference")

    job_id: Annotated[int, Field(description="Identifier of the job.")]
    kind: Annotated[
        Literal["missing", "surplus"], Field(description="`missing`: owed, but without a row. `surplus`: the reverse.")
    ]
    scheduled_for: Annotated[datetime, Field(description="The instant.")]


class LedgerCheckOut(Answer):
    """The instants that schedules owed, compared with the rows of the ledger."""

    model_config = ConfigDict(title="LedgerCheck", json_schema_extra={"examples": [examples.CHECK]})

    since: Annotated[datetime, Field(description="Earliest instant that was compared.")]
    jobs: Annotated[int, Field(description="Number of jobs that were checked.")]
    owed: Annotated[int, Field(description="Number of instants that their schedules owed.")]
    accounted: Annotated[int, Field(description="Number of those that have a row.")]
    differences: Annotated[list[DifferenceOut], Field(description="What differs, up to 1,000 instants.")]
    is_cut: Annotated[bool, Field(description="Whether more differs than is listed. The check then stopped early.")]

    @classmethod
    def of(cls, check: LedgerCheck) -> Self:
        """Build the answer from a check."""
        missing = sum(difference.kind == "missing" for difference in check.differences)
        differences = [
            DifferenceOut(**{name: getattr(each, name) for name in DifferenceOut.model_fields})
            for each in check.differences
        ]
        return cls(
            since=check.since,
            jobs=check.jobs,
            owed=check.owed,
            accounted=check.owed - missing,
            differences=differences,
            is_cut=check.is_cut,
        )
