"""The ledger of a window, as the API shows it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from pydantic import ConfigDict, Field

from scheduler_service.domain.run_state import Reason, RunStatus
from scheduler_service.features.ledger import examples
from scheduler_service.features.ledger.cells import Bucket, Cell, LedgerWindow, Period
from scheduler_service.http.answers import Answer


class PeriodOut(Answer):
    """A part of the window."""

    model_config = ConfigDict(title="LedgerPeriod", populate_by_name=True)

    begin: Annotated[datetime, Field(alias="from", description="Its beginning.")]
    end: Annotated[datetime, Field(alias="to", description="Its end, excluded.")]

    @classmethod
    def of(cls, period: Period) -> Self:
        """Return a period as the API shows it."""
        return cls(begin=period.begin, end=period.end)


class CellOut(Answer):
    """The instants of one hour or day."""

    model_config = ConfigDict(title="LedgerCell")

    at: Annotated[datetime, Field(description="Beginning of the hour or day.")]
    owed: Annotated[int, Field(description="Number of instants that have a row.")]
    planned: Annotated[int, Field(description="Number of instants that are still to come.")]
    by_status: Annotated[dict[RunStatus, int], Field(description="Number of instants by the state of their row.")]
    by_reason: Annotated[dict[Reason, int], Field(description="Number of instants by the reason of their row.")]

    @classmethod
    def of(cls, cell: Cell) -> Self:
        """Return a cell as the API shows it."""
        by_status, by_reason = dict(cell.by_status), dict(cell.by_reason)
        return cls(at=cell.at, owed=cell.owed, planned=cell.planned, by_status=by_status, by_reason=by_reason)


class LedgerWindowOut(Answer):
    """What became of the instants of a window. `owed` is the sum of `served`, `skipped` and `missed`."""

    model_config = ConfigDict(
        title="LedgerWindow", populate_by_name=True, json_schema_extra={"examples": [examples.WINDOW]}
    )

    begin: Annotated[datetime, Field(alias="from", description="Beginning of the window: a full hour.")]
    end: Annotated[datetime, Field(alias="to", description="End of the window, excluded: a full hour.")]
    bucket: Annotated[Bucket, Field(description="What a cell covers.")]
    owed: Annotated[int, Field(description="Number of instants that have a row.")]
    served: Annotated[int, Field(description="Number of those that became a run.")]
    skipped: Annotated[int, Field(description="Number of skipped instants.")]
    missed: Annotated[int, Field(description="Number of missed instants.")]
    planned: Annotated[int, Field(description="Number of instants that are still to come.")]
    is_planned_cut: Annotated[bool, Field(description="Whether more than 10,000 instants are planned.")]
    cells: Annotated[list[CellOut], Field(description="The cells with instants, in order. Others are empty.")]
    not_owed: Annotated[
        list[PeriodOut],
        Field(description="When the schedule of the job was not in force, such as pauses. Empty for all jobs."),
    ]

    @classmethod
    def of(cls, window: LedgerWindow) -> Self:
        """Return a window as the API shows it."""
        return cls(
            begin=window.period.begin,
            end=window.period.end,
            bucket=window.bucket,
            owed=window.instants(),
            served=window.served,
            skipped=window.instants(RunStatus.SKIPPED),
            missed=window.instants(RunStatus.MISSED),
            planned=window.planned,
            is_planned_cut=window.is_planned_cut,
            cells=[CellOut.of(cell) for cell in window.cells],
            not_owed=[PeriodOut.of(period) for period in window.not_owed],
        )
